"""What several handlers ask of an engine's parts and of their own arguments."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["bare", "positive"]


def bare(item: Any) -> Any:
    """Network without its parallel or compiled wrapper: plain names, and a call waits for no other process.

    Args:
        item: network, or anything else, which is returned as it is.

    Example:
        >>> network = nn.Linear(2, 1)
        >>> bare(nn.DataParallel(network)) is network
        True
    """
    if isinstance(item, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        return bare(item.module)
    return bare(item._orig_mod) if hasattr(item, "_orig_mod") else item  # torch.compile's


def positive(name: str, value: int) -> int:
    """Value of an argument that has to be a positive integer.

    Args:
        name: of the argument.
        value: as given.

    Raises:
        ValueError: it is not.

    Example:
        >>> positive("interval", 0)
        Traceback (most recent call last):
        ValueError: 'interval' must be a positive integer, got 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"'{name}' must be a positive integer, got {value!r}.")
    return value
