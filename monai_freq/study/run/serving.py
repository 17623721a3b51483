"""The server of a worker: a process that imports all libraries of a run, and forks for each bundle to run."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from ...json_files import parse_json
from .tied import ended

__all__ = ["serve"]

#: What nearly every run imports before it trains. That the list is complete matters to speed alone.
_LIBRARIES = (
    "monai.bundle",
    "monai.engines",
    "monai.handlers",
    "fire",
    "matplotlib.backends.backend_agg",
    "torch._dynamo",
    "torch.utils.tensorboard",
    "monai_freq.bundle.begin",
    "monai_freq.bundle.classification",
    "monai_freq.bundle.segmentation",
    "monai_freq.handlers",
    "monai_freq.losses",
    "monai_freq.seeding.epoch_seed",
    "monai_freq.seeding.seeded_dataset",
)
#: bytes of the longest command
_LONGEST = 2**20


def serve() -> None:
    """Fork for each command that comes through the socket in standard input; in a fork, return when its bundle has run.

    A fork is like a new process: chance, words, output, group and exit status are its own, it ends with the server, and
    it takes the way to its end that any program takes.
    """
    channel = socket.socket(fileno=os.dup(0))
    _import_libraries()
    gc.collect()
    gc.freeze()  # forks share what is there, as long as nobody counts it
    while True:
        command, files, *_ = socket.recv_fds(channel, _LONGEST, 2)
        if not command or threading.active_count() > 1:  # nobody asks, or a fork could hang
            return
        server = os.getpid()
        run = os.fork()
        if not run:
            channel.close()
            _become(parse_json(command.decode()), server, *files)
            return
        for file in files:
            os.close(file)
        channel.send(json.dumps(run).encode())
        _, status, usage = os.wait4(run, 0)
        channel.send(json.dumps(ended(status, usage)).encode())


def _import_libraries() -> None:
    """What cannot be imported fails in the run that needs it, and in its log."""
    with suppress(Exception):
        for name in _LIBRARIES:
            import_module(name)
    sys.stdout.flush()
    sys.stderr.flush()


def _become(words: Sequence[str], server: int, log: int, lock: int) -> None:
    """Run ``python -m monai.bundle`` with these words, in a fork of a server."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != server:
        os._exit(1)
    os.setsid()
    os.write(log, os.pread(1, _LONGEST, 0))  # what an import has said belongs to each log
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.set_inheritable(lock, True)
    _shuffle()
    sys.argv = ["monai.bundle", *words]
    sys.orig_argv = [sys.executable, "-m", *sys.argv]
    if sys.path[0] == "":  # of a program in a string; a module's is the working directory
        sys.path[0] = os.getcwd()
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)


def _shuffle() -> None:
    """Chance that nobody seeds is another one in each process; Python's own knows of forks."""
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed()  # noqa: NPY002
    if "torch" in sys.modules:
        import torch

        torch.default_generator.seed()
    if "monai.transforms" in sys.modules:
        from monai.transforms import Randomizable

        Randomizable.R.seed()
