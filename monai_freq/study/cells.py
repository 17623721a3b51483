"""The cells of a study: runs that differ in their draw and seed alone, and their scores case by case."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .published import TASKS, task_of
from .results import Result

__all__ = [
    "ARMS",
    "DICE",
    "HD95",
    "METRICS",
    "OF_BANDS",
    "Cell",
    "Metric",
    "Pairs",
    "Scores",
    "baseline_of",
    "cells_of",
    "pair",
]

Array = NDArray[np.float64]

#: the baseline first, as in the paper's tables
ARMS = ("none", "early", "late")
#: settings of frequency bands, which a network without them does not have
OF_BANDS = ("theta", "convention")


class Metric(NamedTuple):
    """What is measured of a case and class; ``better`` is 1 when more is better and -1 when less is.

    Example:
        >>> DICE.column, DICE.unit, HD95.better
        ('dice', '%', -1)
    """

    name: str
    title: str
    unit: str
    column: str
    scale: float
    better: int
    decimals: int


DICE = Metric("dice", "Dice", "%", "dice", 100, 1, 2)
HD95 = Metric("hd95", "95% Hausdorff distance", "mm", "hd95_mm", 1, -1, 2)
#: the two that are tested, and the same two on the grid that the network saw
METRICS = (
    DICE,
    HD95,
    Metric("grid_dice", "Dice on the network's grid", "%", "grid_dice", 100, 1, 2),
    Metric("grid_hd95", "95% Hausdorff distance on the network's grid", "voxels", "grid_hd95_voxels", 1, -1, 2),
)


class Scores(NamedTuple):
    """A metric of each run and case, ``(runs, cases)``, with NaN where there is none; a run is ``(draw, seed)``.

    Example:
        >>> scores = Scores([(0, 0), (0, 1), (1, 0)], ["la_001"], np.array([[80.0], [90.0], [70.0]]))
        >>> scores.by_draw().tolist()
        [[85.0], [70.0]]
    """

    runs: list[tuple[int, int]]
    cases: list[str]
    values: Array

    def by_draw(self) -> Array:
        """Mean over the seeds of each draw, ``(draws, cases)``."""
        draws = sorted({draw for draw, _ in self.runs})
        if len(draws) == len(self.runs):  # most often, and for no runs at all
            return self.values
        of_run = np.array([draw for draw, _ in self.runs])
        return np.stack([_mean_of_known(self.values[of_run == draw]) for draw in draws])


class Pairs(NamedTuple):
    """What two arms have in common, ``(draws, cases)`` each, and a line on what was left out.

    Example:
        >>> Pairs(np.array([[90.0]]), np.array([[88.0]]), "").left_out
        ''
    """

    arm: Array
    baseline: Array
    left_out: str


@dataclass(frozen=True)
class Cell:
    """Finished runs of one bundle, size, arm and set of overrides.

    Args:
        bundle: its name.
        size: number of training cases; None for all.
        arm: ``"none"``, ``"early"`` or ``"late"``.
        overrides: name and value, as text.
        results: of the runs, in the order of draws and seeds.

    Example:
        >>> Cell("heart_fd", 8, "early", (("theta", "0.2"),), ()).label()
        'early (theta 0.2)'
    """

    bundle: str
    size: int | None
    arm: str
    overrides: tuple[tuple[str, str], ...]
    results: tuple[Result, ...]

    @property
    def size_text(self) -> str:
        """Number of training cases as shown."""
        return "all" if self.size is None else str(self.size)

    def label(self, shared: Iterable[tuple[str, str]] = ()) -> str:
        """Arm and overrides, less those that all runs share."""
        own = [_short(key, value) for key, value in self.overrides if (key, value) not in set(shared)]
        return f"{self.arm} ({', '.join(own)})" if own else self.arm

    def without(self, keys: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Overrides other than those."""
        return tuple(item for item in self.overrides if item[0] not in keys)

    def classes(self) -> list[str]:
        """Names of the foreground classes."""
        return list(dict.fromkeys(str(name) for result in self.results for name in result.classes.values()))

    def scores(self, metric: Metric, label: str | None = None) -> Scores:
        """A metric of each run and case: the mean over its classes, or of one of them."""
        names = [label] if label else self.classes()
        columns = [f"{metric.column}_{name.replace(' ', '_')}" for name in names]
        rows = [(place, row) for place, result in enumerate(self.results) for row in result.cases if "case" in row]
        names = [str(row["case"]) for _, row in rows]
        cases = sorted(set(names))
        of_case = {case: place for place, case in enumerate(cases)}
        values = np.full((len(self.results), len(cases)), np.nan)
        found = (
            _numbers([[row.get(column) for column in columns] for _, row in rows]).mean(1)
            if rows and columns
            else np.nan
        )
        values[[place for place, _ in rows], [of_case[name] for name in names]] = found
        values[~np.isfinite(values)] = np.nan
        return Scores([(result.draw, result.seed) for result in self.results], cases, values * metric.scale)


