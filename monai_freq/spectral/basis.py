r"""Orthonormal Fourier bases of blocks of frequencies, made once and kept.

An axis of :math:`N` samples has the integer frequencies :math:`|k| \le N/2`. A block of them, symmetric about zero, is
the range of a real basis :math:`B \in \mathbb{R}^{N \times r}` of cosines and sines.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from .cache import cached

__all__ = ["Block", "block_basis", "block_frequencies", "coarse_from_samples", "coarse_size", "samples_from_coarse"]

#: where a block of frequencies lies, around DC or around the Nyquist frequency
Block = Literal["center", "nyquist"]

#: theta * N / 2 is meant as a rational number: 0.7 * 20 / 2 is 7, not 6.999999999999999.
_ROUNDING = 1e-9


def block_frequencies(size: int, theta: float, block: Block = "center") -> range:
    r"""Frequencies :math:`k \ge 0` of a block; their negatives belong to it too.

    .. math:: \text{center: } k < \theta N / 2, \qquad \text{nyquist: } k > (1 - \theta) N / 2.

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        block: ``"center"``, around DC, or ``"nyquist"``, around the highest frequency.

    Returns:
        Integer frequencies in cycles per N samples; a Nyquist block of a short odd axis may be empty.

    Example:
        >>> block_frequencies(160, 0.1), block_frequencies(160, 0.1, "nyquist")
        (range(0, 8), range(73, 81))
    """
    if block == "center":
        return range(math.ceil(theta * size / 2 - _ROUNDING))
    return range(math.floor((1 - theta) * size / 2 + _ROUNDING) + 1, size // 2 + 1)


def coarse_size(size: int, theta: float) -> int:
    """Nodes of the coarse grid that holds the block around DC of an axis: ``2h + 1`` with h its highest frequency.

    Args:
        size: number of samples of the axis.
        theta: width of the block in (0, 1).

    Example:
        >>> coarse_size(160, 0.1)
        15
    """
    return 2 * len(block_frequencies(size, theta)) - 1


def block_basis(
    size: int,
    theta: float,
    block: Block = "center",
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    r"""Orthonormal real Fourier basis of a block of frequencies.

    .. math:: \tfrac{1}{\sqrt N}, \quad \sqrt{\tfrac{2}{N}} \cos\frac{2 \pi k t}{N}, \quad
              \sqrt{\tfrac{2}{N}} \sin\frac{2 \pi k t}{N}, \quad \tfrac{1}{\sqrt N} \cos(\pi t) \text{ for } k = N / 2.

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        block: ``"center"`` or ``"nyquist"``.
        dtype: computed in float64, returned in this type.
        device: where to put it.

    Shape:
        ``(size, rank)``; the rank is the number of frequencies, negative ones included.

    Example:
        >>> basis = block_basis(16, 0.4)
        >>> torch.allclose(basis.T @ basis, torch.eye(7), atol=1e-6)
        True
    """
    key = ("basis", size, theta, block, dtype, torch.device(device))
    return cached(key, lambda: _basis(size, block_frequencies(size, theta, block), device).to(device, dtype))


def coarse_from_samples(size: int, theta: float, *, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    r"""Matrix from samples to the coarse nodes of the block around DC, amplitude-preserving.

    .. math:: D = \sqrt{r/N}\, B_r B_N^\top

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        dtype: computed in float64, returned in this type.
        device: where to put it.

    Shape:
        ``(r, N)`` with r from :func:`coarse_size`.

    Example:
        >>> constant = coarse_from_samples(40, 0.1, dtype=torch.float64, device="cpu") @ torch.ones(40).double()
        >>> torch.allclose(constant, torch.ones(3).double())
        True
    """

    def build() -> Tensor:
        nodes = coarse_size(size, theta)
        fine = _basis(size, block_frequencies(size, theta), device)
        return (math.sqrt(nodes / size) * _basis(nodes, range(nodes // 2 + 1), device) @ fine.T).to(device, dtype)

    return cached(("down", size, theta, dtype, torch.device(device)), build)


def samples_from_coarse(size: int, theta: float, *, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    r"""Matrix from the coarse nodes to the coefficients of the samples in :func:`block_basis`.

    .. math:: \sqrt{N/r}\, B_r^\top, \qquad \text{so that } B_N \sqrt{N/r}\, B_r^\top = U \text{ upsamples}

    Args:
        size: number of samples N of the axis.
        theta: width of the block in (0, 1).
        dtype: computed in float64, returned in this type.
        device: where to put it.

    Shape:
        ``(r, r)`` with r from :func:`coarse_size`.

    Example:
        >>> samples_from_coarse(40, 0.1, dtype=torch.float32, device="cpu").shape
        torch.Size([3, 3])
    """

    def build() -> Tensor:
        nodes = coarse_size(size, theta)
        matrix = math.sqrt(size / nodes) * _basis(nodes, range(nodes // 2 + 1), device).T
        return matrix.contiguous().to(device, dtype)

    return cached(("up", size, theta, dtype, torch.device(device)), build)


def _basis(size: int, frequencies: range, device: torch.device | str) -> Tensor:
    """Columns for each frequency of the range and its negative, float64, on the device if a graph is compiled for it.

    Otherwise they are made on the CPU, as not every device has float64.
    """
    place = device if torch.compiler.is_compiling() else "cpu"
    time = torch.arange(size, device=place)
    columns = []
    for k in frequencies:
        phase = (k * time % size).double() * (2 * math.pi / size)
        if k == 0 or 2 * k == size:
            columns.append(torch.cos(phase) / math.sqrt(size))
        else:
            columns += [torch.cos(phase) * math.sqrt(2 / size), torch.sin(phase) * math.sqrt(2 / size)]
    return torch.stack(columns, dim=1) if columns else torch.zeros(size, 0, dtype=torch.float64, device=place)
