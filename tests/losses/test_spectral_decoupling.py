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
    loss = SpectralDecouplingLoss(zero, 0.06, 0, which, reduction)
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
    loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), PER_CLASS, 1.0, "target", "mean", delay=1)
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
    with pytest.raises(ValueError, match=r"'target' must have the shape \(2,\) or \(2, 1\) of class .* got \(3,\)"):
        SpectralDecouplingLoss(zero, 0.1, which="target")(torch.randn(2, 3), torch.tensor([0, 1, 2]))


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
    loss = SpectralDecouplingLoss(zero, 0.1, which="target")
    with pytest.raises(ValueError, match=r"'input' must be a dense tensor, got torch\.sparse_coo"):
        loss(torch.randn(2, 3).to_sparse(), torch.tensor([0, 2]))
    with pytest.raises(TypeError, match=r"'target' must be a torch\.Tensor, got list"):
        loss(torch.randn(2, 3), [0, 2])
