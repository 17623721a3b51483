"""SD of the noise of an image, from the image alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .precision import check_image, compute_dtype, full_precision

__all__ = ["estimate_noise_sigma"]

#: Median of |z| for a standard normal z.
_MEDIAN_OF_NORMAL = 0.6744897501960817
_BINS = 256


def estimate_noise_sigma(x: Tensor, *, spatial_dims: int) -> Tensor:
    r"""SD of white noise in the foreground of each image.

    .. math:: \hat\sigma = \frac{\text{median}_{k \in F} |d_k|}{\Phi^{-1}(3/4)}

    with d the detail of the orthonormal Haar wavelet along all axes at once (for 2 x 2 pixels half of
    :math:`x_{00} - x_{01} - x_{10} + x_{11}`), in which smooth anatomy vanishes. Of the cells of 2 x 2 (x 2) voxels, F
    holds those whose mean is above Otsu's threshold: the background of a magnitude image, where noise is Rayleigh
    distributed with 0.66 of the SD, does not count. Of these it holds the half with the lesser gradient, which keeps
    edges out; of white noise, gradient and detail are independent. Well above the background, sigma is that of the two
    channels behind a Rician magnitude.

    Args:
        x: images; an odd last voxel of an axis is left out, and an axis of one voxel has no detail.
        spatial_dims: number of trailing spatial dimensions.

    Shape:
        ``(*, *spatial)`` -> ``(*,)``, in units of the image; 0 for a constant image and for a single voxel. float64 is
        kept, everything else is computed in float32.

    Raises:
        ValueError: x is complex, empty or has too few dimensions.

    Reference:
        D. L. Donoho, I. M. Johnstone (1994), "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81.
        DOI 10.1093/biomet/81.3.425: the median.
        P. Coupé et al. (2010), "Robust Rician noise estimation for MR images", Medical Image Analysis 14.
        DOI 10.1016/j.media.2010.03.001: of the object, not of the background.

    Example:
        >>> noise = 0.1 * torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> estimate_noise_sigma(noise + torch.linspace(1, 2, 64), spatial_dims=2)
        tensor([0.0996, 0.0959])
    """
    check_image(x, spatial_dims)
    leading = x.shape[: x.ndim - spatial_dims]
    with torch.no_grad(), full_precision(x):
        images = x.to(compute_dtype(x)).reshape(-1, *x.shape[x.ndim - spatial_dims :])
        axes = [axis for axis in range(1, images.ndim) if images.shape[axis] > 1]
        if not axes:
            return images.new_zeros(leading)
        detail = _haar(images, axes, axes).abs()
        inside = _foreground(_haar(images, axes, []))
        if len(axes) > 1:  # along one axis, the gradient is the detail
            gradient = torch.stack([_haar(images, axes, [axis]).square() for axis in axes]).sum(0)
            inside = torch.stack([mask & (g <= g[mask].median()) for mask, g in zip(inside, gradient, strict=True)])
        medians = [deviation[mask].median() for deviation, mask in zip(detail, inside, strict=True)]
        return (torch.stack(medians) / _MEDIAN_OF_NORMAL).view(leading)


def _haar(x: Tensor, axes: Sequence[int], along: Sequence[int]) -> Tensor:
    """Orthonormal Haar coefficients: differences along some of the axes, sums along the others; ``(N, *)``, flat."""
    for axis in axes:
        first, second = (x[(slice(None),) * axis + (slice(k, x.shape[axis] // 2 * 2, 2),)] for k in (0, 1))
        x = (first - second if axis in along else first + second) * 0.5**0.5
    return x.flatten(1)


def _foreground(values: Tensor) -> Tensor:
    """Values above Otsu's threshold, which parts them with the largest variance between; all where none are.

    ``(N, K)`` -> boolean ``(N, K)``.
    """
    low, high = values.aminmax(dim=1, keepdim=True)
    bins = ((values - low) * (_BINS / (high - low))).nan_to_num(0).clamp_(0, _BINS - 1).long()
    counts = torch.zeros(len(values), _BINS, dtype=torch.int64, device=values.device)
    counts.scatter_add_(1, bins, torch.ones_like(bins))  # integers, so that the order does not matter
    below = counts.cumsum(1).double()  # of integers, which is deterministic on every device
    moment = (counts * torch.arange(_BINS, device=values.device)).cumsum(1).double()
    between = (moment * below[:, -1:] - moment[:, -1:] * below).square() / (below * (below[:, -1:] - below))
    inside = bins > between.nan_to_num(0).argmax(1, keepdim=True)
    return inside | ~inside.any(1, keepdim=True)
