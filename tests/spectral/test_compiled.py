"""Kernels: compiled on first use, kept on disk where that is possible, on any number of threads, in any process."""

import logging
import os
import subprocess
import sys
import threading

import pytest
import torch

from monai_freq.spectral import compiled
from monai_freq.spectral.compiled import Kernel, arrays, side_by_side

KERNELS = """
from monai_freq.spectral.compiled import compiled

@compiled()
def scaled(x, factor):
    return factor * x

@compiled()
def scale(x, factor):
    for i in range(len(x)):
        x[i] = scaled(x[i], factor)
"""
RUN = """
import torch, some_kernels
from monai_freq.spectral.compiled import arrays

def run():
    x = torch.arange(3.0)
    some_kernels.scale(*arrays(x), 2.0)
    assert x.tolist() == [0, 2, 4]
    return sum(some_kernels.scale._dispatcher.stats.cache_hits.values())
"""


@pytest.fixture
def anew(tmp_path, monkeypatch):
    """Call kernels as a new process would, and count the codes that it found on disk."""
    import numba

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    (tmp_path / "some_kernels.py").write_text(KERNELS)

    def called():
        sys.modules.pop("some_kernels", None)
        names = {}
        exec(RUN, names)
        return names["run"]()

    yield called
    sys.modules.pop("some_kernels", None)


def start(tmp_path, code):
    """Start a process that keeps its code in a folder."""
    (tmp_path / "some_kernels.py").write_text(KERNELS)
    paths = os.pathsep.join(path for path in (str(tmp_path), os.getcwd(), *sys.path) if path)
    environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-W", "error", "-c", RUN + code], env=environment, **streams)


def printed(process):
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out.strip()


def fresh(offset):
    """A kernel that no other test has compiled."""

    def moved(x):
        for i in range(len(x)):
            x[i] += offset

    return Kernel(moved)


def test_code_is_kept_and_found_again(anew, tmp_path):
    assert [anew(), anew()] == [0, 1]
    assert {path.suffix for path in (tmp_path / "kept").rglob("*.nb*")} == {".nbi", ".nbc"}


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_damaged_code_is_compiled_anew(anew, kind, tmp_path):
    anew()
    for path in (tmp_path / "kept").rglob(f"*.{kind}"):
        path.write_bytes(b"no code")
    assert anew() == 0
    assert not list(tmp_path.rglob("*.tmp.*"))


@pytest.mark.parametrize("place", ["/proc/none", "{}/some_kernels.py", "{}/some_kernels.py/below"])
def test_a_folder_that_cannot_be_made(place, anew, tmp_path, monkeypatch):
    import numba
    from numba.core.caching import CacheImpl, UserProvidedCacheLocator

    monkeypatch.setattr(numba.config, "CACHE_DIR", place.format(tmp_path))
    monkeypatch.setattr(CacheImpl, "_locator_classes", [UserProvidedCacheLocator])  # and no other place
    assert [anew(), anew()] == [0, 0]


def test_processes_that_compile_at_the_same_time(anew, tmp_path):
    for process in [start(tmp_path, "print(run())") for _ in range(2)]:
        assert printed(process) in ("0", "1")
    assert anew() == 1


@pytest.mark.parametrize("method", ["__init__", "load_overload", "save_overload"])
def test_no_error_of_the_cache_is_seen(method, monkeypatch):
    from numba.core.caching import FunctionCache

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(FunctionCache, method, refuse)
    x = torch.zeros(2)
    fresh(len(method))(*arrays(x))
    assert x.tolist() == [len(method)] * 2


def test_an_import_imports_no_numba(tmp_path):
    modules = "monai_freq.spectral.compiled, monai_freq.spectral.nonlocal_means, monai_freq.transforms"
    code = f"import sys, {modules}; print('numba' in sys.modules, some_kernels.scale, sep='\\n')"
    assert printed(start(tmp_path, code)).splitlines()[0] == "False"


def test_each_type_is_computed_in_itself():
    for dtype in (torch.float32, torch.float64, torch.int64):
        x = torch.zeros(2, dtype=dtype)
        move = fresh(2.0)
        move(*arrays(x))
        assert x.tolist() == [2, 2]


def test_arrays_share_memory_and_must_be_contiguous():
    x = torch.zeros(2, 3, requires_grad=True)
    arrays(x)[0][:] = 1
    assert x.eq(1).all()
    with pytest.raises(ValueError, match=r"'tensors' must be contiguous, got strides \(1, 3\): pass x.contiguous"):
        arrays(x.T)


class AtOnce:
    """Timer that does not wait."""

    def __init__(self, seconds, call):
        assert seconds == compiled._PATIENCE > 0
        self.start, self.cancel = call, lambda: None


@pytest.fixture
def impatient(monkeypatch):
    """No time is quick: whether a thread is faster than a compilation is left to chance otherwise."""
    monkeypatch.setattr(compiled.threading, "Timer", AtOnce)
    compiled._tell.cache_clear()
    yield
    compiled._tell.cache_clear()


def test_a_user_is_told_once(impatient, caplog):
    for offset in (3.0, 4.0):
        fresh(offset)(*arrays(torch.zeros(2)))
    assert [record.message[:31] for record in caplog.records] == ["Compiling loops for this proces"]


@pytest.mark.parametrize(("worker", "lines"), [(0, 1), (1, 0)])
def test_one_worker_of_a_loader_tells(worker, lines, impatient, caplog, monkeypatch):
    monkeypatch.setattr(compiled, "get_worker_info", lambda: type("Info", (), {"id": worker}))
    fresh(5.0 + worker)(*arrays(torch.zeros(2)))
    assert len(caplog.records) == lines


def test_nobody_is_told_of_what_is_quick(caplog):
    caplog.set_level(logging.WARNING)
    move, x = fresh(0.5), torch.zeros(2)
    for _ in range(3):
        move(*arrays(x))
    assert x.tolist() == [1.5, 1.5]
    assert len(caplog.records) <= 1


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("most", [None, 0, 2, 9])
def test_calls_are_made_once_each(threads, most):
    made, names = [], set()

    def call(i):
        made.append(i)
        names.add(threading.current_thread().name)

    torch.set_num_threads(threads)
    try:
        side_by_side([lambda i=i: call(i) for i in range(7)], most)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    assert sorted(made) == list(range(7))
    assert len(names) <= threads
    side_by_side([])


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_thread_is_seen(threads):
    torch.set_num_threads(threads)
    try:
        with pytest.raises(ZeroDivisionError):
            side_by_side([lambda: None, lambda: 1 / 0, lambda: None])
    finally:
        torch.set_num_threads(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_during_a_compilation(tmp_path):
    code = """
import os, threading
thread = threading.Thread(target=run)
thread.start()
while not some_kernels.scale._dispatcher.is_compiling and thread.is_alive():
    pass
child = os.fork()
if not child:
    run()
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""
    printed(start(tmp_path, code))
