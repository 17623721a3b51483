r"""Radial power spectrum density: how much of an image lies at which spatial frequency.

The spectrum is averaged over rings (2D) or shells (3D) of equal width. The width is the finest frequency step of the
grid, so that a tone along any axis has a ring of its own. The density is the *mean* over a ring, which is the paper's
integral over the angle divided by 2 pi. A sum over the frequencies of a ring would grow with its circumference. White
noise has a flat density.

Reference:
    Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
    DOI 10.1117/12.3047670, Eq. 1.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from ..quoting import written
from .cache import cached
from .frequency_unit import PerMillimetre, require_per_voxel, unit_of
from .precision import as_computed, check_image, check_numbers, compute_dtype
from .scalars import check_choice, is_finite_number

__all__ = ["BANDS", "band_shares", "centroid", "overlap", "radial_psd"]

#: name of a band -> (low, high] in cycles per voxel
BANDS = {"low": (0.0, 1 / 6), "mid": (1 / 6, 1 / 3), "high": (1 / 3, 1 / 2)}

#: normalisations of a transform, as torch.fft names them
_NORMS = ("backward", "ortho", "forward")

#: relative tolerance that puts a frequency on the border of two rings into the outer one
_ROUNDING = 1e-6

#: number of sums of each ring: neighbours in a row take turns, so that no addition waits for the one before
_TURNS = 4

#: number of voxels of a piece of a batch on a CPU: its spectra stay in the caches from one step to the next
_VOXELS_AT_ONCE = 2**21


def radial_psd(
    x: Tensor,
    spacing: Sequence[float] | None = None,
    power: float = 1,
    *,
    spatial_dims: int,
    corners: bool = False,
    norm: str = "backward",
) -> tuple[Tensor, Tensor]:
    r"""Mean of the spectrum over each ring or shell.

    .. math:: \text{PSD}(k) = \frac{1}{|R_k|} \sum_{f \in R_k} |\mathcal{F}(x)(f)|^\text{power}, \qquad
              R_k = \{f : (k - \tfrac12) \Delta \le |f| < (k + \tfrac12) \Delta\}

    with :math:`\Delta` the finest frequency step of the grid. For a square image of M voxels, ring k holds the radius
    k / M cycles per voxel. Without corners, the last ring is the one below the highest frequency of the axes. It also
    holds that frequency, even if the next ring is nearer.

    Args:
        x: images, or input gradients.
        spacing: voxel size along each spatial axis in mm. With it, frequencies are in cycles per mm, and of the type
            :class:`monai_freq.spectral.frequency_unit.PerMillimetre`.
        power: exponent of the magnitude, 1 as in the paper, 2 for the energy.
        spatial_dims: number of trailing spatial dimensions.
        corners: whether to include the rings beyond the highest frequency of the axes, which only the corners of the
            spectrum reach.
        norm: normalisation of the transform, as in :mod:`torch.fft`. ``"backward"``: none. ``"forward"``: division by
            the number of voxels, so that an image has the same density on a finer grid. ``"ortho"``: division by the
            root of that number; with ``power=2`` this is the power spectral density over cycles per voxel, the variance
            in the case of white noise, and times the area or volume of a voxel the density over cycles per mm.

    Returns:
        Frequencies ``(K,)`` in cycles per voxel (or per mm), and densities ``(*, K)``; rings without a frequency of the
        grid are left out.

    Shape:
        ``(*, *spatial)`` -> ``(K,)``, ``(*, K)``; float64 is kept, everything else is computed in float32. On CUDA the
        last digits vary from call to call unless ``torch.use_deterministic_algorithms`` is on.

    Raises:
        ValueError: x is complex, empty or has too few dimensions; spacing or power is not positive; norm is unknown.

    Reference:
        Y. Lu et al. (2025), DOI 10.1117/12.3047670, Eq. 1: an integral over the angle, 2 pi times this mean.

    Example:
        >>> tone = torch.cos(2 * torch.pi * 5 * torch.arange(32) / 32).expand(32, 32)
        >>> frequencies, density = radial_psd(tone, spatial_dims=2)
        >>> float(frequencies[density.argmax()]) * 32
        5.0
    """
    _check(x, spacing, power, spatial_dims)
    check_choice("norm", norm, _NORMS)
    sizes, dims = tuple(x.shape[-spatial_dims:]), tuple(range(-spatial_dims, 0))
    grid = _Grid(sizes, _steps(spacing, spatial_dims), corners)

    images = x.reshape(-1, *sizes)
    # contiguous: torch 2.8 cannot transform expanded tensors
    pieces = (piece.to(compute_dtype(x)).contiguous() for piece in images.tensor_split(_pieces(images)))
    spectra = (torch.fft.rfftn(piece, dim=dims, norm=norm) for piece in pieces)
    density = grid.means(torch.cat([grid.sums(_magnitude(spectrum).pow_(power)) for spectrum in spectra]))
    frequencies = grid.frequencies(density)
    if spacing is not None:
        frequencies = frequencies.as_subclass(PerMillimetre)
    return frequencies, density.reshape(*x.shape[:-spatial_dims], -1)


def centroid(frequencies: Tensor, density: Tensor) -> Tensor:
    r"""Mean frequency of a density, without DC.

    .. math:: \frac{\sum_k f_k\, \text{PSD}(k)}{\sum_k \text{PSD}(k)}, \qquad f_k > 0

    Args:
        frequencies: frequencies ``(K,)``.
        density: density ``(*, K)``, not negative; if it is zero everywhere, the centroid is 0.

    Shape:
        ``(*,)``, in the unit and type of the frequencies.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: frequencies and density differ in number.

    Example:
        >>> centroid(torch.tensor([0.0, 0.1, 0.3]), torch.tensor([9.0, 1.0, 1.0]))
        tensor(0.2000)
    """
    _check_axis(frequencies, density)
    middle = (frequencies * _shares(frequencies, density)).sum(-1)
    return middle.as_subclass(PerMillimetre) if isinstance(frequencies, PerMillimetre) else middle


def band_shares(
    frequencies: Tensor, density: Tensor, edges: Mapping[str, tuple[float, float]] | None = None
) -> dict[str, Tensor]:
    """Share of a density in each of several bands, without DC.

    Args:
        frequencies: frequencies ``(K,)`` in cycles per voxel, or in the unit of the edges.
        density: density ``(*, K)``, not negative.
        edges: name -> (low, high] of each band, in the unit of the frequencies; by default ``low`` (0, 1/6], ``mid``
            (1/6, 1/3] and ``high`` (1/3, 1/2] cycles per voxel. Frequencies in cycles per mm have no default bands.

    Returns:
        Name -> share ``(*,)``. The shares of the default bands sum to one, unless the density is zero everywhere or has
        corners.

    Warns:
        UserWarning: the frequencies reach beyond the default bands, which end at 0.5 cycles per voxel.

    Raises:
        TypeError: frequencies or density are no tensors, or edges are no mapping.
        ValueError: frequencies and density differ in number; the frequencies are not in cycles per voxel, and no edges
            are given; an edge is negative, or not below the next; a band begins beyond the highest frequency.

    Example:
        >>> shares = band_shares(torch.tensor([0.0, 0.1, 0.3, 0.5]), torch.tensor([9.0, 1.0, 1.0, 2.0]))
        >>> {name: float(share) for name, share in shares.items()}
        {'low': 0.25, 'mid': 0.25, 'high': 0.5}
        >>> wave = torch.cos(2 * torch.pi * torch.arange(60) / 10).expand(60, 60)  # of 10 voxels of 0.5 mm
        >>> per_mm = radial_psd(wave, spacing=(0.5, 0.5), spatial_dims=2)
        >>> shares = band_shares(*per_mm, edges={"below 0.1": (0, 0.1), "0.1 to 0.3": (0.1, 0.3)})
        >>> {name: f"{share:.2f}" for name, share in shares.items()}
        {'below 0.1': '0.00', '0.1 to 0.3': '1.00'}
    """
    _check_axis(frequencies, density)
    highest = float(frequencies.max())
    if edges is None:
        _check_default_bands(frequencies)
        edges = BANDS
        if highest > (1 + _ROUNDING) * edges["high"][1]:
            warnings.warn(
                f"the frequencies end at {highest:.3g} cycles per voxel, and the bands at 0.5: their shares do not sum "
                "to 1. Leave the corners out, or give 'edges' (if the frequencies are in cycles per mm, in that unit).",
                stacklevel=2,
            )
    _check_edges(edges, highest, unit_of(frequencies))
    shares, rounding = _shares(frequencies, density), 2 * _ROUNDING * highest
    return {
        name: (shares * ((frequencies > low + rounding) & (frequencies <= high + rounding))).sum(-1)
        for name, (low, high) in edges.items()
    }


def overlap(first: Tensor | tuple[Tensor, Tensor], second: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    r"""Common part of two densities over the same frequencies, in [0, 1].

    .. math:: \sum_k \min\Bigl( \frac{a_k}{\sum_j a_j}, \frac{b_k}{\sum_j b_j} \Bigr)

    Every frequency counts, even DC, which :func:`centroid` and :func:`band_shares` leave out: a loss can depend on the
    brightness, and an artifact can shift it.

    Args:
        first: frequencies ``(K,)`` and density ``(*, K)``, not negative, as :func:`radial_psd` returns them; or a
            density alone, so that only the number of frequencies can be compared.
        second: the other density, in the same form.

    Shape:
        ``(*,)``; 0 where a density is zero everywhere.

    Raises:
        TypeError: frequencies or a density are no tensors.
        ValueError: frequencies, units or numbers of frequencies differ, or only one density has its frequencies.

    Example:
        >>> overlap(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 3.0, 3.0]))
        tensor(0.5000)
        >>> image = torch.rand(32, 32, generator=torch.Generator().manual_seed(0))
        >>> overlap(radial_psd(image, spatial_dims=2), radial_psd(image, (3.0, 3.0), spatial_dims=2))
        Traceback (most recent call last):
        ValueError: 'first' and 'second' must be over the same frequencies, got 0 to 0.5 cycles / voxel and ...
    """
    axes = [given[0] if isinstance(given, tuple) else None for given in (first, second)]
    one, two = (given[1] if isinstance(given, tuple) else given for given in (first, second))
    _check_same_axis(axes, one, two)
    return torch.minimum(_normalized(as_computed(one, "first")), _normalized(as_computed(two, "second"))).sum(-1)


class _Grid(NamedTuple):
    """Geometry of a spectrum: numbers of voxels, voxel sizes, and whether the corners count."""

    sizes: tuple[int, ...]
    steps: tuple[float, ...]
    corners: bool

    def sums(self, amount: Tensor) -> Tensor:
        """Several sums for each ring, of half spectra ``(n, *spatial)`` of real images; overwrites the spectra."""
        for axis in range(1, len(self.sizes)):
            amount = _fold(amount, axis)
        place, weight = self._part(0, torch.int64, amount.device), self._part(1, amount.dtype, amount.device)
        return amount.new_zeros(len(amount), weight.numel()).index_add(1, place, amount.flatten(1))

    def means(self, sums: Tensor) -> Tensor:
        """Mean over each ring, ``(n, K)``."""
        weight = self._part(1, sums.dtype, sums.device)
        return (sums.view(-1, *weight.shape) * weight).sum(1)[:, :-1]

    def frequencies(self, like: Tensor) -> Tensor:
        """Centre of each ring with a bin; a copy, so that callers may write into it."""
        return self._part(2, like.dtype, like.device).clone()

    def _part(self, part: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        return cached(("psd", part, *self, dtype, device), lambda: self._table()[part].to(device, dtype))

    def _table(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sum that each bin of a folded spectrum belongs to, weights ``(sums, K + 1)``, and centres of the rings.

        The last sum of a ring is for the bins that stand for themselves alone in the half spectrum.
        """
        width, highest, outside = self._extent()
        axes = [torch.fft.rfftfreq(n, d, dtype=torch.float64) for n, d in zip(self.sizes, self.steps, strict=True)]
        radius = reduce(torch.add, torch.meshgrid(*(axis.square() for axis in axes), indexing="ij")).sqrt()
        ring = torch.floor(radius / width + 0.5 + _ROUNDING).long().clamp_(max=outside)
        ring[(ring == outside) & (radius <= highest)] = outside - 1
        twins = [_twins(n) for n in self.sizes]
        counts = torch.zeros(outside + 1, dtype=torch.float64).index_add(0, ring.flatten(), reduce(torch.kron, twins))
        kept = torch.nonzero(counts[:outside]).flatten()
        compact = torch.full((outside + 1,), len(kept))
        compact[kept] = torch.arange(len(kept))
        turn = torch.where(twins[-1] == 2, torch.arange(len(twins[-1])) % _TURNS, _TURNS)
        weight = torch.zeros(_TURNS + 1, len(kept) + 1, dtype=torch.float64)  # 0 for the last ring: it is outside
        weight[:-1, :-1], weight[-1, :-1] = 2 / counts[kept], 1 / counts[kept]
        return (turn * (len(kept) + 1) + compact[ring]).flatten(), weight, kept.double() * width

    def _extent(self) -> tuple[float, float, int]:
        """Width of a ring, highest frequency of the axes, and the first ring outside."""
        width = 1 / max(n * d for n, d in zip(self.sizes, self.steps, strict=True))
        ends = [(n // 2) / (n * d) for n, d in zip(self.sizes, self.steps, strict=True)]
        highest = max(ends) + _ROUNDING * width
        last = math.ceil(math.hypot(*ends) / width) if self.corners else math.floor(highest / width)
        return width, highest, last + 1


def _twins(size: int) -> Tensor:
    """Number of frequencies that each one from 0 upwards stands for: two if its negative is another frequency."""
    twins = torch.full((size // 2 + 1,), 2.0, dtype=torch.float64)
    twins[0] = 1
    if size % 2 == 0:
        twins[-1] = 1
    return twins


def _fold(amount: Tensor, axis: int) -> Tensor:
    """Add each frequency -k of an axis to k, which lies in the same ring."""
    size = amount.shape[axis]
    negative = (size - 1) // 2
    positive = amount.narrow(axis, 0, size - negative)
    mirrored = torch.arange(negative, 0, -1, device=amount.device)
    add = positive.index_add if amount.requires_grad else positive.index_add_  # autograd forbids the change in place
    return add(axis, mirrored, amount.narrow(axis, size - negative, negative))


def _magnitude(spectrum: Tensor) -> Tensor:
    """``|F|``; on a CPU numpy computes it, six times as fast as torch."""
    if spectrum.device.type == "cpu" and not spectrum.requires_grad:
        with suppress(RuntimeError):  # numpy cannot see the tensors of torch.func
            return torch.from_numpy(abs(spectrum.numpy()))
    return spectrum.abs()


def _pieces(images: Tensor) -> int:
    """Number of pieces of a batch."""
    return min(len(images), math.ceil(images.numel() / _VOXELS_AT_ONCE)) if images.device.type == "cpu" else 1


def _steps(spacing: Sequence[float] | None, spatial_dims: int) -> tuple[float, ...]:
    return (1.0,) * spatial_dims if spacing is None else tuple(float(step) for step in spacing)


def _shares(frequencies: Tensor, density: Tensor) -> Tensor:
    return _normalized(as_computed(density) * (frequencies > 0))


def _normalized(density: Tensor) -> Tensor:
    total = density.sum(-1, keepdim=True)
    return density / torch.where(total > 0, total, torch.ones_like(total))


def _check(x: Tensor, spacing: Sequence[float] | None, power: float, spatial_dims: int) -> None:
    check_image(x, spatial_dims)
    if spacing is not None and (len(spacing) != spatial_dims or not all(math.isfinite(d) and d > 0 for d in spacing)):
        raise ValueError(f"'spacing' must be {spatial_dims} positive voxel sizes in mm, got {tuple(spacing)}.")
    if not (is_finite_number(power) and power > 0):
        raise ValueError(f"'power' must be positive, got {written(power)}.")


def _check_axis(frequencies: Tensor, density: Tensor, name: str = "density") -> None:
    check_numbers(frequencies, "frequencies")
    check_numbers(density, name)
    if frequencies.ndim != 1 or density.ndim < 1 or density.shape[-1] != len(frequencies):
        shapes = f"{tuple(frequencies.shape)} and {tuple(density.shape)}"
        raise ValueError(f"'frequencies' and '{name}' must have the shapes (K,) and (*, K), got {shapes}.")


def _check_default_bands(frequencies: Tensor) -> None:
    try:
        require_per_voxel(frequencies)
    except ValueError as error:
        example = "edges={'coarse': (0, 0.1), 'fine': (0.1, 0.2)}"
        raise ValueError(f"{error}\nOr give the bands in the unit of the frequencies, as {example}.") from None


def _check_edges(edges: Mapping[str, tuple[float, float]], highest: float, unit: str) -> None:
    if not isinstance(edges, Mapping):
        raise TypeError(f"'edges' must be name -> (low, high), got {type(edges).__name__}: edges={{'low': (0, 0.1)}}.")
    for name, band in edges.items():
        if len(band) != 2 or not (all(map(is_finite_number, band)) and 0 <= band[0] < band[1]):
            raise ValueError(f"'edges' must be (low, high) with 0 <= low < high, got {written(band)} for '{name}'.")
        if 0 < highest < band[0] * (1 - _ROUNDING):
            raise ValueError(
                f"'edges' must be in the unit of the frequencies, which end at {highest:.3g} {unit}: "
                f"'{name}' begins at {band[0]:.3g}."
            )


def _check_same_axis(axes: Sequence[Tensor | None], one: Tensor, two: Tensor) -> None:
    for name, axis, density in zip(("first", "second"), axes, (one, two), strict=True):
        if axis is not None:
            _check_axis(axis, density, name)
    first, second = axes
    if (first is None) != (second is None):
        raise ValueError("'first' and 'second' must both have their frequencies, or neither.")
    if one.shape[-1] != two.shape[-1]:
        raise ValueError(f"'first' and 'second' must share their frequencies, got {one.shape[-1]} and {two.shape[-1]}.")
    if first is None or second is None:
        return
    small = 1e-3 * float(first.max()) / len(first)  # a thousandth of a step
    if unit_of(first) != unit_of(second) or bool(((first - second.to(first)).abs() > small).any()):
        ends = " and ".join(f"0 to {float(axis.max()):.3g} {unit_of(axis)}" for axis in (first, second))
        raise ValueError(f"'first' and 'second' must be over the same frequencies, got {ends}.")
