"""Arms against the baseline: tests, their correction, and what may be said of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from .conditions import Condition, Scores, baseline_of
from .convergence import NOT_JUDGED, UNDERTRAINED, Convergence, convergence
from .long_table import DICE, HD95, Metric
from .published import tasks_counted
from .statistics import PairedTest, bonferroni, bootstrap_interval, detectable, paired_test

__all__ = ["ALPHA", "DRAWS", "NOT_CONCLUDED", "NOT_TESTED", "VERDICTS", "Comparison", "compare"]

Array = NDArray[np.float64]
Pairs = tuple[Array, Array, str]

#: level of all tests of a report together
ALPHA = 0.05
#: fewest draws to conclude from; an arm wins fewer than these all by luck in more than 1 of 20 cases (2 / 2^5 = 6%)
DRAWS = 6

IMPROVEMENT, DETERIORATION = "improvement", "deterioration"
NO_DIFFERENCE, NOT_CONCLUDED, NOT_TESTED = "no significant difference", "not concluded", "not tested"
#: all that is ever said of a comparison
VERDICTS = (IMPROVEMENT, DETERIORATION, NO_DIFFERENCE, NOT_CONCLUDED, NOT_TESTED)


@dataclass(frozen=True)
class Comparison:
    """A metric of an arm against that of the matching runs without fusion.

    Args:
        condition: runs of the arm.
        metric: measure that is compared.
        test: tests of the paired differences; None when there is nothing to test.
        differences: difference of each case, averaged over draws.
        remark: note on what was left out, or on why there is no test.
        reservations: reasons not to conclude from a significant difference.
        tests: number of tests in the whole report.
        tasks: number of tasks that the paper's correction is over.

    Example:
        >>> early = Condition("heart_fd", 8, "early")
        >>> test = PairedTest(1.9, 0.4, p_cases=0.001, p_draws=0.02, cases=12, draws=3, higher=3, lower=0)
        >>> comparison = Comparison(early, DICE, test, np.full(12, 1.9), tests=4)
        >>> comparison.p_report, comparison.verdict
        (0.08, 'no significant difference')
    """

    condition: Condition
    metric: Metric
    test: PairedTest | None
    differences: Array
    remark: str = ""
    reservations: tuple[str, ...] = ()
    tests: int = 1
    tasks: int = 1

    @property
    def p_cases(self) -> float:
        """Uncorrected, of the t-test on the cases."""
        return self.test.p_cases if self.test else math.nan

    @property
    def p_tasks(self) -> float:
        """The same, corrected over the tasks as in the paper."""
        return bonferroni(self.p_cases, self.tasks)

    @property
    def p_report(self) -> float:
        """With cases and draws as random, corrected over all tests of the report; of the cases alone for one draw."""
        if self.test is None:
            return math.nan
        return bonferroni(self.p_cases if self.test.draws == 1 else self.test.p_draws, self.tests)

    @property
    def significant(self) -> bool:
        """After the correction over the whole report."""
        return self.p_report < ALPHA

    @property
    def concluded(self) -> bool:
        """Whether the difference is significant, and nothing speaks against concluding from it."""
        return self.significant and not self.reservations

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        if self.test is None or math.isnan(self.p_cases):
            return NOT_TESTED
        if not self.significant:
            return NO_DIFFERENCE
        if self.reservations:
            return NOT_CONCLUDED
        return IMPROVEMENT if self.test.difference * self.metric.better > 0 else DETERIORATION

    @property
    def wins(self) -> int:
        """Number of draws in which the arm's mean was the better one."""
        if self.test is None:
            return 0
        return self.test.higher if self.metric.better > 0 else self.test.lower

    @property
    def detectable(self) -> float:
        """Smallest difference that the t-test on these cases could have called significant."""
        return detectable(self.test.sem, self.test.cases, self.tests, ALPHA) if self.test else math.nan

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Bootstrap 95% interval of the difference, over cases."""
        return bootstrap_interval(self.differences)


def compare(conditions: Sequence[Condition], metrics: Sequence[Metric] = (DICE, HD95)) -> list[Comparison]:
    """Compare every condition of an arm with its baseline.

    The correction is Bonferroni's over all these tests: every size, arm, group of settings and metric.

    Args:
        conditions: conditions of the study.
        metrics: measures to test.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.conditions import conditions_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> [dice] = compare(conditions_of(study_of(phantom_study(draws=1))), [DICE])
        >>> round(dice.test.difference, 2), dice.verdict, dice.reservations[0]
        (5.0, 'not concluded', '1 draw')
    """
    scores = cache(Condition.scores)  # a baseline serves several arms
    judged = cache(lambda condition: convergence(condition, conditions))
    found = []
    for condition in (one for one in conditions if one.fusion != "none"):
        baseline = baseline_of(condition, conditions)
        for metric in metrics:
            if baseline is None:
                found.append(Comparison(condition, metric, None, np.empty(0), "no matching run without fusion"))
                continue
            pairs = _pairs(scores(condition, metric), scores(baseline, metric))
            reached = {one.fusion: judged(one) for one in (condition, baseline)}
            found.append(_compared(condition, metric, pairs, reached))
    tested = [comparison for comparison in found if not math.isnan(comparison.p_cases)]
    tasks = tasks_counted({comparison.condition.bundle for comparison in tested})
    return [replace(comparison, tests=len(tested), tasks=tasks) for comparison in found]


def _pairs(arm: Scores, baseline: Scores) -> Pairs:
    """Values of two conditions in the runs and cases that both have, and a line on what was left out."""
    runs, cases = sorted({*arm.runs} & {*baseline.runs}), sorted({*arm.cases} & {*baseline.cases})
    first, second = (
        scores.values[np.ix_([*map(scores.runs.index, runs)], [*map(scores.cases.index, cases)])]
        for scores in (arm, baseline)
    )
    known = ~(np.isnan(first) | np.isnan(second)).any(0)
    counts = [(len(runs), max(len(arm.runs), len(baseline.runs)), "runs")]
    counts.append((int(known.sum()), len({*arm.cases} | {*baseline.cases}), "cases"))
    left_out = " and ".join(f"{count} of {most} {what}" for count, most, what in counts if count < most)
    first, second = (Scores(runs, cases, values[:, known]).by_draw() for values in (first, second))
    return first, second, f"paired on {left_out}" if left_out else ""


def _compared(condition: Condition, metric: Metric, pairs: Pairs, reached: dict[str, Convergence]) -> Comparison:
    arm, baseline, left_out = pairs
    if not arm.size:
        remark = "no case and draw in common with the runs without fusion"
        return Comparison(condition, metric, None, np.empty(0), remark)
    test = paired_test(arm, baseline)
    untestable = (
        "one test case" if test.cases < 2 else "the differences do not vary" if math.isnan(test.p_cases) else ""
    )
    remark = "; ".join(part for part in (left_out, untestable) if part)
    reservations = _reservations(test.draws, reached)
    return Comparison(condition, metric, test, (arm - baseline).mean(0), remark, reservations)


def _reservations(draws: int, reached: dict[str, Convergence]) -> tuple[str, ...]:
    few = [f"{draws} draw{'s' if draws > 1 else ''}"] if draws < DRAWS else []
    texts = {UNDERTRAINED: "undertrained", NOT_JUDGED: "convergence not judged"}
    of_state = {state: [arm for arm, found in reached.items() if found.state == state] for state in texts}
    return (*few, *(f"{texts[state]} ({', '.join(arms)})" for state, arms in of_state.items() if arms))
