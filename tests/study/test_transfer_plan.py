"""Which runs a transfer study consists of, and what each of them is called with."""

from dataclasses import replace
from pathlib import Path

import pytest

from monai_freq.study.plan import fitted
from monai_freq.study.results import Result
from monai_freq.study.transfer_plan import ClassifierRun, Source, parse_source, plan_pretraining, plan_transfers

PRETRAINER = ("source_pretrain", "bundles/source_pretrain")
TARGETS = {"lodopab_transfer": "bundles/lodopab_transfer", "kneemri_transfer": "bundles/kneemri_transfer"}
ARTIFACTS = {"lodopab_transfer": ["photon_noise"], "kneemri_transfer": ["nonlocal_means", "photon_noise"]}
LOOKED = {"cases": 24, "batch_size": 16, "classes": {"1": "malignant"}, "overlapping_groups": 3}


def test_sources_of_a_command_line():
    assert parse_source("random") == Source(label="random")
    assert parse_source("imagenet").settings == {"source": "imagenet", "editing": "none"}
    edited = parse_source("imagenet/lowpass", data={"imagenet": "/data/imagenet"})
    assert (edited.label, edited.dataset_dir) == ("imagenet lowpass", "/data/imagenet")
    there = parse_source("clinic", {"clinic": "weights.pt"})
    assert (there.label, there.checkpoint, there.pretrained) == ("clinic", "weights.pt", False)
    with pytest.raises(SystemExit, match="There is no editing 'blur'"):
        parse_source("imagenet/blur")


@pytest.mark.parametrize("word", ["random", "random/none"])
def test_random_takes_no_checkpoint(word):
    assert parse_source(word) == Source(label="random")
    with pytest.raises(SystemExit, match=rf"--checkpoints {word}=weights\.pt is for a source that starts without"):
        parse_source(word, {word: "weights.pt"})


def test_only_what_has_no_weights_is_pretrained():
    sources = [
        parse_source(word, {"clinic": "w.pt"}) for word in ("random", "clinic", "imagenet", "radimagenet/whiten")
    ]
    runs = plan_pretraining(sources, PRETRAINER, seeds=[0, 1], overrides={"epochs": 3})
    assert set(runs) == {(label, seed) for label in ("imagenet", "radimagenet whiten") for seed in (0, 1)}
    run = runs["radimagenet whiten", 1]
    assert run.own_settings == {"fusion": "none", "seed": 1}
    assert run.asked_settings == {"epochs": 3, "psd_interval": 2, "source": "radimagenet", "editing": "whiten"}
    assert run.overrides == {"source": "radimagenet whiten", "epochs": 3}


def test_settings_that_the_label_does_not_say_are_in_the_name():
    """Otherwise a run with another cue would pass for one that is there."""
    plain = parse_source("imagenet")
    shaped = replace(plain, label="imagenet shape", settings={**plain.settings, "phantoms#imagenet#cue": "shape"})
    (run,) = plan_pretraining([shaped], PRETRAINER).values()
    assert run.overrides == {"source": "imagenet shape", "phantoms#imagenet#cue": "shape"}
    assert "cue=shape" in run.name
    assert run.asked_settings["source"] == "imagenet"


def test_every_combination_starts_from_the_weights_of_its_source_and_seed():
    sources = [parse_source(word) for word in ("random", "imagenet")]
    weights = {("imagenet", 0): "zero.pt", ("imagenet", 1): "one.pt"}
    more = {"seeds": [0, 1], "folds": 3, "fractions": [0, 0.5], "overrides": [{"lam": 0.0}, {"lam": 0.01}]}
    runs = plan_transfers(sources, TARGETS, weights, artifacts=ARTIFACTS, data={"kneemri_transfer": "/knee"}, **more)
    assert len(runs) == len({run.name for run in runs}) == 2 * 3 * 2 * 2 * 2 * 3  # targets and artifacts make 3
    for run in runs:
        init = {"random": "random", "imagenet": weights["imagenet", run.seed]}[run.overrides["source"]]
        own = {key: run.overrides[key] for key in ("artifact", "fraction", "lam")}
        assert run.asked_settings == {**own, "init": init}
        assert run.own_settings == {"fusion": "none", "seed": run.seed, "fold": run.draw}
        assert run.dataset_dir == ("/knee" if run.bundle == "kneemri_transfer" else None)
    first = runs[: 2 * 2 * 3]
    assert {run.draw for run in first} == {0}  # whoever stops early has all sources and fractions of a fold
    assert {(run.overrides["source"], run.overrides["fraction"]) for run in first} == {
        (source, fraction) for source in ("random", "imagenet") for fraction in (0.0, 0.5)
    }


