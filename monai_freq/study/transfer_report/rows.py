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
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> for line in source_rows(study_of(phantom_transfer())):
        ...     print(line[:5])
        ['source', 'seed', 'auc', 'accuracy', 'calibration_error']
        ['imagenet', 0, '0.9', '0.8', '0.05']
        ['radimagenet', 0, '0.85', '0.75', '0.05']
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
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> header, first, *_ = run_rows(study_of(phantom_transfer()))
        >>> dict(zip(header[3:9], first[3:9]))
        {'source': 'imagenet', 'fraction': 0.0, 'fold': 0, 'seed': 0, 'condition': 'clean', 'auc': '0.9'}
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
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> header, first, *_ = auc_rows(study_of(phantom_transfer()))
        >>> dict(zip(header[3:8], first[3:8]))
        {'source': 'imagenet', 'fraction': 0.0, 'condition': 'clean', 'metric': 'auc', 'mean': '0.9'}
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
        >>> control = Control(Setting("kneemri_transfer", "photon_noise"), "random", iid=0.91, ood=0.9)
        >>> header, first = fall_rows([control], [Fall(control, 0.5, {(0, 0): 0.25, (1, 0): 0.27})])
        >>> dict(zip(header[3:6], first[3:6])), first[-3:]
        ({'source': 'random', 'fraction': 0.5, 'mean': '0.26'}, ['0.91', '0.9', 'counts'])
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
        >>> setting = Setting("kneemri_transfer", "photon_noise")
        >>> first, second = Control(setting, "imagenet", 0.9, 0.88), Control(setting, "random", 0.7, 0.7)
        >>> header, line = difference_rows([Difference(first, second, 0.5, {(0, 0): 0.25, (1, 0): 0.75})])
        >>> line[6:8], dict(zip(header[-2:], line[-2:]))
        ([0.5, '0.5'], {'by_seed': '0:0.5', 'inconclusive': 'random'})
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
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> header, first, *_ = priority_rows(study_of(phantom_transfer()))
        >>> dict(zip(header[3:8], first[3:8]))
        {'source': 'imagenet', 'fraction': 0.0, 'when': 'before', 'measure': 'centroid', 'mean': '0.372406417'}
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
        >>> from monai_freq.study.transfer_report.statistics import Correlation
        >>> agreement = Agreement("before", 0.5, Correlation(0.75, 0.03125, 6), Correlation(0.5, 0.25, 8))
        >>> header, line = agreement_rows([agreement])
        >>> dict(zip(header[:5], line))
        {'when': 'before', 'fraction': 0.5, 'points': 6, 'rho': '0.75', 'p': '0.03125'}
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
