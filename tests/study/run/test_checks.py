"""What is known of a bundle, its settings and its data before the first run starts."""

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_freq.errors import UsageError
from monai_freq.study.run.checks import Look, _as_picture, _overlapping, bundle_names, fitted, look_into
from monai_freq.study.run.plan import parse_source, plan_transfers
from monai_freq.study.run.spec import Run

BUNDLES = Path(__file__).parents[3] / "bundles"
LOOKED = {"cases": 12, "batch_size": 2, "classes": {"1": "left atrium"}}
#: one patient, who is in training and, in the last of three folds alone, in validation too
LEAKY = {
    "imports": ["$import numpy", "$import os", "$import torch", "$from monai_freq import bundle"],
    "folds": {"folds": 3},
    "samples": {
        "_target_": "monai_freq.bundle.classification.Samples",
        "train": [{"patient": 1}],
        "val": [{"patient": "$1 if @fold == 2 else 2"}],
        "test": [{"patient": 3}],
    },
    "preprocessing": "$lambda item: {'image': numpy.eye(8)[None]}",
}


def segmentation(folder="", **settings):
    own = {"fusion": "none", "train_size": None, "draw": 0, "seed": 0}
    return Run(bundle="heart_fd", folder=str(folder), settings=own | settings)


@pytest.fixture
def planned(tmp_path):
    """Fine-tunings of a bundle with a leak, from two sources."""
    shipped = json.loads((BUNDLES / "lodopab_transfer/configs/train.json").read_text())
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/train.json").write_text(json.dumps(shipped | LEAKY))

    def plan(folds):
        sources = [parse_source(word, {"own": "no_such_weights.pt"}) for word in ("random", "own")]
        artifacts, targets = {"leaky_transfer": ["none"]}, {"leaky_transfer": str(tmp_path)}
        return plan_transfers(sources, [], targets, artifacts=artifacts, fractions=[0], folds=folds)

    return plan


def test_a_leak_is_counted_in_its_own_fold(planned):
    with Look(planned(folds=3)) as look:
        runs = look.fitted()
    found = [(run.settings["fold"], run.settings["source"], run.noted["overlapping_groups"]) for run in runs]
    assert found == [(fold, source, int(fold == 2)) for fold in range(3) for source in ("random", "own")]
    assert {run.given["init"] for run in runs} == {"random", "no_such_weights.pt"}
    assert look.examples["leaky_transfer"].startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore")  # MONAI's about any configuration, which the study silences in its own process
def test_more_folds_than_the_data_have(planned):
    with pytest.raises(UsageError, match=r"^leaky_transfer has 3 folds, not 4\.\nAsk for fewer --folds"):
        look_into(planned(folds=4)[-1])


@pytest.mark.filterwarnings("ignore")
def test_settings_that_cannot_work_are_found_before_the_first_run(heart, monkeypatch, tmp_path):
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(tmp_path))
    small = {"phantom#cases": 12, "phantom#size": [16, 16, 16]}
    looked = look_into(segmentation(heart, **small, val_cases=3, batch_size=1))
    assert looked == {"cases": 5, "batch_size": 1, "classes": {"1": "left atrium"}}
    for settings, says in (
        ({"epoch": 3}, r"There is no setting 'epoch'\. Did you mean 'epochs'\?"),
        ({"theta": 1.5}, r"'theta' must be in \(0, 1\), got 1\.5"),
        ({"val_cases": 19}, r"20 cases|12 cases"),
        ({"phantom#task": "liver"}, "There is no phantom 'liver'"),
        ({"overlay": "papers"}, "configs/papers.json"),
    ):
        with pytest.raises(UsageError, match=says):
            look_into(segmentation(heart, **small, **settings))


def test_steps_are_the_same_for_all_sizes():
    for size in (1, 2, 3, 5, 8, None):
        for steps in (1, 7, 100):
            given = fitted(segmentation(train_size=size, steps=steps, overlay="paper"), LOOKED).given
            batches = math.ceil((size or 12) / 2)
            assert steps <= given["epochs"] * batches < steps + batches
            assert given == {"epochs": given["epochs"], "val_interval": max(1, given["epochs"] // 20)}
    assert "val_interval" not in fitted(segmentation(steps=9, val_interval=3), LOOKED).given


def test_a_size_beyond_the_data_is_refused():
    with pytest.raises(UsageError, match=r"heart_fd has 12 training cases, not 13\.\nAsk for smaller --sizes"):
        fitted(segmentation(train_size=13), LOOKED)
    assert fitted(segmentation(train_size=12), LOOKED).classes == LOOKED["classes"]


@pytest.mark.parametrize(
    ("epochs", "val_interval", "interval"), [(2, 2, 2), (15, 2, 14), (25, 2, 6), (40, 2, 10), (15, 1, 5), (30, 5, 10)]
)
def test_the_last_epoch_of_a_classifier_that_is_validated_is_logged(epochs, val_interval, interval):
    asked = {"epochs": epochs} | ({} if val_interval == 2 else {"val_interval": val_interval})
    own = {"fusion": "none", "fold": 0, "seed": 0, "source": "random"}
    run = Run(bundle="b", folder="", settings=own | asked, given={"init": "random"})
    tuned = fitted(run, LOOKED | {"overlapping_groups": 3})
    assert tuned.given == {"init": "random", "psd_interval": interval}
    assert tuned.noted == {"overlapping_groups": 3}
    logged = [epoch for epoch in range(1, epochs + 1) if epoch % val_interval == 0 and epoch % interval == 0]
    assert logged[-1] == epochs - epochs % val_interval
    assert len(logged) <= 4
    asked_for = Run(bundle="b", folder="", settings=own | asked | {"psd_interval": 4})
    assert "psd_interval" not in fitted(asked_for, LOOKED).given


def test_a_folder_that_is_no_bundle(tmp_path, heart):
    for folders, says in (
        (
            ["no/such/bundle"],
            r"There is no bundle in .*\nA bundle is a folder; python -m monai_freq copy heart_fd makes",
        ),
        ([str(tmp_path)], "There is no bundle in"),
        ([str(heart), f"{heart}/"], "both called heart_fd"),
    ):
        with pytest.raises(UsageError, match=says):
            bundle_names(folders)


def test_the_example_spans_black_and_white():
    for low, high in ((-1000.0, 400.0), (0.2, 0.4)):
        ramp = np.linspace(low, high, 32).reshape(1, 4, 8)
        grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(_as_picture(ramp)))))
        np.testing.assert_array_equal(grey, np.rint(np.linspace(0, 255, 32)).reshape(4, 8))
    assert not np.asarray(Image.open(io.BytesIO(base64.b64decode(_as_picture(np.ones((1, 4, 4))))))).any()


def test_patients_and_exams_are_counted_once():
    def items(key, *names):
        return [{key: name} for name in names]

    assert _overlapping(items("patient", 1, 1, 2), items("patient", 3), items("patient", 4)) == 0
    assert _overlapping(items("exam", 1, 2), items("exam", 2, 1), items("exam", 2, 5)) == 2
    assert _overlapping(items("image", "a"), items("image", "a")) == 0  # nothing is known of these
