"""Which run belongs where, and the densities of runs against sums in numpy."""

import math
from dataclasses import replace

import numpy as np
import pytest
from studies import bump, pretrained, run, transfer_in, tuned, whole, with_densities

from monai_freq.study.report.densities import density_of, mean_of
from monai_freq.study.report.long_table import study_of
from monai_freq.study.report.sources import in_order
from monai_freq.study.report.transfer_study import Repeats, Setting
from monai_freq.study.run.results import Result

K = np.linspace(0, 0.5, 17)


def study_in(results):
    return transfer_in(results)[0]


def repeats(results):
    return Repeats(Setting("lodopab_transfer", "photon_noise"), "imagenet", 0.5, study_of(results).runs)


def measured(run, name):
    return density_of(run.measures["densities"], name)


def shown(study):
    """All that a study is, as far as it can be compared."""
    tunings = [(one.setting, one.source, one.fraction, one.keys, one.measured("ood")) for one in study.tunings]
    return tunings, {source: one.keys for source, one in study.pretrainings.items()}, study.shared, study.unusable


def test_every_run_has_one_place():
    study = study_in(whole(folds=2, seeds=2))
    assert sum(len(one.keys) for one in study.tunings) == 3 * 3 * 2 * 2
    first = [("imagenet", 0), ("imagenet", 0.5), ("imagenet", 1), ("radimagenet", 0)]
    assert [(one.source, one.fraction) for one in study.tunings[:4]] == first
    assert {source: len(runs.keys) for source, runs in study.pretrainings.items()} == {"imagenet": 2, "radimagenet": 2}


def test_the_order_of_the_files_does_not_matter():
    results = whole()
    assert shown(study_in(results)) == shown(study_in(results[::-1]))


def test_a_pretraining_is_one_whatever_its_bundle_is_called():
    results = whole()
    renamed = [replace(run, bundle=run.bundle.replace("source_pretrain", "my_pretrain")) for run in results]
    assert shown(study_in(renamed)) == shown(study_in(results))


def test_settings_that_all_share_are_said_once():
    study = study_in([tuned(lam=0.01, epochs=5), tuned(lam=0, epochs=5)])
    assert study.shared == [("epochs", "5")]
    assert [setting.title for setting in study.settings] == [
        "lodopab, photon noise, lam 0",
        "lodopab, photon noise, lam 0.01",
    ]


def test_fusion_artifact_and_target_make_settings():
    runs = [tuned(), tuned(arm="late"), tuned(artifact="nonlocal_means"), tuned(bundle="own_ct")]
    runs += [tuned(artifact="none", fraction=0.0)]
    assert {setting.title for setting in study_in(runs).settings} == {
        "lodopab, photon noise",
        "lodopab, photon noise, fusion late",
        "lodopab, nonlocal means",
        "own ct, photon noise",
        "lodopab, no artifact",
    }


def test_the_path_of_the_checkpoint_makes_no_setting():
    study = study_in([tuned(fold=fold, init=f"/runs/{fold}/model.pt") for fold in range(3)])
    assert len(study.tunings) == 1
    assert study.shared == []


def test_originals_come_before_edited_ones():
    labels = ["radimagenet whiten", "random", "own", "imagenet", "imagenet lowpass"]
    assert in_order(labels) == ["imagenet", "own", "random", "imagenet lowpass", "radimagenet whiten"]


def test_failed_runs_and_segmentations_are_left_out():
    failed = replace(tuned(fold=1), status="failed", measures={})
    study = study_in([tuned(), failed, run()])
    assert [one.keys for one in study.tunings] == [[(0, 0)]]
    assert study.unusable == []


@pytest.mark.parametrize("fraction", [None, "half", math.nan, True])
def test_a_run_without_a_fraction_is_named(fraction):
    study = study_in([tuned(fraction=0.5), replace(tuned(), settings={**tuned().settings, "fraction": fraction})])
    assert len(study.tunings) == len(study.unusable) == 1
    assert study.unusable[0].startswith("Without a fraction: lodopab_transfer/")


def test_a_run_without_measures_is_named():
    study = study_in([replace(tuned(), measures={})])
    assert study.tunings == []
    assert study.unusable[0].startswith("Without measures: lodopab_transfer/")


def test_what_is_no_number_is_not_there():
    for conditions in (None, [], {"ood": None}, *({"ood": {"auc": auc}} for auc in (None, "0.9", math.nan, True))):
        [one] = study_in([replace(tuned(), measures={"conditions": conditions})]).tunings
        assert math.isnan(one.measured("ood")[0]), conditions
        assert one.values("ood") == {}


