"""Headers of DICOM files, through pydicom: what a slice is, and where it lies. The pixels stay on the disk."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named, shown
from .dicom_slices import UNREAD, require_grey
from .refusals import refusing

__all__ = ["SliceHeader", "read_dataset", "read_header", "require_pydicom"]

STORAGE = "1.2.840.10008.5.1.4.1.1."
NO_IMAGES = ("66", "481")  # classes of objects that describe other images: segmentations, and plans of radiotherapy
PACKED = "1.2.840.10008.1.2.1.99"  # the whole file is packed: a few kB could unfold to gigabytes
STRAIGHT = 1e-3  # largest deviation of two directions from a right angle, and of their lengths from 1
#: what tells the volumes of one series apart, where each has slices at the same places
TOLD_APART = ("AcquisitionNumber", "TemporalPositionIdentifier", "EchoTime", "TriggerTime", "DiffusionBValue")
WANTED = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "HighBit", "PixelSpacing", "ImageType"),
    *("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", *TOLD_APART),
]


@dataclass(frozen=True)
class SliceHeader:
    """What a header says of a slice.

    Args:
        file: path of the file.
        uid: SOP instance UID.
        series: series instance UID.
        description: description of the series.
        shape: number of rows and of columns.
        spacing: mm between rows and between columns.
        position: place of the centre of the first pixel in mm, in LPS.
        along_row: unit vector along a row, from column to column.
        along_column: unit vector along a column, from row to row.
        apart: values that may tell volumes of one series apart, as its echo time.

    Example:
        >>> axes = np.eye(3)
        >>> header = SliceHeader("1.dcm", "1", "2", "T1", (4, 6), (1.0, 1.0), np.zeros(3), axes[0], axes[1], {})
        >>> header.normal
        array([0., 0., 1.])
    """

    file: str
    uid: str
    series: str
    description: str
    shape: tuple[int, int]
    spacing: tuple[float, float]
    position: NDArray[np.float64]
    along_row: NDArray[np.float64]
    along_column: NDArray[np.float64]
    apart: dict[str, str]

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the slice."""
        return np.cross(self.along_row, self.along_column)


