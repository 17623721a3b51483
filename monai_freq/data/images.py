"""2D images by their address: a file's path, and ``#`` with a number where a file or series holds many slices."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named
from .dicom_series import is_series
from .dicom_slices import is_dicom, read_dicom_with_affine
from .file_kinds import content_of, kind_of, named_as
from .jpeg import read_jpeg
from .picture import Picture, UnreadableError, flattened
from .png import read_png
from .refusals import refusing
from .tiff import read_tiff
from .volumes import VOLUMES, read_volume_slice

__all__ = ["READABLE", "Image", "load_image", "read_image", "slice_address"]

_PICTURES = {"PNG": read_png, "JPEG": read_jpeg, "TIFF": read_tiff}
#: kinds of files that hold one image or many
READABLE = (*_PICTURES, "DICOM", *VOLUMES)


@dataclass(frozen=True)
class Image:
    """An image, and what its file says of it.

    Args:
        pixels: (height, width), or (height, width, 3).
        affine: the (4, 4) matrix from (row, column, 0) to mm; None where the file knows of none, as pictures.
        full_scale: value of white, 255 for 8 bits; None where the file does not say.
        transparent: whether some pixels were transparent, and are read on black.

    Example:
        >>> Image(np.zeros((2, 3))).full_scale is None
        True
    """

    pixels: NDArray[np.generic]
    affine: NDArray[np.float64] | None = None
    full_scale: int | None = None
    transparent: bool = False


def slice_address(file: str | os.PathLike[str], index: int) -> str:
    """Write the address of one slice: a plain string, as data lists, logs and plans of shortcuts want it.

    Args:
        file: a file of many slices, or the folder of a DICOM series.
        index: number of the slice, from 0.

    Example:
        >>> slice_address("ground_truth_train_000.hdf5", 17)
        'ground_truth_train_000.hdf5#17'
    """
    return f"{os.fspath(file)}#{index}"


def read_image(address: str | os.PathLike[str], channels: int = 1) -> NDArray[np.generic]:
    """Read one 2D image: a PNG, JPEG or TIFF picture, a DICOM slice, or one of a series, HDF5, ``.pck`` or NIfTI.

    What a file is, is told by its content, not by its name. The values are those in the file, at full depth: 0 to 255
    for 8 bits (to which fewer are scaled), 0 to 65535 for 16. Pictures are turned as their EXIF data or tags say;
    transparent pixels are laid on black; colour turns grey by its luma; of MONOCHROME1 and of TIFFs whose lowest value
    is white, the inverse is read, so that more is brighter; DICOM's slope and intercept are applied, no window is.

    Args:
        address: path of a picture or DICOM slice, or ``file#index``, and ``folder#index`` of a series, as
            :func:`slice_address` writes it.
        channels: number of channels, 1 (colour turns grey) or 3 (grey turns into three equal channels).

    Returns:
        (height, width), or (height, width, 3) with ``channels=3``.

    Raises:
        ValueError: ``channels`` is neither 1 nor 3.
        DataError: the file is missing, damaged or of another kind, or has no such slice.

    Example:
        >>> import tempfile
        >>> from PIL import Image as Pillow
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Pillow.fromarray(np.array([[0, 51, 255]], np.uint8)).save(f"{folder}/x.png")
        ...     read_image(f"{folder}/x.png")
        array([[  0,  51, 255]], dtype=uint8)
    """
    return load_image(address, channels).pixels


def load_image(address: str | os.PathLike[str], channels: int = 1) -> Image:
    """Read one 2D image as :func:`monai_freq.data.read_image` does, with what its file says of its pixels.

    Args:
        address: address of the image, see :func:`monai_freq.data.read_image`.
        channels: number of channels, 1 or 3, see :func:`monai_freq.data.read_image`.

    Raises:
        ValueError: the same as of :func:`monai_freq.data.read_image`.
        DataError: the same as of :func:`monai_freq.data.read_image`.

    Example:
        >>> import tempfile
        >>> from PIL import Image as Pillow
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Pillow.new("L", (3, 2), 200).save(f"{folder}/x.png")
        ...     load_image(f"{folder}/x.png").full_scale
        255
    """
    if channels not in (1, 3):
        raise ValueError(f"'channels' must be 1 or 3, got {channels}.")
    path = os.fspath(address)
    file, mark, number = path.rpartition("#")
    if mark and file and number.isdecimal() and number.isascii() and not os.path.exists(path):
        pixels, affine = read_volume_slice(file, int(number))
        return Image(_in_channels(pixels, channels), affine, _full_scale(pixels))
    if is_series(path):
        raise DataError(f"{named(path)} is a DICOM series.\nName one of its slices, as in {named(path)}#0.")
    if not os.path.isfile(path):
        raise DataError(
            f"{named(path)} cannot be read as an image: it is missing or not a file.\n"
            "Correct its name, or copy it again."
        )
    kind = kind_of(path)
    if kind == "DICOM" or (not kind and is_dicom(path)):
        pixels, affine = read_dicom_with_affine(path)
        return Image(_in_channels(pixels, channels), affine)
    if kind in VOLUMES:
        raise DataError(f"{named(path)} is a {kind} volume.\nName one of its slices, as in {named(path)}#0.")
    picture = _read_picture(path, kind)
    return Image(flattened(picture, channels), None, picture.white, picture.transparent)


def _in_channels(pixels: NDArray[np.generic], channels: int) -> NDArray[np.generic]:
    return pixels if channels == 1 else np.repeat(pixels[:, :, None], 3, axis=2)


def _full_scale(pixels: NDArray[np.generic]) -> int | None:
    return 255 if pixels.dtype == np.uint8 else None  # 8 bits are filled; of more, who knows which are used


def _read_picture(file: str, kind: str) -> Picture:
    if kind not in _PICTURES:
        claimed = "" if kind else named_as(file)
        what = f"it is no {claimed}, but {content_of(file)}" if claimed else f"it is {kind or 'of no known kind'}"
        raise DataError(
            f"{named(file)} cannot be read as an image: {what}.\n"
            "It must be a PNG, JPEG, TIFF or DICOM file; export it as one."
        )
    what = "cannot be read as an image"
    unread = refusing(file, "Else export it as PNG, in grey or RGB, of 8 or 16 bits.", UnreadableError, what=what)
    with refusing(file, f"It must be a complete {kind}. Copy it again.", what=what), unread:
        return _PICTURES[kind](file)
