"""Tests, intervals and rank correlations against scipy and against their promises under repeated sampling."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from monai_freq.study.report.statistics import (
    bonferroni,
    bootstrap_interval,
    by_seed,
    detectable,
    estimate,
    paired_test,
    spearman,
    spread,
)


def planted(seed: int, draws: int = 10, cases: int = 9, effect: float = 0.0, luck: float = 0.0):
    """Two arms with the same hard cases and the same lucky draws; each training can have luck of its own."""
    rng = np.random.default_rng(seed)
    common = 0.75 + 0.08 * rng.standard_normal(cases) + 0.03 * rng.standard_normal((draws, 1))
    arms = [common + 0.03 * rng.standard_normal((draws, cases)) for _ in range(2)]
    own = [luck * rng.standard_normal((draws, 1)) for _ in range(2)]
    return arms[0] + own[0] + effect, arms[1] + own[1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("draws", "cases"), [(1, 4), (3, 4), (10, 9), (10, 52)])
def test_the_test_on_cases_is_scipys(seed, draws, cases):
    arm, baseline = planted(seed, draws, cases, effect=0.01, luck=0.01)
    found = paired_test(arm, baseline)
    expected = stats.ttest_rel(arm.mean(0), baseline.mean(0))
    assert found.p_cases == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.difference == pytest.approx(float(arm.mean() - baseline.mean()))
    assert found.difference / found.sem == pytest.approx(expected.statistic, rel=1e-9)


def test_draws_that_favour_either_arm_are_counted():
    baseline = np.full((4, 3), 0.5)
    arm = baseline + np.array([[0.1], [0.2], [-0.1], [0.0]])
    found = paired_test(arm + 1e-3 * np.array([1, 0, -1]), baseline)
    assert (found.higher, found.lower, found.draws, found.cases) == (2, 1, 4, 3)


def independent_p(difference: np.ndarray) -> float:
    """Cases crossed with draws, from the sums of squares of textbooks."""
    draws, cases = difference.shape
    mean = difference.mean()
    of_cases = draws * sum((difference[:, j].mean() - mean) ** 2 for j in range(cases)) / (cases - 1)
    of_draws = cases * sum((difference[i].mean() - mean) ** 2 for i in range(draws)) / (draws - 1)
    total = ((difference - mean) ** 2).sum()
    rest = (total - of_cases * (cases - 1) - of_draws * (draws - 1)) / ((draws - 1) * (cases - 1))
    assert of_draws > rest
    variance = of_cases + of_draws - rest
    free = variance**2 / (of_cases**2 / (cases - 1) + of_draws**2 / (draws - 1) + rest**2 / ((draws - 1) * (cases - 1)))
    return float(2 * stats.t.sf(abs(mean) / math.sqrt(variance / (draws * cases)), free))


@pytest.mark.parametrize("seed", range(5))
def test_the_luck_of_trainings_counts_in_the_second_test(seed):
    arm, baseline = planted(seed, luck=0.05)
    found = paired_test(arm, baseline)
    assert found.p_draws == pytest.approx(max(found.p_cases, independent_p(arm - baseline)), rel=1e-9)
    assert found.p_draws >= found.p_cases


def test_without_luck_both_tests_agree():
    rng = np.random.default_rng(0)
    baseline = rng.random((6, 8))
    found = paired_test(baseline + rng.normal(0.01, 0.02, 8), baseline)  # each case by its own, in every draw alike
    assert found.p_draws == pytest.approx(found.p_cases)


def false_alarms(luck: float, studies: int = 1000) -> tuple[float, float]:
    found = [paired_test(*planted(seed, luck=luck)) for seed in range(studies)]
    return tuple(float(np.mean([getattr(one, name) < 0.05 for one in found])) for name in ("p_cases", "p_draws"))


def test_five_in_a_hundred_null_studies_are_false_alarms():
    of_cases, of_draws = false_alarms(luck=0)
    assert 0.03 < of_cases < 0.07
    assert of_draws < 0.07


def test_luck_fools_the_test_on_cases_alone():
    of_cases, of_draws = false_alarms(luck=0.02)
    assert of_cases > 0.2
    assert 0.03 < of_draws < 0.07


def test_a_planted_difference_is_found():
    found = [paired_test(*planted(seed, effect=0.05, luck=0.01)) for seed in range(50)]
    assert np.mean([one.p_draws < 0.01 for one in found]) > 0.95
    assert all(one.difference == pytest.approx(0.05, abs=0.03) for one in found)


@pytest.mark.parametrize(("draws", "cases"), [(1, 5), (5, 1), (1, 1)])
def test_one_draw_or_case_has_no_second_test(draws, cases):
    found = paired_test(*planted(0, draws, cases))
    assert math.isnan(found.p_draws)
    assert math.isnan(found.p_cases) == (cases == 1)


def test_equal_arms_do_not_differ():
    arm, _ = planted(0)
    found = paired_test(arm, arm)
    assert (found.difference, found.p_cases, found.p_draws, found.higher) == (0, 1, 1, 0)


def test_differences_that_do_not_vary_have_no_p_value():
    assert math.isnan(paired_test(np.full((3, 4), 0.75), np.full((3, 4), 0.5)).p_cases)


@pytest.mark.parametrize(
    ("arm", "baseline", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"got \(2, 3\), \(3, 2\)"),
        (np.zeros(3), np.zeros(3), r"got \(3,\)"),
        (np.array([[0, np.nan]]), np.zeros((1, 2)), "NaN"),
    ],
)
def test_arms_that_are_no_pair_are_refused(arm, baseline, message):
    with pytest.raises(ValueError, match=message):
        paired_test(arm, baseline)


def test_spread_is_over_cases_and_over_draws():
    values = planted(0, draws=7, cases=5)[0]
    found = spread(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.sem == pytest.approx(stats.sem(values.mean(0)))
    assert found.sd_draws == pytest.approx(np.std(values.mean(1), ddof=1))
    assert (found.cases, found.draws) == (5, 7)


def test_spread_leaves_out_what_is_not_there():
    values = np.array([[1.0, np.nan, 3.0], [3.0, np.nan, np.nan], [np.nan] * 3])
    found = spread(values)
    assert (found.mean, found.cases, found.draws) == (2.5, 2, 2)
    assert math.isnan(spread(np.full((2, 3), np.nan)).mean)
    assert math.isnan(spread(np.empty((0, 0))).mean)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_draw_has_no_sd_and_one_case_no_sem(shape):
    found = spread(np.random.default_rng(0).random(shape))
    assert math.isnan(found.sd_draws) == (shape[0] == 1)
    assert math.isnan(found.sem) == (shape[1] == 1)


@pytest.mark.parametrize(("cases", "least"), [(8, 0.92), (16, 0.93), (52, 0.93)])
def test_the_interval_covers_the_true_mean(cases, least):
    rng = np.random.default_rng(cases)
    ends = [bootstrap_interval(sample, resamples=1500) for sample in rng.normal(0.3, 1, (800, cases))]
    assert least < np.mean([low <= 0.3 <= high for low, high in ends]) < 0.97


def test_the_interval_of_many_cases_is_the_textbooks_bootstrap():
    sample = np.random.default_rng(0).exponential(size=200)
    expected = stats.bootstrap((sample,), np.mean, method="percentile", random_state=1)
    assert bootstrap_interval(sample) == pytest.approx(tuple(expected.confidence_interval), abs=0.02)


def test_the_interval_is_the_same_each_time_and_ordered():
    sample = np.random.default_rng(0).normal(size=7)
    low, high = bootstrap_interval(sample)
    assert (low, high) == bootstrap_interval(sample) != bootstrap_interval(sample, seed=1)
    assert sample.min() <= low < sample.mean() < high <= sample.max()
    narrow = bootstrap_interval(sample, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_one_case_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap_interval(np.array([0.1])))


def test_bonferroni_multiplies_up_to_one():
    assert bonferroni(0.002, 30) == pytest.approx(0.06)
    assert bonferroni(0.2, 30) == 1
    assert math.isnan(bonferroni(math.nan, 3))


@pytest.mark.parametrize("tests", [1, 60])
def test_a_difference_just_above_the_detectable_one_is_significant(tests):
    arm, baseline = planted(0, draws=1, cases=9)
    found = paired_test(arm, baseline)
    limit = detectable(found.sem, found.cases, tests)
    shifted = [arm - found.difference + factor * limit for factor in (0.999, 1.001)]
    below, above = (bonferroni(paired_test(one, baseline).p_cases, tests) for one in shifted)
    assert above < 0.05 < below


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
    alone = estimate({(fold, 0): one for fold, one in enumerate(values.mean(1))})
    assert found[:5] == pytest.approx(alone[:5])
    assert found.seeds == 3
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
