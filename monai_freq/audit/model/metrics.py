"""How well a network does over cases, and how sure that is: metrics with a bootstrap over patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.meandice import compute_dice
from numpy.typing import NDArray
from torch import Tensor

from ...errors import DataError
from ...networks.predictions import Task
from ...quoting import shown, written
from ...spectral.scalars import check_choice, is_count

__all__ = [
    "METRICS",
    "UNKNOWN",
    "Metric",
    "Scores",
    "most_likely",
    "overlap",
    "resampled",
    "targets_of",
    "weighted_auc",
]

Array = NDArray[np.float64]
#: task -> metrics of it, the usual one first
METRICS: dict[Task, tuple[str, ...]] = {"classification": ("auc", "accuracy"), "segmentation": ("dice", "hd95")}
_CONFIDENCE = 0.95


def resampled(patients: Sequence[str], n_resamples: int = 1000, seed: int = 0) -> Array:
    """How often each case counts in resamples of a bootstrap over patients; in the first one each counts once.

    Args:
        patients: patient of each case.
        n_resamples: number of resamples.
        seed: seed of the draw.

    Shape:
        ``(1 + n_resamples, cases)``

    Example:
        >>> resampled(["a", "a", "b"], 4)[:, 0].tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0]
    """
    if not is_count(n_resamples):
        raise ValueError(f"'n_resamples' must be a whole number of at least 1, got {written(n_resamples)}.")
    _, of_case = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    n = int(of_case.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
    times = np.concatenate([np.ones((1, n)), drawn.astype(np.float64)])
    return np.asarray(times[:, of_case], np.float64)


def weighted_auc(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    r"""Area under the ROC curve, for many weightings of the cases at once.

    .. math:: \frac{\sum_{i \in +} \sum_{j \in -} w_i w_j \left([s_i > s_j] + \frac{1}{2} [s_i = s_j]\right)}
        {\sum_{i \in +} w_i \; \sum_{j \in -} w_j}

    Args:
        scores: score of each case.
        positive: whether the case is of the class.
        weights: weight of each case, for each weighting.

    Shape:
        ``(n,)``, ``(n,)``, ``(B, n)`` -> ``(B,)``; NaN where a class has no weight.

    Reference:
        J. A. Hanley and B. J. McNeil (1982), DOI 10.1148/radiology.143.1.7063747.

    Example:
        >>> weighted_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]), np.ones((1, 4)))
        array([0.875])
    """
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    starts = np.flatnonzero(np.diff(sorted_scores, prepend=-np.inf))
    with_sign = weights[:, order]
    up = np.add.reduceat(with_sign * positive[order], starts, axis=1)
    down = np.add.reduceat(with_sign * ~positive[order], starts, axis=1)
    below = np.cumsum(down, 1) - down / 2
    pairs = up.sum(1) * down.sum(1)
    found: Array = np.divide((up * below).sum(1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return found


def most_likely(probabilities: Tensor, dim: int = 0) -> Tensor:
    """Number of the largest entry along an axis, the first of several.

    Args:
        probabilities: probabilities of the classes.
        dim: axis of the classes.

    Example:
        >>> most_likely(torch.tensor([[0.2, 0.5], [0.8, 0.5]]))
        tensor([1, 0])
    """
    return probabilities.max(dim).indices  # ten times faster than argmax along the first axis of a volume


def overlap(metric: str, probabilities: Tensor, reference: Tensor, spacing: Sequence[float]) -> Array:
    """Metric of one segmentation, class by class without the background.

    Args:
        metric: ``"dice"``, or ``"hd95"`` for the 95th percentile of the distances of the surfaces in mm.
        probabilities: probabilities of the classes, ``(classes, *spatial)``; the largest one counts.
        reference: class of each voxel, ``(1, *spatial)``.
        spacing: voxel size in mm.

    Shape:
        ``(classes - 1,)``; NaN where the reference has no voxel of the class. A distance is the diagonal of the image
        where the prediction has none.

    Raises:
        DataError: the sizes differ.

    Example:
        >>> reference = torch.zeros(1, 8, 8)
        >>> reference[:, 2:6] = 1
        >>> overlap("dice", torch.cat([1 - reference, reference]), reference, (1, 1))
        array([1.])
    """
    if probabilities.shape[1:] != reference.shape[1:]:
        raise DataError(
            f"A segmentation has {tuple(probabilities.shape[1:])} voxels, its reference {tuple(reference.shape[1:])}.\n"
            "Name the segmentation of this image."
        )
    classes = torch.arange(len(probabilities), device=probabilities.device).view(-1, *[1] * (reference.ndim - 1))
    found, true = most_likely(probabilities) == classes, reference.to(probabilities.device) == classes
    if metric == "dice":
        return _array(compute_dice(found[None].float(), true[None].float(), include_background=False)[0])
    extent = [n * step for n, step in zip(reference.shape[1:], spacing, strict=True)]
    values = np.full(len(probabilities) - 1, math.hypot(*extent))
    for k in range(1, len(probabilities)):
        if not bool(true[k].any()):
            values[k - 1] = np.nan
        elif bool(found[k].any()):
            pair = (found[None, k : k + 1].float(), true[None, k : k + 1].float())
            distance = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=list(spacing))
            values[k - 1] = float(distance)
    return values


@dataclass(frozen=True)
class Scores:
    """A metric over cases with its interval, and how much worse it is than a reference on the same cases.

    Args:
        value: metric.
        low: lower end of its 95% interval.
        high: upper end.
        drop: how much worse it is than the reference: lower, or of distances higher.
        drop_low: lower end of the 95% interval of the drop, over the same resamples.
        drop_high: upper end.

    Example:
        >>> Scores(0.8, 0.7, 0.9, 0.1, 0.05, 0.15).drop
        0.1
    """

    value: float | None
    low: float | None
    high: float | None
    drop: float | None
    drop_low: float | None
    drop_high: float | None


#: scores of what was not measured
UNKNOWN = Scores(None, None, None, None, None, None)


@dataclass(frozen=True)
class Metric:
    """One metric of the rows that a network gives for cases.

    Args:
        name: ``"auc"``, ``"accuracy"``, ``"dice"`` or ``"hd95"``.
        weights: how often each case counts in each resample, see :func:`resampled`.
        targets: number of the true class of each case; None of segmentations.

    Example:
        >>> rows = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
        >>> metric = Metric("auc", resampled(list("abcd")), np.array([0, 1, 0, 1]))
        >>> metric.of(rows, rows).value
        1.0
    """

    name: str
    weights: Array
    targets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        check_choice("metric", self.name, tuple(name for names in METRICS.values() for name in names))

    @property
    def higher_is_better(self) -> bool:
        """Whether a network is better where the metric is higher."""
        return self.name != "hd95"

    def of(self, rows: Array, reference: Array) -> Scores:
        """The metric of rows, against that of reference rows of the same cases.

        Args:
            rows: probabilities of the classes of each case, or overlap of each class, ``(cases, classes)``.
            reference: the same of the images as they are.
        """
        return self._scores(self._over_cases(rows), self._over_cases(reference))

    def of_class(self, k: int, rows: Array, reference: Array) -> Scores:
        """The share of a class's cases that are told right, or the overlap of a class, see :meth:`of`.

        Args:
            k: number of the class; of segmentations without the background.
            rows: see :meth:`of`.
            reference: see :meth:`of`.
        """
        if self.targets is None:
            return self._scores(self._mean(rows[:, k]), self._mean(reference[:, k]))
        of_class = self.targets == k
        right, before = (np.where(of_class, each.argmax(1) == k, np.nan) for each in (rows, reference))
        return self._scores(self._mean(right), self._mean(before))

    def mean(self, values: Array) -> tuple[float | None, float | None, float | None]:
        """Mean over cases with its 95% interval, NaN left out.

        Args:
            values: one number for each case.
        """
        return _interval(self._mean(values))

    def _over_cases(self, rows: Array) -> Array:
        if self.targets is None:
            known = np.isfinite(rows)
            means = np.divide(
                np.where(known, rows, 0).sum(1), known.sum(1), where=known.any(1), out=np.full(len(rows), np.nan)
            )
            return self._mean(means)
        if self.name == "accuracy":
            return self._mean((rows.argmax(1) == self.targets).astype(np.float64))
        classes = [1] if rows.shape[1] == 2 else [k for k in range(rows.shape[1]) if (self.targets == k).any()]
        return np.asarray(
            np.mean([weighted_auc(rows[:, k], self.targets == k, self.weights) for k in classes], 0), np.float64
        )

    def _mean(self, values: Array) -> Array:
        known = np.isfinite(values)
        total = self.weights @ known.astype(np.float64)
        sums = self.weights @ np.where(known, values, 0)
        found: Array = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
        return found

    def _scores(self, values: Array, reference: Array) -> Scores:
        drops = reference - values if self.higher_is_better else values - reference
        return Scores(*_interval(values), *_interval(drops))


def targets_of(
    labels: Sequence[str] | None, classes: Sequence[str], n_classes: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number of the class of each label in the order of the network's output, and the names of the classes.

    Labels are looked for among the names of the classes; otherwise they may be numbers from 0, or as many names as
    there are classes, whose alphabetical order is then that of the output.

    Args:
        labels: label of each case.
        classes: names of the network's classes; empty if unknown.
        n_classes: number of classes of the output.

    Raises:
        DataError: there are no labels, or they do not fit the classes.

    Example:
        >>> targets_of(["ill", "well", "ill"], (), 2)
        (array([0, 1, 0]), ('ill', 'well'))
        >>> targets_of(["ill", "well"], ("well", "ill"), 2)[0]
        array([1, 0])
    """
    if labels is None:
        raise DataError("The cases have no label.\nName its column with 'label'.")
    found = sorted(set(labels))
    names = tuple(classes) if len(classes) == n_classes else ()
    if set(found) <= set(names):
        place = {name: k for k, name in enumerate(names)}
    elif all(name.isdecimal() and int(name) < n_classes for name in found):
        place = {name: int(name) for name in found}
        names = names or tuple(map(str, range(n_classes)))
    elif len(found) == n_classes and not classes:
        place, names = {name: k for k, name in enumerate(found)}, tuple(found)
    else:
        own = f" {shown(', '.join(names))}" if names else ""
        raise DataError(
            f"The labels {shown(', '.join(found))} are not the network's {n_classes} classes{own}.\n"
            "Pass 'classes': the label of each output, in their order."
        )
    return np.array([place[label] for label in labels], np.int64), names


def _interval(values: Array) -> tuple[float | None, float | None, float | None]:
    """The first value, and the percentiles of the others."""
    known = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(known):
        return None, None, None
    tail = 50 * (1 - _CONFIDENCE)
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(values[0]), float(low), float(high)


def _array(tensor: Tensor) -> Array:
    return np.asarray(tensor.cpu().numpy(), np.float64)
