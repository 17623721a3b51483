"""Images from any file that the package reads, whatever it is."""

from __future__ import annotations

import os
import threading
from functools import cache

from torch import Tensor

from ..data.file_kinds import kind_of
from .load_slice import LoadSlice
from .load_volume import LoadVolume

__all__ = ["load_image"]

#: for threads: readers have a state
_turn = threading.Lock()
#: kinds of files that are read whole
_VOLUMES = {"NIfTI", "NRRD", "MetaImage", "MINC", "MGH"}


def load_image(path: str | os.PathLike[str]) -> Tensor:
    """Load a picture, a slice of a file, a volume, or the slices of a DICOM series.

    Args:
        path: path of a picture, volume or folder of DICOM slices, or ``file#index`` for a slice.

    Returns:
        Image ``(C, *spatial)`` with its metadata.

    Raises:
        DataError: the file is missing, damaged or of another kind.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> file = Path(tempfile.mkdtemp(), "a.png")
        >>> Image.new("L", (8, 6)).save(file)
        >>> load_image(file).shape[0]
        1
    """
    place = os.fspath(path)
    if os.path.isdir(place) or (os.path.isfile(place) and kind_of(place) in _VOLUMES):
        with _turn:
            return _volume_loader()(place)[None]
    return LoadSlice()(place)


@cache
def _volume_loader() -> LoadVolume:
    """One for all volumes, since MONAI looks for all of its readers' libraries whenever it makes one."""
    return LoadVolume()
