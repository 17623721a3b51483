"""Non-local means: each voxel becomes an average of nearby voxels with similar surroundings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ..quoting import written
from .patch_averages import Window, weighted_means
from .precision import as_given, check_image, compute_dtype, full_precision
from .scalars import check_choice, is_finite_number

__all__ = ["NoiseModel", "check_nonlocal_means", "nonlocal_means"]

#: model of the noise to remove, Rician in magnitude MR, Gaussian elsewhere
NoiseModel = Literal["rician", "gaussian"]
Radius = int | Sequence[int]


def nonlocal_means(
    x: Tensor,
    h: float,
    *,
    spatial_dims: int,
    patch_radius: Radius = 1,
    search_radius: Radius | None = None,
    noise_model: NoiseModel = "rician",
    sigma: float = 0.0,
) -> Tensor:
    r"""Average each voxel with those of its search window S, weighted by the likeness of the patches B around them.

    .. math:: w(p, q) = \exp \Bigl( -\frac{1}{|B| h^2} \sum_{b \in B} (x_{p+b} - x_{q+b})^2 \Bigr), \qquad
        \bar v_p = \frac{\sum_{q \in p + S} w(p, q)\, v_q}{\sum_{q \in p + S} w(p, q)}

    and :math:`y = \bar v,\ v = x` for Gaussian noise. The mean square of a Rician magnitude is that of its signal plus
    :math:`2 \sigma^2`, so for Rician noise :math:`v = x^2` and :math:`y = \sqrt{\max(\bar v - 2 \sigma^2, 0)}`. Beyond
    its border the image is reflected, without a repetition of the border. No gradients are recorded.

    Args:
        x: images; for ``"rician"`` magnitudes, which are not negative.
        h: strength of the filter in units of the image, at least 0; at 0 only the voxel itself counts.
        spatial_dims: number of trailing spatial dimensions, 2 or 3.
        patch_radius: radius of B in voxels, for all axes or for each; 1 stands for 3 x 3 (x 3) voxels.
        search_radius: radius of S in voxels, for all axes or for each; by default 5 in 2D and 3 in 3D.
        noise_model: model of the noise, ``"rician"`` or ``"gaussian"``.
        sigma: SD of the noise in the two channels behind a Rician magnitude, in units of the image.

    Shape:
        ``(*, *spatial)`` -> ``(*, *spatial)``; the types are those of :mod:`monai_freq.spectral.precision`. The number
        of threads and the rest of the batch change a result by rounding at most.

    Raises:
        ValueError: x is complex or empty, has too few dimensions, or is negative with ``"rician"``; an argument is
            outside its range.

    Reference:
        A. Buades, B. Coll, J.-M. Morel (2005), "A non-local algorithm for image denoising", CVPR.
        DOI 10.1109/CVPR.2005.38.
        J. V. Manjón et al. (2008), "MRI denoising using non-local means", Medical Image Analysis 12(4).
        DOI 10.1016/j.media.2008.02.004.

    Example:
        >>> square = torch.zeros(32, 32)
        >>> square[8:24, 8:24] = 1
        >>> noisy = square + 0.1 * torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
        >>> denoised = nonlocal_means(noisy, h=0.12, spatial_dims=2, noise_model="gaussian")
        >>> bool((denoised - square).std() < 0.5 * (noisy - square).std())
        True
    """
    check_image(x, spatial_dims)
    check_nonlocal_means(h, patch_radius, search_radius, noise_model, sigma, spatial_dims)
    if search_radius is None:
        search_radius = 5 if spatial_dims == 2 else 3
    patch, search = _triple(patch_radius, spatial_dims), _triple(search_radius if h else 0, spatial_dims)
    rician = noise_model == "rician"
    with torch.inference_mode(False), torch.no_grad(), full_precision(x):
        image = x.to(compute_dtype(x))
        scale = _scale(image, rician)
        volumes = (image * scale).reshape(-1, *x.shape[-spatial_dims:])
        if spatial_dims == 2:
            volumes = volumes[None]  # images are the planes of one volume, and no window reaches beyond its plane
        mean = weighted_means(volumes, Window(patch, search, _exponent(patch, h * scale), rician)).view(x.shape)
        if rician:
            mean.sub_(2 * (sigma * scale) ** 2).clamp_(min=0).sqrt_()
        mean.div_(scale)
    return as_given(mean, x)


def check_nonlocal_means(
    h: float,
    patch_radius: Radius,
    search_radius: Radius | None,
    noise_model: str,
    sigma: float,
    spatial_dims: int | None = None,
) -> None:
    """Refuse settings that :func:`nonlocal_means` does not take.

    Args:
        h: strength of the filter, at least 0.
        patch_radius: radius of the patch, at least 0, one number or one for each spatial axis.
        search_radius: radius of the search window, at least 0, one number or one for each spatial axis, or None.
        noise_model: model of the noise, ``"rician"`` or ``"gaussian"``.
        sigma: SD of the noise, at least 0.
        spatial_dims: number of spatial dimensions, 2 or 3; None if it is not known yet.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> check_nonlocal_means(0.1, 1, (5, 5, 1), "rician", 0.1, spatial_dims=2)
        Traceback (most recent call last):
        ValueError: 'search_radius' must be an integer of at least 0, or one for each of 2 axes, got (5, 5, 1).
    """
    if spatial_dims not in (2, 3, None):
        raise ValueError(f"'spatial_dims' must be 2 or 3, got {written(spatial_dims)}.")
    for name, amount in (("h", h), ("sigma", sigma)):
        if not (is_finite_number(amount) and amount >= 0):
            raise ValueError(f"'{name}' is in units of the image, finite and at least 0, got {written(amount)}.")
    _check_radius("patch_radius", patch_radius, spatial_dims)
    if search_radius is not None:
        _check_radius("search_radius", search_radius, spatial_dims)
    check_choice("noise_model", noise_model, get_args(NoiseModel))


def _scale(image: Tensor, magnitude: bool) -> float:
    """Power of 2 that scales an image into [-1, 1] without rounding: no square leaves the range of its type."""
    low, high = torch.stack(torch.aminmax(image)).tolist()
    if magnitude and low < 0:
        raise ValueError(
            f"'x' must be a magnitude for the noise model 'rician', not negative, got a minimum of {low:.6g}: "
            "take 'gaussian' for an image that was shifted."
        )
    return 2.0 ** -max(-126, min(126, math.frexp(max(-low, high))[1]))


def _exponent(patch: tuple[int, int, int], h: float) -> float:
    """Exponent e of the factor 2^e by which a squared difference of 1 changes a weight."""
    size = math.prod(2 * radius + 1 for radius in patch)
    return -1 / max(math.log(2) * size * h * h, torch.finfo(torch.float32).tiny)


def _triple(radius: Radius, spatial_dims: int) -> tuple[int, int, int]:
    """Radii across planes, rows and columns."""
    each = [radius] * spatial_dims if isinstance(radius, int) else radius
    planes, rows, columns = (0,) * (3 - spatial_dims) + tuple(each)
    return planes, rows, columns


def _check_radius(name: str, radius: Radius, spatial_dims: int | None) -> None:
    axes = (2, 3) if spatial_dims is None else (spatial_dims,)
    each = radius if isinstance(radius, Sequence) and len(radius) in axes else [radius]
    if not all(isinstance(r, int) and not isinstance(r, bool) and r >= 0 for r in each):
        counts = " or ".join(map(str, axes))
        raise ValueError(
            f"'{name}' must be an integer of at least 0, or one for each of {counts} axes, got {written(radius)}."
        )
