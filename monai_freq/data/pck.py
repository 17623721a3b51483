"""KneeMRI's volumes: ``.pck`` pickles of integer arrays."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named, reason_of
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
    file = Path(path)
    if not file.is_file():  # a device or a pipe could be read for ever
        raise DataError(f"{named(file)} is missing or not a file.\nUnpack the archive of its folder again.")
    try:
        with file.open("rb") as stream:
            content = stream.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise DataError(f"{named(file)} is larger than {max_bytes} bytes.\nIf that is right, raise 'max_bytes'.")
        volume = load_integers(content)
    except (OSError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{named(file)} is refused: {reason_of(error)}.\n"
            "It must be a pickle of one integer array. Do not open it by other means."
        ) from error
    if volume.ndim != 3 or volume.size == 0:
        raise DataError(
            f"{named(file)} has the shape {volume.shape}, not (slices, height, width).\nLeave the exam out."
        )
    return volume
