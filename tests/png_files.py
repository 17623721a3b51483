"""PNG files of every kind, written byte by byte after the standard."""

import struct
import zlib
from pathlib import Path

import numpy as np

__all__ = ["chunk", "write_png"]

PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # of Adam7


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _packed(row, depth):
    bits = (row.ravel()[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return b"\0" + np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def write_png(path, pixels, depth, colour, *, before=b"", interlaced=False):
    """Samples (height, width, samples) of a depth in bits, with the chunks ``before`` in front of them."""
    parts = [pixels[y::dy, x::dx] for x, y, dx, dy in PASSES] if interlaced else [pixels]
    rows = b"".join(_packed(row, depth) for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + body)
