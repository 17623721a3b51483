"""Which runs a study consists of, and with what options each of them calls its bundle."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from monai_freq.errors import UsageError
from monai_freq.networks.frequency_fusion import Fusion
from monai_freq.study.run.plan import Source, parse_source, plan, plan_pretraining, plan_transfers
from monai_freq.study.run.spec import ARMS

HEART = {"heart_fd": "bundles/heart_fd"}
PRETRAINER = ("source_pretrain", "bundles/source_pretrain")
TARGETS = {"lodopab_transfer": "bundles/lodopab_transfer", "kneemri_transfer": "bundles/kneemri_transfer"}
ARTIFACTS = {"lodopab_transfer": ["photon_noise"], "kneemri_transfer": ["nonlocal_means", "photon_noise"]}
STUDY = Path("/out")


def values(runs, name):
    return [run.settings[name] for run in runs]


def test_the_runs_are_the_product_of_what_is_asked_for():
    variants = [{"theta": 0.05, "steps": 9}, {"theta": 0.2, "steps": 9}]
    runs = plan(HEART, sizes=[4, 8, None], draws=3, seeds=[0, 1], settings=variants, data={"heart_fd": "/data"})
    assert len({run.name for run in runs}) == len(runs) == 3 * 3 * 2 * 2 * 3
    for name, wanted in (("train_size", (4, 8, None)), ("draw", (0, 1, 2)), ("seed", (0, 1)), ("theta", (0.05, 0.2))):
        assert Counter(values(runs, name)) == dict.fromkeys(wanted, len(runs) // len(wanted))
    own = {"fusion": "none", "train_size": 4, "draw": 0, "seed": 0}
    assert runs[0].settings == own | variants[0]
    assert runs[0].options(STUDY) == own | {"theta": 0.05, "dataset_dir": "/data"}
    assert runs[0].data_options == {"theta": 0.05}
    assert plan(HEART, sizes=[4])[0].options(STUDY) == own


def test_the_arms_are_the_fusions_that_there_are():
    assert set(ARMS) == set(get_args(Fusion))
    assert values(plan(HEART), "fusion") == list(ARMS)


def test_a_study_that_is_stopped_early_has_whole_draws_or_folds():
    draws = values(plan(HEART, sizes=[4, 8], draws=3), "draw")
    assert draws == sorted(draws)
    sources = [parse_source(word, {"own": "w.pt"}) for word in ("random", "own")]
    runs = plan_transfers(sources, [], TARGETS, artifacts=ARTIFACTS, fractions=[0.5], folds=3)
    assert values(runs, "fold") == [fold for fold in range(3) for _ in range(2 * 2 * 3)]


def test_sources_of_a_command_line():
    assert parse_source("random") == parse_source("random/none") == Source(label="random", given={"init": "random"})
    assert parse_source("imagenet").given == {"source": "imagenet", "editing": "none"}
    edited = parse_source("imagenet/lowpass", data={"imagenet": "/data/imagenet"})
    assert (edited.label, edited.dataset_dir) == ("imagenet lowpass", "/data/imagenet")
    there = parse_source("clinic", {"clinic": "weights.pt"})
    assert (there.label, there.given, there.pretrained) == ("clinic", {"init": "weights.pt"}, False)
    for word, checkpoints, says in (
        ("imagenet/blur", {}, "There is no editing 'blur'"),
        ("random", {"random": "w.pt"}, r"--checkpoints random=w\.pt is for a source that starts without"),
        ("random/none", {"random/none": "w.pt"}, r"--checkpoints random/none=w\.pt is for"),
    ):
        with pytest.raises(UsageError, match=says):
            parse_source(word, checkpoints)


def test_only_what_has_no_weights_is_pretrained():
    words = ("random", "clinic", "imagenet", "radimagenet/whiten")
    sources = [parse_source(word, {"clinic": "w.pt"}, {"radimagenet": "/data"}) for word in words]
    runs = plan_pretraining(sources, PRETRAINER, seeds=[0, 1], settings={"epochs": 3})
    own = [{"fusion": "none", "seed": seed, "epochs": 3} for seed in (0, 1)]
    labels = ("imagenet", "radimagenet whiten")
    assert [run.settings for run in runs] == [one | {"source": label} for one in own for label in labels]
    edited = {"source": "radimagenet", "editing": "whiten", "dataset_dir": "/data"}
    assert runs[3].options(STUDY) == own[1] | edited


def test_settings_that_the_label_does_not_say_are_in_the_name():
    """Otherwise a run with another cue would pass for one that is there."""
    plain = parse_source("imagenet")
    cue = {"phantoms#imagenet#cue": "shape"}
    (run,) = plan_pretraining([replace(plain, given={**plain.given, **cue}, label="imagenet shape")], PRETRAINER)
    assert run.settings == {"fusion": "none", "seed": 0, "source": "imagenet shape"} | cue
    assert run.name == "source_pretrain/nall_draw0_none_phantoms-imagenet-cue=shape_source=imagenet-shape_seed0"
    assert run.options(STUDY) == {"fusion": "none", "seed": 0, "source": "imagenet", "editing": "none"} | cue


def test_every_combination_starts_from_the_weights_of_its_source_and_seed():
    sources = [parse_source(word) for word in ("random", "imagenet")]
    pretraining = plan_pretraining(sources, PRETRAINER, seeds=[0, 1])
    more = {"seeds": [0, 1], "folds": 3, "fractions": [0, 0.5], "settings": [{"lam": 0.0}, {"lam": 0.01}]}
    data = {"kneemri_transfer": "/knee"}
    runs = plan_transfers(sources, pretraining, TARGETS, artifacts=ARTIFACTS, data=data, **more)
    assert len({run.name for run in runs}) == len(runs) == 2 * 3 * 2 * 2 * 2 * 3  # targets and artifacts make 3
    for run in runs:
        seed, source = run.settings["seed"], run.settings["source"]
        weights = f"/out/runs/source_pretrain/nall_draw0_none_source=imagenet_seed{seed}/models/model.pt"
        init = {"random": "random", "imagenet": weights}[source]
        own = {key: value for key, value in run.settings.items() if key != "source"}
        data = {"dataset_dir": "/knee"} if run.bundle == "kneemri_transfer" else {}
        assert run.options(STUDY) == own | data | {"init": init}
        assert run.after is (None if source == "random" else pretraining[seed])
        unneeded = ("fusion", "seed")
        assert run.data_options == {key: own[key] for key in own if key not in unneeded} | {"init": "random"}


def test_the_weights_of_a_pretraining_of_an_earlier_version_are_found(tmp_path):
    sources = [parse_source("imagenet")]
    (before,) = plan_pretraining(sources, PRETRAINER)
    run, *_ = plan_transfers(sources, [before], TARGETS, artifacts=ARTIFACTS)
    earlier = tmp_path / "runs" / before.name / "model.pt"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    assert run.options(tmp_path)["init"] == str(earlier)


def test_whole_and_broken_numbers_name_the_same_run_and_the_control_is_always_there():
    def names(fractions):
        sources = [parse_source("random")]
        runs = plan_transfers(sources, [], TARGETS, artifacts=ARTIFACTS, fractions=fractions, folds=1)
        return [run.name for run in runs]

    assert names([0, 1]) == names([0.0, 1.0, 1]) == names([1])
    with pytest.raises(UsageError, match=r"must be in \[0, 1\], got 1.5"):
        names([1.5])


def test_no_run_is_planned_twice():
    same = [parse_source(word) for word in ("random", "random/none")]
    with pytest.raises(UsageError, match=r"^2 sources would be called random\.\nName each in --sources once"):
        plan_transfers(same, [], TARGETS, artifacts=ARTIFACTS)
    with pytest.raises(UsageError, match=r"^2 runs would be called lodopab_transfer/"):
        plan_transfers(same[:1], [], TARGETS, artifacts=ARTIFACTS, settings=[{"lam": 0}, {"lam": 0}])
    with pytest.raises(UsageError, match=r"^2 runs would be called heart_fd/"):
        plan(HEART, settings=[{"theta": 0.1}, {"theta": 0.1}])


def test_a_source_without_weights_is_refused():
    sources = [parse_source("imagenet")]
    with pytest.raises(UsageError, match=r"'imagenet' has no weights for seed 1"):
        plan_transfers(sources, plan_pretraining(sources, PRETRAINER), TARGETS, artifacts=ARTIFACTS, seeds=[0, 1])


def test_a_source_has_the_normalization_of_its_weights():
    """Weights that are there, and random ones, are told it; those that the study trains record it."""
    names = {"random": "imagenet", "clinic": "radimagenet_pytorch", "imagenet": "imagenet"}
    words = ("random", "clinic", "imagenet", "radimagenet/whiten")
    sources = [parse_source(word, {"clinic": "w.pt"}, normalizations=names) for word in words]
    plain, whitened = pretraining = plan_pretraining(sources, PRETRAINER)
    assert plain.settings["normalization"] == plain.options(STUDY)["normalization"] == "imagenet"
    assert "normalization" not in whitened.options(STUDY)
    runs = plan_transfers(sources, pretraining, TARGETS, artifacts=ARTIFACTS, fractions=[0], folds=1)[:4]
    assert [run.given for run in runs] == [
        {"init": "random", "normalization": "imagenet"},
        {"init": "w.pt", "normalization": "radimagenet_pytorch"},
        {},
        {},
    ]
