"""What can be seen of a classifier's data before its training: a picture, and whether its parts are apart."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_picture", "overlapping_groups"]

#: keys of what must not be in two parts
_GROUPS = ("patient", "exam")


def as_picture(image: Any) -> str:
    """Write the first channel of an image as a grey PNG file, in base64, its range from black to white.

    Args:
        image: ``(C, H, W)``.

    Example:
        >>> base64.b64decode(as_picture(np.eye(8)[None]))[1:4]
        b'PNG'
    """
    from PIL import Image

    pixels: NDArray[np.float64] = np.asarray(image, dtype=np.float64)[0]
    low, high = float(pixels.min()), float(pixels.max())
    grey = np.rint(255 * (pixels - low) / ((high - low) or 1)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def overlapping_groups(*parts: Sequence[Mapping[str, Any]]) -> int:
    """Count the patients or exams that are in two parts.

    Args:
        parts: items, with the key ``patient`` or ``exam`` where such are known.

    Example:
        >>> overlapping_groups([{"patient": 1}, {"patient": 2}], [{"patient": 2}], [{"patient": 3}])
        1
    """
    of_parts = [{(key, item[key]) for item in part for key in _GROUPS if key in item} for part in parts]
    everyone = set().union(*of_parts)
    return sum(sum(group in part for part in of_parts) > 1 for group in everyone)
