"""The fused network has what nnU-Net asks of a network, and its weights hold for their bands alone."""

import pytest
import torch
from planned_networks import planned_fusion

FUSIONS = ("none", "early", "late")
IMAGE = torch.randn(2, 1, 8, 16, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_deep_supervision_is_switched_in_the_planned_decoder(fusion):
    network = planned_fusion(fusion)
    several = network(IMAGE)
    assert [tuple(output.shape) for output in several] == [(2, 3, 8, 16, 24), (2, 3, 4, 8, 12)]
    network.decoder.deep_supervision = False
    alone = network(IMAGE)
    assert torch.equal(alone, several[0])
    assert network.decoder is network.fusion.backbone.decoder


def test_the_smaller_outputs_of_late_fusion_are_the_planned_networks():
    network = planned_fusion("late", theta=0.4)
    seen = []
    network.fusion.backbone.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    full, half = network(IMAGE)
    given, (planned_full, planned_half) = seen[0]
    assert torch.equal(half, planned_half)
    assert not torch.allclose(full, planned_full)
    network(torch.ones_like(IMAGE))
    of_constant, _ = seen[1]
    assert of_constant.abs().max() < 1e-4 < given.abs().max()  # a constant is low: nothing is left of it


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_weight_learns(fusion):
    """DistributedDataParallel would wait for one that does not."""
    network = planned_fusion(fusion)
    sum(output.square().sum() for output in network(IMAGE)).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_only_the_stated_axes_are_cut(spatial_dims):
    """A slow wave is low along a cut axis, and high along one that is not."""
    grids = torch.meshgrid(*[torch.arange(40) / 40] * spatial_dims, indexing="ij")
    network = planned_fusion("early", axes=(1,), spatial_dims=spatial_dims, theta=0.2)
    for axis, grid in enumerate(grids):
        wave = torch.cos(2 * torch.pi * grid)[None, None]
        tilted = wave * (1 + torch.cos(2 * torch.pi * 15 * grids[1]))[None, None]
        low, high = network.fusion._parts(tilted - (0 if axis == 1 else tilted.mean(3, keepdim=True)))
        assert float(low.abs().max()) > 0.9 if axis == 1 else float(low.abs().max()) < 1e-4
        assert float(high.abs().max()) > 0.4


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        ({"theta": 0.1}, {"theta": 0.2}, "theta 0.1 along axes 1, 2 .* theta 0.2 along axes 1, 2"),
        ({"theta": (0.1, 0.3)}, {"theta": 0.3}, "theta 0.1, 0.3 along axes 1, 2"),
        ({"axes": (1, 2)}, {"axes": (0, 1)}, "along axes 1, 2 .* along axes 0, 1"),
        ({"convention": "equation1"}, {"convention": "released"}, "in convention equation1, .* in convention released"),
    ],
)
def test_weights_of_other_bands_are_refused(own, other, told):
    one, two = planned_fusion(**own), planned_fusion(**other)
    before = {name: value.clone() for name, value in two.state_dict().items()}
    with pytest.raises(ValueError, match=told):
        two.load_state_dict(one.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in two.state_dict().items())
    planned_fusion(**own).load_state_dict(one.state_dict())


def test_weights_without_bands_are_refused():
    network = planned_fusion()
    weights = network.state_dict()
    del weights["bands"]
    with pytest.raises(RuntimeError, match="bands"):
        network.load_state_dict(weights)


def test_the_settings_are_recorded_beside_the_weights():
    network = planned_fusion("early", axes=(0, 2), theta=(0.25, 0.5), convention="released")
    assert network.state_dict()["bands"].tolist() == [2, 0.25, 0, 0.5]
    assert all(isinstance(value, torch.Tensor) for value in network.state_dict().values())  # nnU-Net compares shapes
    assert planned_fusion("none").state_dict()["bands"].tolist() == [0, 0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["early", "late"])
def test_the_network_can_be_compiled(fusion):
    """As nnU-Net does on a GPU: with deep supervision, and again without."""
    network = planned_fusion(fusion)
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    for supervised in (True, False):
        network.decoder.deep_supervision = supervised
        expected, found = network(IMAGE), compiled(IMAGE)
        torch.testing.assert_close(found, expected)
