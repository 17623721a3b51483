"""Tables of a segmentation study: for reading, in the paper's form, and for computing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

from ...documents import Strong, Table
from ...documents.texts import ABSENT, as_csv, p_value, plain, signed
from .comparison import NOT_TESTED, Comparison
from .conditions import OF_BANDS, Condition
from .convergence import convergence
from .long_table import DICE, HD95, METRICS, Metric
from .published import Published, published
from .statistics import Spread, spread

__all__ = ["csv_files", "tables_of"]

#: settings that are the paper's: its Figure 2 has a low band of 10% width
_AS_PUBLISHED = {("theta", "0.1"), ("convention", "figure2")}
_PLACE = ["task", "n", "fusion"]
_DICE_AND_HD95 = ["Dice (%)", "SD over draws", "hd95 (mm)", "SD over draws"]


def tables_of(conditions: Sequence[Condition], comparisons: Sequence[Comparison]) -> dict[str, Table]:
    """Tables for reading.

    ``scores``: the paper's table, mean ± SEM for each task, size and fusion, and what the paper reports beside it; bold
    where a difference is concluded from. ``classes``: each class alone, of tasks with several. ``dice`` and ``hd95``:
    paired differences to no fusion, with what may be said of them. ``convergence``: how far the runs are trained.
    ``costs``: seconds and memory of the runs.

    Args:
        conditions: conditions of the study.
        comparisons: comparisons of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.comparison import compare
        >>> from monai_freq.study.report.conditions import conditions_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> conditions = conditions_of(study_of(phantom_study(draws=10)))
        >>> tables = tables_of(conditions, compare(conditions))
        >>> for row in tables["scores"].rows:
        ...     print(row[:4])
        ['hippocampus', '4', 'none', '87.00 ± 0.76']
        ['hippocampus', '4', 'early', '92.00 ± 0.99']
        >>> tables["dice"].rows[0][:6], tables["dice"].rows[0][-1]
        (['hippocampus', '4', 'early', '+5.00', '+4.00 to +6.00', '10 of 10'], 'improvement')
    """
    differences = {metric.name: _comparison_table(comparisons, metric) for metric in (DICE, HD95)}
    scores = {"scores": _score_table(conditions, comparisons), "classes": _class_table(conditions)}
    return scores | differences | {"convergence": _convergence_table(conditions), "costs": _cost_table(conditions)}


def csv_files(conditions: Sequence[Condition], comparisons: Sequence[Comparison]) -> dict[str, str]:
    """Tables for computing: every metric, of all classes together and of each alone, and every comparison.

    Args:
        conditions: conditions of the study.
        comparisons: comparisons of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.comparison import compare
        >>> from monai_freq.study.report.conditions import conditions_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> conditions = conditions_of(study_of(phantom_study(draws=10)))
        >>> csv_files(conditions, [])["scores"].splitlines()[1].split(",")[4:8]
        ['all', 'dice', '%', '87']
    """
    key = ["bundle", "n", "fusion", "overrides"]
    scores = [*key, "class", "metric", "unit", "mean", "sem_over_cases", "sd_over_draws", "cases", "draws"]
    figures = ["difference", "sem_over_cases", "interval_low", "interval_high", "p_cases", "p_cases_and_draws"]
    corrected = ["p_times_tasks", "p_whole_report", "tasks", "tests", "detectable", "cases", "draws", "draws_won"]
    differences = [*key, "metric", "unit", *figures, *corrected, "verdict", "remark"]
    return {
        "scores": as_csv([*scores, "published", "published_sem"], _scores(conditions)),
        "differences": as_csv(differences, map(_comparison, comparisons)),
    }


def _score_table(conditions: Sequence[Condition], comparisons: Sequence[Comparison]) -> Table:
    """The paper's table: mean ± SEM for each task, size and fusion, and what the paper reports beside it."""
    concluded = {(one.condition, one.metric) for one in comparisons if one.concluded}
    rows = []
    for one in conditions:
        found = {metric: spread(one.scores(metric).by_draw()) for metric in (DICE, HD95)}
        shown = [text for metric in found for text in _mean_and_sd(found[metric], metric, (one, metric) in concluded)]
        counts = [str(found[DICE].cases), str(found[DICE].draws)]
        paper = _published(one)
        line = [ABSENT] * 3
        if paper:
            line = [str(paper.size), *(f"{mean:.2f} ± {sem:.2f}" for mean, sem in (paper[4:6], paper[6:8]))]
        rows.append([*_place(one), *shown, *counts, *line])
    header = [*_PLACE, *_DICE_AND_HD95, "cases", "draws", "paper: n", "paper: Dice (%)", "paper: hd95"]
    return Table(header, rows, groups=2, texts=3)


def _class_table(conditions: Sequence[Condition]) -> Table:
    """Each class alone, of tasks with several."""
    rows = []
    for one in conditions:
        for label in one.classes() if len(one.classes()) > 1 else []:
            found = [_mean_and_sd(spread(one.scores(metric, label).by_draw()), metric) for metric in (DICE, HD95)]
            rows.append([one.title, label, *_place(one)[1:], *found[0], *found[1]])
    rows.sort(key=lambda row: row[:2])
    return Table(["task", "class", "n", "fusion", *_DICE_AND_HD95], rows, groups=3, texts=4)


