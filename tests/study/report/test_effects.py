"""delta_ood of planted studies is what was planted, and counts only where there is something to lose."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from studies import bump, transfer_in, tuned, whole, with_densities

from monai_freq.study.report.effects import Control


def effects(results):
    return transfer_in(results)[1]


def agreements(results):
    return effects(results).agreements


def test_delta_ood_is_what_was_planted():
    _, drops, *_ = effects(whole(fractions=(0.0, 0.25, 1.0), folds=5, seeds=2))
    found = {(drop.control.source, drop.fraction): drop.estimate for drop in drops}
    assert found.keys() == {(s, p) for s in ("imagenet", "radimagenet", "random") for p in (0.25, 1.0)}
    for (source, fraction), one in found.items():
        slope = {"imagenet": 0.4, "radimagenet": 0.1, "random": 0.25}[source]
        assert one.mean == pytest.approx(slope * fraction)
        assert one.sd == pytest.approx(0, abs=1e-12)  # the luck of a fold is in both and cancels
        assert (one.folds, one.seeds) == (5, 2)


def test_delta_ood_has_students_interval_over_folds():
    lost = np.random.default_rng(0).normal(0.2, 0.05, (4, 3))
    results = [
        tuned(fraction=p, fold=f, seed=s, lost=p * lost[f, s]) for p in (0, 1) for f in range(4) for s in range(3)
    ]
    [drop] = effects(results)[1]
    folds = lost.mean(1)
    low, high = stats.t.interval(0.95, 3, folds.mean(), stats.sem(folds))
    assert drop.estimate[:4] == pytest.approx((folds.mean(), folds.std(ddof=1), low, high))


def test_only_folds_and_seeds_with_both_are_paired():
    results = [tuned(fraction=0, fold=f, lost=0) for f in (0, 1, 2)]
    results += [tuned(fraction=1, fold=f, lost=0.1 * f, luck=0.002 * f) for f in (1, 2, 3)]
    [drop] = effects(results)[1]
    assert dict(drop.values) == pytest.approx({(1, 0): 0.1, (2, 0): 0.2})


def test_differences_are_paired():
    rng = np.random.default_rng(1)
    lost = {"imagenet": rng.normal(0.4, 0.05, 5), "radimagenet": rng.normal(0.1, 0.05, 5)}
    results = [
        tuned(source, p, fold, lost=p * of[fold], luck=rng.normal())
        for source, of in lost.items()
        for fold in range(5)
        for p in (0.0,)
    ]
    results += [
        tuned(
            run.settings["source"],
            1.0,
            run.settings["fold"],
            lost=lost[run.settings["source"]][run.settings["fold"]],
            luck=luck,
        )
        for run in results
        for luck in [run.measures["conditions"]["ood"]["auc"] - 0.9]
    ]
    [difference] = effects(results)[2]
    expected = lost["imagenet"] - lost["radimagenet"]
    assert difference.label == "imagenet − radimagenet"
    assert difference.estimate.mean == pytest.approx(expected.mean())
    assert difference.estimate.sd == pytest.approx(expected.std(ddof=1))


def test_settings_of_one_source_are_compared_as_well():
    results = [
        tuned(fraction=p, fold=f, lam=lam, lost=p * lost)
        for lam, lost in ((0, 0.4), (0.01, 0.1))
        for p in (0, 0.5, 1)
        for f in range(3)
    ]
    differences = effects(results)[2]
    assert [one.label for one in differences] == ["imagenet: lam 0 − lam 0.01"] * 2
    assert [one.estimate.mean for one in differences] == pytest.approx([0.15, 0.3])
    assert differences[0].place.title == "lodopab, photon noise"


def test_what_is_not_set_is_named():
    results = [
        tuned(fraction=p, fold=f, **given) for given in ({}, {"arm": "late", "lam": 1}) for p in (0, 1) for f in (0, 1)
    ]
    assert [one.label for one in effects(results)[2]] == ["imagenet: fusion none, lam default − fusion late, lam 1"]


def test_targets_and_artifacts_are_not_compared():
    results = whole(sources=("imagenet",)) + whole(sources=("imagenet",), bundle="kneemri_transfer")
    assert effects(results)[2] == []
    assert len(effects(results)[0]) == 2


@pytest.mark.parametrize(
    ("iid", "ood", "verdict"),
    [
        (0.75, 0.75, "counts"),
        (np.mean([0.7, 0.7, 0.85]), 0.75, "counts"),
        (0.99, 0.99, "counts"),
        (0.7499, 0.9, "inconclusive: AUC_iid(0) 0.74 < 0.75"),
        (0.9, 0.7499, "inconclusive: AUC_ood(0) 0.74 < 0.75"),
        (0.5, 0.6, "inconclusive: AUC_iid(0) 0.50 < 0.75, AUC_ood(0) 0.60 < 0.75"),
        (math.nan, 0.9, "inconclusive: no p = 0 control"),
        (0.9, math.nan, "inconclusive: no p = 0 control"),
    ],
)
def test_a_source_counts_from_an_auc_of_three_quarters(iid, ood, verdict):
    control = Control(None, "imagenet", iid, ood)
    assert control.verdict == verdict
    assert control.counts == (verdict == "counts")


def test_the_control_is_the_mean_over_folds():
    results = [tuned(fraction=0, fold=f, level=level, luck=0) for f, level in enumerate([0.6, 0.8, 0.91])]
    [control] = effects(results)[0]
    assert (control.iid, control.ood) == pytest.approx((0.77, 0.77))
    assert control.counts


def test_without_a_control_there_is_no_delta():
    controls, drops, differences, _ = effects(whole(fractions=(0.5, 1.0)))
    assert {control.verdict for control in controls} == {"inconclusive: no p = 0 control"}
    assert drops == differences == []


def test_a_difference_names_who_does_not_count():
    results = whole(sources=("imagenet", "radimagenet")) + whole(sources=("random",), level=0.7)
    found = {one.label: one.doubts for one in effects(results)[2]}
    assert found == {"imagenet − radimagenet": [], "imagenet − random": ["random"], "radimagenet − random": ["random"]}


def test_no_artifact_no_delta():
    controls, drops, *_ = effects(whole(artifact="none"))
    assert controls == drops == []


def test_missing_aucs_are_no_values():
    results = whole(sources=("imagenet",), fractions=(0.0, 1.0), folds=3)
    conditions = {"iid": {"auc": 0.9}, "ood": {"auc": math.nan}}
    lost = replace(tuned("imagenet", 1.0, 1), measures={"conditions": conditions})
    kept = [run for run in results if (run.settings.get("fold"), run.settings.get("fraction")) != (1, 1.0)]
    [drop] = effects([*kept, lost])[1]
    assert set(drop.values) == {(0, 0), (2, 0)}


SIX = [(0.10, 0.10), (0.15, 0.14), (0.20, 0.22), (0.25, 0.20), (0.30, 0.35), (0.34, 0.40)]


def planted(points=SIX, level=0.9):
    """A source for each centre of its learning priority, which loses what was planted."""
    return [
        with_densities(tuned(f"source{n}", p, fold, lost=p * lost, level=level), before=bump(center))
        for n, (center, lost) in enumerate(points)
        for p in (0.0, 0.5, 1.0)
        for fold in range(2)
    ]


def test_a_planted_agreement_is_found():
    found = {(one.when, one.fraction): one for one in agreements(planted())}
    assert found.keys() == {(when, p) for when in ("before", "after") for p in (0.5, 1.0)}
    expected = stats.spearmanr(*np.array(SIX).T).statistic  # the overlap rises with the centre, up to the artifact's
    before = found["before", 0.5]
    assert before.counting.rho == pytest.approx(expected)
    assert before.counting.n == 6
    assert before.counting == before.every
    assert before.verdict == ""
    assert found["after", 0.5].verdict == "all alike"


def test_inconclusive_sources_are_no_points_but_not_dropped():
    results = planted() + planted([(0.1, 0.9)] * 6 + [(0.05, 0.95)], level=0.6)[-6:]
    one = agreements(results)[0]
    assert (one.counting.n, one.every.n) == (6, 7)
    assert one.counting.rho > one.every.rho


def test_few_points_are_too_few_to_tell():
    found = agreements(planted(SIX[:4]))
    assert {one.verdict for one in found} == {"too few to tell"}
    assert all(math.isnan(one.counting.rho) for one in found)


def test_points_of_several_settings_are_one_correlation():
    results = whole(folds=2) + whole(folds=2, bundle="kneemri_transfer")
    assert {one.counting.n for one in agreements(results)} == {6}


def test_the_overlap_is_that_without_the_artifact():
    results = [
        with_densities(tuned("imagenet", p, fold), after=bump(0.35 if p else 0.1))
        for p in (0.0, 1.0)
        for fold in (0, 1)
    ]
    study, effects = transfer_in(results)
    [drop] = effects.drops
    apart = study.tunings[0].overlap("after").mean
    assert drop.overlaps["after"] == pytest.approx(apart)
    assert apart < 0.5
    assert drop.estimate.mean == pytest.approx(0.4)
