"""Images of TorchIO as our transforms take them, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchio
from monai.data import MetaTensor
from torch import Tensor

__all__ = ["alter", "as_meta_tensor"]


def as_meta_tensor(image: torchio.Image) -> MetaTensor:
    """Image of TorchIO as MONAI loads it: with its affine matrix, its file's name, and no axis more than it has.

    Args:
        image: image of TorchIO, ``(C, W, H, D)``; a depth of 1 is what TorchIO calls 2D.

    Returns:
        The image, ``(C, W, H, D)``, or ``(C, W, H)`` where the depth is 1. It shares the memory.

    Example:
        >>> as_meta_tensor(torchio.ScalarImage(tensor=torch.rand(1, 8, 6, 1))).shape
        torch.Size([1, 8, 6])
    """
    data: Tensor = image.data
    affine = torch.as_tensor(image.affine, dtype=torch.float64)
    meta = {"filename_or_obj": str(image.path)} if image.path else {}
    return MetaTensor(data[..., 0] if image.is_2d() else data, affine, meta)


def alter(image: torchio.Image, transform: Callable[[MetaTensor], Any]) -> None:
    """Give an image of TorchIO the values that a transform makes of them.

    Args:
        image: image of TorchIO, which is changed.
        transform: array transform that keeps the size of the image; the number of channels may change.

    Example:
        >>> image = torchio.ScalarImage(tensor=torch.ones(1, 8, 6, 1))
        >>> alter(image, lambda pixels: 2 * pixels)
        >>> image.shape, float(image.data.mean())
        ((1, 8, 6, 1), 2.0)
    """
    result = torch.as_tensor(transform(as_meta_tensor(image)))
    values = result.as_tensor() if isinstance(result, MetaTensor) else result
    image.set_data(values[..., None] if image.is_2d() else values)
