"""Reliance: how much worse a network gets as bands of its images are removed, cut off or exchanged."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...quoting import written
from ...spectral.band_grid import BandGrid
from ..cases import Cases
from .edits import SpectrumEdits, usual_bands
from .experiments import Experiment, Plan, Results, experiments_of, run_plan
from .metrics import UNKNOWN
from .models import AuditModel

__all__ = ["KINDS", "Reliance", "reliance", "used_band"]

#: edits, those that the untrained network is given first
KINDS = ("remove", "low-pass", "high-pass", "amplitude", "phase")
_ALONE = KINDS[:3]
#: number of spatial dimensions -> cases that the untrained network is given
_CONTROLS = {2: 32, 3: 12}
#: probability that goes to another class, above which answers count as moved
_MOVED = 0.01


@dataclass(frozen=True)
class Reliance:
    """Reliance of a network on bands of frequency.

    Args:
        metric: name of the metric.
        higher_is_better: whether a network is better where it is higher.
        reference: metric of the images as they are.
        reference_low: lower end of its 95% interval, over patients.
        reference_high: upper end.
        n_cases: number of cases.
        n_patients: number of patients.
        classes: names of the classes.
        unit: unit of the edges.
        edges: edges of the bands.
        experiments: what each edit does.
        above_chance: whether the whole interval of the reference is above what a network without any knowledge has: an
            AUC of 0.5, or the share of the largest class; None of segmentations.
        used: lowest and highest frequency that the metric is known to depend on, see :func:`used_band`; None where it
            is not known to be above chance.
        moved: lowest and highest frequency without which, band by band, more than 1% of the probability moves: the
            answers depend on these, be they right or wrong.
        untrained_reference: metric of the same network with random weights; None where that is not known.
        untrained_reference_low: lower end of its 95% interval.
        untrained_reference_high: upper end.

    Example:
        >>> import dataclasses
        >>> [field.name for field in dataclasses.fields(Reliance)][:3]
        ['metric', 'higher_is_better', 'reference']
    """

    metric: str
    higher_is_better: bool
    reference: float | None
    reference_low: float | None
    reference_high: float | None
    n_cases: int
    n_patients: int
    classes: tuple[str, ...]
    unit: str
    edges: tuple[float, ...]
    experiments: tuple[Experiment, ...]
    above_chance: bool | None
    used: tuple[float, float] | None
    moved: tuple[float, float] | None
    untrained_reference: float | None = None
    untrained_reference_low: float | None = None
    untrained_reference_high: float | None = None


def reliance(
    model: AuditModel,
    cases: Cases,
    bands: BandGrid | None = None,
    *,
    kinds: Sequence[str] = KINDS,
    metric: str | None = None,
    control: bool = True,
    n_resamples: int = 1000,
    batch_size: int | None = None,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Reliance:
    """How much a network's metric depends on each band of the images' frequencies.

    Images are edited as they are loaded, before the network's preprocessing. A band is removed; all beyond a frequency
    is cut off (low-pass) or all up to it (high-pass; the mean stays); or a band's amplitudes, or phases, are those of
    another image: of another label where labels are known, resized to this one's size, with its mean and SD.

    Drops are on the same cases, and their intervals on the same resamples of patients. The control is the same network
    with random weights, given the images without each band: what it loses is no reliance that was learned. It is given
    32 of the images, or 12 of the volumes.

    Args:
        model: the network.
        cases: cases with labels, or for a segmenter with segmentations.
        bands: the bands; None for octaves, see :func:`monai_freq.audit.model.edits.usual_bands`.
        kinds: edits, some of ``"remove"``, ``"low-pass"``, ``"high-pass"``, ``"amplitude"``, ``"phase"``.
        metric: ``"auc"`` or ``"accuracy"``, of a segmenter ``"dice"`` or ``"hd95"``; None for the first one.
        control: whether the untrained network is tried, too, where it is known how to build it.
        n_resamples: number of resamples of the bootstrap.
        batch_size: see :func:`monai_freq.audit.model.experiments.run_plan`.
        seed: seed of the bootstrap, of the other images and of the untrained network.
        output_dir: folder to keep what is finished, so that a run can go on; None for none.
        progress: whether to show a bar with the time left.

    Raises:
        ValueError: an argument is out of range.
        DataError: the network refuses the images, or labels or segmentations are missing.

    Reference:
        J. S. Yin et al. (2019), arXiv 1906.08988; G. Chen et al. (2021), "Amplitude-phase recombination",
        DOI 10.1109/ICCV48922.2021.00051.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> images, labels = torch.randn(40, 1, 16, 16, generator=generator), [0, 1] * 20
        >>> images[1::2] += torch.cos(torch.pi * torch.arange(16.0))  # class 1 has a wave of 0.5 cycles per voxel
        >>> wave = torch.cos(torch.pi * torch.arange(16.0))
        >>> model = AuditModel(lambda x: (x * wave).mean((2, 3)) - 0.5)
        >>> found = reliance(model, Cases.of_arrays(images, labels), BandGrid((0, 0.2, 0.45, 0.75)), progress=False)
        >>> [round(each.drop, 1) for each in found.experiments if each.kind == "remove"]
        [0.0, 0.0, 0.5]
        >>> found.used
        (0.45, 0.75)
    """
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"'kinds' must be some of {', '.join(KINDS)}, got {written(list(kinds))}.")
    dims = cases[0].load()[0].ndim - 1
    bands = bands or usual_bands(dims)
    plan = _plan(bands, dims, [kind for kind in KINDS if kind in kinds])
    settings = {"seed": seed, "directional": bands.directional}
    tried = functools.partial(
        run_plan,
        metric=metric,
        n_resamples=n_resamples,
        batch_size=batch_size,
        seed=seed,
        output_dir=output_dir,
        progress=progress,
    )
    partners = _partners(cases, seed) if set(kinds) - set(_ALONE) else [None] * len(cases)

    def other(k: int, edits: SpectrumEdits) -> Tensor | None:
        partner = partners[k]
        return None if partner is None else edits.spectrum_of(cases[partner].load()[0])

    results = tried(model, cases, bands, plan, title="reliance", settings=settings, given=other)
    untrained = model.untrained(seed) if control else None
    chance = None
    if untrained is not None:
        few = [one for one in plan if one.kind == plan[0].kind]
        some = cases.subset(_CONTROLS[dims], seed)
        chance = tried(untrained, some, bands, few, title="reliance untrained", settings=settings)
    found = experiments_of(plan, results, chance)
    above = _above_chance(results)
    as_it_is, by_chance = results.reference, UNKNOWN if chance is None else chance.reference
    return Reliance(
        metric=results.metric.name,
        higher_is_better=results.metric.higher_is_better,
        reference=as_it_is.value,
        reference_low=as_it_is.low,
        reference_high=as_it_is.high,
        n_cases=len(cases),
        n_patients=len(set(cases.patients)),
        classes=results.classes,
        unit=bands.unit_name,
        edges=bands.edges,
        experiments=found,
        above_chance=above,
        used=None if above is False else used_band(found, bands.edges),
        moved=_moved_band(found),
        untrained_reference=by_chance.value,
        untrained_reference_low=by_chance.low,
        untrained_reference_high=by_chance.high,
    )


def used_band(experiments: Sequence[Experiment], edges: Sequence[float]) -> tuple[float, float] | None:
    """Lowest and highest frequency that a metric is known to depend on.

    A band counts where the metric drops without it: where the whole 95% interval of the drop is above 0. What
    several bands say alike is not found so, since each can be missed; cuts are counted, too: a low-pass counts for the
    band above its frequency where it drops the metric and the next higher one does not, a high-pass likewise.

    Args:
        experiments: the experiments of :func:`reliance`.
        edges: edges of the bands.

    Returns:
        Two of the edges; None where no edit drops the metric.

    Example:
        >>> from dataclasses import replace
        >>> low = Experiment("remove", "0 to 0.1", 0.0, 0.1, 0.7, 0.6, 0.8, 0.2, 0.1, 0.3, 0.4, 0.3, 0.5, 60)
        >>> high = replace(low, low_edge=0.1, high_edge=0.5, drop_low=-0.1)  # its interval holds 0
        >>> used_band([low, high], (0.0, 0.1, 0.5))
        (0.0, 0.1)
    """
    drops = [each for each in experiments if each.drop_low is not None and each.drop_low > 0]
    lows = [each.low_edge for each in drops if each.kind == "remove"]
    highs = [each.high_edge for each in drops if each.kind == "remove" and each.high_edge is not None]
    cut = [each.low_edge for each in drops if each.kind == "low-pass"]
    if cut:
        highs.append(min((edge for edge in edges if edge > max(cut)), default=edges[-1]))
    cut = [each.high_edge for each in drops if each.kind == "high-pass" and each.high_edge is not None]
    if cut:
        lows.append(max((edge for edge in edges if edge < min(cut)), default=edges[0]))
    if not lows and not highs:
        return None
    return min(lows, default=edges[0]), max(highs, default=edges[-1])


def _moved_band(experiments: Sequence[Experiment]) -> tuple[float, float] | None:
    found = [each for each in experiments if each.kind == "remove" and (each.moved or 0) > _MOVED]
    if not found:
        return None
    return min(each.low_edge for each in found), max(each.high_edge or each.low_edge for each in found)


def _above_chance(results: Results) -> bool | None:
    targets = results.metric.targets
    if targets is None:
        return None
    chance = 0.5 if results.metric.name == "auc" else float(np.bincount(targets).max() / len(targets))
    low = results.reference.low
    return low is not None and low > chance


def _plan(bands: BandGrid, dims: int, kinds: Sequence[str]) -> list[Plan]:
    names, per_band = bands.names(dims), bands.n_cells(dims) // bands.n_bands
    plan = []
    for kind in kinds:
        if kind in ("low-pass", "high-pass"):
            for edge in bands.edges[1:-1] if bands.edges[0] == 0 else bands.edges[:-1]:
                low, high = (edge, None) if kind == "low-pass" else (0.0, edge)
                same = _removes(bands, dims, kind, edge) if "remove" in kinds and per_band == 1 else None
                plan.append(Plan(kind, f"{edge:.3g}", low, high, functools.partial(_cut, kind[:-5], edge), same))
            continue
        for cell, name in enumerate(names):
            band = cell // per_band
            edit = _removed if kind == "remove" else functools.partial(_exchanged, kind)
            low, high = bands.edges[band], bands.edges[band + 1]
            plan.append(Plan(kind, name, low, high, functools.partial(edit, cell)))
    return plan


def _removes(bands: BandGrid, dims: int, kind: str, edge: float) -> int | None:
    """Number of the band that a cut takes away and nothing else; None if there is none."""
    if kind == "high-pass":
        return 0 if bands.edges[0] == 0 and edge == bands.edges[1] else None
    whole = bands.unit == "voxel" and bands.edges[-1] >= math.sqrt(dims) / 2
    return bands.n_bands - 1 if whole and edge == bands.edges[-2] else None


def _removed(cell: int, edits: SpectrumEdits, other: Tensor | None) -> Tensor | None:
    return edits.removed([cell])


def _cut(keep: str, edge: float, edits: SpectrumEdits, other: Tensor | None) -> Tensor | None:
    return edits.cut(keep, edge)


def _exchanged(kind: str, cell: int, edits: SpectrumEdits, other: Tensor | None) -> Tensor | None:
    return None if other is None else edits.exchanged(kind, [cell], other)


def _partners(cases: Cases, seed: int) -> list[int | None]:
    """Another case for each: of another label where there are several, of another patient where there are several."""
    labels, patients = cases.labels, cases.patients
    rng = np.random.default_rng([seed, 1])
    found: list[int | None] = []
    for k in range(len(cases)):
        draw = rng.permutation(len(cases))
        others = [int(j) for j in draw if patients[j] != patients[k]]
        if labels is not None:
            others = [j for j in others if labels[j] != labels[k]] or others
        found.append(others[0] if others else None)
    return found
