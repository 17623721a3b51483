"""NIfTI files: what their names say, and headers that promise no more voxels than there are."""

import gzip
import math
import os
from pathlib import Path
from typing import Any

__all__ = ["case_name", "open_nifti"]

BLOCK = 1 << 20  # bytes


def case_name(path: str | os.PathLike[str]) -> str:
    """Name of a file without its folder and its endings.

    Args:
        path: A ``.nii`` or ``.nii.gz`` file, there or not.

    >>> case_name("imagesTr/la_003.nii.gz")
    'la_003'
    """
    return Path(path).name.removesuffix(".gz").removesuffix(".nii")


def open_nifti(path: str | os.PathLike[str]) -> Any:
    """Open a NIfTI file; its voxels are read, or mapped, when they are asked for.

    A compressed file is read through once, so that its checksum is compared. Nibabel sets memory aside for what the
    header promises before it looks at the file: a few damaged bytes would ask for terabytes.

    Args:
        path: A ``.nii`` or ``.nii.gz`` file.

    Returns:
        What ``nibabel.load`` returns.

    Raises:
        Exception: Whatever nibabel, gzip and zlib raise on damaged files; EOFError where voxels are missing.

    >>> open_nifti("no/such/la_003.nii.gz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'no/such/la_003.nii.gz'
    """
    import nibabel

    held = _length_unpacked(path) if os.fspath(path).endswith(".gz") else os.path.getsize(path)
    volume: Any = nibabel.load(path)
    voxels = volume.dataobj
    promised = voxels.offset + math.prod(map(int, voxels.shape)) * voxels.dtype.itemsize
    if promised > held:
        raise EOFError(f"it has {held} bytes, where its header promises {promised}")
    return volume


def _length_unpacked(path: str | os.PathLike[str]) -> int:
    # gzip compares its checksum at the very end, where nibabel, which stops after the last voxel, does not come.
    length = 0
    with gzip.open(path) as stream:
        while block := stream.read(BLOCK):
            length += len(block)
    return length
