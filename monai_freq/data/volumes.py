"""Volumes of slices: HDF5 files, pickles of KneeMRI, NIfTI, and folders of DICOM series, told by their content."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named
from .dicom_series import Series, is_series, read_series
from .dicom_slices import read_dicom_with_affine
from .file_kinds import kind_of, named_as
from .hdf5_slices import read_hdf5_slice, slices_shape
from .nifti import is_packed, open_nifti, places_voxels
from .pck import read_pck
from .refusals import refusing

__all__ = ["VOLUMES", "count_slices", "read_volume_slice"]

VOLUMES = ("HDF5", "pickle", "NIfTI")
MM = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}  # other units, and none, count as mm
KEPT = 1  # unpacked volumes of one process
KNOWN = 4096  # series of one process, whose files are known
REMEDY = "Copy or convert the volume again."

_log = logging.getLogger(__name__)

Slice = NDArray[np.generic]
Affine = NDArray[np.float64]


def count_slices(file: str | os.PathLike[str]) -> int:
    """Count the slices of a volume, without reading them where the format allows it.

    Args:
        file: an HDF5 file, a ``.pck``, a ``.nii`` or ``.nii.gz`` volume, or the folder of a DICOM series.

    Raises:
        DataError: the file is missing, damaged or of another kind, or a series has a fault, see
            :func:`monai_freq.data.dicom_series.read_series`.

    Example:
        >>> import nibabel, tempfile
        >>> file = os.path.join(tempfile.mkdtemp(), "ct.nii")
        >>> nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.eye(4)), file)
        >>> count_slices(file)
        4
    """
    if os.path.isdir(file):
        return _series(file).shape[2]
    kind = _kind(file)
    if kind == "HDF5":
        return slices_shape(file)[0]
    return int(read_pck(file).shape[0] if kind == "pickle" else _nifti(file).shape[2])


def read_volume_slice(file: str | os.PathLike[str], index: int) -> tuple[Slice, Affine | None]:
    """Read one slice of a volume, and where its pixels are.

    Only the slice that is asked for enters the memory, except that a ``.pck`` and a ``.nii.gz`` are read whole; the
    last ``.nii.gz`` is kept for the next slice.

    Args:
        file: path of the file, see :func:`count_slices`.
        index: number of the slice, from 0; along the third axis of a NIfTI, in a series in the order of space.

    Returns:
        (rows, columns), and the (4, 4) matrix from (row, column, 0) to mm, or None where the file has none, or one
        that places no voxels, which the log says. The rows of a NIfTI's slice lie along its second axis.

    Raises:
        DataError: the file is missing, damaged or of another kind, or has no such slice.

    Example:
        >>> import nibabel, tempfile
        >>> file = os.path.join(tempfile.mkdtemp(), "ct.nii")
        >>> nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.diag([0.4, 0.7, 5, 1])), file)
        >>> pixels, affine = read_volume_slice(file, 3)
        >>> pixels.shape, np.linalg.norm(affine[:3, :2], axis=0).round(3)
        ((5, 6), array([0.7, 0.4]))
    """
    if os.path.isdir(file):
        files = _series(file).files
        _require_index(file, index, len(files))
        return read_dicom_with_affine(files[index])
    kind = _kind(file)
    if kind == "HDF5":
        return read_hdf5_slice(file, index), None
    if kind == "pickle":
        volume = read_pck(file)
        _require_index(file, index, volume.shape[0])
        return np.array(volume[index]), None  # a copy: a view would keep the whole volume alive
    nifti = _nifti(file)
    _require_index(file, index, nifti.shape[2])
    return _read_nifti(file, nifti, index)


def _series(folder: str | os.PathLike[str]) -> Series:
    if not is_series(folder):
        raise DataError(f"{named(folder)} holds no DICOM slices.\nName a volume, or the folder of a DICOM series.")
    with refusing(folder, REMEDY, OSError):
        return _known_series(os.path.abspath(folder), os.stat(folder).st_mtime_ns)


@lru_cache(maxsize=KNOWN)
def _known_series(folder: str, modified: int) -> Series:
    """Files of a series in the order of space: each of its slices is asked for by itself."""
    return read_series(folder)


def _require_index(file: str | os.PathLike[str], index: int, count: int) -> None:
    if index >= count:
        raise DataError(f"{named(file)} has no slice {index}: it holds {count}, counted from 0.\nCorrect the list.")


def _kind(file: str | os.PathLike[str]) -> str:
    claimed = named_as(file)
    if claimed == "pickle":  # whatever its content, and with a message of its own
        return claimed
    kind = kind_of(file) or claimed  # a damaged file is what it is called, and its reader says what is wrong
    if kind not in VOLUMES:
        what = f"{kind}, and no volume" if kind else "no volume"
        raise DataError(
            f"{named(file)} is {what} that slices are read from.\nIt must be a .hdf5, .pck, .nii or .nii.gz file."
        )
    return kind


@dataclass(frozen=True)
class _Nifti:
    """A volume whose voxels are read when they are asked for, or have been unpacked."""

    voxels: Any
    shape: tuple[int, int, int]
    affine: Affine | None


def _nifti(file: str | os.PathLike[str]) -> _Nifti:
    with refusing(file, REMEDY):
        if not is_packed(file):
            return _checked(file, open_nifti(file))
        status = os.stat(file)
        with _unpacking:  # or threads would unpack the same file at a time
            return _unpacked(os.path.abspath(file), status.st_ino, status.st_mtime_ns, status.st_size)


_unpacking = threading.Lock()


@lru_cache(maxsize=KEPT)
def _unpacked(file: str, inode: int, modified: int, size: int) -> _Nifti:
    lazy = _checked(file, open_nifti(file))
    return _Nifti(np.asanyarray(lazy.voxels).reshape(lazy.shape), lazy.shape, lazy.affine)


def _checked(file: str | os.PathLike[str], volume: Any) -> _Nifti:
    full = tuple(int(size) for size in volume.shape)
    if volume.dataobj.dtype.kind not in "iuf":
        raise DataError(
            f"{named(file)} holds colours or complex numbers.\n"
            "Export one channel, or the magnitude, as integers or floats."
        )
    if len(full) < 2 or 0 in full or any(size != 1 for size in full[3:]):
        raise DataError(f"{named(file)} must be 3D with voxels, but has the shape {full}.\nConvert the volume again.")
    width, height, slices = (*full, 1)[:3]
    return _Nifti(volume.dataobj, (width, height, slices), _affine_in_mm(file, volume))


def _affine_in_mm(file: str | os.PathLike[str], volume: Any) -> Affine | None:
    scale = MM.get(volume.header.get_xyzt_units()[0], 1.0)
    affine = np.array(volume.affine, dtype=np.float64)
    affine[:3] *= scale
    if places_voxels(affine):
        return affine
    _tell_no_size(os.path.abspath(file))
    return None


@cache  # once a file, which is opened for each of its slices
def _tell_no_size(file: str) -> None:
    _log.warning(
        f"{named(file)} has an affine that places no voxels: it is singular, NaN or infinite. "
        "Its pixels count as 1 mm, unless 'spacing' says more."
    )


def _read_nifti(file: str | os.PathLike[str], volume: _Nifti, index: int) -> tuple[Slice, Affine | None]:
    further = (0,) * (len(volume.voxels.shape) - 3)
    with refusing(file, REMEDY):
        part = np.asarray(volume.voxels[(slice(None), slice(None), index, *further)[: len(volume.voxels.shape)]])
    if volume.affine is None:
        return part.T, None
    affine = volume.affine[:, [1, 0, 2, 3]]
    affine[:, 3] = volume.affine @ [0, 0, index, 1]
    return part.T, affine
