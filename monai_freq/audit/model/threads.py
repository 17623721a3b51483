"""Several threads that each ask a network of their own, so that no state of a network can mix up two images."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import torch

from .network_files import Inferred

if TYPE_CHECKING:
    from .models import AuditModel

__all__ = ["in_threads", "in_turn", "own_network"]

T = TypeVar("T")
#: each thread holds a network and a batch
_MOST = 4
_turn = threading.RLock()


class _Own(threading.local):
    """What a thread has: None if it is no worker, and otherwise its network of each model."""

    networks: WeakKeyDictionary[AuditModel, tuple[Any, Any]] | None = None


_own = _Own()


def in_threads(compute: Callable[[int], T], places: Sequence[int], model: AuditModel | None) -> Iterator[T]:
    """Results of a function, in order, by as many threads as PyTorch may use, at most 4.

    Each of them computes with one thread and has a copy of the network, so that results do not depend on their number.
    A network that cannot be copied, is a function alone or is not on the CPU is asked by this thread.

    Args:
        compute: function of a number; it asks no network but that of the model, and by way of the model.
        places: the numbers.
        model: the network; None for none, and for this thread.

    Example:
        >>> from monai_freq.audit import AuditModel
        >>> network = torch.nn.Identity()
        >>> list(in_threads(lambda place: place**2, [1, 2, 3], AuditModel(network, network=network)))
        [1, 4, 9]
    """
    if model is None or not places or _copied(model) is None:
        yield from map(compute, places)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(min(threads, _MOST, len(places)), "audit", _begin)
    try:
        for future in [pool.submit(compute, place) for place in places]:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # that of a thread is also that of all that begin later


def own_network(model: AuditModel) -> tuple[Any, Any]:
    """Network and forward function of a model for this thread: copies in a thread of :func:`in_threads`.

    Args:
        model: the model.

    Example:
        >>> from monai_freq.audit import AuditModel
        >>> network = torch.nn.Identity()
        >>> own_network(AuditModel(network, network=network))[0] is network
        True
    """
    if _own.networks is None:
        return model.network, model.forward
    if model not in _own.networks:
        with _turn:
            _own.networks[model] = _copied(model) or (model.network, model.forward)
    return _own.networks[model]


def in_turn(transform: object) -> AbstractContextManager[Any]:
    """Context in which one thread at a time is, for transforms that may have a state; not for our own, without one.

    Args:
        transform: the transform.

    Example:
        >>> with in_turn(torch.nn.Identity()) as alone:
        ...     print(alone)
        True
    """
    return nullcontext() if transform is None or getattr(transform, "stateless", False) else _turn


def _begin() -> None:
    torch.set_num_threads(1)
    _own.networks = WeakKeyDictionary()


def _copied(model: AuditModel) -> tuple[Any, Any] | None:
    """Copies of network and forward function; None where they cannot be copied, or gain nothing."""
    network, forward = model.network, model.forward
    bound = forward is network or (isinstance(forward, Inferred) and forward.network is network)
    if network is None or not bound or model.device.type != "cpu" or isinstance(network, torch.jit.ScriptModule):
        return None
    try:
        return copy.deepcopy((network, forward))  # what they share stays shared
    except Exception:  # of any network
        return None
