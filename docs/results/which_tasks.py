"""Which tasks gain by early fusion? A rule from spectra, set up on some tasks and tested on others.

    python docs/results/which_tasks.py predict out/which_tasks   # before the trainings of which_tasks.sh
    python docs/results/which_tasks.py test out/which_tasks      # after them

``predict`` writes ``evidence.csv``: for each task and theta, how well each band by itself tells the organ from what is
around it. ``test`` joins it with the results of the trainings, writes ``cells.csv`` and ``which_tasks.png``, and prints
the correlations.

Chosen before the first training on a held-back task:

- The evidence of a band is the distance of its mean inside the organ from that outside, in SD of the band: d', over the
  voxels of the organ and those up to four voxels away, of the cases for training, as the bundle prepares them.
- The rule: early fusion gains more, the more evidence the *high* band has. It was found on the heart and the red nuclei
  (docs/results/conventions.md, four values of theta, 8 cases), on the order of the five tasks in Fu et al. (2024,
  Table 2 and 3), and among four measures: evidence of the high band, of the low band, their ratio (the smaller by the
  larger), and what both together have more than their sum. All four are reported; the first is tested.
- Held back: hippocampi, spleen and dentate nuclei, each at theta .05, .1 and .3, with 8 cases: nine cells.
- The rule is confirmed if Spearman's correlation over the nine cells is .7 or more, with a permutation p below .05.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.stats import spearmanr

from monai_freq.spectral.bands import split
from monai_freq.study.report.long_table import read_study

SHELL = 4  # voxels around the organ
REPEATS = 10_000
#: bundle -> grid and the values of theta
HELD_BACK = {
    "hippocampus_fd": ((40, 40, 32), (0.05, 0.1, 0.3)),
    "spleen_fd": ((48, 48, 24), (0.05, 0.1, 0.3)),
    "dentate_nucleus_fd": ((48, 48, 32), (0.05, 0.1, 0.3)),
}
SET_UP_ON = {
    "heart_fd": ((48, 48, 24), (0.05, 0.1, 0.2, 0.4)),
    "red_nucleus_fd": ((64, 64, 48), (0.05, 0.1, 0.2, 0.4)),
}
#: points of Dice above no fusion: docs/results/conventions/differences.csv, 8 cases
FOUND = Path(__file__).parent / "conventions" / "differences.csv"
MEASURES = ("high", "low", "ratio", "apart")


def predict(folder: Path) -> None:
    """Write the evidence of the bands of every task, before any training."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "evidence.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["bundle", "theta", "cases", "held_back", *MEASURES])
        for tasks, held_back in ((SET_UP_ON, "no"), (HELD_BACK, "yes")):
            for bundle, (grid, thetas) in tasks.items():
                cases = list(training_cases(bundle, grid, folder / "phantoms"))
                for theta in thetas:
                    measured = evidence(cases, theta)
                    row = [bundle, theta, len(cases), held_back, *(f"{measured[name]:.4f}" for name in MEASURES)]
                    writer.writerow(row)
                    print(*row, flush=True)


def training_cases(bundle: str, grid: tuple[int, ...], cache: Path) -> Iterator[tuple[torch.Tensor, NDArray[np.bool_]]]:
    """Image ``(1, *grid)`` and organ ``grid`` of each case for training, as the bundle prepares them."""
    parser = ConfigParser()
    parser.read_config(f"bundles/{bundle}/configs/train.json")
    parser.update({"image_size": list(grid), "phantom#size": list(grid), "phantom#cases": 52, "val_cases": 6})
    parser.update({"test_cases": 24, "cases#cache": str(cache)})
    cases, preprocessing = (parser.get_parsed_content(name) for name in ("cases", "train#preprocessing"))
    for case in cases.train:
        ready = preprocessing(case)
        yield ready["image"].as_tensor(), ready["label"][0].numpy() > 0


def evidence(cases: list[tuple[torch.Tensor, NDArray[np.bool_]]], theta: float) -> dict[str, float]:
    """d' of each band, the ratio of the two, and the share by which d' of both exceeds that of their sum."""
    values, organs = [], []
    for image, organ in cases:
        near = binary_dilation(organ, iterations=SHELL)
        low, high = split(image, theta, spatial_dims=3)
        values.append(torch.stack([low[0], high[0]], -1).numpy()[near])
        organs.append(organ[near])
    x, inside = np.concatenate(values).astype(float), np.concatenate(organs)
    difference = x[inside].mean(0) - x[~inside].mean(0)
    scatter = (np.cov(x[inside].T) + np.cov(x[~inside].T)) / 2
    low, high = np.abs(difference) / np.sqrt(scatter.diagonal())
    both = np.sqrt(difference @ np.linalg.solve(scatter, difference))
    added = abs(difference.sum()) / np.sqrt(scatter.sum())
    return {"high": high, "low": low, "ratio": min(low, high) / max(low, high), "apart": both / added - 1}


