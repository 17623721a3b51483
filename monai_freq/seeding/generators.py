"""Generators seeded for the duration of a block."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from monai.data.utils import set_rnd

from .seeds import check_seed

__all__ = ["drawing_from", "one_at_a_time", "seeded"]

#: Lock of :func:`seeded`: the generators belong to the process, and two threads would draw from each other's seed.
one_at_a_time = threading.RLock()
if hasattr(os, "register_at_fork"):  # a worker forked while the lock is held would wait for a thread it does not have
    os.register_at_fork(
        before=one_at_a_time.acquire, after_in_parent=one_at_a_time.release, after_in_child=one_at_a_time.release
    )


@contextmanager
def drawing_from(transform: object, seed: int, device: torch.device) -> Iterator[None]:
    """Seed a transform for good, and the global generators for the block.

    Args:
        transform: transform, whose own random state (if it is MONAI's) stays seeded.
        seed: seed in [0, 2^32).
        device: device of the image.

    Example:
        >>> with drawing_from(print, 5, torch.device("cpu")):
        ...     first = random.random()
        >>> with drawing_from(print, 5, torch.device("cpu")):
        ...     random.random() == first
        True
    """
    with seeded(seed, device):
        set_rnd(transform, seed)
        yield


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the generators of Python, NumPy and PyTorch for the block, and restore them afterwards.

    Only one thread at a time is in such a block. Draws of other threads outside a block come from its seed meanwhile.

    Args:
        seed: seed in [0, 2^32).
        device: device of the image; of all GPUs, only this one is seeded.

    Raises:
        ValueError: seed is no integer in its range.

    Example:
        >>> before = torch.get_rng_state()
        >>> with seeded(5, torch.device("cpu")):
        ...     _ = torch.rand(3)
        >>> torch.equal(torch.get_rng_state(), before)
        True
    """
    check_seed(seed)
    with one_at_a_time, _put_back(device):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        # torch.manual_seed would seed every GPU, and only this device's generator is restored.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def _put_back(device: torch.device) -> Iterator[None]:
    """Restore the generators when the block ends."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002
