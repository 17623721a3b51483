"""The trainings of docs/results/coloured_digits.md: what does the published recipe of spectral decoupling do, and why?

    python docs/results/coloured_digits.py out-digits

trains what is missing, with the seeds 0 to 9, on one thread, and writes the tables, ``out-digits/coloured_digits.md``,
and the figure, ``out-digits/accuracy.png``. Seeds may be named, so that several processes share the work.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from scipy.stats import t as student
from sklearn.datasets import load_digits
from torch import Tensor, nn

from monai_freq.figures import new_figure
from monai_freq.figures.palette import BLUE, SKY_BLUE, VERMILLION
from monai_freq.files import replacing
from monai_freq.losses import SpectralDecouplingLoss

SEEDS = range(10)
TRAIN, HIDDEN = 600, 300
LABEL_NOISE = 0.25
AGREEMENT = (0.8, 0.9, 0.1)  # of colour and label: two training environments, and the test
RATE, DELAY, STEPS, EVERY = 1e-4, 450, 2001, 50
LONG, LONG_SEEDS = 8001, range(3)  # how the recipe goes on after its end
FACTOR = 2e-5
SGD_RATE = 1.5e-5  # chosen with seed 100, so that the mean |z| at the end is about that of the recipe


class Step(NamedTuple):
    """A moment of a training; the last two are medians over the weights: the gradient, and what Adam divides by."""

    step: int
    train: float
    test: float
    mean_abs_logit: float
    gradient: float
    denominator: float


class State(NamedTuple):
    """What goes on from a step: the network, its optimiser and its loss."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    loss: SpectralDecouplingLoss


