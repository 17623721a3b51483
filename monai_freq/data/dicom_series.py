"""Folders of DICOM series: which files make up the volume, in which order, and whether any slice is missing."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named, shown
from .dicom_headers import TOLD_APART, SliceHeader, read_header, require_pydicom
from .dicom_slices import is_dicom

__all__ = ["Series", "is_series", "read_series"]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TURNED = 1e-3  # largest difference of unit vectors that count as one direction
UNEVEN = 0.1  # largest distance of a slice from its even place, in steps between slices
SHOWN = 3  # series in a message


@dataclass(frozen=True)
class Series:
    """A volume in a folder of DICOM slices.

    Args:
        folder: path of the folder.
        files: paths of the slices, in the direction of the normal of their rows and columns.
        shape: number of columns, of rows and of slices.
        affine: (4, 4) matrix from (column, row, slice) to mm in RAS.
        others: further entries of the folder that are not hidden: other files, DICOM objects that are no images, and
            folders.

    Example:
        >>> Series("case_01", ("case_01/1", "case_01/2"), (512, 512, 2), np.eye(4), ()).shape[2]
        2
    """

    folder: str
    files: tuple[str, ...]
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    others: tuple[Path, ...]


def is_series(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that holds DICOM files, by their content; they are not looked at further.

    Args:
        path: path of a file or folder, there or not.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> is_series(folder)
        False
        >>> _ = Path(folder, "IM0001").write_bytes(bytes(128) + b"DICM")
        >>> is_series(folder)
        True
    """
    open_to_us = os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)
    return open_to_us and any(map(_is_slice, sorted(Path(path).iterdir())))


def read_series(folder: str | os.PathLike[str]) -> Series:
    r"""Read the headers of a folder's DICOM slices, and put them in the order in which they lie in space.

    The slices are sorted by their position along the normal of their rows and columns; neither the names of the files
    nor the instance numbers matter, and the distance between slices is that of their positions, not their thickness.
    The slices of a tilted gantry lie askew, and so does the affine.

    Args:
        folder: folder of one series; what else lies there is not read, see ``Series.others``.

    Raises:
        DataError: there are no slices, or one alone; a slice is missing, or there twice, or lies apart from the others;
            the folder holds several series, or slices of several orientations, sizes or spacings; a file is damaged;
            or pydicom is missing, ``pip install "monai_freq[dicom]"``.

    Example:
        >>> import tempfile, SimpleITK
        >>> volume = SimpleITK.GetImageFromArray(np.zeros((3, 4, 6), np.int16))
        >>> volume.SetSpacing((0.5, 0.5, 2))
        >>> folder, writer = tempfile.mkdtemp(), SimpleITK.ImageFileWriter()
        >>> writer.KeepOriginalImageUIDOn()
        >>> for number in range(3):
        ...     slice = volume[:, :, number : number + 1]
        ...     slice.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.2")  # CT
        ...     slice.SetMetaData("0020|000e", "1.2.3")  # one series
        ...     slice.SetMetaData("0008|0018", f"1.2.3.{number}")
        ...     writer.Execute(slice, f"{folder}/{number}.dcm", False, 0)
        >>> read_series(folder).shape, read_series(folder).affine.diagonal()[:3]
        ((6, 4, 3), array([-0.5, -0.5,  2. ]))
    """
    require_pydicom(folder)
    entries = [entry for entry in sorted(Path(folder).iterdir()) if not entry.name.startswith(".")]
    files = [entry for entry in entries if _is_slice(entry)]
    found = [header for file in files if (header := read_header(file)) is not None]
    if not found:
        raise DataError(f"{named(folder)} holds no DICOM slices.{_below(entries)}")
    _require_one_series(folder, found)
    _require_alike(folder, found)
    first = found[0]
    slices = sorted(found, key=lambda header: float(header.position @ first.normal))
    _require_different(folder, slices)
    _require_even(folder, slices)
    used = {header.file for header in slices}
    others = tuple(entry for entry in entries if os.fspath(entry) not in used)
    shape = (first.shape[1], first.shape[0], len(slices))
    return Series(os.fspath(folder), tuple(header.file for header in slices), shape, _affine(slices), others)


def _is_slice(entry: Path) -> bool:
    return not entry.name.startswith(".") and entry.is_file() and is_dicom(entry)


def _below(entries: Sequence[Path]) -> str:
    below = [entry for entry in entries if is_series(entry)]
    if not below:
        return "\nName the folder of a series, or a .nii or .nii.gz file."
    more = f" or {len(below) - 1} more" if len(below) > 1 else ""
    return f"\nName the folder with the slices themselves: {named(below[0])}{more}."


