"""TIFF pictures: what their tags say decides which library reads them, and whether any does so exactly."""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .picture import MAX_BYTES, MAX_PIXELS, Picture, UnreadableError, orientation_of

__all__ = ["read_tiff"]

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
PREMULTIPLIED, STRAIGHT = 1, 2
DECODED_HERE = (1, 8, 32773, 32946)  # none, Deflate and PackBits: what tifffile decodes by itself
LZW, DEEP = 5, (8, 16, 32, 64)
IN_SOME_LIBTIFF = {34925: "lzma", 50000: "zstd"}
DECODED_BY_PILLOW = (*DECODED_HERE, LZW, 2, 3, 4, 7, *IN_SOME_LIBTIFF)  # CCITT's three and JPEG
DECODED_BY_ITK = (*DECODED_HERE, LZW)
SMALLER_COPY = 1 | 4  # a thumbnail or a mask
_IMAGEJ = re.compile(r"\AImageJ=.*^images=(\d+)", re.DOTALL | re.MULTILINE)

Pixels = NDArray[Any]


@dataclass(frozen=True)
class _Layout:
    """What the tags say."""

    height: int
    width: int
    bits: int
    format: int
    samples: int
    photometric: int
    alpha: int  # PREMULTIPLIED, STRAIGHT or 0
    compression: int
    predictor: int
    tiled: bool
    planar: bool
    orientation: int
    plain_order: bool  # of bytes and bits: little-endian, the highest bit first

    @property
    def white(self) -> int | None:
        return 2**self.bits - 1 if self.format == UNSIGNED else None

    @property
    def grey(self) -> bool:
        return self.photometric in (MIN_IS_WHITE, MIN_IS_BLACK)


def read_tiff(file: str | os.PathLike[str]) -> Picture:
    """Read a TIFF of one page at its full depth: integers of 8 to 64 bits or floats of 16 to 64, BigTIFF too.

    Grey and palettes of 1, 2 and 4 bits are read as well, grey scaled to 8. Grey of 12 bits is read where it is
    little-endian and its lowest value is black. What the tags say decides who decodes: tifffile what is not compressed
    or packed with Deflate or PackBits; of what else there is, Pillow what it keeps whole, and SimpleITK deep strips,
    which it reads as they are (tiles it would cut to 8 bits).

    Args:
        file: a TIFF file.

    Raises:
        UnreadableError: it has several pages or bands, too many pixels, or a depth, a kind of sample or a compression,
            named in the message, that none of them reads exactly.
        Exception: whatever the three raise on damaged files.

    Reference:
        Adobe Developers Association, TIFF Revision 6.0 (1992).

    Example:
        >>> import tempfile, tifffile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tifffile.imwrite(f"{folder}/x.tif", np.full((2, 3), -1000, np.int16))
        ...     read_tiff(f"{folder}/x.tif").pixels[0, 0].item()
        -1000
    """
    import tifffile

    with _quiet(), tifffile.TiffFile(os.fspath(file)) as tiff:
        page = _only_page(tiff)
        layout = _layout(page)
        _require_readable(layout)
        _require_complete(page, os.path.getsize(file))
        if _is_for_tifffile(layout):
            return _picture(_by_tifffile(page), layout, page.colormap)
        if page.index != 0:  # Pillow and SimpleITK would read the first
            raise UnreadableError("a thumbnail or a mask comes before its pixels: export the picture alone")
    if _is_for_pillow(layout):
        return _by_pillow(file, layout)
    return _picture(_by_itk(file, layout), layout, None)


def _only_page(tiff: Any) -> Any:
    found = []
    for page in tiff.pages:
        if not int(page.subfiletype) & SMALLER_COPY:
            found.append(page)
        if len(found) > 1:
            raise UnreadableError(f"it has {len(tiff.pages)} pages, and one is read: export the one that is meant")
    if not found:
        raise ValueError("it has no page")
    more = _IMAGEJ.match(found[0].description)
    if (more and int(more[1]) > 1) or found[0].imagedepth != 1:
        raise UnreadableError("it is a stack of several images, and one is read: export the one that is meant")
    return found[0]


def _layout(page: Any) -> _Layout:
    kinds = page.tags.get("SampleFormat")
    for name, value in (("bits", page.bitspersample), ("kinds of numbers", kinds.value if kinds else 1)):
        if isinstance(value, tuple) and len(set(value)) > 1:
            raise UnreadableError(f"its samples differ in their {name}, {value}")
    sample_format = int(page.sampleformat)
    alpha = [int(extra) for extra in page.extrasamples]
    predictor, orientation = (page.tags.get(name) for name in ("Predictor", "Orientation"))
    bits = page.bitspersample
    return _Layout(
        height=int(page.imagelength),
        width=int(page.imagewidth),
        bits=int(bits[0] if isinstance(bits, tuple) else bits),
        format=UNSIGNED if sample_format == 4 else sample_format,  # 4: undefined
        samples=int(page.samplesperpixel),
        photometric=int(page.photometric),
        alpha=alpha[0] if len(alpha) == 1 and alpha[0] in (PREMULTIPLIED, STRAIGHT) else 0,
        compression=int(page.compression),
        predictor=int(predictor.value) if predictor else 1,
        tiled=bool(page.is_tiled),
        planar=int(page.planarconfig) == 2 and int(page.samplesperpixel) > 1,
        orientation=int(orientation.value) if orientation and orientation.value in range(1, 9) else 1,
        plain_order=page.parent.byteorder == "<" and int(page.fillorder) == 1,
    )


