"""The group of processes that a parallel network needs."""

import pytest
from ignite import distributed as idist
from torch import distributed


@pytest.fixture
def single_process_group(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    idist.sync()
    yield
    idist.finalize()  # ignite would go on asking a group that torch alone had destroyed
