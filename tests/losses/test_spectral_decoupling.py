"""Spectral decoupling against a loop over single logits, and its gradient against the closed form."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.losses import DeepSupervisionLoss, DiceCELoss, DiceLoss
from torch import nn
from torch.nn.functional import one_hot

from monai_freq.losses import SpectralDecouplingLoss

VARIANTS = list(itertools.product(("all", "target"), ("sum", "mean")))
PER_CLASS = [0.1, 0.0, 0.5, 0.02]


def zero(input, target):
    """A base that leaves the penalty alone."""
    return input.new_zeros(())


def positives(target, shape, sample, voxel):
    """Classes that a target of any form names at one voxel."""
    batch, classes, *spatial = shape
    if target.shape == shape:
        return [k for k in range(classes) if target[(sample, k, *voxel)] == 1]
    return [k for k in range(classes) if target.reshape(batch, *spatial)[(sample, *voxel)] == k]


def reference(logits, target, lam, gamma, which, reduction):
    """Penalty and its gradient, logit by logit, in Python's own numbers."""
    batch, classes, *spatial = logits.shape
    lams = lam if isinstance(lam, list) else [lam] * classes
    gammas = gamma if isinstance(gamma, list) else [gamma] * classes
    places = [(b, v) for b in range(batch) for v in itertools.product(*map(range, spatial))]
    value, gradient = 0.0, torch.zeros_like(logits)
    for b, v in places:
        chosen = range(classes) if which == "all" else positives(target, logits.shape, b, v)
        share = 1 / len(places) / (max(len(chosen), 1) if reduction == "mean" else 1)
        for k in chosen:
            away = float(logits[(b, k, *v)]) - gammas[k]
            value += share * lams[k] / 2 * away**2
            gradient[(b, k, *v)] = share * lams[k] * away
    return value, gradient


def targets(spatial):
    """name -> target, for three samples of four classes."""
    index = torch.randint(0, 4, (3, *spatial))
    hot = one_hot(index, 4).movedim(-1, 1)
    labels = torch.randint(0, 2, (3, 4, *spatial))
    labels[0] = 0  # a sample without any label
    return {
        "index": index,
        "index with a channel": index[:, None],
        "index in float": index[:, None].float(),
        "one-hot": hot,
        "multi-label": labels.float(),
    }


@pytest.mark.parametrize(("which", "reduction"), VARIANTS)
@pytest.mark.parametrize(
    ("lam", "gamma"), [(0.06, 0.0), (0.06, 1.5), (PER_CLASS, 0.0), (PER_CLASS, [2.0, -1.0, 0.5, 0.0])]
)
@pytest.mark.parametrize("spatial", [(), (2, 3), (2, 3, 2)])
def test_value_and_gradient_in_closed_form(spatial, lam, gamma, which, reduction):
    logits = (3 * torch.randn(3, 4, *spatial, dtype=torch.float64)).requires_grad_()
    loss = SpectralDecouplingLoss(zero, lam, gamma, which, reduction)
    for target in targets(spatial).values():
        penalty = loss(logits, target)
        (gradient,) = torch.autograd.grad(penalty, logits)
        value, expected = reference(logits.detach(), target, lam, gamma, which, reduction)
        assert penalty.item() == pytest.approx(value, rel=1e-6)
        torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-12)


def test_the_gradient_of_the_plain_form_is_lambda_z_over_the_batch():
    logits = torch.randn(5, 3, requires_grad=True)
    SpectralDecouplingLoss(zero, lam=0.06)(logits, torch.zeros(5, dtype=torch.long)).backward()
    torch.testing.assert_close(logits.grad, 0.06 * logits.detach() / 5)


def test_soft_labels_weigh_the_penalty_by_their_probability():
    logits, labels = torch.randn(4, 3), torch.rand(4, 3).softmax(1)
    expected = (labels * logits.square()).sum(1).mean() / 2
    for reduction in ("sum", "mean"):
        torch.testing.assert_close(SpectralDecouplingLoss(zero, 1.0, 0, "target", reduction)(logits, labels), expected)


def test_an_ignored_index_has_no_target_class():
    logits, target = torch.randn(2, 3, 4), torch.tensor([[0, 1, -100, 2], [-100, -100, 1, 0]])
    base = nn.CrossEntropyLoss(ignore_index=-100)
    penalty = SpectralDecouplingLoss(base, 0.3, 0, "target")(logits, target) - base(logits, target)
    value, _ = reference(logits, target, 0.3, 0.0, "target", "sum")
    assert float(penalty) == pytest.approx(value, abs=1e-6)


