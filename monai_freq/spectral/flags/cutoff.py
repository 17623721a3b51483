r"""A frequency above which an image holds nothing: zero filling in k-space, Fourier interpolation, ideal low-pass."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .log_power import LogPower, long_axes

__all__ = ["CUTOFF_DROP", "Cutoff", "spectral_cutoffs"]

#: drop in dB from which a cutoff is reported
CUTOFF_DROP = 10.0

_DECIBEL = 10 / math.log(10)
#: SD of the logarithm of an exponential variable, with what neighbours under a Hann window have in common
_SD = 1.28 * 1.4
#: lowest cutoff that is looked for, in cycles per voxel: natural images roll off fast below
_LOWEST = 0.125
#: level below the plateau at which the edge is set, in dB: between the last bin, -0.8, and the first outside, -7.8
_EDGE = 4.3


class Cutoff(NamedTuple):
    """Steepest step of a profile of the spectrum.

    Args:
        axis: axis of the image; None for the radius over all axes.
        frequency: last frequency before the step, in cycles per voxel.
        drop: height of the step in dB, beyond what the slopes of both sides explain.
        error: SD of the drop in dB in an image without a step.
    """

    axis: int | None
    frequency: float
    drop: float
    error: float

    @property
    def found(self) -> bool:
        """Whether the drop is ``CUTOFF_DROP`` or more, and six times its error."""
        return self.drop >= max(CUTOFF_DROP, 6 * self.error)


def spectral_cutoffs(power: LogPower) -> list[Cutoff]:
    r"""Steepest step of the spectrum along each long axis, and over the radius.

    .. math:: D(k) = \bar{L}_{k-w+1..k} - \bar{L}_{k+2..k+1+w} - (w + 1) \max(s_-, s_+, 0)

    with L the mean of the log power at frequency k, w a 64th of the voxels (at least 3), and s the roll-off per step
    over 2w steps on either side. The window spreads an edge by one step, which is left out.

    Zero-filled k-space drops by 15 dB or more, also if it was cropped or rounded to 8 bits. Images without a cutoff
    have up to 9 dB: textures with an amplitude of 1/f to 1/f\ :sup:`3`, radiographs, MR volumes, phantoms.

    Args:
        power: spectrum of the image.

    Example:
        >>> noise = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
        >>> spectrum = torch.fft.rfft2(noise)
        >>> spectrum[:, 21:] = 0
        >>> first, second, radial = spectral_cutoffs(LogPower(torch.fft.irfft2(spectrum)))
        >>> first.found, second.found, second.frequency * 64
        (False, True, 20.0)
    """
    sizes = power.image.shape
    axes = long_axes(sizes)
    found = []
    for axis in axes:
        profile, count = power.along(axis)
        found += _steepest(profile, torch.full_like(profile, count), sizes[axis], axis)
    if axes:
        _, profile, counts = power.radial
        found += _steepest(profile, counts, max(sizes), None)
    return found


def _steepest(profile: Tensor, counts: Tensor, size: int, axis: int | None) -> list[Cutoff]:
    level = profile.double().cpu()
    width, last = max(3, size // 64), len(level)
    step = torch.arange(max(2 * width, math.ceil(_LOWEST * size)), last - 3)
    if not len(step):
        return []
    sums = _Sums(level)
    left, right = (step - width + 1, step + 1), (step + 2, (step + 2 + width).clamp(max=last))
    slopes = sums.slope(step - 2 * width + 1, step + 1), sums.slope(step + 2, (step + 2 + 2 * width).clamp(max=last))
    rolled = -torch.minimum(*slopes).clamp(max=0)
    distance = (sum(right) - sum(left)) / 2
    drop = sums.mean(*left) - sums.mean(*right) - distance * rolled
    best = int(drop.argmax())
    variance = 2.5 / width + 1 / float(right[1][best] - right[0][best])
    error = _SD * math.sqrt(variance / float(counts[step[best]]))
    place = _edge(level, int(step[best]), width, min(0.0, float(slopes[0][best])))
    return [Cutoff(axis, place / size, _DECIBEL * float(drop[best]), _DECIBEL * error)]


def _edge(level: Tensor, step: int, width: int, slope: float) -> int:
    """Last frequency at the level of those before the step; a cropped image spreads the edge to both sides."""
    before = torch.arange(step - width - 1, step - 1)
    near = torch.arange(step - 4, step + 2)
    plateau = level[before].mean() + slope * (near - before.double().mean())
    above = near[level[near] > plateau - _EDGE / _DECIBEL]
    return int(above[-1]) if len(above) else step


class _Sums:
    """Means and slopes of a profile over ranges, from sums up to each place."""

    def __init__(self, level: Tensor) -> None:
        place = torch.arange(len(level), dtype=level.dtype)
        self.level, self.moment = (torch.nn.functional.pad(row.cumsum(0), (1, 0)) for row in (level, place * level))

    def mean(self, begin: Tensor, end: Tensor) -> Tensor:
        return (self.level[end] - self.level[begin]) / (end - begin)

    def slope(self, begin: Tensor, end: Tensor) -> Tensor:
        number = (end - begin).double()
        covariance = (
            self.moment[end] - self.moment[begin] - (begin + end - 1) / 2 * (self.level[end] - self.level[begin])
        )
        return covariance * 12 / (number * (number.square() - 1))
