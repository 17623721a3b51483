"""A bundle is found beside its configuration, in the working directory and in its ``bundles`` folder, in this order."""

import json
import sys
from pathlib import Path

import pytest

from monai_freq.bundle import find_bundle


@pytest.fixture(autouse=True)
def empty_place(tmp_path, monkeypatch):
    """A working directory and a command line with nothing in them."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr(sys, "argv", ["/lib/monai/bundle/__main__.py", "run"])


def make_bundle(folder: Path, name: str = "heart_fd") -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text(json.dumps({"name": name}))
    (folder / "configs" / "train.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    "spelling", ["--config_file {}", "--config_file={}", "--config_file ['{}']", "--config_file=['{}','x']"]
)
@pytest.mark.parametrize("relative", [False, True])
def test_beside_the_configuration_file(tmp_path, monkeypatch, spelling, relative):
    folder = make_bundle(tmp_path / "elsewhere" / "any_name")
    for later in (tmp_path / "cwd", tmp_path / "cwd" / "bundles" / "heart_fd"):
        make_bundle(later)
    file = "../elsewhere/any_name/configs/train.json" if relative else str(folder / "configs" / "train.json")
    monkeypatch.setattr(sys, "argv", [*sys.argv, *spelling.format(file).split()])
    assert find_bundle("heart_fd") == str(folder)


def test_in_the_working_directory(tmp_path):
    make_bundle(tmp_path / "cwd" / "bundles" / "heart_fd")
    make_bundle(tmp_path / "cwd")
    assert find_bundle("heart_fd") == str(tmp_path / "cwd")


def test_in_the_folder_bundles(tmp_path):
    folder = make_bundle(tmp_path / "cwd" / "bundles" / "heart_fd")
    assert find_bundle("heart_fd") == str(folder)
    assert Path(find_bundle("heart_fd")).is_absolute()


def test_a_configuration_file_of_ones_own_does_not_hide_the_bundle(tmp_path, monkeypatch):
    folder = make_bundle(tmp_path / "cwd" / "bundles" / "heart_fd")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--config_file", f"['{folder}/configs/train.json','mine/my.json']"])
    assert find_bundle("heart_fd") == str(folder)
    monkeypatch.setattr(sys, "argv", [*sys.argv[:2], "--config_file", "mine/my.json"])
    assert find_bundle("heart_fd") == str(folder)


def test_another_bundle_is_not_taken_for_it(tmp_path, monkeypatch):
    other = make_bundle(tmp_path / "spleen_fd", name="spleen_fd")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--config_file", str(other / "configs" / "train.json")])
    with pytest.raises(SystemExit):
        find_bundle("heart_fd")
    assert find_bundle("spleen_fd") == str(other)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '"heart_fd"', "{}", '{"name": "heart"}', b"\xff\xfe"])
def test_nowhere_ends_with_two_lines(tmp_path, content):
    if content is not None:
        file = make_bundle(tmp_path / "cwd") / "configs" / "metadata.json"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as caught:
        find_bundle("heart_fd")
    first, second = str(caught.value).splitlines()
    assert "'heart_fd'" in first
    assert "--bundle_root" in second
