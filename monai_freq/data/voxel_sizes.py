"""Voxel sizes of volumes, from their headers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..quoting import named
from .dicom_series import is_series, read_series
from .nifti import places_voxels
from .refusals import refusing

__all__ = ["median_spacing", "voxel_size"]

#: digits in which headers of one scanner agree: they hold single precision
_DIGITS = 6


def voxel_size(path: str) -> tuple[float, ...]:
    r"""Size of a volume's voxels from left to right, from back to front, and from foot to head, in whichever order the
    file has its axes; no voxel is read.

    .. math:: s_a = \Bigl( \sum_i A_{i a}^2 \Bigr)^{1/2}, \quad a \text{ an axis of the affine } A

    Args:
        path: path of a ``.nii`` or ``.nii.gz`` file, or of the folder of a DICOM series.

    Returns:
        Three sizes in mm.

    Raises:
        DataError: the header cannot be read, or its affine places no voxels; a series has a fault.

    Example:
        >>> import nibabel, tempfile
        >>> file = f"{tempfile.mkdtemp()}/a.nii.gz"
        >>> from_head_to_foot_first = [[0, 0, 0.8, 0], [0, 0.7, 0, 0], [-5, 0, 0, 0], [0, 0, 0, 1]]
        >>> nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), "i2"), from_head_to_foot_first), file)
        >>> voxel_size(file)
        (0.8, 0.7, 5.0)
    """
    import nibabel

    affine = read_series(path).affine if is_series(path) else _affine(path)
    axes = nibabel.io_orientation(affine)[:, 0].argsort()  # type: ignore[no-untyped-call]
    sizes = np.linalg.norm(affine[:3, :3], axis=0)[axes]
    return tuple(float(f"{size:.{_DIGITS}g}") for size in sizes)


def _affine(path: str) -> NDArray[np.float64]:
    import nibabel

    with refusing(path, "Is it a complete NIfTI file? Copy or unpack it again."):
        volume: Any = nibabel.load(path)  # which reads the header alone
        affine = np.asarray(volume.affine, dtype=np.float64)
        if not places_voxels(affine):
            raise ValueError("its affine is singular, NaN or infinite")
    return affine


def median_spacing(paths: Sequence[str]) -> list[float]:
    """Median voxel size of volumes along each axis, the size to which a data set is resampled with the least change.

    Args:
        paths: paths of the volumes, at least one; see :func:`voxel_size`.

    Returns:
        Three sizes in mm, from left to right, from back to front, and from foot to head.

    Raises:
        ValueError: there is no volume.
        DataError: a header cannot be read.

    Example:
        >>> import nibabel, tempfile
        >>> files = [f"{tempfile.mkdtemp()}/{name}.nii" for name in "abc"]
        >>> for file, thickness in zip(files, (1.5, 3, 5)):
        ...     nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), "i2"), np.diag([1, 1, thickness, 1])), file)
        >>> median_spacing(files)
        [1.0, 1.0, 3.0]
    """
    if not paths:
        raise ValueError(f"'paths' must hold at least one volume, got {named(str(list(paths)))}.")
    return [float(size) for size in np.median([voxel_size(path) for path in paths], axis=0)]
