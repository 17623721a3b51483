"""Settings of all tests."""

import faulthandler
import os
import tempfile
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # pytest runs one process on each core: more threads would contend for it
torch.set_warn_always(True)  # a warning given once a process would fail whichever test comes first

#: environment variable of the folder in which a worker that crashes leaves its traceback
CRASHES = "MONAI_FREQ_TEST_CRASHES"


@pytest.hookimpl(trylast=True)  # after pytest's own, which writes where xdist lets it get lost among the dots
def pytest_configure(config):
    """Let each worker of xdist keep the traceback of a crash."""
    folder = os.environ.setdefault(CRASHES, tempfile.mkdtemp())
    if hasattr(config, "workerinput"):
        config.crash_file = Path(folder, config.workerinput["workerid"]).open("w")  # noqa: SIM115 - as long as it lives
        faulthandler.enable(config.crash_file)


def pytest_terminal_summary(terminalreporter):
    """Show the tracebacks of the workers that crashed."""
    for file in sorted(Path(os.environ[CRASHES]).iterdir()):
        if text := file.read_text():
            terminalreporter.section(f"crash of {file.name}")
            terminalreporter.write_line("\n".join(text.splitlines()[:20]))


@pytest.fixture(autouse=True)
def _device(request, monkeypatch):
    """Hide the GPU from all tests but those marked cuda, so that they are the same on every machine."""
    marked, available = request.node.get_closest_marker("cuda"), torch.cuda.is_available()
    if marked and not available:
        pytest.skip("needs a CUDA device")
    if available and not marked:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def drawn():
    """Pictures are wanted, where a conftest leaves them out."""
