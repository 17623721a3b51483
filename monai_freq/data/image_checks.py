"""What every image of a data list must be, looked at before training."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Literal

import numpy as np

from ..errors import DataError
from ..quoting import named, written
from .images import Image, load_image
from .refusals import refuse_first
from .same_images import repeated_image

__all__ = ["FullScale", "check_images"]

#: what white must be: a number, any, or whatever the file states, if it does
FullScale = int | Literal["any", "stated"]
_log = logging.getLogger(__name__)


def check_images(
    items: Sequence[Mapping[str, Any]],
    *,
    image_key: str = "image",
    size: tuple[int, int] | None = None,
    limits: tuple[float, float] = (-inf, inf),
    full_scale: FullScale = 255,
    num_workers: int | None = None,
) -> None:
    """Read every image of a data list once and refuse the first faulty one, before training starts.

    Pictures that are transparent in parts, and so read on black, are counted in the log.

    Args:
        items: items with an address under ``image_key``.
        image_key: key of the address.
        size: (height, width) that every image must have; any by default.
        limits: lowest and highest value that a pixel may have; (0, 1) for LoDoPaB-CT.
        full_scale: value of white in every picture: 255, that of 8 bits, as pipelines that divide by 255 need it,
            or 65535, that of 16. ``"any"`` where the scale does not matter; ``"stated"`` where every image is divided
            by its own, under ``full_scale`` in the metadata of :class:`monai_freq.transforms.LoadSlice`, and so
            must have one. Floats, signed integers and volumes of more than 8 bits have none, and pass a number.
        num_workers: number of threads (default: up to 4). Each holds one image at a time.

    Raises:
        ValueError: ``num_workers`` is less than 1, or ``full_scale`` none of the above.
        DataError: an image cannot be read, has another size or scale, is not finite or not within ``limits``, or is
            listed twice. The first in the order of ``items`` is named, the others are counted.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = tempfile.mkdtemp()
        >>> for name, size in (("1.png", (8, 8)), ("2.png", (8, 6))):
        ...     Image.new("L", size, 200).save(f"{folder}/{name}")
        >>> check_images([{"image": f"{folder}/1.png"}], size=(8, 8))
        >>> check_images([{"image": f"{folder}/1.png"}, {"image": f"{folder}/2.png"}], size=(8, 8))
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: .../2.png has the size (6, 8), (8, 8) expected.
        Leave it out or export it again.
    """
    if full_scale not in ("any", "stated") and not (isinstance(full_scale, int) and full_scale > 0):
        raise ValueError(f"'full_scale' must be a positive number, 'any' or 'stated', got {written(full_scale)}.")
    addresses = [os.fspath(item[image_key]) for item in items]
    if twice := repeated_image(addresses):
        first, second = map(named, twice)
        also = f"{addresses.count(twice[0])} times" if first == second else f"twice, also as {second}"
        raise DataError(f"The image {first} is listed {also}.\nKeep one entry of each.")

    def look(address: str) -> bool:
        image = load_image(address)
        _check_pixels(named(address), image, size, limits)
        _check_scale(named(address), image.full_scale, full_scale)
        return image.transparent

    found = refuse_first(look, addresses, "images", num_workers)
    if transparent := [address for address, seen in zip(addresses, found, strict=True) if seen]:
        _log.warning(
            f"{len(transparent)} of {len(items)} images are transparent in parts, and read on black: "
            f"{named(transparent[0])} is the first."
        )


def _check_pixels(name: str, image: Image, size: tuple[int, int] | None, limits: tuple[float, float]) -> None:
    pixels = image.pixels
    if size is not None and pixels.shape != tuple(size):
        raise DataError(
            f"{name} has the size {pixels.shape}, {tuple(size)} expected.\nLeave it out or export it again."
        )
    if not np.isfinite(pixels).all():
        raise DataError(f"{name} holds NaN or infinite pixels.\nReplace them or leave the image out.")
    low, high = pixels.min(), pixels.max()
    if low < limits[0] or high > limits[1]:
        raise DataError(f"{name} has pixels from {low:g} to {high:g}, {limits} expected.\nScale it or leave it out.")


def _check_scale(name: str, found: int | None, wanted: FullScale) -> None:
    if wanted == "stated" and found is None:
        raise DataError(
            f"{name} does not state what white is, by which it would be divided.\n"
            "Export it as PNG, or as TIFF of unsigned integers."
        )
    if isinstance(wanted, int) and found not in (None, wanted):
        raise DataError(
            f"{name} has {found} for white, as {found.bit_length()} bits have it; {wanted} expected.\n"
            f"Export it with {wanted.bit_length()} bits, or allow others by 'full_scale' and divide each by its own."
        )
