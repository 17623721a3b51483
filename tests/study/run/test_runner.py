"""A study: what stops it before it starts, how many runs are made at the same time, and which wait for which."""

import os
import socket
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from monai_freq.errors import UsageError
from monai_freq.study.__main__ import main
from monai_freq.study.run import runner
from monai_freq.study.run.execute import result_of
from monai_freq.study.run.plan import parse_source, plan, plan_pretraining, plan_transfers
from monai_freq.study.run.results import asked_for, read_result, read_results, write_result
from monai_freq.study.run.runner import run_study

TARGETS = {"lodopab_transfer": "bundles/lodopab_transfer"}
PRETRAINER = ("source_pretrain", "bundles/source_pretrain")


class Unhurried:
    """In place of Ray: each wait ends the run that was started first, and notes which there were."""

    def __init__(self, *failing):
        self.failing, self.started, self.pending = failing, {}, []

    def remote(self, **_):
        return lambda execute: SimpleNamespace(remote=self.start)

    def start(self, run, setup):
        self.started[run.name] = run
        return run.name

    def wait(self, pending, timeout):
        self.pending.append(pending)
        return pending[:1], pending[1:]

    def get(self, name):
        status = "failed" if name in self.failing else "finished"
        return result_of(self.started[name], status=status, recorded={"dataset_dir": None})


@pytest.fixture
def pretend(monkeypatch):
    """Let runs be made by an :class:`Unhurried`, in which some fail."""

    def begin(*failing):
        ray = Unhurried(*failing)
        monkeypatch.setattr(runner, "_import_ray", lambda: ray)
        monkeypatch.setattr(runner, "_cluster", lambda *_: nullcontext())
        monkeypatch.setattr(runner, "Look", lambda runs: nullcontext(SimpleNamespace(fitted=lambda: runs, examples={})))
        return ray

    return begin


def transfer(words=("random", "imagenet", "radimagenet")):
    sources = [parse_source(word) for word in words]
    artifacts = {"lodopab_transfer": ["photon_noise"]}
    pretraining = plan_pretraining(sources, PRETRAINER)
    return plan_transfers(sources, pretraining, TARGETS, artifacts=artifacts, fractions=[0, 1], folds=1)


def test_nothing_missing_starts_nothing(heart, tmp_path):
    runs = plan({"heart_fd": str(heart)}, arms=["none"])
    write_result(tmp_path, result_of(runs[0], status="finished", recorded={"dataset_dir": None}))
    assert run_study(runs, tmp_path, address="10.255.255.1:1") == []  # no cluster is asked for


@pytest.mark.parametrize(("words", "most"), [(["--at_once", "1"], 1), (["--at_once", "2"], 2), ([], 5)])
def test_no_more_runs_at_once_than_asked_for(heart, tmp_path, pretend, words, most):
    ray = pretend()
    words = ["--arms", "none", "--draws", "5", *words]
    assert main(["run", str(heart), *words, "--output_dir", str(tmp_path)]) == 0
    assert len(ray.started) == len(ray.pending) == 5
    assert max(map(len, ray.pending)) == most


@pytest.mark.parametrize("at_once", [None, 1, 3])
def test_nothing_starts_before_the_run_whose_weights_it_starts_from(tmp_path, pretend, at_once):
    ray, runs = pretend(), transfer()
    results = run_study(runs, tmp_path, at_once=at_once)
    assert len(results) == len(ray.started) == 2 + 3 * 2
    assert set(asked_for(tmp_path)) == set(ray.started)
    ended = [result.name for result in results]
    for run in runs:
        if run.after is not None:
            assert ended.index(run.after.name) < ended.index(run.name)
            assert all(run.name not in some for some in ray.pending if run.after.name in some)
    assert {result.status for result in read_results(tmp_path)[0]} == {"finished"}
    assert run_study(runs, tmp_path) == []


