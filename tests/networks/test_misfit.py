"""Messages name the one thing that is wrong, and a remedy; the network, really run with it, is the reference."""

import re

import pytest
import torch
from backbones import ARMS, CLASSES, CLASSIFIERS, FEATURES, SEGMENTERS, unet, wrap
from monai.networks import nets
from torch import nn


def refusal(network, *shape, error=ValueError):
    with pytest.raises(error) as caught:
        network(torch.rand(*shape))
    return str(caught.value)


def remedied(message):
    """The size that a message gives."""
    assert len(message.splitlines()) <= 3
    assert "channels" not in message.replace("per channel", "")
    size = re.search(r"pad, crop or resize them to a size that it takes, as (\d+(?:x\d+)+)\.", message)[1]
    return [int(n) for n in size.split("x")]


def case(name, dims, table=SEGMENTERS):
    build, *_ = table[name]
    return pytest.param(build, dims, id=f"{name}-{dims}d")


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize(
    ("build", "dims"),
    [
        case("UNet", 2),
        case("UNet", 3),
        case("AttentionUnet", 3),
        case("SegResNet", 2),
        case("SegResNetDS", 2),
        case("SegResNetVAE", 2),
        case("DynUNet", 3),
        case("DynUNet supervised", 2),
        case("VNet", 2),
        case("AHNet", 2),
        case("UNETR", 2),
        case("SwinUNETR", 2),
        case("FlexibleUNet", 2),
        case("MedNeXt", 2),
    ],
)
def test_a_size_that_a_segmenter_does_not_take_is_named_with_one_that_it_takes(build, dims, mode):
    backbone = build(dims)
    getattr(backbone, mode)()
    network = wrap(backbone, dims)
    message = refusal(network, 2, 2, *(33, 47, 19)[:dims])
    assert f"images of {'33x47' if dims == 2 else '33x47x19'}" in message
    assert message.startswith(f"the backbone ({type(backbone).__name__}) ")
    size = remedied(message)
    with torch.no_grad():
        network(torch.rand(2, 2, *size))


@pytest.mark.parametrize("name", ["BasicUNet", "DynUNet", "VNet", "SegResNet"])
def test_images_that_are_too_small_are_told_a_size_that_is_large_enough(name):
    network = wrap(SEGMENTERS[name][0](2), 2)
    size = remedied(refusal(network, 1, 2, 5, 7))
    network(torch.rand(1, 2, *size))


@pytest.mark.parametrize("fusion", ARMS)
def test_every_arm_names_the_size(fusion):
    message = refusal(wrap(unet(2), 2, fusion), 1, 2, 33, 47)
    assert message == (
        "the backbone (UNet) returned (1, 3, 34, 48) for images of 33x47:\n"
        "pad, crop or resize them to a size that it takes, as 32x48."
    )
    assert "33x47x9" in refusal(wrap(unet(3), 3, fusion), 1, 2, 33, 47, 9)