BASES = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss(), "index"),
    "weighted CrossEntropyLoss": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0])), "index"),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss(), "multi-label"),
    "DiceLoss": (DiceLoss(softmax=True, to_onehot_y=True), "index with a channel"),
    "DiceCELoss": (DiceCELoss(softmax=True, to_onehot_y=True), "index in float"),
}


@pytest.mark.parametrize(("which", "reduction"), VARIANTS)
@pytest.mark.parametrize("name", BASES)
def test_any_base(name, which, reduction):
    base, form = BASES[name]
    for spatial in ((4, 5), (3, 4, 5)):
        logits, target = torch.randn(3, 4, *spatial), targets(spatial)[form]
        nothing = SpectralDecouplingLoss(base, 0, 0, which, reduction)
        assert torch.equal(nothing(logits, target), base(logits, target))
        value, _ = reference(logits, target, 0.06, 0.0, which, reduction)
        some = SpectralDecouplingLoss(base, 0.06, 0, which, reduction)(logits, target)
        assert float(some - base(logits, target)) == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_one_logit_per_sample():
    logits, target = torch.randn(6, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    base = nn.BCEWithLogitsLoss()
    everywhere = SpectralDecouplingLoss(base, 1.0)(logits, target) - base(logits, target)
    torch.testing.assert_close(everywhere, logits.square().mean() / 2)
    positive = SpectralDecouplingLoss(base, 1.0, which="target")(logits, target) - base(logits, target)
    torch.testing.assert_close(positive, (target * logits.square()).mean() / 2)


def test_training_ends_at_the_logits_that_balance_the_two():
    # at the minimum of log(1 + exp(-z)) + lam/2 z^2 its derivative is zero: lam z = sigmoid(-z)
    logit, lam = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True), 0.06
    loss = SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), lam)
    optimizer = torch.optim.SGD([logit], lr=3.0)
    for _ in range(300):
        optimizer.zero_grad()
        loss(logit, torch.ones_like(logit)).backward()
        optimizer.step()
    assert lam * logit.item() == pytest.approx(torch.sigmoid(-logit).item(), rel=1e-6)


def differences(loss, calls, logits, target):
    return [float(loss(logits, target) - loss.base(logits, target)) for _ in range(calls)]


def test_the_penalty_starts_after_the_delay():
    logits, target = torch.randn(2, 3), torch.tensor([0, 2])
    full = float(SpectralDecouplingLoss(zero, 0.5)(logits, target))
    loss = SpectralDecouplingLoss(zero, 0.5, delay=3)
    assert differences(loss, 5, logits, target) == [0, 0, 0, full, full]


def test_only_training_counts():
    logits, target = torch.randn(2, 3), torch.tensor([0, 2])
    loss = SpectralDecouplingLoss(zero, 0.5, delay=2)
    loss(logits, target)
    differences(loss.eval(), 5, logits, target)
    loss.train()
    with torch.no_grad():
        differences(loss, 5, logits, target)
    assert int(loss.calls) == 1
    assert differences(loss, 2, logits, target)[0] == 0
    assert float(loss.eval()(logits, target)) > 0


def test_a_saved_loss_resumes_its_delay():
    logits, target = torch.randn(2, 3), torch.tensor([0, 2])
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.5, delay=3)
    differences(loss, 2, logits, target)
    state = loss.state_dict()
    assert set(state) == {"calls"}
    again = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.5, delay=3)
    again.load_state_dict(state)
    first, second = differences(again, 2, logits, target)
    assert first == 0
    assert second > 0


def test_the_scale_multiplies_value_and_gradient_after_the_delay():
    logits, target = torch.randn(4, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0, 2, 1, 1])
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.5, 1.0, delay=2, scale=2e-5)
    plain = nn.CrossEntropyLoss()(logits, target)
    whole = 2e-5 * (plain + 0.25 * (logits - 1).square().sum(1).mean())
    for expected in (plain, plain, whole, whole):
        value = loss(logits, target)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        gradients = (torch.autograd.grad(one, logits, retain_graph=True)[0] for one in (value, expected))
        torch.testing.assert_close(*gradients, rtol=1e-12, atol=0)