def require_pydicom(wanted_by: str | os.PathLike[str]) -> None:
    """Refuse what needs pydicom where it is not installed.

    Args:
        wanted_by: path of what is to be read.

    Raises:
        DataError: pydicom is not installed.

    Example:
        >>> print(require_pydicom("scans/case_01"))
        None
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise DataError(
            f'{named(wanted_by)} is a DICOM series, which needs pydicom: pip install "monai_freq[dicom]"'
        ) from error


def read_header(file: str | os.PathLike[str]) -> SliceHeader | None:
    """Read what a slice's header says of it, in full precision.

    Args:
        file: a DICOM file, with or without its signature.

    Returns:
        The header; None for an object that is no image of its own: a segmentation, a structure set, a report, an index.

    Raises:
        DataError: the file is damaged, in colour, of several frames or larger than is read, or does not say where it
            lies.

    Example:
        >>> import tempfile, SimpleITK
        >>> image = SimpleITK.GetImageFromArray(np.zeros((1, 4, 6), np.int16))
        >>> image.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.2")  # a slice of CT
        >>> file = os.path.join(tempfile.mkdtemp(), "IM0001.dcm")
        >>> SimpleITK.WriteImage(image, file)
        >>> read_header(file).shape
        (4, 6)
    """
    header = read_dataset(file)
    with refusing(file, "Copy it again.", what=UNREAD):
        if not header.get("SOPClassUID") and "Rows" not in header:
            raise DataError(f"{named(file)} {UNREAD}: it is no DICOM file, or damaged.\nCopy it again.")
        return _understood(os.fspath(file), header) if _is_image(header) else None


def read_dataset(file: str | os.PathLike[str], tags: Sequence[str] = WANTED) -> Any:
    """Read a header with pydicom; the pixels stay on the disk.

    Args:
        file: a DICOM file, with or without its signature.
        tags: keywords of what is read; all if there are none.

    Returns:
        The ``pydicom.Dataset``.

    Raises:
        DataError: the file is damaged, or packed as a whole; or pydicom is missing.

    Example:
        >>> import tempfile, SimpleITK
        >>> file = os.path.join(tempfile.mkdtemp(), "IM0001.dcm")
        >>> SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((4, 6), np.int16)), file)
        >>> read_dataset(file).Columns
        6
    """
    require_pydicom(file)
    import pydicom

    with (
        refusing(file, "Copy it again.", what=UNREAD),
        open(file, "rb") as stream,
        # a mapped file gives no more than it has, where a stream sets aside what a damaged length asks for
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        content: Any = mapped  # whose methods are those of a file, but for a returned None
        if content[128:132] == b"DICM" and _syntax(content) == PACKED:
            raise DataError(f"{named(file)} is packed as a whole (deflated).\nConvert it to another transfer syntax.")
        content.seek(0)
        # force: old files lack the signature
        return pydicom.dcmread(content, stop_before_pixels=True, force=True, specific_tags=list(tags) or None)


def _syntax(content: Any) -> str:
    """UID of the transfer syntax, from the group before the data set."""
    from pydicom.filereader import read_dataset as read_elements

    content.seek(132)
    meta = read_elements(content, False, True, stop_when=lambda tag, *_: tag.group != 2)
    return str(meta.get("TransferSyntaxUID", ""))


def _is_image(header: Any) -> bool:
    kind = str(header.get("SOPClassUID", "")).removeprefix(STORAGE).split(".")[0]
    return kind not in NO_IMAGES and "Rows" in header


def _understood(file: str, header: Any) -> SliceHeader:
    rows, columns = (int(_one(file, header, name, name)) for name in ("Rows", "Columns"))
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DataError(
            f"{named(file)} is a multi-frame file ({frames} frames), and files of one slice are read.\n"
            "Convert it, as with dcm2niix -z y <folder>, and give the NIfTI file instead."
        )
    require_grey(
        file,
        size=(columns, rows),
        channels=int(header.get("SamplesPerPixel") or 1),
        photometric=str(header.get("PhotometricInterpretation") or ""),
        stored=int(header.get("BitsStored") or 0),
        high_bit=int(header.get("HighBit") or 0),
    )
    spacing = _numbers(file, header, "PixelSpacing", "Pixel Spacing", 2)
    axes = _numbers(file, header, "ImageOrientationPatient", "Image Orientation (Patient)", 6).reshape(2, 3)
    if not (spacing > 0).all():
        raise DataError(f"{named(file)} has the Pixel Spacing {spacing.tolist()}, which must be positive.\nCorrect it.")
    if np.abs(axes @ axes.T - np.eye(2)).max() > STRAIGHT:
        raise DataError(
            f"{named(file)} has rows and columns that are not at right angles: {axes.ravel().tolist()}.\n"
            "Export it again: its Image Orientation (Patient) is wrong."
        )
    return SliceHeader(
        file,
        str(header.get("SOPInstanceUID", "")),
        str(header.get("SeriesInstanceUID", "")),
        shown(header.get("SeriesDescription", "")),
        (rows, columns),
        (float(spacing[0]), float(spacing[1])),
        _numbers(file, header, "ImagePositionPatient", "Image Position (Patient)", 3),
        axes[0] / np.linalg.norm(axes[0]),
        axes[1] / np.linalg.norm(axes[1]),
        {name: shown(header[name].value) for name in TOLD_APART if name in header},
    )


def _one(file: str, header: Any, keyword: str, name: str) -> Any:
    if header.get(keyword) is None:
        raise DataError(
            f"{named(file)} does not say where it lies: it has no {name}.\n"
            "Export it again as CT, MR or PET, or convert the volume to NIfTI."
        )
    return header[keyword].value


def _numbers(file: str, header: Any, keyword: str, name: str, count: int) -> NDArray[np.float64]:
    values = np.asarray(_one(file, header, keyword, name), dtype=np.float64).ravel()
    if len(values) != count or not np.isfinite(values).all():
        raise DataError(
            f"{named(file)} has {count} numbers of {name} expected, got {shown(values.tolist())}.\nExport it again."
        )
    return values
