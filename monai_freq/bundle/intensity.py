"""Which intensities of an image become 0 and 1."""

from __future__ import annotations

import math

from torch import Tensor

__all__ = ["check_window", "over_maximum"]


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
        As in --intensity_window [-160,240], or --intensity_window '$None'
    """
    if window is not None and not _is_window(window):
        raise SystemExit(
            f"'intensity_window' must be two increasing numbers or None, got {window!r}.\n"
            "As in --intensity_window [-160,240], or --intensity_window '$None'"
        )


def _is_window(window: object) -> bool:
    if not isinstance(window, (list, tuple)) or len(window) != 2:
        return False
    if any(isinstance(end, bool) or not isinstance(end, (int, float)) or not math.isfinite(end) for end in window):
        return False
    return bool(window[0] < window[1])


def over_maximum(image: Tensor) -> Tensor:
    r"""Divide a magnitude image by its maximum: what is 0 stays 0, as the noise of magnitudes has it.

    .. math:: x / \max x

    Args:
        image: not negative; one without a positive voxel is returned as it is.

    Shape:
        Any, the same.

    Example:
        >>> import torch
        >>> over_maximum(torch.tensor([[0.0, 2.0, 4.0]]))
        tensor([[0.0000, 0.5000, 1.0000]])
    """
    highest = image.max()
    return image / highest if highest > 0 else image
