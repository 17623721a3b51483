"""Frequency fusion around the networks that MONAI has."""

import pickle
from collections import UserDict

import pytest
import torch
from backbones import ARMS, CLASSES, CLASSIFIERS, FEATURES, SEGMENTERS, cases, channels, unet, wrap
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceLoss
from monai.networks import nets
from torch import nn

from monai_freq.networks import FrequencyFusion
from monai_freq.spectral.bands import coarse_low, split
from monai_freq.transforms import FourierDisentangle


def tensors(output):
    if isinstance(output, torch.Tensor):
        return [output]
    return [tensor for part in output if part is not None for tensor in tensors(part)]


def structure(output):
    if isinstance(output, (list, tuple)):
        return type(output), [structure(part) for part in output]
    return tuple(output.shape) if isinstance(output, torch.Tensor) else output


def trained(module, output):
    """Names of the parameters that a loss on everything in the output reaches."""
    module.zero_grad()
    sum(tensor.square().mean() for tensor in tensors(output)).backward()
    return {name for name, parameter in module.named_parameters() if parameter.grad is not None}


def check_arms(backbone, dims, size, **settings):
    """The wrapper returns what its backbone returns, and trains all that the backbone trains and all of its own."""
    torch.manual_seed(0)
    sizes = size[:dims] if isinstance(size, tuple) else (size,) * dims
    direct = backbone.train()(torch.rand(2, FEATURES, *sizes))
    needed = {f"backbone.{name}" for name in trained(backbone, direct)}
    for fusion in ARMS:
        network = wrap(backbone, dims, fusion, **settings).train()
        output = network(torch.rand(2, 2, *sizes))
        assert structure(output) == structure(direct)
        own = {name for name, _ in network.named_parameters() if not name.startswith("backbone.")}
        assert own
        assert trained(network, output) == needed | own
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize(("build", "size", "dims"), cases(SEGMENTERS))
def test_any_segmenter(build, size, dims):
    check_arms(build(dims), dims, size)


@pytest.mark.parametrize(("build", "size", "dims"), cases(CLASSIFIERS))
def test_any_classifier(build, size, dims):
    check_arms(build(dims), dims, size, task="classification")


@pytest.mark.parametrize("name", ["SegResNetDS", "DynUNet supervised", "SegResNetVAE"])
def test_evaluation_returns_what_the_backbone_returns_in_evaluation(name):
    build, size, _ = SEGMENTERS[name]
    network = wrap(build(3), 3, "late").eval()
    with torch.no_grad():
        direct = network.backbone(torch.rand(1, FEATURES, *(size,) * 3))
        assert structure(network(torch.rand(1, 2, *(size,) * 3))) == structure(direct)


def test_small_maps_of_deep_supervision_pass_unchanged():
    build, size, _ = SEGMENTERS["SegResNetDS"]
    torch.manual_seed(0)
    network = wrap(build(2), 2, "late").train()
    image = torch.rand(2, 2, size, size)
    network.backbone.register_forward_hook(lambda module, inputs, output: seen.append(output))
    seen: list[list[torch.Tensor]] = []
    full, *small = network(image)
    assert not torch.equal(full, seen[0][0])
    assert len(small) == 2
    for ours, theirs in zip(small, seen[0][1:], strict=True):
        assert ours is theirs


@pytest.mark.parametrize("convention", ["figure2", "equation1", "released"])
@pytest.mark.parametrize("fusion", ARMS)
def test_presplit_input_gives_the_same_result(fusion, convention):
    image = torch.rand(2, 2, 20, 17, 6)
    whole = wrap(nn.Conv3d(FEATURES, CLASSES, 1), 3, fusion, convention=convention)
    presplit = wrap(nn.Conv3d(FEATURES, CLASSES, 1), 3, fusion, convention=convention, presplit=True)
    presplit.load_state_dict(whole.state_dict())
    divide = FourierDisentangle(theta=0.1, convention=convention)
    parts = torch.stack([divide(one) for one in image])
    torch.testing.assert_close(presplit(parts), whole(image), atol=1e-5, rtol=1e-5)


def test_early_fusion_takes_each_band_from_its_own_stem():
    """With the high stem silenced, only the low band of the image reaches the backbone, and the other way round."""
    network = wrap(nn.Identity(), 2, in_channels=1, out_channels=FEATURES, theta=0.3)
    image = torch.rand(1, 1, 32, 32)
    for silenced, expected_in_low in ((network.high_stem, True), (network.low_stem, False)):
        weight = silenced.weight.detach().clone()
        nn.init.zeros_(silenced.weight)
        low, high = split(network(image), 0.3, spatial_dims=2)
        nothing, something = (high, low) if expected_in_low else (low, high)
        assert nothing.abs().max() < 1e-5
        assert something.abs().max() > 1e-2
        silenced.weight.data.copy_(weight)