def test_without_a_delay_the_scale_is_there_at_once():
    logits, target = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    full = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.5)(logits, target)
    torch.testing.assert_close(SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.5, scale=3)(logits, target), 3 * full)
    number = SpectralDecouplingLoss(lambda input, target: 0.25, 0, scale=0.5)  # a base without a gradient
    assert float(number(logits, target)) == 0.125


def test_validation_sees_the_scale_and_does_not_bring_it_nearer():
    logits, target = torch.randn(2, 3), torch.tensor([0, 2])
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.5, delay=1, scale=0.1)
    plain = loss.base(logits, target)
    assert all(torch.equal(loss.eval()(logits, target), plain) for _ in range(3))
    assert torch.equal(loss.train()(logits, target), plain)
    torch.testing.assert_close(loss.eval()(logits, target), 0.1 * (plain + 0.25 * logits.square().sum(1).mean()))


def test_a_saved_loss_resumes_its_scale():
    """A training that is stopped and resumed anywhere has the steps of one that is not."""

    def made():
        torch.manual_seed(0)
        network = nn.Linear(4, 3)
        early = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.01)
        loss = SpectralDecouplingLoss(early, 0.5, delay=3, scale=0.01)
        return network, loss, torch.optim.Adam(network.parameters(), 0.1)

    def train(network, loss, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss(network(images), target).backward()
            optimizer.step()

    images, target = torch.randn(5, 4), torch.tensor([0, 2, 1, 1, 0])
    whole = made()
    train(*whole, steps=6)
    for stop in range(1, 6):
        first, second = made(), made()
        train(*first, steps=stop)
        for one, other in zip(second, first, strict=True):
            one.load_state_dict(other.state_dict())
        train(*second, steps=6 - stop)
        assert torch.equal(second[0].weight, whole[0].weight), stop


def by_label(logits, labels, lam, gamma, which, reduction):
    """Penalty with a mean for each label, logit by logit, in Python's own numbers; None is no label."""
    batch, classes, *spatial = logits.shape
    places = [(b, v) for b in range(batch) for v in itertools.product(*map(range, spatial))]
    total = 0.0
    for label in range(max(classes, 2)):
        sums = []
        for b, v in places:
            if int(labels[(b, *v)]) != label:
                continue
            chosen = range(classes) if which == "all" else [label]
            squares = [(float(logits[(b, k, *v)]) - gamma[label]) ** 2 for k in chosen]
            sums.append(sum(squares) / (len(squares) if reduction == "mean" else 1))
        total += lam[label] / 2 * sum(sums) / len(sums) if sums else 0.0
    return total


@pytest.mark.parametrize(("which", "reduction"), VARIANTS)
@pytest.mark.parametrize("spatial", [(), (2, 3), (2, 3, 2)])
def test_by_label_value_and_gradient(spatial, which, reduction):
    lam, gamma = PER_CLASS, [2.0, -1.0, 0.5, 0.3]
    logits = (3 * torch.randn(5, 4, *spatial, dtype=torch.float64)).requires_grad_()
    index = torch.randint(0, 4, (5, *spatial))
    index[index == 1] = 0  # a label that is not there
    index[0].view(-1)[0] = -100  # a sample or voxel without one
    loss = SpectralDecouplingLoss(zero, lam, gamma, which, reduction, by="label")
    expected = by_label(logits.detach(), index, lam, gamma, which, reduction)
    hot = one_hot(index.clamp_min(0), 4).movedim(-1, 1) * (index >= 0).unsqueeze(1)
    for target in (index, index[:, None], index[:, None].float(), hot):
        assert loss(logits, target).item() == pytest.approx(expected, rel=1e-6)
    assert torch.autograd.gradcheck(lambda z: loss(z, index), logits)


def test_by_label_of_one_logit_is_the_plain_formula():
    logits, target = torch.randn(7, 1, dtype=torch.float64), torch.tensor([0.0, 1, 0, 0, 1, 0, 0]).view(-1, 1)
    loss = SpectralDecouplingLoss(zero, [0.3, 0.1], [0.44, 2.5], by="label")
    negative, positive = logits[target == 0], logits[target == 1]
    expected = 0.15 * (negative - 0.44).square().mean() + 0.05 * (positive - 2.5).square().mean()
    for form in (target, target[:, 0], target[:, 0].long()):
        torch.testing.assert_close(loss(logits, form), expected, rtol=1e-6, atol=0)


def test_each_label_counts_alike_however_rare():
    logits, target = torch.randn(6, 2), torch.tensor([0, 0, 0, 0, 0, 1])
    loss = SpectralDecouplingLoss(zero, 1.0, [0.5, -0.5], by="label")
    repeated = torch.tensor([0, 1, 2, 3, 4, 5, 5, 5])
    torch.testing.assert_close(loss(logits, target), loss(logits[repeated], target[repeated]))
    alone = loss(logits[:5], target[:5])  # a batch without the rare one
    torch.testing.assert_close(alone, (logits[:5] - 0.5).square().sum(1).mean() / 2)


def test_by_label_soft_labels_weigh_samples():
    logits, labels = torch.randn(4, 3), torch.rand(4, 3).softmax(1)
    squares = logits.square().sum(1)
    expected = sum((labels[:, c] * squares).sum() / labels[:, c].sum() for c in range(3)) / 2
    torch.testing.assert_close(SpectralDecouplingLoss(zero, 1.0, by="label")(logits, labels), expected)


def published():
    """name -> loss in one call, logits and target, and what the publication computes, written by hand."""
    logits, binary = 2 * torch.randn(9, 1, dtype=torch.float64), torch.randint(0, 2, (9, 1)).double()
    binary[0], binary[1] = 0, 1
    several, index = 2 * torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 4, (9,))
    nll = nn.functional.softplus(-logits * (2 * binary - 1)).mean()
    entropy = -several.log_softmax(1)[torch.arange(9), index].mean()
    low, high = logits[binary == 0], logits[binary == 1]
    early = SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), 4e-5)
    return {
        "formula": (
            SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), 0.06),
            logits,
            binary,
            [nll + 0.03 * (logits**2).mean()],
        ),
        "classes": (
            SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.01),
            several,
            index,
            [entropy + 0.005 * (several**2).sum(1).mean()],
        ),
        "colours": (
            SpectralDecouplingLoss(early, 2 - 4e-5, delay=1, scale=2e-5),
            logits,
            binary,
            [nll + 2e-5 * (logits**2).mean(), 2e-5 * (nll + (logits**2).mean())],
        ),
        "faces": (
            SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), 0.2, [0.44, 2.5], by="label"),
            logits,
            binary,
            [nll + 0.1 * ((high - 2.5) ** 2).mean() + 0.1 * ((low - 0.44) ** 2).mean()],
        ),
    }


