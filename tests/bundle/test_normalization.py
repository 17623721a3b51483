"""The normalization of a run is that of the weights that it starts from; another is refused, and a misfit said."""

import json
import logging

import pytest
import torch
from monai.networks.nets import ResNet

from monai_freq.bundle.normalization import check_normalization, normalization_of
from monai_freq.bundle.scale_warning import warn_of_scale
from monai_freq.errors import UsageError
from monai_freq.networks.normalization import NORMALIZATIONS, normalized


@pytest.fixture
def weights(tmp_path):
    """A file of weights, beside which a training recorded something."""

    def record(**settings):
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        return str(tmp_path / "model.pt")

    return record


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ({"normalization": "radimagenet_pytorch"}, "radimagenet_pytorch"),
        ({"normalization": {"mean": 0.2, "sd": 1.0}, "mean": 0.0, "sd": 1.0}, {"mean": 0.2, "sd": 1.0}),
        ({"theta": 0.1}, "imagenet"),
        ({"mean": 0.0, "sd": 1.0}, "zero_to_one"),  # as earlier versions recorded it
        ({"mean": 0.449, "sd": 0.226}, {"mean": 0.449, "sd": 0.226}),
    ],
)
def test_what_is_recorded_beside_weights_is_taken(weights, recorded, found):
    assert normalization_of(weights(**recorded), "imagenet") == found


@pytest.mark.parametrize("init", ["random", None, "no_such_folder/resnet50.pth"])
def test_otherwise_it_is_the_default(init):
    assert normalization_of(init, "imagenet") == "imagenet"
    check_normalization("radimagenet_pytorch", 3, init)


def test_another_than_the_weights_were_trained_with_is_refused(weights):
    init = weights(normalization="radimagenet_pytorch")
    check_normalization("radimagenet_pytorch", 1, init)
    check_normalization({"mean": 0.5, "sd": 0.5}, 3, init)  # the same by its numbers
    with pytest.raises(UsageError) as stop:
        check_normalization("imagenet", 1, init)
    assert str(stop.value) == (
        f"{init} was trained with normalization=radimagenet_pytorch, not imagenet.\n"
        "Leave --normalization out, or give the same."
    )
    check_normalization("imagenet", 1, weights(mean=0.449, sd=0.226))
    with pytest.raises(
        UsageError, match=r"was trained with normalization={'mean': 0\.449, 'sd': 0\.226}, not zero_to_one"
    ):
        check_normalization("zero_to_one", 1, weights(mean=0.449, sd=0.226))


@pytest.mark.parametrize("normalization", ["Imagenet", {"mean": 1}, 3, None])
def test_what_is_no_normalization_is_refused_in_two_lines(normalization):
    with pytest.raises(UsageError, match=r"^'normalization' must be .*\nAs in --normalization imagenet$"):
        check_normalization(normalization, 1)


def brain(seed, low, high, size=48):
    """Smooth shapes between two intensities."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 1, 7, 7, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)[0]
    return low + (high - low) * image


def trained_with(normalization, channels):
    """A network whose statistics are those of photographs, its own way."""
    torch.manual_seed(3)
    network = ResNet("basic", [1, 1, 1, 1], [16, 16, 16, 16], 2, channels, num_classes=2)
    photographs = torch.stack([brain(seed, -0.05, 0.95) for seed in range(64)]).expand(-1, channels, -1, -1)
    network.bn1.momentum = None
    network.train()(torch.stack([normalized(image, normalization) for image in photographs]))
    return network


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 0.35), (0.3, 0.9)], ids=["usual", "dark", "bright"])
@pytest.mark.parametrize("right", NORMALIZATIONS)
def test_a_misfit_is_said_with_what_would_fit(right, low, high, channels, caplog):
    network = trained_with(right, channels)
    items = [{"seed": seed} for seed in range(100, 130)]
    said = {}
    for given in NORMALIZATIONS:

        def preprocessing(item, given=given):
            assert item["shortcut"] is False
            image = brain(item["seed"], low, high).expand(channels, -1, -1)
            return {"image": normalized(image, given)}

        caplog.clear()
        said[given] = warn_of_scale(network, items, preprocessing, given, "resnet50.pth")
        assert caplog.messages == ([] if said[given] is None else [said[given]])
    assert said.pop(right) is None
    for given, message in said.items():
        assert f"do not fit images of normalization={given} (" in message, given
        assert f"--normalization {right} would fit (0.0" in message, given


def test_a_scale_that_has_no_name_is_said_too(caplog):
    network = trained_with({"mean": 0.0, "sd": 1 / 255}, 1)
    items = [{"seed": seed} for seed in range(4)]
    message = warn_of_scale(network, items, lambda item: {"image": brain(item["seed"], 0, 1)}, "zero_to_one", "x.pt")
    assert "No normalization that has a name fits." in message
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_nothing_is_looked_at_for_random_weights():
    def preprocessing(item):
        raise AssertionError

    assert warn_of_scale(torch.nn.Identity(), [{}], preprocessing, "imagenet", "random") is None


def test_a_network_without_statistics_is_not_judged():
    network = torch.nn.Conv2d(1, 2, 3)
    assert warn_of_scale(network, [{}], lambda item: {"image": torch.rand(1, 8, 8)}, "imagenet", "x.pt") is None
