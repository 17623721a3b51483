"""Two moons with a gap between them: the gain by spectral decoupling beyond the gap (Pezeshki et al. 2021)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import measure
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measure import Clocks, Target
from torch import Tensor, nn

from monai_freq.figures import new_figure
from monai_freq.figures.palette import BLUE, ORANGE, SKY_BLUE, VERMILLION
from monai_freq.losses import SpectralDecouplingLoss

MARGIN = 0.1
LAMBDA = 0.06
SEEDS = range(5)
#: Shifts of each moon back towards the other; the last one undoes the shift of the training data.
SHIFTS = (0.0, 0.1, 0.2, 0.3, 0.4)
#: Settings of the authors' script: full batches, SGD with momentum, 500 hidden units.
STEPS, POINTS, HIDDEN = 1000, 300, 500
TEST_POINTS = 4000
#: First seed of the test points; no training uses these seeds.
TEST_SEED = 1000
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "two_moons.png"
PLAIN, DECOUPLED = "plain", f"spectral decoupling, λ = {LAMBDA}"
LAMBDAS = {PLAIN: 0.0, DECOUPLED: LAMBDA}


class Run(NamedTuple):
    """One trained network: its accuracy at each shift, and the mean size of its logits at the end."""

    network: nn.Module
    accuracy: list[float]
    mean_abs_logit: float


Runs = Mapping[str, Sequence[Run]]


def main() -> None:
    """Train, print, and write the section and its picture."""
    arguments = measure.options(__doc__ or "", rounds=len(SEEDS))
    steps = 50 if arguments.quick else STEPS
    seeds = range(1 if arguments.quick else arguments.rounds)
    runs: dict[str, list[Run]] = {}
    seconds = measure.timed(
        lambda: runs.update({name: [train(lam, seed, steps) for seed in seeds] for name, lam in LAMBDAS.items()})
    )
    measure.publish("Two moons", report(runs, seconds), arguments)
    if not arguments.quick:
        picture(runs).savefig(PICTURE, dpi=150)


def two_moons(seed: int, margin: float, points: int) -> tuple[Tensor, Tensor]:
    """Two half circles with noise of 0.1, separated along the first axis by twice the margin.

    Each moon is moved by 0.3 away from the other. Points beyond the middle are mirrored into their own half. The margin
    then moves each moon once more. With a positive margin, the sign of the first coordinate tells the moons apart.

    Returns:
        Positions ``(points, 2)`` and labels ``(points, 1)``, 0 or 1.
    """
    generator = torch.Generator().manual_seed(seed)
    angle = torch.linspace(0, math.pi, points // 2)
    first = torch.stack([angle.cos(), angle.sin()], 1)
    second = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    x = torch.cat([first, second]) + 0.1 * torch.randn(points, 2, generator=generator)
    sign = torch.cat([torch.ones(points // 2), -torch.ones(points // 2)])
    along, across = x[:, 0] - 0.5, x[:, 1] + 0.3 * sign
    across = sign * ((across - across.mean()).abs() + margin)
    return torch.stack([across, along], 1), (sign[:, None] < 0).float()


def train(lam: float, seed: int, steps: int) -> Run:
    """Train a network with one hidden layer on the separated moons, and test it on moons moved back."""
    x, y = two_moons(seed, MARGIN, POINTS)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    loss = SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), lam)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(x), y).backward()
        optimizer.step()
    tests = (two_moons(TEST_SEED + seed, MARGIN - shift, TEST_POINTS) for shift in SHIFTS)
    accuracy = [score(network, *test) for test in tests]
    return Run(network, accuracy, float(loss.mean_abs_logit))


@torch.no_grad()
def score(network: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of the points on the right side of the boundary."""
    return float(((network(x) > 0) == (y > 0.5)).float().mean())


