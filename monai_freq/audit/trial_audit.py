"""A remedy tried on a user's bundle: what it does to the metric, the reliance and the counterfactual."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..json_files import parse_json, read_json
from ..places import RECORD
from ..quoting import named
from ..spectral.band_grid import BandGrid
from .cases import Cases
from .data_audit import DataAudit, edited_bands
from .model.bundle_models import BundlePreprocess, bundle_of, is_bundle, is_run
from .model.experiments import Experiment
from .model.model_summary import largest_drop
from .model.model_verdicts import model_verdict, try_leak
from .model.models import AuditModel
from .model.reliance import reliance
from .model_audit import ModelAudit, usual_cases
from .remedies import Remedy
from .trial import Trial, try_remedy

__all__ = ["Judged", "check_trial", "tried"]


@dataclass(frozen=True)
class Judged:
    """What was found of a network of a trial.

    Args:
        verdict: a key of :data:`monai_freq.audit.model.model_verdicts.MODEL_VERDICTS`.
        metric: name of the metric.
        reference: metric of the images as they are.
        low: lower end of its 95% interval, over patients.
        high: upper end.
        used: lowest and highest frequency that the metric is known to depend on; None where none is known.
        without: the experiment that removes the band without which the metric is known to fall most; None where it
            falls without none.
        amplitude: the same for the amplitudes of another image.
        difference: shift of the log-odds to the donors' class in the bands that leak, less that in the control, as a
            share of how far apart the network puts its classes; None if the counterfactual was not tried.
        difference_low: lower end of its 95% interval.
        difference_high: upper end.

    Example:
        >>> Judged("leak and used", "auc", 0.6, 0.5, 0.7, None, None, None, 0.4, 0.3, 0.5).difference
        0.4
    """

    verdict: str
    metric: str
    reference: float | None
    low: float | None
    high: float | None
    used: tuple[float, float] | None
    without: Experiment | None
    amplitude: Experiment | None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


def check_trial(
    model: str | os.PathLike[str], bundle: str | os.PathLike[str] | None = None
) -> tuple[Path, dict[str, Any]]:
    """The bundle that is trained again, and the settings of its run.

    Args:
        model: folder of a bundle, or of a run of one of ours.
        bundle: folder or shipped name of the bundle of a run; None finds it.

    Returns:
        Folder of the bundle, and the recorded settings of the training that its configuration has.

    Raises:
        UsageError: it is neither, or the bundle has no ``configs/train.json``.

    Example:
        >>> check_trial("network.onnx")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: A remedy is tried on a bundle or a run, and network.onnx is none.
        Name its folder, or train with the remedy by yourself and audit the new network.
    """
    place, recorded = Path(model).expanduser().resolve(), {}
    if is_bundle(place):
        folder = place
    elif is_run(place):
        folder, recorded = bundle_of(place, bundle), read_json(place / RECORD)
    else:
        raise UsageError(
            f"A remedy is tried on a bundle or a run, and {named(model)} is none.\n"
            "Name its folder, or train with the remedy by yourself and audit the new network."
        )
    file = folder / "configs" / "train.json"
    if not file.is_file():
        raise UsageError(
            f"There is no configs/train.json in {named(folder)}.\nName the folder of a bundle that has it."
        )
    items = read_json(file)
    return folder, {name: value for name, value in recorded.items() if name in items}


def tried(
    audit: ModelAudit,
    data_audit: DataAudit,
    model: AuditModel,
    cases: Cases,
    source: tuple[Path, Mapping[str, Any]],
    output_dir: str | os.PathLike[str],
    *,
    settings: Mapping[str, Any] | None = None,
    n_cases: int | None = None,
    progress: bool = True,
) -> ModelAudit:
    """Train a bundle as it is and with the first remedy of its audit, and judge both networks as the audit did.

    Args:
        audit: audit of the bundle's network.
        data_audit: audit of the data.
        model: the network.
        cases: the cases of both.
        source: the bundle, and settings of its training, as :func:`check_trial` gives them.
        output_dir: folder of both trainings.
        settings: items of the training to replace, such as ``{"epochs": 10}``.
        n_cases: number of cases, as of :func:`~monai_freq.audit.model_audit.audit_model`.
        progress: whether to show bars with the time left.

    Returns:
        The audit with its ``trial``; as it is if it has no remedy.

    Raises:
        UsageError: a training cannot be made, or has no place for the remedy.
    """
    if not audit.remedies:
        return audit
    bundle, recorded = source
    remedy = audit.remedies[0]
    if isinstance(model.preprocess, BundlePreprocess):
        remedy = _keyed(remedy, model.preprocess.key)
        if model.preprocess.turns and cases[0].load()[0].ndim == 3:
            remedy = _turned(remedy, edited_bands(data_audit, 2))
    judge = functools.partial(_judged, model, cases, data_audit, n_cases, audit.settings["seed"], progress)
    trial = try_remedy(bundle, remedy, judge, output_dir, **{**recorded, **(settings or {})})
    return dataclasses.replace(audit, trial=trial, summary=(*audit.summary, *_said(trial)))


def _keyed(remedy: Remedy, key: str) -> Remedy:
    """The remedy of the key that the bundle's transforms have."""
    entry = parse_json(remedy.config)
    return dataclasses.replace(remedy, config=json.dumps({**entry, "keys": key} if "keys" in entry else entry))