def test_late_fusion_hides_the_low_band_from_the_backbone():
    network = wrap(nn.Conv2d(FEATURES, CLASSES, 1), 2, "late", in_channels=1, theta=0.3)
    heard: list[torch.Tensor] = []
    network.high_stem.register_forward_hook(lambda module, inputs, output: heard.append(inputs[0]))
    image = torch.rand(1, 1, 32, 32)
    network(image)
    assert coarse_low(heard[0], 0.3, spatial_dims=2).abs().max() < 1e-5
    assert (network(image) - network(image + 5)).abs().max() > 1e-3  # a change of the mean comes through the low stem


def test_late_fusion_corrects_the_scores_by_both_bands():
    """Without low features, the correction has once what low frequencies the scores have, and twice the high ones."""
    network = FrequencyFusion(nn.Conv2d(4, 4, 1), 1, 4, spatial_dims=2, features=4, fusion="late", theta=0.3)
    nn.init.zeros_(network.low_stem.weight)
    network.head.correct = nn.Identity()
    scores = []
    network.backbone.register_forward_hook(lambda *called: scores.append(called[-1]))
    result = network(torch.rand(2, 1, 16, 16))
    lifted = network.head.lift(scores[0])
    signs = 1.0 - 2 * (torch.arange(16) % 2)
    for wave, times in ((torch.ones(16, 16), 1), (signs * signs[:, None], 2)):  # of frequency 0, and of the highest
        expected = ((scores[0] + times * lifted) * wave).mean((2, 3))
        torch.testing.assert_close((result * wave).mean((2, 3)), expected)


def test_none_is_the_backbone_behind_one_stem():
    network = wrap(unet(2), 2, "none")
    image = torch.rand(1, 2, 16, 16)
    torch.testing.assert_close(network(image), network.backbone(network.stem(image)))


@pytest.mark.parametrize("fusion", ARMS)
@pytest.mark.parametrize("size", [(16, 16, 8), (17, 19, 9), (24, 8, 5), (1, 16, 3)])
def test_sizes_that_were_not_seen(fusion, size):
    network = wrap(nn.Conv3d(FEATURES, CLASSES, 3, padding=1), 3, fusion).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 2, *size)).shape == (1, CLASSES, *size)


@pytest.mark.parametrize("fusion", ARMS)
def test_odd_sizes_that_the_backbone_accepts(fusion):
    network = wrap(nets.BasicUNet(**channels(2), features=(4, 4, 4, 4, 4, 4)), 2, fusion).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 2, 37, 45)).shape == (1, CLASSES, 37, 45)


@pytest.mark.parametrize("fusion", ARMS)
def test_sliding_window(fusion):
    network = wrap(unet(3), 3, fusion).eval()
    image = torch.rand(1, 2, 24, 20, 18)
    inferer = SlidingWindowInferer(roi_size=(16, 16, 8), sw_batch_size=2, overlap=0.5)
    with torch.no_grad():
        assert inferer(image, network).shape == (1, CLASSES, 24, 20, 18)
        torch.testing.assert_close(SlidingWindowInferer(roi_size=image.shape[2:])(image, network), network(image))


@pytest.mark.parametrize("convention", ["figure2", "equation1", "released"])
@pytest.mark.parametrize("fusion", ARMS)
def test_state_dict_round_trip(fusion, convention, tmp_path):
    torch.manual_seed(0)
    network, other = (wrap(unet(2), 2, fusion, convention=convention).eval() for _ in range(2))
    image = torch.rand(1, 2, 16, 16)
    assert not torch.equal(network(image), other(image))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(network(image), other(image))
    assert torch.equal(pickle.loads(pickle.dumps(network))(image), network(image))


def test_a_basis_made_in_inference_mode_serves_training_later():
    network = wrap(unet(2), 2, theta=0.137)
    image = torch.rand(1, 2, 16, 16)
    with torch.inference_mode():
        network(image)
    network(image).sum().backward()
    assert network.low_stem.weight.grad.abs().sum() > 0


