"""Preprocessing of networks that come without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional as F

from ...errors import DataError
from ...quoting import written
from ...spectral.scalars import check_choice, is_count

if TYPE_CHECKING:
    from .models import AuditModel

__all__ = ["laid_out", "plain", "scaled_to", "stacked"]


def laid_out(prepared: Tensor, model: AuditModel) -> Tensor:
    """Prepared images where a network is, in its numbers, and in the order in memory in which it is fastest.

    Args:
        prepared: inputs of the network, ``(B, C, *spatial)``.
        model: the network.

    Example:
        >>> from monai_freq.audit import AuditModel
        >>> laid_out(torch.ones(1, 2, 4, 4, dtype=torch.float64), AuditModel(torch.nn.Identity())).dtype
        torch.float32
    """
    moved = prepared.to(model.device, model.dtype)
    if prepared.ndim == 4:  # convolutions of one thread and few channels are a third faster so
        return moved.contiguous(memory_format=torch.channels_last)
    if prepared.ndim == 5 and model.task == "classification":  # a quarter; transposed convolutions would get slower
        return moved.contiguous(memory_format=torch.channels_last_3d)
    return moved


def plain(image: Tensor) -> Tensor:
    """The numbers of an image, without affine and metadata.

    Args:
        image: image of any kind.

    Example:
        >>> plain(MetaTensor(torch.ones(2)))
        tensor([1., 1.])
    """
    return image.as_tensor() if isinstance(image, MetaTensor) else image


def stacked(prepared: Sequence[Tensor]) -> Tensor:
    """A batch of prepared images.

    Args:
        prepared: images ``(C, *spatial)``.

    Raises:
        DataError: their sizes differ.

    Example:
        >>> stacked([torch.ones(1, 2, 2), torch.ones(1, 2, 2)]).shape
        torch.Size([2, 1, 2, 2])
    """
    shapes = {tuple(image.shape) for image in prepared}
    if len(shapes) > 1:
        raise DataError(f"The preprocessing gives images of one size several sizes: {written(sorted(shapes))}.")
    return torch.stack([plain(image) for image in prepared])


def scaled_to(
    size: Sequence[int] | None = None, intensity: str = "standard", channels: int = 1
) -> Callable[[Tensor], Tensor]:
    """Preprocessing of networks that come without one.

    Args:
        size: number of voxels along each axis, by linear interpolation with antialiasing; None for no change.
        intensity: ``"standard"`` for mean 0 and SD 1 of each image, ``"unit"`` for minimum 0 and maximum 1, ``"none"``.
        channels: number of channels; an image of one is repeated.

    Returns:
        Function from one image ``(C, *spatial)``.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> prepared = scaled_to((8, 8), "unit", channels=3)(torch.arange(256.0).reshape(1, 16, 16))
        >>> prepared.shape, prepared.aminmax()
        (torch.Size([3, 8, 8]), torch.return_types.aminmax(
        min=tensor(0.),
        max=tensor(1.)))
    """
    check_choice("intensity", intensity, ("standard", "unit", "none"))
    if size is not None and not all(map(is_count, size)):
        raise ValueError(f"'size' must be whole numbers of at least 1, got {written(list(size))}.")
    steps = None if size is None else tuple(size)
    return _Scaled(steps, intensity, channels)


@dataclass(frozen=True)
class _Scaled:
    size: tuple[int, ...] | None
    intensity: str
    channels: int
    #: so that threads need not wait for each other
    stateless: ClassVar[bool] = True

    def __call__(self, image: Tensor) -> Tensor:
        x = plain(image).float()
        if self.size is not None and x.shape[1:] != self.size:
            x = _resized(x, self.size)
        if self.intensity == "standard":
            x = (x - x.mean()) / x.std(correction=0).clamp_min(1e-8)
        elif self.intensity == "unit":
            low, high = x.aminmax()
            x = (x - low) / (high - low).clamp_min(1e-8)
        return x.expand(self.channels, *x.shape[1:]) if len(x) == 1 else x


def _resized(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """By linear interpolation; where the image gets smaller, means of boxes come first in 3D, a filter in 2D."""
    if len(size) == 2:
        return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    if all(new <= old for new, old in zip(size, image.shape[1:], strict=True)):
        return F.adaptive_avg_pool3d(image[None], (size[0], size[1], size[2]))[0]
    return F.interpolate(image[None], size, mode="trilinear")[0]
