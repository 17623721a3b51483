"""A voxel grid on which shapes are painted one over another, with partial volume at their edges."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .shapes import Shape

__all__ = ["Canvas", "block_mean", "centred_affine", "fine_canvas"]

FINEST_OVERSAMPLED = 2.5  # mm: on finer grids soft edges alone are partial volume enough, and memory counts


class Canvas:
    r"""Intensity and label fractions on one grid; painting is alpha compositing.

    A shape covers a voxel by :math:`a = \mathrm{clip}(1/2 - d/h, 0, 1)`, d its signed distance and h the mean voxel
    edge, and each layer becomes :math:`(1 - a)\,\text{old} + a\,\text{new}`, so a label is what remains visible of it.

    Args:
        size: Voxels along x, y and z.
        spacing: Voxel edges in mm.
        origin: Centre of the first voxel in mm.
        labels: Number of labels besides the background.

    Shape:
        ``layers``: ``(1 + labels, *size)``, the intensity first.

    >>> from monai_freq.phantoms.shapes import Ellipsoid
    >>> canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5), labels=1)
    >>> canvas.paint(Ellipsoid((0, 0, 0), (5, 5, 5)), 0.8, label=1)
    >>> round(float(canvas.layers[1].sum() / (4 / 3 * np.pi * 5**3)), 1)
    1.0
    """

    def __init__(self, size: Sequence[int], spacing: Sequence[float], origin: Sequence[float], labels: int = 1) -> None:
        self.spacing = np.asarray(spacing, dtype=float)
        self.edge = float(self.spacing.mean())
        self.origin = np.asarray(origin, dtype=float)
        self.layers = np.zeros((1 + labels, *size), dtype=np.float32)

    def paint(self, shape: Shape, intensity: float, label: int = 0, opacity: float = 1.0) -> None:
        """Paint a shape over what is there.

        Args:
            shape: What to paint, in mm.
            intensity: Its intensity.
            label: Its label, 0 for none.
            opacity: Largest coverage, in (0, 1]; below 1 the shape tints what is there.
        """
        box = self._box(shape)
        if any(part.start >= part.stop for part in box):
            return
        distance = shape.distance(self._points(box))
        alpha = opacity * np.clip(0.5 - distance / self.edge, 0, 1)
        for layer, value in enumerate([intensity, *(float(label == k) for k in range(1, len(self.layers)))]):
            view = self.layers[layer][box]
            view += alpha * (value - view)

    def _box(self, shape: Shape) -> tuple[slice, ...]:
        # Painting only inside the shape's box is what makes a phantom of a hundred shapes quick.
        low, high = shape.bounds()
        first = np.floor((low - self.origin) / self.spacing - 1).astype(int)
        last = np.ceil((high - self.origin) / self.spacing + 1).astype(int)
        limits = np.asarray(self.layers.shape[1:])
        return tuple(slice(a, b) for a, b in zip(np.clip(first, 0, limits), np.clip(last + 1, 0, limits), strict=True))

    def _points(self, box: tuple[slice, ...]) -> tuple[NDArray[np.float32], ...]:
        axes = [
            (start + step * np.arange(part.start, part.stop)).astype(np.float32)
            for start, step, part in zip(self.origin, self.spacing, box, strict=True)
        ]
        return np.meshgrid(*axes, indexing="ij", sparse=True)


def block_mean(layers: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average blocks of ``factor`` voxels along each spatial axis: partial volume.

    Args:
        layers: ``(C, X, Y, Z)``, each spatial size a multiple of ``factor``.
        factor: Edge of a block in voxels.

    Shape:
        Output ``(C, X/factor, Y/factor, Z/factor)``.

    >>> block_mean(np.ones((1, 4, 4, 2), dtype=np.float32), 2).shape
    (1, 2, 2, 1)
    """
    c, x, y, z = layers.shape
    blocks = layers.reshape(c, x // factor, factor, y // factor, factor, z // factor, factor)
    return np.asarray(blocks.mean((2, 4, 6)))


def centred_affine(
    size: Sequence[int], field_of_view: Sequence[float], shift: ArrayLike = (0, 0, 0)
) -> NDArray[np.float64]:
    """Voxel-to-mm matrix (4, 4), RAS, of a grid that fills a field of view.

    Args:
        size: Voxels along x, y and z.
        field_of_view: Its edges in mm.
        shift: Its centre in mm.

    >>> centred_affine((32, 32, 16), (64, 64, 64))[:3, 3].tolist()
    [-31.0, -31.0, -30.0]
    """
    spacing = np.asarray(field_of_view, dtype=float) / size
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.asarray(shift) - spacing * (np.asarray(size) - 1) / 2
    return affine


def fine_canvas(size: Sequence[int], affine: NDArray[np.float64], labels: int = 1) -> tuple[Canvas, int]:
    """Canvas on an image's grid, or on one twice as fine where voxels are large against the shapes' details.

    Args:
        size: The image's voxels along x, y and z.
        affine: The image's affine, a diagonal in mm.
        labels: Number of labels besides the background.

    Returns:
        The canvas, and the factor by which :func:`block_mean` brings it to the image's grid.

    >>> canvas, factor = fine_canvas((16, 16, 16), np.diag([5.0, 5.0, 5.0, 1.0]))
    >>> factor, canvas.layers.shape, canvas.origin.tolist()
    (2, (2, 32, 32, 32), [-1.25, -1.25, -1.25])
    """
    spacing = affine.diagonal()[:3]
    factor = 2 if spacing.max() > FINEST_OVERSAMPLED else 1
    fine = spacing / factor
    origin = affine[:3, 3] - (spacing - fine) / 2
    return Canvas([factor * n for n in size], fine.tolist(), origin.tolist(), labels), factor
