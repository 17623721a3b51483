"""Tables of a transfer study, for computing: header and lines of the CSV files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..texts import exact
from .cells import CONDITIONS, Setting, TransferStudy, measure
from .effects import Control, Difference, Fall
from .priorities import Agreement, centroid_of, overlap_of
from .statistics import Estimate, by_seed, estimate

__all__ = [
    "agreement_rows",
    "auc_rows",
    "difference_rows",
    "fall_rows",
    "priority_rows",
    "run_rows",
    "source_rows",
]

_METRICS = ("auc", "accuracy", "calibration_error")
_PLACE = ["target", "artifact", "settings", "source"]
_ESTIMATE = ["mean", "sd_over_folds", "interval_low", "interval_high", "folds", "seeds"]


def source_rows(study: TransferStudy) -> Iterator[list[object]]:
    """Pre-trainings, one a line.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> list(source_rows(study_of([])))
        [['source', 'seed', 'auc', 'accuracy', 'calibration_error', 'centroid']]
    """
    yield ["source", "seed", *_METRICS, "centroid"]
    for source, runs in study.pretrainings.items():
        for run in runs:
            figures = [measure(run, "all", metric) for metric in _METRICS]
            yield [source, run.seed, *map(exact, [*figures, centroid_of([run], "after").mean])]


def run_rows(study: TransferStudy) -> Iterator[list[object]]:
    """Fine-tunings, one a line for each test set.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> [line[4:] for line in run_rows(study_of([]))]
        [['fraction', 'fold', 'seed', 'condition', 'auc', 'accuracy', 'calibration_error']]
    """
    yield [*_PLACE, "fraction", "fold", "seed", "condition", *_METRICS]
    for cell in study.cells:
        for run in cell.runs:
            for condition in CONDITIONS:
                figures = [exact(measure(run, condition, metric)) for metric in _METRICS]
                start = _place(cell.setting, cell.source)
                yield [*start, cell.fraction, run.draw, run.seed, condition, *figures]


def auc_rows(study: TransferStudy) -> Iterator[list[object]]:
    """Every metric of every cell.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> [line[4:7] for line in auc_rows(study_of([]))]
        [['fraction', 'condition', 'metric']]
    """
    yield [*_PLACE, "fraction", "condition", "metric", *_ESTIMATE]
    for cell in study.cells:
        for condition in CONDITIONS:
            for metric in _METRICS:
                found = _estimate(estimate(cell.values(condition, metric)))
                yield [*_place(cell.setting, cell.source), cell.fraction, condition, metric, *found]


def fall_rows(controls: Sequence[Control], falls: Sequence[Fall]) -> Iterator[list[object]]:
    """delta_ood of every source and fraction; a line without figures for a source that has none.

    Args:
        controls: of the study.
        falls: of the study.

    Example:
        >>> [line[-3:] for line in fall_rows([], [])]
        [['auc_iid_0', 'auc_ood_0', 'verdict']]
    """
    yield [*_PLACE, "fraction", *_ESTIMATE, "auc_iid_0", "auc_ood_0", "verdict"]
    for control in controls:
        own = [fall for fall in falls if fall.control == control]
        end = [exact(control.iid), exact(control.ood), control.verdict]
        for fall in own:
            yield [*_place(control.setting, control.source), fall.fraction, *_estimate(fall.estimate), *end]
        if not own:
            yield [*_place(control.setting, control.source), "", *([""] * 4), 0, 0, *end]


def difference_rows(differences: Sequence[Difference]) -> Iterator[list[object]]:
    """Paired differences of delta_ood, and the mean over folds of each seed.

    Args:
        differences: of the study.

    Example:
        >>> [line[-2:] for line in difference_rows([])]
        [['by_seed', 'inconclusive']]
    """
    sides = [f"{side}_{name}" for side in ("first", "second") for name in ("settings", "source")]
    yield ["target", "artifact", *sides, "fraction", *_ESTIMATE, "by_seed", "inconclusive"]
    for one in differences:
        ends = [text for side in (one.first, one.second) for text in _place(side.setting, side.source)[2:]]
        seeds = " ".join(f"{seed}:{value:.6g}" for seed, value in by_seed(one.values).items())
        doubts = " and ".join(one.doubts)
        yield [*one.first.setting[:2], *ends, one.fraction, *_estimate(one.estimate), seeds, doubts]


def priority_rows(study: TransferStudy) -> Iterator[list[object]]:
    """Centroid and overlap of the learning priority of every cell, before and after.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> [line[4:7] for line in priority_rows(study_of([]))]
        [['fraction', 'when', 'measure']]
    """
    yield [*_PLACE, "fraction", "when", "measure", *_ESTIMATE]
    for cell in study.cells:
        for when in ("before", "after"):
            for name, found in (("centroid", centroid_of(cell.runs, when)), ("overlap", overlap_of(cell.runs, when))):
                if found.folds:
                    yield [*_place(cell.setting, cell.source), cell.fraction, when, name, *_estimate(found)]


def agreement_rows(agreements: Sequence[Agreement]) -> Iterator[list[object]]:
    """Spearman's rho of overlap and delta_ood.

    Args:
        agreements: of the study.

    Example:
        >>> [line[:2] for line in agreement_rows([])]
        [['when', 'fraction']]
    """
    yield [
        "when",
        "fraction",
        "points",
        "rho",
        "p",
        "points_with_inconclusive",
        "rho_of_these",
        "p_of_these",
        "verdict",
    ]
    for one in agreements:
        figures = [part for c in (one.counting, one.every) for part in (c.n, exact(c.rho), exact(c.p))]
        yield [one.when, one.fraction, *figures, one.verdict]


def _place(setting: Setting, source: str) -> list[str]:
    return [setting.bundle, setting.artifact, " ".join(f"{key}={value}" for key, value in setting.others), source]


def _estimate(found: Estimate) -> list[object]:
    return [*map(exact, found[:4]), found.folds, found.seeds]