def test_a_classifier_names_the_size():
    network = wrap(CLASSIFIERS["ViT"][0](2), 2, task="classification")
    assert remedied(refusal(network, 2, 2, 33, 47)) == [16, 16]
    vgg_like = nn.Sequential(
        nn.Conv2d(FEATURES, 1, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(384, CLASSES)
    )
    assert remedied(refusal(wrap(vgg_like, 2, task="classification"), 2, 2, 47, 33)) == [48, 32]


class Returns(nn.Module):
    """A network that returns anything made of a segmentation."""

    def __init__(self, change, classes=CLASSES):
        super().__init__()
        self.network = nets.UNet(2, FEATURES, classes, channels=(4, 8), strides=(2,))
        self.change = change

    def forward(self, x):
        return self.change(self.network(x))


@pytest.mark.parametrize(
    "change",
    [
        lambda y: [y, y[..., ::2, ::2]],
        lambda y: (None, {"aux": y[..., ::2, ::2], "out": y}),
        lambda y: torch.stack([y, y], dim=1),
    ],
    ids=["list", "dictionary", "stack"],
)
def test_a_size_is_named_among_several_outputs(change):
    network = wrap(Returns(change), 2)
    assert remedied(refusal(network, 1, 2, 33, 47)) == [32, 48]
    network(torch.rand(1, 2, 32, 48))


def test_size_and_classes_are_both_named_where_both_are_wrong():
    message = refusal(wrap(Returns(lambda y: y, classes=5), 2), 1, 2, 33, 47)
    assert message.splitlines() == [
        "the backbone (Returns) returned (1, 5, 34, 48) for images of 33x47:",
        "pad, crop or resize them to a size that it takes, as 32x48.",
        "Also build it with out_channels=3, or pass out_channels=5.",
    ]


def test_a_backbone_that_never_returns_the_size_is_told_so():
    halved = nn.Conv2d(FEATURES, CLASSES, 3, stride=2, padding=1)
    assert refusal(wrap(halved, 2), 1, 2, 32, 32) == (
        "the backbone (Conv2d) returned (1, 3, 16, 16) for images of 32x32:\n"
        "it must return segmentations of the size of the images."
    )


@pytest.mark.parametrize("fusion", ARMS)
def test_other_channels_are_told_which_argument_to_change(fusion):
    assert refusal(wrap(unet(2), 2, fusion, features=8), 1, 2, 16, 16) == (
        "the backbone takes 4 channels and gets 8: build it with in_channels=8, or pass features=4."
    )
    assert refusal(wrap(unet(2), 2, fusion, out_channels=2), 1, 2, 16, 16) == (
        "the backbone returned (1, 3, 16, 16) and nothing of shape (B, 2, *spatial): "
        "build it with out_channels=2, or pass out_channels=3."
    )
    # also where the size is wrong
    assert "takes 4 channels and gets 8" in refusal(wrap(unet(2), 2, fusion, features=8), 1, 2, 33, 47)


def test_channels_within_the_backbone_are_not_blamed_on_the_wrapper():
    broken = nn.Sequential(nn.Conv2d(FEATURES, FEATURES, 1), nn.Conv2d(7, CLASSES, 1))
    message = refusal(wrap(broken, 2), 1, 2, 16, 16, error=RuntimeError)
    assert "in_channels" not in message


@pytest.mark.parametrize(("dims", "other"), [(2, 3), (3, 2)])
def test_a_backbone_of_other_dimensions_is_told_which_argument_to_change(dims, other):
    message = refusal(wrap(unet(other), dims), 1, 2, *(16,) * dims)
    assert message == (
        f"the backbone takes images with {other} spatial axes and gets {dims}: "
        f"build it with spatial_dims={dims}, or pass spatial_dims={other}."
    )


@pytest.mark.parametrize("fusion", ARMS)
def test_the_other_task_is_told_which_argument_to_pass(fusion):
    scores = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(FEATURES, CLASSES))
    assert refusal(wrap(scores, 2, fusion), 2, 2, 32, 32) == (
        'the backbone returned (2, 3) and nothing of shape (B, 3, *spatial): pass task="classification".'
    )
    segmenter = wrap(unet(2), 2, fusion, task="classification")
    assert refusal(segmenter, 1, 2, 16, 16) == (
        'the backbone returned (1, 3, 16, 16) and nothing of shape (B, 3): pass task="segmentation".'
    )
    assert 'pass task="segmentation"' in refusal(segmenter, 1, 2, 33, 47)  # whatever the size


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (
            lambda y: [None, (y.mean((2, 3)), "hidden states")],
            {},
            r'\[NoneType, \[\(1, 3\), str\]\].* task="classification"',
        ),
        (lambda y: "nothing", {}, "returned str and nothing of shape .*: it must return a tensor of it"),
        (lambda y: y.mean((2, 3))[:, :2], {"task": "classification"}, "out_channels=3, or pass out_channels=2"),
        (lambda y: y.mean((2, 3), keepdim=True), {"task": "classification"}, r"flatten what it returns to \(B, 3\)"),
    ],
)
def test_other_outputs_are_told_what_is_missing(change, settings, message):
    assert re.search(message, refusal(wrap(Returns(change), 2, **settings), 1, 2, 16, 16))


