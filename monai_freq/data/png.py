"""PNG pictures of all depths and colour types, told by their header."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from .picture import MAX_BYTES, MAX_PIXELS, Picture, UnreadableError, orientation_of

__all__ = ["read_png"]

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
BLOCK = 1 << 20  # bytes
DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8), COLOUR: (8, 16), GREY_ALPHA: (8, 16), COLOUR_ALPHA: (8, 16)}


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @property
    def length(self) -> int:
        """Bytes of all rows, each with that of its filter before it."""
        passes = ADAM7 if self.interlaced else ((0, 0, 1, 1),)  # first row and column, and their steps
        sizes = [(len(range(y, self.height, dy)), len(range(x, self.width, dx))) for y, x, dy, dx in passes]
        bits = SAMPLES[self.colour] * self.depth
        return sum(rows * (1 + (columns * bits + 7) // 8) for rows, columns in sizes if columns)


def read_png(file: str | os.PathLike[str]) -> Picture:
    """Read a PNG at its full depth; grey of fewer than 8 bits is scaled to 8.

    Pillow decodes what it keeps whole. Of 16-bit colour it keeps 8 bits, so that SimpleITK reads that; of 16-bit grey
    with alpha both would lose something, and its bytes are decoded as those of 8-bit colour with alpha, which they are.

    Args:
        file: a PNG file.

    Raises:
        UnreadableError: it is animated or has too many pixels.
        Exception: whatever Pillow, SimpleITK, zlib and struct raise on damaged files.

    Reference:
        W3C, Portable Network Graphics (PNG) Specification, Third Edition (2025).

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.fromarray(np.full((2, 3), 40000, np.uint16)).save(f"{folder}/x.png")
        ...     picture = read_png(f"{folder}/x.png")
        >>> picture.pixels.max().item(), picture.white
        (40000, 65535)
    """
    header = _header(file)
    if header.depth == 16 and header.colour == GREY_ALPHA:
        return _deep_grey_alpha(file)
    if header.depth == 16 and header.colour in (COLOUR, COLOUR_ALPHA):
        return _deep_colour(file)
    return _by_pillow(file, header)


def _header(file: str | os.PathLike[str]) -> _Header:
    with open(file, "rb") as stream:
        start = stream.read(29)
        parts = _pixel_parts(stream)
        width, height, depth, colour, interlaced = struct.unpack(">IIBB2xB", start[16:29])
        if start[12:16] != b"IHDR" or not width or not height or depth not in DEPTHS.get(colour, ()):
            raise ValueError(f"its header names {depth} bits of the colour type {colour}, which PNG does not have")
        if width * height > MAX_PIXELS or width * height * SAMPLES[colour] * (depth + 7) // 8 > MAX_BYTES:
            raise UnreadableError(f"it has {width} x {height} pixels, more than are read at {depth} bits")
        header = _Header(width, height, depth, colour, bool(interlaced))
        _require_all_rows(stream, parts, header.length)
    return header


def _pixel_parts(stream: BinaryIO) -> list[tuple[int, int]]:
    """Places and lengths of the chunks of pixels.

    A chunk that promises more bytes than there are is refused: a decoder would ask for the memory first.
    """
    size, place = stream.seek(0, os.SEEK_END), 8
    found = []
    while place + 12 <= size:
        stream.seek(place)
        length, name = struct.unpack(">I4s", stream.read(8))
        if place + 12 + length > size:
            over = place + 12 + length - size
            raise ValueError(f"its part {name.decode('latin1')!r} ends {over} bytes after the file")
        if name == b"IDAT":
            found.append((place + 8, length))
        if name == b"IEND":
            break
        place += 12 + length
    return found


def _require_all_rows(stream: BinaryIO, parts: list[tuple[int, int]], wanted: int) -> None:
    """Refuse fewer bytes of pixels than the header promises: Pillow fills what is not there with zeros."""
    unpacking, held = zlib.decompressobj(), 0
    for place, length in parts:
        stream.seek(place)
        packed = stream.read(length)
        while packed and held < wanted:
            held += len(unpacking.decompress(packed, BLOCK))
            packed = unpacking.unconsumed_tail
    if held < wanted:
        raise ValueError(f"it holds {held} bytes of pixels, where its header promises {wanted}")


def _opened(file: Any) -> Any:
    from PIL import Image

    image = Image.open(file, formats=("PNG",))
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        image.close()
        raise UnreadableError(f"it is animated, with {frames} frames")
    return image


def _by_pillow(file: str | os.PathLike[str], header: _Header) -> Picture:
    with _opened(file) as image:
        white, alpha = (65535 if header.depth == 16 else 255), None
        if header.colour == PALETTE:
            samples = np.array(image.convert("RGBA" if "transparency" in image.info else "RGB"))
        else:
            samples = np.array(image.convert("L") if image.mode == "1" else image)
        samples = samples.reshape(header.height, header.width, -1)
        if samples.shape[2] in (2, 4):
            samples, alpha = samples[..., :-1], samples[..., -1]
        elif "transparency" in image.info:
            # One grey or colour is transparent, as it was before it was scaled to 8 bits, unless it has one bit.
            key = np.array(image.info["transparency"])
            key = key.astype(bool) * 255 if header.depth == 1 else key * _scale_to_8_bits(header.depth)
            alpha = np.where((samples == key).all(axis=2), 0, white).astype(samples.dtype)
        return Picture(samples, white, alpha, orientation=orientation_of(image))


def _scale_to_8_bits(depth: int) -> int:
    return 255 // (2**depth - 1) if depth < 8 else 1


def _deep_colour(file: str | os.PathLike[str]) -> Picture:
    import SimpleITK

    with _opened(file) as image:
        orientation = orientation_of(image)
    samples = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(os.fspath(file), imageIO="PNGImageIO"))
    if samples.dtype != np.uint16 or samples.ndim != 3 or samples.shape[2] not in (3, 4):
        raise ValueError(f"it was read as {samples.dtype} of the shape {samples.shape}")
    alpha = samples[..., 3] if samples.shape[2] == 4 else None
    return Picture(samples[..., :3], 65535, alpha, orientation=orientation)


def _deep_grey_alpha(file: str | os.PathLike[str]) -> Picture:
    with open(file, "rb") as stream:
        content = bytearray(stream.read())
    if zlib.crc32(content[12:29]) != struct.unpack(">I", content[29:33])[0]:
        raise ValueError("its header is damaged")
    # Two samples of 2 bytes become four of one: filters and interlacing see the same bytes.
    content[24:26] = bytes((8, COLOUR_ALPHA))
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    with _opened(io.BytesIO(content)) as image:
        samples = np.array(image).view(">u2").astype(np.uint16)
        return Picture(samples[..., :1], 65535, samples[..., 1], orientation=orientation_of(image))
