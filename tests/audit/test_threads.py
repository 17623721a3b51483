"""Networks in several threads answer as in one, to the last bit, and keep no image of another thread."""

import threading
import time

import numpy as np
import pytest
import torch
from monai.networks.nets import resnet10
from torch import nn

from monai_freq.audit import AuditModel, Cases, load_model
from monai_freq.audit.model.kept_rows import case_rows
from monai_freq.audit.model.priority import priority
from monai_freq.audit.model.reliance import reliance
from monai_freq.audit.model.threads import in_threads, own_network
from monai_freq.audit.model.where import where

IMAGES = torch.randn(10, 1, 32, 32, generator=torch.Generator().manual_seed(0))
CASES = Cases.of_arrays(IMAGES, labels=[0, 1] * 5)


@pytest.fixture
def threads():
    """Sets the number of threads for the rest of a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


class Remembering(nn.Module):
    """A network that keeps what it saw last, as many do, and answers by that after a while."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen = None

    def forward(self, images):
        """The mean of what was seen."""
        self.seen = images
        time.sleep(0.005)
        return self.scale * self.seen.mean((2, 3))


def test_a_state_of_the_network_does_not_mix_images(threads):
    threads(3)
    network = Remembering()
    model = AuditModel(network, network=network, activation="sigmoid")
    rows = case_rows(CASES, lambda k, case: model.predict(case.load()[0][None])[0].numpy(), "t", {}, model=model)
    np.testing.assert_allclose(rows[:, 1], IMAGES.mean((1, 2, 3)).sigmoid().numpy(), rtol=1e-5)
    assert network.seen is None


def test_audits_do_not_depend_on_the_number_of_threads(threads):
    torch.manual_seed(0)
    network = resnet10(spatial_dims=2, n_input_channels=1, num_classes=2, widen_factor=0.125)
    model, found = load_model(network), []
    for number in (1, 3):
        threads(number)
        relied = reliance(model, CASES, kinds=("remove", "low-pass"), n_resamples=20, progress=False)
        found.append((relied, priority(model, CASES, n_resamples=20, progress=False), where(model, CASES[:3])))
        assert torch.get_num_threads() == number
    assert repr(found[0]) == repr(found[1])


def test_each_thread_has_one_copy_and_one_thread_of_its_own(threads):
    threads(2)
    network = nn.Linear(2, 2)
    model, barrier = AuditModel(network, network=network), threading.Barrier(2, timeout=30)

    def look(place):
        barrier.wait()
        return threading.get_ident(), id(own_network(model)[0]), torch.get_num_threads()

    seen = list(in_threads(look, range(6), model))
    assert {one[2] for one in seen} == {1}
    assert len({one[0] for one in seen}) == 2
    assert len({one[:2] for one in seen}) == 2  # a thread keeps its copy
    assert id(network) not in {one[1] for one in seen}


@pytest.mark.parametrize("model", [None, AuditModel(lambda x: x, network=nn.Identity()), AuditModel(nn.Identity())])
def test_what_cannot_be_copied_is_asked_by_this_thread(model):
    assert set(in_threads(lambda place: threading.get_ident(), range(3), model)) == {threading.get_ident()}


def test_an_error_ends_all(threads):
    threads(2)
    network, begun = nn.Identity(), []

    def fail(place):
        begun.append(place)
        time.sleep(0.01)
        raise ValueError(f"case {place}")

    with pytest.raises(ValueError, match="case 0"):
        list(in_threads(fail, range(100), AuditModel(network, network=network)))
    assert len(begun) < 100
    assert torch.get_num_threads() == 2
