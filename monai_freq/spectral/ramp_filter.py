"""The filter of filtered back-projection: a ramp and its windows."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from .cache import cached
from .precision import as_computed, compute_dtype
from .scalars import check_choice

__all__ = ["Filter", "filter_window", "ramp"]

#: window on the ramp; ``ramp`` stands for none
Filter = Literal["ramp", "shepp-logan", "cosine", "hann"]


def filter_window(filter: Filter, frequency: Tensor) -> Tensor:
    r"""Window on the ramp.

    ``"ramp"`` 1 (Ram-Lak), ``"shepp-logan"`` :math:`\operatorname{sinc}(f/2)`, ``"cosine"`` :math:`\cos(\pi f/2)`,
    ``"hann"`` :math:`(1 + \cos \pi f)/2`, with f in units of the detector's Nyquist frequency :math:`1 / (2d)`.

    Args:
        filter: name of the window.
        frequency: frequency f, in [0, 1].

    Raises:
        ValueError: the filter is unknown.

    Example:
        >>> filter_window("hann", torch.tensor([0.0, 0.5, 1.0]))
        tensor([1.0000, 0.5000, 0.0000])
    """
    check_choice("filter", filter, get_args(Filter))
    frequency = as_computed(frequency, "frequency")
    if filter == "shepp-logan":
        return torch.sinc(frequency / 2)
    if filter == "cosine":
        return torch.cos(frequency * (math.pi / 2))
    return torch.ones_like(frequency) if filter == "ramp" else (1 + torch.cos(frequency * math.pi)) / 2


def ramp(length: int, filter: Filter, like: Tensor) -> Tensor:
    r"""Transfer function of the filter of filtered back-projection on a periodic detector, in units of its bins.

    .. math:: h(0) = \tfrac14, \qquad h(m) = -\frac{1}{(\pi m)^2} \text{ for odd } m, \qquad 0 \text{ otherwise}

    transformed and windowed. Unlike samples of ``|f|``, this filter keeps the mean of its input.

    Args:
        length: number of bins, even.
        filter: window on the ramp, see :func:`filter_window`.
        like: any tensor with the type and device of the result.

    Shape:
        ``(length // 2 + 1,)``, in cycles per bin: about the frequency itself.

    Reference:
        A. C. Kak, M. Slaney (1988), "Principles of computerized tomographic imaging", chapter 3.3, equation 61.

    Example:
        >>> ramp(512, "ramp", torch.zeros(1))[[0, 128, 256]]
        tensor([3.9578e-04, 2.5000e-01, 4.9960e-01])
    """

    def build() -> Tensor:
        samples = torch.zeros(length, dtype=torch.float64)
        odd = torch.arange(1, length // 2 + 1, 2)
        samples[odd] = samples[-odd] = -1 / (math.pi * odd.double()).square()
        samples[0] = 0.25
        frequency = torch.linspace(0, 1, length // 2 + 1, dtype=torch.float64)
        response: Tensor = torch.fft.rfft(samples).real * filter_window(filter, frequency)
        return response.to(like.device, dtype)

    dtype = compute_dtype(like)
    return cached(("ramp", length, filter, dtype, like.device), build)
