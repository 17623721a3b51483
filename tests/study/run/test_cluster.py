"""Studies whose drivers, workers and machines are killed, here and on a cluster of two local nodes."""

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_freq.study.__main__ import main
from monai_freq.study.run.results import read_results

pytestmark = pytest.mark.slow

WORDS = ["--sizes", 2, 4, "--draws", 2, "--arms", "none", "early", "--epochs", 6, "--retries", 50]


def table(folder):
    """What must not depend on who was killed when."""
    results, problems = read_results(folder)
    assert problems == []
    return {one.name: (one.status, one.cases, one.validation, one.settings) for one in results}


def completed(process, seconds=400):
    said, complained = process.communicate(timeout=seconds)
    assert process.returncode == 0, said + complained
    return said


def wait_until(reached, process, seconds=200.0):
    end = time.monotonic() + seconds
    while not reached() and process.poll() is None:
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def processes(mark, name):
    """Ids of the test's processes with a word in their command line or title."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"STUDY_TEST={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
            if ours and name.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def trainings(folder):
    return sum(len(file.read_text().split()) for file in folder.glob("runs/heart_fd/*/pids"))


@pytest.fixture
def undisturbed(study, tmp_path):
    folder = tmp_path / "undisturbed"
    completed(study(*WORDS, output_dir=folder))
    result = table(folder)
    assert len(result) == 8
    assert {status for status, *_ in result.values()} == {"finished"}
    return result


def test_started_again_only_what_is_missing_or_failed_is_run(study, tmp_path, capsys):
    words = ["--sizes", 2, "--arms", "none", "early", "late"]
    process = study(*words, PRETENDED_FAILURE="early 2")
    process.communicate(timeout=300)
    assert process.returncode == 1
    files = sorted((tmp_path / "out/results/heart_fd").iterdir())
    times = {file: file.stat().st_mtime_ns for file in files}
    assert "3 of 3 runs are finished, 1 of them attempted now" in completed(study(*words))
    changed = [file for file in files if file.stat().st_mtime_ns != times[file]]
    assert [file.name.split("_")[2] for file in changed] == ["early"]
    assert main(["run", *map(str, process.args[4:])]) == 0
    assert "3 of 3 runs are finished, 0 of them attempted now" in capsys.readouterr().out


def test_more_than_there_is(study):
    for words, says in (
        (["--cpus", 512], "No machine has 512 CPUs and 0 GPUs for a run"),
        (["--sizes", 5], "heart_fd has 4 training cases, not 5"),
    ):
        process = study(*words)
        _, complained = process.communicate(timeout=200)
        assert process.returncode == 1
        assert says in complained
        assert len(complained.strip().splitlines()) == 2, complained


def test_drivers_and_workers_killed_at_random_moments(study, undisturbed, tmp_path):
    moments = random.Random(3)
    out, kills = tmp_path / "out", 0
    slow = {"PRETENDED_EPOCH": "1"}
    process = study(*WORDS, **slow)
    while kills < 10 and process.poll() is None:
        begun = trainings(out)
        wait_until(lambda begun=begun: trainings(out) > begun, process)
        time.sleep(moments.uniform(0, 1.5))
        if kills % 2:
            process.kill()
            process.communicate()
            assert read_results(out)[1] == []
            process = study(*WORDS, **slow)
        else:
            workers = processes(tmp_path, "ray::execute")
            for worker in moments.sample(workers, min(1, len(workers))):
                os.kill(worker, signal.SIGKILL)
        kills += 1
    completed(process)
    assert kills == 10
    assert table(out) == undisturbed
    for last in out.glob("runs/heart_fd/*/**/last.pt"):  # every epoch once, wherever it was interrupted
        state = json.loads(last.read_text())
        assert state["epoch"] == 6
        assert sorted(state["starts"]) == state["starts"]


@pytest.fixture
def cluster(marked, tmp_path):
    """Two nodes of one CPU each, as ``ray start`` makes them; their address, token and second raylet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    common = ["--num-cpus", "1", "--object-store-memory", str(100 * 2**20), "--block", "--disable-usage-stats"]
    started = []

    def start(*words):
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", *words, *common]
        with (tmp_path / f"node{len(started)}.txt").open("w") as log:
            environment = marked | token | {"PRETENDED_EPOCH": "0.3"}
            started.append(subprocess.Popen(ray, env=environment, stdout=log, stderr=subprocess.STDOUT))
        end = time.monotonic() + 120
        while "This command will now block" not in Path(log.name).read_text():
            assert started[-1].poll() is None, Path(log.name).read_text()
            assert time.monotonic() < end
            time.sleep(0.1)

    start("--head", "--port", str(port), "--include-dashboard", "false")
    first = set(processes(tmp_path, "raylet/raylet"))
    start("--address", f"127.0.0.1:{port}")
    (second,) = set(processes(tmp_path, "raylet/raylet")) - first
    yield f"127.0.0.1:{port}", token, second
    for node in reversed(started):
        node.terminate()
        node.wait(timeout=60)


def test_a_worker_and_a_machine_of_a_cluster_are_killed(study, cluster, undisturbed, tmp_path):
    address, token, second = cluster
    out = tmp_path / "out"
    process = study(*WORDS, "--address", address, **token)
    wait_until(lambda: len(processes(tmp_path, "ray::execute")) == 2 and trainings(out) >= 2, process)
    os.kill(processes(tmp_path, "ray::execute")[0], signal.SIGKILL)
    wait_until(lambda: len(read_results(out)[0]) >= 2, process)
    os.kill(second, signal.SIGKILL)
    assert "8 of 8 runs are finished" in completed(process)
    assert table(out) == undisturbed


def test_a_driver_of_a_cluster_is_killed(study, cluster, undisturbed, tmp_path):
    address, token, _ = cluster
    out = tmp_path / "out"
    process = study(*WORDS, "--address", address, **token)
    wait_until(lambda: len(read_results(out)[0]) >= 1 and len(processes(tmp_path, "ray::execute")) == 2, process)
    process.kill()
    process.communicate()
    assert "8 of 8 runs are finished" in completed(study(*WORDS, "--address", address, **token))
    assert table(out) == undisturbed


def test_a_real_study_killed_on_the_way_ends_with_the_same_figures(study, tmp_path):
    real = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    words = ["--sizes", 2, "--arms", "none", "early", "--epochs", 6]
    learned = ["--set", "image_size=[16,16,16]", "val_interval=2", "psd_interval=99"]
    completed(study(*words, *learned, output_dir=tmp_path / "whole", **real), seconds=600)
    whole = table(tmp_path / "whole")
    assert len(whole) == 2
    for _, cases, validation, _ in whole.values():
        assert len(cases) == 4
        assert {"dice_left_atrium", "hd95_mm_left_atrium"} < set(cases[0])
        assert validation["epochs"] == [2, 4, 6]
    out = tmp_path / "out"
    process = study(*words, *learned, **real)
    wait_until(lambda: any(out.glob("runs/heart_fd/*/**/last.pt")), process, seconds=300)
    orphans = processes(tmp_path, "ray::execute")
    process.kill()
    process.communicate()
    process = study(*words, *learned, **real)
    wait_until(lambda: len(set(processes(tmp_path, "ray::execute")) - set(orphans)) == 2, process, seconds=300)
    time.sleep(3)
    os.kill((set(processes(tmp_path, "ray::execute")) - set(orphans)).pop(), signal.SIGKILL)
    completed(process, seconds=600)
    assert table(out) == whole
