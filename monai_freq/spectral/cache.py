"""A cache of tensors that depend on a geometry alone."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor

__all__ = ["cached", "is_traced"]

_ENTRIES = 64
_kept: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()
_lock = Lock()
if hasattr(os, "register_at_fork"):  # a process forked while another thread holds the lock would wait forever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def cached(key: tuple[object, ...], build: Callable[[], Tensor]) -> Tensor:
    """Build a tensor, or return it from the cache, which drops the least recently used tensors.

    The cache skips tensors built while a graph is traced: they would poison later calls. Threads share the cache;
    threads that miss the same tensor at the same time build it once each.

    Args:
        key: everything that the tensor depends on, data type and device included.
        build: function that builds the tensor.

    Example:
        >>> cached(("ones", 3), lambda: torch.ones(3)) is cached(("ones", 3), lambda: torch.zeros(3))
        True
    """
    if is_traced():
        return build()
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    with torch.inference_mode(False), torch.no_grad():  # an inference tensor could not be used in training later
        tensor = build()
    if type(tensor) is Tensor:
        with _lock:
            _kept[key] = tensor
            if len(_kept) > _ENTRIES:
                _kept.popitem(last=False)
    return tensor


def is_traced() -> bool:
    """Whether a graph is being traced, for a compiler, an export or TorchScript.

    Example:
        >>> is_traced()
        False
    """
    tracing: Callable[[], bool] = torch.jit.is_tracing  # type: ignore[attr-defined]
    return torch.compiler.is_compiling() or tracing()
