"""Centroids and overlaps against sums in numpy, and a planted agreement of overlap and delta_ood."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import controls_of, falls_of
from monai_freq.study.transfer_report.priorities import (
    agreements_of,
    centroid_of,
    densities_of,
    density_of,
    overlap_of,
    points_of,
)

K = np.linspace(0, 0.5, 17)


def with_densities(run, **densities):
    return replace(run, measures=run.measures | {"densities": dict(run.measures["densities"]) | densities})


def agreements(results):
    study = study_of(results)
    return agreements_of(study, falls_of(study, controls_of(study)))


def test_the_centroid_is_the_mean_frequency(tuned):
    drawn = np.random.default_rng(0).random((3, 17))
    runs = [with_densities(tuned(fold=fold), after=drawn[fold].tolist()) for fold in range(3)]
    expected = (drawn[:, 1:] * K[1:]).sum(1) / drawn[:, 1:].sum(1)
    found = centroid_of(runs, "after")
    assert (found.mean, found.sd) == pytest.approx((expected.mean(), expected.std(ddof=1)))


def test_the_overlap_is_the_common_part(tuned):
    before, artifact = np.random.default_rng(0).random((2, 17))
    run = with_densities(tuned(), before=before.tolist(), artifact=artifact.tolist())
    expected = np.minimum(before / before.sum(), artifact / artifact.sum()).sum()
    assert overlap_of([run], "before").mean == pytest.approx(expected)


def test_the_overlap_does_not_depend_on_scale(tuned, bump):
    once = with_densities(tuned(), artifact=bump(0.3))
    more = with_densities(tuned(), artifact=[7 * value for value in bump(0.3)])
    assert overlap_of([once], "before").mean == pytest.approx(overlap_of([more], "before").mean)


@pytest.mark.parametrize(
    "after",
    [None, [], [1.0] * 16, [math.nan] * 17, [None] * 17, [-1.0] * 17, ["a"] * 17, {"0": 1.0}, "text", 3],
)
def test_what_is_no_density_is_not_there(tuned, after):
    run = with_densities(tuned(), after=after)
    assert density_of(run, "after") is None
    assert math.isnan(centroid_of([run], "after").mean)
    assert density_of(run, "before") is not None


@pytest.mark.parametrize("densities", [None, [], {}, {"frequencies": [0.5, 0.1], "after": [1, 1]}])
def test_densities_without_frequencies_are_not_there(tuned, densities):
    run = replace(tuned(), measures={"densities": densities})
    assert density_of(run, "after") is None


def test_a_density_of_zeros_has_no_centroid(tuned):
    run = with_densities(tuned(), after=[0.0] * 17)
    assert math.isnan(centroid_of([run], "after").mean)
    assert math.isnan(overlap_of([run], "after").mean)


def test_the_mean_is_over_all_runs_on_the_finest_grid(tuned):
    runs = [with_densities(tuned(fold=fold), after=[float(fold)] * 17) for fold in range(3)]
    other = with_densities(tuned(fold=3), frequencies=[0.0, 0.25, 0.5], after=[9.0, 5.0, 1.0])
    for ordered in ([other, *runs], [*runs, other]):
        found = densities_of(ordered, "after")
        assert found.frequencies.tolist() == K.tolist()
        assert found.values.tolist() == [3.0] + [2.0] * 11 + [1.0] * 5  # a quarter of the coarse one, and 3 / 4


def test_the_unit_and_size_of_one_runs_images_do_not_outweigh_the_others(tuned):
    low, high = np.where(K < 0.25, 3.0, 1.0), np.where(K < 0.25, 1.0, 3.0)
    for scale in (1.0, 1000.0):
        runs = [
            with_densities(tuned(fold=0), artifact=low.tolist()),
            with_densities(tuned(fold=1), artifact=(scale * high).tolist()),
        ]
        found = densities_of(runs, "artifact").values
        assert found[1:] == pytest.approx((low / low[1:].mean() + high / high[1:].mean())[1:] / 2)


@pytest.mark.parametrize("frequencies", [(K / 3).tolist(), (K * 2).tolist()])
def test_a_density_over_cycles_per_mm_is_not_there(tuned, frequencies):
    assert density_of(with_densities(tuned(), frequencies=frequencies), "after") is None


def test_scaled_is_from_0_to_1_without_dc(tuned):
    run = with_densities(tuned(), artifact=[99.0, *np.linspace(3, 5, 16)])
    scaled = density_of(run, "artifact").scaled()
    assert (scaled.values.min(), scaled.values.max(), scaled.frequencies[0]) == (0, 1, K[1])
    flat = density_of(with_densities(tuned(), artifact=[2.0] * 17), "artifact").scaled()
    assert not flat.values.any()


SIX = [(0.10, 0.10), (0.15, 0.14), (0.20, 0.22), (0.25, 0.20), (0.30, 0.35), (0.34, 0.40)]


def planted(tuned, bump, points=SIX, level=0.9):
    """A source for each centre of its learning priority, which loses what was planted."""
    return [
        with_densities(tuned(f"source{n}", p, fold, lost=p * lost, level=level), before=bump(center))
        for n, (center, lost) in enumerate(points)
        for p in (0.0, 0.5, 1.0)
        for fold in range(2)
    ]


def test_a_planted_agreement_is_found(tuned, bump):
    found = {(one.when, one.fraction): one for one in agreements(planted(tuned, bump))}
    assert found.keys() == {(when, p) for when in ("before", "after") for p in (0.5, 1.0)}
    expected = stats.spearmanr(*np.array(SIX).T).statistic  # the overlap rises with the centre, up to the artifact's
    before = found["before", 0.5]
    assert before.counting.rho == pytest.approx(expected)
    assert before.counting.n == 6
    assert before.counting == before.every
    assert before.verdict == ""
    assert found["after", 0.5].verdict == "all alike"


def test_inconclusive_sources_are_no_points_but_not_dropped(tuned, bump):
    results = planted(tuned, bump) + planted(tuned, bump, [(0.1, 0.9)] * 6 + [(0.05, 0.95)], level=0.6)[-6:]
    one = agreements(results)[0]
    assert (one.counting.n, one.every.n) == (6, 7)
    assert one.counting.rho > one.every.rho


def test_few_points_are_too_few_to_tell(tuned, bump):
    found = agreements(planted(tuned, bump, SIX[:4]))
    assert {one.verdict for one in found} == {"too few to tell"}
    assert all(math.isnan(one.counting.rho) for one in found)


def test_points_of_several_settings_are_one_correlation(whole):
    results = whole(folds=2) + whole(folds=2, bundle="kneemri_transfer")
    assert {one.counting.n for one in agreements(results)} == {6}


def test_the_overlap_is_that_without_the_artifact(tuned, bump):
    results = [
        with_densities(tuned("imagenet", p, fold), after=bump(0.35 if p else 0.1))
        for p in (0.0, 1.0)
        for fold in (0, 1)
    ]
    study = study_of(results)
    [point] = points_of(study, falls_of(study, controls_of(study)), "after")
    apart = overlap_of(results[:1], "after").mean
    assert point.overlap == pytest.approx(apart)
    assert apart < 0.5
    assert point.delta == pytest.approx(0.4)
