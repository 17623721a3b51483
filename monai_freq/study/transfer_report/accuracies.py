"""How well the sources were learned."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .cells import TransferStudy, measure

__all__ = ["accuracy_gap", "mean_of", "source_accuracy"]


def source_accuracy(study: TransferStudy, source: str) -> float:
    """Mean accuracy of a source's pre-trained networks, NaN without any.

    Args:
        study: the runs.
        source: its label.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> source_accuracy(study_of(phantom_transfer()), "imagenet")
        0.8
    """
    return mean_of([measure(run, "all", "accuracy") for run in study.pretrainings.get(source, ())])


def accuracy_gap(study: TransferStudy, first: str, second: str) -> float:
    """By how much the accuracies of two sources differ; NaN where one is not known.

    Args:
        study: the runs.
        first: a source.
        second: another one.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> study = study_of(phantom_transfer())
        >>> round(accuracy_gap(study, "imagenet", "radimagenet"), 2), accuracy_gap(study, "imagenet", "random")
        (0.05, nan)
    """
    return abs(source_accuracy(study, first) - source_accuracy(study, second))


def mean_of(values: Iterable[float]) -> float:
    """Mean of the finite ones, NaN where there is none.

    Args:
        values: of a few runs.

    Example:
        >>> mean_of([1.0, 2.0, math.nan]), mean_of([])
        (1.5, nan)
    """
    known = [value for value in values if math.isfinite(value)]
    return math.fsum(known) / len(known) if known else math.nan
