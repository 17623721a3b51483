"""A voxel grid on which solids are painted one over another, with partial volume at their edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .solids import Solid

__all__ = ["Canvas", "Organs", "draw_look", "scan_canvas"]

Organs = Iterator[tuple[Any, ...]]  # rows of a table: solid, intensity, and, where needed, label and opacity

FINEST_OVERSAMPLED = 2.5  # mm: on finer grids soft edges alone are partial volume enough, and memory counts


class Canvas:
    r"""Intensity and label fractions on one grid; painting is alpha compositing.

    A solid covers a voxel by :math:`a = \mathrm{clip}(1/2 - d/h, 0, 1)`, d its signed distance and h the mean voxel
    edge, and each layer becomes :math:`(1 - a)\,\text{old} + a\,\text{new}`, so a label is what remains visible of it.
    ``layers`` has the shape ``(1 + labels, *size)``, the intensity first.

    Args:
        size: voxels along x, y and z.
        spacing: voxel edges in mm.
        origin: centre of the first voxel in mm.
        labels: number of labels besides the background.
        factor: number of voxels, along each axis, in a voxel of the image.

    Example:
        >>> from monai_freq.phantoms.solids import ellipsoid
        >>> canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5), labels=1)
        >>> canvas.paint(ellipsoid((0, 0, 0), (5, 5, 5)), 0.8, label=1)
        >>> round(float(canvas.layers[1].sum() / (4 / 3 * np.pi * 5**3)), 1)
        1.0
    """

    def __init__(
        self, size: Sequence[int], spacing: Sequence[float], origin: Sequence[float], labels: int = 1, factor: int = 1
    ) -> None:
        self.spacing = np.asarray(spacing, dtype=float)
        self.edge = float(self.spacing.mean())
        self.origin = np.asarray(origin, dtype=float)
        self.layers = np.zeros((1 + labels, *size), dtype=np.float32)
        self.factor = factor

    def paint(self, solid: Solid, intensity: float, label: int = 0, opacity: float = 1.0) -> None:
        """Paint a solid over what is there.

        Args:
            solid: solid to paint, in mm.
            intensity: intensity of the solid.
            label: label of the solid, 0 for none.
            opacity: largest coverage, in (0, 1]; below 1 the solid tints what is there.
        """
        box = self._box(solid)
        if any(part.start >= part.stop for part in box):
            return
        alpha = opacity * np.clip(0.5 - solid.distance(self._points(box)) / self.edge, 0, 1)
        for layer, value in enumerate([intensity, *(float(label == k) for k in range(1, len(self.layers)))]):
            view = self.layers[layer][box]
            view += alpha * (value - view)

    def paint_all(self, organs: Iterable[tuple[Any, ...]]) -> None:
        """Paint the rows of a table, in their order.

        Args:
            organs: arguments of :meth:`paint` for each organ.
        """
        for organ in organs:
            self.paint(*organ)

    def averaged(self, layers: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Layers ``(C, X, Y, Z)``, by default the canvas's own, averaged over the voxels of the image."""
        c, *size = (layers := self.layers if layers is None else layers).shape
        x, y, z = (n // self.factor for n in size)
        blocks = layers.reshape(c, x, self.factor, y, self.factor, z, self.factor)
        return np.asarray(blocks.mean((2, 4, 6)))

    def _box(self, solid: Solid) -> tuple[slice, ...]:
        # Painting only inside the solid's box is what makes a phantom of a hundred solids quick.
        limits = np.asarray(self.layers.shape[1:])
        first = np.clip(np.floor((solid.low - self.origin) / self.spacing - 1), 0, limits).astype(int)
        last = np.clip(np.ceil((solid.high - self.origin) / self.spacing + 2), 0, limits).astype(int)
        return tuple(map(slice, first, last))

    def _points(self, box: tuple[slice, ...]) -> tuple[NDArray[np.float32], ...]:
        axes = [
            (start + step * np.arange(part.start, part.stop)).astype(np.float32)
            for start, step, part in zip(self.origin, self.spacing, box, strict=True)
        ]
        return np.meshgrid(*axes, indexing="ij", sparse=True)


def scan_canvas(
    size: Sequence[int], field_of_view: Sequence[float], shift: ArrayLike = (0, 0, 0), labels: int = 1
) -> tuple[Canvas, NDArray[np.float64]]:
    """Canvas for an image that fills a field of view, twice as fine where voxels are large against the solids' details.

    Args:
        size: voxels of the image along x, y and z.
        field_of_view: edges of the image in mm.
        shift: centre of the image in mm.
        labels: number of labels besides the background.

    Returns:
        The canvas, whose :meth:`Canvas.averaged` are the image's voxels, and the image's affine (4, 4) in mm, RAS.

    Example:
        >>> canvas, affine = scan_canvas((16, 16, 16), (80, 80, 80))
        >>> canvas.layers.shape, canvas.averaged().shape, affine[:3, 3].tolist()
        ((2, 32, 32, 32), (2, 16, 16, 16), [-37.5, -37.5, -37.5])
    """
    spacing = np.asarray(field_of_view, dtype=float) / size
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.asarray(shift) - spacing * (np.asarray(size) - 1) / 2
    factor = 2 if spacing.max() > FINEST_OVERSAMPLED else 1
    fine = spacing / factor
    origin = affine[:3, 3] - (spacing - fine) / 2
    return Canvas([factor * n for n in size], fine.tolist(), origin.tolist(), labels, factor), affine


def draw_look(rng: np.random.Generator, ranges: Mapping[str, tuple[float, float]]) -> SimpleNamespace:
    """What differs from patient to patient: each value uniform in its range.

    Args:
        rng: source of the values, drawn in the order of the table.
        ranges: lowest and highest value of each, by name.

    Example:
        >>> 50 <= draw_look(np.random.default_rng(0), {"muscle": (50, 66)}).muscle < 66
        True
    """
    return SimpleNamespace(**{name: rng.uniform(*ends) for name, ends in ranges.items()})
