"""The bundles that come with the package, in a checkout and in a wheel."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT, TASKS, environment, files_below

from monai_freq.__main__ import main
from monai_freq.bundle.shipped_bundles import copy_bundle, describe_bundle, list_bundles

#: family -> options of a small phantom, and those of the workflows that divide it
SMALL = {
    "segmentation": ["--image_size", "[32,32,16]", "--phantom#size", "[32,32,16]", "--phantom#cases", "11"],
    "pretraining": ["--image_size", "[32,32]", "--phantoms#imagenet#size", "32", "--phantoms#imagenet#images", "8"],
    "transfer": [],
}
DIVISION = {"segmentation": ["--val_cases", "4", "--test_cases", "4"], "pretraining": [], "transfer": []}


def test_they_are_those_of_the_repository():
    assert list_bundles() == sorted(TASKS)
    for name, task in TASKS.items():
        assert describe_bundle(name) == task["metadata"]["task"]


@pytest.mark.parametrize("name", TASKS)
def test_a_copy_has_all_that_is_versioned_and_nothing_else(name, tmp_path):
    listed = ["git", "ls-files", f"bundles/{name}"]
    if shutil.which("git") is None:
        pytest.skip("needs git")
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    versioned = done.stdout.split()
    if done.returncode or not versioned:
        pytest.skip("not a git checkout")
    copied = copy_bundle(name, tmp_path / "copy")
    assert {f"bundles/{name}/{file}" for file in files_below(copied) - {".gitignore"}} == set(versioned)
    for file in versioned:
        path = Path(file).relative_to(f"bundles/{name}")
        assert (copied / path).read_bytes() == (ROOT / file).read_bytes()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_sees_of_a_copy_what_is_the_users(tmp_path):
    copied = copy_bundle("heart_fd", tmp_path / "copy")
    for left in (
        "runs/early/models/model.pt",
        ".cache/heart/dataset.json",
        "eval/mlruns.db",
        "configs/own.json",
        "docs/runs.md",
    ):
        (copied / left).parent.mkdir(parents=True, exist_ok=True)
        (copied / left).touch()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True, capture_output=True)
    listed = ["git", "ls-files", "--others", "--exclude-standard"]
    seen = set(subprocess.run(listed, cwd=copied, capture_output=True, text=True, check=True).stdout.split())
    assert seen == files_below(copied) - {"runs/early/models/model.pt", ".cache/heart/dataset.json", "eval/mlruns.db"}
    assert {".gitignore", "configs/train.json", "configs/own.json", "docs/runs.md"} <= seen


def test_git_sees_no_results_in_the_checkout():
    results = [
        "runs/psd.npz",
        "runs/my_atria/models/model.pt",
        "bundles/heart_fd/runs/early/models/model.pt",
        "out-transfer/runs.txt",
    ]
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "check-ignore", *results], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == results


def test_the_command_names_and_copies(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["bundles"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == sorted(TASKS)
    main(["copy", "heart_fd"])
    printed = capsys.readouterr().out
    assert str(tmp_path / "heart_fd" / "configs" / "train.json") in printed
    assert (tmp_path / "heart_fd" / "configs" / "train.json").is_file()


def test_the_command_that_it_prints_can_be_pasted(tmp_path, capsys):
    main(["copy", "heart_fd", str(tmp_path / "dir with space" / "it's")])
    command = capsys.readouterr().out.splitlines()[-1].partition(": ")[2]
    *_, option, config = shlex.split(command)
    assert option == "--config_file"
    assert Path(config) == tmp_path / "dir with space" / "it's" / "configs" / "train.json"
    assert Path(config).is_file()


def test_what_is_there_is_not_overwritten(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match=r"mine is there already\.\nName a folder"):
        main(["copy", "heart_fd", str(mine)])
    assert files_below(tmp_path) == {"mine/notes.txt"}


@pytest.mark.parametrize(("name", "hint"), [("heart", "Did you mean heart_fd?"), ("../bundles/heart_fd", "")])
def test_an_unknown_name_is_refused(name, hint, tmp_path):
    with pytest.raises(SystemExit) as refusal:
        main(["copy", name, str(tmp_path / "copy")])
    assert str(refusal.value).startswith(f"There is no bundle {name!r}.\n{hint}")
    assert not any(tmp_path.iterdir())


def test_a_copy_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(SystemExit, match="No space left"):
        main(["copy", "heart_fd", str(tmp_path / "copy")])
    assert not any(tmp_path.iterdir())


def test_naming_them_imports_nothing_heavy():
    code = "import sys; from monai_freq.__main__ import main; main(['bundles']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Folder with the wheel, built from the source distribution, and with ``site``, into which it is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "runs", "out", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "source", ignore=ignored)
    checked([sys.executable, "-m", "build", "--outdir", folder, folder / "source"], folder)
    (built,) = folder.glob("*.whl")
    checked([sys.executable, "-m", "pip", "install", "--no-deps", "--target", folder / "site", built], folder)
    return folder


def checked(command, cwd, **more):
    done = subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_the_wheel_is_whole_and_typed(wheel, tmp_path):
    built = {file for file in files_below(wheel / "site" / "monai_freq") if "__pycache__" not in file}
    code = {file for file in files_below(ROOT / "monai_freq") if "__pycache__" not in file}
    copies = {name: files_below(copy_bundle(name, tmp_path / name)) for name in TASKS}
    bundled = {f"bundles/{name}/{file}" for name, files in copies.items() for file in files - {".gitignore"}}
    assert built == code | bundled
    assert "py.typed" in built
    shown = [sys.executable, "-c", "import monai_freq; print(monai_freq.__file__, monai_freq.__version__)"]
    place, version = checked(shown, tmp_path, PYTHONPATH=str(wheel / "site")).split()
    assert place.startswith(str(wheel / "site"))
    assert (wheel / f"monai_freq-{version}-py3-none-any.whl").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spleen_fd", "lodopab_transfer", "source_pretrain"])
def test_a_bundle_of_the_wheel_runs_zipped_and_elsewhere(name, wheel, tmp_path):
    """One of each family: all bundles of a family have the same files, and test_the_wheel_is_whole looks at each."""
    python, installed = [sys.executable, "-m"], {"PYTHONPATH": str(wheel / "site")}
    checked([*python, "monai_freq", "copy", name, "copy"], tmp_path, **installed)
    archive = shutil.make_archive(str(tmp_path / name), "zip", tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")
    shutil.unpack_archive(archive, tmp_path / "elsewhere")
    kind = TASKS[name]["family"][-1]
    options = {"train": [*DIVISION[kind], "--epochs", "1"], "evaluate": DIVISION[kind], "inference": []}
    for workflow, more in options.items():
        command = [*python, "monai.bundle", "run", "--config_file", f"elsewhere/configs/{workflow}.json"]
        checked([*command, "--threads", "1", *SMALL[kind], *more], tmp_path, **installed)
    made = files_below(tmp_path / "elsewhere")
    assert any(file.endswith("/model.pt") for file in made)
    assert any("/eval/" in file for file in made)
