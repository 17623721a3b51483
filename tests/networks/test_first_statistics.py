"""How far the first BatchNorm is from what images give: the divergence of normal distributions, filter by filter."""

import math

import pytest
import torch
from monai.networks.nets import DenseNet121, UNet, resnet18
from torch import nn
from torch.distributions import Normal, kl_divergence

from monai_freq.networks import FrequencyFusion, first_misfit


def images(count=8, size=32, seed=0):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def seen(network, batch):
    """With the statistics of one batch."""
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.momentum = None
    network.train()(batch)
    return network


def test_it_is_the_divergence_of_the_filters_that_answer_to_a_constant():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.randn(8, 1, 3, 3) + torch.arange(8.0)[:, None, None, None])
        network[1].running_mean.copy_(torch.randn(8))
        network[1].running_var.copy_(0.5 + torch.rand(8))
    values = network[0](images()).detach().transpose(0, 1).flatten(1).double()
    own = Normal(values.mean(1), values.std(1, correction=0))
    then = Normal(network[1].running_mean.double(), network[1].running_var.double().sqrt())
    weight = network[0].weight.detach().flatten(1)
    two = (weight.sum(1).abs() / weight.abs().sum(1)).topk(2).indices
    assert first_misfit(network, images()) == pytest.approx(float(kl_divergence(own, then)[two].median()), rel=1e-4)


@pytest.mark.parametrize("make", [resnet18, DenseNet121], ids=["resnet18", "densenet121"])
def test_what_a_network_has_seen_fits_and_another_scale_does_not(make):
    channels = {"n_input_channels": 1, "num_classes": 2} if make is resnet18 else {"in_channels": 1, "out_channels": 2}
    network = seen(make(spatial_dims=2, **channels), images())
    assert first_misfit(network, images(seed=1)) < 0.01
    assert first_misfit(network, 255 * images(seed=1)) > 1000
    assert first_misfit(network, (images(seed=1) - 0.5) / 0.5) > 0.5


def test_filters_that_are_switched_off_do_not_count():
    network = seen(resnet18(spatial_dims=2, n_input_channels=1), images())
    network.bn1.running_var[:20] = 1e-12
    assert first_misfit(network, images(seed=1)) < 0.01


def test_a_constant_image_is_finite():
    network = seen(resnet18(spatial_dims=2, n_input_channels=1), images())
    assert math.isfinite(first_misfit(network, torch.full((2, 1, 32, 32), 0.5)))


def test_no_statistics_no_answer():
    assert first_misfit(resnet18(spatial_dims=2, n_input_channels=1), images()) is None  # never trained
    assert first_misfit(UNet(2, 1, 2, (4, 8), (2,)), images()) is None  # instance normalisation
    assert first_misfit(nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False)), images()) is None


def test_networks_in_a_wrapper_and_volumes():
    backbone = UNet(3, 8, 2, (4, 8), (2,), norm="batch")
    volumes = torch.rand(2, 1, 16, 16, 16)
    network = seen(FrequencyFusion(backbone, 1, 2, fusion="early"), volumes)
    assert first_misfit(network, volumes) < 0.001


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training):
    network = seen(resnet18(spatial_dims=2, n_input_channels=1), images()).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    first_misfit(network, 3 * images())
    assert network.training == network.bn1.training == training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(part._forward_pre_hooks for part in network.modules())


def test_statistics_of_a_few_batches_are_not_judged():
    """They still hold the zeros and ones that they began with: .9^65 is more than .001, .9^66 less."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8))
    found = []
    for _ in range(66):
        network.train()(images())
        found.append(first_misfit(network, images()))
    assert found[:65] == [None] * 65
    assert found[65] < 0.01
