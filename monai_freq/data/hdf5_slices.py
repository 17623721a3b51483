"""One slice at a time out of HDF5 files of many."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named
from .refusals import refusing

__all__ = ["read_hdf5_slice", "slices_shape"]

DATASET = "data"
MAX_PIXELS = 64 * 2**20
MAX_OPEN = 8  # files of one process
REMEDY = "Is it a complete HDF5 file? Copy or download it again."


def slices_shape(file: str | os.PathLike[str]) -> tuple[int, int, int]:
    """Look up how many slices an HDF5 file holds in its data set ``data``, and their height and width.

    Args:
        file: the file.

    Returns:
        (slices, height, width).

    Raises:
        DataError: the file is missing, truncated or no HDF5, has no such data set, or one of another kind.

    Example:
        >>> import h5py, tempfile
        >>> file = f"{tempfile.mkdtemp()}/ground_truth_train_000.hdf5"
        >>> with h5py.File(file, "w") as stream:
        ...     stream["data"] = np.zeros((5, 8, 6), np.float32)
        >>> slices_shape(file)
        (5, 8, 6)
    """
    slices, height, width = _dataset(file).shape
    return int(slices), int(height), int(width)


def read_hdf5_slice(file: str | os.PathLike[str], index: int) -> NDArray[np.float32]:
    """Read one slice of the data set ``data``; nothing else of the file enters the memory.

    Each process keeps a few files open for its next calls and opens its own after a fork, so workers may call this at
    will; a file that has been replaced meanwhile is opened anew.

    Args:
        file: the HDF5 file.
        index: number of the slice, from 0.

    Returns:
        (height, width).

    Raises:
        DataError: as :func:`slices_shape`; or the file has no such slice, or its bytes are damaged.

    Example:
        >>> import h5py, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with h5py.File(f"{folder}/ground_truth_test_000.hdf5", "w") as file:
        ...         file["data"] = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2)
        ...     read_hdf5_slice(f"{folder}/ground_truth_test_000.hdf5", 1)[1, 1].item()
        1.0
    """
    dataset = _dataset(file)
    if not 0 <= index < dataset.shape[0]:
        raise DataError(
            f"{named(file)} has no slice {index}: it holds {dataset.shape[0]}, counted from 0.\n"
            "Correct the index in the table of labels, or copy the file again."
        )
    with refusing(file, REMEDY):
        return np.asarray(dataset[index], dtype=np.float32)


def _dataset(file: str | os.PathLike[str]) -> Any:
    path = os.path.abspath(file)
    with refusing(file, REMEDY):
        status = os.stat(path)
        if not os.path.isfile(path):
            raise OSError("it is not a file")
        return _open(path, os.getpid(), status.st_ino, status.st_mtime_ns, status.st_size)


# A handle must not cross a fork, hence the process in the key. A data set keeps its file open for as long as it is
# referred to: one that leaves the cache while another thread reads from it is closed only after that.
@lru_cache(maxsize=MAX_OPEN)
def _open(path: str, process: int, inode: int, modified: int, size: int) -> Any:
    import h5py

    file = h5py.File(path, "r")
    own = isinstance(file.get(DATASET, getlink=True), h5py.HardLink)  # other links lead to any file of the machine
    found = file[DATASET] if own else None
    if not isinstance(found, h5py.Dataset):
        raise DataError(
            f"{named(path)} has no data set '{DATASET}'.\nIt must be a file of LoDoPaB-CT, such as ground_truth_*."
        )
    if found.ndim != 3 or 0 in found.shape or found.dtype.kind != "f":
        raise DataError(
            f"'{DATASET}' in {named(path)} has the shape {found.shape} and type {found.dtype}, not (slices, height, "
            "width) of floats.\nIt must be a file of LoDoPaB-CT: ground_truth_*, not observation_*."
        )
    if math.prod(found.shape[1:]) > MAX_PIXELS:
        raise DataError(f"A slice of {named(path)} has {found.shape[1:]} pixels.\nAt most {MAX_PIXELS} are read.")
    if found.external or found.is_virtual:
        raise DataError(f"'{DATASET}' in {named(path)} lies in other files.\nCopy the values into this one.")
    return found