@pytest.mark.parametrize("name", ["formula", "classes", "colours", "faces"])
def test_published_variants_are_one_call(name):
    loss, logits, target, expected = published()[name]
    for value in expected:
        torch.testing.assert_close(loss(logits, target), value, rtol=1e-6, atol=0)


def test_the_mean_logit_is_at_hand_without_a_graph():
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.1)
    assert math.isnan(loss.mean_abs_logit)
    logits = torch.randn(2, 3, 4, requires_grad=True)
    loss(logits, torch.zeros(2, 4, dtype=torch.long)).backward()
    torch.testing.assert_close(loss.mean_abs_logit, logits.detach().abs().mean())
    assert not loss.mean_abs_logit.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_logits_are_penalised_in_float32(dtype):
    logits = torch.full((2, 3), 300.0, dtype=dtype, requires_grad=True)  # its square is beyond float16
    loss = SpectralDecouplingLoss(zero, lam=2.0)(logits, torch.tensor([0, 1]))
    assert loss.dtype == torch.float32
    assert loss.item() == 3 * logits[0, 0].item() ** 2
    loss.backward()
    torch.testing.assert_close(logits.grad, logits.detach())  # lam z / B


def test_under_autocast():
    network, images = nn.Linear(5, 3), torch.randn(4, 5)
    target = torch.tensor([0, 1, 2, 0])
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.06)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(images)
        value = loss(logits, target)
    assert logits.dtype == torch.bfloat16
    assert value.dtype == torch.float32
    expected = nn.CrossEntropyLoss()(logits.float(), target) + 0.03 * logits.float().square().sum(1).mean()
    torch.testing.assert_close(value, expected)
    value.backward()
    assert torch.isfinite(network.weight.grad).all()


