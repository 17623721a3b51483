"""One run, from any state of its folder to its result."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from processes import alive, wait_until

from monai_freq.study.run import execute as execution
from monai_freq.study.run.evaluations import read_cases
from monai_freq.study.run.execute import Setup, _last_lines, execute
from monai_freq.study.run.results import read_result, result_file
from monai_freq.study.run.spec import Run

#: fingerprint of the ``train.json`` of the first version of heart_fd
EARLIER = "a41cd7a1568417abe8c2c119908f232e383b6098ad7dc8c2e409cef151fc653c"


@pytest.fixture
def run(heart):
    settings = {"fusion": "early", "train_size": 3, "draw": 0, "seed": 0}
    return Run(bundle="heart_fd", folder=str(heart), settings=settings, given={"epochs": 4})


@pytest.fixture(params=["forked", "new"])
def way(request, monkeypatch):
    """Both ways in which a process of a run begins: a fork of one that has the libraries, and a new one."""
    if request.param == "new":
        monkeypatch.setattr(execution, "run_forked", lambda *_: None)
    return request.param


@pytest.fixture
def setup(tmp_path, pretended):
    return Setup(str(tmp_path / "out"), environment=pretended)


def folder_of(run, setup):
    return Path(setup.output_dir) / "runs" / run.name


def state_of(run, setup):
    return json.loads((folder_of(run, setup) / "models/last.pt").read_text())


def with_environment(setup, **more):
    return setup._replace(environment={**setup.environment, **more})


def clock(monkeypatch, *ticks: float) -> None:
    """Let the trainings and evaluations begin and end at these moments, and each attempt at 1000."""
    clocks = {"perf_counter": iter(ticks).__next__, "time": lambda: 1000.0, "strftime": time.strftime}
    monkeypatch.setattr(execution, "time", SimpleNamespace(**clocks))


def script(run, setup, way="forked"):
    """Another process that makes a run."""
    code = ["from monai_freq.study.run import execute as execution", "from monai_freq.study.run.spec import Run"]
    code += ["execution.run_forked = lambda *_: None"] if way == "new" else []
    code += ["Setup = execution.Setup", f"execution.execute({run!r}, {setup!r})"]
    return subprocess.Popen([sys.executable, "-c", "\n".join(code)], stderr=subprocess.DEVNULL)


def test_a_run_is_trained_and_evaluated_into_its_result(run, setup, way, monkeypatch):
    clock(monkeypatch, 10, 13, 20, 21)
    result = execute(run, setup._replace(git_commit="abc"))
    assert result == read_result(result_file(setup.output_dir, run.name))
    assert result.finished
    assert result.cases == [
        {"case": "la_001", "dice_left_atrium": 0.015},
        {"case": "la_002", "dice_left_atrium": 0.0075},
    ]
    assert result.validation == {"epochs": [1, 2, 3, 4], "val_mean_dice": [0.001, 0.003, 0.006, 0.01]}
    assert result.seconds == {"train": 3, "evaluate": 1}
    assert result.peak_memory_bytes > 2**20
    assert result.recorded["train_size"] == "3"
    assert result.git_commit == "abc"
    assert set(result.versions) == {"monai_freq", "torch", "monai", "python", "bundle"}
    metadata = json.loads((Path(run.folder) / "configs/metadata.json").read_text())
    assert result.versions["bundle"] == metadata["version"]
    log = (folder_of(run, setup) / "log.txt").read_text()
    assert "Training" in log
    assert log.count(f"--bundle_root {run.folder}") == 2


def test_a_setting_may_be_none(run, setup):
    """MONAI leaves out an option whose value is None."""
    result = execute(replace(run, given={"epochs": 4, "train_size": None}), setup)
    assert result.recorded["train_size"] == "$None"


def test_a_result_knows_the_files_that_it_was_made_with(run, setup):
    assert execute(run, setup).configs == run.fingerprint("train", "evaluate")


def test_a_finished_run_is_not_made_again(run, setup):
    first = execute(run, setup)
    assert execute(run, with_environment(setup, PRETENDED_FAILURE="early 1")) == first


def test_the_bundle_gets_its_cpus_as_threads_and_no_gpu_unless_asked(run, setup, way):
    execute(run, setup._replace(cpus=2.5))
    assert json.loads((folder_of(run, setup) / "settings.json").read_text())["threads"] == "2"
    assert Setup("", cpus=0.5).threads == 1


def test_a_failure_is_a_result_with_the_end_of_the_log(run, setup, way):
    result = execute(run, with_environment(setup, PRETENDED_FAILURE="early 3"))
    assert result.status == "failed"
    assert result.error.splitlines()[-3:] == [" 50%", "RuntimeError: planted", "train ended with status 3"]
    assert result.validation["epochs"] == [1, 2]
    assert read_result(result_file(setup.output_dir, run.name)) == result
    again = execute(run, setup)
    assert again.finished
    assert state_of(run, setup)["starts"] == [0, 2]  # what it had done is kept


def test_a_half_finished_run_continues_with_the_same_settings_and_no_others(run, setup):
    undisturbed = execute(run, setup._replace(output_dir=f"{setup.output_dir}_whole"))
    execute(run, with_environment(setup, PRETENDED_FAILURE="early 3"))
    longer = replace(run, given={"epochs": 5})  # as when the bundle's own setting has been edited
    assert execute(longer, setup).finished
    assert state_of(run, setup)["starts"] == [0]
    result_file(setup.output_dir, run.name).unlink()
    execute(run, with_environment(setup, PRETENDED_FAILURE="early 3"))
    result = execute(run, setup)
    assert state_of(run, setup)["starts"] == [0, 2]
    assert (result.cases, result.validation) == (undisturbed.cases, undisturbed.validation)


def test_a_half_finished_run_of_an_earlier_version_continues(run, setup):
    execute(run, with_environment(setup, PRETENDED_FAILURE="early 3"))
    record = folder_of(run, setup) / "run.json"
    now = json.loads(record.read_text())
    assert now["made_with"]["settings"] == {**run.settings, **run.given}
    made_with = {"size": 3, "draw": 0, "seed": 0, "arm": "early", "dataset_dir": None, "changes": {"epochs": 4}}
    made_with |= {"configs": EARLIER, "versions": now["made_with"]["versions"]}
    record.write_text(json.dumps(now | {"made_with": made_with}))
    assert execute(run, setup).finished
    assert state_of(run, setup)["starts"] == [0, 2]


def test_a_broken_checkpoint_stops_a_run_once_only(run, setup):
    execute(run, with_environment(setup, PRETENDED_FAILURE="early 3"))
    (folder_of(run, setup) / "models/last.pt").write_text('{"epoch": -1}')
    result = execute(run, setup)
    assert result.finished
    assert state_of(run, setup)["starts"] == [0]
    assert result.validation["epochs"] == [1, 2, 3, 4]


def test_the_seconds_of_a_continued_training_are_those_of_all_its_parts(run, setup, monkeypatch):
    clock(monkeypatch, 0, 50, 60, 63, 70, 71)
    execute(run, with_environment(setup, PRETENDED_FAILURE="early 3"))
    os.utime(folder_of(run, setup) / "models/last.pt", (1040, 1040))  # what came after the checkpoint is done again
    assert execute(run, setup).seconds == {"train": 40 + 3, "evaluate": 1}


@pytest.mark.parametrize("round_", range(3))
def test_a_training_ends_with_its_worker_and_the_next_worker_continues_it(run, setup, way, round_):
    slow = with_environment(setup, PRETENDED_EPOCH="0.3")
    worker = script(run, slow, way)
    try:
        wait_until((folder_of(run, setup) / "models/last.pt").exists)
        time.sleep(0.17 * round_)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    training = int((folder_of(run, setup) / "pids").read_text().split()[0])
    result = execute(run, setup)  # waits for the lock that the orphan holds
    assert not alive(training)
    assert result.finished
    assert len(state_of(run, setup)["starts"]) == 2
    assert state_of(run, setup)["weight"] == 10
    assert result.validation == {"epochs": [1, 2, 3, 4], "val_mean_dice": [0.001, 0.003, 0.006, 0.01]}


def test_two_workers_make_one_run_once(run, setup, way):
    slow = with_environment(setup, PRETENDED_EPOCH="0.3")
    worker = script(run, slow, way)
    wait_until((folder_of(run, setup) / "models/last.pt").exists)
    result = execute(run, slow)
    assert worker.wait() == 0
    assert state_of(run, setup)["starts"] == [0]
    assert len((folder_of(run, setup) / "pids").read_text().split()) == 2  # a training and an evaluation
    assert result == read_result(result_file(setup.output_dir, run.name))


def test_an_interrupted_worker_takes_its_training_with_it(run, setup, way):
    worker = script(run, with_environment(setup, PRETENDED_EPOCH="60"), way)
    pids = folder_of(run, setup) / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    worker.send_signal(signal.SIGINT)
    assert worker.wait() != 0
    wait_until(lambda: not alive(int(pids.read_text())))
    assert not result_file(setup.output_dir, run.name).exists()


def test_a_process_killed_from_outside_is_a_failure(run, setup, way):
    slow = with_environment(setup, PRETENDED_EPOCH="60")
    worker = script(run, slow, way)
    pids = folder_of(run, setup) / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    os.kill(int(pids.read_text()), signal.SIGKILL)  # as the kernel does when memory is short
    assert worker.wait() == 0
    assert "train ended by signal 9" in read_result(result_file(setup.output_dir, run.name)).error


def test_an_evaluation_that_cannot_be_read_is_a_failure(run, setup, monkeypatch):
    def cut(file):
        file.write_text("case,dice_left_atrium\nla_001\n")
        return read_cases(file)

    monkeypatch.setattr(execution, "read_cases", cut)
    result = execute(run, setup)
    assert result.status == "failed"
    assert "cases.csv is no table of test cases: " in result.error
    assert read_result(result_file(setup.output_dir, run.name)) == result


def test_the_end_of_a_log_is_short(tmp_path):
    log = tmp_path / "log.txt"
    log.write_bytes(b"x" * 10**6 + b"\nearlier\n" + "".join(f"line {n}\n" for n in range(100)).encode() + b"\xff\n")
    assert _last_lines(log).splitlines() == [f"line {n}" for n in range(86, 100)] + ["�"]
    assert max(map(len, _last_lines(log, lines=200).splitlines())) <= 500
    assert _last_lines(log, begin=log.stat().st_size) == ""
