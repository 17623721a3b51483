"""Kernels: functions on arrays that Numba compiles for this processor when they are first called.

A kernel is for loops that operations of torch express only with many more passes over memory. Numba is imported by the
first call, not before. Compiled code is kept on disk where there is a place for it, and read by later processes.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, cached_property, update_wrapper
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

__all__ = ["Kernel", "arrays", "compiled", "side_by_side"]

_log = logging.getLogger(__name__)
#: Seconds after which a user is told what takes so long.
_PATIENCE = 2.0
#: Held while a kernel is compiled, and by every fork: a child would find Numba's own lock taken for ever.
_compiling = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_compiling.acquire, after_in_parent=_compiling.release, after_in_child=_compiling.release
    )

R = TypeVar("R")


class Kernel(Generic[R]):
    """Function that is compiled for each combination of types it is called with, and runs beside Python's lock.

    Args:
        function: loops over arrays of NumPy, which may call other kernels of the same module.
        fused: whether a product and a sum may be rounded once, as one instruction does.
        prepare: function to call before the loops are compiled, such as one that makes what they call with Numba.

    Example:
        >>> def add(a, b):
        ...     return a + b
        >>> Kernel(add)(2, 3)
        5
    """

    def __init__(
        self, function: Callable[..., R], fused: bool = True, prepare: Callable[[], None] = lambda: None
    ) -> None:
        self.function = function
        self.fused = fused
        self.prepare = prepare
        self._known: set[tuple[object, ...]] = set()
        update_wrapper(self, function)

    def __call__(self, *args: Any) -> R:
        """Call the compiled function; torch.compile breaks its graph here, rather than look into Numba."""
        call = self._untraced if "torch._dynamo" in sys.modules else self._call
        return call(*args)

    @cached_property
    def _untraced(self) -> Callable[..., R]:
        """The call, which no graph takes in; made late, as this imports what only torch.compile needs."""
        untraced: Callable[..., R] = torch.compiler.disable(self._call)  # type: ignore[no-untyped-call]
        return untraced

    def _call(self, *args: Any) -> R:
        kinds = tuple(map(_kind, args))
        if kinds not in self._known:
            self._compile(args)
            self._known.add(kinds)
        result: R = self._dispatcher(*args)
        return result

    def _compile(self, args: tuple[Any, ...]) -> None:
        """Compile for the types of some arguments, or read what an earlier process has compiled."""
        with _compiling, _telling(), _no_collection():
            from numba import typeof

            self._dispatcher.compile(tuple(map(typeof, args)))

    @cached_property
    def _dispatcher(self) -> Any:
        """What Numba makes of the function."""
        from numba import njit

        self.prepare()
        made = njit(nogil=True, fastmath={"contract"} if self.fused else False, error_model="numpy")(self.function)
        made._cache = _forgiving_cache(self.function)
        return made

    @property
    def _numba_type_(self) -> Any:
        """What Numba asks an object for when a kernel names it: its type, here that of a compiled function."""
        return self._dispatcher._numba_type_


def compiled(
    *, fused: bool = True, prepare: Callable[[], None] = lambda: None
) -> Callable[[Callable[..., R]], Kernel[R]]:
    """Decorator that makes a function a :class:`Kernel`.

    Args:
        fused: whether a product and a sum may be rounded once.
        prepare: function to call before the loops are compiled.

    Example:
        >>> @compiled()
        ... def largest(values):
        ...     found = values[0]
        ...     for value in values:
        ...         found = max(found, value)
        ...     return found
        >>> largest(*arrays(torch.tensor([1, 3, 2])))
        3
    """
    return lambda function: Kernel(function, fused, prepare)


def arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Arrays of NumPy that share the memory of tensors, for kernels to read and to write.

    Args:
        tensors: on the CPU and contiguous, so that a kernel is compiled for one layout only.

    Raises:
        ValueError: a tensor is not contiguous.

    Example:
        >>> x = torch.zeros(2)
        >>> arrays(x)[0][1] = 3
        >>> x
        tensor([0., 3.])
    """
    for x in tensors:
        if not x.is_contiguous():
            raise ValueError(f"'tensors' must be contiguous, got strides {x.stride()}: pass x.contiguous().")
    return tuple(x.detach().as_subclass(Tensor).numpy() for x in tensors)


def side_by_side(calls: Sequence[Callable[[], object]], most: int | None = None) -> None:
    """Make calls on as many threads as torch has, each of which takes the next call when it is done with one.

    The threads end with the calls, so that a process can fork at any other time.

    Args:
        calls: calls that spend their time in kernels: an operation of torch divides itself among all threads again. The
            work must be divided the same way for any number of threads if the result is to be the same.
        most: most threads that pay; by default any number.

    Example:
        >>> found = []
        >>> side_by_side([lambda: found.append(1), lambda: found.append(2)])
        >>> sorted(found)
        [1, 2]
    """
    threads = min(torch.get_num_threads(), len(calls), len(calls) if most is None else most)
    if threads <= 1:
        for call in calls:
            call()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()


def _kind(value: object) -> object:
    """What of an argument decides for what types a kernel is compiled."""
    return getattr(value, "dtype", type(value)), getattr(value, "ndim", 0)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect no garbage: to look through all objects of torch and Numba takes half of the time of a warm start."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _telling() -> Iterator[None]:
    """Say what is happening, if it takes long."""
    timer = threading.Timer(_PATIENCE, _tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@cache
def _tell() -> None:
    """One line in a process, and in one of the workers of a DataLoader."""
    worker = get_worker_info()
    if worker is None or worker.id == 0:
        _log.warning("Compiling loops for this processor, some seconds long; later processes find them on disk.")


def _forgiving_cache(function: Callable[..., object]) -> Any:
    """Numba's cache on disk, to which a missing, read-only, full or damaged folder is no error."""
    from numba.core.caching import FunctionCache, NullCache

    class Forgiving(FunctionCache):  # type: ignore[misc]
        def load_overload(self, sig: object, target_context: object) -> object:
            try:
                return super().load_overload(sig, target_context)
            except Exception:  # whatever the readers of pickles and of code raise
                return None

        def save_overload(self, sig: object, data: object) -> None:
            try:
                super().save_overload(sig, data)
            except Exception:
                _log.debug("The compiled code of %s could not be kept.", function, exc_info=True)

    try:
        return Forgiving(function)
    except Exception:  # Numba's own is RuntimeError, "no locator available"
        return NullCache()
