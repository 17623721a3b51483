"""Densities that classifiers have measured: learning priorities, and those of images and artifacts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...spectral.frequency_axis import on_one_axis
from ...spectral.frequency_unit import require_per_voxel
from .long_table import number

__all__ = ["Density", "density_of", "mean_of"]

Array = NDArray[np.float64]


class Density(NamedTuple):
    """Density ``(K,)`` over its frequencies ``(K,)`` in cycles per voxel.

    Example:
        >>> density = Density(np.array([0, 0.1, 0.2, 0.3]), np.array([9.0, 1.0, 2.0, 3.0]))
        >>> density.scaled().values.tolist(), density.relative().values.tolist()
        ([0.0, 0.5, 1.0], [4.5, 0.5, 1.0, 1.5])
    """

    frequencies: Array
    values: Array

    def scaled(self) -> Density:
        """Density without DC, its lowest value 0 and its highest 1."""
        kept = self.frequencies > 0
        values = self.values[kept]
        span = float(np.ptp(values)) if values.size else 0.0
        return Density(self.frequencies[kept], (values - values.min(initial=math.inf)) / (span or 1.0))

    def relative(self) -> Density:
        """Density whose mean without DC is 1."""
        return Density(self.frequencies, self.values / (float(self.values[self.frequencies > 0].mean()) or 1.0))

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Frequencies and values as tensors."""
        return torch.from_numpy(self.frequencies), torch.from_numpy(self.values)


def density_of(measured: Any, name: str) -> Density | None:
    """Density that a run has measured, if it is one.

    Args:
        measured: entry ``"densities"`` of the run's measures.
        name: name of the density: ``"images"``, ``"before"``, ``"after"`` or ``"artifact"``.

    Example:
        >>> measured = {"frequencies": [0.0, 0.25, 0.5], "after": [1.0, 0.5, 0.0]}
        >>> density_of(measured, "after").values.tolist(), density_of(measured, "artifact")
        ([1.0, 0.5, 0.0], None)
    """
    if not isinstance(measured, Mapping):
        return None
    lists = [measured.get(key) for key in ("frequencies", name)]
    frequencies, values = (np.array([*map(number, one)] if isinstance(one, list) else [], dtype=float) for one in lists)
    if frequencies.size < 2 or frequencies.shape != values.shape or not (np.isfinite(values) & (values >= 0)).all():
        return None
    try:
        require_per_voxel(torch.from_numpy(frequencies))
    except ValueError:  # of a file that someone edited
        return None
    return Density(frequencies, values)


def mean_of(densities: Sequence[Density]) -> Density | None:
    """Mean of densities, over the frequencies of the finest grid among them; None without any.

    Args:
        densities: density of each run.

    Example:
        >>> frequencies = np.array([0.0, 0.25, 0.5])
        >>> mean_of([Density(frequencies, np.array(one)) for one in ([1, 0.75, 0.25], [1, 0.0, 0.5])]).values.tolist()
        [1.0, 0.375, 0.375]
    """
    if not densities:
        return None
    frequencies, values = on_one_axis(density.tensors() for density in densities)
    return Density(frequencies.numpy(), values.numpy().mean(axis=0))