def _require_one_series(folder: str | os.PathLike[str], found: Sequence[SliceHeader]) -> None:
    by_series: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in found:
        by_series[header.series].append(header)
    if len(by_series) > 1:
        listed = [
            f"{len(headers)} {'slice' if len(headers) == 1 else 'slices'} as {_name(headers[0])}"
            + (f" ({headers[0].description})" if headers[0].description else "")
            for headers in by_series.values()
        ]
        more = ", ..." if len(listed) > SHOWN else ""
        raise DataError(
            f"{named(folder)} holds {len(by_series)} series: {', '.join(listed[:SHOWN])}{more}.\n"
            "Give each series a folder of its own, and name the one that is meant."
        )


def _require_alike(folder: str | os.PathLike[str], found: Sequence[SliceHeader]) -> None:
    first = found[0]
    for header in found:
        turned = max(
            np.abs(header.along_row - first.along_row).max(), np.abs(header.along_column - first.along_column).max()
        )
        if turned > TURNED:
            raise DataError(
                f"{named(folder)} holds slices of several orientations, as {_name(first)} and {_name(header)}.\n"
                "Keep those of one orientation; a localizer belongs in another folder."
            )
        if header.shape != first.shape:
            raise DataError(
                f"{named(folder)} holds slices of several sizes: {first.shape} in {_name(first)}, {header.shape} in "
                f"{_name(header)}.\nKeep those of one size (rows, columns)."
            )
        if not np.allclose(header.spacing, first.spacing, rtol=TURNED, atol=0):
            raise DataError(
                f"{named(folder)} holds slices of several pixel sizes: {first.spacing} mm in {_name(first)}, "
                f"{header.spacing} mm in {_name(header)}.\nKeep those of one size."
            )


def _require_different(folder: str | os.PathLike[str], slices: Sequence[SliceHeader]) -> None:
    if len(slices) == 1:
        raise DataError(
            f"{named(folder)} holds one slice, {_name(slices[0])}, and a volume has two or more.\n"
            "Copy the others, or leave the folder out."
        )
    steps = np.linalg.norm(np.diff([header.position for header in slices], axis=0), axis=1)
    number = int(np.argmin(steps))
    if steps[number] > UNEVEN * steps.max():
        return
    one, other = slices[number : number + 2]
    if one.uid == other.uid:
        raise DataError(
            f"{named(folder)} holds one slice twice, as {_name(one)} and {_name(other)} (SOP instance "
            f"{shown(one.uid)}).\nDelete one of the copies."
        )
    differ = [name for name in TOLD_APART if one.apart.get(name) != other.apart.get(name)]
    by = f" They differ in {', '.join(differ)}." if differ else ""
    raise DataError(
        f"{named(folder)} has two slices at one place, {_name(one)} and {_name(other)}.{by}\n"
        "Does it hold several volumes, of times or echoes? Give each a folder of its own."
    )


def _require_even(folder: str | os.PathLike[str], slices: Sequence[SliceHeader]) -> None:
    places = np.array([header.position for header in slices])
    even = np.linspace(places[0], places[-1], len(places))
    step = np.linalg.norm(places[-1] - places[0]) / (len(places) - 1)
    if np.linalg.norm(places - even, axis=1).max() <= UNEVEN * step:
        return
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    usual = float(np.median(steps))
    number = int(np.argmax(np.abs(steps - usual)))
    one, other = slices[number : number + 2]
    if steps[number] > 1.5 * usual:
        raise DataError(
            f"{named(folder)} has a gap: {steps[number]:g} mm between {_name(one)} and {_name(other)}, where "
            f"{usual:g} mm are usual.\nCopy the slices that are missing, or keep those of one side."
        )
    raise DataError(
        f"{named(folder)} has slices that are not evenly spaced along one line: {steps.min():g} to {steps.max():g} mm "
        f"apart, as at {_name(one)} and {_name(other)}.\nResample the volume, or keep the slices of one spacing."
    )


def _affine(slices: Sequence[SliceHeader]) -> NDArray[np.float64]:
    first, last = slices[0], slices[-1]
    affine = np.eye(4)
    affine[:3, 0] = first.along_row * first.spacing[1]
    affine[:3, 1] = first.along_column * first.spacing[0]
    affine[:3, 2] = (last.position - first.position) / (len(slices) - 1)
    affine[:3, 3] = first.position
    return np.asarray(LPS_TO_RAS @ affine)


def _name(header: SliceHeader) -> str:
    return shown(Path(header.file).name)
