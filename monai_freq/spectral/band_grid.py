r"""Bands of spatial frequency, each whole or by direction, that images of any size and spacing have in common.

A band is a ring (2D) or a shell (3D). By direction, it has four parts of equal angle: along each axis, and between the
axes. Lines of a detector, padding and interlacing lie along an axis. A *cell* is a band, or the part of a band in one
direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from ..quoting import written
from .cache import cached
from .hann import hann
from .precision import as_given, check_image, compute_dtype
from .scalars import check_choice, is_count, is_finite_number

__all__ = ["BandGrid", "Unit"]

#: what a frequency is counted over, which is a voxel, a millimetre, or the image along each axis
Unit = Literal["voxel", "mm", "image"]

#: what a unit is called in texts
_UNITS = {"voxel": "cycles per voxel", "mm": "cycles per mm", "image": "cycles per image"}
#: number of dimensions -> directions, and the cosine of the angle to an axis that ends the first ones
_DIRECTIONS = {
    2: (("along axis 0", "along axis 1", "diagonal", "antidiagonal"), math.cos(math.pi / 8)),
    3: (("along axis 0", "along axis 1", "along axis 2", "oblique"), 3 / 4),
}
#: relative tolerance that puts a frequency on an edge into the band below it
_ROUNDING = 1e-6


@dataclass(frozen=True)
class BandGrid:
    r"""Bands between given frequencies, for images of any size and spacing.

    .. math:: B_k = \{f : e_k < |f| \le e_{k+1}\}

    Args:
        edges: frequencies :math:`e_0 < e_1 < \dots` in the unit, not negative. DC is in no band.
        unit: ``"voxel"`` for cycles per voxel, ``"mm"`` for cycles per mm, ``"image"`` for cycles per image along each
            axis.
        directional: whether each band is cut into four directions of equal angle. In 2D these are along axis 0, along
            axis 1, and the two diagonals; in 3D along each axis, and oblique.

    Raises:
        ValueError: the edges do not rise, an edge is negative, or the unit is unknown.

    Example:
        >>> bands = BandGrid((0.0, 0.1, 0.5))
        >>> bands.names(2)
        ('0 to 0.1', '0.1 to 0.5')
        >>> wave = torch.cos(2 * torch.pi * 8 * torch.arange(32) / 32).expand(32, 32)
        >>> bands.powers(wave[None], spatial_dims=2).argmax(-1)
        tensor([1])
    """

    edges: tuple[float, ...]
    unit: Unit = "voxel"
    directional: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(self.edges))
        check_choice("unit", self.unit, tuple(_UNITS))
        rising = len(self.edges) > 1 and all(is_finite_number(edge) and edge >= 0 for edge in self.edges)
        if not (rising and all(low < high for low, high in pairwise(self.edges))):
            raise ValueError(f"'edges' must be two or more rising frequencies from 0, got {written(self.edges)}.")

    @classmethod
    def spaced(
        cls,
        n_bands: int,
        lowest: float,
        highest: float,
        unit: Unit = "voxel",
        *,
        directional: bool = False,
    ) -> BandGrid:
        r"""Bands of equal width in octaves.

        Args:
            n_bands: number of bands.
            lowest: first edge, above 0, in the unit.
            highest: last edge, in the unit.
            unit: see :class:`BandGrid`.
            directional: see :class:`BandGrid`.

        Raises:
            ValueError: a number is out of range.

        Example:
            >>> [round(edge, 3) for edge in BandGrid.spaced(2, 0.125, 0.5).edges]
            [0.125, 0.25, 0.5]
        """
        if not is_count(n_bands):
            raise ValueError(f"'n_bands' must be a whole number of at least 1, got {written(n_bands)}.")
        if not (is_finite_number(lowest) and is_finite_number(highest) and 0 < lowest < highest):
            raise ValueError(f"'lowest' must be above 0 and below 'highest', got {written((lowest, highest))}.")
        steps = (lowest * (highest / lowest) ** (k / n_bands) for k in range(1, n_bands))
        return cls((float(lowest), *steps, float(highest)), unit, directional)

    @property
    def n_bands(self) -> int:
        """Number of bands, whatever the directions."""
        return len(self.edges) - 1

    @property
    def unit_name(self) -> str:
        """The unit in words.

        Example:
            >>> BandGrid((0, 0.5)).unit_name
            'cycles per voxel'
        """
        return _UNITS[self.unit]

    def n_cells(self, spatial_dims: int) -> int:
        """Number of cells.

        Args:
            spatial_dims: number of spatial dimensions, 2 or 3.

        Example:
            >>> BandGrid((0, 0.25, 0.5), directional=True).n_cells(3)
            8
        """
        return len(self.names(spatial_dims))

    def names(self, spatial_dims: int) -> tuple[str, ...]:
        """Name of each cell: its band, and its direction.

        Args:
            spatial_dims: number of spatial dimensions, 2 or 3.

        Example:
            >>> BandGrid((0, 0.5), directional=True).names(2)[1:3]
            ('0 to 0.5, along axis 1', '0 to 0.5, diagonal')
        """
        bands = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(self.edges)]
        return tuple(f"{band}{part}" for band in bands for part in self._parts(spatial_dims))

    def cells(
        self, sizes: Sequence[int], spacing: Sequence[float] | None = None, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Number of the cell that each frequency of the half spectrum of an image lies in, -1 for none.

        Args:
            sizes: number of voxels along each axis.
            spacing: voxel size along each axis in mm; needed for the unit ``"mm"``.
            device: where the result lies.

        Shape:
            ``(*sizes[:-1], sizes[-1] // 2 + 1)``, as :func:`torch.fft.rfftn` orders it. Not to be written into: it is
            kept for the next image of this size.

        Raises:
            ValueError: the image is not 2D or 3D, or the spacing is missing or not positive.

        Example:
            >>> BandGrid((0, 0.3, 0.5)).cells((4, 4))
            tensor([[-1,  0,  1],
                    [ 0,  1, -1],
                    [ 1, -1, -1],
                    [ 0,  1, -1]])
        """
        sizes, steps = tuple(sizes), self._steps(sizes, spacing)
        table: Tensor = cached(("cells", self, sizes, steps, str(device)), lambda: self._table(sizes, steps).to(device))
        return table

    def powers(self, x: Tensor, spacing: Sequence[float] | None = None, *, spatial_dims: int) -> Tensor:
        r"""Mean power spectral density of each cell, under a Hann window.

        .. math:: P_c = \frac{1}{|c|} \sum_{f \in c} \frac{|\mathcal{F}(w\,(x - \bar x))(f)|^2}{\sum w^2}

        White noise of variance 1 has a power of 1 in each cell, whatever the size of the image.

        Args:
            x: images.
            spacing: voxel size along each axis in mm; needed for the unit ``"mm"``.
            spatial_dims: number of trailing spatial dimensions, 2 or 3.

        Shape:
            ``(*, *spatial)`` -> ``(*, cells)``; NaN where the image has no frequency in a cell.

        Raises:
            ValueError: x is complex, empty or has too few dimensions; the spacing is missing or not positive.

        Example:
            >>> noise = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
            >>> [f"{power:.1f}" for power in BandGrid((0.0, 0.25, 0.5)).powers(noise, spatial_dims=2)]
            ['1.0', '1.0']
        """
        check_image(x, spatial_dims)
        sizes, dims = tuple(x.shape[-spatial_dims:]), tuple(range(-spatial_dims, 0))
        images = x.to(compute_dtype(x))
        window = hann(sizes, images)
        mean = (images * window).sum(dims, keepdim=True) / window.sum()
        spectrum = torch.fft.rfftn((images - mean) * window, dim=dims)
        power = (spectrum.real.square() + spectrum.imag.square()) / window.square().sum()
        place = self.cells(sizes, spacing, x.device).flatten() + 1
        twins = _twins(sizes, power)
        n_cells = self.n_cells(spatial_dims)
        counts = twins.new_zeros(n_cells + 1).index_add_(0, place, twins)
        flat = (power.flatten(-spatial_dims) * twins).reshape(-1, len(twins))
        sums = flat.new_zeros(len(flat), n_cells + 1).index_add_(1, place, flat)
        means: Tensor = (sums / counts)[:, 1:]
        return means.reshape(*x.shape[:-spatial_dims], n_cells)

    def scaled(self, x: Tensor, gains: Tensor, spacing: Sequence[float] | None = None, *, spatial_dims: int) -> Tensor:
        r"""Images with the amplitudes of each cell multiplied by a gain; DC and what lies in no cell stay.

        .. math:: \mathcal{F}^{-1}\bigl( g_{c(f)}\, \mathcal{F}(x)(f) \bigr)

        Args:
            x: images.
            gains: gain of each cell, for all images or for each. 0 removes a cell.
            spacing: voxel size along each axis in mm; needed for the unit ``"mm"``.
            spatial_dims: number of trailing spatial dimensions, 2 or 3.

        Shape:
            ``(*, *spatial)`` and gains ``(cells,)`` or ``(*, cells)`` -> ``(*, *spatial)``, in the type of x.

        Raises:
            ValueError: x is complex, empty or has too few dimensions; the number of gains is not that of the cells.

        Example:
            >>> wave = torch.cos(2 * torch.pi * 8 * torch.arange(32) / 32).expand(32, 32)
            >>> bands = BandGrid((0.0, 0.1, 0.5))
            >>> float((bands.scaled(wave, torch.tensor([0.0, 2.0]), spatial_dims=2) - 2 * wave).abs().max()) < 1e-5
            True
        """
        check_image(x, spatial_dims)
        n_cells = self.n_cells(spatial_dims)
        if gains.shape[-1] != n_cells:
            raise ValueError(f"'gains' must have one entry for each of {n_cells} cells, got {tuple(gains.shape)}.")
        sizes, dims = tuple(x.shape[-spatial_dims:]), tuple(range(-spatial_dims, 0))
        images = x.to(compute_dtype(x))
        place = self.cells(sizes, spacing, x.device) + 1
        table = torch.cat([gains.new_ones(*gains.shape[:-1], 1), gains], -1).to(images)
        gain = table[..., place.flatten()].reshape(*gains.shape[:-1], *place.shape)
        return as_given(torch.fft.irfftn(torch.fft.rfftn(images, dim=dims) * gain, s=sizes, dim=dims), x)

    def voxel(self, sizes: Sequence[int], spacing: Sequence[float] | None = None) -> float:
        """Area or volume of a voxel, in the unit that frequencies are counted over.

        Args:
            sizes: number of voxels along each axis.
            spacing: voxel size along each axis in mm; needed for the unit ``"mm"``.

        Raises:
            ValueError: the image is not 2D or 3D, or the spacing is missing or not positive.

        Example:
            >>> BandGrid((0, 0.5), "mm").voxel((64, 64), (2.0, 0.5)), BandGrid((0, 8), "image").voxel((4, 5))
            (1.0, 0.05)
        """
        return math.prod(self._steps(tuple(sizes), spacing))

    def _parts(self, spatial_dims: int) -> list[str]:
        if spatial_dims not in _DIRECTIONS:
            raise ValueError(f"'spatial_dims' must be 2 or 3, got {written(spatial_dims)}.")
        return [f", {direction}" for direction in _DIRECTIONS[spatial_dims][0]] if self.directional else [""]

    def _steps(self, sizes: tuple[int, ...], spacing: Sequence[float] | None) -> tuple[float, ...]:
        """Length of a voxel along each axis in the unit of the frequencies."""
        self._parts(len(sizes))
        if self.unit == "image":
            return tuple(1 / size for size in sizes)
        if self.unit == "voxel":
            return (1.0,) * len(sizes)
        if spacing is None:
            raise ValueError("'spacing' is needed for bands in cycles per mm.")
        steps = tuple(float(step) for step in spacing)
        if len(steps) != len(sizes) or not all(math.isfinite(step) and step > 0 for step in steps):
            raise ValueError(f"'spacing' must be {len(sizes)} positive numbers in mm, got {written(list(spacing))}.")
        return steps

    def _table(self, sizes: tuple[int, ...], steps: tuple[float, ...]) -> Tensor:
        axes = [torch.fft.fftfreq(n, d, dtype=torch.float64) for n, d in zip(sizes[:-1], steps, strict=False)]
        axes.append(torch.fft.rfftfreq(sizes[-1], steps[-1], dtype=torch.float64))
        parts = torch.meshgrid(*axes, indexing="ij")
        radius = reduce(torch.add, (part.square() for part in parts)).sqrt()
        edges = torch.tensor(self.edges, dtype=torch.float64) * (1 + _ROUNDING)
        band = torch.bucketize(radius, edges) - 1  # (low, high]
        band[(band == self.n_bands) | (radius == 0)] = -1
        if not self.directional:
            return band
        names, nearest = _DIRECTIONS[len(sizes)]
        direction = torch.full_like(band, len(sizes))
        if len(sizes) == 2:  # at half a cycle per voxel both signs are one frequency, which counts as diagonal
            signed = [part * (part.abs() * step < 0.5 - _ROUNDING) for part, step in zip(parts, steps, strict=True)]
            direction += (signed[0] * signed[1] < 0).long()
        for axis, part in enumerate(parts):
            direction[part.abs() >= (1 - _ROUNDING) * nearest * radius] = axis
        return torch.where(band < 0, band, band * len(names) + direction)


def _twins(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """How many frequencies of the whole spectrum each one of the half spectrum stands for, in its order."""
    last = like.new_full((sizes[-1] // 2 + 1,), 2)
    last[0] = 1
    if sizes[-1] % 2 == 0:
        last[-1] = 1
    return last.expand(*sizes[:-1], -1).flatten()
