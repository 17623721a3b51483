"""Spectrum whitening: every frequency of an image at the same strength."""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import as_given, check_image, compute_dtype

__all__ = ["whiten"]

#: Limit below which float64 cannot tell a value from zero, relative to the largest magnitude or root mean square.
_NOTHING = 1e-10


def whiten(x: Tensor, *, spatial_dims: int) -> Tensor:
    r"""Give all frequencies of an image the same magnitude; keep their phases, and the image's mean and SD.

    .. math:: I_n = \mathcal{F}^{-1} \left( \frac{\mathcal{F}(I)}{|\mathcal{F}(I)|} \right), \qquad
        I_w = (I_n - \mu_n) \frac{\sigma_o}{\sigma_n} + \mu_o

    for each image and channel separately, with :math:`\mu_o, \sigma_o` and :math:`\mu_n, \sigma_n` the mean and SD of
    :math:`I` and :math:`I_n`. A frequency that the image lacks, :math:`|\mathcal{F}(I)| \le 10^{-10}
    \max |\mathcal{F}(I)|`, stays zero, since its phase is rounding noise. A constant image returns unchanged. Nothing
    is clipped: up to 15% of the pixels of an image in [0, 1] leave that range.

    The Fourier transform is always in float64: in float32 its rounding noise, up to 4e-8 of the largest magnitude,
    would pass for frequencies. The types of the results are those of :mod:`monai_freq.spectral.precision`.

    Args:
        x: image.
        spatial_dims: number of trailing spatial dimensions, all of them transformed.

    Shape:
        ``(*, *spatial)`` -> ``(*, *spatial)``.

    Raises:
        ValueError: x is complex or empty or has too few dimensions.

    Reference:
        Y. Lu et al. (2025), DOI 10.1117/12.3047670, Equation 2: whitening of the source data.

    Example:
        >>> image = torch.rand(1, 16, 16, dtype=torch.float64)
        >>> magnitude = torch.fft.fft2(whiten(image, spatial_dims=2)).abs().flatten()
        >>> torch.allclose(magnitude[1:], magnitude[1])
        True
    """
    check_image(x, spatial_dims)
    dims = tuple(range(-spatial_dims, 0))
    image = x.to(torch.float64).contiguous()  # torch 2.8 cannot transform expanded tensors
    flat = torch.fft.irfftn(_unit(torch.fft.rfftn(image, dim=dims), dims), s=image.shape[-spatial_dims:], dim=dims)
    mean, deviation = _moments(image, dims)
    flat_mean, flat_deviation = _moments(flat, dims)
    # an image that is its mean alone has a small SD, which rounding keeps from zero
    constant = flat_deviation <= _NOTHING * (flat_mean.square() + flat_deviation.square()).sqrt()
    scale = deviation / flat_deviation.masked_fill(constant, 1)
    whitened = torch.where(constant, image, (flat - flat_mean) * scale + mean)
    return as_given(whitened.to(compute_dtype(x)), x)


def _unit(spectrum: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Numbers of magnitude 1, and 0 where the spectrum is zero up to rounding."""
    magnitude = spectrum.abs()
    nothing = magnitude <= _NOTHING * magnitude.amax(dims, keepdim=True)
    return (spectrum / magnitude.masked_fill(nothing, 1)).masked_fill(nothing, 0)


def _moments(image: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and SD of each image and channel."""
    variance, mean = torch.var_mean(image, dim=dims, correction=0, keepdim=True)
    return mean, variance.sqrt()
