"""What a reader must know before the figures: what cannot be concluded, and what the runs have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .cells import DICE, Cell, cells_of
from .comparison import DRAWS, Comparison
from .convergence import NOT_JUDGED, SHARE, UNDERTRAINED, Convergence, convergence
from .results import BUNDLE, Result
from .tables import title_of
from .texts import listed, signed

__all__ = ["place", "remarks", "warnings_of"]

Shared = Sequence[tuple[str, str]]

#: fewest test cases whose differences can be seen to point one way by more than luck, as for draws
_CASES = 6
#: most cells that a warning names
_PLACES = 6


def warnings_of(cells: Sequence[Cell], comparisons: Sequence[Comparison], shared: Shared) -> list[str]:
    """Why a reader should not conclude yet.

    Args:
        cells: of the study.
        comparisons: of the study.
        shared: overrides that all runs share.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.comparison import compare
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> cells = cells_of(phantom_study(draws=2))
        >>> for warning in warnings_of(cells, compare(cells), []):
        ...     print(warning)
        Too few draws to conclude: 2 in hippocampus, n = 4, early. With fewer than 6, ...
    """
    return [*_few_draws(comparisons, shared), *_few_cases(comparisons), *_training(cells, shared)]


def remarks(results: Sequence[Result], shared: Shared) -> list[str]:
    """What the runs have in common, or should have.

    Args:
        results: of the runs.
        shared: overrides that all runs of a task share.

    Example:
        >>> run = {"bundle": "heart_fd", "status": "finished", "arm": "none", "size": 4, "draw": 0, "seed": 0}
        >>> remarks([Result(**run, overrides={"epochs": 5})], [("epochs", "5")])
        ['All runs: epochs=5.']
    """
    lines = list(_in_common(results, shared))
    phantoms = {run.bundle for run in results if run.settings and run.settings.get("dataset_dir", "") is None}
    if phantoms:
        lines.append(
            f"Generated phantoms, no patients: {', '.join(sorted(phantoms))}. Their figures say nothing of "
            "the clinical data, and the paper's stand beside them for orientation only."
        )
    known = [{name: one for name, one in run.versions.items() if name != BUNDLE} for run in results if run.versions]
    versions = sorted({" ".join(f"{name} {one}" for name, one in sorted(found.items())) for found in known})
    commits = sorted({str(run.git_commit)[:10] for run in results if run.git_commit})
    for name, found in (("versions", versions), ("commits", commits)):
        if len(found) > 1:
            lines.append(f"The runs are of {len(found)} different {name}: {'; '.join(found)}.")
    return lines


def _in_common(results: Sequence[Result], shared: Shared) -> Iterator[str]:
    """The overrides that labels leave out: of all runs, and of each task by itself."""
    of_task = {cell.bundle: set(cell.overrides) for cell in cells_of(results)}
    everywhere = [item for item in shared if all(item in own for own in of_task.values())]
    own = {task: [item for item in shared if item in items] for task, items in of_task.items()}
    lines = {"All runs": everywhere} | {
        task: [item for item in items if item not in everywhere] for task, items in own.items()
    }
    for whose, items in lines.items():
        if items:
            yield f"{whose}: {', '.join(f'{key}={value}' for key, value in items)}."


def _few_draws(comparisons: Sequence[Comparison], shared: Shared) -> Iterator[str]:
    few = [one for one in comparisons if one.test and one.test.draws < DRAWS and one.metric == DICE]
    for draws in sorted({one.test.draws for one in few if one.test}):
        where = [place(one.cell, shared) for one in few if one.test and one.test.draws == draws]
        yield (
            f"Too few draws to conclude: {draws} in {listed(where, _PLACES)}. With fewer than {DRAWS}, an arm that is "
            f"no different wins or loses all of them in more than 1 of 20 studies (2/2^{draws} = {200 / 2**draws:.0f}%)"
            ", and the luck of single trainings can hardly be told from an effect."
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
    short = [(cell, found) for cell, found in states if found.state == UNDERTRAINED]
    unknown = [place(cell, shared) for cell, found in states if found.state == NOT_JUDGED]
    if short:
        under = listed((place(cell, shared) for cell, _ in short), _PLACES)
        progress = listed((_progress(found) for _, found in short), _PLACES)
        yield (
            f"Undertrained: {len(short)} of {len(states)} cells ({under}) had not reached {SHARE:.0%} of their "
            "converged validation Dice, or rose too fast to tell it. Dice, and its rise in the last quarter, in this "
            f"order: {progress}. Differences may be of how fast an arm learns."
        )
    if unknown:
        yield (
            f"Whether {len(unknown)} of {len(states)} cells ({listed(unknown, _PLACES)}) had reached {SHARE:.0%} of "
            "their converged validation Dice cannot be judged: fewer than 8 validations were recorded."
        )


def _progress(found: Convergence) -> str:
    """What was measured of a training that was too short."""
    text = f"{100 * found.final:.1f}%, {signed(100 * found.rise, 1)} points"
    return text if math.isnan(found.reached) else f"{text}, of {100 * found.converged:.1f}%"


def place(cell: Cell, shared: Shared) -> str:
    """Task, size and arm of a cell in words.

    Args:
        cell: of the study.
        shared: overrides that all runs share, which are left out.

    Example:
        >>> place(Cell("heart_fd", 4, "early", (("theta", "0.2"),), ()), [])
        'heart, n = 4, early (theta 0.2)'
    """
    return f"{title_of(cell)}, n = {cell.size_text}, {cell.label(shared)}"
