"""A table of one's own: images of any kind with their labels, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..quoting import named, shown
from .dicom_series import is_series
from .file_kinds import kind_of, named_as
from .images import slice_address
from .kneemri import central_slices
from .same_images import repeated_image
from .tables import Row, plain_name, read_rows
from .volumes import VOLUMES, count_slices

__all__ = ["read_labelled_images"]

COLUMNS = ("image", "label", "patient")


def read_labelled_images(
    dataset_dir: str | os.PathLike[str],
    table: str | os.PathLike[str] = "index.csv",
    *,
    classes: Mapping[str, str] | None = None,
    slices_per_volume: int = 1,
) -> list[dict[str, Any]]:
    """List the images of a table with the columns ``image``, ``label`` and ``patient``.

    An image is a picture, a DICOM slice, a slice of a volume by its number (``ct.nii.gz#17``), a whole volume, or the
    folder of a DICOM series. A volume or series gives its central slices, in the order of the file or of space.

    Args:
        dataset_dir: folder with the table, to which its paths are relative.
        table: the table, relative to ``dataset_dir`` or absolute. Other columns are not looked at.
        classes: number of each class -> its name; a label is either. None for numbers alone.
        slices_per_volume: number of slices of every volume; one of fewer gives all that it has.

    Returns:
        ``{"image": address, "label": number, "patient": text}`` per image or slice, in the table's order.
        :class:`monai_freq.transforms.LoadSliced` loads the image.

    Raises:
        ValueError: ``slices_per_volume`` is less than 1.
        DataError: the table is missing or faulty; an image is missing, damaged, outside the folder or listed twice; a
            label is no class; or a series has a fault, see :func:`monai_freq.data.dicom_series.read_series`.

    Example:
        >>> import nibabel, numpy, tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> nibabel.save(nibabel.Nifti1Image(numpy.zeros((6, 5, 8), numpy.int16), numpy.eye(4)), root / "knee.nii")
        >>> lines = ["image,label,patient", "knee.nii,torn,p1"]
        >>> _ = (root / "index.csv").write_text("\\n".join(lines))
        >>> items = read_labelled_images(root, classes={"0": "whole", "1": "torn"}, slices_per_volume=2)
        >>> [(item["image"].rpartition("/")[2], item["label"], item["patient"]) for item in items]
        [('knee.nii#3', 1, 'p1'), ('knee.nii#4', 1, 'p1')]
    """
    if slices_per_volume < 1:
        raise ValueError(f"'slices_per_volume' must be at least 1, got {slices_per_volume}.")
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    file = root / Path(table).expanduser()
    numbers = {} if classes is None else {plain_name(str(name)): int(number) for number, name in classes.items()}
    items: list[dict[str, Any]] = []
    for row in read_rows(file, COLUMNS):
        label = numbers.get(plain_name(row.text("label")))
        label = _number(row, classes) if label is None else label
        patient = row.text("patient")
        items += [
            {"image": address, "label": label, "patient": patient} for address in _slices(row, root, slices_per_volume)
        ]
    if not items:
        raise DataError(f"The table {named(file)} lists no image.\nWrite a line for each.")
    if twice := repeated_image(item["image"] for item in items):
        raise DataError(f"{named(file)} lists {named(twice[0])} twice, also as {named(twice[1])}.\nKeep one line.")
    return items


def _number(row: Row, classes: Mapping[str, str] | None) -> int:
    if classes is None:
        return row.integer("label", 0)
    text = row.text("label")
    if text not in classes:
        known = ", ".join(f"{number} or {shown(name)}" for number, name in classes.items())
        raise row.fault("label", f"must be a class ({known})", "Correct the table, or name the classes by 'classes'.")
    return int(text)


def _slices(row: Row, root: Path, count: int) -> list[str]:
    """Address of an image, or addresses of the central slices of a volume."""
    path = row.path("image", root)
    file, mark, index = path.rpartition("#")
    if mark and index.isdecimal() and not os.path.lexists(path):
        path, listed = file, [int(index)]
    else:
        listed = []
    if os.path.isdir(path):
        if not is_series(path):
            raise row.fault("image", "must be an image, or a folder with the slices of a DICOM series")
    elif not os.path.isfile(path):
        raise row.fault("image", f"must be a file or folder in {named(root)}", "It is missing: copy it again.")
    elif (kind_of(path) or named_as(path)) not in VOLUMES:
        if listed:
            raise row.fault("image", "must be a volume, as it has a number of a slice")
        return [path]
    return [slice_address(path, each) for each in listed or central_slices(0, count_slices(path), count)]
