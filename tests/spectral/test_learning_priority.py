"""Learning priority: the right gradient, and a network left unchanged."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from monai_freq.losses import SpectralDecouplingLoss
from monai_freq.spectral.learning_priority import input_gradient, learning_priority
from monai_freq.spectral.psd import centroid, radial_psd


def template(k, size=16):
    return torch.cos(2 * math.pi * k * torch.arange(size) / size).expand(size, size)


class Matched(nn.Module):
    """Correlation of the image with a template: its input gradient is the template."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, x):
        return (x * self.weight).flatten(1).sum(1, keepdim=True)


class Typed(Matched):
    """Network that notes the type of its input."""

    def forward(self, x):
        self.got = x.dtype
        return super().forward(x)


@pytest.mark.parametrize("k", [2, 5, 7])
def test_a_network_that_matches_a_tone_lives_on_its_frequency(k):
    frequencies, density = learning_priority(
        Matched(template(k)), lambda y, label: y.sum(), torch.rand(3, 1, 16, 16), torch.zeros(3)
    )
    assert (frequencies[density.argmax(1)] == k / 16).all()
    torch.testing.assert_close(centroid(frequencies, density), torch.full((3,), k / 16), atol=1e-4, rtol=0)


def test_gradients_are_summed_over_channels_and_normalised_per_sample():
    weight = torch.randn(3, 12, 12)
    images = torch.rand(2, 3, 12, 12)
    _, density = learning_priority(
        Matched(weight), lambda y, label: y.sum() * label.sum(), images, torch.tensor([1.0, 50.0])
    )
    _, expected = radial_psd(weight.sum(0), spatial_dims=2)
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    torch.testing.assert_close(density, expected.expand(2, -1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_each_sample_has_the_gradient_of_its_own_loss(reduction):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 2, 1, 1])
    found = input_gradient(network, nn.CrossEntropyLoss(reduction=reduction), images, labels)
    for image, label, one in zip(images, labels, found, strict=True):
        x = image[None].clone().requires_grad_()
        nn.functional.cross_entropy(network(x), label[None]).backward()
        torch.testing.assert_close(one, x.grad[0])