def test(folder: Path) -> None:
    """Join predictions and trainings, and print what the rule is worth."""
    with (folder / "evidence.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    gains = of_conventions() | of_trainings(folder)
    cells = [{**row, **gains[row["bundle"], float(row["theta"])]} for row in rows]
    with (folder / "cells.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(cells[0]))
        writer.writeheader()
        writer.writerows(cells)
    for held_back in ("no", "yes"):
        some = [cell for cell in cells if cell["held_back"] == held_back]
        gain = np.array([float(cell["gain"]) for cell in some])
        print(f"held back: {held_back}, {len(some)} cells")
        for name in MEASURES:
            x = np.array([float(cell[name]) for cell in some])
            rho, p = float(spearmanr(x, gain).statistic), permutation_p(x, gain)
            print(f"  {name}: Spearman {rho:+.2f}, permutation p {p:.3f}")
    draw(cells, folder / "which_tasks.png")


def of_conventions() -> dict[tuple[str, float], dict[str, str]]:
    """Gain of early fusion, its interval and its number of draws won, of the tasks that the rule was set up on."""
    found = {}
    with FOUND.open(newline="") as file:
        for row in csv.DictReader(file):
            plain = "convention=" not in row["overrides"]
            if row["metric"] == "dice" and row["n"] == "8" and row["fusion"] == "early" and plain:
                theta = next((float(part[6:]) for part in row["overrides"].split() if part.startswith("theta=")), 0.1)
                found[row["bundle"], theta] = {
                    "gain": f"{float(row['difference']):.2f}",
                    "low_end": f"{float(row['interval_low']):.2f}",
                    "high_end": f"{float(row['interval_high']):.2f}",
                    "draws": row["draws"],
                }
    return found


def of_trainings(folder: Path) -> dict[tuple[str, float], dict[str, str]]:
    """The same of the trainings on held-back tasks; intervals by bootstrap over test cases and draws."""
    study = read_study(folder)
    scores = study.scores[study.scores["metric"] == "dice"]
    runs = study.runs.set_index("name")
    found = {}
    for bundle, (_, thetas) in HELD_BACK.items():
        of = {}
        for name in runs.index[runs["bundle"].eq(bundle) & runs["finished"]]:
            run = runs.loc[name]
            theta = run["settings"].get("theta")
            of[run["fusion"], theta, run["draw"]] = scores[scores["run"] == name].groupby("case")["value"].mean()
        for theta in thetas:
            draws = sorted(draw for arm, at, draw in of if (arm, at) == ("early", theta) and ("none", None, draw) in of)
            pairs = [of["early", theta, draw] - of["none", None, draw] for draw in draws]
            points = 100 * np.array([pair.to_numpy() for pair in pairs])
            rng = np.random.default_rng(0)
            means = [
                points[rng.integers(0, len(points), len(points))][
                    :, rng.integers(0, points.shape[1], points.shape[1])
                ].mean()
                for _ in range(REPEATS)
            ]
            ends = np.quantile(means, [0.025, 0.975])
            found[bundle, theta] = {
                "gain": f"{points.mean():.2f}",
                "low_end": f"{ends[0]:.2f}",
                "high_end": f"{ends[1]:.2f}",
                "draws": str(len(draws)),
            }
    return found


def permutation_p(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Share of random orders with a correlation at least as large: one-sided."""
    rng = np.random.default_rng(0)
    seen = float(spearmanr(x, y).statistic)
    by_chance = [float(spearmanr(rng.permutation(x), y).statistic) for _ in range(REPEATS)]
    return (1 + sum(rho >= seen - 1e-12 for rho in by_chance)) / (1 + REPEATS)


def draw(cells: list[dict[str, str]], path: Path) -> None:
    """The gain of each cell over the evidence of its high band."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    tasks = list(dict.fromkeys(cell["bundle"] for cell in cells))
    for colour, task in zip(plt.get_cmap("tab10").colors, tasks, strict=False):
        some = [cell for cell in cells if cell["bundle"] == task]
        x, y, low, high = (np.array([float(cell[k]) for cell in some]) for k in ("high", "gain", "low_end", "high_end"))
        held_back = some[0]["held_back"] == "yes"
        label = task.removesuffix("_fd").replace("_", " ") + ("" if held_back else " (rule set up on it)")
        axes.errorbar(
            x,
            y,
            [y - low, high - y],
            fmt="o",
            color=colour,
            markerfacecolor=colour if held_back else "white",
            label=label,
        )
        for cell, at, height in zip(some, x, y, strict=True):
            axes.annotate(
                cell["theta"], (at, height), xytext=(5, 4), textcoords="offset points", fontsize=8, color=colour
            )
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.set(xlabel="evidence of the high band, d'", ylabel="early fusion less none, points of Dice")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=140)
    plt.close(figure)


if __name__ == "__main__":
    {"predict": predict, "test": test}[sys.argv[1]](Path(sys.argv[2]))
