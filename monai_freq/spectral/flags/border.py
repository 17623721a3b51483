"""A constant border: padding, a collimator, or air that was set to a number."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["BORDER_SHARE", "constant_border", "without_border"]

#: share of the voxels from which a border is reported
BORDER_SHARE = 0.01

#: largest range of a constant line, as a part of that of the image: four grey levels of 256, which JPEG leaves
_TOLERANCE = 1 / 64


def constant_border(x: Tensor) -> list[tuple[int, int]]:
    """Numbers of constant lines (2D) or planes (3D) before and behind the content of each axis.

    A line is constant if its values are one number, that of the line at the border, within a 64th of the range of the
    image. White noise of a hundredth of the range has no such line.

    Args:
        x: image ``(*spatial)``.

    Returns:
        Numbers of voxels for each axis; an image that is constant as a whole has none.

    Example:
        >>> image = torch.zeros(32, 32)
        >>> image[3:30, :24] = torch.rand(27, 24, generator=torch.Generator().manual_seed(0))
        >>> constant_border(image)
        [(3, 2), (0, 8)]
    """
    low, high = x.aminmax()
    tolerance = _TOLERANCE * float(high - low)
    if not tolerance > 0:
        return [(0, 0)] * x.ndim
    border = []
    for axis in range(x.ndim):
        lines = x.movedim(axis, 0).flatten(1)
        least, most = lines.amin(1), lines.amax(1)
        border.append((_constant(least, most, tolerance), _constant(least.flip(0), most.flip(0), tolerance)))
    return border


def without_border(x: Tensor, border: list[tuple[int, int]]) -> Tensor:
    """Content of an image.

    Args:
        x: image ``(*spatial)``.
        border: as :func:`constant_border` gives it.

    Example:
        >>> without_border(torch.zeros(8, 8), [(2, 1), (0, 0)]).shape
        torch.Size([5, 8])
    """
    for axis, (before, behind) in enumerate(border):
        x = x.narrow(axis, before, x.shape[axis] - before - behind)
    return x


def _constant(least: Tensor, most: Tensor, tolerance: float) -> int:
    """Number of lines from the first on that have its value."""
    constant = (torch.maximum(most, most[0]) - torch.minimum(least, least[0])) <= tolerance
    return len(constant) if bool(constant.all()) else int(constant.long().argmin())
