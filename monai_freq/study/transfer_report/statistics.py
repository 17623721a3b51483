"""Statistics of repeated fine-tunings, whose unit is the fold, and of rank correlations of a few points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import rankdata

from .cells import Key

__all__ = ["ENOUGH_POINTS", "Correlation", "Estimate", "by_fold", "by_seed", "estimate", "spearman"]

Array = NDArray[np.float64]

#: fewest points whose correlation is said
ENOUGH_POINTS = 5
#: most points whose orders are all gone through
_EXACT = 8
_RESAMPLES = 20_000


class Estimate(NamedTuple):
    """Mean, SD and Student's 95% interval over folds, each averaged over its seeds; NaN where there are too few.

    Example:
        >>> estimate({(0, 0): 1.0}).folds, estimate({(0, 0): 1.0}).sd  # one fold has no SD
        (1, nan)
    """

    mean: float
    sd: float
    low: float
    high: float
    folds: int
    seeds: int


class Correlation(NamedTuple):
    """Spearman's rho of n points and its two-sided permutation p; NaN where it cannot be told.

    Example:
        >>> spearman([1, 1, 1], [1, 2, 3])  # without ranks there is none
        Correlation(rho=nan, p=nan, n=3)
    """

    rho: float
    p: float
    n: int


def by_fold(values: Mapping[Key, float]) -> dict[int, float]:
    """Mean over the seeds of each fold.

    Args:
        values: of each fold and seed.

    Example:
        >>> by_fold({(0, 0): 1.0, (0, 1): 2.0, (1, 0): 5.0})
        {0: 1.5, 1: 5.0}
    """
    return _grouped(values, lambda key: key[0])


def by_seed(values: Mapping[Key, float]) -> dict[int, float]:
    """Mean over the folds of each seed.

    Args:
        values: of each fold and seed.

    Example:
        >>> by_seed({(0, 0): 1.0, (0, 1): 2.0, (1, 0): 5.0})
        {0: 3.0, 1: 2.0}
    """
    return _grouped(values, lambda key: key[1])


def estimate(values: Mapping[Key, float], level: float = 0.95) -> Estimate:
    r"""Mean over folds, and Student's interval of it.

    .. math:: \bar v \pm t_{n-1}\, s / \sqrt n

    with :math:`v_i` the mean over the seeds of fold *i* of *n*, and *s* their standard deviation. Seeds are averaged
    first: those of one fold share its data, so that folds x seeds are not so many independent values.

    Args:
        values: of each fold and seed.
        level: share of such intervals that hold the true mean.

    Reference:
        Student 1908, https://doi.org/10.1093/biomet/6.1.1.

    Example:
        >>> found = estimate({(0, 0): 1.0, (1, 0): 2.0, (2, 0): 3.0})
        >>> found.mean, found.sd, round(found.low, 3), round(found.high, 3), found.folds
        (2.0, 1.0, -0.484, 4.484, 3)
    """
    folds = np.array(list(by_fold(values).values()), dtype=np.float64)
    count, seeds = len(folds), len({seed for _, seed in values})
    mean = float(folds.mean()) if count else math.nan
    sd = float(folds.std(ddof=1)) if count > 1 else math.nan
    half = float(stdtrit(count - 1, (1 + level) / 2)) * sd / math.sqrt(count) if count > 1 else math.nan
    return Estimate(mean, sd, mean - half, mean + half, count, seeds)


def spearman(first: Sequence[float], second: Sequence[float]) -> Correlation:
    r"""Rank correlation of points, with the p-value of all their orders.

    .. math:: p = \frac{\#\{\pi : |\rho(x, y_\pi)| \ge |\rho(x, y)|\}}{n!}

    All orders of up to 8 points are gone through, and 20000 random ones of more, from a fixed seed.

    Args:
        first: value of each point.
        second: value of each point.

    Returns:
        NaN for fewer than 5 points, and when all points share a value.

    Raises:
        ValueError: the numbers of values differ.

    Reference:
        Spearman 1904, https://doi.org/10.2307/1412159.

    Example:
        >>> spearman([1, 2, 3, 4, 5], [10, 20, 30, 40, 50])
        Correlation(rho=1.0, p=0.016666666666666666, n=5)
    """
    if len(first) != len(second):
        raise ValueError(f"'first' and 'second' must share one length, got {len(first)} and {len(second)}.")
    count = len(first)
    if count < ENOUGH_POINTS:
        return Correlation(math.nan, math.nan, count)
    one, other = _standard_ranks(first), _standard_ranks(second)
    if not (one.any() and other.any()):
        return Correlation(math.nan, math.nan, count)
    rho = float(one @ other)
    reached = [np.abs(orders @ one) >= abs(rho) - 1e-12 for orders in _orders(other)]
    hits, tried = sum(int(one.sum()) for one in reached), sum(map(len, reached))
    if count > _EXACT:  # the order that was found is one of the possible ones
        hits, tried = hits + 1, tried + 1
    return Correlation(min(1.0, max(-1.0, rho)), hits / tried, count)


def _orders(values: Array) -> Iterator[Array]:
    """Orders of the values, ``(orders, n)`` at a time."""
    if len(values) <= _EXACT:
        yield values[np.array(list(permutations(range(len(values)))))]
        return
    rng = np.random.default_rng(0)
    for _ in range(_RESAMPLES // 1000):
        yield rng.permuted(np.tile(values, (1000, 1)), axis=1)


def _standard_ranks(values: Sequence[float]) -> Array:
    """Ranks with mean 0 and length 1; zeros when all are alike."""
    ranks = rankdata(values) - (len(values) + 1) / 2
    length = float(np.linalg.norm(ranks))
    return np.asarray(ranks / length if length > 0 else ranks, dtype=np.float64)


def _grouped(values: Mapping[Key, float], group: Callable[[Key], int]) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for key, value in sorted(values.items()):
        found.setdefault(group(key), []).append(value)
    return {name: math.fsum(ones) / len(ones) for name, ones in sorted(found.items())}