def test_autocast_keeps_the_bands_in_float32():
    network = wrap(unet(2), 2, "late").eval()
    image = torch.rand(1, 2, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, high = network._parts(image)
        output = network(image)
    assert low.dtype == high.dtype == torch.float32
    torch.testing.assert_close(output.float(), network(image), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("fusion", ARMS)
def test_a_few_steps_lower_the_loss(fusion):
    torch.manual_seed(0)
    network = wrap(unet(2), 2, fusion, in_channels=1, out_channels=CLASSES)
    image = torch.rand(4, 1, 16, 16)
    label = torch.nn.functional.one_hot((image[:, 0] > 0.5).long() + (image[:, 0] > 0.8), CLASSES).movedim(-1, 1)
    loss = DiceLoss(softmax=True)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(loss(network(image), label.float()))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"theta": 1.5}, r"'theta' must be in \(0, 1\), got 1.5"),
        ({"theta": 0}, "'theta'"),
        ({"fusion": "middle"}, "'fusion' must be one of early, late, none, got 'middle'"),
        ({"convention": "fig2"}, "'convention' must be one of figure2, equation1, released, got 'fig2'"),
        ({"task": "detection"}, "'task' must be one of"),
        ({"features": 0}, "'features' must be a positive integer, got 0"),
        ({"in_channels": 1.0}, "'in_channels' must be a positive integer, got 1.0"),
        ({"axes": (0, 2)}, r"'axes' must be different spatial axes in \[0, 1\], got \(0, 2\)"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        FrequencyFusion(unet(2), **({"in_channels": 2, "out_channels": CLASSES, "spatial_dims": 2} | settings))


def test_spatial_dims_out_of_range():
    with pytest.raises(ValueError, match="'spatial_dims' must be 2 or 3, got 4"):
        FrequencyFusion(unet(2), 1, CLASSES, spatial_dims=4)


def test_a_sparse_input_is_refused():
    network = FrequencyFusion(nn.Conv2d(8, 2, 3, padding=1), 1, 2, spatial_dims=2)
    with pytest.raises(ValueError, match=r"'input' must be a dense tensor, got torch\.sparse_coo"):
        network(torch.zeros(1, 1, 8, 8).to_sparse())


class Particular(nn.Conv2d):
    """A backbone with a check of its own."""

    def forward(self, x):
        if x.shape[-2:] != (48, 40):
            raise AssertionError  # as of an assert without words
        return super().forward(x)


@pytest.mark.parametrize("fusion", ["none", "early", "late"])
def test_an_assertion_of_the_backbone_names_the_size(fusion):
    network = FrequencyFusion(Particular(8, 2, 3, padding=1), 1, 2, fusion=fusion, spatial_dims=2)
    assert network(torch.rand(1, 1, 48, 40)).shape == (1, 2, 48, 40)
    with pytest.raises(AssertionError) as caught:  # whether the size is at fault cannot be known
        network(torch.rand(1, 1, 33, 47))
    assert "features of 33x47 images" in caught.value.__notes__[0]


@pytest.mark.parametrize("fusion", ["none", "early", "late"])
@pytest.mark.parametrize("batch", [1, 2])
def test_images_of_one_voxel_are_named(fusion, batch):
    backbone = nn.Sequential(nn.Conv2d(8, 2, 3, padding=1), nn.InstanceNorm2d(2))
    network = FrequencyFusion(backbone, 1, 2, fusion=fusion, spatial_dims=2).eval()
    with pytest.raises(ValueError, match=r"images of 1x1.*\n?.*(a size that it takes, as|pass larger ones)"):
        network(torch.rand(batch, 1, 1, 1))


def test_a_group_norm_of_one_voxel_is_told_of_size_and_batch():
    backbone = nn.Sequential(nn.Conv2d(8, 2, 3, padding=1), nn.GroupNorm(2, 2))
    network = FrequencyFusion(backbone, 1, 2, fusion="none", spatial_dims=2)
    with pytest.raises(ValueError, match=r"failed on images of 1x1 .*\npass a batch of two or more, or larger images"):
        network(torch.rand(1, 1, 1, 1))
    with pytest.raises(ValueError, match=r"failed on images of 1x1 .*\npad, crop or resize them to a .*, as 2x2\."):
        network.eval()(torch.rand(1, 1, 1, 1))


def test_late_fusion_of_one_voxel_is_refused_by_its_size():
    network = FrequencyFusion(nn.Conv3d(8, 2, 1), 1, 2, fusion="late").eval()
    with pytest.raises(ValueError, match="late fusion normalises features over each image, got images of 1x1x1: pass"):
        network(torch.rand(1, 1, 1, 1, 1))


class Prediction(UserDict):
    """Output of a network in a mapping of its own."""


class _Mapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return Prediction(scores=self.conv(x), kept=None)


def test_a_mapping_of_the_networks_own_is_looked_through_and_kept():
    network = FrequencyFusion(_Mapped(), 1, 2, spatial_dims=2, features=4, fusion="late").eval()
    returned = []
    network.backbone.register_forward_hook(lambda *called: returned.append(called[-1]))
    result = network(torch.rand(1, 1, 16, 16))
    assert (type(result), result["kept"]) == (Prediction, None)
    assert result["scores"].shape == (1, 2, 16, 16)
    assert not torch.equal(result["scores"], returned[0]["scores"])  # the head has corrected them
