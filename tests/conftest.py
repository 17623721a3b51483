"""Settings that every test shares."""

import pytest
import torch

torch.set_num_threads(1)  # pytest runs one process a core: intra-op threads would only contend


@pytest.fixture(autouse=True)
def _device(request, monkeypatch):
    """A GPU for the tests that are marked cuda; none for the others, which are the same on every machine."""
    marked, available = request.node.get_closest_marker("cuda"), torch.cuda.is_available()
    if marked and not available:
        pytest.skip("needs a CUDA device")
    if available and not marked:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