def cells_of(results: Iterable[Result]) -> list[Cell]:
    """Gather the finished runs of a study in cells, in the order of the paper's tables.

    Args:
        results: of the runs; failed ones are left out.

    Example:
        >>> run = {"bundle": "heart_fd", "status": "finished", "size": 4, "seed": 0}
        >>> cells = cells_of(Result(**run, arm=arm, draw=draw) for draw in (0, 1) for arm in ("early", "none"))
        >>> [(cell.arm, len(cell.results)) for cell in cells]
        [('none', 2), ('early', 2)]
    """
    found: dict[tuple[str, int | None, str, tuple[tuple[str, str], ...]], dict[tuple[int, int], Result]] = {}
    for result in results:
        if result.finished:
            key = result.bundle, result.size, result.arm, _as_text(result.overrides)
            found.setdefault(key, {})[result.draw, result.seed] = result
    cells = [Cell(*key, tuple(runs[place] for place in sorted(runs))) for key, runs in found.items()]
    return sorted(cells, key=_order)


def baseline_of(cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    """Runs without fusion that a cell is compared with.

    They share bundle, size and all overrides but ``theta`` and ``convention``, which a network without frequency bands
    does not have. Where several such runs share a draw and seed, the one with the most overrides in common counts.

    Args:
        cell: of another arm.
        cells: of the study.

    Example:
        >>> run = {"bundle": "heart_fd", "status": "finished", "size": 4, "draw": 0, "seed": 0}
        >>> none, early = cells_of([Result(**run, arm="early", overrides={"theta": 0.2}), Result(**run, arm="none")])
        >>> baseline_of(early, [none, early]).overrides
        ()
    """
    rest = cell.without(OF_BANDS)
    alike = [
        other
        for other in cells
        if (other.bundle, other.size, other.arm, other.without(OF_BANDS)) == (cell.bundle, cell.size, "none", rest)
    ]
    # the most alike last, as later ones replace earlier ones
    alike.sort(key=lambda other: (len(set(other.overrides) & set(cell.overrides)), -len(other.overrides)))
    if len(alike) == 1:
        return alike[0]
    merged = {(run.draw, run.seed): run for other in alike for run in other.results}
    return Cell(cell.bundle, cell.size, "none", rest, tuple(merged[key] for key in sorted(merged))) if merged else None


def pair(arm: Scores, baseline: Scores) -> Pairs:
    """Values of two arms in the runs and cases that both have.

    Args:
        arm: scores.
        baseline: scores.

    Example:
        >>> values = np.array([[0.5, 0.6], [0.7, np.nan]])
        >>> pairs = pair(Scores([(0, 0), (1, 0)], ["a", "b"], values), Scores([(0, 0)], ["b", "a"], values[:1]))
        >>> pairs.arm, pairs.baseline, pairs.left_out
        (array([[0.5, 0.6]]), array([[0.6, 0.5]]), 'paired on 1 of 2 runs')
    """
    runs = sorted(set(arm.runs) & set(baseline.runs))
    cases = sorted(set(arm.cases) & set(baseline.cases))
    first, second = (_chosen(scores, runs, cases) for scores in (arm, baseline))
    known = ~(np.isnan(first) | np.isnan(second)).any(0)
    left_out = []
    if len(runs) < (most := max(len(arm.runs), len(baseline.runs))):
        left_out.append(f"{len(runs)} of {most} runs")
    if known.sum() < (most := len(set(arm.cases) | set(baseline.cases))):
        left_out.append(f"{known.sum()} of {most} cases")
    remark = f"paired on {' and '.join(left_out)}" if left_out else ""
    first, second = (Scores(runs, cases, values[:, known]).by_draw() for values in (first, second))
    return Pairs(first, second, remark)


def _chosen(scores: Scores, runs: Sequence[tuple[int, int]], cases: Sequence[str]) -> Array:
    of_run = {run: place for place, run in enumerate(scores.runs)}
    of_case = {case: place for place, case in enumerate(scores.cases)}
    rows = np.array([of_run[run] for run in runs], dtype=int)
    columns = np.array([of_case[case] for case in cases], dtype=int)
    chosen: Array = scores.values[np.ix_(rows, columns)]
    return chosen


def _numbers(rows: list[list[Any]]) -> Array:
    """Table of numbers, with NaN for everything else."""
    try:
        return np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):  # of a file that someone edited: a word where a number should be
        return np.array([[value if isinstance(value, int | float) else np.nan for value in row] for row in rows])


def _mean_of_known(values: Array) -> Array:
    known = ~np.isnan(values)
    mean: Array = np.where(known, values, 0).sum(0) / np.maximum(known.sum(0), 1)
    mean[~known.any(0)] = np.nan
    return mean


def _as_text(overrides: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in overrides.items()}
    return tuple(sorted(texts.items()))


def _short(key: str, value: str) -> str:
    return value if key == "convention" else f"{key} {value}"


def _order(cell: Cell) -> tuple[Any, ...]:
    task, size = task_of(cell.bundle), math.inf if cell.size is None else cell.size
    place = TASKS.index(task) if task in TASKS else len(TASKS)
    arm = ARMS.index(cell.arm) if cell.arm in ARMS else len(ARMS)
    return place, cell.bundle, size, arm, cell.arm, cell.overrides