def test_whole_and_broken_numbers_name_the_same_run():
    def names(fractions):
        runs = plan_transfers([parse_source("random")], TARGETS, {}, artifacts=ARTIFACTS, fractions=fractions, folds=1)
        return [run.name for run in runs]

    assert names([0, 1]) == names([0.0, 1.0, 1])
    assert names([1]) == names([0, 1])  # without the control, nobody knows what the shortcut costs
    with pytest.raises(SystemExit, match=r"must be in \[0, 1\], got 1.5"):
        names([1.5])


def test_no_run_is_planned_twice():
    same = [parse_source(word) for word in ("random", "random/none")]
    for sources, overrides in ((same, [{}]), (same[:1], [{"lam": 0}, {"lam": 0}])):
        with pytest.raises(SystemExit, match=r"^2 runs would be called lodopab_transfer/"):
            plan_transfers(sources, TARGETS, {}, artifacts=ARTIFACTS, overrides=overrides)


def test_a_source_without_weights_is_left_out():
    runs = plan_transfers([parse_source("imagenet")], TARGETS, {}, artifacts=ARTIFACTS)
    assert runs == []


def test_what_the_bundle_says_goes_into_the_run():
    run = ClassifierRun(
        bundle="b", folder="", arm="none", draw=1, folded=True, overrides={"source": "random", "lam": 1}
    )
    looked = fitted(run, LOOKED)
    assert looked.noted == {"overlapping_groups": 3}
    assert looked.changes == {"lam": 1}


def test_names_are_those_of_the_results():
    overrides = {"source": "imagenet lowpass", "artifact": "photon_noise", "fraction": 0.5}
    run = ClassifierRun(bundle="lodopab_transfer", folder="", arm="late", draw=3, seed=2, overrides=overrides)
    result = Result(bundle=run.bundle, status="finished", arm="late", size=None, draw=3, seed=2, overrides=overrides)
    assert run.name == result.name
    assert Path(run.name).parts[0] == "lodopab_transfer"


@pytest.mark.parametrize(
    ("epochs", "val_interval", "interval"), [(2, 2, 2), (15, 2, 14), (25, 2, 6), (40, 2, 10), (15, 1, 5), (30, 5, 10)]
)
def test_the_last_epoch_that_is_validated_is_logged(epochs, val_interval, interval):
    asked = {"epochs": epochs} | ({} if val_interval == 2 else {"val_interval": val_interval})
    run = ClassifierRun(bundle="b", folder="", arm="none", overrides={"source": "random", **asked})
    assert run.asked_settings["psd_interval"] == interval
    logged = [epoch for epoch in range(1, epochs + 1) if epoch % val_interval == 0 and epoch % interval == 0]
    assert logged[-1] == epochs - epochs % val_interval
    assert len(logged) <= 4
    own = replace(run, overrides={**run.overrides, "psd_interval": 4})
    assert own.asked_settings["psd_interval"] == 4


def test_a_source_has_the_normalization_of_its_weights():
    """Weights that are there, and random ones, are told it; those that the study trains record it."""
    words, files = ("random", "clinic", "imagenet", "radimagenet/whiten"), {"clinic": "w.pt"}
    names = {"random": "imagenet", "clinic": "radimagenet_pytorch", "imagenet": "imagenet"}
    sources = [parse_source(word, files, normalizations=names) for word in words]
    pretraining = plan_pretraining(sources, PRETRAINER)
    assert pretraining["imagenet", 0].overrides == {"source": "imagenet", "normalization": "imagenet"}
    assert pretraining["imagenet", 0].asked_settings["normalization"] == "imagenet"
    assert "normalization" not in pretraining["radimagenet whiten", 0].asked_settings
    weights = {(label, 0): "model.pt" for label in ("imagenet", "radimagenet whiten")}
    runs = plan_transfers(
        sources, {"kneemri_transfer": ""}, weights, artifacts={"kneemri_transfer": ["blur"]}, fractions=[0], folds=1
    )
    given = {run.overrides["source"]: run.given for run in runs}
    assert given == {
        "random": {"init": "random", "normalization": "imagenet"},
        "clinic": {"init": "w.pt", "normalization": "radimagenet_pytorch"},
        "imagenet": {"init": "model.pt"},
        "radimagenet whiten": {"init": "model.pt"},
    }
