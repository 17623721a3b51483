r"""Orthonormal Fourier bases of blocks of frequencies, computed once and cached.

An axis of :math:`N` samples has the integer frequencies :math:`|k| \le N/2`. A block of them, symmetric about zero, is
the range of a real basis :math:`B \in \mathbb{R}^{N \times r}` of cosines and sines.

While a graph is exported, the size of an axis may be a symbol. Sizes are therefore computed in whole numbers, and bases
by the same few operations for every size. The graph then holds for all sizes.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from .cache import cached

__all__ = ["Block", "block_basis", "block_frequencies", "coarse_from_samples", "coarse_size", "samples_from_coarse"]

#: place of a block of frequencies, around DC or around the Nyquist frequency
Block = Literal["center", "nyquist"]

#: largest denominator of theta, which stands for a ratio of whole numbers: 0.7 * 20 / 2 is 7, not 6.999999999999999
_LARGEST = 10**6


def block_frequencies(size: int, theta: float, block: Block = "center") -> range:
    r"""Frequencies :math:`k \ge 0` of a block; their negatives belong to it too.

    .. math:: \text{center: } k < \theta N / 2, \qquad \text{nyquist: } k > (1 - \theta) N / 2.

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        block: place of the block, ``"center"`` (around DC) or ``"nyquist"`` (around the highest frequency).

    Returns:
        Integer frequencies in cycles per N samples; a Nyquist block of a short odd axis may be empty.

    Example:
        >>> block_frequencies(160, 0.1), block_frequencies(160, 0.1, "nyquist")
        (range(0, 8), range(73, 81))
    """
    first, stop = _span(size, theta, block)
    return range(stop) if block == "center" else range(first, size // 2 + 1)


def coarse_size(size: int, theta: float) -> int:
    """Number of nodes of the coarse grid of an axis: ``2h + 1``, with h the highest frequency of the block around DC.

    Args:
        size: number of samples of the axis.
        theta: width of the block in (0, 1).

    Example:
        >>> coarse_size(160, 0.1)
        15
    """
    first, stop = _span(size, theta, "center")
    return stop - first


def block_basis(
    size: int,
    theta: float,
    block: Block = "center",
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    r"""Orthonormal real Fourier basis (Hartley's) of a block of frequencies: one wave for k and one for -k.

    .. math:: B_{t k} = \tfrac{1}{\sqrt N} \Bigl( \cos\frac{2 \pi k t}{N} + \sin\frac{2 \pi k t}{N} \Bigr)

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        block: place of the block, ``"center"`` or ``"nyquist"``.
        dtype: type of the result; the computation is in float64.
        device: device of the result.

    Shape:
        ``(size, rank)``; the rank is the number of frequencies, negative ones included.

    Reference:
        R. N. Bracewell (1983), "Discrete Hartley transform", Journal of the Optical Society of America 73.
        DOI 10.1364/JOSA.73.001832.

    Example:
        >>> basis = block_basis(16, 0.4)
        >>> torch.allclose(basis.T @ basis, torch.eye(7), atol=1e-6)
        True
    """
    key = ("basis", size, theta, block, dtype, torch.device(device))
    return cached(key, lambda: _basis(size, *_span(size, theta, block), device).to(device, dtype))


def coarse_from_samples(size: int, theta: float, *, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    r"""Matrix from samples to the coarse nodes of the block around DC, amplitude-preserving.

    .. math:: D = \sqrt{r/N}\, B_r B_N^\top

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        dtype: type of the result; the computation is in float64.
        device: device of the result.

    Shape:
        ``(r, N)`` with r from :func:`coarse_size`.

    Example:
        >>> constant = coarse_from_samples(40, 0.1, dtype=torch.float64, device="cpu") @ torch.ones(40).double()
        >>> torch.allclose(constant, torch.ones(3).double())
        True
    """

    def build() -> Tensor:
        nodes = coarse_size(size, theta)
        fine = _basis(size, *_span(size, theta, "center"), device)
        coarse = _basis(nodes, *_span(size, theta, "center"), device)
        return (_root(nodes, size, like=coarse) * coarse @ fine.T).to(device, dtype)

    return cached(("down", size, theta, dtype, torch.device(device)), build)


def samples_from_coarse(size: int, theta: float, *, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    r"""Matrix from the coarse nodes to the coefficients of the samples in :func:`block_basis`.

    .. math:: \sqrt{N/r}\, B_r^\top, \qquad \text{so that } B_N \sqrt{N/r}\, B_r^\top = U \text{ upsamples}

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        dtype: type of the result; the computation is in float64.
        device: device of the result.

    Shape:
        ``(r, r)`` with r from :func:`coarse_size`.

    Example:
        >>> samples_from_coarse(40, 0.1, dtype=torch.float32, device="cpu").shape
        torch.Size([3, 3])
    """

    def build() -> Tensor:
        nodes = coarse_size(size, theta)
        coarse = _basis(nodes, *_span(size, theta, "center"), device)
        return (_root(size, nodes, like=coarse) * coarse.T).contiguous().to(device, dtype)

    return cached(("up", size, theta, dtype, torch.device(device)), build)


def _span(size: int, theta: float, block: Block) -> tuple[int, int]:
    """First frequency of a block and the one after its last; -k counts as N - k around Nyquist."""
    part, whole = _ratio(theta)
    if block == "center":
        highest = (part * size - 1) // (2 * whole)
        return -highest, highest + 1
    lowest = (whole - part) * size // (2 * whole) + 1
    return lowest, size - lowest + 1


def _ratio(theta: float) -> tuple[int, int]:
    """Theta as a ratio of whole numbers; a compiler sees a constant, and would warn of the cache."""
    return (_exact_ratio if torch.compiler.is_compiling() else _kept_ratio)(float(theta))


def _exact_ratio(theta: float) -> tuple[int, int]:
    part, whole = Fraction(theta).limit_denominator(_LARGEST).as_integer_ratio()
    return (part, whole) if part else (1, _LARGEST)  # no block is without DC


_kept_ratio = lru_cache(_exact_ratio)


def _basis(size: int, first: int, stop: int, device: torch.device | str) -> Tensor:
    """One column for each frequency, float64, on the device if a graph is compiled for it.

    Otherwise they are computed on the CPU, since not every device has float64.
    """
    place = device if torch.compiler.is_compiling() else "cpu"
    length = torch.full((), size, device=place)  # a tensor, since ONNX takes no remainder by a size
    turns = torch.arange(size, device=place).unsqueeze(1) * torch.arange(first, stop, device=place)
    phase = (turns % length).double() * (2 * math.pi) / length  # the remainder is exact: no rounding of whole turns
    return (torch.cos(phase) + torch.sin(phase)) / length.double().sqrt()


def _root(size: int, other: int, *, like: Tensor) -> Tensor:
    """Square root of a ratio of sizes, as a tensor: a graph takes no root of symbols."""
    return (like.new_full((), size) / other).sqrt()
