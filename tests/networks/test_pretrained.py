"""Weights from elsewhere make a network answer as the one that they were trained in, or are refused."""

import os
import pickle

import pytest
import torch
from attacks import Runs
from monai.networks.nets import ResNet, resnet18, resnet50
from torch import nn

from monai_freq.networks import load_pretrained, read_weights
from monai_freq.networks.pretrained import not_finite


def trained(make=resnet18, channels=3, **settings):
    """A network with statistics and weights of its own everywhere."""
    torch.manual_seed(7)
    network = make(spatial_dims=2, n_input_channels=channels, num_classes=4, **settings).eval()
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(0.5 + torch.rand_like(value) if value.ndim < 2 else 0.02 * torch.randn_like(value))
    return network


def fresh(make=resnet18, channels=3, classes=4):
    torch.manual_seed(0)
    return make(spatial_dims=2, n_input_channels=channels, num_classes=classes).eval()


def small(**settings):
    return ResNet("basic", [1, 1, 1, 1], [4, 4, 4, 4], **settings)


def images(channels=3):
    return torch.rand(2, channels, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"epoch": 3, "network": w}, lambda w: {"state_dict": w}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_own_checkpoints(file, wrap, prefix):
    network = trained()
    torch.save(wrap({prefix + name: value for name, value in network.state_dict().items()}), file)
    other = fresh()
    assert load_pretrained(other, file) == []
    assert torch.equal(other(images()), network(images()))


@pytest.mark.parametrize("make", [resnet18, resnet50])
def test_torchvision_has_no_bias_in_its_shortcuts(file, make):
    network = trained(make, bias_downsample=False)
    weights = network.state_dict()
    assert not any(name.endswith("downsample.0.bias") for name in weights)
    torch.save({name: value for name, value in weights.items() if "num_batches" not in name}, file)
    other = fresh(make)
    with torch.no_grad():
        for name, value in other.named_parameters():
            if name.endswith("downsample.0.bias"):
                value.fill_(9.0)
    assert load_pretrained(other, file) == []
    torch.testing.assert_close(other(images()), network(images()))


def test_radimagenet_numbers_the_parts_and_has_no_head(file):
    network = trained(resnet50, bias_downsample=False)
    parts = [network.conv1, network.bn1, nn.ReLU(), network.maxpool, network.layer1, network.layer2]
    numbered = nn.Sequential(*parts, network.layer3, network.layer4, nn.AdaptiveAvgPool2d(1))
    torch.save({f"backbone.{name}": value for name, value in numbered.state_dict().items()}, file)
    other = fresh(resnet50, classes=2)
    assert load_pretrained(other, file, may_differ=["fc"]) == ["fc.weight", "fc.bias"]
    network.fc = other.fc
    torch.testing.assert_close(other(images()), network(images()))


def test_one_channel_answers_as_three_equal_ones(file):
    network = trained()
    torch.save(network.state_dict(), file)
    other = fresh(channels=1)
    load_pretrained(other, file)
    grey = images(1)
    torch.testing.assert_close(other(grey), network(grey.expand(-1, 3, -1, -1)))


def test_another_head_has_to_be_allowed_and_keeps_what_it_has(file):
    network = trained()
    torch.save(network.state_dict(), file)
    other = fresh(classes=2)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    message = r"of another shape: fc.weight \(4, 512\) instead of \(2, 512\), fc.bias"
    with pytest.raises(ValueError, match=message):
        load_pretrained(other, file)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    assert load_pretrained(other, file, may_differ=["fc"]) == ["fc.weight", "fc.bias"]
    assert torch.equal(other.fc.weight, before["fc.weight"])
    assert torch.equal(other.conv1.weight, network.conv1.weight)


def test_a_name_that_only_begins_alike_is_not_allowed(file):
    weights = trained().state_dict()
    weights["fcx.weight"] = torch.zeros(1)
    torch.save(weights, file)
    with pytest.raises(ValueError, match=r"left over: fcx\.weight"):
        load_pretrained(fresh(), file, may_differ=["fc"])


def test_a_checkpoint_of_another_network_is_refused_with_what_differs(file):
    torch.save(resnet50(spatial_dims=2, n_input_channels=3, num_classes=4).state_dict(), file)
    with pytest.raises(ValueError, match=r"weights.pt is of another network.*left over: .* and \d+ more.*of another"):
        load_pretrained(fresh(), file)
    torch.save(nn.Linear(3, 2).state_dict(), file)
    with pytest.raises(ValueError, match=r"missing: conv1.weight, .* more; left over: weight, bias"):
        load_pretrained(fresh(), file)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04truncated", b"no weights", pickle.dumps(Runs(os.system, "touch ran"))]
)
def test_what_is_no_file_of_weights_is_refused_and_nothing_runs(file, content, monkeypatch):
    monkeypatch.chdir(file.parent)
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.pt cannot be read as weights: "):
        read_weights(file)
    assert not (file.parent / "ran").exists()