def test_a_run_of_defaults_starts_at_random():
    measures = {"conditions": {"clean": {"auc": 0.8}}}
    settings = {"fusion": "none", "fold": 0, "seed": 0}
    one = Result(bundle="kneemri_transfer", status="finished", settings=settings, measures=measures)
    [one] = study_in([one]).tunings
    assert (one.setting, one.source, one.fraction) == (Setting("kneemri_transfer", "none"), "random", 0)


def test_accuracy_is_the_mean_over_seeds_that_have_one():
    runs = [pretrained("imagenet", seed, accuracy) for seed, accuracy in enumerate([0.7, 0.8, 0.9, math.nan])]
    study = study_in(runs)
    assert study.accuracy("imagenet") == pytest.approx(0.8)
    assert math.isnan(study.accuracy("random"))


def test_the_centroid_is_the_mean_frequency():
    drawn = np.random.default_rng(0).random((3, 17))
    runs = [with_densities(tuned(fold=fold), after=drawn[fold].tolist()) for fold in range(3)]
    expected = (drawn[:, 1:] * K[1:]).sum(1) / drawn[:, 1:].sum(1)
    found = repeats(runs).centroid("after")
    assert (found.mean, found.sd) == pytest.approx((expected.mean(), expected.std(ddof=1)))


def test_the_overlap_is_the_common_part():
    before, artifact = np.random.default_rng(0).random((2, 17))
    run = with_densities(tuned(), before=before.tolist(), artifact=artifact.tolist())
    expected = np.minimum(before / before.sum(), artifact / artifact.sum()).sum()
    assert repeats([run]).overlap("before").mean == pytest.approx(expected)


def test_the_overlap_does_not_depend_on_scale():
    once = with_densities(tuned(), artifact=bump(0.3))
    more = with_densities(tuned(), artifact=[7 * value for value in bump(0.3)])
    assert repeats([once]).overlap("before").mean == pytest.approx(repeats([more]).overlap("before").mean)


@pytest.mark.parametrize(
    "after",
    [None, [], [1.0] * 16, [math.nan] * 17, [None] * 17, [-1.0] * 17, ["a"] * 17, {"0": 1.0}, "text", 3],
)
def test_what_is_no_density_is_not_there(after):
    run = with_densities(tuned(), after=after)
    assert measured(run, "after") is None
    assert math.isnan(repeats([run]).centroid("after").mean)
    assert measured(run, "before") is not None


@pytest.mark.parametrize("densities", [None, [], {}, {"frequencies": [0.5, 0.1], "after": [1, 1]}])
def test_densities_without_frequencies_are_not_there(densities):
    run = replace(tuned(), measures={"densities": densities})
    assert measured(run, "after") is None


def test_a_density_of_zeros_has_no_centroid():
    run = with_densities(tuned(), after=[0.0] * 17)
    assert math.isnan(repeats([run]).centroid("after").mean)
    assert math.isnan(repeats([run]).overlap("after").mean)


def test_the_mean_is_over_all_runs_on_the_finest_grid():
    runs = [with_densities(tuned(fold=fold), after=[float(fold)] * 17) for fold in range(3)]
    other = with_densities(tuned(fold=3), frequencies=[0.0, 0.25, 0.5], after=[9.0, 5.0, 1.0])
    for ordered in ([other, *runs], [*runs, other]):
        found = mean_of([*repeats(ordered).densities("after").values()])
        assert found.frequencies.tolist() == K.tolist()
        assert found.values.tolist() == [3.0] + [2.0] * 11 + [1.0] * 5  # a quarter of the coarse one, and 3 / 4


def test_the_unit_and_size_of_one_runs_images_do_not_outweigh_the_others():
    low, high = np.where(K < 0.25, 3.0, 1.0), np.where(K < 0.25, 1.0, 3.0)
    for scale in (1.0, 1000.0):
        runs = [
            with_densities(tuned(fold=0), artifact=low.tolist()),
            with_densities(tuned(fold=1), artifact=(scale * high).tolist()),
        ]
        study = study_in(runs)
        found = study.artifact(study.settings[0]).values
        assert found[1:] == pytest.approx((low / low[1:].mean() + high / high[1:].mean())[1:] / 2)


@pytest.mark.parametrize("frequencies", [(K / 3).tolist(), (K * 2).tolist()])
def test_a_density_over_cycles_per_mm_is_not_there(frequencies):
    assert measured(with_densities(tuned(), frequencies=frequencies), "after") is None


def test_scaled_is_from_0_to_1_without_dc():
    run = with_densities(tuned(), artifact=[99.0, *np.linspace(3, 5, 16)])
    scaled = measured(run, "artifact").scaled()
    assert (scaled.values.min(), scaled.values.max(), scaled.frequencies[0]) == (0, 1, K[1])
    flat = measured(with_densities(tuned(), artifact=[2.0] * 17), "artifact").scaled()
    assert not flat.values.any()
