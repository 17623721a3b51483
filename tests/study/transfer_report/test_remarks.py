"""Each warning appears where it is due, and nowhere else."""

from dataclasses import replace

import pytest

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import controls_of
from monai_freq.study.transfer_report.remarks import remarks, warnings_of


def warnings(results):
    study = study_of(results)
    return warnings_of(study, controls_of(study))


def with_auc(run, condition, value):
    conditions = run.measures["conditions"] | {condition: {"auc": value}}
    return replace(run, measures=run.measures | {"conditions": conditions})


def test_a_sound_study_has_no_warning(whole):
    assert warnings(whole()) == []


def test_inconclusive_sources_are_named(whole):
    found = warnings(whole(sources=("imagenet",)) + whole(sources=("random",), level=0.7))
    assert len(found) == 1
    assert found[0].startswith(
        "Inconclusive, as the AUC without the shortcut is below 0.75: lodopab, photon noise: random"
    )


def test_no_control_is_said(whole):
    found = warnings(whole(fractions=(0.5, 1.0)))
    assert len(found) == 1
    assert found[0].startswith("No p = 0 control, so no delta_ood")
    assert "lodopab, photon noise: imagenet, radimagenet, random." in found[0]


@pytest.mark.parametrize(
    ("ood", "warned"),
    [(0.84, True), (0.8499, True), (0.85, False), (0.8501, False), (1.0, False)],
)
def test_too_strong_an_artifact_is_seen_without_the_shortcut(whole, ood, warned):
    results = [
        with_auc(run, "ood", ood)
        if run.overrides.get("fraction") == 0 and run.overrides["source"] == "imagenet"
        else run
        for run in whole()
    ]
    found = [line for line in warnings(results) if "too strong" in line]
    assert bool(found) == warned
    if warned:
        assert f"lodopab, photon noise: imagenet ({ood:.2f}, I.I.D. 0.90)" in found[0]
        assert "radimagenet" not in found[0]


@pytest.mark.parametrize(("accuracy", "warned"), [(0.86, True), (0.8501, True), (0.85, False), (0.75, False)])
def test_unequal_sources_are_said(whole, pretrained, accuracy, warned):
    tuned = [run for run in whole() if run.bundle != "source_pretrain"]
    levels = {"imagenet": 0.8, "radimagenet": accuracy, "imagenet lowpass": 0.8}
    found = warnings([*tuned, *(pretrained(name, seed, level) for name, level in levels.items() for seed in (0, 1))])
    assert bool(found) == warned
    if warned:
        assert "accuracies differ by more than 0.05 in 2 of 3 pairs" in found[0]
        assert f"radimagenet {accuracy:.3f}" in found[0]


def test_hardly_learned_is_said_of_any_source(whole):
    found = warnings(whole(artifact="none", level=0.55, fractions=(0.0,)))
    assert found == [
        "Hardly learned: without the artifact, the AUC on clean test images is below 0.6 in "
        "lodopab, no artifact: imagenet (0.55), radimagenet (0.55), random (0.55)."
    ]


@pytest.mark.parametrize(("level", "warned"), [(0.599, True), (0.601, False)])
def test_hardly_learned_is_below_three_fifths(whole, level, warned):
    found = warnings(whole(artifact="none", level=level, fractions=(0.0,)))
    assert any("Hardly learned" in line for line in found) == warned


@pytest.mark.parametrize(("level", "conclusive"), [(0.7499, False), (0.7501, True)])
def test_a_control_has_learned_from_three_quarters_on(whole, level, conclusive):
    assert any("Inconclusive" in line for line in warnings(whole(level=level))) != conclusive


def test_overlapping_groups_are_counted(whole, tuned):
    found = warnings([*whole(), tuned("imagenet", 0.0, 3, groups=4), tuned("imagenet", 0.0, 4, groups=2)])
    assert found == [
        "4 patients or exams are in two parts of lodopab_transfer: its test results are not of unseen patients."
    ]
    assert warnings([*whole(), tuned("imagenet", 0.0, 3, groups=1)])[0].startswith("1 patient or exam is in two parts")


@pytest.mark.parametrize("folds", [1, 2, 3])
def test_few_folds_are_said(whole, folds):
    found = warnings(whole(folds=folds, seeds=3))
    assert bool(found) == (folds < 3)
    if found:
        assert found[0].endswith(f"says much: {folds} everywhere.")


def test_few_folds_are_placed(whole, tuned):
    found = warnings([*whole(), *whole(sources=("imagenet",), bundle="kneemri_transfer", folds=2)])
    assert found[0].endswith("says much: kneemri, photon noise: imagenet (2).")


def test_one_pretraining_is_said(whole, pretrained):
    tuned = [run for run in whole() if run.bundle != "source_pretrain"]
    found = warnings([*tuned, pretrained("imagenet"), pretrained("radimagenet"), pretrained("radimagenet", 1)])
    assert len(found) == 1
    assert found[0].startswith("One pre-training only: imagenet. ")


def test_what_all_runs_share_and_phantoms_are_said(whole):
    results = whole(epochs=5)
    other = [replace(results[0], versions={"torch": "2.8.0"}), *results[1:]]
    found = remarks(study_of(other), other)
    assert found[0] == "All fine-tunings: epochs 5."
    assert found[1].startswith("Generated phantoms, no patients: lodopab_transfer, source_pretrain.")
    assert found[2] == "The runs are of 2 different versions: torch 2.13.0; torch 2.8.0."
    real = [replace(run, settings={"dataset_dir": "/data"}) for run in whole()]
    assert remarks(study_of(real), real) == []
