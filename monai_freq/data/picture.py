"""A picture as its file has it, and the same as plain grey values or colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Picture", "UnreadableError", "flattened", "orientation_of"]

MAX_PIXELS = 64 * 2**20
MAX_BYTES = 4 * MAX_PIXELS
LUMA = (19595, 38470, 7471)  # ITU-R BT.601's .299, .587 and .114, in 65536ths: they sum to 1 exactly
ORIENTATION_TAG = 0x0112

Pixels = NDArray[Any]


class UnreadableError(ValueError):
    """A sound picture is of a kind that is not read; the message says which, and not that it be copied again.

    Example:
        >>> raise UnreadableError("its samples have 12 bits, which are read of 8 in JPEG")
        Traceback (most recent call last):
        ...
        monai_freq.data.picture.UnreadableError: its samples have 12 bits, which are read of 8 in JPEG
    """


@dataclass(frozen=True)
class Picture:
    """Samples as a file has them.

    Args:
        pixels: (height, width, 1) in grey or (height, width, 3) in colour.
        white: value of the brightest sample, 255 for 8 bits; None where the format does not say, as for floats.
        alpha: opacity, (height, width), in the scale of ``white``, up to 1 where there is none; 0 is transparent.
        premultiplied: whether the samples have been multiplied by alpha already.
        orientation: number of the orientation in EXIF and TIFF, 1 to 8; 1 is as stored.

    Example:
        >>> Picture(np.zeros((2, 3, 1), np.uint8), white=255).orientation
        1
    """

    pixels: Pixels
    white: int | None
    alpha: Pixels | None = None
    premultiplied: bool = False
    orientation: int = 1

    @property
    def transparent(self) -> bool:
        """Whether any pixel is not opaque."""
        return self.alpha is not None and bool((self.alpha < (1 if self.white is None else self.white)).any())


def flattened(picture: Picture, channels: int) -> Pixels:
    r"""The picture as it is meant to be seen: turned upright, on black where it is transparent, in grey or in colour.

    .. math:: y = (19595\, R + 38470\, G + 7471\, B) / 65536

    Pixels keep their type; integers are rounded to the nearest. What is hidden under transparent pixels stays so.

    Args:
        picture: picture as its file has it.
        channels: number of channels, 1 or 3.

    Shape:
        - Output: (height, width), or (height, width, 3) with three channels.

    Reference:
        ITU-R, Recommendation BT.601-7 (2011), for the weights of colours.

    Example:
        >>> red = Picture(np.full((1, 1, 3), [[[65535, 0, 0]]], np.uint16), white=65535)
        >>> flattened(red, 1).item()
        19595
    """
    pixels = picture.pixels
    if picture.alpha is not None and picture.transparent and not picture.premultiplied:
        opacity = picture.alpha[..., None].astype(np.float64) / (picture.white or 1)
        pixels = _as_type(pixels * opacity, pixels.dtype)
    pixels = _upright(pixels, picture.orientation)
    if channels == 3:
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)
    return np.ascontiguousarray(pixels[..., 0]) if pixels.shape[2] == 1 else _luma(pixels)


def _as_type(values: Pixels, dtype: np.dtype[Any]) -> Pixels:
    return np.asarray(values if dtype.kind == "f" else np.floor(values + 0.5), dtype=dtype)


def _luma(pixels: Pixels) -> Pixels:
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:  # the sum is below 2**32
        red, green, blue = (pixels[..., i].astype(np.uint32) * np.uint32(LUMA[i]) for i in range(3))
        return np.asarray((red + green + blue + np.uint32(1 << 15)) >> np.uint32(16), dtype=pixels.dtype)
    return _as_type(pixels @ (np.array(LUMA) / 65536), pixels.dtype)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror: the numbers say which sides of the picture the first row and the first column are."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def orientation_of(image: Any) -> int:
    """Orientation that a picture's EXIF data name; 1, as stored, without any.

    Args:
        image: image that Pillow has opened.

    Example:
        >>> from PIL import Image
        >>> orientation_of(Image.new("L", (3, 2)))
        1
    """
    found = image.getexif().get(ORIENTATION_TAG, 1)
    return found if isinstance(found, int) and found in range(1, 9) else 1
