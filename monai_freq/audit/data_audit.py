"""The audit of data: does the spectrum give the label away?"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import DataError
from ..quoting import named, shown
from ..spectral.band_grid import BandGrid, Unit
from ..spectral.scalars import check_choice
from .cases import Case, Cases
from .data.confounding import Confounding, confounding, leaks_of
from .data.features import grids_features
from .data.image_facts import ImageFacts, image_facts
from .data.leak import Leak
from .data.mean_spectra import MeanSpectrum, fine_bands, mean_spectra
from .data.nuisances import Nuisance, nuisances
from .data.splits import ENOUGH_PATIENTS
from .data.verdicts import data_verdict, said_of_cells, said_of_leak, said_of_verdict
from .model.counterfactual import cells_to_exchange
from .model.model_verdicts import leak_to_try
from .remedies import Remedy, remedies

__all__ = ["DataAudit", "audit_data", "bands_for", "edited_bands"]

#: faulty images that are named
_NAMED = 3
#: labels that are listed
_LISTED = 6


@dataclass(frozen=True)
class DataAudit:
    """What was found in data.

    Args:
        verdict: a key of :data:`monai_freq.audit.data.verdicts.DATA_VERDICTS`.
        summary: the findings in sentences.
        unknown: sentences on what was not given, and what cannot be said for that.
        settings: arguments of the audit.
        data: numbers of images, patients, labels, groups, sizes and voxel sizes.
        bands: unit, edges and cells of the spectrum.
        spectra: mean spectra.
        leaks: leaks of the label over all images and within groups, and of the group.
        confounding: how label, group and spectrum go together; None without labels or groups.
        nuisances: properties that have nothing to do with what images show.
        remedies: what can be done.

    Example:
        >>> DataAudit("no leak found", (), (), {}, {}, {}, (), (), None, ()).remedies
        ()
    """

    verdict: str
    summary: tuple[str, ...]
    unknown: tuple[str, ...]
    settings: dict[str, Any]
    data: dict[str, Any]
    bands: dict[str, Any]
    spectra: tuple[MeanSpectrum, ...]
    leaks: tuple[Leak, ...]
    confounding: Confounding | None
    nuisances: tuple[Nuisance, ...]
    remedies: tuple[Remedy, ...] = ()


def bands_for(
    facts: Sequence[ImageFacts], n_bands: int = 12, unit: Unit = "voxel", *, directional: bool = True
) -> BandGrid:
    """Bands of equal width in octaves that all images hold along their longest axis.

    They go from two periods over the smallest image to the lowest Nyquist frequency.

    Args:
        facts: sizes and voxel sizes of the images.
        n_bands: number of bands.
        unit: unit of the frequencies.
        directional: whether each band is cut into directions.

    Raises:
        ValueError: an argument is out of range.
        DataError: the images share no frequency.

    Example:
        >>> bands = bands_for([ImageFacts((100, 80), (0.5, 0.5)), ImageFacts((64, 50), (1.0, 1.0))], unit="mm")
        >>> bands.edges[0], bands.edges[-1]
        (0.04, 0.5)
    """
    check_choice("unit", unit, ("voxel", "mm", "image"))
    lowest, highest = 0.0, float("inf")
    for fact in facts:
        steps = fact.spacing if unit == "mm" else (1.0,) * len(fact.sizes)
        extent = max(size * step for size, step in zip(fact.sizes, steps, strict=True))
        if unit == "image":
            lowest, highest = 2.0, min(highest, max(fact.sizes) / 2)
        else:
            lowest, highest = max(lowest, 2 / extent), min(highest, 0.5 / min(steps))
    if not lowest < highest:
        raise DataError("The images share no frequency: the smallest is too small, or voxel sizes differ too much.")
    return BandGrid.spaced(n_bands, lowest, highest, unit, directional=directional)


def edited_bands(audit: DataAudit, spatial_dims: int) -> BandGrid:
    """Bands of an audit, to edit what leaks in them.

    If the highest band leaks, it goes on to the corners of the spectrum: what was done to it was done to these, too.

    Args:
        audit: the audit.
        spatial_dims: number of spatial dimensions, 2 or 3.

    Example:
        >>> bands = {"edges": (0.1, 0.5), "directional": False}
        >>> audit = DataAudit("no leak found", (), (), {"unit": "voxel"}, {}, bands, (), (), None, ())
        >>> edited_bands(audit, 2).edges
        (0.1, 0.5)
    """
    edges = tuple(audit.bands["edges"])
    bands = BandGrid(edges, audit.settings["unit"], directional=audit.bands["directional"])
    leak = leak_to_try(audit.leaks)
    first = bands.n_cells(spatial_dims) * (bands.n_bands - 1) // bands.n_bands
    if leak is None or max(cells_to_exchange(leak)[0]) < first:
        return bands
    return BandGrid((*edges[:-1], edges[-1] * math.sqrt(spatial_dims)), bands.unit, directional=bands.directional)


def audit_data(
    cases: Sequence[Case],
    *,
    bands: BandGrid | None = None,
    n_bands: int = 12,
    unit: Unit = "voxel",
    directional: bool = True,
    quiet: bool = True,
    n_cases: int | None = None,
    n_permutations: int = 1000,
    alpha: float = 0.01,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    workers: int = 0,
    progress: bool = False,
) -> DataAudit:
    """Look for labels and groups in the spectra of images.

    The result does not depend on the number of workers. Each image is read twice; only those in work are in memory.

    Args:
        cases: the images, all in 2D or all in 3D, with labels or groups. Faulty and constant images are left out.
        bands: bands of the spectrum; by default those of :func:`bands_for`.
        n_bands: number of bands, without their directions.
        unit: unit of the frequencies: cycles per ``"voxel"``, ``"mm"`` or ``"image"``. A difference in voxel size is a
            difference in one of the first two.
        directional: whether each band is cut into directions.
        quiet: whether to look at the spectrum of the quiet parts of images, too: there, noise and filters show.
        n_cases: number of images to draw, by patient; None for all.
        n_permutations: number of permutations of each test.
        alpha: level of each test.
        seed: seed of all that is drawn.
        output_dir: folder that keeps what was measured, so that a stopped audit goes on.
        workers: number of processes that read images.
        progress: whether to show progress bars.

    Raises:
        ValueError: an argument is out of range.
        DataError: there is neither a label nor a group, no image can be read, or some are in 2D and others in 3D.

    Example:
        >>> import torch
        >>> noise = torch.randn(60, 1, 32, 32, generator=torch.Generator().manual_seed(0))
        >>> noise[1::2] = noise[1::2] + noise[1::2].roll(1, -1)  # smoothed along the last axis
        >>> audit = audit_data(Cases.of_arrays(noise, labels=["sharp", "smooth"] * 30), n_bands=3)
        >>> audit.verdict, audit.leaks[0].auc
        ('leak found', 1.0)
    """
    everything = cases if isinstance(cases, Cases) else Cases(cases)
    if everything.labels is None and everything.groups is None:
        raise DataError("The images have neither labels nor groups.\nName the column of one of them.")
    drawn = everything if n_cases is None else everything.subset(n_cases, seed)
    kept = {"output_dir": output_dir, "workers": workers, "progress": progress}
    facts = image_facts(drawn, **kept)  # type: ignore[arg-type]
    used, known, faults = _usable(drawn, facts)
    if len({len(fact.sizes) for fact in known}) > 1:
        raise DataError("Some images are in 2D and others in 3D.\nAudit them one after the other.")
    bands = bands or _bands_for(used, known, n_bands, unit, directional)
    fine = fine_bands(bands)
    features, profiles = grids_features(used, [bands, fine], [quiet, False], **kept)  # type: ignore[arg-type]
    tests = {"n_permutations": n_permutations, "alpha": alpha, "seed": seed}
    leaks = leaks_of(used, features, **tests)  # type: ignore[arg-type]
    confounded = confounding(used, leaks, **tests)  # type: ignore[arg-type]
    properties = nuisances(used, known, **tests)  # type: ignore[arg-type]
    verdict = data_verdict(*_kinds(leaks), labelled=used.labels is not None)
    found = DataAudit(
        verdict,
        tuple(_summary(verdict, leaks, confounded, properties, used, everything, faults)),
        tuple(_unknown(used, known)),
        {
            "n_bands": bands.n_bands,
            "unit": bands.unit,
            "directional": bands.directional,
            "quiet": quiet,
            "n_cases": n_cases,
            "n_permutations": n_permutations,
            "alpha": alpha,
            "seed": seed,
        },
        _data(used, known, len(drawn) - len(used)),
        {
            "unit": bands.unit_name,
            "edges": bands.edges,
            "cells": features.names,
            "cells_left_out": features.left_out,
            "directional": bands.directional,
        },
        mean_spectra(used, profiles, fine, seed),
        leaks,
        confounded,
        properties,
    )
    return replace(found, remedies=remedies(leaks, used, bands, seed=seed))


def _bands_for(cases: Cases, facts: Sequence[ImageFacts], n_bands: int, unit: Unit, directional: bool) -> BandGrid:
    """Bands of all images, or the name of the smallest if there are none."""
    try:
        return bands_for(facts, n_bands, unit, directional=directional)
    except DataError as error:
        place = min(range(len(facts)), key=lambda k: max(facts[k].sizes))
        sizes = " x ".join(map(str, facts[place].sizes))
        smallest = f"{named(cases[place].name or 'an image')} ({sizes})"
        raise DataError("\n".join([str(error), f"The smallest: {smallest}. Leave it out."])) from error


def _kinds(leaks: Sequence[Leak]) -> list[Leak | None]:
    found = {(leak.of, leak.within): leak for leak in leaks}
    return [found.get(key) for key in (("label", None), ("label", "group"), ("group", None))]


def _usable(cases: Cases, facts: Sequence[ImageFacts]) -> tuple[Cases, list[ImageFacts], list[str]]:
    faults = [fact.fault for fact in facts if fact.fault]
    if len(faults) == len(facts):
        raise DataError(f"No image can be used. The first: {faults[0]}")
    kept = [k for k, fact in enumerate(facts) if not fact.fault]
    return Cases([cases[k] for k in kept]), [facts[k] for k in kept], faults


def _data(cases: Cases, facts: Sequence[ImageFacts], left_out: int) -> dict[str, Any]:
    return {
        "n_cases": len(cases),
        "n_patients": len(set(cases.patients)) if cases.patients_known else None,
        "labels": None if cases.labels is None else dict(sorted(Counter(cases.labels).items())),
        "groups": None if cases.groups is None else dict(sorted(Counter(cases.groups).items())),
        "sizes": dict(Counter(" x ".join(map(str, fact.sizes)) for fact in facts).most_common()),
        "spacings": dict(Counter(" x ".join(f"{step:.4g}" for step in fact.spacing) for fact in facts).most_common()),
        "spatial_dims": len(facts[0].sizes),
        "left_out": left_out,
    }


def _summary(
    verdict: str,
    leaks: Sequence[Leak],
    confounded: Confounding | None,
    properties: Sequence[Nuisance],
    used: Cases,
    everything: Cases,
    faults: Sequence[str],
) -> list[str]:
    overall, within, _ = _kinds(leaks)
    said = [said_of_verdict(verdict, overall, within, grouped=len(set(used.groups or ())) > 1)]
    if used.labels is not None and overall is None:
        said.append(_too_few(used))
    for leak in leaks:
        said += [said_of_leak(leak), said_of_cells(leak) if leak.of == "label" or used.labels is None else ""]
        if leak.classes_left_out:
            said.append(f"Too few patients, not looked at: {', '.join(map(shown, leak.classes_left_out))}.")
    if any(leak.found and leak.of == "label" for leak in leaks):
        said.append(
            "A disease can change the spectrum, too: look at where the difference lies before you blame a source."
        )
    said += confounded.said if confounded else ()
    said += [one.said for one in properties if one.tells_label or (one.p_within or 1) <= _level(leaks)]
    if len(used) < len(everything):
        said.append(f"{len(used)} of {len(everything)} images were looked at.")
    if faults:
        said.append(f"{len(faults)} left out as they cannot be used. The first: {faults[0].splitlines()[0]}")
    return [sentence for sentence in said if sentence]


def _too_few(cases: Cases) -> str:
    """Why labels could not be compared."""
    labels = cases.labels or ()
    if len(set(labels)) == 1:
        return f"All images have the label {shown(labels[0])}, so that there is nothing to tell it from."
    patients = Counter(label for label, _ in {*zip(labels, cases.patients, strict=True)})
    listed = ", ".join(f"{shown(name)} ({n})" for name, n in sorted(patients.items())[:_LISTED])
    more = f" and {len(patients) - _LISTED} more" if len(patients) > _LISTED else ""
    return f"Two labels of at least {ENOUGH_PATIENTS} patients are needed; there are {listed}{more}."


def _level(leaks: Sequence[Leak]) -> float:
    return leaks[0].alpha if leaks else 0.0


def _unknown(cases: Cases, facts: Sequence[ImageFacts]) -> list[str]:
    said = []
    if cases.labels is None:
        said.append("No labels were given: what the spectrum tells of them is unknown.")
    if cases.groups is None:
        said.append("No groups were given: whether a leak comes from a scanner, hospital or source is unknown.")
    if not cases.patients_known:
        said.append("No patients were given: each image counts as a patient. Several of one would fake a leak.")
    if all(set(fact.spacing) == {1.0} for fact in facts):
        said.append("All voxels have 1 mm, which is what files that know of no voxel size have, too.")
    return said
