"""The 2D images of an inference: a folder of pictures and volumes, or the test samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from ..data import check_images, slice_address
from ..data.dicom_series import is_series, read_series
from ..data.file_kinds import kind_of, named_as
from ..data.image_checks import FullScale
from ..data.images import READABLE
from ..data.nifti import is_nifti_name
from ..data.volumes import VOLUMES, count_slices
from .classification import Samples
from .data_folder import found_in, settings_at_fault

__all__ = ["list_slices"]

_SERIES = "DICOM series"
_WANTED = "a folder with pictures (.png, .jpg, .tif), DICOM slices or series, or volumes (.nii, .nii.gz, .hdf5, .pck)"


def list_slices(
    input_dir: str | None,
    samples: Callable[[], Samples],
    *,
    limits: Sequence[float] | None = None,
    full_scale: FullScale = "any",
) -> list[dict[str, Any]]:
    """List the images of a folder, every slice of its volumes, or the test samples without their labels.

    What a file is, is told by its content. Whatever else is in the folder is counted and named in the log. A folder
    in it that holds DICOM files is a series: its slices come in the order of their positions.

    Args:
        input_dir: folder with PNG, JPEG or TIFF pictures, DICOM slices or folders of DICOM series, or HDF5, ``.pck`` or
            NIfTI volumes; None for the test samples of the bundle's data set.
        samples: function that returns these.
        limits: lowest and highest value of a pixel, as in training; any by default.
        full_scale: value of white, see :func:`monai_freq.data.check_images`.

    Returns:
        ``{"image": address, "sample": name}`` of each.

    Raises:
        UsageError: there is no such folder or no image in it, or one cannot be read or has another scale.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (8, 8), 200).save(f"{folder}/scan_001.png")
        ...     [item["sample"] for item in list_slices(folder, lambda: Samples([], [], []))]
        ['scan_001.png']
    """
    with settings_at_fault():
        images = _of_tests(samples().test) if input_dir is None else _in_folder(input_dir)
        check_images(images, limits=(-inf, inf) if limits is None else (limits[0], limits[1]), full_scale=full_scale)
    return images


def _of_tests(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each image once, as it is."""
    clean = [item for item in items if item.get("condition", "clean") == "clean"]
    return [{"image": item["image"], "sample": item["sample"]} for item in clean]


def _in_folder(input_dir: str) -> list[dict[str, Any]]:
    found = found_in(input_dir, lambda entry: _kind(entry) in (*READABLE, _SERIES), "image that is read", _WANTED)
    kinds = {path: _kind(path) for path in found}
    pictures = [str(path) for path, kind in kinds.items() if kind not in (*VOLUMES, _SERIES)]
    volumes = [path for path, kind in kinds.items() if kind in VOLUMES]
    slices = [slice_address(path, index) for path in volumes for index in range(count_slices(path))]
    of_series = [file for path, kind in kinds.items() if kind == _SERIES for file in read_series(path).files]
    named = {address: Path(address).name for address in (*pictures, *slices)}
    named |= {file: f"{Path(file).parent.name}/{Path(file).name}" for file in of_series}
    return [{"image": address, "sample": name} for address, name in named.items()]


def _kind(entry: Path) -> str:
    """By content, or what a damaged file is called, which is then refused; nothing for what is hidden or no image."""
    if entry.name.startswith(".") or entry.name.upper() == "DICOMDIR" or not entry.is_file():
        return _SERIES if is_series(entry) and not entry.name.startswith(".") else ""
    claimed = named_as(entry)
    kind = claimed if claimed == "pickle" else kind_of(entry) or claimed
    return "" if kind == "NIfTI" and not is_nifti_name(entry) else kind  # nibabel reads it by no other name
