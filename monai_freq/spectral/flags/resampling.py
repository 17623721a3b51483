r"""Traces of interpolation: the detail of a resampled image rises and falls with the places of the old voxels."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from .log_power import long_axes

__all__ = ["RESAMPLING_HEIGHT", "Resampling", "resampling_factors", "resampling_traces"]

#: height of a peak in dB from which resampling is reported
RESAMPLING_HEIGHT = 18.0

_DECIBEL = 10 / math.log(10)
#: lowest frequency of a period, in cycles per voxel and over the axis: the outlines of anatomy vary slowly
_LOWEST, _CYCLES = 0.1, 6
#: neighbours on either side whose median a peak is compared with
_REACH = 8
#: part of the mean difference that is added before a logarithm
_FLOOR = 0.1


class Resampling(NamedTuple):
    """Strongest period of the detail along an axis.

    Args:
        axis: axis of the image.
        frequency: of the period, in cycles per voxel.
        height: of its peak over the median of its neighbours, in dB.
    """

    axis: int
    frequency: float
    height: float

    @property
    def found(self) -> bool:
        """Whether the peak is ``RESAMPLING_HEIGHT`` or higher."""
        return self.height >= RESAMPLING_HEIGHT


def resampling_traces(x: Tensor, *, blocks: bool = False) -> list[Resampling]:
    r"""Strongest period of the detail along each long axis.

    .. math:: v(i) = \overline{\log |\Delta^m x|}, \quad m = 1, 2; \qquad
              \frac{|\mathcal{F}(w v)(f)|^2}{\text{median of 16 neighbours}}

    with the mean over all lines along the axis. A voxel between two old ones has less noise and less curvature than one
    on an old place, so that v has the period of the old grid: 1/r voxels after a change of the number of voxels by r,
    see :func:`resampling_factors`, or a part of
    it.

    In textures of 256 x 256 pixels enlargements by 1.25 to 3 are found with linear, nearest and spline interpolation,
    and with cubic interpolation but for exactly 2, where both new voxels are alike. Images that were not resampled have
    up to 15 dB. Small images show less, and Fourier interpolation and smooth shrinking leave no period.

    Args:
        x: image ``(*spatial)`` of a floating type.
        blocks: whether to leave out multiples of 1/8 cycle per voxel, the traces of JPEG.

    Reference:
        A. C. Gallagher (2005), "Detection of linear and cubic interpolation in JPEG compressed images", Canadian
        Conference on Computer and Robot Vision. DOI 10.1109/CRV.2005.33: the second difference.

    Example:
        >>> noise = torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
        >>> large = torch.nn.functional.interpolate(noise, size=(64, 64), mode="bilinear")[0, 0]
        >>> [(trace.axis, trace.found, round(trace.frequency, 2)) for trace in resampling_traces(large)]
        [(0, True, 0.38), (1, True, 0.38)]
    """
    return [
        max((_strongest(x, axis, order, blocks) for order in (1, 2)), key=lambda t: t.height)
        for axis in long_axes(x.shape)
    ]


def resampling_factors(frequency: float) -> tuple[float, ...]:
    """Changes of the number of voxels that leave a period, largest first.

    A period is known up to whole cycles per voxel: an enlargement by 1.6 and one by 2.67 look the same.

    Args:
        frequency: frequency of the period, in cycles per voxel, (0, 0.5].

    Example:
        >>> [round(factor, 4) for factor in resampling_factors(2 / 7)]  # 448 of 1024 voxels leave it, too: 0.4375
        [3.5, 1.4, 0.7778, 0.5833, 0.4375]
    """
    return tuple(1 / whole for whole in (frequency, 1 - frequency, 1 + frequency, 2 - frequency, 2 + frequency))


def _strongest(x: Tensor, axis: int, order: int, blocks: bool) -> Resampling:
    detail = x.movedim(axis, 0).flatten(1).diff(n=order, dim=0).abs()
    floor = _FLOOR * detail.mean()
    if not floor > 0 or len(detail) // 2 < _REACH:  # too short for a neighbourhood of each frequency
        return Resampling(axis, 0.0, 0.0)
    level = (detail + floor).log().mean(1).double()
    window = torch.hann_window(len(level), dtype=level.dtype, device=level.device)
    power = torch.fft.rfft((level - level.mean()) * window).abs().square()
    around = pad(power[None], (_REACH, _REACH), mode="reflect")[0].unfold(0, 2 * _REACH + 1, 1).median(1).values
    height = (power / around.clamp(min=torch.finfo(power.dtype).tiny)).log()
    frequency = torch.arange(len(height), device=height.device) / len(level)
    out = frequency < max(_LOWEST, _CYCLES / len(level))
    out[1:-1] |= (power[1:-1] < power[:-2]) | (power[1:-1] < power[2:])
    if blocks:
        out |= (8 * frequency - (8 * frequency).round()).abs() < 12 / len(level)
    height = height.masked_fill(out, 0.0)
    best = int(height.argmax())
    return Resampling(axis, _between(power, best) / len(level), _DECIBEL * float(height[best]))


def _between(power: Tensor, best: int) -> float:
    """Place of a peak between the bins, from a parabola through the logarithm; at the ends the bin."""
    if not 0 < best < len(power) - 1:
        return float(best)
    before, at, after = power[best - 1 : best + 2].clamp(min=torch.finfo(power.dtype).tiny).log().tolist()
    curvature = before - 2 * at + after
    return best + (0.5 * (before - after) / curvature if curvature < 0 else 0.0)
