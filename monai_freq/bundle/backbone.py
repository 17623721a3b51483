"""Whether a network takes the images that a bundle gives it, asked before anything is trained, moved or written."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence

import torch

__all__ = ["check_backbone"]

#: what most networks' sizes must be multiples of
_MULTIPLES = (2, 4, 8, 16, 32, 64)
#: what networks raise for images that they do not take
_REFUSALS = (RuntimeError, ValueError)


def check_backbone(
    backbone: torch.nn.Module, *, image_size: Sequence[int], in_channels: int, out_channels: int, spatial_dims: int = 3
) -> None:
    """End the program with two readable lines when a network does not take images of a size, or returns others.

    A copy of the network is asked on torch's meta device, which computes shapes alone: in about a second and next to no
    memory, whatever the size. A network whose shapes depend on the voxels cannot be asked, and passes.

    Args:
        backbone: the network, or one made of the same settings.
        image_size: voxels along each axis.
        in_channels: the features that the network is given.
        out_channels: the classes that it is to tell apart.
        spatial_dims: 2 or 3.

    Raises:
        SystemExit: the size is not that of an image, the network does not take it, or what it returns has another.

    Example:
        >>> from monai.networks.nets import SegResNet
        >>> check_backbone(SegResNet(in_channels=8), image_size=[60, 64, 32], in_channels=8, out_channels=2)
        Traceback (most recent call last):
        SystemExit: 'image_size' must be one that the backbone (SegResNet) takes, got [60, 64, 32].
        As in --image_size [64,64,32]
    """
    counts = isinstance(image_size, Sequence) and all(type(n) is int and n > 0 for n in image_size)
    if not counts or len(image_size) != spatial_dims:
        raise SystemExit(
            f"'image_size' must be {spatial_dims} whole numbers of at least 1, got {image_size!r}.\n"
            f"As in --image_size {_listed([64] * spatial_dims)}"
        )
    name, shapes = type(backbone).__name__, copy.deepcopy(backbone).to("meta")
    try:
        returned = _ask(shapes, image_size, in_channels)
    except _REFUSALS as error:
        _suggest(shapes, image_size, in_channels, name)
        reason = f"{error}".splitlines()[0].rstrip(".")
        raise SystemExit(
            f"'backbone' must take {in_channels} channels ('features') of {list(image_size)} voxels, but {name} says: "
            f"{reason}.\n"
            'Change its settings in the configuration file, for example to "in_channels": "@features"'
        ) from error
    if returned is None or returned == (out_channels, *image_size):
        return
    if returned[1:] != tuple(image_size):
        _suggest(shapes, image_size, in_channels, name)
    raise SystemExit(
        f"'backbone' must return {out_channels} channels ('classes') of {list(image_size)} voxels, but {name} returns "
        f"{returned[0]} of {list(returned[1:])}.\n"
        'Change its settings in the configuration file, for example to "out_channels": "$len(@classes)"'
    )


def _suggest(shapes: torch.nn.Module, size: Sequence[int], channels: int, name: str) -> None:
    """End the program with a size that the network takes, if one is near."""
    for near in _near(size):
        with contextlib.suppress(*_REFUSALS):
            returned = _ask(shapes, near, channels)
            if returned is None or returned[1:] == tuple(near):
                raise SystemExit(
                    f"'image_size' must be one that the backbone ({name}) takes, got {list(size)}.\n"
                    f"As in --image_size {_listed(near)}"
                )


def _ask(shapes: torch.nn.Module, size: Sequence[int], channels: int) -> tuple[int, ...] | None:
    """Channels and size of what is returned for an image; None where it is more than one tensor, or only data tell."""
    try:
        with torch.no_grad():
            returned = shapes(torch.empty(2, channels, *size, device="meta"))
    except NotImplementedError:
        return None
    except RuntimeError as error:
        if "meta" in str(error):  # a tensor made on the CPU, say
            return None
        raise
    if isinstance(returned, torch.Tensor) and returned.ndim == len(size) + 2:
        return tuple(returned.shape[1:])
    return None


def _near(size: Sequence[int]) -> list[list[int]]:
    """Sizes that most networks take, the nearest first."""
    rounded = [[max(1, round(n / multiple)) * multiple for n in size] for multiple in _MULTIPLES]
    return [near for near in rounded if near != list(size)]


def _listed(numbers: Sequence[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"
