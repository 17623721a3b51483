r"""Single peaks of a spectrum: lines of a grid, interlacing, moiré, and spikes in k-space."""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from .log_power import LogPower, long_axes

__all__ = ["PEAK_HEIGHT", "Peak", "spectral_peaks"]

#: height of a peak in dB from which it is reported
PEAK_HEIGHT = 18.0

_DECIBEL = 10 / math.log(10)
#: neighbours on either side along each axis that a peak is compared with, and those that its own width takes
_REACH, _OWN = 8, 2
#: lowest radius of a peak: cycles per voxel, and cycles over the image
_LOWEST, _CYCLES = 0.06, 12
#: smallest amplitude of a wave, in SD of the image: below it are rounding errors
_LEAST_AMPLITUDE = 1e-3
_MOST = 8


class Peak(NamedTuple):
    """Wave that stands out of a spectrum.

    Args:
        frequency: along each axis, in cycles per voxel; the last is not negative.
        height: over the highest mean log power of its neighbours, in dB.
        amplitude: of the wave, in SD of the image.
    """

    frequency: tuple[float, ...]
    height: float
    amplitude: float

    @property
    def axis(self) -> int | None:
        """Axis along which the wave runs, as grid lines and interlacing do; None if it is oblique."""
        waving = [axis for axis, frequency in enumerate(self.frequency) if frequency]
        return waving[0] if len(waving) == 1 else None

    @property
    def found(self) -> bool:
        """Whether the peak is ``PEAK_HEIGHT`` or higher, and its wave no rounding error."""
        return self.height >= PEAK_HEIGHT and self.amplitude >= _LEAST_AMPLITUDE


def spectral_peaks(power: LogPower) -> list[Peak]:
    """Highest peaks of a spectrum, at most 8: of those that are found, or the one highest.

    A peak is compared with the mean of 6 neighbours before and 6 behind it along each axis, whichever mean is highest:
    streaks of straight edges, and the corner of a cut spectrum, are no peaks. Textures and radiographs without waves
    have up to 16 dB. A wave of 5% of the SD is found in 256 x 256 pixels, in smaller images if it is stronger.

    Args:
        power: spectrum of the image.

    Example:
        >>> image = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
        >>> image = image + torch.cos(2 * torch.pi * 0.25 * torch.arange(64))
        >>> [(peak.frequency, peak.axis) for peak in spectral_peaks(LogPower(image))]
        [((0.0, 0.25), 1)]
    """
    sizes = power.image.shape
    axes = [axis for axis in long_axes(sizes) if sizes[axis] // 2 > _REACH]
    deviation = float(power.image.std()) if power.image.numel() > 1 else 0.0
    if not axes or not deviation > 0:
        return []
    values = power.values
    around = reduce(torch.maximum, (_around(values, axis, axis < len(sizes) - 1) for axis in axes))
    height = (values - around).masked_fill(_radius(sizes, values) < max(_LOWEST, _CYCLES / max(sizes)), 0)
    peaks: list[Peak] = []
    for _ in range(_MOST):
        place = [int(index) for index in torch.unravel_index(height.argmax(), height.shape)]
        amplitude = 2 * math.exp(float(values[tuple(place)]) / 2) / power.gain / deviation
        peak = Peak(_frequency(place, sizes), _DECIBEL * float(height[tuple(place)]), amplitude)
        if peaks and not peak.found:
            break
        peaks.append(peak)
        _erase(height, place)
        if 2 * place[-1] % sizes[-1] == 0:  # its negative frequency is in the half spectrum, too
            _erase(height, [-index % size for index, size in zip(place[:-1], sizes, strict=False)] + place[-1:])
    return peaks


def _around(values: Tensor, axis: int, whole: bool) -> Tensor:
    """Larger mean of the neighbours on either side along an axis; a half spectrum goes on as its mirror image."""
    size = values.shape[axis]
    place = torch.arange(-_REACH, size + _REACH, device=values.device)
    place = place % size if whole else (size - 1) - ((size - 1) - place.abs()).abs()
    wide = values.index_select(axis, place)

    def pairs(sums: Tensor, apart: int) -> Tensor:
        number = sums.shape[axis] - apart
        return sums.narrow(axis, 0, number) + sums.narrow(axis, apart, number)

    # sums of 2, 4 and 8 neighbours in a row: faster than a convolution
    two = pairs(wide, 1)
    eight = pairs(pairs(two, 2), 4)
    before = eight.narrow(axis, 0, size) - two.narrow(axis, _REACH - _OWN, size)
    behind = eight.narrow(axis, _REACH + 1, size) - two.narrow(axis, _REACH + 1, size)
    return torch.maximum(before, behind) / (_REACH - _OWN)


def _radius(sizes: tuple[int, ...], values: Tensor) -> Tensor:
    axes = [torch.fft.fftfreq(n, device=values.device) for n in sizes[:-1]]
    axes.append(torch.fft.rfftfreq(sizes[-1], device=values.device))
    return reduce(torch.add, torch.meshgrid(*(axis.square() for axis in axes), indexing="ij")).sqrt()


def _frequency(place: list[int], sizes: tuple[int, ...]) -> tuple[float, ...]:
    """Frequency of a bin; those of an axis' end are positive."""
    return tuple(
        (index if 2 * index <= size else index - size) / size for index, size in zip(place, sizes, strict=True)
    )


def _erase(height: Tensor, place: list[int]) -> None:
    """Take a peak and what the window spreads of it out of the heights, in place."""
    reach = torch.arange(-2 * _OWN, 2 * _OWN + 1, device=height.device)
    near = [(reach + index) % size for index, size in zip(place, height.shape, strict=True)]
    height[torch.meshgrid(*near, indexing="ij")] = 0
