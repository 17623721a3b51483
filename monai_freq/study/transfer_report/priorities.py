"""Which frequencies the networks live on: their learning priorities, and how much of an artifact lies there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...spectral.frequency_axis import on_one_axis
from ...spectral.frequency_unit import require_per_voxel
from ...spectral.psd import centroid, overlap
from ..results import Result
from .cells import Key, Setting, TransferStudy, number
from .effects import Fall
from .statistics import ENOUGH_POINTS, Correlation, Estimate, estimate, spearman

__all__ = [
    "WHEN",
    "Agreement",
    "Density",
    "Point",
    "agreements_of",
    "centroid_of",
    "densities_of",
    "density_of",
    "overlap_of",
    "points_of",
]

Array = NDArray[np.float64]

#: learning priority whose overlap is taken: before fine-tuning, or after it without the artifact
WHEN = ("before", "after")


class Density(NamedTuple):
    """Mean over runs of a density ``(K,)`` over its frequencies ``(K,)`` in cycles per voxel.

    Example:
        >>> Density(np.linspace(0, 0.5, 3), np.array([3.0, 2.0, 1.0])).values.shape
        (3,)
    """

    frequencies: Array
    values: Array

    def scaled(self) -> Density:
        """Without DC, its lowest value 0 and its highest 1.

        Example:
            >>> Density(np.array([0, 0.1, 0.2, 0.3]), np.array([9.0, 1.0, 2.0, 3.0])).scaled().values.tolist()
            [0.0, 0.5, 1.0]
        """
        kept = self.frequencies > 0
        values = self.values[kept]
        span = float(np.ptp(values)) if values.size else 0.0
        return Density(self.frequencies[kept], (values - values.min(initial=math.inf)) / (span or 1.0))

    def relative(self) -> Density:
        """Its mean without DC is 1.

        Example:
            >>> Density(np.array([0, 0.1, 0.2, 0.3]), np.array([9.0, 1.0, 2.0, 3.0])).relative().values.tolist()
            [4.5, 0.5, 1.0, 1.5]
        """
        return Density(self.frequencies, self.values / (float(self.values[self.frequencies > 0].mean()) or 1.0))


class Point(NamedTuple):
    """A source in a setting: overlap of its learning priority with the artifact, and what the shortcut did to it.

    Example:
        >>> from monai_freq.study.transfer_report.effects import Control
        >>> control = Control(Setting("lodopab_transfer", "photon_noise"), "imagenet", iid=0.9, ood=0.88)
        >>> Point(Fall(control, 0.5, {(0, 0): 0.25}), overlap=0.8, delta=0.25).fall.control.source
        'imagenet'
    """

    fall: Fall
    overlap: float
    delta: float


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of overlap and delta_ood over the sources of all settings, at one fraction.

    Args:
        when: one of ``WHEN``.
        fraction: of the artifact.
        counting: of the sources that count.
        every: of all of them.

    Example:
        >>> Agreement("before", 0.5, Correlation(0.9, 0.01, 6), Correlation(0.8, 0.02, 8)).verdict
        ''
    """

    when: str
    fraction: float
    counting: Correlation
    every: Correlation

    @property
    def verdict(self) -> str:
        """In words.

        Example:
            >>> Agreement("before", 0.5, Correlation(math.nan, math.nan, 3), Correlation(0.5, 0.4, 6)).verdict
            'too few to tell'
        """
        if self.counting.n < ENOUGH_POINTS:
            return "too few to tell"
        if math.isnan(self.counting.rho):
            return "all alike"
        return "" if self.counting.p < 0.05 else "no significant correlation"


def density_of(run: Result, name: str) -> Density | None:
    """Density that a run has measured, if it is one.

    Args:
        run: of a classifier.
        name: ``"images"``, ``"before"``, ``"after"`` or ``"artifact"``.

    Example:
        >>> run = Result(bundle="source_pretrain", status="finished", arm="none", size=None, draw=0, seed=0,
        ...              measures={"densities": {"frequencies": [0.0, 0.25, 0.5], "after": [1.0, 0.5, 0.0]}})
        >>> density_of(run, "after").values.tolist(), density_of(run, "artifact")
        ([1.0, 0.5, 0.0], None)
    """
    found = run.measures.get("densities")
    if not isinstance(found, Mapping):
        return None
    frequencies, values = (_array(found.get(key)) for key in ("frequencies", name))
    usable = frequencies.size > 1 and frequencies.shape == values.shape and _per_voxel(frequencies)
    return Density(frequencies, values) if usable and (values >= 0).all() else None


def densities_of(runs: Iterable[Result], name: str) -> Density | None:
    """Mean over runs, over the frequencies of the finest grid among them.

    A learning priority is from 0 to 1 in each run. The other densities depend on the size of the images and on their
    unit: each run's is divided by its mean without DC, so that a mean is one of forms.

    Args:
        runs: of classifiers.
        name: of the density.

    Example:
        >>> def run(draw, values):
        ...     densities = {"frequencies": [0.0, 0.25, 0.5], "after": values, "artifact": values}
        ...     return Result(bundle="source_pretrain", status="finished", arm="none", size=None, draw=draw, seed=0,
        ...                   measures={"densities": densities})
        >>> runs = [run(0, [1.0, 0.75, 0.25]), run(1, [1.0, 0.0, 0.5])]
        >>> densities_of(runs, "after").values.tolist(), densities_of(runs, "artifact").values.tolist()
        ([1.0, 0.375, 0.375], [3.0, 0.75, 1.25])
    """
    found = [density for run in runs if (density := density_of(run, name))]
    if not found:
        return None
    found = [density if name in WHEN else density.relative() for density in found]
    frequencies, values = on_one_axis((torch.from_numpy(each), torch.from_numpy(own)) for each, own in found)
    return Density(frequencies.numpy(), values.numpy().mean(axis=0))