def _require_readable(layout: _Layout) -> None:
    pixels, size = layout.height * layout.width, (layout.samples * layout.bits + 7) // 8
    if not pixels:
        raise ValueError("it has no pixels")
    if pixels > MAX_PIXELS or pixels * size > MAX_BYTES:
        raise UnreadableError(
            f"it has {layout.width} x {layout.height} pixels, more than are read at {layout.bits} bits"
        )
    if layout.format not in (UNSIGNED, SIGNED, FLOAT):
        raise UnreadableError("its samples are complex numbers")
    colours = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
    if layout.photometric not in colours:
        raise UnreadableError(f"its colours are of TIFF's kind {layout.photometric}; grey, RGB and palettes are read")
    if layout.samples != colours[layout.photometric] + bool(layout.alpha):
        raise UnreadableError(f"it has {layout.samples} bands; one in grey or three in colour are read, and alpha")
    if layout.photometric in (CMYK, YCBCR, PALETTE) and (layout.bits > 8 or layout.format != UNSIGNED):
        raise UnreadableError(f"it has {layout.bits} bits of a colour type that is read with 8; export it as RGB")
    if layout.photometric in (CMYK, YCBCR) and layout.alpha:
        raise UnreadableError("it has alpha beside a colour type that is read without; export it as RGB")
    if layout.bits > 32 and layout.format != FLOAT and (layout.photometric == RGB or layout.alpha):
        raise UnreadableError(f"it has {layout.bits} bits a colour; up to 32 are read")
    if layout.format == SIGNED and layout.alpha == STRAIGHT:
        raise UnreadableError("its alpha is of signed numbers, which have none for opaque; export it without alpha")
    if layout.photometric == MIN_IS_WHITE and layout.format != UNSIGNED:
        raise UnreadableError("its lowest number is white, but its numbers have no highest, which would be black")
    if layout.bits not in (depths := _depths(layout)):
        *some, last = map(str, depths)
        read = f"{', '.join(some)} and {last}"
        raise UnreadableError(f"it has {layout.bits} bits a sample; {read} are read in a TIFF of its kind")
    if not (_is_for_tifffile(layout) or _is_for_pillow(layout) or _is_for_itk(layout)):
        raise _not_decoded(layout)


def _depths(layout: _Layout) -> tuple[int, ...]:
    """Bits a sample that are read; of 12 Pillow knows one kind."""
    if layout.format == FLOAT:
        return DEEP[1:]
    if layout.format == SIGNED or layout.samples > 1:
        return DEEP
    twelve = (12,) if layout.plain_order and layout.photometric == MIN_IS_BLACK else ()
    return (1, 2, 4, 8, *twelve, *DEEP[1:])


def _not_decoded(layout: _Layout) -> UnreadableError:
    form = "tiles" if layout.tiled else "planes" if layout.planar else "strips"
    known = layout.compression in DECODED_HERE and layout.predictor not in (1, 2)
    how = f"predictor {layout.predictor}" if known else f"compression {layout.compression}"
    return UnreadableError(
        f"its {layout.bits}-bit {form} are packed in a way that is not read there (TIFF's {how}): "
        "save it without compression, or with Deflate and no predictor"
    )


def _require_complete(page: Any, length: int) -> None:
    """Libraries fill what is not there with zeros."""
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not spans or any(not count or offset + count > length for offset, count in spans):
        raise ValueError("a part of its pixels is missing")


def _is_for_tifffile(layout: _Layout) -> bool:
    depths = (8, 16, 32, 64) if layout.format != FLOAT else (16, 32, 64)
    plain = layout.compression in DECODED_HERE and layout.predictor in (1, 2)
    one_bit = layout.bits == 1 and layout.samples == 1 and layout.photometric != PALETTE
    return plain and (layout.bits in depths or one_bit) and layout.photometric not in (CMYK, YCBCR)


def _is_for_pillow(layout: _Layout) -> bool:
    if layout.compression not in DECODED_BY_PILLOW:
        return False
    if layout.samples == 1 and layout.photometric != PALETTE and layout.bits > 8:
        return (layout.bits, layout.format) in ((12, UNSIGNED), (16, UNSIGNED), (32, FLOAT))
    return layout.bits <= 8 and layout.format == UNSIGNED and layout.alpha != PREMULTIPLIED


def _is_for_itk(layout: _Layout) -> bool:
    strips = not layout.tiled and not layout.planar and layout.samples != 2
    deep = layout.bits in (8, 16, 32) and (layout.bits == 32 or layout.format != FLOAT)
    packed = layout.compression in DECODED_BY_ITK
    return packed and strips and deep and (layout.grey or layout.photometric == RGB)