@pytest.mark.parametrize("content", [torch.zeros(3), [torch.zeros(3)], {"epoch": 3}, {}, {"network": {"a": 1}}])
def test_files_of_something_else_are_refused(file, content):
    torch.save(content, file)
    with pytest.raises(ValueError, match=r"weights\.pt holds no weights by name"):
        read_weights(file)


def test_a_module_saved_whole_is_refused(file):
    torch.save(nn.Linear(2, 2), file)
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_weights(file)


def test_names_and_torchs_advice_are_quoted_harmlessly(file):
    torch.save({"conv1.weight\x1b[2J\nPass": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"left over: conv1\.weight\\x1b\[2J\\nPass") as caught:
        load_pretrained(nn.Linear(2, 1), file, may_differ=["weight", "bias"])
    assert str(caught.value).isprintable()
    torch.save({"a": nn.Linear(1, 1)}, file)
    with pytest.raises(
        ValueError, match=r"it asks for torch\.nn\.modules\.linear\.Linear, and data need no code"
    ) as caught:
        read_weights(file)
    assert "weights_only" not in str(caught.value)


def test_a_truncated_file_is_refused(file):
    torch.save(trained().state_dict(), file)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_weights(file)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["conv1.weight", "layer2.0.bn1.running_var", "fc.bias"])
def test_weights_that_are_not_finite_are_refused_by_name(file, name, value):
    weights = trained(small).state_dict()
    weights[name].view(-1)[-1] = value
    torch.save({"state_dict": {f"module.{key}": weight for key, weight in weights.items()}}, file)
    other = fresh(small)
    before = {key: weight.clone() for key, weight in other.state_dict().items()}
    with pytest.raises(ValueError, match=rf"weights\.pt has weights that are NaN or infinite: {name}\. Take another"):
        load_pretrained(other, file)
    assert all(torch.equal(weight, before[key]) for key, weight in other.state_dict().items())
    if name == "fc.bias":  # which another head takes the place of
        assert load_pretrained(fresh(small, classes=2), file, may_differ=["fc"]) == ["fc.weight", "fc.bias"]


def test_weights_too_large_for_the_network_are_refused(file):
    weights = trained(small).state_dict()
    weights["layer1.0.conv1.weight"] = weights["layer1.0.conv1.weight"].double() * 1e300
    torch.save(weights, file)
    with pytest.raises(ValueError, match=r"NaN or infinite: layer1\.0\.conv1\.weight"):
        load_pretrained(fresh(small), file)


@pytest.mark.parametrize("name", ["bn1.running_var", "layer3.0.bn2.running_var"])
def test_a_variance_below_zero_is_refused_by_name(file, name):
    weights = trained(small).state_dict()
    weights[name][0] = -1
    torch.save(weights, file)
    with pytest.raises(
        ValueError, match=rf"weights\.pt has weights that are negative, as no variance can be: {name}\. T"
    ):
        load_pretrained(fresh(small), file)


@pytest.mark.parametrize("name", ["conv1.weight", "bn1.bias"])
def test_complex_weights_of_a_real_network_are_refused(file, name):
    weights = trained(small).state_dict()
    weights[name] = weights[name] + 1j
    torch.save(weights, file)
    with pytest.raises(ValueError, match=rf"has weights that are complex: {name}\. Take another"):
        load_pretrained(fresh(small), file)


def test_complex_weights_of_a_complex_network_are_taken(file):
    network, other = (nn.Linear(2, 1, dtype=torch.complex64) for _ in range(2))
    torch.save(network.state_dict(), file)
    assert load_pretrained(other, file) == []
    assert torch.equal(other.weight, network.weight)


NOT_PLAIN = {
    "sparse": torch.Tensor.to_sparse,
    "compressed": lambda x: x.flatten(1).to_sparse_csr(),
    "meta": lambda x: x.to("meta"),
    "quantized": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR", "ignore:.*quantize", "ignore:TypedStorage")
@pytest.mark.parametrize("change", NOT_PLAIN.values(), ids=NOT_PLAIN)
@pytest.mark.parametrize("read", [read_weights, lambda file: load_pretrained(fresh(small), file)])
def test_what_is_no_dense_tensor_of_numbers_is_refused_by_name(file, change, read):
    weights = trained(small).state_dict()
    weights["conv1.weight"] = change(weights["conv1.weight"])
    torch.save(weights, file)
    with pytest.raises(
        ValueError, match=r"weights that are sparse, nested, packed or without values: conv1\.weight\. S"
    ):
        read(file)


@pytest.mark.parametrize("weight", [torch.zeros(3), torch.tensor(1.0), torch.zeros(0)])
def test_a_first_layer_of_few_axes_is_of_another_shape(file, weight):
    torch.save(trained(small).state_dict() | {"conv1.weight": weight}, file)
    shape = str(tuple(weight.shape)).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=rf"is of another network.*conv1\.weight {shape} instead of \(4, 3"):
        load_pretrained(fresh(small), file)


def test_many_names_are_counted():
    weights = {f"w{number}": torch.tensor(float("nan")) for number in range(9)} | {"count": torch.tensor(3)}
    assert not_finite(weights) == [f"w{number}" for number in range(9)]
