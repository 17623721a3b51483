"""Arms against the baseline: tests, their correction, and what may be said of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .cells import DICE, HD95, Cell, Metric, Scores, baseline_of, pair
from .convergence import NOT_JUDGED, UNDERTRAINED, Convergence, convergence
from .published import tasks_counted
from .statistics import PairedTest, bonferroni, bootstrap_interval, detectable, paired_test

__all__ = ["ALPHA", "DRAWS", "VERDICTS", "Comparison", "compare"]

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
        cell: of the arm.
        metric: that is compared.
        test: of the paired differences; None when there is nothing to test.
        differences: of each case, averaged over draws.
        remark: what was left out, or why there is no test.
        reservations: why a significant difference is not concluded from.
        tests: made in the whole report.
        tasks: over which the paper's correction is made.

    Example:
        >>> cell = Cell("heart_fd", 8, "early", (), ())
        >>> test = PairedTest(1.9, 0.4, p_cases=0.001, p_draws=0.02, cases=12, draws=3, higher=3, lower=0)
        >>> comparison = Comparison(cell, DICE, test, np.full(12, 1.9), tests=4)
        >>> comparison.p_report, comparison.verdict
        (0.08, 'no significant difference')
    """

    cell: Cell
    metric: Metric
    test: PairedTest | None
    differences: NDArray[np.float64]
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


def compare(cells: Sequence[Cell], metrics: Sequence[Metric] = (DICE, HD95)) -> list[Comparison]:
    """Compare every cell of an arm with its baseline.

    The correction is Bonferroni's over all these tests: every size, arm, group of overrides and metric.

    Args:
        cells: of the study.
        metrics: to test.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.results import Result
        >>> def run(arm, *scores):
        ...     cases = [{"case": f"la_{place}", "dice_atrium": score} for place, score in enumerate(scores)]
        ...     return Result(bundle="heart_fd", status="finished", arm=arm, size=8, draw=0, seed=0,
        ...                   classes={"1": "atrium"}, cases=cases)
        >>> [early] = compare(cells_of([run("none", 0.5, 0.6, 0.7), run("early", 0.6, 0.71, 0.82)]), [DICE])
        >>> round(early.test.difference, 2), early.verdict, early.reservations[0]
        (11.0, 'not concluded', '1 draw')
    """
    judged = _Judged(cells)
    found = []
    for cell in cells:
        if cell.arm == "none":
            continue
        baseline = baseline_of(cell, cells)
        found += [_compare(cell, baseline, metric, judged) for metric in metrics]
    tested = [comparison for comparison in found if not math.isnan(comparison.p_cases)]
    tasks = tasks_counted({comparison.cell.bundle for comparison in tested})
    return [replace(comparison, tests=len(tested), tasks=tasks) for comparison in found]


class _Judged:
    """Scores and convergence of cells, each found once: a baseline serves several arms."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self._scores: dict[tuple[int, str], tuple[Cell, Scores]] = {}
        self._states: dict[int, tuple[Cell, Convergence]] = {}

    def scores(self, cell: Cell, metric: Metric) -> Scores:
        key = id(cell), metric.name
        if key not in self._scores:  # the cell is kept, so that no other one takes its id
            self._scores[key] = cell, cell.scores(metric)
        return self._scores[key][1]

    def convergence(self, cell: Cell) -> Convergence:
        if id(cell) not in self._states:
            self._states[id(cell)] = cell, convergence(cell, self.cells)
        return self._states[id(cell)][1]


def _compare(cell: Cell, baseline: Cell | None, metric: Metric, judged: _Judged) -> Comparison:
    if baseline is None:
        return Comparison(cell, metric, None, np.empty(0), "no matching run without fusion")
    arm, other, left_out = pair(judged.scores(cell, metric), judged.scores(baseline, metric))
    if not arm.size:
        return Comparison(cell, metric, None, np.empty(0), "no case and draw in common with the runs without fusion")
    test = paired_test(arm, other)
    reached = {one.arm: judged.convergence(one) for one in (cell, baseline)}
    reservations = _reservations(test.draws, reached)
    remark = "; ".join(part for part in (left_out, _untestable(test)) if part)
    return Comparison(cell, metric, test, (arm - other).mean(0), remark, reservations)


def _reservations(draws: int, reached: dict[str, Convergence]) -> tuple[str, ...]:
    few = [f"{draws} draw{'s' if draws > 1 else ''}"] if draws < DRAWS else []
    texts = {UNDERTRAINED: "undertrained", NOT_JUDGED: "convergence not judged"}
    of_state = {state: [arm for arm, found in reached.items() if found.state == state] for state in texts}
    return (*few, *(f"{texts[state]} ({', '.join(arms)})" for state, arms in of_state.items() if arms))


def _untestable(test: PairedTest) -> str:
    if test.cases < 2:
        return "one test case"
    return "the differences do not vary" if math.isnan(test.p_cases) else ""
