"""A file is either whole or not there, and a folder is one run's."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from monai_freq.files import claim, release, replacing


def test_the_old_file_stays_whole_until_the_new_one_is(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "last.txt"
    with replacing(path) as aside:
        aside.write_text("old")
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *pair: seen.append([p.read_text() for p in pair]) or replace(*pair))
    with replacing(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert seen == [["new", "old"]]
    assert [p.read_text() for p in path.parent.iterdir()] == ["new"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt(), ValueError("bad")])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "last.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["last.txt"]
    assert path.read_text() == "old"


def test_a_folder_appears_at_once(tmp_path):
    with replacing(tmp_path / "nifti") as aside:
        (aside / "vol01").mkdir(parents=True)
        (aside / "vol01" / "x.nii").write_text("voxels")
        assert not (tmp_path / "nifti").exists()
    assert (tmp_path / "nifti" / "vol01" / "x.nii").read_text() == "voxels"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_file_or_folder_leaves_nothing(tmp_path, error):
    (tmp_path / "folds.json").write_text("old")

    def fail(target, folder):
        with replacing(target) as aside:
            (aside / "x").mkdir(parents=True) if folder else aside.write_text("half")
            raise error

    for folder in (False, True):
        with pytest.raises(error):
            fail(tmp_path / "folds.json", folder)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("folds.json", "old")]


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "nifti" / "mine").mkdir(parents=True)

    def write():
        with replacing(tmp_path / "nifti") as aside:
            aside.mkdir()

    with pytest.raises(OSError, match="nifti"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["nifti"]
    assert (tmp_path / "nifti" / "mine").is_dir()


CLAIMS = """
import sys, time
from pathlib import Path
from monai_freq.files import claim
print(claim(Path(sys.argv[1])), flush=True)
time.sleep(60)
"""


def claimed_elsewhere(folder):
    """A process that claims a folder and keeps it, and whether it got it."""
    process = subprocess.Popen([sys.executable, "-c", CLAIMS, str(folder)], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def test_a_folder_is_claimed_by_one_process_until_it_is_killed(tmp_path):
    process, got = claimed_elsewhere(tmp_path / "run")
    try:
        assert got == "True"
        assert not claim(tmp_path / "run")
        assert claim(tmp_path / "other")
    finally:
        process.kill()
        process.communicate()
    assert claim(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    process, got = claimed_elsewhere(tmp_path / "run")
    process.kill()
    process.communicate()
    assert got == "False"
    for name in ("run", "other"):
        release(tmp_path / name)


def test_a_forked_worker_neither_keeps_nor_loses_the_claim(tmp_path):
    assert claim(tmp_path)
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        process, got = claimed_elsewhere(tmp_path)
        process.kill()
        process.communicate()
        assert got == "False"
        release(tmp_path)
        process, got = claimed_elsewhere(tmp_path)  # though the worker still runs
        process.kill()
        process.communicate()
        assert got == "True"
    finally:
        worker.kill()
        worker.join()
