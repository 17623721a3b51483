"""What a reader must know before the figures: what is missing, what failed, and what cannot be concluded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .cells import DICE, HD95, Cell
from .comparison import DRAWS, Comparison
from .convergence import NOT_JUDGED, SHARE, UNDERTRAINED, convergence
from .results import Result
from .tables import title_of

__all__ = ["missing", "remarks", "warnings_of"]

Shared = Sequence[tuple[str, str]]

#: fewest test cases whose differences can be seen to point one way by more than luck, as for draws
_CASES = 6


def warnings_of(cells: Sequence[Cell], comparisons: Sequence[Comparison], shared: Shared) -> list[str]:
    """Why a reader should not conclude yet.

    Args:
        cells: of the study.
        comparisons: of the study.
        shared: overrides that all runs share.

    Example:
        >>> warnings_of([], [], [])
        []
    """
    return [*_few_draws(comparisons, shared), *_few_cases(comparisons), *_training(cells, shared)]


def missing(results: Sequence[Result], problems: Sequence[str], cells: Sequence[Cell], shared: Shared) -> list[str]:
    """What is not there: failed runs, files that cannot be read, cells, draws and values.

    Args:
        results: of the runs.
        problems: a line for each file that cannot be read.
        cells: of the study.
        shared: overrides that all runs share.

    Example:
        >>> missing([], ["results/a.json is truncated."], [], [])
        ['Not read: results/a.json is truncated.']
    """
    failed = [f"Failed: {run.name}{_last_line(run.error)}" for run in results if not run.finished]
    unread = [f"Not read: {problem}" for problem in problems]
    return [
        *failed,
        *unread,
        *_absent_cells(cells, shared),
        *_absent_runs(results, cells, shared),
        *_values(cells, shared),
    ]


def remarks(results: Sequence[Result], shared: Shared) -> list[str]:
    """What the runs have in common, or should have.

    Args:
        results: of the runs.
        shared: overrides that all runs share.

    Example:
        >>> remarks([], [("epochs", "5")])
        ['All runs: epochs=5.']
    """
    lines = [f"All runs: {', '.join(f'{key}={value}' for key, value in shared)}."] if shared else []
    phantoms = {run.bundle for run in results if run.settings and run.settings.get("dataset_dir", "") is None}
    if phantoms:
        lines.append(
            f"Generated phantoms, no patients: {', '.join(sorted(phantoms))}. Their figures say nothing of "
            "the clinical data, and the paper's stand beside them for orientation only."
        )
    known = [run.versions for run in results if run.versions]
    versions = sorted({" ".join(f"{name} {one}" for name, one in sorted(found.items())) for found in known})
    commits = sorted({str(run.git_commit)[:10] for run in results if run.git_commit})
    for name, found in (("versions", versions), ("commits", commits)):
        if len(found) > 1:
            lines.append(f"The runs are of {len(found)} different {name}: {'; '.join(found)}.")
    return lines


def _few_draws(comparisons: Sequence[Comparison], shared: Shared) -> Iterator[str]:
    few = [one for one in comparisons if one.test and one.test.draws < DRAWS and one.metric == DICE]
    for draws in sorted({one.test.draws for one in few if one.test}):
        where = [_place(one.cell, shared) for one in few if one.test and one.test.draws == draws]
        yield (
            f"Too few draws to conclude: {draws} in {_listed(where)}. With fewer than {DRAWS}, an arm that is no "
            f"different wins or loses all of them in more than 1 of 20 studies (2/2^{draws} = {200 / 2**draws:.0f}%), "
            "and the luck of single trainings can hardly be told from an effect."
        )


def _few_cases(comparisons: Sequence[Comparison]) -> Iterator[str]:
    of_task: dict[str, int] = {}
    for one in comparisons:
        if one.test and one.metric == DICE:
            of_task[title_of(one.cell)] = min(one.test.cases, of_task.get(title_of(one.cell), one.test.cases))
    few = [f"{task} ({cases})" for task, cases in of_task.items() if cases < _CASES]
    if few:
        yield (
            f"Few test cases: {', '.join(few)}. The t-test takes for granted that differences are distributed "
            "normally, which so few cannot show, and their bootstrap interval covers less than 95%. The column "
            "'detectable' says how large a difference would have had to be."
        )


def _training(cells: Sequence[Cell], shared: Shared) -> Iterator[str]:
    states = [(cell, convergence(cell, cells)) for cell in cells]
    under = [_place(cell, shared) for cell, found in states if found.state == UNDERTRAINED]
    unknown = [_place(cell, shared) for cell, found in states if found.state == NOT_JUDGED]
    if under:
        yield (
            f"Undertrained: {len(under)} of {len(states)} cells ({_listed(under)}) had not reached {SHARE:.0%} of "
            "their converged validation Dice. Differences may be of how fast an arm learns."
        )
    if unknown:
        yield (
            f"Whether {len(unknown)} of {len(states)} cells ({_listed(unknown)}) had reached {SHARE:.0%} of their "
            "converged validation Dice cannot be judged: fewer than 8 validations were recorded."
        )


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
            yield f"Absent: {_place(cell, shared)}: draw{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _values(cells: Sequence[Cell], shared: Shared) -> Iterator[str]:
    for cell in cells:
        for metric in (DICE, HD95):
            values = cell.scores(metric).values
            if lost := int(np.isnan(values).sum()):
                yield f"Absent: {_place(cell, shared)}: {metric.title} of {lost} of {values.size} test images"
            elif not values.size:
                yield f"Absent: {_place(cell, shared)}: {metric.title} of any test image"


def _place(cell: Cell, shared: Shared) -> str:
    return f"{title_of(cell)}, n = {cell.size_text}, {cell.label(shared)}"


def _listed(places: Iterable[str], most: int = 6) -> str:
    found = list(places)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + rest


def _last_line(error: str | None) -> str:
    lines = [line.strip() for line in (error or "").splitlines() if line.strip()]
    return f": {lines[-1]}" if lines else ""
