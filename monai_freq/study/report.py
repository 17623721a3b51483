"""The report of a study: tables, pictures and one HTML page, from its result files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..figures import as_bytes
from ..files import write_files
from .absent import absent
from .cells import DICE, HD95, Cell, cells_of
from .comparison import ALPHA, DRAWS, NOT_CONCLUDED, VERDICTS, Comparison, compare
from .data_table import data_table
from .pages import Block, Heading, Notes, Paragraph, Picture, as_html, as_markdown
from .plots import learning_curves, paired_differences
from .published import PAPER
from .remarks import remarks, warnings_of
from .results import Result, asked_for, read_results
from .tables import (
    class_table,
    comparison_rows,
    comparison_table,
    convergence_table,
    cost_table,
    score_rows,
    score_table,
)
from .texts import as_csv, counted

__all__ = ["document", "write_report"]

Shared = Sequence[tuple[str, str]]

_CURVES, _DIFFERENCES = "learning_curves", "differences"
#: what bold figures and filled marks mean
_CONCLUDED = (
    f"significant after correction over the whole report, with {DRAWS} draws or more and both arms trained long enough"
)


def write_report(folder: str | os.PathLike[str]) -> list[Path]:
    """Report on a study, into the folder ``report`` of its own.

    ``report.html`` needs no other file; ``report.md`` says the same; ``scores.csv`` and ``differences.csv`` are for
    computing; the pictures are there as PNG and SVG.

    Args:
        folder: of the study.

    Returns:
        The files, ``report.html`` first.

    Raises:
        ValueError: there is no such folder.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.results import write_result
        >>> folder = tempfile.mkdtemp()
        >>> for result in phantom_study():
        ...     _ = write_result(folder, result)
        >>> page, text, scores, *_ = write_report(folder)
        >>> page.name, text.name, scores.read_text().splitlines()[1].split(",")[:8]
        ('report.html', 'report.md', ['hippocampus_fd', '4', 'none', '', 'all', 'dice', '%', '83.5'])
    """
    if not Path(folder).is_dir():
        raise ValueError(f"'folder' must be the output folder of a study, got {folder}: there is no such folder.")
    results, problems = read_results(folder)
    problems = [problem.replace(f"{Path(folder)}{os.sep}", "") for problem in problems]
    cells = cells_of(results)
    comparisons, shared = compare(cells), _shared(results)
    blocks = list(document(results, problems, asked_for(folder), cells, comparisons))
    figures = {_CURVES: learning_curves(cells, shared), _DIFFERENCES: paired_differences(comparisons, shared)}
    files = {f"{name}.{kind}": as_bytes(figure, kind) for name, figure in figures.items() for kind in ("png", "svg")}
    texts = {
        "report.html": as_html(blocks, {name: files[f"{name}.svg"] for name in figures}),
        "report.md": as_markdown(blocks, {name: f"{name}.png" for name in figures}),
        "scores.csv": as_csv(score_rows(cells, shared)),
        "differences.csv": as_csv(comparison_rows(comparisons)),
    }
    return write_files(Path(folder) / "report", {name: text.encode() for name, text in texts.items()} | files)


def document(
    results: Sequence[Result],
    problems: Sequence[str],
    asked: Sequence[str],
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
) -> Iterator[Block]:
    """Everything that the report says, in its order.

    Args:
        results: of all runs.
        problems: a line for each file that cannot be read.
        asked: names of the runs that the study was asked for, as far as that is known.
        cells: of the finished runs.
        comparisons: of the arms.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> results = phantom_study(draws=10)
        >>> cells = cells_of(results)
        >>> _, summary, *_ = document(results, [], [], cells, compare(cells))
        >>> summary.text
        '20 runs of 1 task, 0 failed. 2 comparisons with no fusion, of Dice and of hd95: improvement 2.'
    """
    shared = _shared(results)
    yield Heading("Segmentation study")
    yield Paragraph(_summary(results, cells, comparisons))
    if warnings := warnings_of(cells, comparisons, shared):
        yield Notes(warnings, warning=True)
    if lines := remarks(results, shared):
        yield Notes(lines)
    data = data_table(results)
    if data.rows:
        yield Heading("The data")
        yield data
    lacking = absent(results, problems, asked, cells, shared)
    if cells:
        yield from _scores(cells, comparisons, shared)
    if any(comparison.test for comparison in comparisons):
        yield from _differences(comparisons, shared)
    if cells:
        yield from _details(cells, shared)
    yield Heading("What is missing")
    yield Notes(lacking) if lacking else Paragraph("Nothing that was asked for.")
    yield Heading("How to read this")
    yield from _methods(comparisons)


def _summary(results: Sequence[Result], cells: Sequence[Cell], comparisons: Sequence[Comparison]) -> str:
    if not cells:
        failed = len(results)
        return "No run has finished yet." + (f" {failed} failed." if failed else "")
    finished = sum(len(cell.results) for cell in cells)
    tasks = len({cell.bundle for cell in cells})
    runs = f"{finished} runs of {counted(tasks, 'task')}, {len(results) - finished} failed."
    verdicts = [comparison.verdict for comparison in comparisons]
    counts = [f"{verdict} {verdicts.count(verdict)}" for verdict in VERDICTS if verdict in verdicts]
    if not counts:
        return f"{runs} There is nothing to compare."
    return f"{runs} {counted(len(verdicts), 'comparison')} with no fusion, of Dice and of hd95: {', '.join(counts)}."


def _scores(cells: Sequence[Cell], comparisons: Sequence[Comparison], shared: Shared) -> Iterator[Block]:
    yield Heading("Dice and Hausdorff distance")
    yield Paragraph(
        "Mean ± SEM over test cases, each averaged over draws; beside it the SD over draws of the mean over cases. "
        f"Bold: other than without fusion, {_CONCLUDED}. "
        f"The paper: {PAPER}; it does not state the unit of its Hausdorff distance."
    )
    yield score_table(cells, comparisons, shared)
    caption = "Dice against the number of training cases: mean ± SEM over test cases."
    yield Picture(_CURVES, "Learning curves: Dice against the number of training cases", caption)
    classes = class_table(cells, shared)
    if classes.rows:
        yield Heading("Each class alone")
        yield classes


def _differences(comparisons: Sequence[Comparison], shared: Shared) -> Iterator[Block]:
    yield Heading("Differences to no fusion: Dice")
    yield comparison_table(comparisons, DICE, shared)
    yield Heading("Differences to no fusion: 95% Hausdorff distance")
    yield comparison_table(comparisons, HD95, shared)
    yield Picture(
        _DIFFERENCES,
        "Paired differences of each arm to no fusion, with intervals",
        f"Paired differences with bootstrap 95% intervals over cases. Filled marks: {_CONCLUDED}. "
        "A good segmentation has a high Dice and a low Hausdorff distance.",
    )


def _details(cells: Sequence[Cell], shared: Shared) -> Iterator[Block]:
    yield Heading("Were the trainings long enough?")
    yield convergence_table(cells, shared)
    yield Heading("Time and memory")
    yield cost_table(cells, shared)


def _methods(comparisons: Sequence[Comparison]) -> Iterator[Block]:
    tests, tasks = (comparisons[0].tests, comparisons[0].tasks) if comparisons else (0, 0)
    yield Notes(
        [
            "The unit is the test case. Its value is the mean over its classes, then over seeds, then over draws. Arms "
            "are compared on the draws and cases that both have; runs without fusion belong to every theta and "
            "convention.",
            "p: paired Student's t-test on the cases, as in the paper, and two-sided, of which the paper says nothing; "
            "the trainings are taken as they are. p × tasks: the same after Bonferroni's correction over the tasks of "
            f"this report, {tasks} here (4 for the paper's own five, as it counts the two nuclei of one cohort once).",
            "p, draws too: the same test with the draws as random as the cases (analysis of variance, cases crossed "
            "with draws), so that a training's luck is not taken for an effect; never below p. p, whole report: that, "
            f"after Bonferroni's correction over all {counted(tests, 'test')} of this report: tasks, sizes, arms, "
            f"overrides and both metrics. The verdict goes by this p-value alone, at {ALPHA:.0%}.",
            "95% interval: bootstrap over cases, the trainings taken as they are, without correction. Draws won: those "
            "in which the arm's mean over cases was above that without fusion, or below it for hd95. Detectable: the "
            "smallest difference that the test on these cases could have called significant after the correction.",
            f"A significant difference is '{NOT_CONCLUDED}' with fewer than {DRAWS} draws, or when the trainings of "
            "either arm are undertrained or cannot be judged.",
            "Validation Dice: the mean of the last quarter of the validations; last rise: that less the mean of the "
            "quarter before. Converges to: the Dice at the end if the rise goes on to slow down as it did over the "
            "last two quarters, or that of longer runs, alike but for their epochs, where there are any; – where the "
            "rise has not slowed down clearly, as nothing tells then where it ends. Reached: the validation Dice as a "
            "share of it. Undertrained: a share below 90%, or without it, a rise that slowing down by a quarter from "
            "quarter to quarter would leave below.",
            "The Hausdorff distance is in mm, in the image's own space; that of an empty prediction is the diagonal of "
            "the image. The values on the network's own grid, in voxels, are in scores.csv.",
        ]
    )


def _shared(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Overrides that tell no two runs of a task apart: labels need not repeat them."""
    of_task: dict[str, list[set[tuple[str, str]]]] = {}
    for cell in cells_of(results):
        of_task.setdefault(cell.bundle, []).append(set(cell.overrides))
    every = {item for own in of_task.values() for items in own for item in items}
    varying = {item for own in of_task.values() for item in every if 0 < sum(item in items for items in own) < len(own)}
    return sorted(every - varying)
