"""Solid shapes in millimetres, each known by its approximate signed distance (negative inside)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Cut", "Ellipsoid", "Inside", "Shape", "SoftUnion", "Tube", "polyline", "rotation"]

Array = NDArray[np.floating[Any]]
Points = Array | Sequence[Array]
DTYPE = np.float32  # a micrometre in a metre is enough, and a volume of coordinates is large


class Shape(Protocol):
    """What a canvas can paint.

    >>> ball: Shape = Ellipsoid((1, 0, 0), (10, 10, 10))
    >>> [corner.tolist() for corner in ball.bounds()]
    [[-9.0, -10.0, -10.0], [11.0, 10.0, 10.0]]
    """

    def bounds(self) -> tuple[Array, Array]:
        """Corners (3,) and (3,) in mm of a box that contains the shape."""
        ...

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    r"""Superellipsoid :math:`\sum_i |p_i/r_i|^n = 1`; to first order its distance is :math:`(f - 1)/|\nabla f|`.

    Args:
        centre: Centre in mm.
        radii: Semi-axes in mm.
        axes: Rotation matrix whose columns are the semi-axes' directions.
        exponent: n: 2 is an ellipsoid, larger is boxier.

    >>> ball = Ellipsoid((0, 0, 0), (10, 10, 10))
    >>> round(float(ball.distance(np.array([13.0, 0.0, 0.0]))), 4)
    3.0
    """

    centre: ArrayLike
    radii: ArrayLike
    axes: ArrayLike = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    exponent: float = 2.0

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        reach = np.abs(np.asarray(self.axes)) @ np.asarray(self.radii, dtype=DTYPE)
        return np.asarray(self.centre) - reach, np.asarray(self.centre) + reach

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        offset = [p - c for p, c in zip(points, np.asarray(self.centre, dtype=DTYPE), strict=True)]
        radii = np.asarray(self.radii, dtype=DTYPE)
        level, slope = 0.0, 0.0
        for direction, radius in zip(np.asarray(self.axes, dtype=DTYPE).T, radii, strict=True):
            along = np.abs(_dot(direction, offset)) / radius
            power = along ** (self.exponent - 1)
            level = level + power * along
            slope = slope + (power / radius) ** 2
        level = np.maximum(level, 1e-9) ** (1 / self.exponent)
        slope = np.sqrt(slope) * level ** (1 - self.exponent)
        return np.asarray((level - 1) / np.maximum(slope, 1 / radii.max()))


@dataclass(frozen=True)
class Tube:
    """Straight tube with round ends whose radius goes linearly from one end to the other.

    Args:
        start: First end in mm.
        end: Second end in mm.
        radius: Radius in mm at the start.
        end_radius: Radius in mm at the end (default: the same).

    >>> vessel = Tube((0, 0, 0), (0, 0, 40), radius=5)
    >>> float(vessel.distance(np.array([7.0, 0.0, 20.0])))
    2.0
    """

    start: ArrayLike
    end: ArrayLike
    radius: float
    end_radius: float | None = None

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        ends = np.asarray([self.start, self.end], dtype=DTYPE)
        reach = max(self.radius, self.radius if self.end_radius is None else self.end_radius)
        return ends.min(0) - reach, ends.max(0) + reach

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        start, end = np.asarray(self.start, dtype=DTYPE), np.asarray(self.end, dtype=DTYPE)
        axis, end_radius = end - start, self.radius if self.end_radius is None else self.end_radius
        offset = [p - c for p, c in zip(points, start, strict=True)]
        along = np.clip(_dot(axis, offset) / max(float(axis @ axis), 1e-12), 0, 1)
        square = sum((o - a * along) ** 2 for o, a in zip(offset, axis, strict=True))
        return np.asarray(np.sqrt(square) - (self.radius + along * (end_radius - self.radius)))


@dataclass(frozen=True)
class SoftUnion:
    r"""Union of shapes with filleted joints: :math:`-s \log \sum_i e^{-d_i/s}`.

    Args:
        shapes: The parts.
        softness: s in mm, about the fillet's radius.

    >>> halves = SoftUnion([Ellipsoid((-5, 0, 0), (6, 6, 6)), Ellipsoid((5, 0, 0), (6, 6, 6))], softness=2)
    >>> bool(halves.distance(np.array([0.0, 5.0, 0.0])) < Ellipsoid((5, 0, 0), (6, 6, 6)).distance(np.array([0, 5, 0])))
    True
    """

    shapes: Sequence[Shape]
    softness: float

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        boxes = [shape.bounds() for shape in self.shapes]
        # Where all parts meet, the surface moves out by softness * log(number of parts).
        margin = self.softness * np.log(len(self.shapes))
        return np.min([low for low, _ in boxes], axis=0) - margin, np.max([high for _, high in boxes], axis=0) + margin

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        distances = np.stack([shape.distance(points) for shape in self.shapes])
        nearest = distances.min(0)
        return np.asarray(nearest - self.softness * np.log(np.exp((nearest - distances) / self.softness).sum(0)))


@dataclass(frozen=True)
class Cut:
    """The part of a shape that lies behind a plane.

    Args:
        shape: What is cut.
        point: A point of the plane in mm.
        normal: The direction, of any length, in which nothing is kept.

    >>> bowl = Cut(Ellipsoid((0, 0, 0), (10, 10, 10)), point=(0, 0, 2), normal=(0, 0, 1))
    >>> round(float(bowl.distance(np.array([0.0, 0.0, 5.0]))), 4)
    3.0
    """

    shape: Shape
    point: ArrayLike
    normal: ArrayLike

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        return self.shape.bounds()

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        normal = np.asarray(self.normal, dtype=DTYPE)
        offset = [p - c for p, c in zip(points, np.asarray(self.point, dtype=DTYPE), strict=True)]
        return np.maximum(self.shape.distance(points), _dot(normal / np.linalg.norm(normal), offset))


@dataclass(frozen=True)
class Inside:
    """The part of a shape within another one.

    Args:
        shape: What is bounded.
        other: What bounds it.

    >>> lens = Inside(Ellipsoid((-3, 0, 0), (5, 5, 5)), Ellipsoid((3, 0, 0), (5, 5, 5)))
    >>> round(float(lens.distance(np.array([5.0, 0.0, 0.0]))), 4)
    3.0
    """

    shape: Shape
    other: Shape

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        (low, high), (other_low, other_high) = self.shape.bounds(), self.other.bounds()
        return np.maximum(low, other_low), np.minimum(high, other_high)

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        return np.maximum(self.shape.distance(points), self.other.distance(points))


def polyline(points: ArrayLike, radius: float) -> SoftUnion:
    """Join points by tubes of one radius, in mm: a bent vessel.

    Args:
        points: ``(N, 3)`` in mm.
        radius: Radius in mm.

    >>> bend = polyline([[0, 0, 0], [9, 0, 0], [9, 9, 0]], radius=3)
    >>> bool(bend.distance(np.array([4.0, 0.0, 0.0])) < -2)
    True
    """
    ends = np.asarray(points, dtype=DTYPE)
    return SoftUnion([Tube(start, end, radius) for start, end in pairwise(ends)], softness=1.0)


def rotation(angles: ArrayLike) -> Array:
    """Rotation matrix about x, then y, then z.

    Args:
        angles: Three angles in degrees.

    >>> np.round(rotation((0, 0, 90)) @ [1, 0, 0], 6).tolist()
    [0.0, 1.0, 0.0]
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _dot(direction: Array, offset: Sequence[Array]) -> Array:
    # Leaving out the zeros keeps the axes of an open grid apart, and the powers of an upright shape one-dimensional.
    return np.asarray(sum((d * o for d, o in zip(direction, offset, strict=True) if d), start=np.float32(0)))