@pytest.mark.parametrize(("which", "reduction"), VARIANTS)
def test_nan_is_seen(which, reduction):
    logits, target = torch.randn(2, 3), torch.tensor([0, 2])
    logits[0, 1] = math.nan  # not the target's
    for by in ("logit", "label"):
        loss = SpectralDecouplingLoss(zero, 0.06, 0, which, reduction, by=by)
        assert math.isnan(loss(logits, target))
    assert math.isnan(loss.mean_abs_logit)


def test_meta_tensors_give_what_tensors_give():
    logits, target = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 1, 4, 5)).float()
    loss = SpectralDecouplingLoss(DiceCELoss(softmax=True, to_onehot_y=True), 0.06, which="target")
    expected = loss(logits, target)
    torch.testing.assert_close(loss(MetaTensor(logits), MetaTensor(target)), expected, check_dtype=True)
    assert type(loss.mean_abs_logit) is torch.Tensor


def test_copies_go_their_own_way():
    logits, target = torch.randn(2, 4, requires_grad=True), torch.tensor([0, 2])
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), PER_CLASS, 1.0, "target", "mean", 1, 2.0, "label")
    loss(logits, target)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(again.mean_abs_logit, loss.mean_abs_logit)
        assert repr(again) == repr(loss)
        assert again(logits, target) > loss.base(logits, target)
        assert int(again.calls) == 2
    assert int(loss.calls) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lam": -0.1}, r"'lam' must be a finite number >= 0, or a sequence of one a class, got -0.1"),
        ({"lam": [0.1, -0.1]}, r"'lam' must be .* got \[0.1, -0.1\]"),
        ({"lam": math.nan}, "'lam' must be .* got nan"),
        ({"lam": math.inf}, "'lam' must be .* got inf"),
        ({"lam": []}, r"'lam' must be .* got \[\]"),
        ({"lam": [[0.1]]}, r"'lam' must be .* got \[\[0.1\]\]"),
        ({"lam": 0.1, "gamma": [0, math.nan]}, r"'gamma' must be a finite number, or .* got \[0, nan\]"),
        ({"lam": [0.1, 0.2], "gamma": [0, 1, 2]}, "'lam' and 'gamma' must have one value a class, got 2 and 3"),
        ({"lam": 0.1, "which": "positive"}, "'which' must be one of all, target, got 'positive'"),
        ({"lam": 0.1, "reduction": "none"}, "'reduction' must be one of sum, mean, got 'none'"),
        ({"lam": 0.1, "delay": -1}, "'delay' .* must be an integer >= 0, got -1"),
        ({"lam": 0.1, "delay": 2.5}, "'delay' .* must be an integer >= 0, got 2.5"),
        ({"lam": 0.1, "delay": True}, "'delay' .* got True"),
        ({"lam": 0.1, "scale": 0}, "'scale' is a factor of the loss and must be a finite number > 0, got 0"),
        ({"lam": 0.1, "scale": math.inf}, "'scale' .* got inf"),
        ({"lam": 0.1, "scale": True}, "'scale' .* got True"),
        ({"lam": 0.1, "scale": "2e-5"}, "'scale' .* got '2e-5'"),
        ({"lam": 0.1, "by": "class"}, "'by' must be one of logit, label, got 'class'"),
        ({"lam": [0.1, 0.2], "gamma": [0, 1, 2], "by": "label"}, "must have one value a label, got 2 and 3"),
    ],
)
def test_settings_are_checked_when_the_loss_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        SpectralDecouplingLoss(zero, **settings)


@pytest.mark.parametrize(("base", "got"), [(0.01, "0.01"), (nn.CrossEntropyLoss, "CrossEntropyLoss")])
def test_a_base_that_is_no_loss_is_refused(base, got):
    with pytest.raises(TypeError, match=rf"'base' must be a loss, made and ready, .* got {got}\."):
        SpectralDecouplingLoss(base, nn.CrossEntropyLoss())


