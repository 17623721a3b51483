"""A voxel grid on which solids are painted one over another, with partial volume at their edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .solids import Solid

__all__ = ["Canvas", "Organs", "block_mean", "centred_affine", "draw_look", "fine_canvas"]

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

    Example:
        >>> from monai_freq.phantoms.solids import ellipsoid
        >>> canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5), labels=1)
        >>> canvas.paint(ellipsoid((0, 0, 0), (5, 5, 5)), 0.8, label=1)
        >>> round(float(canvas.layers[1].sum() / (4 / 3 * np.pi * 5**3)), 1)
        1.0
    """

    def __init__(self, size: Sequence[int], spacing: Sequence[float], origin: Sequence[float], labels: int = 1) -> None:
        self.spacing = np.asarray(spacing, dtype=float)
        self.edge = float(self.spacing.mean())
        self.origin = np.asarray(origin, dtype=float)
        self.layers = np.zeros((1 + labels, *size), dtype=np.float32)

    def paint(self, solid: Solid, intensity: float, label: int = 0, opacity: float = 1.0) -> None:
        """Paint a solid over what is there.

        Args:
            solid: what to paint, in mm.
            intensity: its intensity.
            label: its label, 0 for none.
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


def centred_affine(
    size: Sequence[int], field_of_view: Sequence[float], shift: ArrayLike = (0, 0, 0)
) -> NDArray[np.float64]:
    """Voxel-to-mm matrix (4, 4), RAS, of a grid that fills a field of view.

    Args:
        size: voxels along x, y and z.
        field_of_view: its edges in mm.
        shift: its centre in mm.

    Example:
        >>> centred_affine((32, 32, 16), (64, 64, 64))[:3, 3].tolist()
        [-31.0, -31.0, -30.0]
    """
    spacing = np.asarray(field_of_view, dtype=float) / size
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.asarray(shift) - spacing * (np.asarray(size) - 1) / 2
    return affine


def fine_canvas(size: Sequence[int], affine: NDArray[np.float64], labels: int = 1) -> tuple[Canvas, int]:
    """Canvas on an image's grid, or on one twice as fine where voxels are large against the solids' details.

    Args:
        size: voxels of the image along x, y and z.
        affine: affine of the image, a diagonal in mm.
        labels: number of labels besides the background.

    Returns:
        The canvas, and the factor by which :func:`block_mean` brings it to the image's grid.

    Example:
        >>> canvas, factor = fine_canvas((16, 16, 16), np.diag([5.0, 5.0, 5.0, 1.0]))
        >>> factor, canvas.layers.shape, canvas.origin.tolist()
        (2, (2, 32, 32, 32), [-1.25, -1.25, -1.25])
    """
    spacing = affine.diagonal()[:3]
    factor = 2 if spacing.max() > FINEST_OVERSAMPLED else 1
    fine = spacing / factor
    origin = affine[:3, 3] - (spacing - fine) / 2
    return Canvas([factor * n for n in size], fine.tolist(), origin.tolist(), labels), factor


def block_mean(layers: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean over blocks of ``factor`` voxels along each spatial axis: partial volume.

    Args:
        layers: ``(C, X, Y, Z)``, each spatial size a multiple of ``factor``; the output is as much smaller.
        factor: edge of a block in voxels.

    Example:
        >>> block_mean(np.ones((1, 4, 4, 2), dtype=np.float32), 2).shape
        (1, 2, 2, 1)
    """
    c, x, y, z = layers.shape
    blocks = layers.reshape(c, x // factor, factor, y // factor, factor, z // factor, factor)
    return np.asarray(blocks.mean((2, 4, 6)))


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
