"""The audit of a network: which frequencies of its images it uses."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from ..quoting import shown, written
from ..spectral.band_grid import BandGrid
from ..spectral.scalars import is_count
from .cases import Case, Cases
from .data.image_facts import image_facts
from .data.leak import Leak
from .data_audit import DataAudit, audit_data, edited_bands
from .model.counterfactual import Counterfactual
from .model.edits import usual_bands
from .model.model_summary import doubts, summary_of
from .model.model_verdicts import MODEL_VERDICTS, NO_LABEL, ModelVerdict, bands_of, model_verdict, try_leak
from .model.models import AuditModel
from .model.priority import Priority, priority
from .model.reliance import Reliance, reliance
from .model.sensitivity import Sensitivity, sensitivity
from .model.where import Where, where
from .remedies import Remedy, remedies
from .trial import Trial

__all__ = ["ModelAudit", "audit_model", "usual_cases"]

#: number of spatial dimensions -> how many cases each step takes
_USUAL = {
    2: {"counterfactual": 120, "reliance": 64, "sensitivity": 20, "priority": 64, "where": 2},
    3: {"counterfactual": 24, "reliance": 24, "sensitivity": 12, "priority": 12, "where": 2},
}
_SEGMENTER = "A segmenter tells no label, so that it was not asked for a leak: what it needs is below."


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
        verdict: a key of :data:`monai_freq.audit.model.model_verdicts.MODEL_VERDICTS`.
        kind: always ``"model"``.
        trial: the first remedy tried, with what is found of both networks; None if it was not tried.

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
    trial: Trial | None = None


def audit_model(
    model: AuditModel,
    cases: Sequence[Case],
    data_audit: DataAudit | None = None,
    *,
    bands: BandGrid | None = None,
    n_cases: int | None = None,
    strength: float = 0.2,
    metric: str | None = None,
    n_resamples: int = 1000,
    batch_size: int | None = None,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> ModelAudit:
    """Which frequencies a network uses: reliance, sensitivity to noise, learning priority, and where they matter.

    Each step takes a part of the cases, drawn by patient in equal shares of labels and groups. By default these are 64
    images for the reliance and the learning priority, 20 for the noise, 2 for the maps; of volumes 24, 12, 12 and 2.
    What is finished is kept in ``output_dir`` and not computed again.

    Args:
        model: the network, see :func:`monai_freq.audit.model.models.load_model`.
        cases: cases with labels, or for a segmenter with segmentations, that it was not trained on.
        data_audit: audit of the same data, for its leaks; None to make it where the cases have labels.
        bands: bands of the reliance; None for octaves.
        n_cases: number of cases of the reliance; the other steps take as many or their own number, whichever is less.
            None for the usual ones.
        strength: root mean square of the noise, in SDs of each image.
        metric: ``"auc"`` or ``"accuracy"``, of a segmenter ``"dice"`` or ``"hd95"``; None for the first one.
        n_resamples: number of resamples of the bootstrap over patients.
        batch_size: see :func:`monai_freq.audit.model.experiments.run_plan`.
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
    cases, faults = _usable(cases if isinstance(cases, Cases) else Cases(cases), output_dir, progress)
    dims = cases[0].load()[0].ndim - 1
    usual = usual_cases(dims)
    told = model.activation is None
    model = model.settled(cases)
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
        summary=(
            *judged.said[:1],
            *doubts(judged, relied),
            *judged.said[1:],
            *summary_of(cases, relied, sensed),
            *faults,
        ),
        unknown=tuple(_unknown(model, cases, relied, learned, placed, data_audit, told=told)),
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


def _usable(cases: Cases, output_dir: str | os.PathLike[str] | None, progress: bool) -> tuple[Cases, list[str]]:
    """Cases whose images can be used, and a sentence on the others."""
    facts = image_facts(cases, output_dir=output_dir, progress=progress)
    faults = [fact.fault for fact in facts if fact.fault]
    if len(faults) == len(facts):
        raise DataError(f"No image can be used. The first: {faults[0]}")
    if len({len(fact.sizes) for fact in facts if not fact.fault}) > 1:
        raise DataError("Some images are in 2D and others in 3D.\nAudit them one after the other.")
    if not faults:
        return cases, []
    left = Cases([case for case, fact in zip(cases, facts, strict=True) if not fact.fault])
    return left, [f"{len(faults)} left out as they cannot be used. The first: {faults[0].splitlines()[0]}"]


def usual_cases(spatial_dims: int) -> dict[str, int]:
    """How many cases each step takes, unless told otherwise.

    Args:
        spatial_dims: number of spatial dimensions.

    Example:
        >>> usual_cases(2)["reliance"]
        64
    """
    return dict(_USUAL[spatial_dims])


def _judged(
    model: AuditModel, cases: Cases, data_audit: DataAudit | None, n_cases: int, seed: int, kept: dict[str, Any]
) -> tuple[ModelVerdict, Counterfactual | None, tuple[Remedy, ...]]:
    """Verdict, counterfactual and remedies of the leaks that the data have."""
    if data_audit is None:
        return ModelVerdict(NO_LABEL, (MODEL_VERDICTS[NO_LABEL],)), None, ()
    if model.task == "segmentation":
        return ModelVerdict(NO_LABEL, (_SEGMENTER,)), None, ()
    dims = cases[0].load()[0].ndim - 1
    grid = edited_bands(data_audit, dims)
    tried = try_leak(model, cases.subset(n_cases, seed), data_audit.leaks, grid, seed=seed, **kept)
    found = model_verdict(data_audit.leaks, tried)
    judged = ModelVerdict(found.verdict, (MODEL_VERDICTS[found.verdict], *found.said))
    return judged, tried, remedies(data_audit.leaks, cases, bands_of(data_audit.bands), seed=seed)


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
        "left_out": 0,  # of those that are not in ``taken``, other steps may take some
    }


def _unknown(
    model: AuditModel,
    cases: Cases,
    found: Reliance,
    learned: Priority | None,
    placed: Where | None,
    data_audit: DataAudit | None,
    *,
    told: bool,
) -> list[str]:
    said = []
    if model.task == "classification" and not model.classes and cases.labels is not None:
        said.append(
            "The order of the classes was not given: the outputs are taken to be "
            f"{', '.join(map(shown, found.classes))}, in this order."
        )
    if told and model.activation == "none" and model.task == "classification":
        said.append("Whether the outputs are probabilities was not given: all are from 0 to 1, and taken for these.")
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
