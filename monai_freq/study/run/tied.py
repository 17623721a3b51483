"""A process that does not outlive the one that starts it, and how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from resource import struct_rusage  # not on Windows

__all__ = ["Ended", "ended", "finish", "start_tied"]

#: Starts a command that the kernel ends with its parent, however that ends: nobody goes on writing into a folder that
#: the next worker uses. A program of its own, as code between fork and exec could hang in a process with threads.
_TIED = """
import ctypes, os, signal, sys
getattr(ctypes.CDLL(None), "prctl", lambda *_: None)(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Ended(NamedTuple):
    """How a process ended.

    Args:
        status: its exit status; that of a signal is negative.
        peak: its peak memory in bytes.

    Example:
        >>> Ended(-9, 2**30).status
        -9
    """

    status: int
    peak: int


def start_tied(command: Sequence[str], environment: Mapping[str, str], **files: Any) -> subprocess.Popen[bytes]:
    """Start a command in a group of processes of its own, which the kernel ends with this thread.

    Where there is no ``prctl``, as on macOS, it can outlive a parent that is killed.

    Args:
        command: program and its words.
        environment: all variables of the process.
        files: ``stdin``, ``stdout``, ``stderr`` and ``pass_fds`` of :class:`subprocess.Popen`.

    Raises:
        OSError: there is no room for another process.

    Example:
        >>> finish(start_tied([sys.executable, "-c", "raise SystemExit(3)"], os.environ)).status
        3
    """
    tied = [sys.executable, "-ISc", _TIED, str(os.getpid()), *command]
    return subprocess.Popen(tied, env=environment, start_new_session=True, **files)


def finish(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for the end of a process, which does not outlive an interruption.

    Args:
        process: process from :func:`start_tied`.

    Example:
        >>> finish(start_tied([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], os.environ)).status
        -9
    """
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    end = ended(status, usage)
    process.returncode = end.status
    return end


def ended(status: int, usage: struct_rusage) -> Ended:
    """How a process ended, in the words of :func:`os.wait4`.

    Args:
        status: status that the system gives.
        usage: resources that the process has used.

    Example:
        >>> process = start_tied([sys.executable, "-c", "raise SystemExit(3)"], os.environ)
        >>> ended(*os.wait4(process.pid, 0)[1:]).status
        3
        >>> process.returncode = 3
    """
    return Ended(os.waitstatus_to_exitcode(status), usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
