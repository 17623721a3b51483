"""A component is recorded with its arguments, and built from the record again; nothing else is."""

import json

import pytest
import torch
from monai.bundle import ConfigParser
from monai.networks.nets import UNet, resnet10
from monai.transforms import GaussianSmooth

from monai_freq.bundle.component_record import described, trained_component

UNET = {"_target_": "UNet", "spatial_dims": 3, "in_channels": "@features", "out_channels": "$len(@classes)"}
UNET |= {"channels": [4, 8], "strides": [2], "_desc_": "small"}


def recorded(component, **config):
    """What a training of a configuration records of its component."""
    parser = ConfigParser({"classes": {"0": "a", "1": "b"}, "features": 2, **config, "part": component})
    record = described(parser, "part")
    return record and json.loads(json.dumps(record))


def test_references_and_expressions_are_recorded_as_what_they_were():
    record = recorded(UNET, features=6)
    assert record.pop("_target_").endswith(".UNet")
    assert record == {"spatial_dims": 3, "in_channels": 6, "out_channels": 2, "channels": [4, 8], "strides": [2]}


@pytest.mark.parametrize(
    ("component", "built"),
    [
        (UNET, UNet(3, 2, 2, (4, 8), (2,))),
        (
            {"_target_": "monai.networks.nets.resnet10", "spatial_dims": 2, "num_classes": 3},
            resnet10(spatial_dims=2, num_classes=3),
        ),
    ],
    ids=["class", "function"],
)
def test_what_is_built_from_a_record_takes_the_weights(component, built):
    again = trained_component(recorded(component), pytest.fail)
    again.load_state_dict(built.state_dict())


def test_transforms_are_recorded_too():
    image = torch.rand(1, 9, 9)
    record = recorded({"_target_": "GaussianSmooth", "sigma": 2.0})
    torch.testing.assert_close(trained_component(record, pytest.fail)(image), GaussianSmooth(2.0)(image))


@pytest.mark.parametrize(
    "component",
    [
        {"_target_": "torch.nn.Threshold", "threshold": "$torch.ones(1)", "value": 0.0},
        {"_target_": "builtins.dict", "a": 1},
        {"_target_": "torch.nn.ReLU", "_disabled_": True},
        {"_target_": "torch.nn.Threshold", "threshold": "$float('nan')", "value": 0.0},
        "$torch.nn.ReLU()",
        3,
    ],
)
def test_what_cannot_be_built_again_is_not_recorded(component):
    assert recorded(component) is None


@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "subprocess.Popen", "no.such.network", None, 3])
def test_a_record_calls_nothing_but_networks_and_transforms(target, tmp_path):
    record = {"_target_": target, "command": f"touch {tmp_path}/called"}
    with pytest.raises(SystemExit) as stop:
        trained_component(record, pytest.fail)
    first, second = str(stop.value).splitlines()
    assert first.endswith("cannot be built: there is no such network or transform here.")
    assert second == "Give the --config_file list that it was trained with."
    assert list(tmp_path.iterdir()) == []


def test_text_of_a_record_is_no_expression():
    record = {"_target_": "torch.nn.Linear", "in_features": "$1 + 1", "out_features": 1}
    with pytest.raises(SystemExit, match=r"'torch\.nn\.Linear', recorded by the training, cannot be built"):
        trained_component(record, pytest.fail)


def test_arguments_that_are_given_are_compared():
    record = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}
    assert trained_component(record, pytest.fail, in_features=2, bias=False).bias is None
    with pytest.raises(SystemExit) as stop:
        trained_component(record, pytest.fail, out_features=3)
    assert str(stop.value).splitlines()[0] == "The training was made with Linear(out_features=1), not 3."
    assert trained_component(None, torch.nn.Linear, in_features=5, out_features=4).weight.shape == (4, 5)
