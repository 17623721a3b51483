r"""Kaiser-Bessel gridding: interpolation of a spectrum between the points of a regular grid.

The spectrum at any frequency is a sum over all points of the DFT. A few points are enough if the image is divided by
the transform of the interpolation kernel first, and if the DFT is a little longer than the image.

Reference:
    J. A. Fessler, B. P. Sutton (2003), "Nonuniform fast Fourier transforms using min-max interpolation", IEEE
    Transactions on Signal Processing 51. DOI 10.1109/TSP.2002.807005.
    P. J. Beatty, D. G. Nishimura, J. M. Pauly (2005), "Rapid gridding reconstruction with a minimal oversampling
    ratio", IEEE Transactions on Medical Imaging 24 (the choice of beta, nearly). DOI 10.1109/TMI.2005.848376.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["WIDTH", "deapodisation", "fast_length", "grid_length", "taps"]

#: number of grid points that a value is interpolated from, along each axis
WIDTH = 4
_OVERSAMPLING = 1.41


def fast_length(at_least: float) -> int:
    """Smallest even number without a prime factor above 5: a length with a fast FFT.

    Args:
        at_least: lower bound of the number.

    Example:
        >>> fast_length(1.05 * 513)
        540
    """
    length = 2 * math.ceil(at_least / 2)
    while _without(length, (2, 3, 5)) > 1:
        length += 2
    return length


def grid_length(size: int) -> int:
    """Length of the DFT for a number of samples, at least 1.41 times as long.

    Args:
        size: number of samples of the image's axis.

    Example:
        >>> grid_length(362)
        512
    """
    return fast_length(max(_OVERSAMPLING * size, 2 * WIDTH))


def taps(position: Tensor, size: int) -> tuple[Tensor, Tensor]:
    r"""Grid points around each position, and their weights.

    .. math:: \phi(u) = \frac{1}{W} I_0\Bigl( \beta \sqrt{1 - (2u / W)^2} \Bigr), \qquad
              \beta = \pi \sqrt{(W / s)^2 (s - \tfrac12)^2 - 0.5}

    with W the width and s the oversampling. Beatty et al. have 0.8 in place of 0.5. The smaller number lowers the error
    in the middle of the image, where the object is, and raises it at the outermost pixels.

    Args:
        position: positions ``(P,)`` in units of the grid's step.
        size: number of samples of the image's axis.

    Returns:
        Points ``(P, WIDTH)``, which may lie outside the grid (it is periodic), and weights ``(P, WIDTH)``.

    Example:
        >>> points, weights = taps(torch.tensor([5.5], dtype=torch.float64), size=32)
        >>> points
        tensor([[4, 5, 6, 7]])
        >>> torch.allclose(weights, weights.flip(1))
        True
    """
    points = torch.floor(position - WIDTH / 2).long()[:, None] + torch.arange(1, WIDTH + 1, device=position.device)
    inside = 1 - (2 * (position[:, None] - points) / WIDTH).square()
    return points, torch.special.i0(_beta(size) * inside.clamp(min=0).sqrt()) / WIDTH


def deapodisation(size: int) -> Tensor:
    r"""Factors for the samples before their DFT is interpolated: the inverse of the kernel's transform.

    .. math:: \frac{r}{\sinh r}, \qquad r = \sqrt{\beta^2 - (\pi W x / G)^2}

    with x the distance from the middle sample, and G the length of the grid.

    Args:
        size: number of samples of the image's axis.

    Shape:
        ``(size,)``, float64.

    Example:
        >>> outer, inner = deapodisation(64)[[0, 31]]
        >>> bool(outer > inner)
        True
    """
    x = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    squared = _beta(size) ** 2 - (math.pi * WIDTH * x / grid_length(size)).square()
    root = squared.abs().sqrt()
    return root / torch.where(squared > 0, root.sinh(), root.sin())


def _beta(size: int) -> float:
    oversampling = grid_length(size) / size
    return math.pi * math.sqrt((WIDTH / oversampling * (oversampling - 0.5)) ** 2 - 0.5)


def _without(number: int, primes: tuple[int, ...]) -> int:
    for prime in primes:
        while number % prime == 0:
            number //= prime
    return number