def centroid_of(runs: Iterable[Result], name: str) -> Estimate:
    """Mean frequency of a learning priority, in cycles per voxel, of each run.

    Args:
        runs: of classifiers.
        name: of the density.

    Example:
        >>> densities = {"frequencies": [0.0, 0.25, 0.5], "after": [9.0, 1.0, 1.0]}
        >>> run = Result(bundle="source_pretrain", status="finished", arm="none", size=None, draw=0, seed=0,
        ...              measures={"densities": densities})
        >>> centroid_of([run], "after").mean  # of all but DC
        0.375
    """
    return _each(runs, lambda run: _centroid(density_of(run, name)))


def overlap_of(runs: Iterable[Result], name: str) -> Estimate:
    """Overlap of a learning priority with the artifact's density, of each run.

    Args:
        runs: of fine-tunings.
        name: of the learning priority.

    Example:
        >>> densities = {"frequencies": [0.0, 0.25, 0.5], "before": [0.0, 1.0, 1.0], "artifact": [0.0, 3.0, 1.0]}
        >>> run = Result(bundle="kneemri_transfer", status="finished", arm="none", size=None, draw=0, seed=0,
        ...              measures={"densities": densities})
        >>> overlap_of([run], "before").mean  # of 0, 1/2, 1/2 and 0, 3/4, 1/4
        0.75
    """
    return _each(runs, lambda run: _overlap(density_of(run, name), density_of(run, "artifact")))


def points_of(study: TransferStudy, falls: Sequence[Fall], when: str) -> list[Point]:
    """A point for each fall whose source has an overlap in the runs without the artifact.

    Args:
        study: the runs.
        falls: of the study.
        when: one of ``WHEN``.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of, falls_of
        >>> study = study_of(phantom_transfer())
        >>> for point in points_of(study, falls_of(study, controls_of(study)), "before"):
        ...     print(point.fall.control.source, round(point.overlap, 2), round(point.delta, 2))
        imagenet 1.0 0.26
        radimagenet 0.23 0.07
        random 0.43 0.13
        imagenet lowpass 0.28 0.1
        radimagenet whiten 0.72 0.19
    """
    known: dict[tuple[Setting, str], float] = {}
    for fall in falls:
        control = fall.control
        if (control.setting, control.source) not in known:
            runs = [r for cell in study.of(control.setting, control.source) if cell.fraction == 0 for r in cell.runs]
            known[control.setting, control.source] = overlap_of(runs, when).mean
    points = (Point(fall, known[fall.control.setting, fall.control.source], fall.estimate.mean) for fall in falls)
    return [point for point in points if math.isfinite(point.overlap)]


def agreements_of(study: TransferStudy, falls: Sequence[Fall]) -> list[Agreement]:
    """Of each learning priority and each fraction above 0.

    Args:
        study: the runs.
        falls: of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of, falls_of
        >>> study = study_of(phantom_transfer())
        >>> for one in agreements_of(study, falls_of(study, controls_of(study))):
        ...     print(one.when, one.fraction, round(one.counting.rho, 2), round(one.counting.p, 4), one.counting.n)
        before 0.5 1.0 0.0167 5
        after 0.5 1.0 0.0167 5
    """
    found = []
    for when in WHEN:
        points = points_of(study, falls, when)
        for fraction in sorted({point.fall.fraction for point in points}):
            every = [point for point in points if point.fall.fraction == fraction]
            counting = [point for point in every if point.fall.control.counts]
            found.append(Agreement(when, fraction, _correlation(counting), _correlation(every)))
    return found


def _correlation(points: Sequence[Point]) -> Correlation:
    return spearman([point.overlap for point in points], [point.delta for point in points])


def _each(runs: Iterable[Result], measured: Callable[[Result], float]) -> Estimate:
    found: dict[Key, float] = {(run.draw, run.seed): measured(run) for run in runs}
    return estimate({key: value for key, value in found.items() if math.isfinite(value)})


def _centroid(density: Density | None) -> float:
    if density is None or not density.values[density.frequencies > 0].any():
        return math.nan
    return float(centroid(torch.from_numpy(density.frequencies), torch.from_numpy(density.values)))


def _overlap(first: Density | None, second: Density | None) -> float:
    if first is None or second is None or not (first.values.any() and second.values.any()):
        return math.nan
    one, two = ((torch.from_numpy(each), torch.from_numpy(values)) for each, values in (first, second))
    return float(overlap(one, two))


def _per_voxel(frequencies: Array) -> bool:
    try:
        require_per_voxel(torch.from_numpy(frequencies))
    except ValueError:
        return False
    return True


def _array(values: Any) -> Array:
    """Numbers of a list; none when one of them is none."""
    found = np.array([number(value) for value in values] if isinstance(values, list) else [], dtype=np.float64)
    return found if np.isfinite(found).all() else np.empty(0)
