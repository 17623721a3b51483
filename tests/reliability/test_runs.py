"""Runs on a full disk, in a read-only folder, without a network, beside another run: whole files, or short errors."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from running import ROOT, assert_same_weights, environment, started

from monai_freq import phantoms

SIZE = (32, 32, 16)
CONFIGS = ROOT / "bundles/heart_fd/configs"

pytestmark = pytest.mark.slow


def settings_of(dataset, **more):
    common = {"dataset_dir": str(dataset), "image_size": list(SIZE), "val_cases": 2, "test_cases": 1, "threads": 1}
    common |= {"bundle_root": str(CONFIGS.parent)}
    return common | {"epochs": 4, "val_interval": 1, "logging_file": False} | more


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return phantoms.write_phantom("heart", tmp_path_factory.mktemp("heart"), cases=6, test_cases=1, size=SIZE, seed=1)


def training(folder, **settings):
    return started(CONFIGS / "train.json", output_dir=str(folder), **settings)


def ended(process):
    process.join(timeout=300)
    return process.exitcode


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    """Folder of a training that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    assert ended(training(folder, **settings_of(dataset))) == 0
    return folder


RUN = """
import json, sys
from monai import bundle
for workflow, arguments in json.loads(sys.argv[1]):
    bundle.run(config_file=workflow, **arguments)
"""


def apart(flags, script, tmp_path, *workflows):
    """Run workflows within namespaces of their own; ``$RUN`` in the script stands for the command."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", flags, "true"], check=False).returncode:
        pytest.skip("needs Linux namespaces: unshare, and a kernel that lets this user have them")
    (tmp_path / "run.py").write_text(RUN)
    listed = json.dumps([(str(CONFIGS / f"{name}.json"), arguments) for name, arguments in workflows])
    variables = environment(RUN=f"{sys.executable} {tmp_path}/run.py", WORKFLOWS=listed)
    return subprocess.run(
        ["unshare", flags, "sh", "-c", script], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=500
    )


def test_a_full_disk_leaves_the_checkpoint_before_it_from_which_the_run_continues(dataset, whole, tmp_path):
    saved = sum((whole / name).stat().st_size for name in ("models/last.pt", "models/model.pt"))
    room = saved + (whole / "models/last.pt").stat().st_size // 2  # for the first epoch, and not for a second beside it
    (tmp_path / "disk").mkdir()
    script = f"""
        mount -t tmpfs -o size={room} none disk || exit 90
        $RUN "$WORKFLOWS" > full.log 2>&1; echo $? > code
        mkdir full && cp -r disk/run/. full
        mount -o remount,size=100m disk && $RUN "$WORKFLOWS" > resumed.log 2>&1
        resumed=$?; cp -r disk/run resumed; exit $resumed
    """
    arguments = settings_of(dataset, output_dir=str(tmp_path / "disk/run"), resume="true")
    done = apart("-rm", script, tmp_path, ("train", arguments))
    if done.returncode == 90:
        pytest.skip("needs a kernel that lets this user mount a tmpfs")
    said = (tmp_path / "full.log").read_text()
    assert done.returncode == 0, said + (tmp_path / "resumed.log").read_text()
    assert (tmp_path / "code").read_text().strip() == "1"
    print(
        f"disk of {room} bytes, checkpoint of {(whole / 'models/last.pt').stat().st_size}; it ended with: {said[-300:]}"
    )
    last = torch.load(tmp_path / "full/models/last.pt", weights_only=True)
    assert 1 <= last["epoch"] < 4
    assert not list((tmp_path / "full").glob(".*"))  # nothing half written is left
    assert f" {last['epoch']}/4 [" in (tmp_path / "resumed.log").read_text()  # its bar goes on from there
    assert_same_weights(whole, tmp_path / "resumed")


def test_a_read_only_folder_is_named_before_anything_is_computed(dataset, tmp_path):
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs none disk && mkdir disk/run && mount -o remount,ro disk || exit 90; $RUN "$WORKFLOWS"'
    for folder in ("disk/run", "disk/new"):
        arguments = settings_of(dataset, output_dir=str(tmp_path / folder))
        done = apart("-rm", script, tmp_path, ("train", arguments))
        if done.returncode == 90:
            pytest.skip("needs a kernel that lets this user mount a tmpfs")
        assert done.returncode == 1
        assert f"{folder} cannot be written to: " in done.stderr
        assert "Pass --output_dir" in done.stderr
        assert "Traceback" not in done.stderr


def test_without_a_network_all_three_workflows_run(dataset, whole, tmp_path):
    arguments = settings_of(dataset, output_dir=str(tmp_path / "run"))
    evaluation = {name: value for name, value in arguments.items() if name not in ("epochs", "val_interval")}
    inference = {name: value for name, value in evaluation.items() if name not in ("val_cases", "test_cases")}
    script = '$RUN "$WORKFLOWS"'
    done = apart("-rn", script, tmp_path, ("train", arguments), ("evaluate", evaluation), ("inference", inference))
    assert done.returncode == 0, done.stderr[-2000:]
    assert_same_weights(whole, tmp_path / "run")
    assert (tmp_path / "run/eval/cases.csv").is_file()
    assert len(list((tmp_path / "run/segmentations").iterdir())) == 1


def test_two_runs_that_start_at_once_share_the_phantom_in_the_cache(tmp_path):
    settings = settings_of(None, epochs=2, **{"cases#cache": str(tmp_path / "cache")})
    settings |= {"dataset_dir": None, "phantom": {"task": "heart", "cases": 6, "size": list(SIZE), "seed": 1}}
    folders = [tmp_path / "one", tmp_path / "other"]
    processes = [training(folder, **settings) for folder in folders]
    assert [ended(process) for process in processes] == [0, 0]
    assert_same_weights(*folders)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["heart_6_32x32x16_1"]


def test_of_two_runs_into_one_folder_the_second_is_refused_and_the_first_undisturbed(dataset, whole, tmp_path):
    first = training(tmp_path / "run", **settings_of(dataset))
    while not (tmp_path / "run/settings.json").is_file():
        assert first.is_alive()
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)  # or it might end before the others begin
    try:
        second = [training(tmp_path / "run", **settings_of(dataset, resume=resume)) for resume in ("true", "false")]
        assert [ended(process) for process in second] == [1, 1]
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert ended(first) == 0
    assert_same_weights(whole, tmp_path / "run")
    assert not (tmp_path / "run/previous").exists()
