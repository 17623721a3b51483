"""Files of a run are found where today's version and where earlier ones put them."""

from pathlib import Path

import pytest

from monai_freq.places import RESULTS, evaluation_of, last_of, models_of, record_of, weights_of


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    ("there", "models"),
    [
        ([], "models"),
        (["models/last.pt"], "models"),
        (["last.pt"], "."),  # killed before it was validated
        (["model.pt"], "."),
        (["models/other.txt", "last.pt"], "."),
        (["models/model.pt", "model.pt"], "models"),  # the latter copied there by somebody
    ],
)
def test_weights(there, models, tmp_path):
    for file in there:
        touch(tmp_path / file)
    assert models_of(tmp_path) == tmp_path / models
    assert (weights_of(tmp_path), last_of(tmp_path)) == (tmp_path / models / "model.pt", tmp_path / models / "last.pt")


@pytest.mark.parametrize(
    ("there", "folder"),
    [([], "eval"), (["eval"], "eval"), (["evaluation"], "evaluation"), (["eval", "evaluation"], "eval")],
)
def test_evaluation(there, folder, tmp_path):
    for name in there:
        (tmp_path / name).mkdir()
    assert evaluation_of(str(tmp_path)) == tmp_path / folder


def test_the_record_of_weights(tmp_path):
    assert record_of(tmp_path / "models/model.pt") == tmp_path / "settings.json"
    assert record_of(tmp_path / "model.pt") == tmp_path / "settings.json"
    touch(tmp_path / "models/settings.json")  # a folder of an earlier version that is called so
    assert record_of(str(tmp_path / "models/model.pt")) == tmp_path / "models/settings.json"


def test_a_new_run_moves_what_any_version_left():
    assert {"models", "model.pt", "last.pt", "settings.json", "eval", "evaluation"} <= set(RESULTS)
