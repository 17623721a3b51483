"""Weights to start from: taken, refused, or left to chance."""

import pytest
import torch
from monai.networks.nets import ResNet

from monai_freq.bundle.initial_weights import check_weights, load_init
from monai_freq.errors import UsageError


def network(classes=2, channels=1):
    return ResNet("basic", [1, 1, 1, 1], [4, 4, 4, 4], 2, channels, num_classes=classes)


def test_random_leaves_the_network_alone():
    one = network()
    before = {key: value.clone() for key, value in one.state_dict().items()}
    load_init(one, "random")
    assert all(torch.equal(value, before[key]) for key, value in one.state_dict().items())


def test_a_head_of_other_classes_is_kept(tmp_path, caplog):
    source, target = network(classes=10), network()
    torch.save(source.state_dict(), tmp_path / "model.pt")
    head = target.fc.weight.clone()
    load_init(target, str(tmp_path / "model.pt"))
    assert torch.equal(target.layer1[0].conv1.weight, source.layer1[0].conv1.weight)
    assert torch.equal(target.fc.weight, head)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, ["There is no file", "--init random"]),
        (lambda path: path.write_bytes(b"none"), ["cannot be read as weights", "--may_differ"]),
        (lambda path: torch.save(network(channels=2).state_dict(), path), ["of another shape: conv1.weight"]),
        (lambda path: torch.save({"x": torch.zeros(1)}, path), ["missing: conv1.weight"]),
    ],
)
def test_other_files_are_refused(make, says, tmp_path):
    path = tmp_path / "model.pt"
    make(path)
    with pytest.raises(UsageError) as stop:
        load_init(network(), str(path))
    assert all(part in str(stop.value) for part in [str(path), *says])
    assert len(str(stop.value).splitlines()) == 2


def test_what_may_differ_is_an_argument(tmp_path):
    torch.save(network(channels=2).state_dict(), tmp_path / "model.pt")
    load_init(network(), str(tmp_path / "model.pt"), may_differ=["fc", "conv1"])


@pytest.mark.parametrize("content", [dict, lambda state: {"model": state}], ids=["weights", "MONAI's checkpoint"])
def test_weights_of_the_network_pass(content, tmp_path):
    torch.save(content(network().state_dict()), tmp_path / "model.pt")
    check_weights(network(), str(tmp_path / "model.pt"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"none"), "holds no weights: "),
        (lambda path: torch.save([1], path), "holds no weights: "),
        (
            lambda path: torch.save(network(channels=2).state_dict(), path),
            "another network: conv1.weight is missing",
        ),
        (
            lambda path: torch.save(network().state_dict() | {"x": torch.zeros(1)}, path),
            "another network: x is missing",
        ),
        (lambda path: torch.save({"x": torch.zeros(1)}, path), "another network: bn1.bias and 77 more are missing"),
    ],
)
def test_weights_of_another_network_are_refused(make, says, tmp_path):
    path = tmp_path / "model.pt"
    make(path)
    with pytest.raises(UsageError) as stop:
        check_weights(network(), str(path))
    first, second = str(stop.value).splitlines()
    assert first.startswith(str(path))
    assert says in first
    assert "--" in second


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda x: -x, "negative, as no variance can be"),
        (lambda x: x + 1j, "complex"),
        (torch.Tensor.to_sparse, "sparse, nested, packed or without values"),
        (lambda x: x.to("meta"), "sparse, nested, packed or without values"),
    ],
)
def test_what_can_be_no_variance_is_refused(change, what, tmp_path):
    state = network().state_dict()
    state["bn1.running_var"] = change(state["bn1.running_var"])
    torch.save({"model": state}, tmp_path / "model.pt")
    with pytest.raises(UsageError) as stop:
        check_weights(network(), str(tmp_path / "model.pt"))
    assert str(stop.value).splitlines()[0] == f"{tmp_path}/model.pt: bn1.running_var is {what}."


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value, tmp_path):
    state = network().state_dict()
    for name, others in (("layer4.0.bn2.running_mean", "is"), ("bn1.weight", "and 1 more are")):
        state[name][0] = value
        torch.save({"model": state}, tmp_path / "model.pt")
        with pytest.raises(UsageError) as stop:
            check_weights(network(), str(tmp_path / "model.pt"))
        first, second = str(stop.value).splitlines()
        assert first == f"{tmp_path}/model.pt: {name} {others} NaN or infinite."
        assert second == "Train again, with a lower --learning_rate."
        with pytest.raises(UsageError, match=r"has weights that are NaN or infinite: .*running_mean") as stop:
            load_init(network(), str(tmp_path / "model.pt"))
        assert len(str(stop.value).splitlines()) == 2
