"""The trainings on coloured digits: their data, their branches and their tables."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits

ROOT = Path(__file__).parent.parent


@pytest.fixture
def coloured(monkeypatch):
    spec = importlib.util.spec_from_file_location("coloured_digits", ROOT / "docs/results/coloured_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HIDDEN", 8)
    return module


def test_the_colour_tells_the_noisy_label_as_often_as_is_said(coloured):
    agreed, right = {"first": [], "second": [], "test": []}, []
    known = {image.tobytes(): target for image, target in zip(load_digits().images, load_digits().target, strict=True)}
    for seed in range(5):
        x, y, x_test, y_test = coloured.digits(seed)
        images = torch.cat([x, x_test]).view(-1, 2, 8, 8)
        label = torch.cat([y, y_test])[:, 0]
        colour = images.flatten(2).sum(2).argmax(1)
        assert len(images) == len(load_digits().target)
        assert bool((images.flatten(2).amax(2).min(1).values == 0).all())  # the other channel is empty
        targets = [known[(16 * image.sum(0)).double().numpy().tobytes()] for image in images]
        right += ((torch.tensor(targets) < 5) == (label == 1)).tolist()
        same = (colour == label).float()
        parts = same[: coloured.TRAIN : 2], same[1 : coloured.TRAIN : 2], same[coloured.TRAIN :]
        for name, part in zip(agreed, parts, strict=True):
            agreed[name] += part.tolist()
    for found, wanted in ((right, 0.75), *zip(agreed.values(), (0.8, 0.9, 0.1), strict=True)):
        assert stats.binomtest(round(sum(found)), len(found), wanted).pvalue > 1e-3


def test_a_branch_goes_on_as_if_there_were_none(coloured):
    data = coloured.digits(3)
    whole = coloured.begin(3, coloured.published(delay=6))
    seen = coloured.go_on(whole, 0, 60, data)
    trunk = coloured.begin(3, coloured.published(delay=6))
    coloured.go_on(trunk, 0, 10, data)
    same, other = (
        coloured.branch(trunk, coloured.published(delay=6)),
        coloured.branch(trunk, coloured.published(delay=50)),
    )
    assert coloured.go_on(same, 10, 60, data)[-1] == seen[-1]
    coloured.go_on(other, 10, 60, data)  # the same state, with another loss
    weights = [torch.cat([w.flatten() for w in state.network.parameters()]) for state in (whole, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_published_loss_is_the_formula(coloured):
    logits, y = torch.randn(6, 1), torch.tensor([[0.0], [1], [1], [0], [1], [0]])
    loss, nll = coloured.published(delay=1), torch.nn.functional.softplus(logits * (1 - 2 * y)).mean()
    torch.testing.assert_close(loss(logits, y), nll + 2e-5 * logits.square().mean())
    torch.testing.assert_close(loss(logits, y), 2e-5 * (nll + logits.square().mean()))


def test_the_tables_show_means_and_intervals(coloured):
    def made(test):
        return [coloured.Step(step, 0.5 + test, test, 1.0, 1e-3, 1e-2) for step in range(0, coloured.STEPS, 50)]

    names = [coloured.RECIPE, *coloured.BRANCHES, coloured.ERM, coloured.FROM_THE_START]
    runs = [{name: made(place / 100 + seed**2 / 700) for place, name in enumerate(names)} for seed in range(4)]
    text = "\n".join(coloured.report(runs))
    values = [seed**2 / 700 for seed in range(4)]
    low, high = stats.t.interval(0.95, 3, sum(values) / 4, stats.sem(values))
    assert f"| recipe | {sum(values) / 4 + 0.5:.3f} (" in text
    assert f"| {sum(values) / 4:.3f} ({low:.3f} to {high:.3f}) |" in text
    less = re.search(rf"{re.escape(names[1])} \|.*?\|.*?\| ([^|]*) \|", text).group(1)
    assert less == "-0.010 (-0.010 to -0.010)"
