"""Preprocessing of networks that come without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional as F

from ...quoting import written
from ...spectral.scalars import check_choice, is_count

__all__ = ["plain", "scaled_to"]


def plain(image: Tensor) -> Tensor:
    """The numbers of an image, without affine and metadata.

    Args:
        image: image of any kind.

    Example:
        >>> import torch
        >>> plain(MetaTensor(torch.ones(2)))
        tensor([1., 1.])
    """
    return image.as_tensor() if isinstance(image, MetaTensor) else image


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
        >>> import torch
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
