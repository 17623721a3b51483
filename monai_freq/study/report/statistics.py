"""Statistics of repeated trainings.

Of segmentations, the unit is the test case, averaged over draws; of fine-tunings, it is the fold, averaged over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit
from scipy.stats import rankdata

__all__ = [
    "ENOUGH_POINTS",
    "Correlation",
    "Estimate",
    "Key",
    "PairedTest",
    "Spread",
    "bonferroni",
    "bootstrap_interval",
    "by_seed",
    "detectable",
    "estimate",
    "paired_test",
    "spearman",
    "spread",
]

Array = NDArray[np.float64]
#: fold and seed
Key = tuple[int, int]

#: fewest points whose correlation is said
ENOUGH_POINTS = 5
_RESAMPLES = 10_000
#: most points whose orders are all gone through
_EXACT = 8
#: random orders of more points
_ORDERS = 20_000


class Spread(NamedTuple):
    """Mean over test cases, standard error over cases, standard deviation over draws; NaN where there is only one.

    Example:
        >>> spread(np.array([[1.0, 3.0]])).sd_draws  # one draw has no SD
        nan
    """

    mean: float
    sem: float
    sd_draws: float
    cases: int
    draws: int


class PairedTest(NamedTuple):
    """Paired difference of two arms and its tests.

    Args:
        difference: mean difference over cases and draws.
        sem: standard error of the difference, over cases.
        p_cases: two-sided p-value of Student's t-test on the cases; the draws are taken as they are.
        p_draws: two-sided p-value with both the cases and the draws as random; never below ``p_cases``.
        cases: number of test cases.
        draws: number of draws.
        higher: number of draws in which the mean over cases is above the baseline's.
        lower: number of draws in which it is below.

    Example:
        >>> test = paired_test(np.array([[0.61, 0.72, 0.8]]), np.array([[0.5, 0.6, 0.7]]))
        >>> test.cases, test.draws, test.higher, test.lower
        (3, 1, 1, 0)
    """

    difference: float
    sem: float
    p_cases: float
    p_draws: float
    cases: int
    draws: int
    higher: int
    lower: int


def spread(values: Array) -> Spread:
    """Mean ± SEM over cases, each averaged over the draws, and the SD over draws of the mean over cases.

    Args:
        values: value of each draw and case, ``(draws, cases)``; NaN where there is none.

    Example:
        >>> spread(np.array([[1.0, 3.0], [2.0, 4.0]]))
        Spread(mean=2.5, sem=1.0, sd_draws=0.7071067811865476, cases=2, draws=2)
    """
    known = ~np.isnan(values)
    values = values[known.any(1)][:, known.any(0)]
    draws, cases = values.shape
    if not values.size:
        return Spread(math.nan, math.nan, math.nan, 0, 0)
    of_cases, of_draws = np.nanmean(values, 0), np.nanmean(values, 1)
    return Spread(float(of_cases.mean()), _sd(of_cases) / math.sqrt(cases), _sd(of_draws), cases, draws)


def paired_test(arm: Array, baseline: Array) -> PairedTest:
    r"""Student's paired t-test of two arms on the test cases, and a second one that counts the luck of the draws.

    With :math:`d_{ij}` the difference in draw *i* of *I* and case *j* of *J*, the first is the t-test on the means over
    draws, :math:`d_{\cdot j}`: it holds for these very trainings. In the second the draws are random as well:

    .. math::
        t = \frac{d_{\cdot\cdot}}{\sqrt{V / IJ}}, \qquad
        V = MS_\text{cases} + \max(0, MS_\text{draws} - MS_\text{rest})

    with the mean squares of the analysis of variance of :math:`d` and Satterthwaite's degrees of freedom, as for the
    readers and cases of diagnostic studies. Its p-value is that of the first test where that is larger.

    Args:
        arm: values of the arm, ``(draws, cases)``, without NaN.
        baseline: values of the baseline, ``(draws, cases)``, for the same draws and cases.

    Raises:
        ValueError: the shapes differ, or a value is missing.

    Reference:
        Student 1908, https://doi.org/10.1093/biomet/6.1.1; Satterthwaite 1946, https://doi.org/10.2307/3002019;
        Hillis 2007, https://doi.org/10.1002/sim.2532.

    Example:
        >>> baseline = np.array([[0.50, 0.60, 0.70], [0.52, 0.61, 0.69]])
        >>> test = paired_test(baseline + np.array([0.10, 0.11, 0.12]), baseline)
        >>> round(test.difference, 3), round(test.p_cases, 4), test.higher
        (0.11, 0.0027, 2)
    """
    if arm.shape != baseline.shape or arm.ndim != 2:
        raise ValueError(
            f"'arm' and 'baseline' must share one shape (draws, cases), got {arm.shape}, {baseline.shape}."
        )
    difference = arm - baseline
    if np.isnan(difference).any():
        raise ValueError("'arm' and 'baseline' must have a value for every draw and case, got NaN.")
    draws, cases = difference.shape
    of_draws, of_cases = difference.mean(1), difference.mean(0)
    mean, sem = float(of_cases.mean()), _sd(of_cases) / math.sqrt(cases)
    p_cases = _p_value(mean, sem, cases - 1)
    p_draws = max(p_cases, _p_value(mean, *_with_draws(difference))) if min(draws, cases) > 1 else math.nan
    return PairedTest(mean, sem, p_cases, p_draws, cases, draws, int((of_draws > 0).sum()), int((of_draws < 0).sum()))


def bootstrap_interval(
    differences: Array, *, level: float = 0.95, seed: int = 0, resamples: int = _RESAMPLES
) -> tuple[float, float]:
    r"""Bootstrap interval of a mean over cases, by percentiles that make up for the small number of cases.

    Of *n* cases, percentiles of resampled means are too narrow by :math:`\sqrt{(n-1)/n}` and by the normal quantile in
    place of Student's; they are therefore taken at
    :math:`\Phi\left(\pm\sqrt{n/(n-1)}\; t_{n-1}\right)`. Below about 8 cases even that ends at the smallest and largest
    case and covers less than it says.

    Args:
        differences: difference of each case, ``(cases,)``.
        level: share of such intervals that hold the true mean.
        seed: seed of the resampling.
        resamples: number of resamples.

    Returns:
        Both ends; NaN for fewer than two cases.

    Reference:
        Hesterberg 2015, https://doi.org/10.1080/00031305.2015.1089789.

    Example:
        >>> low, high = bootstrap_interval(np.arange(10.0))
        >>> low < 4.5 < high
        True
    """
    cases = len(differences)
    if cases < 2:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(cases, size=(resamples, cases))
    quantile = stdtrit(cases - 1, (1 + level) / 2) * math.sqrt(cases / (cases - 1))
    low, high = np.quantile(differences[drawn].mean(1), [ndtr(-quantile), ndtr(quantile)])
    return float(low), float(high)


def bonferroni(p: float, tests: int) -> float:
    """P-value after Bonferroni's correction.

    Args:
        p: p-value of one test.
        tests: number of tests.

    Example:
        >>> bonferroni(0.01, 4), bonferroni(0.4, 4)
        (0.04, 1.0)
    """
    return p if math.isnan(p) else min(1.0, p * tests)


def detectable(sem: float, cases: int, tests: int, alpha: float = 0.05) -> float:
    """Smallest difference that the t-test on the cases calls significant after Bonferroni's correction.

    Args:
        sem: standard error of the paired difference, over cases.
        cases: number of test cases.
        tests: number of tests that the correction is for.
        alpha: level of all tests together.

    Example:
        >>> round(detectable(sem=1.0, cases=10, tests=1), 3)
        2.262
    """
    return sem * float(stdtrit(cases - 1, 1 - alpha / (2 * tests))) if cases > 1 and tests else math.nan


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


def by_seed(values: Mapping[Key, float]) -> dict[int, float]:
    """Mean over the folds of each seed.

    Args:
        values: value of each fold and seed.

    Example:
        >>> by_seed({(0, 0): 1.0, (0, 1): 2.0, (1, 0): 5.0})
        {0: 3.0, 1: 2.0}
    """
    return _grouped(values, 1)


def estimate(values: Mapping[Key, float], level: float = 0.95) -> Estimate:
    r"""Mean over folds, and Student's interval of it.

    .. math:: \bar v \pm t_{n-1}\, s / \sqrt n

    with :math:`v_i` the mean over the seeds of fold *i* of *n*, and *s* their standard deviation. Seeds are averaged
    first: those of one fold share its data, so that folds x seeds are not so many independent values.

    Args:
        values: value of each fold and seed.
        level: share of such intervals that hold the true mean.

    Reference:
        Student 1908, https://doi.org/10.1093/biomet/6.1.1.

    Example:
        >>> found = estimate({(0, 0): 1.0, (1, 0): 2.0, (2, 0): 3.0})
        >>> found.mean, found.sd, round(found.low, 3), round(found.high, 3), found.folds
        (2.0, 1.0, -0.484, 4.484, 3)
    """
    folds = np.array(list(_grouped(values, 0).values()), dtype=np.float64)
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


def _with_draws(difference: Array) -> tuple[float, float]:
    """Standard error of the mean difference with cases and draws as random, and its degrees of freedom."""
    draws, cases = difference.shape
    of_cases, of_draws = difference.mean(0), difference.mean(1)
    rest = difference - of_cases - of_draws[:, None] + difference.mean()
    ms_cases, ms_draws = draws * _sd(of_cases) ** 2, cases * _sd(of_draws) ** 2
    free = (draws - 1) * (cases - 1)
    ms_rest = float((rest**2).sum()) / free
    if ms_draws <= ms_rest:
        return math.sqrt(ms_cases / (draws * cases)), cases - 1
    variance = ms_cases + ms_draws - ms_rest
    parts = ms_cases**2 / (cases - 1) + ms_draws**2 / (draws - 1) + ms_rest**2 / free
    return math.sqrt(variance / (draws * cases)), variance**2 / parts


def _p_value(mean: float, error: float, free: float) -> float:
    """Two-sided; NaN when nothing varies but the mean is not 0, as no t-value can be had then."""
    if free < 1 or math.isnan(error):
        return math.nan
    if error <= 1e-12 * abs(mean) or error == 0:
        return 1.0 if mean == 0 else math.nan
    return 2 * float(stdtr(free, -abs(mean) / error))


def _sd(values: Array) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _orders(values: Array) -> Iterator[Array]:
    """Orders of the values, ``(orders, n)`` at a time."""
    if len(values) <= _EXACT:
        yield values[np.array(list(permutations(range(len(values)))))]
        return
    rng = np.random.default_rng(0)
    for _ in range(_ORDERS // 1000):
        yield rng.permuted(np.tile(values, (1000, 1)), axis=1)


def _standard_ranks(values: Sequence[float]) -> Array:
    """Ranks with mean 0 and length 1; zeros when all are alike."""
    ranks = rankdata(values) - (len(values) + 1) / 2
    length = float(np.linalg.norm(ranks))
    return np.asarray(ranks / length if length > 0 else ranks, dtype=np.float64)


def _grouped(values: Mapping[Key, float], part: int) -> dict[int, float]:
    """Means over what shares a fold (part 0) or a seed (part 1)."""
    found: dict[int, list[float]] = {}
    for key, value in sorted(values.items()):
        found.setdefault(key[part], []).append(value)
    return {name: math.fsum(ones) / len(ones) for name, ones in sorted(found.items())}