def test_logits_and_targets_are_checked():
    target = torch.tensor([0, 2])
    for name, settings in {"lam": {"lam": [0.1, 0.2]}, "gamma": {"lam": 0.1, "gamma": [0, 1]}}.items():
        with pytest.raises(ValueError, match=rf"'{name}' must be .* 3 for logits of shape \(2, 3\), got 2"):
            SpectralDecouplingLoss(zero, **settings)(torch.randn(2, 3), target)
    for logits in (torch.randn(2), torch.ones(2, 3, dtype=torch.long)):
        with pytest.raises(ValueError, match=r"'input' must be real logits of shape \(B, K, \*spatial\), got"):
            SpectralDecouplingLoss(zero, 0.1)(logits, target)
    for settings in ({"which": "target"}, {"by": "label"}):
        with pytest.raises(ValueError, match=r"'target' must have the shape \(2,\) or \(2, 1\) of .* got \(3,\)"):
            SpectralDecouplingLoss(zero, 0.1, **settings)(torch.randn(2, 3), torch.tensor([0, 1, 2]))
    for logits, count in ((torch.randn(2, 3), 3), (torch.randn(2, 1), 2)):
        with pytest.raises(ValueError, match=rf"'gamma' must be one value or one a label: {count} for .* got 4"):
            SpectralDecouplingLoss(zero, 0.1, [0, 1, 2, 3], by="label")(logits, target)


@pytest.mark.parametrize(
    ("logits", "remedy"),
    [
        ([torch.randn(2, 3)] * 2, "DeepSupervisionLoss around this loss"),
        ((torch.randn(2, 3), None), "take the output that counts, or"),
        ({"out": torch.randn(2, 3)}, r"take the output that counts, as output\['out'\]"),
        (np.zeros((2, 3)), r"pass torch\.as_tensor"),
        (None, r"pass torch\.as_tensor"),
    ],
)
def test_logits_that_are_no_tensor_are_refused_with_what_to_do(logits, remedy):
    with pytest.raises(
        TypeError, match=rf"'input' must be a torch.Tensor of logits, got {type(logits).__name__}: .*{remedy}"
    ):
        SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.1)(logits, torch.tensor([0, 2]))


def test_deep_supervision_is_what_the_message_says():
    logits, coarse = [torch.randn(2, 3, 8, 8), torch.randn(2, 3, 4, 4)], torch.randint(3, (2, 1, 4, 4)).float()
    target = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    loss = SpectralDecouplingLoss(DiceLoss(softmax=True, to_onehot_y=True), 0.1)
    expected = loss(logits[0], target) + loss(logits[1], coarse) / 2
    torch.testing.assert_close(DeepSupervisionLoss(loss)(logits, target), expected)


@pytest.mark.parametrize("lam", ["a", None, [None], [0.1, "b"], 1j, {"a": 1}])
def test_what_is_no_number_is_refused_as_lam(lam):
    with pytest.raises(ValueError, match="'lam' must be a finite number >= 0, or a sequence of one a class, got "):
        SpectralDecouplingLoss(zero, lam)


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        (nn.CrossEntropyLoss(reduction="none"), ValueError, r"one number, got \(2,\): make it with reduction='mean'"),
        (lambda input, target: None, TypeError, "one number, got NoneType: is it without a return?"),
        (lambda input, target: (input.sum(), 3), TypeError, "one number, got tuple: return the part that is minimised"),
    ],
)
def test_a_base_that_returns_no_number_is_refused(base, error, message):
    with pytest.raises(error, match=f"'base' must return {message}"):
        SpectralDecouplingLoss(base, 0.1)(torch.randn(2, 3), torch.tensor([0, 2]))


@pytest.mark.parametrize("which", ["all", "target"])
@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint8])
def test_class_indices_of_any_integer_type_are_taken(dtype, which):
    loss, logits, target = SpectralDecouplingLoss(nn.CrossEntropyLoss(), 0.1, which=which), torch.randn(2, 3), [0, 2]
    assert torch.equal(loss(logits, torch.tensor(target, dtype=dtype)), loss(logits, torch.tensor(target)))
    maps, classes = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))  # of a segmentation
    assert torch.equal(loss(maps, classes.to(dtype)), loss(maps, classes))


def test_sparse_logits_and_targets_that_are_no_tensor_are_refused():
    loss = SpectralDecouplingLoss(zero, 0.1, by="label")
    with pytest.raises(ValueError, match=r"'input' must be a dense tensor, got torch\.sparse_coo"):
        loss(torch.randn(2, 3).to_sparse(), torch.tensor([0, 2]))
    for each in (loss, SpectralDecouplingLoss(zero, 0.1, which="target")):
        with pytest.raises(TypeError, match=r"'target' must be a torch\.Tensor, got list"):
            each(torch.randn(2, 3), [0, 2])
