"""What a segmentation study shows: the arms against no fusion, and what cannot be concluded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...documents import Block, Heading, Notes, Paragraph, Picture, Table, write_document
from ...documents.texts import counted, listed, signed
from .comparison import ALPHA, DRAWS, NOT_CONCLUDED, VERDICTS, Comparison, compare
from .conditions import Condition, conditions_of
from .convergence import NOT_JUDGED, SHARE, UNDERTRAINED, Convergence, convergence
from .how_to_read import how_to_read
from .long_table import DICE, HD95, Study, read_study
from .published import PAPER
from .runs import about_the_data, about_what_is_missing, missing_runs, named_runs, remarks_on_runs
from .segmentation_figures import segmentation_figures
from .segmentation_tables import csv_files, tables_of

__all__ = ["segmentation_document", "warnings_of", "write_report"]

#: fewest test cases whose differences can be seen to point one way by more than luck, as for draws
_CASES = 6
#: most conditions that a warning names
_PLACES = 6
#: what bold figures and filled marks mean
_CONCLUDED = (
    f"significant after correction over the whole report, with {DRAWS} draws or more and both arms trained long enough"
)


def write_report(folder: str | os.PathLike[str]) -> list[Path]:
    """Report on a segmentation study, into the folder ``report`` of its own.

    ``report.html`` needs no other file; ``report.md`` says the same; ``scores.csv`` and ``differences.csv`` are for
    computing; the pictures are there as PNG and SVG.

    Args:
        folder: output folder of the study.

    Returns:
        The files, ``report.html`` first.

    Raises:
        UsageError: there is no such folder.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.run.results import write_result
        >>> folder = tempfile.mkdtemp()
        >>> for result in phantom_study():
        ...     _ = write_result(folder, result)
        >>> page, text, scores, *_ = write_report(folder)
        >>> page.name, text.name, scores.read_text().splitlines()[1].split(",")[:8]
        ('report.html', 'report.md', ['hippocampus_fd', '4', 'none', '', 'all', 'dice', '%', '83.5'])
    """
    study = read_study(folder)
    conditions = conditions_of(study)
    comparisons = compare(conditions)
    blocks = list(segmentation_document(study, conditions, comparisons))
    figures = segmentation_figures(conditions, comparisons)
    return write_document(Path(folder) / "report", blocks, figures, csv_files(conditions, comparisons))


def segmentation_document(
    study: Study, conditions: Sequence[Condition], comparisons: Sequence[Comparison]
) -> Iterator[Block]:
    """Everything that the report says, in its order.

    Args:
        study: tables of the study.
        conditions: conditions of the study.
        comparisons: comparisons of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> study = study_of(phantom_study(draws=10))
        >>> conditions = conditions_of(study)
        >>> _, summary, *_ = segmentation_document(study, conditions, compare(conditions))
        >>> summary.text
        '20 runs of 1 task, 0 failed. 2 comparisons with no fusion, of Dice and of hd95: improvement 2.'
    """
    tables = tables_of(conditions, comparisons)
    yield Heading("Segmentation study")
    yield Paragraph(_summary(study, conditions, comparisons))
    if warnings := warnings_of(conditions, comparisons):
        yield Notes(warnings, warning=True)
    patients = "the clinical data, and the paper's stand beside them for orientation only."
    if lines := [*_in_common(conditions), *remarks_on_runs(study, patients)]:
        yield Notes(lines)
    yield from about_the_data(study)
    if conditions:
        yield from _scores(tables)
    if any(comparison.test for comparison in comparisons):
        yield from _differences(tables)
    if conditions:
        yield Heading("Were the trainings long enough?")
        yield tables["convergence"]
        yield Heading("Time and memory")
        yield tables["costs"]
    yield from about_what_is_missing([*missing_runs(study), *_missing(study, conditions)])
    tests, tasks = (comparisons[0].tests, comparisons[0].tasks) if comparisons else (0, 0)
    numbers = {"tasks": tasks, "tests": counted(tests, "test"), "alpha": f"{ALPHA:.0%}", "draws": DRAWS}
    yield from how_to_read("segmentation", not_concluded=NOT_CONCLUDED, **numbers)


def warnings_of(conditions: Sequence[Condition], comparisons: Sequence[Comparison]) -> list[str]:
    """Why a reader should not conclude yet.

    Args:
        conditions: conditions of the study.
        comparisons: comparisons of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> conditions = conditions_of(study_of(phantom_study(draws=2)))
        >>> for warning in warnings_of(conditions, compare(conditions)):
        ...     print(warning)
        Too few draws to conclude: 2 in hippocampus, n = 4, early. With fewer than 6, ...
    """
    tested = [(one, one.test) for one in comparisons if one.test and one.metric == DICE]
    lines = []
    for draws in sorted({test.draws for _, test in tested if test.draws < DRAWS}):
        where = [one.condition.place for one, test in tested if test.draws == draws]
        lines.append(
            f"Too few draws to conclude: {draws} in {listed(where, _PLACES)}. With fewer than {DRAWS}, an arm that is "
            f"no different wins or loses all of them in more than 1 of 20 studies (2/2^{draws} = {200 / 2**draws:.0f}%)"
            ", and the luck of single trainings can hardly be told from an effect."
        )
    of_task: dict[str, int] = {}
    for one, test in tested:
        of_task[one.condition.title] = min(test.cases, of_task.get(one.condition.title, test.cases))
    if few := [f"{task} ({cases})" for task, cases in of_task.items() if cases < _CASES]:
        lines.append(
            f"Few test cases: {', '.join(few)}. The t-test takes for granted that differences are distributed "
            "normally, which so few cannot show, and their bootstrap interval covers less than 95%. The column "
            "'detectable' says how large a difference would have had to be."
        )
    return [*lines, *_training(conditions)]


def _training(conditions: Sequence[Condition]) -> Iterator[str]:
    states = [(one.place, convergence(one, conditions)) for one in conditions]
    short = [(place, found) for place, found in states if found.state == UNDERTRAINED]
    unknown = [place for place, found in states if found.state == NOT_JUDGED]
    if short:
        under = listed((place for place, _ in short), _PLACES)
        progress = listed((_progress(found) for _, found in short), _PLACES)
        yield (
            f"Undertrained: {len(short)} of {counted(len(states), 'condition')} ({under}) had not reached {SHARE:.0%} "
            "of their converged validation Dice, or rose too fast to tell it. Dice, and its rise in the last quarter, "
            f"in this order: {progress}. Differences may be of how fast an arm learns."
        )
    if unknown:
        yield (
            f"Whether {len(unknown)} of {counted(len(states), 'condition')} ({listed(unknown, _PLACES)}) had reached "
            f"{SHARE:.0%} of their converged validation Dice cannot be judged: fewer than 8 validations were recorded."
        )


def _progress(found: Convergence) -> str:
    """What was measured of a training that was too short."""
    text = f"{100 * found.final:.1f}%, {signed(100 * found.rise, 1)} points"
    return text if math.isnan(found.reached) else f"{text}, of {100 * found.converged:.1f}%"


def _in_common(conditions: Sequence[Condition]) -> Iterator[str]:
    """The settings that labels leave out: of all runs, and of each task by itself."""
    of_task = {one.bundle: set(one.settings) for one in conditions}
    shared = conditions[0].shared if conditions else ()
    everywhere = [item for item in shared if all(item in own for own in of_task.values())]
    alone = {task: [item for item in shared if item in own and item not in everywhere] for task, own in of_task.items()}
    for whose, items in {"All runs": everywhere, **alone}.items():
        if items:
            yield f"{whose}: {', '.join(f'{key}={value}' for key, value in items)}."


def _summary(study: Study, conditions: Sequence[Condition], comparisons: Sequence[Comparison]) -> str:
    if not conditions:
        return "No run has finished yet." + (f" {len(study.runs)} failed." if len(study.runs) else "")
    finished, tasks = sum(len(one.runs) for one in conditions), len({one.bundle for one in conditions})
    runs = f"{finished} runs of {counted(tasks, 'task')}, {len(study.runs) - finished} failed."
    verdicts = [comparison.verdict for comparison in comparisons]
    counts = [f"{verdict} {verdicts.count(verdict)}" for verdict in VERDICTS if verdict in verdicts]
    if not counts:
        return f"{runs} There is nothing to compare."
    return f"{runs} {counted(len(verdicts), 'comparison')} with no fusion, of Dice and of hd95: {', '.join(counts)}."


def _scores(tables: dict[str, Table]) -> Iterator[Block]:
    yield Heading("Dice and Hausdorff distance")
    yield Paragraph(
        "Mean ± SEM over test cases, each averaged over draws; beside it the SD over draws of the mean over cases. "
        f"Bold: other than without fusion, {_CONCLUDED}. "
        f"The paper: {PAPER}; it does not state the unit of its Hausdorff distance."
    )
    yield tables["scores"]
    caption = "Dice against the number of training cases: mean ± SEM over test cases."
    yield Picture("learning_curves", "Learning curves: Dice against the number of training cases", caption)
    if tables["classes"].rows:
        yield Heading("Each class alone")
        yield tables["classes"]


def _differences(tables: dict[str, Table]) -> Iterator[Block]:
    for metric in (DICE, HD95):
        yield Heading(f"Differences to no fusion: {metric.title}")
        yield tables[metric.name]
    yield Picture(
        "differences",
        "Paired differences of each arm to no fusion, with intervals",
        f"Paired differences with bootstrap 95% intervals over cases. Filled marks: {_CONCLUDED}. "
        "A good segmentation has a high Dice and a low Hausdorff distance.",
    )


def _missing(study: Study, conditions: Sequence[Condition]) -> Iterator[str]:
    """Conditions and runs that others tell of, where it is not known what was asked for; values that are not there."""
    if not study.asked:
        for bundle in dict.fromkeys(one.bundle for one in conditions):
            own = [one for one in conditions if one.bundle == bundle]
            labels = dict.fromkeys(one.label for one in own)
            for size in dict.fromkeys(one.size_text for one in own):
                there = {one.label for one in own if one.size_text == size}
                if absent := [label for label in labels if label not in there]:
                    yield f"Absent: {own[0].title}, n = {size}: {', '.join(absent)}"
        for one in conditions:
            runs = study.runs.itertuples()
            wanted = {(run.draw, run.seed) for run in runs if (run.bundle, run.size) == (one.bundle, one.size)}
            if lacking := sorted(wanted - {*one.keys}):
                yield f"Absent: {one.place}: {named_runs('draw', lacking, wanted)}"
    for one in conditions:
        for metric in (DICE, HD95):
            values = one.scores(metric).values
            if lost := int(np.isnan(values).sum()):
                yield f"Absent: {one.place}: {metric.title} of {lost} of {values.size} test images"
            elif not values.size:
                yield f"Absent: {one.place}: {metric.title} of any test image"
