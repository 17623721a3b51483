"""The audit of a network: which frequencies of its images it uses."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ..quoting import written
from ..spectral.band_grid import BandGrid
from ..spectral.scalars import is_count
from .cases import Cases
from .counterfactual import Counterfactual
from .data_audit import DataAudit, audit_data, edited_bands
from .edits import usual_bands
from .experiments import Experiment
from .leak import Leak
from .model_verdicts import MODEL_VERDICTS, NO_LABEL, ModelVerdict, model_verdict, try_leak
from .models import AuditModel
from .priority import Priority, priority
from .reliance import Reliance, reliance
from .remedies import Remedy, remedies
from .sensitivity import Sensitivity, sensitivity
from .where import Where, where

__all__ = ["ModelAudit", "audit_model"]

#: number of spatial dimensions -> how many cases each step takes
_USUAL = {
    2: {"counterfactual": 200, "reliance": 64, "sensitivity": 20, "priority": 64, "where": 2},
    3: {"counterfactual": 24, "reliance": 24, "sensitivity": 12, "priority": 12, "where": 2},
}
_METRICS = {"auc": "AUC", "accuracy": "accuracy", "dice": "Dice", "hd95": "HD95 (mm)"}


@dataclass(frozen=True)
class ModelAudit:
    """What an audit finds out about a network.

    Args:
        summary: sentences for the reader, the most important one first.
        unknown: sentences on what was not given or cannot be known.
        settings: settings of the audit.
        data: what the cases are: numbers of cases, patients, labels, groups, sizes and spacings.
        bands: unit, edges and names of the bands.
        model: source, kind, task, classes and number of parameters of the network.
        reliance: reliance on bands.
        sensitivity: sensitivity to noise of each band and direction.
        priority: learning priority; None of networks without gradients.
        where: where in the image the bands matter; None where that cannot be told.
        leaks: leaks of the data audit; None without one.
        counterfactual: whether a leak is used; None if that was not tried.
        remedies: what to do.
        verdict: a key of :data:`monai_freq.audit.model_verdicts.MODEL_VERDICTS`.
        kind: always ``"model"``.

    Example:
        >>> import dataclasses
        >>> [field.name for field in dataclasses.fields(ModelAudit)][:2]
        ['summary', 'unknown']
    """

    summary: tuple[str, ...]
    unknown: tuple[str, ...]
    settings: dict[str, Any]
    data: dict[str, Any]
    bands: dict[str, Any]
    model: dict[str, Any]
    reliance: Reliance
    sensitivity: Sensitivity
    priority: Priority | None = None
    where: Where | None = None
    leaks: tuple[Leak, ...] | None = None
    counterfactual: Counterfactual | None = None
    remedies: tuple[Remedy, ...] = ()
    verdict: str = NO_LABEL
    kind: str = "model"


def audit_model(
    model: AuditModel,
    cases: Cases,
    data_audit: DataAudit | None = None,
    *,
    bands: BandGrid | None = None,
    n_cases: int | None = None,
    strength: float = 0.2,
    metric: str | None = None,
    n_resamples: int = 1000,
    batch_size: int = 8,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> ModelAudit:
    """Which frequencies a network uses: reliance, sensitivity to noise, learning priority, and where they matter.

    Each step takes a part of the cases, drawn by patient in equal shares of labels and groups. By default these are 64
    images for the reliance and the learning priority, 20 for the noise, 2 for the maps; of volumes 24, 12, 12 and 2.
    What is finished is kept in ``output_dir`` and not computed again.

    Args:
        model: the network, see :func:`monai_freq.audit.models.load_model`.
        cases: cases with labels, or for a segmenter with segmentations, that it was not trained on.
        data_audit: audit of the same data, for its leaks; None to make it where the cases have labels.
        bands: bands of the reliance; None for octaves.
        n_cases: number of cases of the reliance; the other steps take as many or their own number, whichever is less.
            None for the usual ones.
        strength: root mean square of the noise, in SDs of each image.
        metric: ``"auc"`` or ``"accuracy"``, of a segmenter ``"dice"`` or ``"hd95"``; None for the first one.
        n_resamples: number of resamples of the bootstrap over patients.
        batch_size: number of images that the network sees at a time.
        seed: seed of all draws.
        output_dir: folder to keep what is finished; None for none.
        progress: whether to show bars with the time left.

    Raises:
        ValueError: an argument is out of range.
        DataError: the network refuses the images, or labels or segmentations are missing.

    Example:
        >>> import torch
        >>> images = torch.randn(40, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> wave = torch.cos(torch.pi * torch.arange(16.0))  # of 0.5 cycles per voxel
        >>> images[1::2] += wave
        >>> cases = Cases.of_arrays(images, labels=[0, 1] * 20)
        >>> found = audit_model(AuditModel(lambda x: (x * wave).mean((2, 3)) - 0.5), cases, progress=False)
        >>> found.verdict
        'leak and used'
        >>> print(next(sentence for sentence in found.summary if sentence.startswith("Without")))
        Without 0.25 to 0.75 cycles per voxel it is lower by 0.50 (0.50 to 0.50), more than without any other band.
    """
    if n_cases is not None and not is_count(n_cases):
        raise ValueError(f"'n_cases' must be a whole number of at least 1, got {written(n_cases)}.")
    dims = cases[0].load()[0].ndim - 1
    usual = _USUAL[dims]
    if data_audit is None and cases.labels is not None and len(set(cases.labels)) > 1:
        data_audit = audit_data(cases, seed=seed, output_dir=output_dir, progress=progress)
    most = usual["reliance"] if n_cases is None else n_cases
    taken = cases.subset(most, seed)
    few = {step: taken.subset(min(usual[step], most), seed) for step in ("sensitivity", "priority", "where")}
    bands = bands or usual_bands(dims)
    kept: dict[str, Any] = {"output_dir": output_dir, "progress": progress}
    scored: dict[str, Any] = {"metric": metric, "n_resamples": n_resamples, "batch_size": batch_size, "seed": seed}
    relied = reliance(model, taken, bands, **scored, **kept)
    noisy = BandGrid(bands.edges, bands.unit, directional=dims == 2)
    sensed = sensitivity(model, few["sensitivity"], noisy, strength=strength, **scored, **kept)
    learned = priority(model, few["priority"], n_resamples=n_resamples, seed=seed, **kept)
    placed = where(model, few["where"], bands, **kept)
    judged, tried, remedies_found = _judged(model, cases, data_audit, n_cases or usual["counterfactual"], seed, kept)
    return ModelAudit(
        verdict=judged.verdict,
        summary=(*judged.said, *_summary(cases, relied, sensed)),
        unknown=tuple(_unknown(model, cases, relied, learned, placed, data_audit)),
        settings={
            "n_cases": {"reliance": len(taken), **{step: len(part) for step, part in few.items()}},
            "strength": strength,
            "metric": relied.metric,
            "n_resamples": n_resamples,
            "seed": seed,
        },
        data=_data(cases, taken, dims),
        bands={
            "unit": bands.unit_name,
            "edges": list(bands.edges),
            "cells": list(bands.names(dims)),
            "directional": bands.directional,
        },
        model={
            "source": model.source,
            "kind": model.kind,
            "task": model.task,
            "classes": list(relied.classes),
            "n_parameters": model.n_parameters,
        },
        reliance=relied,
        sensitivity=sensed,
        priority=learned,
        where=placed,
        leaks=None if data_audit is None else data_audit.leaks,
        counterfactual=tried,
        remedies=remedies_found,
    )


def _judged(
    model: AuditModel, cases: Cases, data_audit: DataAudit | None, n_cases: int, seed: int, kept: dict[str, Any]
) -> tuple[ModelVerdict, Counterfactual | None, tuple[Remedy, ...]]:
    """Verdict, counterfactual and remedies of the leaks that the data have."""
    if data_audit is None:
        return ModelVerdict(NO_LABEL, (MODEL_VERDICTS[NO_LABEL],)), None, ()
    dims = cases[0].load()[0].ndim - 1
    grid = edited_bands(data_audit, dims)
    tried = try_leak(model, cases.subset(n_cases, seed), data_audit.leaks, grid, seed=seed, **kept)
    found = model_verdict(data_audit.leaks, tried)
    judged = ModelVerdict(found.verdict, (MODEL_VERDICTS[found.verdict], *found.said))
    return judged, tried, remedies(data_audit.leaks, cases, grid, seed=seed)


def _data(cases: Cases, taken: Cases, dims: int) -> dict[str, Any]:
    """Sizes and spacings of the cases that were taken, numbers of all."""
    sizes, spacings = Counter[str](), Counter[str]()
    for case in taken:
        image, spacing = case.load()
        sizes[" x ".join(map(str, image.shape[1:]))] += 1
        spacings[" x ".join(f"{step:.3g}" for step in spacing)] += 1
    return {
        "n_cases": len(cases),
        "n_patients": len(set(cases.patients)) if cases.patients_known else None,
        "labels": dict(Counter(cases.labels)) if cases.labels else None,
        "groups": dict(Counter(cases.groups)) if cases.groups else None,
        "sizes": dict(sizes),
        "spacings": dict(spacings),
        "spatial_dims": dims,
        "left_out": len(cases) - len(taken),
    }


def _summary(cases: Cases, found: Reliance, noise: Sensitivity) -> list[str]:
    name, unit = _METRICS[found.metric], found.unit
    part = f"all {len(cases)}" if found.n_cases == len(cases) else f"{found.n_cases} of {len(cases)}"
    said = [
        f"The {name} is {_interval(found.reference, found.reference_low, found.reference_high)} on {part} cases"
        f"{'' if found.n_cases == len(cases) else ', drawn by patient in equal shares'}."
    ]
    if found.above_chance is False:
        said.append("That may be chance: a network that tells nothing relies on nothing, whatever the drops are.")
        return said
    worse = "lower" if found.higher_is_better else "higher"
    removed = _largest(found.experiments, "remove")
    if removed is not None:
        said.append(
            f"Without {removed.cell} {unit} it is {worse} by {_drop(removed)}, more than without any other band."
        )
    else:
        said.append("No band, removed alone, is known to make it worse: others tell the same, or none is needed.")
    cuts = sorted((each for each in found.experiments if each.kind == "low-pass"), key=lambda each: -each.low_edge)
    enough = list(takewhile(lambda each: not _is_known(each), cuts))
    if enough:
        least = enough[-1]
        said.append(
            f"All above {least.low_edge:.3g} {unit} can be cut off: it is then {_number(least.value)}, "
            f"{worse} by {_drop(least)}."
        )
    for kind, what in (("amplitude", "amplitudes"), ("phase", "phases")):
        each = _largest(found.experiments, kind)
        if each is not None:
            said.append(f"With another image's {what} in {each.cell} {unit} it is {worse} by {_drop(each)}.")
    moved = [each for each in noise.experiments if each.moved is not None]
    if moved:
        most = max(moved, key=lambda each: each.moved or 0)
        said.append(
            f"Noise of {noise.strength:.3g} SD moves its answers most in {most.cell} {unit}: by {_number(most.moved)} "
            f"of the probability ({noise.n_cases} cases)."
        )
    if found.untrained_reference is not None:
        by_chance = (found.untrained_reference, found.untrained_reference_low, found.untrained_reference_high)
        lost = [each.cell for each in found.experiments if (each.untrained_low or 0) > 0]
        loses = f"is known to lose without {' and '.join(lost)}" if lost else "is not known to lose without any band"
        if found.metric == "auc" and (found.untrained_reference_low or 0) <= 0.5:
            loses = "tells nothing"
        said.append(f"The same network with random weights has {_interval(*by_chance)}: it {loses}.")
    return said


def _unknown(
    model: AuditModel,
    cases: Cases,
    found: Reliance,
    learned: Priority | None,
    placed: Where | None,
    data_audit: DataAudit | None,
) -> list[str]:
    said = []
    if not cases.patients_known:
        said.append("The patients are unknown: each image counts as one, and intervals are too narrow if it is not.")
    if found.untrained_reference is None:
        said.append("How to build the network is unknown: there is no control with random weights.")
    if learned is None:
        said.append("The network gives no gradients: its learning priority is unknown.")
    if placed is None:
        said.append("The network gives no gradients: where in the image a band matters is unknown.")
    if model.preprocess is None:
        said.append("No preprocessing is known: the network is given the images as they are loaded.")
    if data_audit is not None:
        said += [sentence for sentence in data_audit.unknown if not sentence.startswith("No patients")]
    return said


def _largest(experiments: tuple[Experiment, ...], kind: str) -> Experiment | None:
    known = [each for each in experiments if each.kind == kind and _is_known(each)]
    return max(known, key=lambda each: each.drop or 0, default=None)


def _is_known(each: Experiment) -> bool:
    """Whether the metric is known to be worse."""
    return each.drop_low is not None and each.drop_low > 0


def _drop(each: Experiment) -> str:
    return _interval(each.drop, each.drop_low, each.drop_high)


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return f"{_number(value)} ({_number(low)} to {_number(high)})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value + 0.0:.2f}"
