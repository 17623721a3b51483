"""The cases of a segmentation bundle: a phantom or the user's data, checked and divided before the run starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..data import Decathlon, check_cases, read_decathlon, split_cases
from ..data.dicom_series import is_series
from ..data.nifti import case_name, is_nifti_name
from ..data.save_segmentation import require_writable
from ..errors import DataError
from ..handlers.rows import column_names
from ..quoting import named
from .data_folder import data_folder, found_in, settings_at_fault, tell

__all__ = ["Cases", "list_images", "prepare_cases"]

#: what a folder of such data holds
INDEX = "dataset.json"
#: what an inference segments
WANTED = "a folder with .nii or .nii.gz files, or with folders of DICOM series"


class Cases(NamedTuple):
    """Paths of the cases of each part: ``{"image": ..., "label": ...}``.

    Example:
        >>> case = {"image": "imagesTr/la_001.nii.gz", "label": "labelsTr/la_001.nii.gz"}
        >>> Cases(train=[case], val=[], test=[]).train[0]["label"]
        'labelsTr/la_001.nii.gz'
    """

    train: list[dict[str, str]]
    val: list[dict[str, str]]
    test: list[dict[str, str]]


def prepare_cases(
    dataset_dir: str | None,
    *,
    phantom: Mapping[str, Any],
    cache: str | os.PathLike[str],
    classes: Mapping[str, str],
    val_cases: int,
    test_cases: int,
    split_seed: int = 0,
    train_size: int | None = None,
    draw: int = 0,
    check: Sequence[str] = (),
) -> Cases:
    """Find or generate the data set of a bundle, divide it, and read every case that will be used.

    Args:
        dataset_dir: folder in the layout of the Medical Segmentation Decathlon; None for the phantom.
        phantom: ``task``, the phantom's name, and its settings, see :func:`monai_freq.phantoms.write_phantom`; empty
            when there is none.
        cache: folder for phantoms; the environment variable ``MONAI_FREQ_CACHE`` goes before it.
        classes: class number -> name.
        val_cases: number of validation cases.
        test_cases: number of test cases.
        split_seed: seed of the division.
        train_size: number of training cases; None for all.
        draw: number of the random subset of that size.
        check: parts to read and check, of ``"train"``, ``"val"``, ``"test"``.

    Raises:
        UsageError: something is wrong with the data or the sizes.

    Example:
        >>> import tempfile
        >>> phantom = {"task": "hippocampus", "cases": 3, "test_cases": 0, "size": [16, 16, 16], "seed": 0}
        >>> classes = {"0": "background", "1": "Anterior", "2": "Posterior"}
        >>> data = {"phantom": phantom, "cache": tempfile.mkdtemp(), "classes": classes}
        >>> cases = prepare_cases(None, **data, val_cases=1, test_cases=1, check=["train"])
        >>> [len(part) for part in cases], Path(cases.train[0]["image"]).name
        ([1, 1, 1], 'hippocampus_003.nii.gz')
    """
    with settings_at_fault():
        dataset = read_decathlon(data_folder(dataset_dir, phantom, cache, holds=INDEX))
        _tell_remarks(dataset)
        _require_classes(dataset, classes)
        _require_names([case["image"] for case in dataset.training])
        parts = split_cases(
            dataset.training, val=val_cases, test=test_cases, seed=split_seed, train_size=train_size, draw=draw
        )
        check_cases([case for part in check for case in parts[part]], set(dataset.labels), channels=1)
    return Cases(**parts)


def list_images(
    input_dir: str | None,
    *,
    dataset_dir: str | None,
    phantom: Mapping[str, Any],
    cache: str | os.PathLike[str],
    output_format: str = "nifti",
) -> list[dict[str, str]]:
    """List the NIfTI files and DICOM series of a folder by name, or the unlabelled images of the data set.

    Whatever else is in the folder is counted and named in the log.

    Args:
        input_dir: folder of NIfTI files and of folders of DICOM series, or the folder of one series; None for the data
            set of the other arguments, see :func:`prepare_cases`.
        dataset_dir: folder in the layout of the Medical Segmentation Decathlon; None for the phantom.
        phantom: settings of the phantom.
        cache: folder for phantoms.
        output_format: what their segmentations are to be, see
            :class:`monai_freq.data.save_segmentation.SaveSegmentationd`.

    Raises:
        UsageError: there is no such folder, no image in it, or one that cannot be read, holds NaN, or cannot get a
            segmentation of this format.

    Example:
        >>> import nibabel, numpy, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> nibabel.save(nibabel.Nifti1Image(numpy.eye(8, dtype="i2")[None], numpy.eye(4)), f"{folder}/la_001.nii.gz")
        >>> images = list_images(folder, dataset_dir=None, phantom={}, cache=folder)
        >>> [Path(item["image"]).name for item in images]
        ['la_001.nii.gz']
    """
    with settings_at_fault():
        images = _unlabelled(dataset_dir, phantom, cache) if input_dir is None else _images_in(input_dir)
        check_cases(images, (), channels=1)
        for item in images:
            require_writable(item["image"], output_format)
    return images


def _unlabelled(
    dataset_dir: str | None, phantom: Mapping[str, Any], cache: str | os.PathLike[str]
) -> list[dict[str, str]]:
    dataset = read_decathlon(data_folder(dataset_dir, phantom, cache, holds=INDEX))
    if not dataset.test:
        raise DataError(f"{dataset.root} lists no images without labels.\nPass --input_dir <{WANTED}>.")
    _tell_remarks(dataset)
    _require_names(dataset.test)
    return [{"image": path} for path in dataset.test]


def _tell_remarks(dataset: Decathlon) -> None:
    for remark in dataset.remarks:
        tell(remark)


def _images_in(input_dir: str) -> list[dict[str, str]]:
    folder = Path(input_dir).expanduser().resolve()
    if is_series(folder) and not any(map(_is_volume, folder.iterdir())):
        return [{"image": str(folder)}]
    found = found_in(input_dir, _is_volume, "NIfTI file or DICOM series", WANTED)
    images = list(map(str, found))
    _require_names(images)
    return [{"image": image} for image in images]


def _is_volume(entry: Path) -> bool:
    """NIfTI by name, as nibabel and MONAI read no other; what is damaged is refused when it is read."""
    if entry.name.startswith("."):
        return False
    return is_series(entry) or (entry.is_file() and is_nifti_name(entry))


def _require_names(images: Iterable[str]) -> None:
    """Results are told apart by the names of the files alone."""
    known: dict[str, str] = {}
    for image in images:
        name = case_name(image)
        if name in known:
            raise DataError(
                f"{named(known[name])} and {named(image)} have one name.\n"
                f"Rename one: both results would be {named(name)}."
            )
        known[name] = image


def _require_classes(dataset: Decathlon, classes: Mapping[str, str]) -> None:
    wanted = sorted(column_names(classes))
    if sorted(dataset.labels) != wanted:
        raise DataError(
            f"{dataset.root / 'dataset.json'} lists the classes {sorted(dataset.labels)}; "
            f"this bundle segments {wanted}.\n"
            "Use a bundle made for these data, or change 'classes' in its configuration."
        )
    if wanted != list(range(len(wanted))):
        raise DataError(
            f"{dataset.root / 'dataset.json'} lists the classes {wanted}; a network's are numbered 0, 1, 2, ...\n"
            "Write the labels anew so that they are, 255 as 1 for instance, and the numbers in dataset.json."
        )