class Busy(nn.Module):
    """Network with batch norm, dropout, frozen parts and several outputs."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU())
        self.head = nn.Conv2d(4, 2, 1)
        self.head.bias.requires_grad_(False)

    def forward(self, x):
        if self.kind.startswith("checkpoint"):
            x = checkpoint(self.body, x, use_reentrant=self.kind == "checkpoint reentrant")
        else:
            x = self.body(x)
        y = self.head(x)
        return {"list": [y, y[..., ::2]], "tuple": (y, None), "dict": {"pred": y}}.get(self.kind, y)


@pytest.mark.parametrize("kind", ["plain", "list", "tuple", "dict", "checkpoint reentrant", "checkpoint"])
def test_the_network_comes_back_as_it_was(kind):
    torch.manual_seed(0)
    network = Busy(kind).train()
    network.body[1].eval()  # one part frozen by its user
    images, labels = torch.rand(2, 1, 8, 8), torch.randint(2, (2, 8, 8))
    network.head.weight.grad = torch.full_like(network.head.weight, 3.0)
    before = copy.deepcopy(network)
    gradients = {name: None if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}
    random_state = torch.get_rng_state()
    frequencies, density = learning_priority(network, nn.CrossEntropyLoss(), images, labels)
    assert density.shape == (2, len(frequencies))
    assert density.max() == 1
    assert torch.equal(torch.get_rng_state(), random_state)
    for old, new in zip(before.modules(), network.modules(), strict=True):
        assert old.training == new.training
    for (name, old), (_, new) in zip(before.named_parameters(), network.named_parameters(), strict=True):
        assert torch.equal(old, new), name
        assert old.requires_grad == new.requires_grad, name
        assert (gradients[name] is None) == (new.grad is None), name
        assert new.grad is None or torch.equal(gradients[name], new.grad), name
    for (name, old), (_, new) in zip(before.named_buffers(), network.named_buffers(), strict=True):
        assert torch.equal(old, new), name
    assert images.grad is None
    assert not images.requires_grad


def test_the_call_count_of_a_loss_is_unchanged():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), lam=0.1, delay=3)
    images, labels = torch.rand(2, 1, 8, 8), torch.tensor([0, 1])
    loss(network(images), labels)
    before = {name: value.clone() for name, value in loss.named_buffers()}
    assert {"calls", "mean_abs_logit"} <= before.keys()
    learning_priority(network, loss, images, labels)
    assert loss.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in loss.named_buffers())


class Restless(Matched):
    """Network whose buffers change at every call, even in evaluation mode: one in place, one by another tensor."""

    def __init__(self):
        super().__init__(torch.ones(8, 8))
        self.register_buffer("counted", torch.zeros(2))
        self.register_buffer("seen", torch.tensor(math.nan))

    def forward(self, x):
        self.counted += 1
        self.seen = x.detach().mean()
        return super().forward(x)


def test_buffers_that_change_in_evaluation_mode_come_back():
    network = Restless()
    counted, seen = network.counted, network.seen
    learning_priority(network, lambda y, label: y.sum(), torch.rand(2, 1, 8, 8), torch.zeros(2))
    assert network.counted is counted
    assert network.seen is seen
    assert counted.tolist() == [0, 0]
    assert seen.isnan()


def test_what_autograd_has_saved_is_not_touched():
    network = Busy("plain").eval()
    images = torch.rand(2, 1, 8, 8)
    output = network(images).sum()
    learning_priority(network, nn.CrossEntropyLoss(), images, torch.randint(2, (2, 8, 8)))
    output.backward()
    assert network.head.weight.grad is not None


def test_the_network_comes_back_after_an_error():
    network = Busy("plain").train()
    with pytest.raises(RuntimeError):
        learning_priority(network, nn.CrossEntropyLoss(), torch.rand(1, 3, 8, 8), torch.zeros(1))
    assert network.body[2].training
    assert network.head.weight.requires_grad


def test_it_works_within_no_grad_autocast_and_in_three_dimensions():
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1))
    images, labels = torch.rand(2, 1, 8, 9, 6), torch.randint(2, (2, 8, 9, 6))
    expected = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1]
    torch.testing.assert_close(found, expected)


def test_a_loss_that_ignores_the_image_has_no_priority():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    density = learning_priority(network, lambda y, label: 0 * y.sum(), torch.rand(2, 1, 8, 8), torch.zeros(2))[1]
    assert (density == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 24), (13,), (1, 1, 1), (4, 9, 6)])
def test_images_of_one_pixel_or_unequal_sides(shape):
    weight = torch.randn(shape)
    frequencies, density = learning_priority(
        Matched(weight), lambda y, label: y.sum(), torch.rand(2, 1, *shape), torch.zeros(2)
    )
    expected = radial_psd(weight, spatial_dims=len(shape))
    assert torch.equal(frequencies, expected[0])
    low, high = expected[1].aminmax()
    normalised = (expected[1] - low) / (high - low) if high > low else torch.zeros(1)
    torch.testing.assert_close(density, normalised.expand(2, -1), atol=1e-5, rtol=1e-4)


def test_a_constant_image_has_the_priority_of_its_gradient():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    image = torch.full((1, 1, 8, 8), 0.3, requires_grad=True)
    label = torch.tensor([2])
    nn.functional.cross_entropy(network(image), label).backward()
    expected = radial_psd(image.grad[0, 0], spatial_dims=2)[1]
    density = learning_priority(network, nn.CrossEntropyLoss(), image.detach(), label)[1][0]
    torch.testing.assert_close(density, (expected - expected.min()) / (expected.max() - expected.min()))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_image_that_is_not_finite_makes_its_own_density_nan_only(value):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    images, labels = torch.rand(3, 1, 8, 8), torch.tensor([0, 2, 1])
    expected = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1]
    images[1] = images[1] * value
    density = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1]
    assert density[1].isnan().all()
    torch.testing.assert_close(density[[0, 2]], expected[[0, 2]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_gets_images_of_its_own_type(dtype):
    network, images = Typed(template(3)).to(dtype), torch.rand(2, 1, 16, 16, dtype=dtype)
    gradient = input_gradient(network, lambda y, label: y.sum(), images, torch.zeros(2))
    assert network.got == dtype
    assert gradient.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(gradient, network.weight.detach().to(gradient.dtype).expand(2, 1, -1, -1))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.rand(2, 8), torch.zeros(2), r"'images' must have the shape \(B, C, \*spatial\), got \(2, 8\)"),
        (torch.rand(2, 1, 8), torch.zeros(3), "must have the same length, got 2 and 3"),
    ],
)
def test_bad_input(images, labels, message):
    with pytest.raises(ValueError, match=message):
        learning_priority(nn.Identity(), nn.MSELoss(), images, labels)


def classifier(dtype=torch.float32):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).to(dtype)


@pytest.mark.parametrize(("of_images", "of_network"), [(torch.float64, torch.float32), (torch.float32, torch.bfloat16)])
def test_images_of_another_type_than_the_network_are_refused(of_images, of_network):
    network = classifier(of_network)
    message = f"'images' are computed in {of_images}, and the network is {of_network}: convert one to the other"
    with pytest.raises(ValueError, match=message):
        learning_priority(network, nn.CrossEntropyLoss(), torch.rand(2, 1, 8, 8, dtype=of_images), torch.tensor([0, 1]))


@pytest.mark.parametrize("images", [np.zeros((2, 1, 8, 8)), [[[[0.0]]]], None])
def test_images_that_are_no_tensor_are_refused(images):
    with pytest.raises(TypeError, match=r"'images' must be a torch\.Tensor, got "):
        learning_priority(classifier(), nn.CrossEntropyLoss(), images, torch.tensor([0, 1]))


@pytest.mark.parametrize("labels", [None, 1, torch.tensor(1)])
def test_labels_that_cannot_be_counted_are_refused(labels):
    with pytest.raises(TypeError, match="'labels' must be one for each of 2 images, got "):
        learning_priority(classifier(), nn.CrossEntropyLoss(), torch.rand(2, 1, 8, 8), labels)


@pytest.mark.parametrize("output", [None, [], {}, "scores", 3, [None]])
def test_a_network_without_a_tensor_is_refused(output):
    network = nn.Identity()
    network.forward = lambda x: output
    with pytest.raises(ValueError, match="must return a tensor, or a collection that starts with one, got "):
        learning_priority(network, nn.CrossEntropyLoss(), torch.rand(2, 1, 8, 8), torch.tensor([0, 1]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.bool])
def test_labels_of_any_integer_type_are_taken(dtype):
    images, labels = torch.rand(2, 1, 8, 8), torch.tensor([0, 1])
    network = classifier()
    results = [learning_priority(network, nn.CrossEntropyLoss(), images, each) for each in (labels, labels.to(dtype))]
    assert torch.equal(results[0][1], results[1][1])


def test_other_errors_of_a_network_come_through_as_they_are():
    class Asking(nn.Linear):
        def forward(self, x):
            raise RuntimeError("prepare() comes first")

    with pytest.raises(RuntimeError, match="prepare"):
        learning_priority(Asking(8, 2), nn.CrossEntropyLoss(), torch.rand(2, 1, 8, 8).double(), torch.tensor([0, 1]))
