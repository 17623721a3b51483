r"""Radial power spectrum density of images: how much of them lies at which spatial frequency.

The spectrum is averaged over rings (2D) or shells (3D) of equal width; the width is the finest frequency step of the
grid, so that a tone along any axis has a ring of its own. The *mean* over a ring is taken, not the sum, which would
grow with the ring's circumference: white noise has a flat density.

Reference:
    Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging", Eq. 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .cache import cached
from .precision import check_image, compute_dtype

__all__ = ["BANDS", "band_shares", "centroid", "overlap", "radial_psd"]

#: name -> (low, high] in cycles per voxel
BANDS = {"low": (0.0, 1 / 6), "mid": (1 / 6, 1 / 3), "high": (1 / 3, 1 / 2)}

#: a frequency on the border of two rings, up to rounding, belongs to the outer one
_ROUNDING = 1e-6


def radial_psd(
    x: Tensor,
    spacing: Sequence[float] | None = None,
    power: float = 1,
    *,
    spatial_dims: int,
    corners: bool = False,
) -> tuple[Tensor, Tensor]:
    r"""Mean of the spectrum over each ring or shell.

    .. math:: \text{PSD}(k) = \frac{1}{|R_k|} \sum_{f \in R_k} |\mathcal{F}(x)(f)|^\text{power}, \qquad
              R_k = \{f : (k - \tfrac12) \Delta \le |f| < (k + \tfrac12) \Delta\}

    with :math:`\Delta` the finest frequency step of the grid. For a square image of M voxels, ring k holds the radius
    k / M cycles per voxel.

    Args:
        x: images, or input gradients.
        spacing: voxel size along each spatial axis in mm; frequencies are in cycles per mm then.
        power: 1 for the magnitude as in the paper, 2 for the energy.
        spatial_dims: number of trailing spatial dimensions.
        corners: include the rings beyond the highest frequency of the axes, which only the corners of the spectrum
            reach.

    Returns:
        Frequencies ``(K,)`` in cycles per voxel (or per mm), and densities ``(*, K)``; rings that no frequency of the
        grid falls into are left out.

    Shape:
        ``(*, *spatial)`` -> ``(K,)``, ``(*, K)``; float64 is kept, everything else is computed in float32.

    Raises:
        ValueError: x is complex, empty or has too few dimensions; spacing or power is not positive.

    Reference:
        Y. Lu et al. (2025), Eq. 1, printed as a sum over the angle.

    Example:
        >>> tone = torch.cos(2 * torch.pi * 5 * torch.arange(32) / 32).expand(32, 32)
        >>> frequencies, density = radial_psd(tone, spatial_dims=2)
        >>> float(frequencies[density.argmax()]) * 32
        5.0
    """
    _check(x, spacing, power, spatial_dims)
    image = x.to(compute_dtype(x))
    spectrum = torch.fft.rfftn(image, dim=tuple(range(-spatial_dims, 0)))
    amount = _amount(spectrum, power)
    grid = _Grid(tuple(x.shape[-spatial_dims:]), _steps(spacing, spatial_dims), corners)
    ring, weight = grid.rings(image)
    frequencies = grid.frequencies(image)
    flat = (amount.flatten(-spatial_dims) * weight).reshape(-1, weight.numel())
    sums = flat.new_zeros(flat.shape[0], len(frequencies) + 1).scatter_add(1, ring.expand_as(flat), flat)
    return frequencies, sums[:, :-1].reshape(*x.shape[:-spatial_dims], len(frequencies))


def centroid(frequencies: Tensor, density: Tensor) -> Tensor:
    r"""Mean frequency of a density, DC left out.

    .. math:: \frac{\sum_k f_k\, \text{PSD}(k)}{\sum_k \text{PSD}(k)}, \qquad f_k > 0

    Args:
        frequencies: ``(K,)``.
        density: ``(*, K)``, not negative; where it is zero everywhere, the centroid is 0.

    Shape:
        ``(*,)``, in the unit of the frequencies.

    Example:
        >>> centroid(torch.tensor([0.0, 0.1, 0.3]), torch.tensor([9.0, 1.0, 1.0]))
        tensor(0.2000)
    """
    return (frequencies * _shares(frequencies, density)).sum(-1)


def band_shares(frequencies: Tensor, density: Tensor) -> dict[str, Tensor]:
    """Share of a density in the low, mid and high band, DC left out.

    Args:
        frequencies: ``(K,)`` in cycles per voxel.
        density: ``(*, K)``, not negative.

    Returns:
        ``low`` (0, 1/6], ``mid`` (1/6, 1/3] and ``high`` (1/3, 1/2] cycles per voxel, each ``(*,)``; they sum to one
        unless the density is zero everywhere or has corners.

    Example:
        >>> shares = band_shares(torch.tensor([0.0, 0.1, 0.3, 0.5]), torch.tensor([9.0, 1.0, 1.0, 2.0]))
        >>> {name: float(share) for name, share in shares.items()}
        {'low': 0.25, 'mid': 0.25, 'high': 0.5}
    """
    shares = _shares(frequencies, density)
    return {
        name: (shares * ((frequencies > low + _ROUNDING) & (frequencies <= high + _ROUNDING))).sum(-1)
        for name, (low, high) in BANDS.items()
    }


def overlap(first: Tensor, second: Tensor) -> Tensor:
    r"""Common part of two densities over the same frequencies, in [0, 1].

    .. math:: \sum_k \min\Bigl( \frac{a_k}{\sum_j a_j}, \frac{b_k}{\sum_j b_j} \Bigr)

    Args:
        first: ``(*, K)``, not negative.
        second: ``(*, K)``, not negative.

    Shape:
        ``(*,)``; 0 where a density is zero everywhere.

    Raises:
        ValueError: the numbers of frequencies differ.

    Example:
        >>> overlap(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 3.0, 3.0]))
        tensor(0.5000)
    """
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(
            f"'first' and 'second' must share their frequencies, got {first.shape[-1]} and {second.shape[-1]}."
        )
    return torch.minimum(_normalized(first), _normalized(second)).sum(-1)


class _Grid(NamedTuple):
    """Geometry of a spectrum: sizes, voxel sizes, and whether its corners count."""

    sizes: tuple[int, ...]
    steps: tuple[float, ...]
    corners: bool

    def rings(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Ring of each bin of an ``rfftn``, and its weight in the ring's mean, both flat."""
        ring = cached(("ring", *self, like.device), lambda: self._table()[0].to(like.device))
        weight = cached(
            ("weight", *self, like.dtype, like.device), lambda: self._table()[1].to(like.device, like.dtype)
        )
        return ring, weight

    def frequencies(self, like: Tensor) -> Tensor:
        """Centre of each ring that some bin falls into."""
        return cached(
            ("frequencies", *self, like.dtype, like.device), lambda: self._table()[2].to(like.device, like.dtype)
        )

    def _table(self) -> tuple[Tensor, Tensor, Tensor]:
        axes = [torch.fft.fftfreq(n, d, dtype=torch.float64) for n, d in zip(self.sizes, self.steps, strict=True)]
        axes[-1] = torch.fft.rfftfreq(self.sizes[-1], self.steps[-1], dtype=torch.float64)
        grids = torch.meshgrid(*axes, indexing="ij")
        radius = torch.stack([grid.square() for grid in grids]).sum(0).sqrt().flatten()
        width = 1 / max(n * d for n, d in zip(self.sizes, self.steps, strict=True))
        ring = torch.floor(radius / width + 0.5 + _ROUNDING).long()
        highest = max(float(axis.abs().max()) for axis in axes)
        inside = (
            torch.ones_like(ring, dtype=torch.bool) if self.corners else ring * width <= highest + _ROUNDING * width
        )
        multiplicity = self._multiplicity(axes[-1]).expand_as(grids[0]).flatten()
        counts = torch.zeros(int(ring.max()) + 1, dtype=torch.float64).scatter_add(0, ring, multiplicity * inside)
        kept = torch.nonzero(counts).flatten()
        compact = torch.full((len(counts),), len(kept))  # bins outside go to one more ring, which is dropped
        compact[kept] = torch.arange(len(kept))
        weight = torch.where(inside, multiplicity / counts[ring].clamp(min=1), 0.0)
        return torch.where(inside, compact[ring], len(kept)), weight, kept.double() * width

    def _multiplicity(self, last: Tensor) -> Tensor:
        """How many bins of the full spectrum each bin of the half spectrum stands for, along its last axis."""
        size = self.sizes[-1]
        doubled = torch.full((len(last),), 2.0, dtype=torch.float64)
        doubled[0] = 1
        if size % 2 == 0:
            doubled[-1] = 1
        return doubled


