"""Slices of a DICOM series, through SimpleITK."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_freq.data.errors import DataError

__all__ = ["DicomSlice", "read_dicom_slice", "scan_dicom_folder"]

MAX_PIXELS = 4096**2
UID, PATIENT = "0008|0018", "0010|0020"


@dataclass(frozen=True)
class DicomSlice:
    """What identifies a slice.

    Args:
        file: Its DICOM file.
        uid: Its SOP instance UID.
        patient: The patient's ID.

    >>> DicomSlice(Path("LIDC-IDRI-0001/1-01.dcm"), uid="1.3.6.1.4.1", patient="LIDC-IDRI-0001").file.name
    '1-01.dcm'
    """

    file: Path
    uid: str
    patient: str


def scan_dicom_folder(folder: str | os.PathLike[str]) -> Iterator[DicomSlice]:
    """Read the headers of the ``*.dcm`` files of a folder; the pixels stay on the disk.

    Args:
        folder: The folder of a series.

    Raises:
        DataError: A file is no DICOM, or lacks its SOP instance UID or patient ID.

    >>> list(scan_dicom_folder("no/such/folder"))
    []
    """
    for file in sorted(Path(folder).glob("*.dcm")):
        reader = _reader(file)
        try:
            reader.ReadImageInformation()
            uid, patient = (reader.GetMetaData(tag).strip("\0 ") for tag in (UID, PATIENT))
        except RuntimeError as error:
            raise _unreadable(file, error) from error
        if not uid or not patient:
            raise DataError(f"{file} has no SOP instance UID or no patient ID.\nCopy it again from LIDC-IDRI.")
        yield DicomSlice(file, uid, patient)


def read_dicom_slice(file: str | os.PathLike[str]) -> NDArray[np.generic]:
    """Read one slice, rescaled as its header says: in HU for CT.

    Args:
        file: A DICOM file of one slice.

    Returns:
        (rows, columns).

    Raises:
        DataError: The file is no DICOM, damaged, or of several slices.

    >>> read_dicom_slice("no/such/000001.dcm")
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: no/such/000001.dcm cannot be read as DICOM: ...
    """
    import SimpleITK

    reader = _reader(file)
    try:
        reader.ReadImageInformation()
        size, channels = reader.GetSize(), reader.GetNumberOfComponents()
        if channels != 1 or len(size) not in (2, 3) or math.prod(size[2:]) != 1 or math.prod(size) > MAX_PIXELS:
            raise DataError(
                f"{file} has the size {size} and {channels} channels, not those of one slice.\n"
                "Export the series slice by slice, or copy it again."
            )
        return np.asarray(SimpleITK.GetArrayFromImage(reader.Execute())).reshape(size[1::-1])
    except RuntimeError as error:
        raise _unreadable(file, error) from error


def _reader(file: str | os.PathLike[str]) -> Any:
    import SimpleITK

    reader: Any = SimpleITK.ImageFileReader()  # type: ignore[no-untyped-call]
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(os.fspath(file))
    return reader


def _unreadable(file: str | os.PathLike[str], error: Exception) -> DataError:
    reason = " ".join(str(error).split()).rpartition("ERROR: ")[2] or type(error).__name__
    return DataError(f"{file} cannot be read as DICOM: {reason[:200]}.\nCopy it again from LIDC-IDRI.")
