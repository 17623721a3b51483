"""Forks that run bundles: like new processes, gone with whoever started them, and harmless to those that follow."""

import json
import os
import signal
import sys
import tempfile
import threading

import pytest
from processes import alive, wait_until

from monai_freq.study.run import forked
from monai_freq.study.run.forked import run_forked
from monai_freq.study.run.tied import Ended, finish, start_tied

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a fork with its parent")

#: what a program can know of its process, and what must be another one in each
TOLD = """
import json, os, random, signal, sys, warnings
import numpy as np
told = {
    "words": [sys.argv[1:], sys.orig_argv[1:]], "name": __name__, "spec": sys.modules["__main__"].__spec__.name,
    "place": [os.getcwd(), sys.path], "environment": dict(os.environ), "files": sorted(os.listdir("/proc/self/fd")),
    "input": sys.stdin.read(), "buffered": [sys.stdout.line_buffering, sys.stderr.line_buffering],
    "handlers": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "leads": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()], "filters": len(warnings.filters),
}
told["environment"].pop("LC_CTYPE", None)
chance = [random.random(), np.random.random(), os.getpid()]
print(json.dumps([told, chance]), flush=True)
"""
#: what MONAI, torch, matplotlib and the warnings of a process have at the beginning of a run, but for chance
LIBRARIES = """
import json, logging, threading, warnings, matplotlib, monai, torch
loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
told = {
    "seed": str(monai.utils.get_seed()),
    "threads": [torch.get_num_threads(), torch.get_num_interop_threads(), threading.active_count()],
    "types": [str(torch.get_default_dtype()), torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()],
    "warnings": [str(one) for one in warnings.filters], "figures": [matplotlib.get_backend(), *matplotlib.rcParams],
    "handlers": [logging.root.level, str(logging.root.handlers)],
    "loggers": sorted([one.name, one.level, len(one.handlers), len(one.filters)] for one in loggers if one.handlers),
}
print(json.dumps([told, [float(monai.transforms.Randomizable.R.rand()), float(torch.rand(1)), torch.initial_seed()]]))
"""
#: ways to end -> status, and what the log must have
ENDS = {
    "sys.exit(3)": (3, ""),
    "sys.exit('no such data')": (1, "no such data\n"),
    "raise KeyError('planted')": (1, "KeyError: 'planted'\n"),
    "raise KeyboardInterrupt": (-signal.SIGINT, "KeyboardInterrupt\n"),
    "os._exit(7)": (7, ""),
    "os.kill(os.getpid(), signal.SIGSEGV)": (-signal.SIGSEGV, ""),
    "import atexit; atexit.register(print, 'the last words')": (0, "the last words\n"),
    "import threading; threading.Timer(0.2, print, ['of a thread']).start()": (0, "of a thread\n"),
}


@pytest.fixture
def run(tmp_path, instead_of_bundles):
    """Run a program as a bundle, in a fork or a new process; how it ended, and its log."""

    def start(program, way=run_forked, words=("run", "--epochs", "2"), **more):
        folder = tmp_path / "pretended"
        if not folder.exists():
            instead_of_bundles(folder, "import os; exec(open(os.environ['PROGRAM_FILE']).read())")
        (tmp_path / "program.py").write_text(program)
        path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": path, "PROGRAM_FILE": str(tmp_path / "program.py")} | more
        with tempfile.TemporaryFile() as log, (tmp_path / "lock").open("w") as lock:
            end = way(words, environment, log.fileno(), lock.fileno())
            return end, os.pread(log.fileno(), 10**6, 0).decode()

    return start


def new(words, environment, log, lock):
    command = [sys.executable, "-m", "monai.bundle", *words]
    return finish(start_tied(command, environment, stdin=-3, stdout=log, stderr=log, pass_fds=[lock]))


def test_a_fork_is_like_a_new_process(run):
    (_, first), (_, second), (_, fresh) = run(TOLD), run(TOLD), run(TOLD, way=new)
    (one, chance), (two, other_chance), (reference, _) = map(json.loads, (first, second, fresh))
    assert len(one.pop("files")) == len(two.pop("files")) == len(reference.pop("files"))
    assert one == two == reference
    assert all(drawn != other for drawn, other in zip(chance, other_chance, strict=True))


