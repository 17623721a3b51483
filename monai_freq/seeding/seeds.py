"""Seeds: checks, and seeds derived from other numbers."""

from __future__ import annotations

import numpy as np

from ..quoting import written

__all__ = ["check_run_seed", "check_seed", "derived_seed"]


def check_seed(seed: int) -> None:
    """Refuse a seed that NumPy refuses.

    Args:
        seed: value of the argument ``seed``.

    Raises:
        ValueError: the seed is no integer in [0, 2^32).

    Example:
        >>> check_seed(-1)
        Traceback (most recent call last):
        ValueError: 'seed' must be an integer in [0, 2^32), got -1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"'seed' must be an integer in [0, 2^32), got {written(seed)}.")


def check_run_seed(seed: int) -> None:
    """Refuse a seed from which no others can be derived.

    Args:
        seed: value of the argument ``seed``.

    Raises:
        ValueError: the seed is no integer of at least 0.

    Example:
        >>> check_run_seed(0.5)
        Traceback (most recent call last):
        ValueError: 'seed' must be an integer of at least 0, got 0.5.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"'seed' must be an integer of at least 0, got {written(seed)}.")


def derived_seed(*numbers: int) -> int:
    """Seed derived from numbers, in the common range of torch and NumPy; nearby numbers give unrelated seeds.

    Args:
        numbers: numbers of at least 0, such as the run's seed and the epoch.

    Example:
        >>> derived_seed(0, 1), derived_seed(0, 2)
        (3964924996, 3141116543)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
