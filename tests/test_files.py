"""A file is either whole or not there."""

import os

import pytest

from monai_freq.files import replacing


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
