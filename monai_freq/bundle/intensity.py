"""Which intensities of an image become 0 and 1."""

from __future__ import annotations

import math

__all__ = ["check_window"]


def check_window(window: object) -> None:
    """End the program with two readable lines when an intensity window cannot work.

    Args:
        window: two increasing numbers in the image's unit (HU for CT); None for each image's own minimum and maximum.

    Raises:
        SystemExit: it is anything else.

    Example:
        >>> check_window([-160, 240])
        >>> check_window([240, -160])
        Traceback (most recent call last):
        SystemExit: 'intensity_window' must be two increasing numbers or None, got [240, -160].
        As in --intensity_window [-160,240]
    """
    if window is not None and not _is_window(window):
        raise SystemExit(
            f"'intensity_window' must be two increasing numbers or None, got {window!r}.\n"
            "As in --intensity_window [-160,240]"
        )


def _is_window(window: object) -> bool:
    if not isinstance(window, (list, tuple)) or len(window) != 2:
        return False
    if any(isinstance(end, bool) or not isinstance(end, (int, float)) or not math.isfinite(end) for end in window):
        return False
    return bool(window[0] < window[1])
