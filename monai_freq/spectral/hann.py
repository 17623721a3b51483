"""The Hann window of an image: it fades to 0 at the borders, whose jumps would spread over all frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

__all__ = ["hann"]

#: voxels of an axis that is too short for a window
_SHORT = 8


def hann(sizes: Sequence[int], like: Tensor) -> Tensor:
    r"""Product of Hann windows along each axis.

    .. math:: w(n) = \prod_i \sin^2 \frac{\pi n_i}{N_i}

    Args:
        sizes: number of voxels along each axis. An axis of fewer than 8 voxels has no window.
        like: tensor whose type and device the result has.

    Shape:
        ``(*sizes,)``.

    Example:
        >>> hann((2, 8), torch.zeros(1))[0, :5]
        tensor([0.0000, 0.1464, 0.5000, 0.8536, 1.0000])
    """
    axes = [_along(size, like) for size in sizes]
    return reduce(torch.mul, (axis.view(-1, *[1] * place) for place, axis in enumerate(axes[::-1])))


def _along(size: int, like: Tensor) -> Tensor:
    if size < _SHORT:
        return like.new_ones(size)
    return torch.hann_window(size, dtype=like.dtype, device=like.device)
