"""Cached tensors are found again by any number of threads."""

from threading import Event, Thread

import pytest
import torch

from monai_freq.spectral import cache
from monai_freq.spectral.cache import cached


def crowd_out() -> None:
    """Fill the cache, so that all other tensors are dropped."""
    for number in range(cache._ENTRIES):
        cached(("crowd", number), lambda: torch.zeros(1))


class Interrupted:
    """Part of a key: at its n-th look-up, another thread fills the cache, if it can."""

    def __init__(self, lookup: int) -> None:
        self.lookup, self.done = lookup, Event()

    def __hash__(self) -> int:
        self.lookup -= 1
        if self.lookup == 0:
            Thread(target=lambda: (crowd_out(), self.done.set())).start()
            self.done.wait(0.2)
        return 0


@pytest.mark.parametrize("lookup", [1, 2, 3])
def test_a_tensor_dropped_by_another_thread_is_still_returned(lookup):
    part = Interrupted(lookup=99)
    kept = cached(("interrupted", part), lambda: torch.ones(2))
    part.lookup = lookup
    assert torch.equal(cached(("interrupted", part), lambda: torch.ones(2)), kept)
    assert part.done.wait(60)