def test_what_starts_from_a_run_that_failed_fails_and_is_made_with_it_later(tmp_path, pretend, capsys):
    first, _ = {run.after.name: None for run in transfer() if run.after}
    ray = pretend(first)
    results = {result.name: result for result in run_study(transfer(), tmp_path)}
    held_up = [run.name for run in transfer() if run.after and run.after.name == first]
    assert len(held_up) == 2
    assert set(ray.started) == results.keys() - set(held_up)
    assert {name for name, result in results.items() if not result.finished} == {first, *held_up}
    error = f"It was not started: {first}, whose weights it starts from, has failed."
    assert {results[name].error for name in held_up} == {error}
    assert capsys.readouterr().err.count("failed:\n") == 1  # a message for each run that failed by itself
    assert {one.name for one in read_results(tmp_path)[0] if one.finished} == results.keys() - {first, *held_up}
    pretend()
    again = run_study(transfer(), tmp_path)
    assert [result.name for result in again] == [first, *held_up]
    assert all(result.finished for result in again)


def test_weights_that_are_there_are_not_trained_again(tmp_path, pretend):
    ray = pretend()
    pretraining = plan_pretraining([parse_source("imagenet")], PRETRAINER)
    assert len(run_study(pretraining, tmp_path)) == 1
    assert len(run_study(transfer(["imagenet"]), tmp_path)) == 2
    assert len(ray.started) == 3


def test_an_output_folder_that_cannot_be_written_to(heart, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match=r"out cannot be written to: .*\nChoose another --output_dir\."):
        run_study(plan({"heart_fd": str(heart)}), tmp_path / "out")


def test_without_ray_the_extra_is_named(heart, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'^A study needs Ray: pip install "monai_freq\[study\]"$'):
        run_study(plan({"heart_fd": str(heart)}), tmp_path)


def test_without_the_locks_of_unix_a_study_can_be_reported_on_but_not_run(heart, tmp_path, monkeypatch):
    code = "import sys; sys.modules['fcntl'] = None; import monai_freq.study.run.runner"
    subprocess.run([sys.executable, "-c", code], check=True)
    monkeypatch.delattr(os, "wait4")
    with pytest.raises(UsageError, match=r"cannot be run on Windows.*\n"):
        run_study(plan({"heart_fd": str(heart)}), tmp_path)


def test_the_command_answers_before_anything_large_is_imported():
    code = "import sys, monai_freq.study.__main__; print({'ray', 'torch', 'monai', 'matplotlib'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_an_address_where_nobody_is(heart, tmp_path):
    for address, says in (
        ("127.0.0.1:1", "Nothing answers at 127.0.0.1:1"),
        ("no.such.host.invalid:6379", "Nothing answers at no.such.host.invalid:6379"),
        ("127.0.0.1", "must be as in 10.0.0.1:6379"),
        ("127.0.0.1:70000", "Nothing answers"),
    ):
        with pytest.raises(UsageError, match=says) as refused:
            run_study(plan({"heart_fd": str(heart)}), tmp_path, address=address)
        assert len(str(refused.value).splitlines()) == 2
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_an_address_where_somebody_else_is(study):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _, complaint = study("--address", f"127.0.0.1:{silent.getsockname()[1]}").communicate(timeout=120)
    assert "is no Ray cluster" in complaint, complaint
    assert "Traceback" not in complaint


@pytest.mark.slow
def test_a_failing_run_is_reported_and_the_others_go_on(study, tmp_path):
    words = ["--sizes", 2, "--arms", "none", "early", "late", "--cpus", "0.5"]
    process = study(*words, PRETENDED_FAILURE="early 2")
    said, complained = process.communicate(timeout=300)
    assert process.returncode == 1, complained
    assert "2 of 3 runs are finished" in said, complained
    assert "n2_draw0_early_" in complained
    assert "RuntimeError: planted" in complained
    assert "log.txt" in complained
    assert "Traceback" not in complained
    results = map(read_result, (tmp_path / "out/results/heart_fd").iterdir())
    statuses = {result.settings["fusion"]: result.status for result in results}
    assert statuses == {"none": "finished", "early": "failed", "late": "finished"}