def _turned(remedy: Remedy, bands: BandGrid) -> Remedy:
    """The remedy of pictures whose axes the bundle's reader swaps."""
    entry = parse_json(remedy.config)
    if "cells" not in entry or not bands.directional:
        return remedy
    names = bands.names(2)
    swapped = [
        name.replace("axis 0", "axis 2").replace("axis 1", "axis 0").replace("axis 2", "axis 1") for name in names
    ]
    place = [names.index(name) for name in swapped]
    entry["cells"] = [place[cell] for cell in entry["cells"]]
    for name in {"references", "reference"} & set(entry):
        rows = np.array(entry[name], dtype=object)
        entry[name] = rows[..., place].tolist()
    return dataclasses.replace(remedy, config=json.dumps(entry))


def _judged(
    first: AuditModel,
    cases: Cases,
    data_audit: DataAudit,
    n_cases: int | None,
    seed: int,
    progress: bool,
    model: AuditModel,
) -> Judged:
    model = dataclasses.replace(model, classes=first.classes, task=first.task)
    if model.network is not None:
        model.network.to(first.device)
    model = model.settled(cases)
    dims = cases[0].load()[0].ndim - 1
    usual = usual_cases(dims)
    taken = cases.subset(n_cases or usual["reliance"], seed)
    relied = reliance(model, taken, kinds=("remove", "amplitude"), control=False, seed=seed, progress=progress)
    asked = cases.subset(n_cases or usual["counterfactual"], seed)
    grid = edited_bands(data_audit, dims)
    followed = try_leak(model, asked, data_audit.leaks, grid, seed=seed, progress=progress)
    shift = () if followed is None else (followed.difference, followed.low, followed.high)
    return Judged(
        model_verdict(data_audit.leaks, followed).verdict,
        relied.metric,
        relied.reference,
        relied.reference_low,
        relied.reference_high,
        relied.used,
        largest_drop(relied.experiments, "remove"),
        largest_drop(relied.experiments, "amplitude"),
        *shift,
    )


def _said(trial: Trial) -> list[str]:
    before, after = trial.before, trial.after
    said = [f"Tried in a short training: {trial.title[:1].lower()}{trial.title[1:]}."]
    name = {"auc": "AUC", "dice": "Dice"}.get(before.metric, before.metric)
    if before.reference is not None and after.reference is not None:
        said[0] = f"{said[0][:-1]}; {name} {after.reference:.2f}, without it {before.reference:.2f}."
    if before.difference is not None and after.difference is not None:
        said.append(
            f"The answers move by {_shift(after)} of the way to the donors' class beyond the control with the remedy, "
            f"by {_shift(before)} without it: {after.verdict}, and {before.verdict}."
        )
    return said


def _shift(one: Judged) -> str:
    return f"{one.difference:.2f} ({one.difference_low:.2f} to {one.difference_high:.2f})"
