"""Which images a network takes, asked on torch's meta device, which computes shapes alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from ..quoting import reason_of
from ..spectral.cache import is_traced

__all__ = ["CannotTell", "answer", "by", "name_of", "near_sizes", "on_meta"]

#: what most networks' sizes must be multiples of
_MULTIPLES = (2, 4, 8, 16, 32, 64)
#: what networks of one size are mostly made for
_USUAL = (16, 32, 48, 64, 96, 112, 128, 160, 192, 224, 256, 320, 384, 512)


class CannotTell(Exception):
    """A network whose shapes depend on the voxels, or that is no torch module through and through.

    Example:
        >>> issubclass(CannotTell, Exception)
        True
    """


def on_meta(network: nn.Module) -> nn.Module:
    """Copy of a network that computes shapes alone; no weight is copied, so that it needs next to no memory.

    Args:
        network: any network; it stays as it is.

    Raises:
        CannotTell: it cannot be copied, or a graph is being traced.

    Example:
        >>> on_meta(nn.Linear(2, 3)).weight.device
        device(type='meta')
    """
    if is_traced():
        raise CannotTell("a graph is being traced")
    network = getattr(network, "_orig_mod", network)  # what torch.compile was given
    moved: dict[int, Any] = {}
    for parameter in network.parameters():
        moved[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
    for buffer in network.buffers():
        moved[id(buffer)] = buffer.detach().to("meta")
    try:
        copied = copy.deepcopy(network, moved).to("meta")
    except Exception as error:  # of whatever the network holds
        raise CannotTell(reason_of(error)) from error
    for module in copied.modules():
        module._forward_hooks.clear()  # a user's, which need numbers, or note what passes
        module._forward_pre_hooks.clear()
    return copied


def answer(shapes: nn.Module, given: Sequence[int]) -> Any:
    """What a network returns for a batch of a shape, as tensors without numbers.

    Args:
        shapes: the network, from :func:`on_meta`.
        given: shape of the batch, channels and images, ``(B, C, *spatial)``.

    Raises:
        CannotTell: it computes what the meta device cannot.
        Exception: of the network, which does not take the shape.

    Example:
        >>> answer(on_meta(nn.Conv2d(1, 4, 3)), (2, 1, 9, 9)).shape
        torch.Size([2, 4, 7, 7])
    """
    try:
        with torch.no_grad():
            return shapes(torch.empty(*given, device="meta"))
    except NotImplementedError as error:
        raise CannotTell(reason_of(error)) from error
    except Exception as error:
        if "meta" in str(error):  # a tensor that the network makes on the CPU, say
            raise CannotTell(reason_of(error)) from error
        raise


def near_sizes(size: Sequence[int]) -> list[list[int]]:
    """Sizes that most networks take, the nearest first.

    Args:
        size: number of voxels along each axis.

    Example:
        >>> near_sizes([33, 47])[:4]
        [[32, 48], [32, 32], [48, 48], [16, 16]]
    """
    rounded = ([max(1, round(n / multiple)) * multiple for n in size] for multiple in _MULTIPLES)
    alike = ([usual] * len(size) for usual in _USUAL)
    found = {tuple(near) for near in chain(rounded, alike)} - {tuple(size)}
    return [list(near) for near in sorted(found, key=lambda near: (_distance(near, size), near))]


def by(size: Sequence[int]) -> str:
    """A size as it is written in messages.

    Args:
        size: number of voxels along each axis.

    Example:
        >>> by([33, 47])
        '33x47'
    """
    return "x".join(map(str, size))


def name_of(network: nn.Module) -> str:
    """Class of a network, compiled or not.

    Args:
        network: any network.

    Example:
        >>> name_of(nn.Conv2d(1, 1, 1))
        'Conv2d'
    """
    return type(getattr(network, "_orig_mod", network)).__name__


def _distance(near: Sequence[int], size: Sequence[int]) -> int:
    return sum(abs(a - b) for a, b in zip(near, size, strict=True))
