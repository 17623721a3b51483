"""Noise SD of an image, estimated from the image alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from .precision import check_image, compute_dtype, full_precision

__all__ = ["estimate_noise_sigma"]

#: Median of |z| for a standard normal z.
_MEDIAN_OF_NORMAL = 0.6744897501960817
_BINS = 256
#: Share of the cells below which a class may be defects, or the corners of a picture, and not tissue.
_FEW = 0.1
#: Share of inner cells (all their neighbours are in the class) below which a class has edges and nothing else.
_LEAST_WITHIN = 0.2
#: Largest number of thresholds tried in turn; no image has needed half of it.
_MOST = 16
#: Rounding error of equal steps, relative to their mean.
_ROUNDING = 1e-4


def estimate_noise_sigma(x: Tensor, *, spatial_dims: int) -> Tensor:
    r"""SD of white noise in the foreground of each image.

    .. math:: \hat\sigma = \frac{\text{median}_{k \in F} |d_k|}{\Phi^{-1}(3/4)}

    with d the detail of the orthonormal Haar wavelet along all axes at once (for 2 x 2 pixels half of
    :math:`x_{00} - x_{01} - x_{10} + x_{11}`), in which smooth anatomy vanishes. Four steps choose the cells of
    2 x 2 (x 2) voxels that belong to F:

    - *Constants.* A cell is out if one of its voxels has a value that fills whole cells: a background set to zero,
      padding, a burnt-in box, saturation. A cell is also out if it repeats along an axis, as padding by the border
      does. If everything is constant, :math:`\hat\sigma = 0`.
    - *Otsu's threshold* of the mean of the middle voxels separates bright cells from dark ones. Some classes are left
      out: a class whose own noise is larger than its distance from the rest (hot or dead pixels); a minority with more
      than twice the noise of the rest and few inner cells (edges, such as text); a bright minority with less than half
      the noise of the rest; and a tenth of the cells or less, if they are dark or have no more noise than the rest. The
      remaining cells are separated again.
    - *The background of a magnitude image* is out, since its noise is Rayleigh distributed with 0.66 of the SD. The
      bright cells count, and darker ones as long as they have the same noise. If the brighter class holds nothing but
      weaker noise, the image is inverted, and the darker class counts.
    - *Edges.* Of these cells, the half with the smaller gradient counts. Gradient and detail of white noise are
      independent.

    Well above the background, sigma is the SD of the two channels behind a Rician magnitude. For noise below the step
    of integers, the estimate is accurate to a fraction of that step only. Interpolated or filtered noise is not white,
    and is underestimated.

    Args:
        x: images; an odd last voxel of an axis is left out, and an axis of one voxel has no detail.
        spatial_dims: number of trailing spatial dimensions.

    Shape:
        ``(*, *spatial)`` -> ``(*,)``, in units of the image; 0 for a constant image, a single voxel and an image
        without noise; NaN for an image with NaN or infinity. float64 is kept, everything else is computed in float32.

    Raises:
        ValueError: x is complex, empty or has too few dimensions.

    Reference:
        D. L. Donoho, I. M. Johnstone (1994), "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81.
        DOI 10.1093/biomet/81.3.425: the median.
        P. Coupé et al. (2010), "Robust Rician noise estimation for MR images", Medical Image Analysis 14.
        DOI 10.1016/j.media.2010.03.001: noise of the object, not of the background.
        N. Otsu (1979), "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man,
        and Cybernetics 9. DOI 10.1109/TSMC.1979.4310076.

    Example:
        >>> noise = 0.1 * torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> estimate_noise_sigma(noise + torch.linspace(1, 2, 64), spatial_dims=2)
        tensor([0.1018, 0.0962])
    """
    check_image(x, spatial_dims)
    leading = x.shape[: x.ndim - spatial_dims]
    with torch.no_grad(), full_precision(x):
        images = x.to(compute_dtype(x)).reshape(-1, *x.shape[x.ndim - spatial_dims :])
        return torch.stack([_sigma(image) for image in images]).view(leading)


@dataclass(frozen=True)
class _Cells:
    """Haar coefficients of cells, ``(K,)`` each, without their common factor."""

    grid: tuple[int, ...]  #: shape of the grid of all cells
    level: Tensor  #: sum of the middle voxels, which one hot or dead pixel does not change
    mean: Tensor
    detail: Tensor  #: magnitude of the detail along all axes at once
    gradient: Tensor  #: sum of the magnitudes of the details along single axes
    place: Tensor  #: flat place in the grid

    def of(self, chosen: Tensor) -> _Cells:
        places = chosen.nonzero().flatten()  # once for all parts
        return _Cells(self.grid, *(part.index_select(0, places) for part in self._parts))

    def joined(self, others: _Cells) -> _Cells:
        pairs = zip(self._parts, others._parts, strict=True)
        return _Cells(self.grid, *(torch.cat(pair) for pair in pairs))

    @property
    def _parts(self) -> tuple[Tensor, ...]:
        return self.level, self.mean, self.detail, self.gradient, self.place

    @property
    def size(self) -> int:
        return len(self.level)

    @cached_property
    def sigma(self) -> float:
        calm = self.gradient <= self.gradient.median()
        return float(_median(self.detail[calm])) / _MEDIAN_OF_NORMAL

    @cached_property
    def share_within(self) -> float:
        """Share of inner cells: all their neighbours along the axes are among the cells, or beyond the border."""
        theirs = torch.zeros(self.grid, dtype=torch.bool, device=self.place.device)
        theirs.view(-1)[self.place] = True
        within = theirs.clone()
        for axis, size in enumerate(self.grid):
            within.narrow(axis, 0, size - 1).logical_and_(theirs.narrow(axis, 1, size - 1))
            within.narrow(axis, 1, size - 1).logical_and_(theirs.narrow(axis, 0, size - 1))
        return float(within.sum()) / self.size


def _sigma(image: Tensor) -> Tensor:
    """SD of the noise of one image."""
    if not image.isfinite().all():
        return image.new_full((), torch.nan)
    axes = [axis for axis, size in enumerate(image.shape) if size > 1]
    if not axes:
        return image.new_zeros(())
    unit = 2.0 ** (-len(axes) - 2)  # exact, and no sum or difference of sums overflows
    voxels = _voxels(image * unit, axes)
    place = (~_constant(voxels)).nonzero().flatten()
    if not len(place):
        return image.new_zeros(())
    grid = tuple(image.shape[axis] // 2 for axis in axes)
    sigma = _foreground(_cells(voxels[..., place], place, grid)).sigma / (unit * 2 ** (len(axes) / 2))
    return torch.tensor(sigma, dtype=image.dtype, device=image.device)


def _voxels(image: Tensor, axes: Collection[int]) -> Tensor:
    """Voxels of the cells, ``(2, ..., K)`` with one 2 for each axis."""
    corners = []
    for corner in product((0, 1), repeat=len(axes)):
        part = image
        for axis, first in zip(axes, corner, strict=True):
            part = part[(slice(None),) * axis + (slice(first, image.shape[axis] // 2 * 2, 2),)]
        corners.append(part.flatten())
    return torch.stack(corners).view(*[2] * len(axes), -1)


def _cells(voxels: Tensor, place: Tensor, grid: tuple[int, ...]) -> _Cells:
    axes = range(voxels.ndim - 1)
    flat, mean, detail = voxels.flatten(0, -2), _haar(voxels, ()), _haar(voxels, axes).abs()
    if len(axes) == 1:  # there is no middle, and the gradient would be the detail
        return _Cells(grid, mean, mean, detail, torch.zeros_like(detail), place)
    gradient = torch.stack([_haar(voxels, [axis]).abs() for axis in axes]).sum(0)
    return _Cells(grid, mean - flat.amin(0) - flat.amax(0), mean, detail, gradient, place)


def _haar(voxels: Tensor, along: Collection[int]) -> Tensor:
    """Differences along some axes and sums along the others, ``(K,)``; both are exact for integers."""
    for axis in range(voxels.ndim - 1):
        first, second = voxels.unbind(0)
        voxels = first - second if axis in along else first + second
    return voxels


def _constant(voxels: Tensor) -> Tensor:
    """Cells with a voxel that has no noise, ``(K,)``.

    Integers with little noise also fill a cell, or repeat along an axis of it, by chance: but in few of the places
    where they occur.
    """
    flat = voxels.flatten(0, -2)
    low, high = flat.amin(0), flat.amax(0)
    same = low == high
    constant = torch.zeros_like(same)
    if same.any():
        values, filled = torch.unique(low[same], return_counts=True)
        place = torch.searchsorted(values, flat).clamp_(max=len(values) - 1)
        found = values[place] == flat
        occurs = torch.bincount(place[found], minlength=len(values))
        constant = (found & (4 * len(flat) * filled > occurs)[place]).any(0)
    for axis in range(voxels.ndim - 1) if voxels.ndim > 2 else ():
        first, second = voxels.transpose(0, axis).unbind(0)
        equal = (first == second).flatten(0, -2) & ~constant
        repeated = equal.all(0)
        if 2 * len(equal) * repeated.sum() > equal.sum():
            constant = constant | repeated
    return constant


def _foreground(cells: _Cells) -> _Cells:
    """Cells that have the noise of the image."""
    high, low = cells, cells
    for _ in range(_MOST):
        bright = _above_otsu(cells.level)
        if bright.all():
            return cells
        high, low = cells.of(bright), cells.of(~bright)
        if low.size < _FEW * cells.size or _is_defects(low, high):
            cells = high
        elif _is_defects(high, low) or _is_too_even(high, low):
            cells = low
        else:
            break
    if 1.2 * high.sigma < low.sigma < 2 * high.sigma and _is_empty(high):
        return low
    return _with_alike(high, low)


def _is_defects(cells: _Cells, others: _Cells) -> bool:
    """Whether a minority of the cells varies more than it differs from the others, or consists of lines and specks."""
    if cells.size >= others.size or cells.sigma <= 2 * others.sigma:
        return False
    apart = abs(float(cells.mean.median() - others.mean.median()))
    return apart < 3 * cells.sigma or cells.share_within < _LEAST_WITHIN


def _is_too_even(high: _Cells, low: _Cells) -> bool:
    """Whether bright cells have less noise than the rest, as drawings have; for few cells: no more noise."""
    share = high.size / (high.size + low.size)
    least = 1.2 if share < _FEW else 0.5 if share < 0.5 else 0.0
    return high.sigma < least * low.sigma


def _is_empty(cells: _Cells) -> bool:
    """Whether the cells hold white noise alone, whose mean varies as much as its detail."""
    deviation = float((cells.mean - cells.mean.median()).abs().median()) / _MEDIAN_OF_NORMAL
    return deviation < 1.3 * cells.sigma


def _with_alike(high: _Cells, low: _Cells) -> _Cells:
    """Bright cells, and darker ones until the noise changes, as in the background of a magnitude."""
    for _ in range(_MOST):
        bright = _above_otsu(low.level)
        next_lower = low.of(bright)
        error = 1.65 * next_lower.size**-0.5  # relative error of a sigma from the calm half of the cells
        if not 1 - max(0.1, error) <= next_lower.sigma / (high.sigma or 1) <= 1 + max(0.2, error):
            break
        high, low = high.joined(next_lower), low.of(~bright)
        if not low.size:
            break
    return high


def _above_otsu(values: Tensor) -> Tensor:
    """Values above Otsu's threshold, which maximises the variance between the classes; all values if none are."""
    low, high = values.aminmax()
    bins = ((values - low) * (_BINS / (high - low))).nan_to_num(0).clamp_(0, _BINS - 1).long()
    counts = torch.bincount(bins, minlength=_BINS)
    below = counts.cumsum(0).double()  # a sum of integers is deterministic on every device
    moment = (counts * torch.arange(_BINS, device=values.device)).cumsum(0).double()
    between = (moment * below[-1] - moment[-1] * below).square() / (below * (below[-1] - below))
    above = bins > between.nan_to_num(0).argmax()
    return above | ~above.any()


def _median(values: Tensor) -> Tensor:
    """Median that takes equal values, the result of rounding to integers, as spread half-way to their neighbours."""
    middle, margin = values.median(), _ROUNDING * values.mean()
    lower, upper = values < middle - margin, values > middle + margin
    below, above = int(lower.sum()), int(upper.sum())
    low = (middle + values.masked_fill(~lower, -torch.inf).amax()) / 2 if below else middle
    high = (middle + values.masked_fill(~upper, torch.inf).amin()) / 2 if above else middle
    equal = len(values) - below - above
    return low + (len(values) / 2 - below) / equal * (high - low)