def _amount(spectrum: Tensor, power: float) -> Tensor:
    """``|F|`` to a power; without ``abs``, which is slow, where no gradient is needed: at 0 only ``abs`` has one."""
    squares = torch.view_as_real(spectrum).square()
    energy = squares[..., 0] + squares[..., 1]
    if power == 2:
        return energy
    if energy.requires_grad:
        return spectrum.abs().pow(power) if power != 1 else spectrum.abs()
    return energy.sqrt_() if power == 1 else energy.pow_(power / 2)


def _steps(spacing: Sequence[float] | None, spatial_dims: int) -> tuple[float, ...]:
    return (1.0,) * spatial_dims if spacing is None else tuple(float(step) for step in spacing)


def _shares(frequencies: Tensor, density: Tensor) -> Tensor:
    return _normalized(density * (frequencies > 0))


def _normalized(density: Tensor) -> Tensor:
    total = density.sum(-1, keepdim=True)
    return density / torch.where(total > 0, total, torch.ones_like(total))


def _check(x: Tensor, spacing: Sequence[float] | None, power: float, spatial_dims: int) -> None:
    check_image(x, spatial_dims)
    if spacing is not None and (len(spacing) != spatial_dims or not all(math.isfinite(d) and d > 0 for d in spacing)):
        raise ValueError(f"'spacing' must be {spatial_dims} positive voxel sizes in mm, got {tuple(spacing)}.")
    if isinstance(power, bool) or not power > 0:
        raise ValueError(f"'power' must be positive, got {power!r}.")