def report(runs: Runs, seconds: Clocks) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        f"Margin {MARGIN}, {POINTS} points, {STEPS} full-batch steps of SGD (0.01, momentum 0.9), {HIDDEN} hidden "
        "units, one logit, no weight decay; penalty λ/2 z². The first coordinate alone tells the training moons apart. "
        f"The tests have {TEST_POINTS} other points, with each moon moved back by a shift. The shift of {SHIFTS[-1]} "
        "undoes the 0.3 and the margin that separate the training moons, but not the mirroring of stray points: both "
        "coordinates are needed there. The gain is the difference of the accuracies, and depends on the shift."
    )
    yield measure.targets_table(targets(runs, seconds))
    yield "Accuracy, mean ± SD over seeds, and the lowest and highest gain of a seed:"
    yield measure.table(["shift", *runs, "gain", "lowest", "highest"], accuracy_rows(runs))
    logits = (f"{statistics.mean(run.mean_abs_logit for run in arm):.3g} ({name})" for name, arm in runs.items())
    yield f"Mean |z| at the end: {', '.join(logits)}."
    yield f"![Boundaries of both, and their accuracy](../docs/images/{PICTURE.name})"


def targets(runs: Runs, seconds: Clocks) -> Iterator[Target]:
    yield (
        f"gain in shifted accuracy (shift {SHIFTS[-1]}), mean of the seeds",
        statistics.mean(gains(runs, -1)),
        0.05,
        True,
    )
    yield "seconds in total", seconds, 60, False


def accuracy_rows(runs: Runs) -> Iterator[Sequence[object]]:
    for place, shift in enumerate(SHIFTS):
        gained = gains(runs, place)
        cells = (f"{mean:.3f} ± {sd:.3f}" for mean, sd in (spread(arm, place) for arm in runs.values()))
        yield [f"{shift:g}", *cells, *(f"{value:.3f}" for value in (statistics.mean(gained), min(gained), max(gained)))]


def gains(runs: Runs, place: int) -> list[float]:
    pairs = zip(runs[DECOUPLED], runs[PLAIN], strict=True)
    return [ours.accuracy[place] - plain.accuracy[place] for ours, plain in pairs]


def spread(arm: Sequence[Run], place: int) -> tuple[float, float]:
    """Mean and SD over seeds."""
    values = [run.accuracy[place] for run in arm]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def picture(runs: Runs) -> Figure:
    """Boundaries of both arms with the training points, and the accuracy against the shift."""
    figure = new_figure(10.5, 3.6)
    *planes, right = figure.subplots(1, 3)
    for axes, (name, arm) in zip(planes, runs.items(), strict=True):
        draw_boundaries(axes, name, arm)
    planes[0].set_ylabel("second coordinate")
    for (name, arm), style in zip(runs.items(), ("k--", "k-"), strict=True):
        means, deviations = zip(*(spread(arm, place) for place in range(len(SHIFTS))), strict=True)
        right.errorbar(SHIFTS, means, deviations, fmt=style, marker="o", markersize=3, capsize=3, label=name)
    right.set(xlabel="shift: each moon moved back by", ylabel="accuracy", title=f"Moved test points, {len(arm)} seeds")
    right.legend(frameon=False, fontsize="small", loc="lower left")
    return figure


@torch.no_grad()
def draw_boundaries(axes: Axes, name: str, arm: Sequence[Run]) -> None:
    """Training points and predicted classes of the first seed, and the boundary of each seed."""
    line = torch.linspace(-1.8, 1.8, 181)
    places = torch.cartesian_prod(line, line)
    x, y = two_moons(SEEDS[0], MARGIN, POINTS)
    for run in arm:
        height = run.network(places).view(len(line), len(line)).T
        if run is arm[0]:
            axes.contourf(line, line, height, levels=[-1e9, 0, 1e9], colors=[SKY_BLUE, ORANGE], alpha=0.25)
        axes.contour(line, line, height, levels=[0], colors="black", linewidths=2 if run is arm[0] else 0.6)
    for label, color, marker in ((0, BLUE, "o"), (1, VERMILLION, "^")):
        chosen = x[y[:, 0] == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=9, c=color, marker=marker, linewidths=0)
    axes.set(xlabel="first coordinate", title=name, aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))


if __name__ == "__main__":
    main()
