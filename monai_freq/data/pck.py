"""KneeMRI's volumes: ``.pck`` pickles of integer arrays."""

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named
from .refusals import read_at_most, refusing
from .restricted_pickle import load_integers

__all__ = ["read_pck"]


def read_pck(path: str | os.PathLike[str], max_bytes: int = 256 * 2**20) -> NDArray[np.integer[Any]]:
    """Read a volume from a pickle, of which nothing is run: whatever is not a 3D integer array is refused.

    Args:
        path: a ``.pck`` file.
        max_bytes: largest size of the file.

    Returns:
        (slices, height, width), read-only.

    Raises:
        DataError: the file is missing, too large, damaged, asks for any other code, or holds another kind of array.

    Reference:
        I. Štajduhar et al., Semi-automated detection of anterior cruciate ligament injury from MRI, Computer Methods
        and Programs in Biomedicine 140 (2017), doi:10.1016/j.cmpb.2016.12.006.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/329637-8.pck", "wb") as file:
        ...         pickle.dump(np.zeros((24, 8, 8), np.int16), file)
        ...     read_pck(f"{folder}/329637-8.pck").shape
        (24, 8, 8)
    """
    if not os.path.isfile(path):
        raise DataError(f"{named(path)} is missing or not a file.\nUnpack the archive of its folder again.")
    remedy = "It must be a pickle of one integer array. Do not open it by other means."
    large = refusing(path, "If that is right, raise 'max_bytes'.", ValueError, what="is refused")
    with refusing(path, remedy, OSError, pickle.UnpicklingError, what="is refused"), large:
        volume = load_integers(read_at_most(path, max_bytes))
    if volume.ndim != 3 or volume.size == 0:
        raise DataError(
            f"{named(path)} has the shape {volume.shape}, not (slices, height, width).\nLeave the exam out."
        )
    return volume
