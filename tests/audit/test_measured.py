"""Measurements that are kept on disk, and do not depend on the number of workers."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_freq.audit import Case, Cases
from monai_freq.audit.data.measured import measured


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(0)
    files = [str(tmp_path / f"{k}.png") for k in range(6)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (9, 8), np.uint8)).save(file)
    return Cases([Case(file) for file in files])


def brightness(case):
    """Mean value; notes in a file that it was called."""
    with Path(f"{case.image}.calls").open("a") as stream:
        stream.write("x")
    return {"mean": float(case.load()[0].mean())}


def calls(cases):
    return [len(Path(f"{case.image}.calls").read_text()) for case in cases]


def test_the_number_of_workers_changes_nothing(cases):
    alone = measured(cases, brightness, "Means")
    assert [record["mean"] for record in alone] == [float(case.load()[0].mean()) for case in cases]
    assert measured(cases, brightness, "Means", workers=2) == alone


def test_a_stopped_run_goes_on(cases, tmp_path):
    first = measured(cases[:3], brightness, "Means", output_dir=tmp_path)
    kept = tmp_path / "measured" / "means.jsonl"
    kept.write_text(kept.read_text()[:-9])  # stopped while the third line was written
    whole = measured(cases, brightness, "Means", output_dir=tmp_path)
    assert whole[:3] == first
    assert calls(cases) == [1, 1, 2, 1, 1, 1]
    assert measured(cases, brightness, "Means", output_dir=tmp_path) == whole
    assert calls(cases) == [1, 1, 2, 1, 1, 1]


def test_changed_files_and_settings_are_measured_again(cases, tmp_path):
    before = measured(cases, brightness, "Means", output_dir=tmp_path)
    Image.new("L", (8, 9), 7).save(cases[1].image)
    os.utime(cases[1].image, ns=(1, 1))
    after = measured(cases, brightness, "Means", output_dir=tmp_path)
    assert calls(cases) == [1, 2, 1, 1, 1, 1]
    assert after[1]["mean"] == 7 != before[1]["mean"]
    measured(cases, brightness, "Means", {"bands": 3}, output_dir=tmp_path)
    assert calls(cases) == [2, 3, 2, 2, 2, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_faulty_image_has_its_fault_and_is_not_kept(cases, tmp_path, workers):
    Path(cases[2].image).write_bytes(b"no image")
    records = measured(cases, brightness, "Means", output_dir=tmp_path, workers=workers)
    assert "2.png cannot be read" in records[2]["fault"]
    Image.new("L", (8, 9), 7).save(cases[2].image)
    assert measured(cases, brightness, "Means", output_dir=tmp_path)[2] == {"mean": 7.0}


def test_other_errors_are_raised(cases):
    with pytest.raises(ZeroDivisionError):
        measured(cases, lambda case: {"x": 1 / 0}, "Means")
    with pytest.raises(ValueError, match="'workers' must be a whole number of at least 0, got -1"):
        measured(cases, brightness, "Means", workers=-1)


def test_progress_is_shown_on_request(cases, capsys):
    measured(cases, brightness, "Means")
    assert capsys.readouterr().err == ""
    measured(cases, brightness, "Means", progress=True)
    assert "Means: 100%" in capsys.readouterr().err
