"""Spectra of the quiet parts of an image: where noise, its filters and codes show, and edges do not hide them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...spectral.band_grid import BandGrid

__all__ = ["quiet_powers"]

#: voxels along each axis of a patch, and from one to the next
_PATCH, _STEP = {2: 32, 3: 16}, {2: 16, 3: 16}
#: share of the patches that are quieter
_QUANTILE = 0.25


def quiet_powers(x: Tensor, spacing: Sequence[float] | None, bands: BandGrid, *, spatial_dims: int) -> Tensor:
    r"""Lower quartile, over patches, of the mean power spectral density of each cell.

    Patches have 32 voxels along each axis in 2D, and 16 in 3D; constant ones, such as padding, do not count. The edges
    of organs are far stronger than noise at all frequencies, but not everywhere.

    Args:
        x: image.
        spacing: voxel size along each axis in mm; needed for bands in cycles per mm.
        bands: the cells.
        spatial_dims: number of spatial dimensions, 2 or 3.

    Shape:
        ``(C, *spatial)`` -> ``(C, cells)``; NaN where a patch has no frequency in a cell, or all are constant.

    Example:
        >>> image = torch.randn(1, 128, 128, generator=torch.Generator().manual_seed(0))
        >>> image[..., 60:70] += 100  # a bone
        >>> bands = BandGrid((0.1, 0.3, 0.5))
        >>> bool(bands.powers(image, spatial_dims=2).max() > 50)
        True
        >>> bool(quiet_powers(image, None, bands, spatial_dims=2).max() < 1.1)
        True
    """
    sizes = x.shape[1:]
    if bands.unit == "image":  # of the whole image, not of a patch
        bands, spacing = replace(bands, unit="mm"), [1 / size for size in sizes]
    patches = x
    for axis, size in enumerate(sizes):
        patches = patches.unfold(1 + axis, min(_PATCH[spatial_dims], size), min(_STEP[spatial_dims], size))
    patches = patches.reshape(len(x), -1, *patches.shape[-spatial_dims:])
    found = []
    for channel in patches:
        varied = channel.flatten(1).std(1, correction=0) > 1e-6
        if not bool(varied.any()):
            found.append(x.new_full((bands.n_cells(spatial_dims),), torch.nan))
            continue
        powers = bands.powers(channel[varied], spacing, spatial_dims=spatial_dims)
        found.append(powers.quantile(_QUANTILE, 0))
    return torch.stack(found)
