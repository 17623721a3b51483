"""Which run belongs where."""

import math
from dataclasses import replace

import pytest

from monai_freq.study.results import Result
from monai_freq.study.source_labels import in_order
from monai_freq.study.transfer_report.cells import Setting, measure, study_of


def test_every_run_is_in_one_cell(whole):
    results = whole(folds=2, seeds=2)
    study = study_of(results)
    assert sum(len(cell.runs) for cell in study.cells) == 3 * 3 * 2 * 2
    assert [(cell.source, cell.fraction) for cell in study.cells[:4]] == [
        ("imagenet", 0),
        ("imagenet", 0.5),
        ("imagenet", 1),
        ("radimagenet", 0),
    ]
    assert {source: len(runs) for source, runs in study.pretrainings.items()} == {"imagenet": 2, "radimagenet": 2}


def test_the_order_of_the_files_does_not_matter(whole):
    results = whole()
    assert study_of(results) == study_of(results[::-1])


def test_a_pretraining_is_one_whatever_its_bundle_is_called(whole):
    results = whole()
    renamed = [replace(run, bundle="my_pretrain") if run.bundle == "source_pretrain" else run for run in results]
    study = study_of(renamed)
    assert study.cells == study_of(results).cells
    assert study.unusable == ()
    assert {source: [run.bundle for run in runs] for source, runs in study.pretrainings.items()} == {
        "imagenet": ["my_pretrain"] * 2,
        "radimagenet": ["my_pretrain"] * 2,
    }


def test_settings_that_all_share_are_said_once(tuned):
    study = study_of([tuned(lam=0.01, epochs=5), tuned(lam=0, epochs=5)])
    assert study.shared == (("epochs", "5"),)
    assert [setting.title for setting in study.settings] == [
        "lodopab, photon noise, lam 0",
        "lodopab, photon noise, lam 0.01",
    ]


def test_fusion_size_artifact_and_target_make_settings(tuned):
    runs = [
        tuned(),
        tuned(arm="late"),
        tuned(size=80),
        tuned(artifact="nonlocal_means"),
        tuned(bundle="own_ct"),
        tuned(artifact="none", fraction=0.0),
    ]
    titles = {setting.title for setting in study_of(runs).settings}
    assert titles == {
        "lodopab, photon noise",
        "lodopab, photon noise, fusion late",
        "lodopab, photon noise, training cases 80",
        "lodopab, nonlocal means",
        "own ct, photon noise",
        "lodopab, no artifact",
    }


def test_the_path_of_the_checkpoint_makes_no_setting(tuned):
    study = study_of([tuned(fold=fold, init=f"/runs/{fold}/model.pt") for fold in range(3)])
    assert len(study.cells) == 1
    assert study.shared == ()


def test_originals_come_before_edited_ones():
    labels = ["radimagenet whiten", "random", "own", "imagenet", "imagenet lowpass"]
    assert in_order(labels) == ["imagenet", "own", "random", "imagenet lowpass", "radimagenet whiten"]


def test_failed_runs_and_segmenters_are_left_out(tuned):
    failed = replace(tuned(fold=1), status="failed", measures={})
    segmenter = replace(tuned(fold=2), bundle="heart_fd", cases=[{"case": "a"}], measures={})
    study = study_of([tuned(), failed, segmenter])
    assert [len(cell.runs) for cell in study.cells] == [1]
    assert study.unusable == ()


@pytest.mark.parametrize("fraction", [None, "half", math.nan, True])
def test_a_run_without_a_fraction_is_named(tuned, fraction):
    run = tuned(fraction=0.5)
    study = study_of([replace(run, overrides=dict(run.overrides) | {"fraction": fraction})])
    assert study.cells == ()
    assert len(study.unusable) == 1
    assert study.unusable[0].startswith("Without a fraction: lodopab_transfer/")


def test_a_run_without_measures_is_named(tuned):
    study = study_of([replace(tuned(), measures={})])
    assert study.cells == ()
    assert study.unusable[0].startswith("Without measures: lodopab_transfer/")


@pytest.mark.parametrize(
    "measures",
    [
        {"conditions": None},
        {"conditions": []},
        {"conditions": {"ood": None}},
        {"conditions": {"ood": {"auc": None}}},
        {"conditions": {"ood": {"auc": "0.9"}}},
        {"conditions": {"ood": {"auc": math.nan}}},
    ],
)
def test_what_is_no_number_is_not_there(tuned, measures):
    run = replace(tuned(), measures=measures)
    assert math.isnan(measure(run, "ood", "auc"))
    assert study_of([run]).cells[0].values("ood") == {}


def test_a_run_of_defaults_starts_at_random():
    run = Result(
        bundle="kneemri_transfer",
        status="finished",
        arm="none",
        size=None,
        draw=0,
        seed=0,
        measures={"conditions": {"clean": {"auc": 0.8}}},
    )
    [cell] = study_of([run]).cells
    assert (cell.setting, cell.source, cell.fraction) == (Setting("kneemri_transfer", "none"), "random", 0)
