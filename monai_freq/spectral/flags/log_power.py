"""Logarithm of the power of an image under a window, and its profiles along the axes and over the radius."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import torch
from torch import Tensor

from ..cache import cached

__all__ = ["LogPower", "long_axes"]

#: number of voxels of an axis below which it has no profile: a window would leave next to nothing of it
_LEAST = 16
#: highest frequency of the other axes that counts in the profile of an axis, in cycles per voxel
_REACH = 0.125


def long_axes(shape: Sequence[int]) -> list[int]:
    """Axes that are long enough to be looked at: of 16 voxels or more.

    Args:
        shape: numbers of voxels.

    Example:
        >>> long_axes((64, 64, 5))
        [0, 1]
    """
    return [axis for axis, size in enumerate(shape) if size >= _LEAST]


@dataclass(frozen=True)
class LogPower:
    r"""Logarithm of the power of an image under a Hann window along each long axis, in nepers.

    .. math:: L(f) = \log \bigl( |\mathcal{F}(w (x - \bar{x}))(f)|^2 + \varepsilon \bigr)

    with epsilon the power of the rounding errors of the type of x. The window keeps the jump between opposite borders
    out of the spectrum, and spreads a sharp edge of the spectrum by one frequency step.

    Args:
        image: image ``(*spatial)`` of a floating type.

    Example:
        >>> tone = torch.cos(2 * torch.pi * 8 * torch.arange(32) / 32).expand(32, 32)
        >>> power = LogPower(tone)
        >>> power.values.shape, int(power.values.amax(0).argmax())
        (torch.Size([32, 17]), 8)
    """

    image: Tensor

    @cached_property
    def values(self) -> Tensor:
        """L over the half spectrum, ``(*sizes[:-1], sizes[-1] // 2 + 1)``."""
        image = self.image
        windows = [_window(axis, image) for axis in range(image.ndim)]
        window: Tensor = reduce(torch.mul, windows)
        centred = image - (image * window).sum() / window.sum()
        spectrum = torch.fft.rfftn(centred * window)
        rounding = (torch.finfo(image.dtype).eps * float(image.abs().max())) ** 2 * float(window.square().sum())
        power = spectrum.real.square() + spectrum.imag.square()
        level: Tensor = (power + max(rounding, torch.finfo(image.dtype).tiny)).log()
        return level

    @cached_property
    def gain(self) -> float:
        """Magnitude of a wave of amplitude 2, the sum of the window."""
        return math.prod(float(_window(axis, self.image).sum()) for axis in range(self.image.ndim))

    def along(self, axis: int) -> tuple[Tensor, int]:
        """Mean of L at each frequency of an axis, ``(K,)``, and how many bins it is of.

        Frequencies of the other axes count up to 0.125 cycles per voxel, where images have most of their power.

        Args:
            axis: axis of the image.
        """
        values, sizes, count = self.values, self.image.shape, 1
        for other, size in enumerate(sizes):
            if other != axis:
                reach = max(int(_REACH * size), min(1, size // 2))
                places = torch.arange(0 if other == len(sizes) - 1 else -reach, reach + 1, device=values.device)
                values = values.index_select(other, places % values.shape[other])
                count *= len(places)
        profile = values.movedim(axis, 0).flatten(1).mean(1)
        if axis == len(sizes) - 1:
            return profile, count
        positive = torch.arange(sizes[axis] // 2 + 1, device=values.device)
        return (profile[positive] + profile[-positive]) / 2, 2 * count

    @cached_property
    def radial(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rings in cycles per voxel, the mean of L in each, and the number of its bins, ``(K,)`` each."""
        sizes = tuple(self.image.shape)
        rings = max(sizes) // 2 + 1
        place = cached(("flags", sizes, self.image.device), lambda: _rings(sizes, rings).to(self.image.device))
        counts = torch.bincount(place, minlength=rings + 1)[:rings]
        sums = self.values.new_zeros(rings + 1).index_add_(0, place, self.values.flatten())[:rings]
        return torch.arange(rings, device=place.device) / max(sizes), sums / counts.clamp(min=1), counts


def _window(axis: int, image: Tensor) -> Tensor:
    """Window along one axis, in the shape that broadcasts."""
    size = image.shape[axis]
    whole = image.new_ones(size) if size < _LEAST else torch.hann_window(size, dtype=image.dtype, device=image.device)
    return whole.view(-1, *[1] * (image.ndim - 1 - axis))


def _rings(sizes: tuple[int, ...], rings: int) -> Tensor:
    axes = [torch.fft.fftfreq(n, dtype=torch.float64) for n in sizes[:-1]]
    axes.append(torch.fft.rfftfreq(sizes[-1], dtype=torch.float64))
    radius = reduce(torch.add, torch.meshgrid(*(axis.square() for axis in axes), indexing="ij")).sqrt()
    return (radius * max(sizes) + 0.5).long().clamp_(max=rings).flatten()
