"""Bundles run by forks of a process that has imported all libraries: a run starts at once, as if it were new.

A worker makes many runs, and to import torch and MONAI takes longer than a short training. So the worker has one child,
the server, in which :mod:`~monai_freq.study.run.serving` imports them once and forks for each bundle to run.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...json_files import parse_json
from .tied import Ended, start_tied

__all__ = ["run_forked"]

_PROGRAM = "from monai_freq.study.run.serving import serve; serve()"
#: the server of each thread, with which the kernel ends it
_of_thread = threading.local()


def run_forked(words: Sequence[str], environment: Mapping[str, str], log: int, lock: int) -> Ended | None:
    """Run ``python -m monai.bundle`` in a fork of this thread's server.

    The run ends with the server, and the server with this thread.

    Args:
        words: words of the command after ``monai.bundle``.
        environment: all variables of the process; a server has those of its start, and others need another server.
        log: descriptor of the file for what the run says.
        lock: descriptor that the run holds until its end.

    Returns:
        How the run ended; None if it has not begun, as where there is no such server.

    Example:
        >>> from pathlib import Path
        >>> monai = Path(tempfile.mkdtemp(), "monai")  # one that does next to nothing
        >>> (monai / "bundle").mkdir(parents=True)
        >>> for name in ("__init__", "bundle/__init__", "bundle/__main__"):
        ...     _ = (monai / f"{name}.py").write_text("import sys; '__main__' in __name__ and sys.exit(3)")
        >>> with tempfile.TemporaryFile() as log:
        ...     run_forked(["run"], os.environ | {"PYTHONPATH": str(monai.parent)}, log.fileno(), log.fileno())
        Ended(status=3, peak=...)
    """
    if sys.platform != "linux":  # nowhere else does a fork end with its parent
        return None
    server: _Server | None = getattr(_of_thread, "server", None)
    if server is None or not server.serves(environment):
        if server is not None:
            server.end()
        server = _of_thread.server = _Server(environment)
    return server.run(words, log, lock)


class _Server:
    """The worker's end of a server.

    Args:
        environment: all variables of the server.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._owner = os.getpid()
        self._channel, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with channel, tempfile.TemporaryFile() as heard:
            files = {"stdin": channel, "stdout": heard, "stderr": heard}
            self._process = start_tied([sys.executable, "-c", _PROGRAM], environment, **files)
        atexit.register(self.end)

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Whether it is there, this process's own, and has these variables."""
        own = self._owner == os.getpid() and self._process.poll() is None
        return own and self._environment == dict(environment)

    def run(self, words: Sequence[str], log: int, lock: int) -> Ended | None:
        begun: int | None = None
        try:
            with suppress(ConnectionError):
                socket.send_fds(self._channel, [json.dumps(words).encode()], [log, lock])
                begun = int(self._answer())
                return Ended(*self._answer())
        except BaseException:
            self.end(begun)
            raise
        self.end(begun)
        # a run that has begun is not begun again, whoever has ended its server
        return None if begun is None else Ended(-signal.SIGKILL, 0)

    def _answer(self) -> Any:
        if not (answer := self._channel.recv(1000)):
            raise ConnectionResetError
        return parse_json(answer.decode())

    def end(self, run: int | None = None) -> None:
        """End it, and the run that it has begun."""
        atexit.unregister(self.end)
        self._channel.close()
        if self._owner == os.getpid():
            if run is not None:
                with suppress(ProcessLookupError):
                    os.killpg(run, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