def _by_tifffile(page: Any) -> Pixels:
    planes, _, height, width, together = page.shaped
    samples = page.asarray().reshape(planes, height, width, together)
    return np.asarray(np.moveaxis(samples, 0, 2).reshape(height, width, -1))


def _by_itk(file: str | os.PathLike[str], layout: _Layout) -> Pixels:
    import SimpleITK

    with _as_stored(file, layout) as path:
        samples = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path, imageIO="TIFFImageIO"))
    if samples.dtype.itemsize * 8 != layout.bits:
        raise ValueError(f"it was read as {samples.dtype}")
    return np.asarray(samples).reshape(layout.height, layout.width, layout.samples)


@contextmanager
def _as_stored(file: str | os.PathLike[str], layout: _Layout) -> Iterator[str]:
    """The file, or a copy that is not to be turned: SimpleITK would turn some, and cut the others to 8 bits."""
    import tifffile

    if layout.orientation == 1:
        yield os.fspath(file)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copyfile(file, os.path.join(folder, "stored.tif"))
        with tifffile.TiffFile(copy, mode="r+") as tiff:
            _only_page(tiff).tags["Orientation"].overwrite(1)
        yield copy


def _by_pillow(file: str | os.PathLike[str], layout: _Layout) -> Picture:
    from PIL import Image, UnidentifiedImageError

    with open(file, "rb") as stream:  # of a name it would map the file to memory, and scramble what is to be turned
        try:
            image = Image.open(stream, formats=("TIFF",))
        except UnidentifiedImageError as error:  # its tags are sound, or tifffile would have refused them
            raise _not_decoded(layout) from error
        wanted = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "RGBX": "RGB"}.get(image.mode)
        if image.mode not in ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "F") and not wanted:
            raise UnreadableError(f"its pixels are of Pillow's mode {image.mode}")
        try:
            image.load()
        except OSError as error:
            if _is_in_libtiff(layout.compression):
                raise
            raise _not_decoded(layout) from error
        turned = orientation_of(image) == 1  # Pillow turns a TIFF as it loads it, and forgets that it had to be
        samples = np.array(image.convert(wanted) if wanted else image)
    if sorted(samples.shape[:2]) != sorted((layout.height, layout.width)):
        raise ValueError(f"it was read with {samples.shape[1]} x {samples.shape[0]} pixels")
    samples = samples.reshape(*samples.shape[:2], -1).astype(samples.dtype.newbyteorder("="))
    layout = replace(layout, orientation=1) if turned else layout
    if layout.bits > 8:
        return _picture(samples, layout, None)
    alpha = samples[..., -1] if samples.shape[2] in (2, 4) else None  # white is 255: Pillow inverts and scales these
    colours = samples if alpha is None else samples[..., :-1]
    return Picture(colours, 255, alpha if layout.alpha else None, orientation=layout.orientation)


def _is_in_libtiff(compression: int) -> bool:
    """Whether Pillow's libtiff was built with it: where it packs, it unpacks."""
    from PIL import Image

    if compression not in IN_SOME_LIBTIFF:
        return True
    try:
        Image.new("L", (1, 1)).save(io.BytesIO(), "TIFF", compression=IN_SOME_LIBTIFF[compression])
    except OSError:
        return False
    return True


def _picture(samples: Pixels, layout: _Layout, colormap: Pixels | None) -> Picture:
    white = layout.white
    if layout.bits == 1:
        samples, white = samples.astype(np.uint8) * np.uint8(255), 255
    alpha = samples[..., -1] if layout.alpha else None
    colours = samples[..., : 3 if layout.photometric == RGB else 1]
    if layout.photometric == MIN_IS_WHITE and white is not None:
        colours = (white - colours.astype(np.uint64)).astype(colours.dtype)
    straight = layout.format == FLOAT and layout.alpha == STRAIGHT
    if alpha is not None and straight and not np.all((alpha >= 0) & (alpha <= 1)):
        raise UnreadableError("its alpha is not within 0 and 1, which is opaque in floats; export it without alpha")
    if layout.photometric == PALETTE:
        colours, white = _looked_up(colours[..., 0], colormap)
    return Picture(colours, white, alpha, layout.alpha == PREMULTIPLIED, layout.orientation)


def _looked_up(indices: Pixels, colormap: Pixels | None) -> tuple[Pixels, int]:
    if colormap is None or indices.max() >= colormap.shape[1]:
        raise ValueError("it has colours that its palette lacks")
    colours = np.moveaxis(colormap[:, indices], 0, 2)
    for step in (257, 256):  # palettes have 16 bits, most of them written from 8
        if not (colormap % step).any():
            return (colours // step).astype(np.uint8), 255
    return colours, 65535


_silent = threading.local()


class _Silent(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_silent, "here", False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Have tifffile not log what it makes of a damaged file in this thread: our error says so."""
    logger = logging.getLogger("tifffile")
    if not any(isinstance(each, _Silent) for each in logger.filters):
        logger.addFilter(_Silent())
    _silent.here = True
    try:
        yield
    finally:
        _silent.here = False