def _comparison_table(comparisons: Sequence[Comparison], metric: Metric) -> Table:
    """Paired differences of a metric to no fusion, with what may be said of them."""
    figures = [f"difference ({metric.points})", "95% interval", "draws won", "p", "p × tasks", "p, draws too"]
    header = ["task", "n", "arm", *figures, "p, whole report", f"detectable ({metric.points})", "verdict"]
    rows = [_compared(one) for one in comparisons if one.metric == metric]
    return Table(header, rows, groups=2, texts=3)


def _convergence_table(conditions: Sequence[Condition]) -> Table:
    """How far the runs of each condition are trained."""
    rows = []
    for one in conditions:
        found = convergence(one, conditions)
        share = plain(100 * found.reached, 0).replace(ABSENT, "")
        dice = [plain(100 * found.final, 1), signed(100 * found.rise, 1), plain(100 * found.converged, 1)]
        state = f"{found.state} (by runs of {found.reference} epochs)" if found.reference else found.state
        rows.append([*_place(one), str(found.epochs or ABSENT), *dice, f"{share}%" if share else ABSENT, state])
    figures = ["epochs", "validation Dice (%)", "last rise (points)", "converges to (%)", "reached"]
    return Table([*_PLACE, *figures, "state"], rows, groups=2, texts=3)


def _cost_table(conditions: Sequence[Condition]) -> Table:
    """Seconds and memory of the runs."""
    rows = []
    for one in conditions:
        times = [[run[part] for run in one.runs["seconds"] if part in run] for part in ("train", "evaluate")]
        seconds = [f"{median(found):.1f}" if found else ABSENT for found in times]
        memory = max((memory or 0 for memory in one.runs["memory"]), default=0)
        shown = f"{memory / 1e6:.0f}" if memory else ABSENT
        rows.append([*_place(one), str(len(one.runs)), *seconds, shown])
    header = [*_PLACE, "runs", "training (s), median", "evaluation (s), median", "peak memory (MB)"]
    return Table(header, rows, groups=2, texts=3)


def _scores(conditions: Sequence[Condition]) -> Iterator[list[object]]:
    for one in conditions:
        paper = _published(one)
        known = {DICE: paper[4:6], HD95: paper[6:8]} if paper else {}
        for label in [None, *one.classes()] if len(one.classes()) > 1 else [None]:
            for metric in METRICS:
                figures = known.get(metric, ("", "")) if label is None else ("", "")
                found = spread(one.scores(metric, label).by_draw())
                yield [*_key(one), label or "all", metric.name, metric.unit, *found, *figures]


def _comparison(one: Comparison) -> list[object]:
    test, figures, counts = one.test, [math.nan] * 6, [0, 0, 0]
    if test:
        figures = [test.difference, test.sem, *one.interval, test.p_cases, test.p_draws]
        counts = [test.cases, test.draws, one.wins]
    corrected = [one.p_tasks, one.p_report, one.tasks, one.tests, one.detectable]
    remark = "; ".join([*one.reservations, one.remark] if one.remark else one.reservations)
    return [*_key(one.condition), one.metric.name, one.metric.unit, *figures, *corrected, *counts, one.verdict, remark]


def _compared(one: Comparison) -> list[str]:
    verdict = one.verdict
    if one.significant and one.reservations and verdict != NOT_TESTED:
        verdict = f"{verdict}: {', '.join(one.reservations)}"
    verdict = f"{verdict}; {one.remark}" if one.remark else verdict
    if one.test is None:
        return [*_place(one.condition), *([ABSENT] * 8), verdict]
    low, high = (signed(end, one.metric.decimals) for end in one.interval)
    shown = [signed(one.test.difference, one.metric.decimals), p_value(one.p_report)]
    difference, p_report = (Strong(text) if one.concluded else text for text in shown)
    figures = [ABSENT if low == ABSENT else f"{low} to {high}", f"{one.wins} of {one.test.draws}"]
    p_values = [p_value(p) for p in (one.p_cases, one.p_tasks, one.test.p_draws)]
    smallest = plain(one.detectable, one.metric.decimals)
    return [*_place(one.condition), difference, *figures, *p_values, p_report, smallest, verdict]


def _place(one: Condition) -> list[str]:
    return [one.title, one.size_text, one.label]


def _key(one: Condition) -> list[object]:
    return [one.bundle, one.size_text, one.fusion, " ".join(f"{key}={value}" for key, value in one.settings)]


def _published(one: Condition) -> Published | None:
    """Line of the paper, unless a condition's own settings or its bands are other than the paper's."""
    others = set(one.settings) - _AS_PUBLISHED
    differs = any(item not in one.shared or item[0] in OF_BANDS for item in others)
    return None if differs else published(one.bundle, one.size, one.fusion)


def _mean_and_sd(found: Spread, metric: Metric, strong: bool = False) -> list[str]:
    mean = plain(found.mean, metric.decimals)
    text = mean if math.isnan(found.sem) else f"{mean} ± {plain(found.sem, metric.decimals)}"
    return [Strong(text) if strong else text, plain(found.sd_draws, metric.decimals)]
