"""A network that does not fit the images is refused before a run; the same network, really run, is the reference."""

import json

import pytest
import torch
from monai.networks import nets
from torch import nn

from monai_freq.bundle.backbone import check_backbone
from monai_freq.errors import UsageError

NETWORKS = {
    "UNet": lambda: nets.UNet(3, 4, 2, channels=(2, 2, 2, 2), strides=(2, (2, 2, 1), 2)),
    "SegResNet": lambda: nets.SegResNet(init_filters=8, in_channels=4, out_channels=2),
    "AttentionUnet": lambda: nets.AttentionUnet(3, 4, 2, channels=(2, 2, 2), strides=(2, 2)),
    "BasicUNet": lambda: nets.BasicUNet(3, 4, 2, features=(2, 2, 2, 2, 2, 2)),
    "DynUNet": lambda: nets.DynUNet(3, 4, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 4, 4]),
}
SIZES = [[16, 16, 16], [14, 16, 16], [16, 15, 16], [16, 16, 8], [4, 16, 16], [8, 8, 8], [8, 8, 4]]


def refusal(backbone: nn.Module, **settings: object) -> list[str]:
    with pytest.raises(UsageError) as caught:
        check_backbone(backbone, **{"image_size": [32, 32, 32], "in_channels": 4, "out_channels": 2} | settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    return lines


def runs(backbone: nn.Module, size: list[int]) -> bool:
    try:
        with torch.no_grad():
            return backbone(torch.rand(2, 4, *size)).shape[2:] == tuple(size)
    except (RuntimeError, ValueError):
        return False


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_refused_is_what_does_not_run(name, size):
    network = NETWORKS[name]()
    if runs(network, size):
        check_backbone(network, image_size=size, in_channels=4, out_channels=2)
        return
    first, second = refusal(network, image_size=size)
    assert first == f"'image_size' must be one that the backbone ({name}) takes, got {size}."
    assert runs(network, json.loads(second.removeprefix("As in --image_size ")))


@pytest.mark.parametrize("size", [[64, 64], [64, 64, 0], [64, 64, 32.0], [64, 64, True], 64, "64,64,32"])
def test_what_is_not_the_size_of_a_volume_is_refused(size):
    first, second = refusal(NETWORKS["UNet"](), image_size=size)
    assert first == f"'image_size' must be 3 whole numbers of at least 1, got {size!r}."
    check_backbone(NETWORKS["UNet"](), image_size=json.loads(second.split()[-1]), in_channels=4, out_channels=2)


def test_a_network_of_one_size_and_other_channels_are_named():
    transformer = nets.UNETR(4, 2, (32, 32, 32), feature_size=4, hidden_size=8, mlp_dim=8, num_heads=2)
    check_backbone(transformer, image_size=[32, 32, 32], in_channels=4, out_channels=2)
    first, second = refusal(transformer, image_size=[48, 48, 48])
    assert first == "'image_size' must be one that the backbone (UNETR) takes, got [48, 48, 48]."
    assert second == "As in --image_size [32,32,32]"

    first, second = refusal(NETWORKS["UNet"](), in_channels=8)
    assert "channel" in first.partition("of shape (8, 32, 32, 32) and 2 classes: ")[2]
    assert second == "Change it, or 'image_size', in the configuration file."
    first, _ = refusal(NETWORKS["UNet"](), out_channels=3)
    assert first.endswith("and 3 classes: it returns (2, 32, 32, 32) instead of (3, 32, 32, 32).")


def test_a_classifier_tells_classes_of_an_image():
    slices = {"image_size": [48, 40], "task": "classification"}
    network = nets.ResNet("basic", [1, 1, 1, 1], [4, 8, 8, 8], spatial_dims=2, n_input_channels=4, num_classes=2)
    check_backbone(network, in_channels=4, out_channels=2, **slices)
    first, _ = refusal(network, out_channels=5, **slices)
    assert first.endswith("it returns (2,) instead of (5,).")
    assert "channel" in refusal(network, in_channels=1, **slices)[0]
    segmenter = nets.UNet(2, 4, 2, channels=(2, 4), strides=(2,))
    assert refusal(segmenter, **slices)[0].endswith("it returns (2, 48, 40) instead of (2,).")

    vgg_like = nn.Sequential(nn.Conv2d(4, 1, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24 * 20, 2))
    check_backbone(vgg_like, in_channels=4, out_channels=2, **slices)
    assert refusal(vgg_like, **slices | {"image_size": [47, 41]})[1] == "As in --image_size [48,40]"


def test_the_network_stays_as_it_was():
    network = nn.Sequential(nn.Conv3d(4, 2, 3, padding=1), nn.BatchNorm3d(2), nn.Dropout(0.5))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(3)
    check_backbone(network, image_size=[8, 8, 8], in_channels=4, out_channels=2)
    after = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(4))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}


class NeedsNumbers(nn.Module):
    """Its shapes depend on the voxels, so that nothing is known beforehand."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2] * x.max().item()


class MakesOnTheCpu(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2] + torch.ones(x.shape[2:])


class SeveralTensors(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x, x[..., ::2]]


class StackedTensors(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x, x], dim=1)


@pytest.mark.parametrize(
    "network", [NeedsNumbers(), MakesOnTheCpu(), SeveralTensors(), StackedTensors()], ids=lambda n: type(n).__name__
)
def test_a_network_that_cannot_be_asked_passes(network):
    check_backbone(network, image_size=[8, 8, 8], in_channels=4, out_channels=2)
