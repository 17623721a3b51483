"""JPEG pictures, and which of them are of another depth or process than is read."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np

from .picture import MAX_PIXELS, Picture, UnreadableError, orientation_of

__all__ = ["read_jpeg"]

READ = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # frames that are sequential or progressive, Huffman or arithmetically coded
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}
ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


def read_jpeg(file: str | os.PathLike[str]) -> Picture:
    """Read a JPEG of 8 bits a sample; CMYK turns into RGB.

    Args:
        file: a JPEG file.

    Raises:
        UnreadableError: it has 12 bits a sample, is lossless, hierarchical or JPEG-LS, or has too many pixels.
        Exception: whatever Pillow and struct raise on damaged files.

    Reference:
        ITU-T, Recommendation T.81 (1992).

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (3, 2), 200).save(f"{folder}/x.jpg")
        ...     read_jpeg(f"{folder}/x.jpg").pixels.shape
        (2, 3, 1)
    """
    from PIL import Image

    with open(file, "rb") as stream:
        _require_readable(stream)
    with Image.open(file, formats=("JPEG",)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableError(f"it has {image.width} x {image.height} pixels, more than are read")
        samples = np.array(image if image.mode in ("L", "RGB") else image.convert("RGB"))
        return Picture(samples.reshape(*samples.shape[:2], -1), 255, orientation=orientation_of(image))


def _require_readable(stream: BinaryIO) -> None:
    process, precision = _frame(stream)
    if process == 0xF7:
        raise UnreadableError("it is a JPEG-LS, not a JPEG")
    if process not in READ:
        raise UnreadableError("it is a lossless or hierarchical JPEG, of which only the common kinds are read")
    if precision != 8:
        raise UnreadableError(f"its samples have {precision} bits; JPEG is read with 8")


def _frame(stream: BinaryIO) -> tuple[int, int]:
    """Marker and precision of the first frame."""
    stream.seek(2)
    while byte := stream.read(1):
        if byte != b"\xff":
            continue
        while (marker := stream.read(1)) == b"\xff":
            continue
        code = marker[0] if marker else 0
        if code in FRAMES:
            return code, stream.read(3)[2]
        if code and code not in ALONE:
            length = int.from_bytes(stream.read(2), "big")
            if length < 2:  # or it would be read again and again
                break
            stream.seek(length - 2, os.SEEK_CUR)
    raise ValueError("it ends before its frame")