def test_other_errors_of_the_backbone_come_through_as_they_are():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        wrap(Broken(), 2)(torch.rand(1, 2, 16, 16))
    assert caught.value.args == ("out of memory",)
    assert caught.value.__notes__ == [
        "FrequencyFusion gave the backbone features of 16x16 images, (1, 4, 16, 16): features=4."
    ]


def test_a_batch_of_one_that_has_no_statistics_is_not_blamed_on_the_size():
    pooled = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(FEATURES), nn.Flatten(), nn.Linear(FEATURES, CLASSES)
    )
    network = wrap(pooled, 2, task="classification")
    assert "more than 1 value per channel" in refusal(network, 1, 2, 33, 47)


def test_the_backbone_that_is_asked_stays_as_it_was():
    backbone = nn.Sequential(unet(2), nn.BatchNorm2d(CLASSES), nn.Dropout(0.5))
    heard: list[float] = []
    backbone.register_forward_hook(lambda module, given, output: heard.append(output.max().item()))
    devices: list[str] = []
    for part in backbone.modules():
        part.register_forward_pre_hook(lambda module, given: devices.append(given[0].device.type))
    before = {name: value.clone() for name, value in backbone.state_dict().items() if "running" not in name}
    torch.manual_seed(3)
    expected = torch.rand(4)
    network = wrap(backbone.eval(), 2, "none")
    torch.manual_seed(3)
    image = torch.rand(1, 2, 33, 47)
    torch.manual_seed(3)
    with pytest.raises(ValueError, match="as 32x48"):
        network(image)
    assert torch.equal(torch.rand(4), expected)
    assert len(heard) == 1  # of the image, not of what was asked
    assert set(devices) == {"cpu"}
    for name, value in before.items():
        assert torch.equal(backbone.state_dict()[name], value)
        assert value.device.type == "cpu"


@pytest.mark.parametrize(
    ("settings", "image", "error", "message"),
    [
        (
            {},
            torch.rand(1, 3, 16, 16),
            ValueError,
            r"\(B, 2, \*spatial\) with 2 .*got \(1, 3, 16, 16\): pass in_channels=3",
        ),
        ({}, torch.rand(1, 4, 16, 16), ValueError, "pass presplit=True"),
        ({"presplit": True}, torch.rand(1, 2, 16, 16), ValueError, "pass presplit=False"),
        ({"presplit": True}, torch.rand(1, 6, 16, 16), ValueError, "pass in_channels=3"),
        ({}, torch.rand(2, 16, 16), ValueError, r"pass a batch, as x\[None\]"),
        ({}, torch.rand(1, 2, 16, 16, 16), ValueError, "pass spatial_dims=3"),
        ({}, torch.rand(16, 16), ValueError, "see 'in_channels', 'presplit', 'spatial_dims'"),
        ({}, torch.rand(1, 2, 16, 16).numpy(), TypeError, r"must be a torch.Tensor, got ndarray: pass torch.as_tensor"),
        ({}, torch.rand(1, 2, 16, 16).double(), ValueError, "input is torch.float64 and the network torch.float32"),
        ({}, torch.rand(1, 2, 16, 16).half(), ValueError, "input is torch.float16 and the network torch.float32"),
        ({}, torch.rand(1, 2, 16, 16) + 0j, ValueError, "must be real, got torch.complex64"),
        ({}, torch.empty(1, 2, 16, 16, device="meta"), ValueError, "input is on meta and the network on cpu"),
    ],
)
@pytest.mark.parametrize("fusion", ARMS)
def test_images_that_the_network_does_not_take(settings, image, error, message, fusion):
    with pytest.raises(error, match=message):
        wrap(unet(2), 2, fusion, **settings)(image)


@pytest.mark.parametrize("fusion", ARMS)
def test_whole_numbers_are_images_in_every_arm(fusion):
    network = wrap(unet(2), 2, fusion).eval()
    image = torch.randint(0, 200, (1, 2, 16, 16), dtype=torch.uint8)
    assert torch.equal(network(image), network(image.float()))
