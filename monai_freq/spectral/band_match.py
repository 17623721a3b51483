r"""Band amplitudes moved to those of a reference: cell by cell of a :class:`BandGrid`, with the phase kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .band_grid import BandGrid
from .hann import hann
from .precision import as_given, check_image, compute_dtype

__all__ = ["band_densities", "match_bands"]

#: steps to the reference: a window spreads each cell over its neighbours, so that one step is not enough
_STEPS = 3
#: smallest density, for an image whose variance is 1, that is more than rounding
_NOTHING = 1e-12
#: smallest share of the variance outside the cells to which they are relative
_STAYS = 0.05


def band_densities(x: Tensor, bands: BandGrid, spacing: Sequence[float] | None = None, *, spatial_dims: int) -> Tensor:
    r"""Mean power spectral density of each cell, relative to the variance of the image.

    .. math:: D_c = \frac{V P_c}{\sigma^2}

    with :math:`P_c` of :meth:`~monai_freq.spectral.band_grid.BandGrid.powers`, :math:`\sigma` the SD of the voxels
    under the same window, and V the size of a voxel in the unit of the bands: 1 for cycles per voxel. So images in
    different units of intensity, or of different spacings in mm, have the same densities where they show the same. Over
    all frequencies, D has a mean of V.

    Args:
        x: images.
        bands: bands.
        spacing: voxel size along each axis in mm; needed for bands in cycles per mm.
        spatial_dims: number of trailing spatial dimensions, 2 or 3.

    Shape:
        ``(*, *spatial)`` -> ``(*, cells)``; NaN where the image has no frequency in a cell, or is constant.

    Raises:
        ValueError: x is complex, empty or has too few dimensions; the spacing is missing or not positive.

    Example:
        >>> image, bands = torch.rand(32, 32), BandGrid((0.0, 0.25, 0.75))
        >>> one, two = (band_densities(x, bands, spatial_dims=2) for x in (image, 5 - 3 * image))
        >>> torch.allclose(one, two, rtol=1e-4)
        True
    """
    powers = bands.powers(x, spacing, spatial_dims=spatial_dims)
    return powers * bands.voxel(x.shape[-spatial_dims:], spacing) / _variance(x, spatial_dims)


def match_bands(
    x: Tensor,
    reference: Tensor,
    bands: BandGrid,
    spacing: Sequence[float] | None = None,
    *,
    spatial_dims: int,
    strength: float = 1.0,
    cells: Sequence[int] | None = None,
    max_gain: float = 10.0,
) -> Tensor:
    r"""Move the amplitudes of each cell to those of a reference; phase, DC and all outside the cells stay.

    .. math:: \mathcal{F}(y)(f) = g_{c(f)}\, \mathcal{F}(x)(f), \qquad
        D_c(y) = D_c(x)^{1 - s}\, R_c^{s}, \qquad \frac{1}{g_\text{max}} \le g_c \le g_\text{max}

    with the densities D of :func:`band_densities`, each relative to the variance of its image. Where less than 5% of
    the variance lies outside the cells that are moved, that of x counts for y, too, so that the contrast stays. The
    window of D spreads a cell over its neighbours, so the gains are found in a few steps.

    Args:
        x: images.
        reference: density R of each cell, for all images or for each. NaN and 0 leave a cell as it is.
        bands: bands.
        spacing: voxel size along each axis in mm; needed for bands in cycles per mm.
        spatial_dims: number of trailing spatial dimensions, 2 or 3.
        strength: part s of the way, in the logarithm of the amplitude: 0 for none, 1 for all.
        cells: numbers of the cells that are moved; None for all.
        max_gain: largest factor of an amplitude, above 1. An image that has nothing in a cell gets nothing there.

    Shape:
        ``(*, *spatial)`` and reference ``(cells,)`` or ``(*, cells)`` -> ``(*, *spatial)``, in the type of x.

    Raises:
        ValueError: the number of densities is not that of the cells, or a cell has another number; see also
            :func:`band_densities`.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> image, other = torch.randn(64, 64, generator=generator), torch.randn(64, 64, generator=generator)
        >>> bands = BandGrid((0.0, 0.1, 0.25, 0.75))
        >>> smooth = bands.scaled(other, torch.tensor([1.0, 0.5, 0.2]), spatial_dims=2)
        >>> wanted = band_densities(smooth, bands, spatial_dims=2)
        >>> result = match_bands(image, wanted, bands, spatial_dims=2)
        >>> torch.allclose(band_densities(result, bands, spatial_dims=2), wanted, rtol=0.01)
        True
    """
    check_image(x, spatial_dims)
    n_cells = bands.n_cells(spatial_dims)
    if reference.shape[-1] != n_cells:
        raise ValueError(f"'reference' must have one number for each of {n_cells} cells, got {tuple(reference.shape)}.")
    images = x.to(compute_dtype(x))
    chosen = torch.zeros(n_cells, dtype=torch.bool, device=x.device)
    chosen[list(range(n_cells) if cells is None else _known(cells, n_cells))] = True
    first = band_densities(images, bands, spacing, spatial_dims=spatial_dims)
    wanted = reference.to(first)
    movable = chosen & (first > _NOTHING) & (wanted > 0) & wanted.isfinite()  # NaN is not above 0
    if not strength or not bool(movable.any()):
        return as_given(images, x)
    target = torch.where(movable, first * (wanted / first) ** strength, 1)
    target = target * _growth(first, target, movable, _fractions(images, bands, spacing, spatial_dims))
    scale = bands.voxel(images.shape[-spatial_dims:], spacing) / _variance(images, spatial_dims)
    gains, moved, limit = torch.ones_like(first + target), images, math.log(max_gain)
    for _ in range(_STEPS):
        now = bands.powers(moved, spacing, spatial_dims=spatial_dims) * scale
        step = torch.where(movable & (now > 0), (target / now).log() / 2, 0)
        gains = (gains.log() + step).clamp(-limit, limit).exp()
        moved = bands.scaled(images, gains, spacing, spatial_dims=spatial_dims)
    still = ~movable.any(-1).expand(gains.shape[:-1])[(..., *[None] * spatial_dims)]
    return as_given(torch.where(still, images, moved), x)


def _growth(first: Tensor, target: Tensor, movable: Tensor, fractions: Tensor) -> Tensor:
    """Variance after by that before, where some cells have other densities and all outside them stays; ``(*, 1)``."""
    before, after = ((movable * each).nan_to_num(0) * fractions for each in (first, target))
    stays, stay = (1 - each.sum(-1, keepdim=True) for each in (before, after))
    return torch.where((stays > _STAYS) & (stay > _STAYS), stays / stay, 1)


def _fractions(x: Tensor, bands: BandGrid, spacing: Sequence[float] | None, spatial_dims: int) -> Tensor:
    """Share of all frequencies that lies in each cell, over the size of a voxel; ``(cells,)``."""
    sizes = tuple(x.shape[-spatial_dims:])
    columns = torch.full((sizes[-1] // 2 + 1,), 2.0, dtype=torch.float64)
    columns[0] = 1  # and the others stand for their mirror images, too
    if sizes[-1] % 2 == 0:
        columns[-1] = 1
    place = bands.cells(sizes, spacing) + 1
    counts = torch.bincount(place.flatten(), columns.expand_as(place).flatten(), bands.n_cells(spatial_dims) + 1)[1:]
    return (counts / math.prod(sizes) / bands.voxel(x.shape[-spatial_dims:], spacing)).to(x)


def _known(cells: Sequence[int], n_cells: int) -> list[int]:
    if not all(0 <= cell < n_cells for cell in cells):
        raise ValueError(f"'cells' must be numbers from 0 to {n_cells - 1}, got {list(cells)}.")
    return list(cells)


def _variance(x: Tensor, spatial_dims: int) -> Tensor:
    """Variance of each image under the window, NaN where it is constant; ``(*, 1)``."""
    images, dims = x.to(compute_dtype(x)), tuple(range(-spatial_dims, 0))
    window = hann(x.shape[-spatial_dims:], images)
    deviation = (images - (images * window).sum(dims, keepdim=True) / window.sum()) * window
    variance = deviation.square().sum(dims) / window.square().sum()
    constant = images.flatten(-spatial_dims).aminmax(dim=-1)
    return variance.where((constant.min < constant.max) & (variance > 0), math.nan)[..., None]
