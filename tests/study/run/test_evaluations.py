"""What is read from the folder of a run, against what was written there."""

import json
import re

import numpy as np
import pytest

from monai_freq.handlers import PSDHistory
from monai_freq.study.run.evaluations import read_cases, read_measures


def write_run(folder, artifact, epochs=(0, 5, 10)):
    history = PSDHistory(np.linspace(0, 0.5, 5))
    rng = np.random.default_rng(0)
    for epoch in epochs:
        densities = {kind: rng.random((3, 5)) for kind in ("images", "gradients", *(["artifact"] if artifact else []))}
        history.add(epoch, densities)
    history.save(folder / "tensorboard/psd.npz")
    summary = {"clean": {"samples": 4, "auc": 0.75, "accuracy": 0.5, "calibration_error": 0.1}}
    (folder / "eval").mkdir(parents=True)
    (folder / "eval/summary.json").write_text(json.dumps(summary))
    return history, summary


@pytest.mark.parametrize("artifact", [True, False])
def test_measures_of_a_classifier(tmp_path, artifact):
    history, summary = write_run(tmp_path, artifact)
    found = read_measures(tmp_path)
    assert found["conditions"] == summary
    densities = found["densities"]
    assert densities["frequencies"] == [0, 0.125, 0.25, 0.375, 0.5]
    np.testing.assert_array_equal(densities["before"], history.mean["gradients"][0])
    np.testing.assert_array_equal(densities["after"], history.mean["gradients"][2])
    np.testing.assert_array_equal(densities["images"], history.mean["images"][2])
    assert ("artifact" in densities) == artifact
    assert json.loads(json.dumps(found)) == found  # as the result's file holds it


def test_learning_priorities_that_were_not_logged_are_absent(tmp_path):
    for epochs, known in (((0,), {"before"}), ((5, 10), {"after"}), ((0, 10), {"before", "after"})):
        folder = tmp_path / str(epochs)
        write_run(folder, True, epochs)
        assert {"before", "after"} & set(read_measures(folder)["densities"]) == known


@pytest.mark.parametrize("lost", ["eval/summary.json", "tensorboard/psd.npz"])
def test_a_run_without_its_evaluation_is_no_result(tmp_path, lost):
    write_run(tmp_path, True)
    (tmp_path / lost).write_bytes(b"{")
    with pytest.raises(ValueError, match=r".+"):
        read_measures(tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(OSError, match=r".+"):
        read_measures(tmp_path)


def test_cases_of_a_segmentation(tmp_path):
    file = tmp_path / "cases.csv"
    file.write_text("case,dice_a\nx,0.5\ny,nan\n")
    (one, two) = read_cases(file)
    assert one == {"case": "x", "dice_a": 0.5}
    assert np.isnan(two["dice_a"])
    file.write_text("case,dice_A,dice_a\nx,1,0\n")  # classes whose names differ in case
    assert read_cases(file) == [{"case": "x", "dice_A": 1, "dice_a": 0}]


def test_a_table_that_is_broken_or_has_something_twice_is_named(tmp_path):
    file = tmp_path / "cases.csv"
    for text, says in (
        ("case,dice_a,dice_b\nx,0.5,1\ny,0.5\n", ""),
        ("case,dice_a,dice_b\nx,0.5,1\ny,0.5,1,2\n", ""),
        ("case,dice_a,dice_b\nx,half,1\n", ""),
        ("case,dice_a,dice_a\nx,1,0\n", "has 2 columns 'dice_a'"),
        ("case,dice_a\nx,1\nx,0\n", "it has 'x' twice"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"{re.escape(str(file))} is no table of test cases: .*{says}"):
            read_cases(file)


def test_measures_of_something_else_are_named(tmp_path):
    write_run(tmp_path, True)
    summary, log = tmp_path / "eval/summary.json", tmp_path / "tensorboard/psd.npz"
    whole = summary.read_bytes()
    for text in ("{", "[]"):
        summary.write_text(text)
        with pytest.raises(ValueError, match=re.escape(str(summary))):
            read_measures(tmp_path)
    summary.write_bytes(whole)
    for kinds, epochs in ((["images"], 1), (["gradients"], 1), (["images", "gradients"], 0), ([], 0)):
        densities = {f"{kind}_{name}": np.ones((epochs, 5)) for kind in kinds for name in ("mean", "sd")}
        rows = np.arange(epochs)
        np.savez(log, frequencies=np.linspace(0, 0.5, 5), epochs=rows, samples=rows + 1, **densities)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(log))} (must have densities|is no log)"):
            read_measures(tmp_path)
