"""delta_ood of planted studies is what was planted, and counts only where there is something to lose."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import Control, controls_of, differences_of, falls_of


def effects(results):
    study = study_of(results)
    controls = controls_of(study)
    falls = falls_of(study, controls)
    return controls, falls, differences_of(falls)


def test_delta_ood_is_what_was_planted(whole):
    _, falls, _ = effects(whole(fractions=(0.0, 0.25, 1.0), folds=5, seeds=2))
    found = {(fall.control.source, fall.fraction): fall.estimate for fall in falls}
    assert found.keys() == {(s, p) for s in ("imagenet", "radimagenet", "random") for p in (0.25, 1.0)}
    for (source, fraction), one in found.items():
        slope = {"imagenet": 0.4, "radimagenet": 0.1, "random": 0.25}[source]
        assert one.mean == pytest.approx(slope * fraction)
        assert one.sd == pytest.approx(0, abs=1e-12)  # the luck of a fold is in both and cancels
        assert (one.folds, one.seeds) == (5, 2)


def test_delta_ood_has_students_interval_over_folds(tuned):
    lost = np.random.default_rng(0).normal(0.2, 0.05, (4, 3))
    results = [
        tuned(fraction=p, fold=f, seed=s, lost=p * lost[f, s]) for p in (0, 1) for f in range(4) for s in range(3)
    ]
    [fall] = effects(results)[1]
    folds = lost.mean(1)
    low, high = stats.t.interval(0.95, 3, folds.mean(), stats.sem(folds))
    assert fall.estimate[:4] == pytest.approx((folds.mean(), folds.std(ddof=1), low, high))


def test_only_folds_and_seeds_with_both_are_paired(tuned):
    results = [tuned(fraction=0, fold=f, lost=0) for f in (0, 1, 2)]
    results += [tuned(fraction=1, fold=f, lost=0.1 * f, luck=0.002 * f) for f in (1, 2, 3)]
    [fall] = effects(results)[1]
    assert dict(fall.values) == pytest.approx({(1, 0): 0.1, (2, 0): 0.2})


def test_differences_are_paired(tuned):
    rng = np.random.default_rng(1)
    lost = {"imagenet": rng.normal(0.4, 0.05, 5), "radimagenet": rng.normal(0.1, 0.05, 5)}
    results = [
        tuned(source, p, fold, lost=p * of[fold], luck=rng.normal())
        for source, of in lost.items()
        for fold in range(5)
        for p in (0.0,)
    ]
    results += [
        tuned(run.overrides["source"], 1.0, run.draw, lost=lost[run.overrides["source"]][run.draw], luck=luck)
        for run in results
        for luck in [run.measures["conditions"]["ood"]["auc"] - 0.9]
    ]
    [difference] = effects(results)[2]
    expected = lost["imagenet"] - lost["radimagenet"]
    assert difference.label == "imagenet − radimagenet"
    assert difference.estimate.mean == pytest.approx(expected.mean())
    assert difference.estimate.sd == pytest.approx(expected.std(ddof=1))


def test_settings_of_one_source_are_compared_as_well(tuned):
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


def test_what_is_not_set_is_named(tuned):
    results = [
        tuned(fraction=p, fold=f, **given) for given in ({}, {"arm": "late", "lam": 1}) for p in (0, 1) for f in (0, 1)
    ]
    assert [one.label for one in effects(results)[2]] == ["imagenet: fusion none, lam default − fusion late, lam 1"]


def test_targets_and_artifacts_are_not_compared(whole):
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


def test_the_control_is_the_mean_over_folds(tuned):
    results = [tuned(fraction=0, fold=f, level=level, luck=0) for f, level in enumerate([0.6, 0.8, 0.91])]
    [control] = effects(results)[0]
    assert (control.iid, control.ood) == pytest.approx((0.77, 0.77))
    assert control.counts


def test_without_a_control_there_is_no_delta(whole):
    controls, falls, differences = effects(whole(fractions=(0.5, 1.0)))
    assert {control.verdict for control in controls} == {"inconclusive: no p = 0 control"}
    assert falls == differences == []


def test_a_difference_names_who_does_not_count(whole):
    results = whole(sources=("imagenet", "radimagenet")) + whole(sources=("random",), level=0.7)
    found = {one.label: one.doubts for one in effects(results)[2]}
    assert found == {"imagenet − radimagenet": [], "imagenet − random": ["random"], "radimagenet − random": ["random"]}


def test_no_artifact_no_delta(whole):
    controls, falls, _ = effects(whole(artifact="none"))
    assert controls == falls == []


def test_missing_aucs_are_no_values(whole, tuned):
    results = whole(sources=("imagenet",), fractions=(0.0, 1.0), folds=3)
    conditions = {"iid": {"auc": 0.9}, "ood": {"auc": math.nan}}
    lost = replace(tuned("imagenet", 1.0, 1), measures={"conditions": conditions})
    kept = [run for run in results if (run.draw, run.overrides.get("fraction")) != (1, 1.0)]
    [fall] = effects([*kept, lost])[1]
    assert set(fall.values) == {(0, 0), (2, 0)}
