"""What a study lacks: runs that failed or were not made, files that cannot be read, values that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .cells import DICE, HD95, Cell
from .remarks import place
from .results import Result
from .tables import title_of

__all__ = ["absent"]

Shared = Sequence[tuple[str, str]]


def absent(
    results: Sequence[Result], problems: Sequence[str], asked: Sequence[str], cells: Sequence[Cell], shared: Shared
) -> list[str]:
    """What is not there: failed runs, files that cannot be read, runs and values.

    Args:
        results: of the runs.
        problems: a line for each file that cannot be read.
        asked: names of the runs that the study was asked for; empty where that is not known, and what runs of the one
            cell there are tells what there should be of the other.
        cells: of the study.
        shared: overrides that all runs share.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> runs = phantom_study(draws=2)[:3]  # without the second draw of early fusion
        >>> absent(runs, ["results/a.json is truncated."], [], cells_of(runs), [])
        ['Not read: results/a.json is truncated.', 'Absent: hippocampus, n = 4, early: draw 1']
    """
    failed = [f"Failed: {run.name}{_last_line(run.error)}" for run in results if not run.finished]
    unread = [f"Not read: {problem}" for problem in problems]
    return [
        *failed,
        *unread,
        *(
            _not_made(asked, results)
            if asked
            else [*_absent_cells(cells, shared), *_absent_runs(results, cells, shared)]
        ),
        *_values(cells, shared),
    ]


def _not_made(asked: Sequence[str], results: Sequence[Result]) -> Iterator[str]:
    """A line for all draws of runs that are alike otherwise."""
    made = {run.name for run in results}
    draws: dict[str, list[str]] = {}
    for name in asked:
        if name not in made:
            bundle, _, rest = name.partition("/")
            draw = re.search(r"_draw(\d+)", rest)
            draws.setdefault(f"{bundle}/{re.sub(r'_draw[0-9]+', '', rest, count=1)}", []).append(
                draw[1] if draw else ""
            )
    for name, of_name in draws.items():
        yield f"Not made yet: {name}: draw{'s' if len(of_name) > 1 else ''} {', '.join(of_name)}"


def _absent_cells(cells: Sequence[Cell], shared: Shared) -> Iterator[str]:
    for bundle in dict.fromkeys(cell.bundle for cell in cells):
        own = [cell for cell in cells if cell.bundle == bundle]
        labels = list(dict.fromkeys(cell.label(shared) for cell in own))
        for size in dict.fromkeys(cell.size_text for cell in own):
            there = {cell.label(shared) for cell in own if cell.size_text == size}
            absent = [label for label in labels if label not in there]
            if absent:
                yield f"Absent: {title_of(own[0])}, n = {size}: {', '.join(absent)}"


def _absent_runs(results: Sequence[Result], cells: Sequence[Cell], shared: Shared) -> Iterator[str]:
    for cell in cells:
        asked = {(run.draw, run.seed) for run in results if (run.bundle, run.size) == (cell.bundle, cell.size)}
        absent = sorted(asked - {(run.draw, run.seed) for run in cell.results})
        if absent:
            seeds = len({seed for _, seed in asked}) > 1
            names = [f"{draw} (seed {seed})" if seeds else str(draw) for draw, seed in absent]
            yield f"Absent: {place(cell, shared)}: draw{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _values(cells: Sequence[Cell], shared: Shared) -> Iterator[str]:
    for cell in cells:
        for metric in (DICE, HD95):
            values = cell.scores(metric).values
            if lost := int(np.isnan(values).sum()):
                yield f"Absent: {place(cell, shared)}: {metric.title} of {lost} of {values.size} test images"
            elif not values.size:
                yield f"Absent: {place(cell, shared)}: {metric.title} of any test image"


def _last_line(error: str | None) -> str:
    lines = [line.strip() for line in (error or "").splitlines() if line.strip()]
    return f": {lines[-1]}" if lines else ""
