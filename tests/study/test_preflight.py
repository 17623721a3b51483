"""What is known of the data of each run before the first one starts."""

import json

import pytest

from monai_freq.study.preflight import Look, look_into
from monai_freq.study.transfer_plan import parse_source, plan_transfers

#: one patient, who is in training and, in the last of three folds alone, in validation too
LEAKY = {
    "name": "leaky_transfer",
    "imports": ["$import numpy"],
    "initialize": [],
    "init": "random",
    "artifact": "none",
    "fraction": 0.0,
    "fold": 0,
    "folds": {"folds": 3},
    "batch_size": 2,
    "classes": {"0": "benign", "1": "malignant"},
    "samples": {
        "_target_": "monai_freq.bundle.classification.Samples",
        "train": [{"patient": 1}],
        "val": [{"patient": "$1 if @fold == 2 else 2"}],
        "test": [{"patient": 3}],
    },
    "preprocessing": "$lambda item: {'image': numpy.eye(8)[None]}",
}


@pytest.fixture
def planned(tmp_path):
    """Fine-tunings of a bundle with a leak, from two sources."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/train.json").write_text(json.dumps(LEAKY))

    def plan(folds):
        sources = [parse_source(word, {"own": "no_such_weights.pt"}) for word in ("random", "own")]
        artifacts = {"leaky_transfer": ["none"]}
        targets = {"leaky_transfer": str(tmp_path)}
        return plan_transfers(sources, targets, {}, artifacts=artifacts, fractions=[0], folds=folds)

    return plan


def test_a_leak_is_counted_in_its_own_fold(planned):
    with Look(planned(folds=3)) as look:
        runs = look.fitted()
    found = [(run.draw, run.overrides["source"], run.noted["overlapping_groups"]) for run in runs]
    assert found == [(fold, source, int(fold == 2)) for fold in range(3) for source in ("random", "own")]
    assert {run.changes["init"] for run in runs} == {"random", "no_such_weights.pt"}
    assert look.examples["leaky_transfer"].startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore")  # MONAI's about any configuration, which the study silences in its own process
def test_more_folds_than_the_data_have(planned):
    run = planned(folds=4)[-1]
    configs = [str(file) for file in run.configs("train")]
    with pytest.raises(SystemExit, match=r"^leaky_transfer has 3 folds, not 4\.\nAsk for fewer --folds"):
        look_into(configs, run.folder, run.dataset_dir, run.data_settings)
