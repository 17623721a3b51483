"""Whether a network takes the images that a bundle gives it, asked before anything is trained, moved or written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from ..errors import UsageError
from ..networks.image_sizes import CannotTell, answer, near_sizes, on_meta
from ..quoting import reason_of, written

__all__ = ["check_backbone"]


def check_backbone(
    backbone: torch.nn.Module,
    *,
    image_size: Sequence[int],
    setting: str = "image_size",
    in_channels: int,
    out_channels: int,
    task: Literal["segmentation", "classification"] = "segmentation",
) -> None:
    """Refuse an image size that a network does not take, and a network that returns other shapes than wanted.

    A copy of the network is asked on torch's meta device, which computes shapes alone: in about a second and next to no
    memory, whatever the size. A network whose shapes depend on the voxels cannot be asked, and passes.

    Args:
        backbone: network, or one with the same settings.
        image_size: number of voxels along each axis.
        setting: name of the setting that says so.
        in_channels: number of channels of its input.
        out_channels: number of classes.
        task: ``"segmentation"`` of a volume, with a class for each voxel, or ``"classification"`` of a 2D image.

    Raises:
        UsageError: the size is not that of an image, the network does not take it, or it returns another shape.

    Example:
        >>> from monai.networks.nets import SegResNet
        >>> check_backbone(SegResNet(in_channels=8), image_size=[60, 64, 32], in_channels=8, out_channels=2)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'image_size' must be one that the backbone (SegResNet) takes, got [60, 64, 32].
        As in --image_size [64,64,32]
    """
    spatial_dims = 3 if task == "segmentation" else 2
    counts = isinstance(image_size, Sequence) and all(type(n) is int and n > 0 for n in image_size)
    if not counts or len(image_size) != spatial_dims:
        raise UsageError(
            f"'{setting}' must be {spatial_dims} whole numbers of at least 1, got {written(image_size)}.\n"
            f"As in --{setting} {_listed([64] * spatial_dims)}"
        )
    name = type(backbone).__name__
    try:
        shapes = on_meta(backbone)
    except CannotTell:
        return

    def fault(size: Sequence[int]) -> str | None:
        returned = (out_channels, *size) if task == "segmentation" else (out_channels,)
        return _fault(shapes, (in_channels, *size), returned)

    found = fault(image_size)
    if found is None:
        return
    for near in near_sizes(image_size):
        if fault(near) is None:
            raise UsageError(
                f"'{setting}' must be one that the backbone ({name}) takes, got {list(image_size)}.\n"
                f"As in --{setting} {_listed(near)}"
            )
    raise UsageError(
        f"'backbone' ({name}) does not fit an image of shape {(in_channels, *image_size)} "
        f"and {out_channels} classes: {found}.\n"
        f"Change it, or '{setting}', in the configuration file."
    )


def _fault(shapes: torch.nn.Module, given: tuple[int, ...], expected: tuple[int, ...]) -> str | None:
    """What the network says to an image of a shape, or that it returns another than expected; None is for no fault."""
    try:
        returned = answer(shapes, (2, *given))  # two: one alone has no statistics to normalise by
    except CannotTell:
        return None
    except Exception as error:  # whatever the network says of it
        return reason_of(error)
    if not isinstance(returned, torch.Tensor) or returned.ndim > len(given) + 1:  # several outputs, or stacked ones
        return None
    shape = tuple(returned.shape[1:])
    return None if shape == expected else f"it returns {shape} instead of {expected}"


def _listed(numbers: Sequence[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"
