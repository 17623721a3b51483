"""Grey levels of an image: their step, their number, and gaps between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["FEW_BITS", "GAP_SHARE", "GreyLevels", "grey_levels"]

#: number of bits up to which an image is reported as one of few grey levels
FEW_BITS = 8
#: share of empty levels from which gaps are reported
GAP_SHARE = 0.05

#: number of voxels that are looked at for the step, and largest number of levels of a regular scale
_SAMPLES, _MOST_LEVELS = 2**16, 2**17
#: largest distance from a regular scale, in steps
_OFF = 0.05
#: voxels of a full level, and largest distance of two near levels, in steps
_FULL, _NEAR = 10, 4


@dataclass(frozen=True)
class GreyLevels:
    """Grey levels of an image.

    Args:
        step: distance of neighbouring levels in units of the image; 0 if there is no regular one.
        lowest: lowest value.
        levels: number of values that occur, counted in a sample of 65 536 voxels at most.
        bits: bits of a scale with this step over the range of the image; infinite without a step.
        gaps: share of levels that do not occur, of those from one full level to the next within four steps.
    """

    step: float
    lowest: float
    levels: int
    bits: float
    gaps: float

    @property
    def few(self) -> bool:
        """Whether 8 bits hold them, or no regular step but at most 256 values."""
        return self.levels > 1 and (self.bits <= FEW_BITS or self.levels <= 2**FEW_BITS)

    @property
    def has_gaps(self) -> bool:
        """Whether gaps have the share ``GAP_SHARE`` or more."""
        return self.gaps >= GAP_SHARE


def grey_levels(x: Tensor) -> GreyLevels:
    """Step, number and gaps of the grey levels.

    The step is the smallest difference of two values, if all are multiples of it, or a part of it. Numbers with their
    own rounding errors, such as noise in float32, have none.

    Args:
        x: image ``(*spatial)``.

    Example:
        >>> image = torch.randint(0, 256, (64, 64), generator=torch.Generator().manual_seed(0))
        >>> found = grey_levels(image / 255)
        >>> round(found.step * 255, 3), found.levels, found.bits, found.few
        (1.0, 256, 8.0, True)
        >>> grey_levels(torch.rand(64, 64)).step
        0.0
    """
    flat = x.flatten()
    stride = max(1, len(flat) // _SAMPLES) | 1  # odd: sizes of images are even
    values, counts = torch.unique(flat[::stride].double(), return_counts=True)
    step = _step(values)
    lowest, span = float(values[0]), float(values[-1] - values[0])
    bits = math.log2(round(span / step) + 1) if step else math.inf
    return GreyLevels(step, lowest, len(values), bits, _gaps(values, counts, step) if step else 0.0)


def _step(values: Tensor) -> float:
    """Step of a regular scale on which all values lie, or 0."""
    if len(values) < 3:
        return 0.0
    smallest = float(values.diff().min())
    for part in (1, 2, 3, 4):
        step = smallest / part
        if (values[-1] - values[0]) / step > _MOST_LEVELS:
            return 0.0
        places = (values - values[0]) / step
        # a smallest difference has an error that grows with the distance: fit the step
        for _ in range(2):
            nearest = places.round()
            step = float((nearest * (values - values[0])).sum() / nearest.square().sum())
            places = (values - values[0]) / step
        if float((places - places.round()).abs().max()) < _OFF:
            return step
    return 0.0


def _gaps(values: Tensor, counts: Tensor, step: float) -> float:
    """Share of empty levels between two that are near each other, and full enough that chance explains no gap."""
    full = counts >= _FULL
    apart = (values.diff() / step).round()
    near = full[1:] & full[:-1] & (apart <= _NEAR)
    levels = float(apart[near].sum())
    return float((apart[near] - 1).sum()) / levels if levels >= _NEAR else 0.0
