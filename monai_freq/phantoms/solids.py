"""Solids in millimetres, each known by its approximate signed distance, and the frames in which organs are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Array",
    "Frame",
    "Solid",
    "chain",
    "crenated",
    "ellipsoid",
    "half_space",
    "polyline",
    "rotation",
    "soft_union",
    "tube",
    "tubes",
]

Array = NDArray[np.floating[Any]]
SINGLE = np.float32  # a micrometre in a metre is enough, and a volume of coordinates is large
FAR = SINGLE(1e3)  # mm


class Solid(NamedTuple):
    """Solid between two corners, with its distance; ``a & b`` is what two have in common, ``a - b`` is a without b.

    Args:
        low: lowest corner (3,) in mm of a box that contains the solid.
        high: highest corner.
        distance: signed distance in mm, negative inside, of three coordinate arrays that broadcast together.

    Example:
        >>> ball, hole = ellipsoid((1, 0, 0), (9, 9, 9)), ellipsoid((1, 0, 0), (6, 6, 6))
        >>> place = [np.float32(x) for x in (5, 0, 0)]
        >>> [round(float(shape.distance(place)), 1) for shape in (ball, ball & hole, ball - hole)]
        [-5.0, -2.0, 2.0]
    """

    low: Array
    high: Array
    distance: Callable[[Sequence[Array]], Array]

    def __and__(self, other: Solid) -> Solid:
        low, high = np.maximum(self.low, other.low), np.minimum(self.high, other.high)
        return Solid(low, high, lambda points: np.maximum(self.distance(points), other.distance(points)))

    def __sub__(self, hole: Solid) -> Solid:
        return self._replace(distance=lambda points: np.maximum(self.distance(points), -hole.distance(points)))


def ellipsoid(centre: ArrayLike, radii: ArrayLike, axes: ArrayLike | None = None, exponent: float = 2.0) -> Solid:
    r"""Superellipsoid :math:`\sum_i |p_i/r_i|^n = 1`; to first order its distance is :math:`(f - 1)/|\nabla f|`.

    Args:
        centre: centre in mm.
        radii: semi-axes in mm.
        axes: rotation matrix whose columns are the directions of the semi-axes (default: none is turned).
        exponent: exponent n: 2 for an ellipsoid, more for a box with round edges.

    Example:
        >>> ellipsoid((0, 0, 0), (10, 20, 30), exponent=4).high.tolist()
        [10.0, 20.0, 30.0]
    """
    turn, size = np.asarray(np.eye(3) if axes is None else axes), np.asarray(radii, dtype=SINGLE)
    reach, directions = np.abs(turn) @ size, turn.T.astype(SINGLE)

    def distance(points: Sequence[Array]) -> Array:
        offset = _from(centre, points)
        level, slope = 0.0, 0.0
        for direction, radius in zip(directions, size, strict=True):
            along = np.abs(_dot(direction, offset)) / radius
            power = along ** (exponent - 1)
            level = level + power * along
            slope = slope + (power / radius) ** 2
        level = np.maximum(level, 1e-9) ** (1 / exponent)
        slope = np.sqrt(slope) * level ** (1 - exponent)
        return np.asarray((level - 1) / np.maximum(slope, 1 / size.max()))

    return Solid(np.asarray(centre) - reach, np.asarray(centre) + reach, distance)


def tube(start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None) -> Solid:
    """Straight tube with round ends whose radius goes linearly from one end to the other.

    Args:
        start: first end in mm.
        end: second end in mm.
        radius: radius in mm at the start.
        end_radius: radius in mm at the end (default: the same).

    Example:
        >>> float(tube((0, 0, 0), (0, 0, 40), radius=5).distance([np.float32(x) for x in (7, 0, 20)]))
        2.0
    """
    ends = np.asarray([start, end], dtype=SINGLE)
    last = radius if end_radius is None else end_radius
    reach = max(radius, last)

    def distance(points: Sequence[Array]) -> Array:
        return _tube_distance(_from(start, points), ends[1] - ends[0], radius, last - radius)

    return Solid(ends.min(0) - reach, ends.max(0) + reach, distance)


def _tube_distance(offset: Sequence[Array], course: Array, radius: float, widening: float) -> Array:
    along = np.clip(_dot(course, offset) / max(float(course @ course), 1e-12), 0, 1)
    square = sum((o - a * along) ** 2 for o, a in zip(offset, course, strict=True))
    return np.asarray(np.sqrt(square) - (radius + along * widening))


def tubes(ends: Array, margin: float) -> Solid:
    """Union of hundreds of straight tubes, in a tenth of the time that they take one by one.

    Only distances up to ``margin`` are known; points farther away are just far. The points must be those of an open
    grid: three coordinate arrays with one long axis each.

    Args:
        ends: start, end, radius at the start and radius at the end in mm, ``(N, 8)``.
        margin: largest distance in mm that is measured; half a voxel suffices for a canvas.

    Example:
        >>> vessel = tubes(np.array([[0, 0, 0, 0, 0, 40, 5, 5.0]]), margin=3)
        >>> grid = np.meshgrid([0.0, 7.0, 9.0], [0.0], [20.0], indexing="ij", sparse=True)
        >>> vessel.distance(grid).ravel().tolist()
        [-5.0, 2.0, 1000.0]
    """
    reach = ends[:, 6:].max(1, keepdims=True) + margin
    low = np.minimum(ends[:, :3], ends[:, 3:6]) - reach
    high = np.maximum(ends[:, :3], ends[:, 3:6]) + reach

    def distance(points: Sequence[Array]) -> Array:
        axes = [np.asarray(axis, dtype=SINGLE).ravel() for axis in points]
        found = np.full([len(axis) for axis in axes], FAR)
        first, last = (np.transpose([*map(np.searchsorted, axes, corner.T)]) for corner in (low, high))
        met = (first < last).all(1)
        for one, *corners in zip(ends[met].astype(SINGLE), first[met], last[met], strict=True):
            box = tuple(map(slice, *corners))
            offset = np.ix_(*(axis[part] - o for axis, part, o in zip(axes, box, one, strict=False)))
            found[box] = np.minimum(found[box], _tube_distance(offset, one[3:6] - one[:3], one[6], one[7] - one[6]))
        return found

    if not len(ends):
        return Solid(np.zeros(3), np.zeros(3), distance)
    return Solid(low.min(0) + margin, high.max(0) - margin, distance)


def soft_union(solids: Sequence[Solid], softness: float) -> Solid:
    r"""Union of solids with filleted joints: :math:`-s \log \sum_i e^{-d_i/s}`.

    Args:
        solids: solids to join.
        softness: length s in mm, about the radius of the fillet.

    Example:
        >>> halves = [ellipsoid((x, 0, 0), (6, 6, 6)) for x in (-5, 5)]
        >>> top = [np.float32(x) for x in (0, 5, 0)]
        >>> bool(soft_union(halves, softness=2).distance(top) < halves[0].distance(top))
        True
    """

    def distance(points: Sequence[Array]) -> Array:
        distances = np.stack([solid.distance(points) for solid in solids])
        nearest = distances.min(0)
        return np.asarray(nearest - softness * np.log(np.exp((nearest - distances) / softness).sum(0)))

    # Where all parts meet, the surface moves out by softness * log(number of parts).
    margin = softness * np.log(len(solids))
    low, high = np.min([solid.low for solid in solids], axis=0), np.max([solid.high for solid in solids], axis=0)
    return Solid(low - margin, high + margin, distance)


def chain(points: ArrayLike, radius: float | Sequence[float] | Array) -> list[Solid]:
    """Tubes that join points.

    Args:
        points: points in mm, ``(N, 3)``.
        radius: radius in mm, or one for each point.

    Example:
        >>> [piece.high.tolist() for piece in chain([[0, 0, 0], [9, 0, 0], [9, 9, 0]], radius=[1, 2, 1])]
        [[11.0, 2.0, 2.0], [11.0, 11.0, 2.0]]
    """
    places = np.asarray(points, dtype=SINGLE)
    radii = radius if isinstance(radius, Sequence | np.ndarray) else [radius] * len(places)
    return [tube(*ends, *at) for ends, at in zip(pairwise(places), pairwise(radii), strict=True)]


def polyline(points: ArrayLike, radius: float) -> Solid:
    """Bent vessel of one radius.

    Args:
        points: points in mm, ``(N, 3)``.
        radius: radius in mm.

    Example:
        >>> bend = polyline([[0, 0, 0], [9, 0, 0], [9, 9, 0]], radius=3)
        >>> bool(bend.distance([np.float32(x) for x in (4, 0, 0)]) < -2)
        True
    """
    return soft_union(chain(points, radius), softness=1.0)


def half_space(point: ArrayLike, normal: ArrayLike) -> Solid:
    """All that lies behind a plane.

    Args:
        point: a point of the plane in mm.
        normal: direction, of any length, that leads out.

    Example:
        >>> bowl = ellipsoid((0, 0, 0), (10, 10, 10)) & half_space((0, 0, 2), (0, 0, 1))
        >>> round(float(bowl.distance([np.float32(x) for x in (0, 0, 5)])), 4)
        3.0
    """
    direction = np.asarray(normal, dtype=SINGLE)
    direction = direction / np.linalg.norm(direction)
    return Solid(np.full(3, -np.inf), np.full(3, np.inf), lambda points: _dot(direction, _from(point, points)))


def crenated(
    solid: Solid,
    amplitude: float,
    wavelength: ArrayLike,
    phase: ArrayLike = (0, 0, 0),
    offset: float = 0.0,
    thickness: float | None = None,
) -> Solid:
    r"""Solid whose surface is folded by a gyroid: :math:`d + a\, g(2 \pi p / \lambda)`.

    :math:`g(u) = \sin u_x \cos u_y + \sin u_y \cos u_z + \sin u_z \cos u_x` has no preferred direction and meanders as
    gyri do. With a thickness, the result is a folded sheet along that surface.

    Args:
        solid: the smooth solid.
        amplitude: amplitude a in mm.
        wavelength: wavelength :math:`\lambda` in mm, one or one for each axis.
        phase: three phases in radians.
        offset: addition to the distance in mm; a positive one shrinks.
        thickness: thickness of the sheet in mm; None for a solid.

    Example:
        >>> walnut = crenated(ellipsoid((0, 0, 0), (20, 20, 20)), amplitude=2, wavelength=9)
        >>> turn = np.linspace(0, 6, 90)
        >>> surface = walnut.distance([20 * np.cos(turn), 20 * np.sin(turn), np.zeros(90)])
        >>> bool(surface.min() < -0.5 and surface.max() > 0.5)
        True
    """
    waves, phases = (np.broadcast_to(np.asarray(x, dtype=SINGLE), 3) for x in (wavelength, phase))
    waves = 2 * np.pi / waves
    # The gyroid's mean square slope along an axis is half its wave number squared.
    steepness = SINGLE(np.sqrt(1 + amplitude**2 / 2 * np.sum(waves**2)))

    def distance(points: Sequence[Array]) -> Array:
        angles = [wave * p + turn for wave, p, turn in zip(waves, points, phases, strict=True)]
        (sx, sy, sz), (cx, cy, cz) = [np.sin(a) for a in angles], [np.cos(a) for a in angles]
        folded = solid.distance(points) + offset + amplitude * (sx * cy + sy * cz + sz * cx)
        folded = folded / steepness
        return np.asarray(folded if thickness is None else np.abs(folded) - thickness / 2)

    margin = max(0.0, 1.5 * amplitude - offset + float(steepness) * (thickness or 0) / 2)
    return Solid(solid.low - margin, solid.high + margin, distance)


def rotation(angles: ArrayLike) -> Array:
    """Rotation matrix about x, then y, then z.

    Args:
        angles: three angles in degrees.

    Example:
        >>> np.round(rotation((0, 0, 90)) @ [1, 0, 0], 6).tolist()
        [0.0, 1.0, 0.0]
    """
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_euler("xyz", np.asarray(angles, dtype=float), degrees=True).as_matrix())


class Frame(NamedTuple):
    """Where an organ lies, how it is turned and how large it is, so that its parts can be given in an average organ.

    Args:
        origin: place in mm of the average organ's origin.
        turn: rotation matrix.
        scale: size relative to the average.

    Example:
        >>> frame = Frame(np.array([1.0, 0, 0]), np.eye(3), 2.0)
        >>> frame.place((1, 0, 0)).tolist(), frame.ellipsoid((1, 0, 0), (2, 2, 2)).high.tolist()
        ([3.0, 0.0, 0.0], [7.0, 4.0, 4.0])
    """

    origin: Array
    turn: Array
    scale: float

    def place(self, points: ArrayLike) -> Array:
        """Points (..., 3) of the average organ, brought to their place."""
        return np.asarray(self.origin + self.scale * np.asarray(points, dtype=float) @ self.turn.T)

    def ellipsoid(
        self, centre: ArrayLike, radii: ArrayLike, axes: ArrayLike | None = None, exponent: float = 2.0
    ) -> Solid:
        """Ellipsoid that is given in the average organ."""
        turn = self.turn if axes is None else self.turn @ np.asarray(axes)
        return ellipsoid(self.place(centre), self.scale * np.asarray(radii, dtype=float), turn, exponent)

    def vessel(self, points: ArrayLike, radius: float) -> Solid:
        """Bent tube that is given in the average organ."""
        return polyline(self.place(points), self.scale * radius)


def _from(origin: ArrayLike, points: Sequence[Array]) -> list[Array]:
    return [p - o for p, o in zip(points, np.asarray(origin, dtype=SINGLE), strict=True)]


def _dot(direction: Array, offset: Sequence[Array]) -> Array:
    # Leaving out the zeros keeps the axes of an open grid apart, and the powers of an upright solid one-dimensional.
    return np.asarray(sum((d * o for d, o in zip(direction, offset, strict=True) if d), start=SINGLE(0)))
