"""NIfTI files: what their names say, and headers that promise no more voxels than there are."""

from __future__ import annotations

import gzip
import logging
import math
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named, shown
from .file_kinds import content_of, kind_of

__all__ = ["case_name", "is_nifti_name", "is_packed", "open_nifti", "places_voxels"]

BLOCK = 1 << 20  # bytes
FLATTEST = 1e-4  # smallest singular value of an affine's axes, each of length 1

_log = logging.getLogger(__name__)
_here = threading.local()

# ".Nii" would not do: nibabel looks for the file as "x.nii" then.
_NAME = re.compile(r".+\.(nii|NII)(\.gz)?", re.IGNORECASE)
_READABLE = re.compile(r".+\.(nii|NII)(\.[gG][zZ])?")
#: kind of a file that is none -> how it becomes one
_CONVERSIONS = {
    "MGH": "Convert it: mri_convert {file} {stem}.nii.gz",
    "DICOM": "Convert its series: dcm2niix -z y <folder>",
    "half of a NIfTI pair": "Convert the pair to one file, {stem}.nii.gz.",
    "Analyze": "Convert the pair to one file, {stem}.nii.gz.",
}


def case_name(path: str | os.PathLike[str]) -> str:
    """Name of a file without its folder and its endings, in letters of either case.

    Args:
        path: path of a ``.nii`` or ``.nii.gz`` file, there or not.

    Example:
        >>> case_name("imagesTr/la_003.nii.gz"), case_name("LA_004.NII.GZ")
        ('la_003', 'LA_004')
    """
    return re.sub(r"(?<=.)(\.nii)?(\.gz)?$", "", Path(path).name, flags=re.IGNORECASE)


def is_nifti_name(path: str | os.PathLike[str]) -> bool:
    """Whether a name promises a NIfTI file of one piece: ``.nii`` or ``.nii.gz``, in letters of either case.

    Args:
        path: path of a file, there or not.

    Example:
        >>> is_nifti_name("A.NII.GZ"), is_nifti_name("a.mgz")
        (True, False)
    """
    return _NAME.fullmatch(Path(path).name) is not None


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file is packed with gzip, by its first bytes.

    Args:
        path: path of a file.

    Example:
        >>> import nibabel, numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nibabel.save(nibabel.Nifti1Image(np.eye(4), np.eye(4)), f"{folder}/a.nii.gz")
        ...     nibabel.save(nibabel.Nifti1Image(np.eye(4), np.eye(4)), f"{folder}/b.nii")
        ...     is_packed(f"{folder}/a.nii.gz"), is_packed(f"{folder}/b.nii")
        (True, False)
    """
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def open_nifti(path: str | os.PathLike[str]) -> Any:
    """Open a NIfTI file; its voxels are read, or mapped, when they are asked for.

    What nibabel mends in a header is said once, with the name of the file, which nibabel leaves out.

    A compressed file is read through once, so that its checksum is compared. Nibabel sets memory aside for what the
    header promises before it looks at the file: a few damaged bytes would ask for terabytes.

    Args:
        path: path of a ``.nii`` or ``.nii.gz`` file.

    Returns:
        What ``nibabel.load`` returns.

    Raises:
        DataError: it is a file of another kind, or has a name that nibabel and MONAI do not take it by.
        Exception: whatever nibabel, gzip and zlib raise on damaged files; EOFError where voxels are missing.

    Example:
        >>> import nibabel, numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nibabel.save(nibabel.Nifti1Image(np.ones((6, 5, 4)), np.diag([1, 2, 3, 1])), f"{folder}/la_003.nii.gz")
        ...     image = open_nifti(f"{folder}/la_003.nii.gz")
        ...     image.shape, float(image.dataobj[0, 0, 0]), image.affine.diagonal().tolist()
        ((6, 5, 4), 1.0, [1.0, 2.0, 3.0, 1.0])
    """
    import nibabel

    os.stat(path)
    _require_nifti(path)
    held = _length_unpacked(path) if is_packed(path) else os.path.getsize(path)
    with _naming(path):
        volume: Any = nibabel.load(path)
    voxels = volume.dataobj
    if min(voxels.shape, default=0) < 0:
        raise ValueError(f"its header names the shape {tuple(map(int, voxels.shape))}")
    promised = voxels.offset + math.prod(map(int, voxels.shape)) * voxels.dtype.itemsize
    if promised > held:
        raise EOFError(f"it has {held} bytes, where its header promises {promised}")
    return volume


def places_voxels(affine: NDArray[Any]) -> bool:
    """Whether an affine gives every voxel a place of its own: it is finite, and its axes span space.

    Args:
        affine: (4, 4) matrix of a header, which may be anything.

    Example:
        >>> places_voxels(np.diag([0.5, 0.5, 3.0, 1.0])), places_voxels(np.diag([0.5, 0.5, 0.0, 1.0]))
        (True, False)
    """
    matrix = np.asarray(affine, dtype=np.float64)
    if not np.isfinite(matrix).all():
        return False
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        return False
    return bool(np.linalg.svd(matrix[:3, :3] / lengths, compute_uv=False)[-1] > FLATTEST)


def _require_nifti(path: str | os.PathLike[str]) -> None:
    name, stem, kind = named(path), shown(case_name(Path(path).with_suffix("")), most=None), kind_of(path)
    if kind not in ("NIfTI", ""):
        remedy = _CONVERSIONS.get(kind, "Export the volume as .nii or .nii.gz.").format(file=name, stem=stem)
        raise DataError(f"{name} is no NIfTI file of one piece, but {kind}.\n{remedy}")
    if kind != "NIfTI":
        if (content := content_of(path)) != "damaged":  # of which gzip says what is wrong
            raise ValueError(f"it is no NIfTI file, but {content}")
        return
    right = f"{stem}.nii.gz" if is_packed(path) else f"{stem}.nii"
    if not _READABLE.fullmatch(Path(path).name) or Path(path).name.lower().endswith(".gz") != is_packed(path):
        raise DataError(
            f"{name} is a sound NIfTI file{', packed with gzip,' if is_packed(path) else ''} by a wrong name.\n"
            f"Rename it to {right}: nibabel and MONAI go by the ending."
        )


class _Named(logging.Filter):
    """Keep what nibabel says of a header, to be said with the file's name; what has been said is not repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if (heard := getattr(_here, "heard", None)) is not None:
            heard.append(text)
            self.said.add(text)
        return text not in self.said


_naming_filter = _Named()


@contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    logging.getLogger("nibabel.global").addFilter(_naming_filter)  # once, however often it is asked for
    _here.heard = []
    try:
        yield
    finally:
        heard, _here.heard = _here.heard, None
        for text in heard:
            _tell(os.path.abspath(path), text)


@cache
def _tell(file: str, text: str) -> None:
    _log.warning(f"The header of {named(file)}: {shown(text)}.")


def _length_unpacked(path: str | os.PathLike[str]) -> int:
    # gzip compares its checksum at the very end, where nibabel, which stops after the last voxel, does not come.
    length = 0
    with gzip.open(path) as stream:
        while block := stream.read(BLOCK):
            length += len(block)
    return length
