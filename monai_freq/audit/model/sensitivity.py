"""Sensitivity: what noise of equal energy does to a network, band by band and direction by direction."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass

from torch import Tensor

from ...quoting import written
from ...spectral.band_grid import BandGrid
from ...spectral.scalars import is_finite_number
from ..cases import Cases
from .edits import SpectrumEdits, usual_bands
from .experiments import Experiment, Plan, experiments_of, run_plan
from .models import AuditModel

__all__ = ["Sensitivity", "sensitivity"]


@dataclass(frozen=True)
class Sensitivity:
    """Sensitivity of a network to noise of each cell: a Fourier heat map of bands.

    Args:
        metric: name of the metric.
        higher_is_better: whether a network is better where it is higher.
        strength: root mean square of the noise, in SDs of each image.
        reference: metric of the images as they are.
        reference_low: lower end of its 95% interval, over patients.
        reference_high: upper end.
        n_cases: number of cases.
        n_patients: number of patients.
        classes: names of the classes.
        unit: unit of the edges.
        edges: edges of the bands.
        directional: whether each band is cut into directions.
        experiments: what the noise of each cell does, in the order of the cells.

    Example:
        >>> import dataclasses
        >>> [field.name for field in dataclasses.fields(Sensitivity)][:3]
        ['metric', 'higher_is_better', 'strength']
    """

    metric: str
    higher_is_better: bool
    strength: float
    reference: float | None
    reference_low: float | None
    reference_high: float | None
    n_cases: int
    n_patients: int
    classes: tuple[str, ...]
    unit: str
    edges: tuple[float, ...]
    directional: bool
    experiments: tuple[Experiment, ...]


def sensitivity(
    model: AuditModel,
    cases: Cases,
    bands: BandGrid | None = None,
    *,
    strength: float = 0.2,
    metric: str | None = None,
    n_resamples: int = 1000,
    batch_size: int | None = None,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Sensitivity:
    r"""How much a network's answers change with noise of each cell, whose energy is the same in all of them.

    .. math:: x + n_c, \qquad \lVert n_c \rVert = \alpha \, \sigma_x \sqrt{N}

    with noise of random amplitudes and phases within the cell, and N voxels. It is added to the image as it is loaded,
    before the network's preprocessing.

    Args:
        model: the network.
        cases: cases with labels, or for a segmenter with segmentations.
        bands: the bands; None for octaves, in 2D by direction, in 3D shells.
        strength: root mean square of the noise, in SDs of each image.
        metric: see :func:`monai_freq.audit.model.reliance.reliance`.
        n_resamples: number of resamples of the bootstrap.
        batch_size: see :func:`monai_freq.audit.model.experiments.run_plan`.
        seed: seed of the noise and of the bootstrap; the noise of a case does not depend on the other cases.
        output_dir: folder to keep what is finished; None for none.
        progress: whether to show a bar with the time left.

    Raises:
        ValueError: an argument is out of range.
        DataError: the network refuses the images, or labels or segmentations are missing.

    Reference:
        D. Yin et al. (2019), "A Fourier perspective on model robustness in computer vision", arXiv 1906.08988.

    Example:
        >>> import torch
        >>> images = torch.randn(20, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> wave = torch.cos(torch.pi * torch.arange(16.0))  # of 0.5 cycles per voxel along axis 1
        >>> model = AuditModel(lambda x: 20 * (x * wave).mean((2, 3)))
        >>> cases = Cases.of_arrays(images, labels=[0, 1] * 10)
        >>> found = sensitivity(model, cases, BandGrid((0, 0.2, 0.45, 0.75), directional=True), progress=False)
        >>> max(found.experiments, key=lambda each: each.moved).cell
        '0.45 to 0.75, along axis 1'
    """
    if not is_finite_number(strength) or strength <= 0:
        raise ValueError(f"'strength' must be above 0, got {written(strength)}.")
    dims = cases[0].load()[0].ndim - 1
    bands = bands or usual_bands(dims, directional=dims == 2)
    per_band = bands.n_cells(dims) // bands.n_bands
    plan = []
    for cell, name in enumerate(bands.names(dims)):
        low, high = bands.edges[cell // per_band], bands.edges[cell // per_band + 1]
        plan.append(Plan("noise", name, low, high, functools.partial(_noisy, cell, strength)))

    def white(k: int, edits: SpectrumEdits) -> Tensor:
        return edits.white(seed + _seed_of(cases[k].name))

    results = run_plan(
        model,
        cases,
        bands,
        plan,
        title="sensitivity",
        settings={"seed": seed, "strength": strength, "directional": bands.directional},
        given=white,
        metric=metric,
        n_resamples=n_resamples,
        batch_size=batch_size,
        seed=seed,
        output_dir=output_dir,
        progress=progress,
    )
    as_it_is = results.reference
    return Sensitivity(
        metric=results.metric.name,
        higher_is_better=results.metric.higher_is_better,
        strength=float(strength),
        reference=as_it_is.value,
        reference_low=as_it_is.low,
        reference_high=as_it_is.high,
        n_cases=len(cases),
        n_patients=len(set(cases.patients)),
        classes=results.classes,
        unit=bands.unit_name,
        edges=bands.edges,
        directional=bands.directional,
        experiments=experiments_of(plan, results),
    )


def _noisy(cell: int, strength: float, edits: SpectrumEdits, noise: Tensor | None) -> Tensor | None:
    return None if noise is None else edits.noisy(cell, noise, strength)


def _seed_of(name: str) -> int:
    """A number of a name, the same in each process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
