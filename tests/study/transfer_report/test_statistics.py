"""Intervals over folds and rank correlations, against scipy and against all orders one by one."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from monai_freq.study.transfer_report.statistics import by_fold, by_seed, estimate, spearman


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_the_interval_is_students(folds):
    values = np.random.default_rng(folds).normal(0.3, 0.1, folds)
    found = estimate({(fold, 0): value for fold, value in enumerate(values)})
    low, high = stats.t.interval(0.95, folds - 1, values.mean(), stats.sem(values))
    assert (found.mean, found.sd) == (pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert (found.folds, found.seeds) == (folds, 1)


def test_seeds_are_averaged_within_folds():
    values = np.random.default_rng(0).normal(0, 1, (5, 3))
    found = estimate({(fold, seed): values[fold, seed] for fold in range(5) for seed in range(3)})
    alone = estimate(dict.fromkeys([]) | {(fold, 0): one for fold, one in enumerate(values.mean(1))})
    assert found[:5] == pytest.approx(alone[:5])
    assert found.seeds == 3
    assert by_fold({(0, 0): 1.0, (0, 1): 3.0, (4, 1): 5.0}) == {0: 2, 4: 5}
    assert by_seed({(0, 0): 1.0, (0, 1): 3.0, (4, 1): 5.0}) == {0: 1, 1: 4}


def test_repeating_a_fold_with_more_seeds_narrows_no_interval():
    """Counted as independent, three equal seeds would narrow it by more than a factor of 2."""
    folds = {(fold, 0): value for fold, value in enumerate([0.1, 0.2, 0.4])}
    repeated = {(fold, seed): value for (fold, _), value in folds.items() for seed in range(3)}
    assert estimate(repeated)[:5] == pytest.approx(estimate(folds)[:5])


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [estimate({(fold, 0): value for fold, value in enumerate(rng.normal(0, 1, 5))}) for _ in range(2000)]
    held = np.mean([one.low < 0 < one.high for one in found])
    assert 0.935 < held < 0.965


def test_too_few_folds_have_no_interval():
    assert math.isnan(estimate({}).mean)
    one = estimate({(3, 0): 0.5, (3, 1): 0.7})
    assert one.mean == pytest.approx(0.6)
    assert math.isnan(one.sd)
    assert math.isnan(one.low)


@pytest.mark.parametrize("count", [5, 6, 7, 8, 12])
@pytest.mark.parametrize("tied", [False, True])
def test_rho_is_scipys(count, tied):
    rng = np.random.default_rng(count)
    x, y = rng.normal(size=(2, count))
    if tied:
        x, y = np.round(x), np.round(y)
    assert spearman(x, y).rho == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("tied", [False, True])
def test_p_counts_all_orders(tied):
    x, y = np.random.default_rng(3).normal(size=(2, 6))
    if tied:
        x, y = np.round(x), np.round(y)
    rho = stats.spearmanr(x, y).statistic
    ranks = stats.rankdata(x)
    all_orders = [np.corrcoef(ranks, order)[0, 1] for order in permutations(stats.rankdata(y))]
    assert spearman(x, y).p == pytest.approx(np.mean(np.abs(all_orders) >= abs(rho) - 1e-9))


def test_p_is_scipys_permutation_test():
    x, y = np.random.default_rng(1).normal(size=(2, 6))
    x += y
    expected = stats.permutation_test(
        (x,),
        lambda one: stats.spearmanr(one, y).statistic,
        permutation_type="pairings",
        vectorized=False,
    )
    assert spearman(x, y).p == pytest.approx(expected.pvalue)


def test_p_of_many_points_is_near_the_usual_one():
    x, y = np.random.default_rng(5).normal(size=(2, 30))
    x += 0.5 * y
    found = spearman(x, y)
    assert found.p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.01)
    assert found == spearman(x, y)


def test_chance_is_seldom_significant():
    rng = np.random.default_rng(0)
    found = [spearman(*rng.normal(size=(2, 7))).p for _ in range(300)]
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


def test_few_or_equal_points_have_no_correlation():
    assert spearman([], [])[2] == 0
    assert math.isnan(spearman([1, 2, 3, 4], [1, 2, 3, 4]).rho)
    assert math.isnan(spearman([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]).rho)
    assert math.isnan(spearman([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]).p)


def test_points_of_different_numbers_are_refused():
    with pytest.raises(ValueError, match=r"'first' and 'second' must share one length, got 2 and 1\."):
        spearman([1, 2], [1])
