"""Experiments on a network: images edited one way, what the network then says, and how much worse that is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from ...errors import DataError
from ...quoting import named
from ...spectral.band_grid import BandGrid
from ..cases import Case, Cases
from .edits import SpectrumEdits
from .kept_rows import case_rows
from .metrics import METRICS, UNKNOWN, Metric, Scores, most_likely, overlap, resampled, targets_of
from .models import AuditModel

__all__ = ["ClassScores", "Experiment", "Plan", "Results", "experiments_of", "run_plan"]

Array = NDArray[np.float64]
Edit = Callable[[SpectrumEdits, Tensor | None], Tensor | None]


@dataclass(frozen=True)
class ClassScores:
    """What an edit does to one class.

    Args:
        name: name of the class.
        value: share of its cases that are told right; of segmentations the metric.
        drop: how much worse that is than of the images as they are.
        drop_low: lower end of the 95% interval of the drop.
        drop_high: upper end.

    Example:
        >>> ClassScores("ill", 0.7, 0.2, 0.1, 0.3).drop
        0.2
    """

    name: str
    value: float | None
    drop: float | None
    drop_low: float | None
    drop_high: float | None


@dataclass(frozen=True)
class Experiment:
    """What a network says of images that are all edited in one way.

    Args:
        kind: the edit: ``"remove"``, ``"low-pass"``, ``"high-pass"``, ``"amplitude"``, ``"phase"`` or ``"noise"``.
        cell: name of the band that is edited; of a cut, its frequency.
        low_edge: lowest frequency that is edited, in the unit of the bands.
        high_edge: highest frequency that is edited; None for no limit.
        value: metric of the edited images.
        low: lower end of its 95% interval, over patients.
        high: upper end.
        drop: how much worse it is than of the images as they are.
        drop_low: lower end of the 95% interval of the drop, on the same resamples.
        drop_high: upper end.
        moved: mean over cases of the probability that goes from one class to another, from 0 to 1; of segmentations
            over the voxels of any class but the background, before or after.
        moved_low: lower end of its 95% interval.
        moved_high: upper end.
        n_cases: number of cases; without those that have no frequency in the band.
        by_class: what it does to each class.
        untrained_value: metric of the same network with random weights; None where that was not asked for.
        untrained_drop: how much worse that is than of the images as they are.
        untrained_low: lower end of the 95% interval of this drop.
        untrained_high: upper end.

    Example:
        >>> Experiment("remove", "0 to 0.1", 0.0, 0.1, 0.7, 0.6, 0.8, 0.2, 0.1, 0.3, 0.4, 0.3, 0.5, 60).drop_low
        0.1
    """

    kind: str
    cell: str
    low_edge: float
    high_edge: float | None
    value: float | None
    low: float | None
    high: float | None
    drop: float | None
    drop_low: float | None
    drop_high: float | None
    moved: float | None
    moved_low: float | None
    moved_high: float | None
    n_cases: int
    by_class: tuple[ClassScores, ...] = ()
    untrained_value: float | None = None
    untrained_drop: float | None = None
    untrained_low: float | None = None
    untrained_high: float | None = None


@dataclass(frozen=True)
class Plan:
    """One edit.

    Args:
        kind: see :class:`Experiment`.
        cell: see :class:`Experiment`.
        low_edge: see :class:`Experiment`.
        high_edge: see :class:`Experiment`.
        edit: function of an image's :class:`SpectrumEdits` and of the half spectrum that is given with it; None from it
            says that the image has no such frequency.
        same_as: number in the plan of an edit that gives the same images, whose results count; None if there is none.

    Example:
        >>> Plan("remove", "0 to 0.1", 0.0, 0.1, lambda edits, other: edits.removed([0])).kind
        'remove'
    """

    kind: str
    cell: str
    low_edge: float
    high_edge: float | None
    edit: Edit
    same_as: int | None = None


@dataclass(frozen=True)
class Results:
    """What a network says of the cases: as they are, and after each edit.

    Args:
        rows: of each case and edit, the images as they are first: probability of each class, or overlap of each class
            but the background, and then how much has moved; ``(cases, 1 + edits, values + 1)``.
        metric: the metric.
        classes: names of the classes that the values are of.

    Example:
        >>> rows = np.zeros((4, 2, 3))
        >>> Results(rows, Metric("auc", resampled(list("abcd")), np.array([0, 1, 0, 1])), ("a", "b")).answers(0).shape
        (4, 2)
    """

    rows: Array
    metric: Metric
    classes: tuple[str, ...]

    def answers(self, k: int) -> Array:
        """Values of edit k, 0 for the images as they are."""
        return self.rows[:, k, :-1]

    @property
    def reference(self) -> Scores:
        """Metric of the images as they are."""
        return self.metric.of(self.answers(0), self.answers(0))


def run_plan(
    model: AuditModel,
    cases: Cases,
    bands: BandGrid,
    plan: Sequence[Plan],
    *,
    title: str,
    settings: Mapping[str, Any],
    given: Callable[[int, SpectrumEdits], Tensor | None] = lambda k, edits: None,
    metric: str | None = None,
    n_resamples: int = 1000,
    batch_size: int | None = None,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Results:
    """Let a network judge each case as it is and after each edit; all edits of an image share one forward transform.

    Args:
        model: the network.
        cases: the cases.
        bands: bands of the edits.
        plan: the edits.
        title: name of the progress bar and of the kept file.
        settings: what the results depend on.
        given: function of the number of a case and its :class:`SpectrumEdits`, to the half spectrum for its edits.
        metric: name of the metric; None for the usual one of the task.
        n_resamples: number of resamples of the bootstrap.
        batch_size: number of edited images that the network sees at a time; None for 4 images or 1 volume, 8 on a GPU.
        seed: seed of the bootstrap.
        output_dir: folder to keep what is finished.
        progress: whether to show a bar.

    Raises:
        ValueError: the metric is not one of the task.
        DataError: the network refuses an image, or labels or segmentations are missing.

    Example:
        >>> cases = Cases.of_arrays(torch.rand(4, 1, 8, 8), labels=["a", "b"] * 2)
        >>> plan = [Plan("remove", "all", 0.0, 0.5, lambda edits, other: edits.removed([0]))]
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
        >>> bands = BandGrid((0.0, 0.75))
        >>> run_plan(AuditModel(network), cases, bands, plan, title="t", settings={}, progress=False).rows.shape
        (4, 2, 3)
    """
    model = model.settled(cases)
    name = metric or METRICS[model.task][0]
    if name not in METRICS[model.task]:
        raise ValueError(f"'metric' of a {model.task} must be one of {', '.join(METRICS[model.task])}, got '{name}'.")

    def compute(k: int, case: Case) -> Array:
        placed = case.load_placed()
        image, steps = placed.as_tensor(), _steps(placed)
        edits = SpectrumEdits(image, bands, steps)
        answer = _Answers(model, placed, steps, case, name)
        rows = [answer.as_it_is(image)]
        extra = given(k, edits)
        at_once = batch_size or _at_once(model, image.ndim - 1)
        held: list[Tensor] = []
        waiting: list[int] = []
        for one in plan:
            edited = one.edit(edits, extra) if one.same_as is None else None
            rows.append(np.full_like(rows[0], np.nan))
            if edited is not None:
                held.append(edited)
                waiting.append(len(rows) - 1)
            if len(held) == at_once or (one is plan[-1] and held):
                for place, row in zip(waiting, answer.of(torch.stack(held)), strict=True):
                    rows[place] = row
                held, waiting = [], []
        same = [k if one.same_as is None else one.same_as for k, one in enumerate(plan)]
        return np.stack(rows)[[0, *(1 + k for k in same)]]

    known = {**settings, "source": model.source, "kind": model.kind, "task": model.task, "metric": name}
    known |= {"plan": [(one.kind, one.cell) for one in plan], "edges": bands.edges, "unit": bands.unit}
    rows = case_rows(cases, compute, title, known, output_dir, model=model, progress=progress)
    weights = resampled(cases.patients, n_resamples, seed)
    if model.task == "segmentation":
        n = rows.shape[2] - 1
        names = model.classes[1:] if len(model.classes) == n + 1 else tuple(f"class {k + 1}" for k in range(n))
        return Results(rows, Metric(name, weights), names)
    targets, names = targets_of(cases.labels, model.classes, rows.shape[2] - 1)
    return Results(rows, Metric(name, weights, targets), names)


def experiments_of(plan: Sequence[Plan], results: Results, control: Results | None = None) -> tuple[Experiment, ...]:
    """Metric, drop and intervals of each edit.

    Args:
        plan: the edits.
        results: what the network says.
        control: what the network says with random weights, of the first edits of the plan.

    Example:
        >>> rows = np.random.default_rng(0).random((6, 2, 3))
        >>> results = Results(rows, Metric("accuracy", resampled(list("abcdef")), np.arange(6) % 2), ("a", "b"))
        >>> plan = [Plan("remove", "0 to 0.1", 0.0, 0.1, lambda edits, other: None)]
        >>> experiments_of(plan, results)[0].n_cases
        6
    """
    found = []
    for k, one in enumerate(plan, 1):
        kept = np.isfinite(results.rows[:, k, -1])
        before, after = (np.where(kept[:, None], results.answers(j), np.nan) for j in (0, k))
        metric = _of(results.metric, kept)
        scores = metric.of(after[kept], before[kept])
        classes = [metric.of_class(j, after[kept], before[kept]) for j in range(len(results.classes))]
        by_class = tuple(
            ClassScores(name, each.value, each.drop, each.drop_low, each.drop_high)
            for name, each in zip(results.classes, classes, strict=True)
        )
        moved = metric.mean(results.rows[kept, k, -1])
        chance = UNKNOWN
        if control is not None and k < control.rows.shape[1]:
            chance = control.metric.of(control.answers(k), control.answers(0))
        found.append(
            Experiment(
                one.kind,
                one.cell,
                one.low_edge,
                one.high_edge,
                **vars(scores),
                moved=moved[0],
                moved_low=moved[1],
                moved_high=moved[2],
                n_cases=int(kept.sum()),
                by_class=by_class,
                untrained_value=chance.value,
                untrained_drop=chance.drop,
                untrained_low=chance.drop_low,
                untrained_high=chance.drop_high,
            )
        )
    return tuple(found)


@dataclass
class _Answers:
    """What the network says of one case."""

    model: AuditModel
    placed: MetaTensor
    steps: tuple[float, ...]
    case: Case
    metric: str
    before: Tensor | None = None
    reference: Tensor | None = None

    def as_it_is(self, image: Tensor) -> Array:
        """The first row, which the others are compared with."""
        if self.model.task == "segmentation":
            self.reference = self.case.load_segmentation()
        self.before = self.model.predict(image[None], like=self.placed)[0]
        if self.reference is not None:
            lowest, highest = int(self.reference.min()), int(self.reference.max())
            if lowest < 0 or highest >= len(self.before):
                name = named(self.case.name or "an image")
                raise DataError(
                    f"The segmentation of {name} holds values from {lowest} to {highest}, the network has "
                    f"{len(self.before)} classes.\nNumber them as the network does, from 0."
                )
        return next(self._rows(self.before[None], self.before))

    def of(self, images: Tensor) -> Iterator[Array]:
        """Rows of edited images."""
        before = self.before if self.before is not None else self.model.predict(self.placed[None], like=self.placed)[0]
        return self._rows(self.model.predict(images, like=self.placed), before)

    def _rows(self, found: Tensor, before: Tensor) -> Iterator[Array]:
        foreground = most_likely(before) > 0
        for one in found:
            away = (one - before).abs().sum(0) / 2
            if self.reference is None:
                yield np.array([*one.tolist(), float(away)])
                continue
            inside = (most_likely(one) > 0) | foreground
            moved = float(away[inside].mean()) if bool(inside.any()) else float(away.mean())
            yield np.array([*overlap(self.metric, one, self.reference, self.steps), moved])


def _at_once(model: AuditModel, dims: int) -> int:
    """Number of images in a batch; larger ones leave the caches of a processor."""
    return 8 if model.device.type != "cpu" else 4 if dims == 2 else 1


def _of(metric: Metric, kept: NDArray[np.bool_]) -> Metric:
    """The metric of some of the cases."""
    if kept.all():
        return metric
    return Metric(metric.name, metric.weights[:, kept], None if metric.targets is None else metric.targets[kept])


def _steps(placed: MetaTensor) -> tuple[float, ...]:
    dims = placed.ndim - 1
    return tuple(placed.affine[:dims, :dims].norm(dim=0).tolist())
