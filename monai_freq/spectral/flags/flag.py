"""A flag: what one test of an image found, in numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["FLAGS", "Flag"]

#: name of a flag -> what it says
FLAGS = {
    "zero_filled": "nothing above a cutoff: zero-filled k-space, Fourier interpolation, an ideal low-pass",
    "resampled": "detail with the period of another grid: linear, cubic or nearest interpolation",
    "jpeg_blocks": "edges between blocks of 8 voxels: JPEG",
    "jpeg_quantised": "steps in the cosine transform of blocks of 8 voxels: JPEG",
    "constant_border": "lines of one value at a border: padding, a collimator, clipped air",
    "few_grey_levels": "grey levels that 8 bits hold",
    "grey_level_gaps": "grey levels that do not occur: a contrast that was stretched after rounding",
    "grid_lines": "a wave along one axis: an anti-scatter grid, interlacing, a line artefact",
    "spectral_spike": "an oblique wave: a spike in k-space, moiré",
    "low_passed": "a steep roll-off: smoothing, a soft kernel, denoising",
}


@dataclass(frozen=True)
class Flag:
    """What one test of an image found.

    Args:
        name: name of the flag, a key of ``FLAGS``.
        value: what was measured; None if the image is too small for it.
        threshold: value from which on the trace counts as found, and up to which for ``few_grey_levels``.
        unit: unit of value and threshold.
        said: the finding in words; empty if nothing was found.
        frequencies: where: axis, or None for the radius or an oblique wave, and frequency in cycles per voxel.
        per_mm: the same in cycles per mm; empty without spacing, and for the radius of unequal voxels.

    Example:
        >>> flag = Flag("zero_filled", 30.0, 10.0, "dB", said="nothing above 0.25", frequencies=((0, 0.25),))
        >>> flag.found, flag.with_spacing((0.5, 0.5)).per_mm
        (True, ((0, 0.5),))
    """

    name: str
    value: float | None
    threshold: float
    unit: str
    said: str = ""
    frequencies: tuple[tuple[int | None, float], ...] = ()
    per_mm: tuple[tuple[int | None, float], ...] = ()

    @property
    def found(self) -> bool:
        """Whether the trace was found."""
        return bool(self.said)

    def with_spacing(self, spacing: Sequence[float]) -> Flag:
        """Flag with its frequencies in cycles per mm, too.

        Args:
            spacing: voxel size along each axis in mm.
        """
        size = spacing[0] if len(set(spacing)) == 1 else None
        sizes = [(axis, f, size if axis is None else spacing[axis]) for axis, f in self.frequencies]
        return replace(self, per_mm=tuple((axis, f / mm) for axis, f, mm in sizes if mm is not None))

    def as_dict(self) -> dict[str, Any]:
        """Numbers and text for JSON and YAML, without the name."""
        return {
            "found": self.found,
            "value": self.value,
            "threshold": self.threshold,
            "unit": self.unit,
            "said": self.said,
            "axes": [axis for axis, _ in self.frequencies],
            "cycles_per_voxel": [frequency for _, frequency in self.frequencies],
            "cycles_per_mm": [frequency for _, frequency in self.per_mm],
        }
