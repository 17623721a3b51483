"""Hundreds of tubes as one shape: trees of vessels and cages of ribs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .shapes import Points

__all__ = ["Tubes"]

Array = NDArray[np.floating[Any]]

FAR = np.float32(1e3)  # mm


@dataclass(frozen=True)
class Tubes:
    """Union of straight tubes with round ends; only distances up to ``margin`` are known, farther points are just far.

    Painting them one by one takes ten times as long.

    Args:
        ends: ``(N, 8)``: start, end, and the radius at the start and at the end, in mm.
        margin: Up to which distance in mm points are measured; half a voxel suffices for a canvas.

    >>> vessel = Tubes(np.array([[0, 0, 0, 0, 0, 40, 5, 5.0]]), margin=3)
    >>> grid = np.meshgrid([0.0, 7.0, 9.0], [0.0], [20.0], indexing="ij", sparse=True)
    >>> vessel.distance(grid).ravel().tolist()
    [-5.0, 2.0, 1000.0]
    """

    ends: Array
    margin: float

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        if not len(self.ends):
            return np.zeros(3), np.zeros(3)
        low, high = self._boxes()
        return low.min(0) + self.margin, high.max(0) - self.margin

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of the points of an open grid, three coordinate arrays with one long axis each."""
        axes = [np.asarray(axis, dtype=np.float32).ravel() for axis in points]
        found = np.full([len(axis) for axis in axes], FAR)
        low, high = self._boxes()
        first = np.stack([np.searchsorted(axis, side) for axis, side in zip(axes, low.T, strict=True)], axis=1)
        last = np.stack([np.searchsorted(axis, side) for axis, side in zip(axes, high.T, strict=True)], axis=1)
        for number in np.flatnonzero((first < last).all(1)).tolist():
            box = tuple(slice(a, b) for a, b in zip(first[number], last[number], strict=True))
            view = found[box]
            one = self._distance(number, [axis[part] for axis, part in zip(axes, box, strict=True)])
            np.minimum(view, one, out=view)
        return found

    def _boxes(self) -> tuple[Array, Array]:
        start, end = self.ends[:, :3], self.ends[:, 3:6]
        reach = self.ends[:, 6:].max(1, keepdims=True) + self.margin
        return np.minimum(start, end) - reach, np.maximum(start, end) + reach

    def _distance(self, number: int, axes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        ends = self.ends[number].astype(np.float32)
        start, course = ends[:3], ends[3:6] - ends[:3]
        x, y, z = (axis - place for axis, place in zip(axes, start, strict=True))
        x, y = x[:, None, None], y[:, None]
        along = (course[0] * x + course[1] * y + course[2] * z) / max(course @ course, np.float32(1e-12))
        along = np.minimum(np.maximum(along, 0), 1)
        square = (x - course[0] * along) ** 2 + (y - course[1] * along) ** 2 + (z - course[2] * along) ** 2
        return np.asarray(np.sqrt(square) - (ends[6] + along * (ends[7] - ends[6])))
