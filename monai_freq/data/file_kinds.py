"""What a file is, by its first bytes: names may have any ending, or lie."""

from __future__ import annotations

import codecs
import gzip
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from ..errors import DataError
from ..quoting import named, shown
from .refusals import refusing

__all__ = ["content_of", "kind_of", "left_out", "named_as"]

LOOKED_AT = 560  # bytes; the signature of an HDF5 file may come after 512, a NIfTI-2 header has 540
NAMED = 20  # files in a message
LFS_POINTER = b"version https://git-lfs"
UNKNOWN = "of no known kind"

#: kind -> the offset and the bytes that tell it
_SIGNATURES = {
    "PNG": [(0, b"\x89PNG\r\n\x1a\n")],
    "JPEG": [(0, b"\xff\xd8\xff")],
    "TIFF": [(0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")],
    "HDF5": [(0, b"\x89HDF\r\n\x1a\n"), (512, b"\x89HDF\r\n\x1a\n")],
    "DICOM": [(128, b"DICM")],
    "NIfTI": [(344, b"n+1\0"), (4, b"n+2\0")],
    "half of a NIfTI pair": [(344, b"ni1\0"), (4, b"ni2\0")],
    "GIF": [(0, b"GIF8")],
    "BMP": [(0, b"BM")],
    "WebP": [(8, b"WEBP")],
    "JPEG 2000": [(0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51")],
    "JPEG XL": [(0, b"\0\0\0\x0cJXL "), (0, b"\xff\x0a")],
    "NRRD": [(0, b"NRRD")],
    "NumPy": [(0, b"\x93NUMPY")],
    "MATLAB": [(0, b"MATLAB 5.0")],
    "zip": [(0, b"PK\x03\x04")],
    "PDF": [(0, b"%PDF")],
}
#: ending of a name -> what it says that the file is
_ENDINGS = {
    **{"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF", "hdf5": "HDF5", "h5": "HDF5"},
    **{"dcm": "DICOM", "ima": "DICOM", "nii": "NIfTI", "pck": "pickle", "mgh": "MGH", "mgz": "MGH"},
    **{"mha": "MetaImage", "mhd": "MetaImage", "mnc": "MINC", "hdr": "Analyze", "img": "Analyze"},
}
#: what has no signature that could be told from chance, so that its name decides
_BY_NAME = {"pickle", "MGH", "MetaImage", "MINC", "Analyze"}


def named_as(file: str | os.PathLike[str]) -> str:
    """What the ending of a name says, in letters of either case; nothing where it says nothing.

    Args:
        file: path of a file, there or not.

    Example:
        >>> named_as("A.NII.GZ"), named_as("scan.IMA"), named_as("notes.txt")
        ('NIfTI', 'DICOM', '')
    """
    name = Path(file).name.lower().removesuffix(".gz")
    return _ENDINGS.get(name.rpartition(".")[2], "") if "." in name else ""


def kind_of(file: str | os.PathLike[str]) -> str:
    """What a file is by its content; by its name where its format has no signature, as pickles; nothing if unknown.

    Of a file packed with gzip, what is in it counts.

    Args:
        file: path of a file.

    Raises:
        DataError: it is missing, no file, or cannot be opened.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "scan")
        >>> _ = file.write_bytes(bytes(128) + b"DICM")
        >>> kind_of(file)
        'DICOM'
    """
    start = _start(file)
    for kind, signatures in _SIGNATURES.items():
        if any(start[offset : offset + len(signature)] == signature for offset, signature in signatures):
            return kind
    claimed = named_as(file)
    return claimed if claimed in _BY_NAME else ""


def content_of(file: str | os.PathLike[str]) -> str:
    """What lies in a file that :func:`kind_of` does not know: "empty", "text", "a pointer of Git LFS", or what is left.

    Args:
        file: path of a file.

    Raises:
        DataError: the same as of :func:`kind_of`.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "scan.png")
        >>> _ = file.write_text("<html>Log in first.</html>")
        >>> content_of(file)
        'text'
    """
    start = _start(file)
    if not start:
        return "damaged" if os.path.getsize(file) else "empty"
    if start.startswith(LFS_POINTER):
        return "a pointer of Git LFS"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # which may be cut within a character
    except UnicodeDecodeError:
        return UNKNOWN
    return "text" if all(each.isprintable() or each in "\t\n\r\f" for each in text) else UNKNOWN


def _start(file: str | os.PathLike[str]) -> bytes:
    """The first bytes, unpacked; nothing of a damaged gzip file."""
    if not os.path.isfile(file):  # a device or a pipe could be read for ever
        raise DataError(f"{named(file)} is missing or not a file.\nCorrect the name, or copy it again.")
    with refusing(file, "Give yourself the right to, or copy it again.", OSError):
        with open(file, "rb") as stream:
            start = stream.read(LOOKED_AT)
        return _unpacked(file) if start[:2] == b"\x1f\x8b" else start


def _unpacked(file: str | os.PathLike[str]) -> bytes:
    try:
        with gzip.open(file) as stream:
            return stream.read(LOOKED_AT)
    except (EOFError, zlib.error, struct.error, gzip.BadGzipFile):  # damaged: its reader says so
        return b""


def left_out(entries: Iterable[Path], wanted: str) -> str:
    """Say in one line which entries of a folder are not used: their number, their names, and what they are.

    Args:
        entries: paths of files and folders.
        wanted: kind of entry that is used.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "scan").write_bytes(bytes(128) + b"DICM")
        ...     _ = Path(folder, "notes.txt").write_text("Two nodules.")
        ...     left_out(Path(folder).iterdir(), "no NIfTI").partition(" left out, ")[2]
        'as they are no NIfTI: notes.txt, scan (DICOM)'
    """
    found = sorted(entries)
    if not found:
        return ""
    some = ", ".join(_described(entry) for entry in found[:NAMED])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    said = "1 entry" if len(found) == 1 else f"{len(found)} entries"
    verb = "it is" if len(found) == 1 else "they are"
    return f"{said} of {shown(found[0].parent, most=None)} left out, as {verb} {wanted}: {some}{more}"


def _described(entry: Path) -> str:
    name = named(entry.name)
    if entry.is_dir():
        return f"{name}/"
    kind = kind_of(entry) if entry.is_file() else ""
    return f"{name} ({kind})" if kind else name
