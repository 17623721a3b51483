"""A file is either complete or absent, and only one process claims a folder."""

import multiprocessing
import os
import time

import pytest
from claiming import claimed_elsewhere

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


def test_a_folder_appears_at_once(tmp_path):
    with replacing(tmp_path / "nifti") as aside:
        (aside / "vol01").mkdir(parents=True)
        (aside / "vol01" / "x.nii").write_text("voxels")
        assert not (tmp_path / "nifti").exists()
    assert (tmp_path / "nifti" / "vol01" / "x.nii").read_text() == "voxels"


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
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


def test_a_folder_is_claimed_by_one_process_until_it_is_killed(tmp_path):
    with claimed_elsewhere(tmp_path / "run") as got:
        assert got
        assert not claim(tmp_path / "run")
        assert claim(tmp_path / "other")
    assert claim(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    with claimed_elsewhere(tmp_path / "run") as got:
        assert not got
    for name in ("run", "other"):
        release(tmp_path / name)


def test_a_forked_worker_neither_keeps_nor_loses_the_claim(tmp_path):
    assert claim(tmp_path)
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        with claimed_elsewhere(tmp_path) as got:
            assert not got
        release(tmp_path)
        with claimed_elsewhere(tmp_path) as got:  # though the worker still runs
            assert got
    finally:
        worker.kill()
        worker.join()
