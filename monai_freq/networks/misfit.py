"""Why a backbone does not fit its wrapper or the images: the one thing that is to be changed, and to what.

A network says of itself only where it failed, deep inside. Whether size, channels or dimensions were at fault is found
by asking a copy of it on the meta device: what it takes once one of them is another, that one was at fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from ..quoting import reason_of
from .image_sizes import CannotTell, answer, by, name_of, near_sizes, on_meta
from .predictions import Wanted, shapes_in, tensors_in

__all__ = ["why_refused", "why_unfit"]

_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
_SHOWN = 120
#: where almost any network works
_AMPLE = 64


def why_refused(backbone: nn.Module, given: Sequence[int], wanted: Wanted, error: Exception) -> str | None:
    """Why a backbone failed on features; None where that is not due to their shape, or cannot be told.

    Args:
        backbone: the network.
        given: shape of the features, ``(B, C, *spatial)``.
        wanted: predictions that it is to return.
        error: error that it raised.

    Example:
        >>> backbone = nn.Conv2d(4, 2, 3, padding=1)
        >>> error = RuntimeError("expected input[1, 8, 9, 9] to have 4 channels, but got 8 channels instead")
        >>> why_refused(backbone, (1, 8, 9, 9), Wanted(2, spatial_dims=2), error)
        'the backbone takes 4 channels and gets 8: build it with in_channels=8, or pass features=4.'
    """
    batch, features, *spatial = given
    named = _CHANNELS.search(str(error))
    channels = int(named[1]) if named and int(named[2]) == features else features
    try:
        shapes = on_meta(backbone)
        failed = f"the backbone ({name_of(backbone)}) failed on images of"
        if _takes(shapes, given):
            return None
        # torch has a norm over each image refuse one voxel with words of training, and take it in a batch of several
        if _takes(shapes, (max(batch, 2), *given[1:])) and backbone.training:
            several = "pass a batch of two or more, or larger images"
            return f"{failed} {by(spatial)} ({reason_of(error)[:_SHOWN]}):\n{several}."
        sizes = near_sizes(spatial)
        likely = channels if named else _first_channels(shapes, len(spatial), features)
        if likely != features and any(_takes(shapes, (batch, likely, *size)) for size in (spatial, *sizes)):
            return _of_channels(features, likely)
        for size in sizes:
            if _takes(shapes, (batch, features, *size), wanted.is_in):
                return _of_size(failed, spatial, size, reason_of(error))
        other = 5 - len(spatial)
        if _takes(shapes, (batch, features, *[_AMPLE] * other)):
            return (
                f"the backbone takes images with {other} spatial axes and gets {len(spatial)}: "
                f"build it with spatial_dims={len(spatial)}, or pass spatial_dims={other}."
            )
    except CannotTell:
        return None if channels == features else _of_channels(features, channels)
    return None


def why_unfit(backbone: nn.Module, given: Sequence[int], wanted: Wanted, output: Any) -> str:
    """Why nothing that a backbone returned is a prediction.

    Args:
        backbone: the network.
        given: shape of its features, ``(B, C, *spatial)``.
        wanted: predictions that it is to return.
        output: output that it returned.

    Example:
        >>> import torch
        >>> backbone = nn.Conv2d(4, 2, 3, padding=1)
        >>> print(why_unfit(backbone, (1, 4, 9, 9), Wanted(2, spatial_dims=2), torch.rand(1, 2, 8, 8)))
        the backbone (Conv2d) returned (1, 2, 8, 8) for images of 9x9:
        pad, crop or resize them to a size that it takes, as 8x8.
    """
    spatial = tuple(given[2:])
    returned = f"the backbone returned {shapes_in(output)} and nothing of shape {wanted.shape}"
    scores = [item.shape[1] for item in tensors_in(output) if item.ndim == 2]
    maps = [item.shape[1:] for item in tensors_in(output) if item.ndim == len(spatial) + 2]
    maps += [item.shape[2:] for item in tensors_in(output) if item.ndim == len(spatial) + 3]
    if wanted.task == "classification":
        if scores:
            return f"{returned}: {_of_classes(wanted, scores[0])}."
        if maps and all(set(shape[1:]) == {1} for shape in maps):
            return f"{returned}: flatten what it returns to (B, {wanted.out_channels})."
        return f"{returned}: " + ('pass task="segmentation".' if maps else "see 'task'.")
    if not maps:
        return f"{returned}: " + ('pass task="classification".' if scores else "it must return a tensor of it.")
    full = [shape[0] for shape in maps if tuple(shape[1:]) == spatial]
    if full:
        return f"{returned}: {_of_classes(wanted, full[0])}."
    classes = {shape[0] for shape in maps}
    also = "" if wanted.out_channels in classes else f"\nAlso {_of_classes(wanted, maps[0][0])}."
    largest = max(maps, key=lambda shape: shape.numel())
    met = wanted._replace(out_channels=largest[0])
    size = _fitting(backbone, given, met)
    returned = f"the backbone ({name_of(backbone)}) returned {shapes_in(output)} for images of"
    return _of_size(returned, spatial, size) + also


def _first_channels(network: nn.Module, dims: int, default: int) -> int:
    """Channels that its first convolution takes."""
    return next((weight.shape[1] for weight in network.parameters() if weight.ndim == dims + 2), default)


def _fitting(backbone: nn.Module, given: Sequence[int], wanted: Wanted) -> Sequence[int] | None:
    """The nearest size that a backbone takes, empty where there is none, None where it cannot be asked."""
    batch, features, *spatial = given
    try:
        shapes = on_meta(backbone)
        return next(
            (size for size in near_sizes(spatial) if _takes(shapes, (batch, features, *size), wanted.is_in)), []
        )
    except CannotTell:
        return None


def _takes(
    shapes: nn.Module, given: Sequence[int], test: Callable[[Any, Sequence[int]], bool] = lambda output, size: True
) -> bool:
    try:
        return test(answer(shapes, given), given[2:])
    except CannotTell:
        raise
    except Exception:  # whatever the network says of it
        return False


def _of_channels(features: int, channels: int) -> str:
    return (
        f"the backbone takes {channels} channels and gets {features}: "
        f"build it with in_channels={features}, or pass features={channels}."
    )


def _of_classes(wanted: Wanted, classes: int) -> str:
    return f"build it with out_channels={wanted.out_channels}, or pass out_channels={classes}"


def _of_size(what: str, spatial: Sequence[int], fitting: Sequence[int] | None, reason: str = "") -> str:
    because = f" ({reason[:_SHOWN]})" if reason else ""
    if fitting == []:
        return f"{what} {by(spatial)}{because}:\nit must return segmentations of the size of the images."
    example = f", as {by(fitting)}" if fitting else ""
    return f"{what} {by(spatial)}{because}:\npad, crop or resize them to a size that it takes{example}."
