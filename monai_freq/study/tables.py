"""Tables of a study: for reading, in the paper's form, and for computing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

from .cells import DICE, HD95, METRICS, OF_BANDS, Cell, Metric
from .comparison import NOT_TESTED, Comparison
from .convergence import Convergence, convergence
from .pages import Strong, Table
from .published import Published, published, task_of
from .statistics import Spread, spread
from .texts import ABSENT, exact, plain, signed

__all__ = [
    "class_table",
    "comparison_rows",
    "comparison_table",
    "convergence_table",
    "cost_table",
    "score_rows",
    "score_table",
    "title_of",
]

Shared = Sequence[tuple[str, str]]
Rows = list[list[str]]

#: settings that are the paper's: its Figure 2 has a low band of 10% width
_AS_PUBLISHED = {("theta", "0.1"), ("convention", "figure2")}


def score_table(cells: Sequence[Cell], comparisons: Sequence[Comparison], shared: Shared) -> Table:
    """The paper's table: mean ± SEM for each task, size and arm, and what the paper reports beside it.

    Args:
        cells: of the study.
        comparisons: whose figures are set in bold where a difference is concluded from.
        shared: overrides that all runs share, which are left out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> table = score_table(cells_of(phantom_study()), [], [])
        >>> table.header[:4]
        ['task', 'n', 'fusion', 'Dice (%)']
        >>> [row[:4] for row in table.rows]
        [['hippocampus', '4', 'none', '83.50 ± 0.76'], ['hippocampus', '4', 'early', '88.50 ± 0.99']]
    """
    header = ["task", "n", "fusion", "Dice (%)", "SD over draws", "hd95 (mm)", "SD over draws", "cases", "draws"]
    counted = {(id(c.cell), c.metric.name) for c in comparisons if c.concluded}
    rows = []
    for cell in cells:
        dice, hd95 = (spread(cell.scores(metric).by_draw()) for metric in (DICE, HD95))
        shown = [
            text
            for metric, found in ((DICE, dice), (HD95, hd95))
            for text in _mean_and_sd(found, metric, (id(cell), metric.name) in counted)
        ]
        counts = [str(dice.cases), str(dice.draws)]
        rows.append([title_of(cell), cell.size_text, cell.label(shared), *shown, *counts, *_published(cell, shared)])
    return Table([*header, "paper: n", "paper: Dice (%)", "paper: hd95"], rows, groups=2, texts=3)


def class_table(cells: Sequence[Cell], shared: Shared) -> Table:
    """Each class alone, of tasks with several.

    Args:
        cells: of the study.
        shared: overrides that all runs share, which are left out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> for row in class_table(cells_of(phantom_study()), []).rows:
        ...     print(row[1:5])
        ['Anterior', '4', 'none', '83.50 ± 0.76']
        ['Anterior', '4', 'early', '88.50 ± 0.99']
        ['Posterior', '4', 'none', '83.50 ± 0.76']
        ['Posterior', '4', 'early', '88.50 ± 0.99']
    """
    rows = []
    for cell in cells:
        for label in cell.classes() if len(cell.classes()) > 1 else []:
            found = [(metric, spread(cell.scores(metric, label).by_draw())) for metric in (DICE, HD95)]
            shown = [text for metric, one in found for text in _mean_and_sd(one, metric)]
            rows.append([title_of(cell), label, cell.size_text, cell.label(shared), *shown])
    rows.sort(key=lambda row: row[:2])
    header = ["task", "class", "n", "fusion", "Dice (%)", "SD over draws", "hd95 (mm)", "SD over draws"]
    return Table(header, rows, groups=3, texts=4)


def comparison_table(comparisons: Sequence[Comparison], metric: Metric, shared: Shared) -> Table:
    """Paired differences of a metric to no fusion, with what may be said of them.

    Args:
        comparisons: of the study.
        metric: that is shown.
        shared: overrides that all runs share, which are left out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.comparison import compare
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> [row] = comparison_table(compare(cells_of(phantom_study(draws=10))), DICE, []).rows
        >>> row[:6], row[-1]
        (['hippocampus', '4', 'early', '+5.00', '+4.00 to +6.00', '10 of 10'], 'improvement')
    """
    unit = "points" if metric.unit == "%" else metric.unit
    header = ["task", "n", "arm", f"difference ({unit})", "95% interval", "draws won", "p", "p × tasks", "p, draws too"]
    rows = [_comparison_row(one, shared) for one in comparisons if one.metric == metric]
    return Table([*header, "p, whole report", f"detectable ({unit})", "verdict"], rows, groups=2, texts=3)


def convergence_table(cells: Sequence[Cell], shared: Shared) -> Table:
    """How far the runs of each cell are trained.

    Args:
        cells: of the study.
        shared: overrides that all runs share, which are left out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> for row in convergence_table(cells_of(phantom_study()), []).rows:
        ...     print(row[2:])
        ['none', '12', '83.5', '+0.3', '83.5', '100%', 'converged']
        ['early', '12', '88.4', '+0.4', '88.5', '100%', 'converged']
    """
    header = [
        "task",
        "n",
        "fusion",
        "epochs",
        "validation Dice (%)",
        "last rise (points)",
        "converges to (%)",
        "reached",
    ]
    header.append("state")
    rows = [
        [title_of(cell), cell.size_text, cell.label(shared), *_convergence(convergence(cell, cells))] for cell in cells
    ]
    return Table(header, rows, groups=2, texts=3)


def cost_table(cells: Sequence[Cell], shared: Shared) -> Table:
    """Seconds and memory of the runs.

    Args:
        cells: of the study.
        shared: overrides that all runs share, which are left out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> cost_table(cells_of(phantom_study()), []).rows[0]
        ['hippocampus', '4', 'none', '3', '41.0', '3.0', '800']
    """
    header = ["task", "n", "fusion", "runs", "training (s), median", "evaluation (s), median", "peak memory (MB)"]
    rows = [[title_of(cell), cell.size_text, cell.label(shared), *_costs(cell)] for cell in cells]
    return Table(header, rows, groups=2, texts=3)


def score_rows(cells: Sequence[Cell], shared: Shared) -> Iterator[list[object]]:
    """Header and lines of the table for computing: every metric, of all classes together and of each alone.

    Args:
        cells: of the study.
        shared: overrides that all runs share.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> header, first, *_ = score_rows(cells_of(phantom_study()), [])
        >>> dict(zip(header[4:8], first[4:8]))
        {'class': 'all', 'metric': 'dice', 'unit': '%', 'mean': '83.5'}
    """
    counts = ["mean", "sem_over_cases", "sd_over_draws", "cases", "draws"]
    yield ["bundle", "n", "fusion", "overrides", "class", "metric", "unit", *counts, "published", "published_sem"]
    for cell in cells:
        labels = [None, *cell.classes()] if len(cell.classes()) > 1 else [None]
        for label in labels:
            for metric in METRICS:
                found = spread(cell.scores(metric, label).by_draw())
                figures = [exact(value) for value in found[:3]]
                paper = _published_figures(cell, shared, metric) if label is None else ["", ""]
                yield [*_key(cell), label or "all", metric.name, metric.unit, *figures, *found[3:], *paper]


def comparison_rows(comparisons: Sequence[Comparison]) -> Iterator[list[object]]:
    """Header and lines of the comparisons for computing.

    Args:
        comparisons: of the study.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.comparison import compare
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> header, first, *_ = comparison_rows(compare(cells_of(phantom_study(draws=10))))
        >>> {name: value for name, value in zip(header, first) if name in ("metric", "difference", "verdict")}
        {'metric': 'dice', 'difference': '5', 'verdict': 'improvement'}
    """
    figures = ["difference", "sem_over_cases", "interval_low", "interval_high", "p_cases", "p_cases_and_draws"]
    corrected = ["p_times_tasks", "p_whole_report", "tasks", "tests", "detectable"]
    counts = ["cases", "draws", "draws_won"]
    yield ["bundle", "n", "fusion", "overrides", "metric", "unit", *figures, *corrected, *counts, "verdict", "remark"]
    for one in comparisons:
        test = one.test
        tested = [test.difference, test.sem, *one.interval, test.p_cases, test.p_draws] if test else [math.nan] * 6
        after: list[object] = [exact(one.p_tasks), exact(one.p_report), one.tasks, one.tests, exact(one.detectable)]
        seen = [test.cases, test.draws, one.wins] if test else [0, 0, 0]
        remark = "; ".join([*one.reservations, one.remark] if one.remark else one.reservations)
        start = [*_key(one.cell), one.metric.name, one.metric.unit]
        yield [*start, *(exact(value) for value in tested), *after, *seen, one.verdict, remark]


def title_of(cell: Cell) -> str:
    """Task of a cell, as shown.

    Args:
        cell: of the study.

    Example:
        >>> title_of(Cell("red_nucleus_fd", 4, "none", (), ()))
        'red nucleus'
    """
    return task_of(cell.bundle).replace("_", " ")


def _comparison_row(one: Comparison, shared: Shared) -> list[str]:
    start = [title_of(one.cell), one.cell.size_text, one.cell.label(shared)]
    verdict = "; ".join([_verdict(one), one.remark] if one.remark else [_verdict(one)])
    if one.test is None:
        return [*start, *([ABSENT] * 8), verdict]
    decimals = one.metric.decimals
    low, high = one.interval
    interval = ABSENT if math.isnan(low) else f"{signed(low, decimals)} to {signed(high, decimals)}"
    figures = [signed(one.test.difference, decimals), interval, f"{one.wins} of {one.test.draws}"]
    p_values = [_p(one.p_cases), _p(one.p_tasks), _p(one.test.p_draws), _p(one.p_report)]
    shown = [Strong(text) if one.concluded else text for text in [figures[0], p_values[-1]]]
    return [*start, shown[0], *figures[1:], *p_values[:-1], shown[1], plain(one.detectable, decimals), verdict]


def _verdict(one: Comparison) -> str:
    if not one.significant or not one.reservations or one.verdict == NOT_TESTED:
        return one.verdict
    return f"{one.verdict}: {', '.join(one.reservations)}"


def _convergence(found: Convergence) -> list[str]:
    reached = ABSENT if math.isnan(found.reached) else f"{100 * found.reached:.0f}%"
    state = f"{found.state} (by runs of {found.reference} epochs)" if found.reference else found.state
    shown = [plain(100 * found.final, 1), signed(100 * found.rise, 1), plain(100 * found.converged, 1), reached]
    return [str(found.epochs or ABSENT), *shown, state]


def _costs(cell: Cell) -> list[str]:
    times = [[run.seconds[part] for run in cell.results if part in run.seconds] for part in ("train", "evaluate")]
    memory = max((run.peak_memory_bytes or 0 for run in cell.results), default=0)
    seconds = [f"{median(found):.1f}" if found else ABSENT for found in times]
    return [str(len(cell.results)), *seconds, f"{memory / 1e6:.0f}" if memory else ABSENT]


def _published(cell: Cell, shared: Shared) -> list[str]:
    line = _paper(cell, shared)
    if line is None:
        return [ABSENT] * 3
    return [str(line.size), f"{line.dice:.2f} ± {line.dice_sem:.2f}", f"{line.hd95:.2f} ± {line.hd95_sem:.2f}"]


def _paper(cell: Cell, shared: Shared) -> Published | None:
    """Line of the paper for a cell, unless its own overrides or its bands are other settings than the paper's."""
    others = set(cell.overrides) - _AS_PUBLISHED
    differs = any(item not in shared or item[0] in OF_BANDS for item in others)
    return None if differs else published(cell.bundle, cell.size, cell.arm)


def _published_figures(cell: Cell, shared: Shared, metric: Metric) -> list[object]:
    line = _paper(cell, shared)
    figures = {"dice": (line.dice, line.dice_sem), "hd95": (line.hd95, line.hd95_sem)} if line else {}
    return [*figures.get(metric.name, ("", ""))]


def _mean_and_sd(found: Spread, metric: Metric, strong: bool = False) -> list[str]:
    mean = plain(found.mean, metric.decimals)
    text = mean if math.isnan(found.sem) else f"{mean} ± {plain(found.sem, metric.decimals)}"
    return [Strong(text) if strong else text, plain(found.sd_draws, metric.decimals)]


def _p(value: float) -> str:
    if math.isnan(value):
        return ABSENT
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _key(cell: Cell) -> list[object]:
    return [cell.bundle, cell.size_text, cell.arm, " ".join(f"{key}={value}" for key, value in cell.overrides)]