def digits(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Digits of two colours: training images and labels of both environments, test images and labels.

    The label says whether a digit is below five, and is wrong in a quarter of the images. The colour is a channel.

    Returns:
        Images ``(N, 128)`` in [0, 1] and labels ``(N, 1)``, 0 or 1, for training and for testing.
    """
    random = torch.Generator().manual_seed(seed)
    found = load_digits()
    order = torch.randperm(len(found.target), generator=random)
    images = torch.tensor(found.images, dtype=torch.float32)[order] / 16
    label = flipped((torch.tensor(found.target)[order] < 5).float(), LABEL_NOISE, random)
    where = torch.arange(len(order))
    agreement = torch.tensor(AGREEMENT)[torch.where(where < TRAIN, where % 2, 2)]
    colour = flipped(label, 1 - agreement, random)
    channels = torch.stack([images * (colour == k)[:, None, None] for k in (0, 1)], 1).flatten(1)
    return channels[:TRAIN], label[:TRAIN, None], channels[TRAIN:], label[TRAIN:, None]


def flipped(label: Tensor, share: float | Tensor, random: torch.Generator) -> Tensor:
    """Labels of 0 and 1, a share of them turned round at random."""
    return (label - (torch.rand(len(label), generator=random) < share).float()).abs()


def network(seed: int) -> nn.Sequential:
    """Two hidden layers, and one logit."""
    torch.manual_seed(seed)
    widths = (128, HIDDEN, HIDDEN, 1)
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def published(lam: float = 2.0, scale: float = FACTOR, delay: int = DELAY) -> SpectralDecouplingLoss:
    """The published loss: nll + 2e-5 z^2 at first, 2e-5 (nll + z^2) after the delay."""
    early = SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), 2 * FACTOR)
    return SpectralDecouplingLoss(early, max(lam - 2 * FACTOR, 0), delay=delay, scale=scale)


def begin(seed: int, loss: SpectralDecouplingLoss) -> State:
    """A network that has learned nothing."""
    made = network(seed)
    return State(made, torch.optim.Adam(made.parameters(), RATE), loss)


def branch(state: State, loss: SpectralDecouplingLoss, optimizer: str = "Adam", **settings: float) -> State:
    """The same network from the same step on, with another loss or optimiser."""
    made = copy.deepcopy(state.network)
    if optimizer == "SGD":
        new: torch.optim.Optimizer = torch.optim.SGD(made.parameters(), **settings)
    else:
        new = torch.optim.Adam(made.parameters(), RATE)
        if optimizer == "Adam":  # that remembers
            new.load_state_dict(copy.deepcopy(state.optimizer.state_dict()))
        for group in new.param_groups:
            group.update(settings)
    loss.calls.copy_(state.loss.calls)
    return State(made, new, loss)


def go_on(state: State, first: int, last: int, data: Sequence[Tensor]) -> list[Step]:
    """Train with full batches from one step to another, and look at it now and then."""
    x, y, x_test, y_test = data
    seen = []
    for step in range(first, last):
        state.optimizer.zero_grad()
        logits = state.network(x)
        state.loss(logits, y).backward()
        if step % EVERY == 0:
            with torch.no_grad():
                accuracies = share_right(logits, y), share_right(state.network(x_test), y_test)
            seen.append(Step(step, *accuracies, float(logits.detach().abs().mean()), *sizes(state.optimizer)))
        state.optimizer.step()
    return seen


def share_right(logits: Tensor, y: Tensor) -> float:
    """Accuracy."""
    return float(((logits > 0) == (y > 0.5)).float().mean())


def sizes(optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    """Medians over the weights: of the gradient's size, and of the root that Adam divides it by."""
    parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
    gradient = torch.cat([weight.grad.abs().flatten() for weight in parameters]).median()
    roots = []
    for weight in parameters:
        kept = optimizer.state[weight]
        if "exp_avg_sq" in kept:
            decay = optimizer.param_groups[0]["betas"][1]
            roots.append((kept["exp_avg_sq"] / (1 - decay ** float(kept["step"]))).sqrt().flatten())
    return float(gradient), float(torch.cat(roots).median()) if roots else float("nan")


NO_SCALE, ANEW = "recipe without the scale", "recipe, Adam starts anew"
#: name of an arm -> how it goes on from step 450 of the published training
BRANCHES: dict[str, Callable[[State], State]] = {
    NO_SCALE: lambda state: branch(state, published(scale=1)),
    "scale alone, no penalty": lambda state: branch(state, published(lam=0)),
    "recipe, epsilon 1e-12": lambda state: branch(state, published(), eps=1e-12),
    "recipe, epsilon 1e-4": lambda state: branch(state, published(), eps=1e-4),
    ANEW: lambda state: branch(state, published(), "new Adam"),
    "SGD in place of the scale": lambda state: branch(state, published(scale=1), "SGD", lr=SGD_RATE),
}
RECIPE, ERM, STOPPED, FROM_THE_START = "recipe", "no penalty (ERM)", "ERM, stopped at 450", "penalty from the start"
LOOKS = {
    RECIPE: (BLUE, "-"),
    NO_SCALE: (VERMILLION, "-"),
    "scale alone, no penalty": (SKY_BLUE, "--"),
    ANEW: (VERMILLION, ":"),
    "SGD in place of the scale": (BLUE, "--"),
    ERM: ("black", "-"),
}

Trained = dict[str, list[Step]]


def main(folder: str, *seeds: str) -> None:
    """Train what is missing, then report on what is there."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed in map(int, seeds or SEEDS):
        file = Path(folder) / f"seed-{seed}.json"
        if not file.exists():
            found = train_all(seed, LONG if seed in LONG_SEEDS else STEPS)
            with replacing(file) as aside:
                aside.write_text(json.dumps(found))
    runs = [
        {name: [Step(*step) for step in steps] for name, steps in json.loads(file.read_text()).items()}
        for file in sorted(Path(folder).glob("seed-*.json"))
    ]
    if len(runs) > 1:
        with replacing(Path(folder) / "coloured_digits.md") as aside:
            aside.write_text("\n".join(report(runs)) + "\n")
        picture(runs).savefig(Path(folder) / "accuracy.png", dpi=150)


def train_all(seed: int, last: int) -> Trained:
    """Every arm, with one seed of the data and of the network."""
    data = digits(seed)
    trunk = begin(seed, published())
    until = go_on(trunk, 0, DELAY, data)
    found = {name: until + go_on(make(trunk), DELAY, STEPS, data) for name, make in BRANCHES.items()}
    found[RECIPE] = until + go_on(trunk, DELAY, last, data)
    for name, lam in ((ERM, 0.0), (FROM_THE_START, 2.0)):
        found[name] = go_on(begin(seed, SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), lam)), 0, STEPS, data)
    return found


def report(runs: Sequence[Trained]) -> Iterable[str]:
    """Tables: the arms at their end, and the recipe step by step."""
    ends = {
        name: [at(run[ERM if name == STOPPED else name], DELAY if name == STOPPED else STEPS - 1) for run in runs]
        for name in (ERM, STOPPED, RECIPE, *BRANCHES, FROM_THE_START)
    }
    yield f"{len(runs)} seeds; mean (95% interval over seeds)\n"
    yield "| arm | training accuracy | test accuracy | recipe less this arm, test | mean \\|z\\| |"
    yield "|---|---|---|---|---|"
    for name, steps in ends.items():
        gained = [best.test - step.test for best, step in zip(ends[RECIPE], steps, strict=True)]
        cells = [
            interval([step.train for step in steps]),
            interval([step.test for step in steps]),
            "" if name == RECIPE else interval(gained, "+"),
            f"{fmean(step.mean_abs_logit for step in steps):.2f}",
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    long = [run[RECIPE] for run in runs if run[RECIPE][-1].step >= LONG - 1]
    yield f"\nThe recipe step by step: all seeds until {STEPS - 1}, then {len(long)}\n"
    yield "| step | training accuracy | test accuracy | mean \\|z\\| | median gradient | median of Adam's denominator |"
    yield "|---|---|---|---|---|---|"
    for step in (DELAY, 500, 1000, 1500, *range(STEPS - 1, LONG if long else STEPS, 1000)):
        steps = [at(one, step) for one in ([run[RECIPE] for run in runs] if step < STEPS else long)]
        shown = [
            interval([one.train for one in steps]),
            interval([one.test for one in steps]),
            f"{fmean(one.mean_abs_logit for one in steps):.2f}",
            *(f"{fmean(getattr(one, name) for one in steps):.1e}" for name in ("gradient", "denominator")),
        ]
        yield f"| {step} | {' | '.join(shown)} |"

    yield "\nDifferences and moments\n"
    yield "| what | mean (95% interval) |"
    yield "|---|---|"
    for name, other in ((NO_SCALE, ERM), (FROM_THE_START, ERM)):
        gained = [at(run[name], STEPS - 1).test - at(run[other], STEPS - 1).test for run in runs]
        yield f"| {name} less {other}, test | {interval(gained, '+')} |"
    for name in (NO_SCALE, ANEW):
        yield f"| {name}, test at step 500 | {interval([at(run[name], 500).test for run in runs])} |"
    fallen = [at(run[RECIPE], STEPS - 1).train - at(run[RECIPE], DELAY).train for run in runs]
    yield f"| {RECIPE}, training accuracy at step {STEPS - 1} less at {DELAY} | {interval(fallen, '+')} |"
    if len(long) > 1:
        lost = [at(one, LONG - 1).test - at(one, STEPS - 1).test for one in long]
        yield f"| {RECIPE}, test at step {LONG - 1} less at {STEPS - 1}, {len(long)} seeds | {interval(lost, '+')} |"


def at(steps: Iterable[Step], step: int) -> Step:
    """The moment of a step."""
    return next(one for one in steps if one.step == step)


def interval(values: Sequence[float], sign: str = "") -> str:
    """Mean and 95% interval of Student's t."""
    mean, count = fmean(values), len(values)
    half = float(student.ppf(0.975, count - 1)) * stdev(values) / count**0.5
    return f"{mean:{sign}.3f} ({mean - half:{sign}.3f} to {mean + half:{sign}.3f})"


def picture(runs: Sequence[Trained]) -> Figure:
    """Test accuracy over the steps, mean of the seeds; and the recipe beyond its end."""
    figure = new_figure(10.5, 3.8)
    left, right = figure.subplots(1, 2)
    for name, (color, style) in LOOKS.items():
        steps = [one.step for one in runs[0][ERM]]
        means = [fmean(at(run[name], step).test for run in runs) for step in steps]
        left.plot(steps, means, color=color, linestyle=style, label=name)
    left.axvline(DELAY, color="grey", linewidth=0.8)
    left.set(xlabel="step", ylabel="test accuracy", title=f"Mean of {len(runs)} seeds", ylim=(0, 1))
    left.legend(frameon=False, fontsize="small", ncols=2, loc="upper center")
    long = [run[RECIPE] for run in runs if run[RECIPE][-1].step >= LONG - 1]
    for seed, steps in enumerate(long):
        for name, color in (("train", VERMILLION), ("test", BLUE)):
            label = {"train": "training images", "test": "test images"}[name] if seed == 0 else None
            places, values = [one.step for one in steps], [getattr(one, name) for one in steps]
            right.plot(places, values, color=color, linewidth=1, label=label)
    right.axvline(STEPS - 1, color="grey", linewidth=0.8)
    right.set(xlabel="step", ylabel="accuracy", title=f"The recipe beyond its end, {len(long)} seeds", ylim=(0, 1))
    if long:
        right.legend(frameon=False, fontsize="small", loc="lower right")
    return figure


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("Name a folder for the results.\nAs in python docs/results/coloured_digits.py out-digits")
    main(*sys.argv[1:])
