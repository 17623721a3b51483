"""The group of processes that a parallel network needs, and pictures that nobody looks at."""

import pytest
from ignite import distributed as idist
from torch import distributed

from monai_freq.figures import new_figure
from monai_freq.handlers import psd_history


@pytest.fixture
def single_process_group(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    idist.sync()
    yield
    idist.finalize()  # ignite would go on asking a group that torch alone had destroyed


@pytest.fixture
def undrawn(request, monkeypatch):
    """Pictures take nearly all the time of a log: they are drawn only for tests that ask for ``drawn``."""
    if "drawn" not in request.fixturenames:
        for name in ("density_curve", "density_map"):
            monkeypatch.setattr(psd_history, name, lambda *args, **settings: new_figure(0.1, 0.1, layout=None))