@pytest.mark.parametrize("program", ENDS)
def test_however_a_run_ends_its_log_is_whole_and_the_next_begins(run, program):
    status, said = ENDS[program]
    _, server = run("import os; print(os.getppid())")
    for way in (run_forked, new):
        end, log = run(f"import os, signal, sys; print('Training'); sys.stdout.flush(); {program}", way)
        assert end.status == status
        assert log.startswith("Training\n")
        assert log.endswith(said)
    assert run("import os; print(os.getppid())") == (Ended(0, pytest.approx(2**24, rel=1)), server)


def test_the_peak_is_that_of_the_run(run):
    small, large = (run(f"held = b'1' * {size}")[0].peak for size in (1, 2**27))
    assert 2**27 <= large - small + 2**23 < 2**28
    assert run("")[0].peak < large  # not of those before it


def test_other_variables_need_another_server(run):
    told = "import os; print(os.getppid(), os.environ.get('OMP_NUM_THREADS'))"
    (_, one), (_, same), (_, other) = (run(told, OMP_NUM_THREADS=threads) for threads in ("1", "1", "2"))
    assert one == same
    assert one.split()[0] != other.split()[0]
    assert other.split()[1] == "2"


def test_a_run_ends_with_its_server_and_is_not_begun_again(run):
    ended, log = run(
        "import os, signal, time; print(os.getpid(), flush=True); os.kill(os.getppid(), 9); time.sleep(60)"
    )
    assert ended == Ended(-signal.SIGKILL, 0)
    wait_until(lambda: not alive(int(log)))
    assert run("print('again')")[1] == "again\n"


def test_a_server_that_was_killed_in_between_is_replaced(run):
    _, server = run("import os; print(os.getppid())")
    os.kill(int(server), signal.SIGKILL)
    for _ in range(2):
        ended, another = run("import os; print(os.getppid())")
        if ended is not None:  # None where it was not seen yet that it is gone
            break
    assert ended.status == 0
    assert another != server


def test_what_an_import_says_is_in_each_log_and_what_it_raises_in_that_of_the_run(run, tmp_path):
    run("")
    imported = tmp_path / "pretended/instead/monai/__init__.py"
    imported.write_text("print('deprecated')")
    for _ in range(2):
        assert run("print('Training')", AFRESH="1")[1] == "deprecated\nTraining\n"
    imported.write_text("raise ImportError('no such symbol')")
    ended, log = run("print('Training')", AFRESH="2")
    assert ended.status == 1
    assert log.endswith("ImportError: no such symbol\n")


def test_nothing_is_forked_beside_threads(run, tmp_path):
    run("")
    imported = tmp_path / "pretended/instead/monai/__init__.py"
    imported.write_text("import threading, time; threading.Thread(target=time.sleep, args=[60], daemon=True).start()")
    assert run("print('Training')", AFRESH="1") == (None, "")


def test_elsewhere_than_on_linux_nothing_is_forked(run, monkeypatch):
    monkeypatch.setattr(forked.sys, "platform", "darwin")
    assert run("print('Training')") == (None, "")


def test_each_thread_has_a_server_of_its_own(run):
    logs = [run("import os; print(os.getppid())")[1]]
    thread = threading.Thread(target=lambda: logs.append(run("import os; print(os.getppid())")[1]))
    thread.start()
    thread.join()
    assert len(set(logs)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_libraries_of_a_fork_are_as_new(tmp_path, threads):
    (tmp_path / "program.py").write_text(LIBRARIES)
    config = {"program": str(tmp_path / "program.py"), "run": ["$exec(open(@program).read(), {})"]}
    (tmp_path / "tell.json").write_text(json.dumps(config))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    told, chance, said = [], [], []
    for way in (run_forked, run_forked, new):
        with tempfile.TemporaryFile() as log:
            words = ["run", "--config_file", str(tmp_path / "tell.json")]
            assert way(words, environment, log.fileno(), log.fileno()).status == 0
            lines = os.pread(log.fileno(), 10**6, 0).decode().splitlines()
        (line,) = (line for line in lines if line.startswith("[{"))
        said.append([line[24:] for line in lines if not line.startswith("[{")])  # without the time
        told.append(json.loads(line)[0])
        chance += json.loads(line)[1]
    assert told[0] == told[1] == told[2]
    assert said[0] == said[1] == said[2]
    assert len(set(chance)) == 9
