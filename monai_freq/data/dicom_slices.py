"""Slices of DICOM series, through SimpleITK, or pydicom where its decoders know more compressions."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named, reason_of, shown
from .file_kinds import content_of, kind_of, named_as
from .refusals import refusing

__all__ = ["DicomSlice", "is_dicom", "read_dicom_slice", "read_dicom_with_affine", "require_grey", "scan_dicom_files"]

MAX_PIXELS = 4096**2
UID, PATIENT = "0008|0018", "0010|0020"
STORED, HIGH_BIT = "0028|0101", "0028|0102"
SPACING, PHOTOMETRIC = "0028|0030", "0028|0004"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
UNREAD = "cannot be read as DICOM"


@dataclass(frozen=True)
class DicomSlice:
    """What identifies a slice.

    Args:
        file: DICOM file of the slice.
        uid: SOP instance UID.
        patient: the patient's ID.

    Example:
        >>> DicomSlice(Path("LIDC-IDRI-0001/1-01.dcm"), uid="1.3.6.1.4.1", patient="LIDC-IDRI-0001").file.name
        '1-01.dcm'
    """

    file: Path
    uid: str
    patient: str


def is_dicom(file: str | os.PathLike[str]) -> bool:
    """Whether a file is DICOM by its content, or is called so: old ones lack the signature.

    Args:
        file: path of a file. A ``DICOMDIR``, an index of other files, does not count.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "IM0001").write_bytes(bytes(128) + b"DICM")
        ...     is_dicom(Path(folder, "IM0001"))
        True
    """
    kind = kind_of(file)
    return Path(file).name.upper() != "DICOMDIR" and (kind == "DICOM" or (not kind and named_as(file) == "DICOM"))


def scan_dicom_files(files: Iterable[Path]) -> Iterator[DicomSlice]:
    """Read the headers of DICOM files; the pixels stay on the disk.

    Args:
        files: paths of files that :func:`is_dicom` takes for DICOM.

    Raises:
        DataError: a file is no DICOM, or lacks its SOP instance UID or patient ID.

    Example:
        >>> import SimpleITK, tempfile
        >>> file = Path(tempfile.mkdtemp(), "1-01.dcm")
        >>> image = SimpleITK.GetImageFromArray(np.full((4, 6), -1000, np.int16))
        >>> image.SetMetaData("0010|0020", "LIDC-IDRI-0001")
        >>> SimpleITK.WriteImage(image, file)
        >>> next(scan_dicom_files([file])).patient
        'LIDC-IDRI-0001'
    """
    for file in files:
        reader = _opened(file)
        uid, patient = (_value(reader, tag) for tag in (UID, PATIENT))
        if not uid or not patient:
            raise DataError(f"{named(file)} has no SOP instance UID or no patient ID.\nCopy it again from LIDC-IDRI.")
        yield DicomSlice(file, uid, patient)


def read_dicom_slice(file: str | os.PathLike[str]) -> NDArray[np.generic]:
    """Read one slice, rescaled as its header says: in HU for CT.

    What is stored as MONOCHROME1, its lowest value white, is inverted within its bits before it is rescaled. Only slope
    and intercept are applied: no window, and no table of a modality LUT.

    Args:
        file: a DICOM file of one slice in grey.

    Returns:
        (rows, columns).

    Raises:
        DataError: the file is no DICOM, damaged, in colour, of several slices, has unused bits below its numbers, or is
            compressed in a way that needs pydicom, ``pip install "monai_freq[dicom]"``.

    Example:
        >>> import SimpleITK, tempfile
        >>> file = Path(tempfile.mkdtemp(), "000001.dcm")
        >>> SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.array([[-1000, 0, 40]], np.int16)), file)
        >>> read_dicom_slice(file)
        array([[-1000,     0,    40]], dtype=int16)
    """
    return read_dicom_with_affine(file)[0]


def read_dicom_with_affine(
    file: str | os.PathLike[str],
) -> tuple[NDArray[np.generic], NDArray[np.float64] | None]:
    r"""Read one slice as :func:`read_dicom_slice` does, and where its pixels are.

    Args:
        file: a DICOM file of one slice in grey.

    Returns:
        (rows, columns), and the (4, 4) matrix from (row, column, 0) to mm in RAS, or None where the header has no pixel
        spacing. Where both are there, the calibrated spacing goes before the detector's.

    Raises:
        DataError: the same as of :func:`read_dicom_slice`.

    Example:
        >>> import SimpleITK, tempfile
        >>> image = SimpleITK.GetImageFromArray(np.array([[-1000, 0, 40]], np.int16))
        >>> image.SetSpacing((0.5, 0.75))
        >>> file = Path(tempfile.mkdtemp(), "000001.dcm")
        >>> SimpleITK.WriteImage(image, file)
        >>> pixels, affine = read_dicom_with_affine(file)
        >>> pixels.tolist(), np.linalg.norm(affine[:3, :2], axis=0)
        ([[-1000, 0, 40]], array([0.75, 0.5 ]))
    """
    import SimpleITK

    reader = _opened(file)
    _require_one_slice(file, reader)
    try:
        pixels = np.asarray(SimpleITK.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        pixels = _by_pydicom(file, reason_of(error))
    return pixels.reshape(reader.GetSize()[1::-1]), _affine(reader)


def require_grey(
    file: str | os.PathLike[str], *, size: Sequence[int], channels: int, photometric: str, stored: int, high_bit: int
) -> None:
    """Refuse pixels that would not be read as grey: colour, bits that begin above the lowest, more than is sensible.

    Args:
        file: path of the file, for the message.
        size: number of pixels along each axis.
        channels: number of values of a pixel.
        photometric: photometric interpretation.
        stored: number of bits that are used; 0 where it is not known.
        high_bit: number of the highest of them.

    Raises:
        DataError: the pixels are of such a kind.

    Example:
        >>> require_grey("1.dcm", size=(6, 4), channels=3, photometric="RGB", stored=8, high_bit=7)
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: 1.dcm is in colour (RGB), and grey is read.
        Export its grey values.
    """
    if channels != 1:
        kind = photometric or "not said which"
        raise DataError(f"{named(file)} is in colour ({shown(kind)}), and grey is read.\nExport its grey values.")
    if stored and high_bit != stored - 1:
        raise DataError(
            f"{named(file)} has High Bit {high_bit} with {stored} bits stored, where {stored - 1} is read.\n"
            "Export it again: by the standard, the lowest bit of a number is its first."
        )
    if math.prod(size) > MAX_PIXELS:
        raise DataError(f"{named(file)} has the size {tuple(size)}.\nAt most {MAX_PIXELS} pixels are read.")


def _require_one_slice(file: str | os.PathLike[str], reader: Any) -> None:
    size = reader.GetSize()
    frames = math.prod(size[2:])
    if reader.GetNumberOfComponents() == 1 and (len(size) not in (2, 3) or frames != 1):
        raise DataError(f"{named(file)} has {frames} frames, and one is read.\nExport them one by one.")
    stored, high = _value(reader, STORED), _value(reader, HIGH_BIT)
    known = stored.isdecimal() and high.isdecimal()
    require_grey(
        file,
        size=size,
        channels=reader.GetNumberOfComponents(),
        photometric=_value(reader, PHOTOMETRIC),
        stored=int(stored) if known else 0,
        high_bit=int(high) if known else 0,
    )


def _affine(reader: Any) -> NDArray[np.float64] | None:
    dimension = len(reader.GetSize())
    across, down = (float(step) for step in reader.GetSpacing()[:2])
    if calibrated := _numbers(_value(reader, SPACING)):
        down, across = calibrated
    elif (across, down) == (1, 1):  # what SimpleITK takes where no tag says more
        return None
    directions = np.eye(3)
    directions[:dimension, :dimension] = np.reshape(reader.GetDirection(), (dimension, dimension))
    affine = np.eye(4)
    affine[:3, :3] = directions[:, [1, 0, 2]] * [down, across, 1]
    affine[:dimension, 3] = reader.GetOrigin()
    return np.asarray(LPS_TO_RAS @ affine)


def _numbers(text: str) -> tuple[float, float] | None:
    try:
        down, across = (float(part) for part in text.split("\\"))
    except ValueError:
        return None
    return (down, across) if 0 < down < math.inf and 0 < across < math.inf else None


def _value(reader: Any, tag: str) -> str:
    return str(reader.GetMetaData(tag)).strip("\0 ") if reader.HasMetaDataKey(tag) else ""


def _opened(file: str | os.PathLike[str]) -> Any:
    """Reader that knows the header."""
    import SimpleITK

    reader: Any = SimpleITK.ImageFileReader()  # type: ignore[no-untyped-call]
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(os.fspath(file))
    remedy = "Copy it again, or, if it is compressed, convert it to a transfer syntax that is not."
    with refusing(file, remedy, RuntimeError, what=UNREAD):
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            if not kind_of(file) and (content := content_of(file)) in ("empty", "text", "a pointer of Git LFS"):
                raise DataError(f"{named(file)} {UNREAD}: it is {content}.\nCopy or export it again.") from error
            raise
    return reader


def _by_pydicom(file: str | os.PathLike[str], reason: str) -> NDArray[np.generic]:
    """Decode what SimpleITK does not read for this reason: pydicom's plugins know more compressions."""
    try:
        import pydicom
        from pydicom.pixels.processing import apply_rescale
    except ImportError as error:
        raise DataError(
            f"{named(file)} {UNREAD}: {reason}.\nIf it is compressed, "
            'pip install "monai_freq[dicom]" may read it; else copy it again.'
        ) from error
    compression = "which is unknown"
    try:
        dataset = pydicom.dcmread(file)
        compression = shown(dataset.file_meta.TransferSyntaxUID.name)
        rescaled = np.asarray(apply_rescale(_inverted(dataset), dataset))
    except Exception as error:  # pydicom and its plugins raise a dozen unrelated types on damaged files
        raise DataError(
            f"{named(file)} {UNREAD}: {reason}; {reason_of(error)}.\n"
            f"Copy it again, or convert it to another transfer syntax than its own, {compression}."
        ) from error
    whole = np.issubdtype(rescaled.dtype, np.floating) and np.array_equal(rescaled, np.rint(rescaled))
    return rescaled.astype(np.int32) if whole and np.abs(rescaled).max() < 2**31 else rescaled


def _inverted(dataset: Any) -> NDArray[Any]:
    """Stored numbers, of which more is brighter."""
    pixels = dataset.pixel_array
    if dataset.PhotometricInterpretation != "MONOCHROME1":
        return np.asarray(pixels)
    ends = -1 if dataset.PixelRepresentation else 2 ** int(dataset.BitsStored) - 1  # the lowest plus the highest value
    return np.asarray(ends - pixels.astype(np.int64))
