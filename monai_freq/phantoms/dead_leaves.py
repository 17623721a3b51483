"""Dead leaves: opaque objects of all sizes that hide one another, with the spectrum of natural images."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .outlines import outline_level
from .solids import Array
from .textures import fine_texture, standardised

__all__ = ["draw_dead_leaves"]

Image = NDArray[np.float32]
Ids = NDArray[np.int32]

FINE = 2  # subpixels along each edge of a pixel, so that edges do not alias
REACH = 1.37  # from the centre of the longest leaf to its farthest point, in mean radii
SMALLEST = 1.6  # pixels
LARGEST = 0.32  # of the picture's edge
COVER = 3.5  # leaves over a place on average: exp(-3.5) of the picture shows what lies below all
TEXTURES_PER_IMAGE = 3
TEXTURE_STRENGTH = 0.33  # of the standard deviation of the leaves' brightness
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow turns colours into greys


def draw_dead_leaves(rng: np.random.Generator, texture: str, outline: str, size: int) -> Image:
    r"""Draw leaves that all bear one kind of texture, a few of them, in front, of one outline.

    The leaves' radii are distributed as :math:`r^{-3}`, which makes the picture look alike at every scale, with a power
    spectrum near :math:`1/f^2`.

    Args:
        rng: source of everything drawn.
        texture: kind of the texture, which each leaf bears in one of three directions.
        outline: kind of the leaves in front.
        size: pixels along each edge.

    Shape:
        Output ``(size, size, 3)``, red, green and blue, most in [0, 1]; brightness is that of ITU-R BT.601.

    Reference:
        Lee, Mumford and Huang, Occlusion models for natural images: a statistical study of a scale-invariant dead
        leaves model, International Journal of Computer Vision 41, 35-59 (2001), doi:10.1023/A:1011109015675.

    Example:
        >>> draw_dead_leaves(np.random.default_rng(0), "stripes", "ring", 32).shape
        (32, 32, 3)
    """
    leaves = _scatter_leaves(rng, FINE * size, FINE * SMALLEST, FINE * LARGEST * size)
    front = _lay_outlines(rng, leaves, outline)
    number = int(leaves.max()) + 1
    light, chroma = _pooled(_shaded(rng, leaves, number, front)), _pooled(_chroma(rng, number)[leaves])
    bank = np.stack([fine_texture(rng, texture, size) for _ in range(TEXTURES_PER_IMAGE)])
    seen = leaves[::FINE, ::FINE]
    strength = TEXTURE_STRENGTH * rng.uniform(0.7, 1.3, number)
    light = light / light.std() + strength[seen] * np.take_along_axis(bank, seen[None] % TEXTURES_PER_IMAGE, 0)[0]
    light = standardised(rng, light, np.ones_like(light), mean=(0.4, 0.58), deviation=(0.13, 0.2))
    return np.asarray(light[..., None] + chroma, dtype=np.float32)


def _scatter_leaves(rng: np.random.Generator, size: int, smallest: float, largest: float) -> Ids:
    """Cover a square with ellipses and rectangles: the number of the leaf that is seen at each place, 0 for none."""
    margin = int(np.ceil(2 * REACH * largest)) + 2
    width = size + 2 * margin
    leaves = _Leaves.fall(rng, size, smallest, largest)
    reach = REACH * leaves.radius[:, None]
    seen = np.flatnonzero(np.all((leaves.centre > -reach) & (leaves.centre < size + reach), axis=1))
    leaves = leaves.some(seen[np.argsort(leaves.radius[seen])])
    ids = np.zeros(width**2, dtype=np.int32)
    for some in _bins(leaves.radius):
        _stamp(ids, width, margin, leaves.some(some), square=rng.random() < 0.4)
    return ids.reshape(width, width)[margin:-margin, margin:-margin].copy()


class _Leaves(NamedTuple):
    """Leaves by number, centre, mean radius, root of the ratio of their axes, and direction."""

    number: NDArray[Any]
    centre: NDArray[Any]
    radius: NDArray[Any]
    aspect: NDArray[Any]
    angle: NDArray[Any]

    @classmethod
    def fall(cls, rng: np.random.Generator, size: int, smallest: float, largest: float) -> _Leaves:
        mean_area = 2 * np.pi * np.log(largest / smallest) / (smallest**-2 - largest**-2)
        count = round(COVER * (size + 2 * largest) ** 2 / mean_area)
        radius = (smallest**-2 - rng.random(count) * (smallest**-2 - largest**-2)) ** -0.5
        centre = rng.uniform(-largest, size + largest, (count, 2))
        aspect, angle = rng.uniform(0.55, 1, count) ** 0.5, rng.uniform(0, np.pi, count)
        return cls(np.arange(1, count + 1, dtype=np.int32), centre, radius, aspect, angle)

    def some(self, which: NDArray[np.intp] | slice) -> _Leaves:
        return _Leaves(*(part[which] for part in self))


def _bins(radii: Array) -> list[slice]:
    # Leaves of about one size are drawn at once in boxes of one size; single ones would take ten times as long.
    edges = np.searchsorted(radii, radii.min(initial=np.inf) * 1.25 ** np.arange(60)).tolist()
    return [slice(a, b) for a, b in pairwise([*edges, len(radii)]) if a < b]


def _stamp(ids: Ids, width: int, margin: int, leaves: _Leaves, square: bool) -> None:
    half = int(np.ceil(REACH * leaves.radius.max()))
    offset = np.arange(-half, half + 1)
    corner = np.floor(leaves.centre).astype(np.int64)
    y, x = ((corner - leaves.centre)[:, axis, None] + offset for axis in (0, 1))
    cos, sin = np.cos(leaves.angle)[:, None], np.sin(leaves.angle)[:, None]
    long, short = (leaves.radius / leaves.aspect)[:, None], (leaves.radius * leaves.aspect)[:, None]
    u = (cos / long * y).astype(np.float32)[:, :, None] + (sin / long * x).astype(np.float32)[:, None, :]
    v = (-sin / short * y).astype(np.float32)[:, :, None] + (cos / short * x).astype(np.float32)[:, None, :]
    inside = np.maximum(np.abs(u), np.abs(v)) < 0.886 if square else u * u + v * v < 1
    rows, columns = ((corner[:, axis, None] + margin + offset).astype(np.int32) for axis in (0, 1))
    place = (rows * np.int32(width))[:, :, None] + columns[:, None, :]
    pixels = np.count_nonzero(inside.reshape(len(inside), -1), axis=1)
    np.maximum.at(ids, place[inside], np.repeat(leaves.number, pixels))


def _lay_outlines(rng: np.random.Generator, leaves: Ids, outline: str) -> int:
    """Lay leaves of one outline over the others, and tell how many."""
    size, top, front = len(leaves), int(leaves.max()), int(rng.integers(3, 6))
    for number in range(1, front + 1):
        radius, angle, stretch = size * rng.uniform(0.12, 0.2), rng.uniform(0, 2 * np.pi), rng.uniform(0.88, 1.14)
        centre, cos, sin = size * rng.uniform(0.1, 0.9, 2), math.cos(angle), math.sin(angle)
        first, last = (np.clip(centre + sign * 2 * radius, 0, size).astype(int) for sign in (-1, 1))
        y, x = (np.arange(a, b, dtype=np.float32) - np.float32(c) for a, b, c in zip(first, last, centre, strict=True))
        u = (cos * y[:, None] + sin * x) / (radius * stretch)
        v = (cos * x - sin * y[:, None]) * (stretch / radius)
        leaves[first[0] : last[0], first[1] : last[1]][outline_level(outline, u, v) < 0] = top + number
    return front


def _pooled(picture: Image) -> Image:
    return np.asarray(sum(picture[i::FINE, j::FINE] for i, j in np.ndindex(FINE, FINE)) / FINE**2)


def _shaded(rng: np.random.Generator, leaves: Ids, number: int, front: int) -> Image:
    """Brightness: one for each leaf, rising gently towards the light; those in front stand out."""
    light, slope = rng.standard_normal(number, dtype=np.float32), rng.normal(0, 1, (2, number)) / len(leaves)
    light[number - front :] = rng.choice([-1, 1], front) * rng.uniform(1.2, 2.2, front)
    axis = np.arange(len(leaves), dtype=np.float32)
    y, x = (s.astype(np.float32)[leaves] * a for s, a in zip(slope, (axis[:, None], axis), strict=True))
    return np.asarray(light[leaves] + y + x)


def _chroma(rng: np.random.Generator, number: int) -> Image:
    """Differences of red, green and blue from the brightness, which they leave alone."""
    scene, spread = rng.normal(0, 0.03, (2, 1)), rng.uniform(0.01, 0.035)
    warm, green = scene + spread * rng.standard_normal((2, number))
    none = np.zeros(number)
    red, blue = -LUMA[1] / LUMA[0] * green, -LUMA[0] / LUMA[2] * warm
    return np.asarray(np.stack([warm, none, blue], 1) + np.stack([red, green, none], 1), dtype=np.float32)
