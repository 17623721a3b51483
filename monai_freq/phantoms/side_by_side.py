"""Many independent pictures, drawn side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

__all__ = ["drawn"]

FEWEST = 8  # pictures that are worth starting processes for
MOST = 8  # processes: each needs the memory of a picture

Drawn = TypeVar("Drawn")


def drawn(draw: Callable[..., Drawn], places: Sequence[tuple[Any, ...]]) -> Iterator[Drawn]:
    """What a function draws at each of many places, in their order.

    Where there are several processors, as many worker processes of torch's ``DataLoader`` draw; they end with this one,
    however it ends. Where forking is not safe, on other systems than Linux or beside other threads, one after the other
    is drawn. The result is the same, as chance comes from the place alone, and no generator of this process moves.

    Args:
        draw: function whose result depends on its arguments alone.
        places: arguments of each call.

    Example:
        >>> list(drawn(pow, [(2, 3), (3, 2)]))
        [8, 9]
    """
    workers = min(MOST, _processors()) if len(places) >= FEWEST and _may_fork() else 0
    if workers < 2:
        yield from (draw(*place) for place in places)
        return
    import torch
    from torch.utils.data import DataLoader

    pictures: Any = _Pictures(draw, places)
    loader: DataLoader[Drawn] = DataLoader(
        pictures,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        multiprocessing_context="fork",
        generator=torch.Generator(),  # else one number would be drawn from the global one
    )
    with warnings.catch_warnings():  # Python 3.12 warns beside threads of C libraries, which wait and stay behind
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        coming = iter(loader)
    yield from coming


class _Pictures:
    """Data set of calls."""

    def __init__(self, draw: Callable[..., Any], places: Sequence[tuple[Any, ...]]) -> None:
        self.draw = draw
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Any:
        return self.draw(*self.places[index])


def _as_it_is(picture: Any) -> Any:
    return picture


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _may_fork() -> bool:
    """A forked process has one thread and the locks of all; daemons, such as a loader's workers, start no process."""
    return sys.platform == "linux" and threading.active_count() == 1 and not multiprocessing.current_process().daemon
