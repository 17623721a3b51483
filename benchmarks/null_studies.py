"""Simulated studies in which no arm differs: the rate of reports with a false alarm."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import measure
import numpy as np
from measure import Target
from numpy.typing import NDArray

from monai_freq.study.report.comparison import Comparison, compare
from monai_freq.study.report.conditions import conditions_of
from monai_freq.study.report.long_table import DICE, study_of
from monai_freq.study.report.statistics import bootstrap_interval
from monai_freq.study.run.results import Result
from monai_freq.study.run.spec import ARMS

STUDIES = 500
#: Planted difference in units of Dice, in further studies, for the power of the tests.
PLANTED = 0.03
#: Number of test cases of each task: the paper's, but 12 of the hippocampus' 52, to save time.
CASES = {"red_nucleus_fd": 16, "spleen_fd": 9, "heart_fd": 4, "hippocampus_fd": 12}
SIZES = {4: 0.72, 8: 0.80}  # number of training cases -> Dice
DRAWS = 10
#: Standard deviations in units of Dice, near those levels, of: case, training subset, arm within a case, residual, and
#: the luck of a single training, which all of its cases share.
HARD, SUBSET, SUITS, REST, LUCK = 0.06, 0.02, 0.01, 0.03, 0.015
ALPHA = 0.05
#: Validation curve of trained networks; one draw needs it.
LEVEL = {"epochs": [1.0, 2, 3, 4, 5, 6, 7, 8], "val_mean_dice": [0.8] * 8}

Array = NDArray[np.float64]


class Rates(NamedTuple):
    """Shares of false alarms: of single tests of Dice and hd95, and of reports with any."""

    of_cases: float
    of_draws: float
    of_reports: float
    of_reports_by_tasks: float
    tests: int


def main() -> None:
    """Simulate and print; a full run also writes the section."""
    arguments = measure.options(__doc__ or "", rounds=1)
    studies = 40 if arguments.quick else STUDIES
    start = time.process_time()
    shared, own = (rates(studies, luck) for luck in (0.0, LUCK))
    seconds = time.process_time() - start
    measure.publish("Null studies", report(shared, own, studies, seconds), arguments)


def rates(studies: int, luck: float) -> Rates:
    reports = [compare(conditions_of(study_of(study(np.random.default_rng(seed), luck)))) for seed in range(studies)]
    single = [comparison for report in reports for comparison in report]
    return Rates(
        _share(one.p_cases < ALPHA for one in single),
        _share(one.test is not None and one.test.p_draws < ALPHA for one in single),
        _share(any(called(one) for one in report) for report in reports),
        _share(any(one.p_tasks < ALPHA for one in report) for report in reports),
        len(single) // studies,
    )


def called(comparison: Comparison) -> bool:
    """Whether the report calls the arm different."""
    return comparison.verdict in ("improvement", "deterioration")


def study(rng: np.random.Generator, luck: float, planted: float = 0.0) -> list[Result]:
    """Results of all tasks, sizes, arms and draws; early fusion adds ``planted`` to the Dice."""
    results = []
    for bundle, cases in CASES.items():
        hard, suits = HARD * rng.standard_normal(cases), SUITS * rng.standard_normal((len(ARMS), cases))
        for size, level in SIZES.items():
            subset = SUBSET * rng.standard_normal(DRAWS)
            for arm, of_case in zip(ARMS, hard + suits, strict=True):
                trained = luck * rng.standard_normal(DRAWS)
                shift = level + planted * (arm == "early") + of_case + (subset + trained)[:, None]
                dice = bounded(shift + REST * rng.standard_normal((DRAWS, cases)))
                distance = 30 * (1 - dice) * np.exp(0.2 * rng.standard_normal((DRAWS, cases)))
                results += [result(bundle, size, arm, draw, dice[draw], distance[draw]) for draw in range(DRAWS)]
    return results


def bounded(dice: Array) -> Array:
    """Logistic curve that is the number itself near 0.75, and flat towards 0 and 1, so that easy cases vary less."""
    return 1 / (1 + np.exp(-(math.log(3) + (dice - 0.75) / (0.75 * 0.25))))


def result(bundle: str, size: int, arm: str, draw: int, dice: Array, distance: Array) -> Result:
    rows = zip(dice.tolist(), distance.tolist(), strict=True)
    return Result(
        bundle=bundle,
        status="finished",
        settings={"fusion": arm, "train_size": size, "draw": draw, "seed": 0},
        classes={"1": "a"},
        validation=LEVEL if draw == 0 else {},
        cases=[{"case": case, "dice_a": one, "hd95_mm_a": far} for case, (one, far) in enumerate(rows)],
    )


def report(shared: Rates, own: Rates, studies: int, seconds: float) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        f"{studies} studies, each of {len(CASES)} tasks ({', '.join(map(str, CASES.values()))} test cases), "
        f"{len(SIZES)} sizes, {DRAWS} draws and {len(ARMS)} arms that do not differ: {shared.tests} tests per report, "
        f"of Dice and 95% Hausdorff distance. Standard deviations in points of Dice: {100 * HARD:g} between cases, "
        f"{100 * SUBSET:g} between draws (the subset, shared by the arms), {100 * SUITS:g} between arms within a case, "
        f"{100 * REST:g} the rest. With luck, every training adds {100 * LUCK:g} of its own to all of its cases."
    )
    yield measure.targets_table(targets(shared, own, seconds))
    yield (
        "The paper's t-test on the cases treats the trainings as fixed. With luck, it calls an arm different in "
        f"{own.of_cases:.1%} of the tests; corrected over the tasks alone, {own.of_reports_by_tasks:.1%} of the "
        f"reports have a false alarm ({shared.of_reports_by_tasks:.1%} without luck). The report's verdict therefore "
        "uses the test in which the draws are random, too, corrected over all tests of the report."
    )
    yield f"Share of planted differences of {100 * PLANTED:g} points of Dice that the report calls an improvement:"
    yield measure.table(["task", "test cases", "without luck", "with luck"], power_rows(max(1, studies // 10)))
    yield "Coverage of the bootstrap 95% interval, over 1000 samples of normal differences:"
    yield measure.table(["test cases", "coverage"], [[cases, coverage(cases)] for cases in (4, 5, 9, 16, 52)])


def targets(shared: Rates, own: Rates, seconds: float) -> Iterator[Target]:
    yield "false alarms of an uncorrected test on cases", shared.of_cases, 0.03, True
    yield "false alarms of an uncorrected test on cases", shared.of_cases, 0.07, False
    yield "reports with a false alarm after correction", shared.of_reports, 0.07, False
    yield "with luck: false alarms of an uncorrected test on cases and draws", own.of_draws, 0.03, True
    yield "with luck: false alarms of an uncorrected test on cases and draws", own.of_draws, 0.07, False
    yield "with luck: reports with a false alarm after correction", own.of_reports, 0.07, False
    yield "seconds of one core", seconds, 60, False


def power_rows(studies: int) -> list[list[object]]:
    found = [power(luck, studies) for luck in (0.0, LUCK)]
    return [[bundle, cases, *(one[bundle] for one in found)] for bundle, cases in CASES.items()]


def power(luck: float, studies: int) -> dict[str, float]:
    """Share of planted differences that the reports find, for each task."""
    seeds = range(10_000, 10_000 + studies)
    reports = [compare(conditions_of(study_of(study(np.random.default_rng(seed), luck, PLANTED)))) for seed in seeds]
    planted = [one for report in reports for one in report if one.condition.fusion == "early" and one.metric == DICE]
    return {bundle: _share(called(one) for one in planted if one.condition.bundle == bundle) for bundle in CASES}


def coverage(cases: int, samples: int = 1000) -> float:
    rng = np.random.default_rng(cases)
    ends = [bootstrap_interval(sample, resamples=2000) for sample in rng.standard_normal((samples, cases))]
    return _share(low <= 0 <= high for low, high in ends)


def _share(found: Iterator[bool] | Sequence[bool]) -> float:
    return float(np.mean([*found]))


if __name__ == "__main__":
    main()
