"""Lung nodules of equal area whose margins differ: smooth when benign, spiculated when malignant."""

from __future__ import annotations

import numpy as np

from .solids import Array, Solid, ellipsoid, soft_union, tube

__all__ = ["draw_nodule"]

MEASURED = 10.0  # mm, the radius at which the area of a nodule is measured
STEP = 0.9  # mm


def draw_nodule(rng: np.random.Generator, malignancy: int, centre: Array, radius: float) -> Solid:
    r"""Draw a nodule across which a slice cuts an area of :math:`\pi r^2`, whatever its margin.

    Args:
        rng: source of the margin.
        malignancy: kind of the margin: 1 round, 2 gently lobulated, 4 spiculated, 5 with more and longer spicules.
        centre: centre in mm.
        radius: r in mm.

    Example:
        >>> nodule = draw_nodule(np.random.default_rng(0), 5, np.zeros(3), 8.0)
        >>> axis = np.arange(-24, 24, 0.25)
        >>> inside = nodule.distance([axis[:, None], axis[None, :], np.zeros((1, 1))]) < 0
        >>> round(float(inside.sum() * 0.25**2 / (np.pi * 8**2)), 1)
        1.0
    """
    turns = rng.uniform(0, 2 * np.pi)
    draw = rng.random(64)  # as many for every margin, so that all that is drawn later is the same
    margin = _spiculated if malignancy > 3 else _lobulated
    solid = margin(draw, malignancy, turns, np.zeros(3), MEASURED)
    axis = np.arange(-2.6 * MEASURED, 2.6 * MEASURED, STEP, dtype=np.float32)
    inside = solid.distance([axis[:, None], axis[None, :], np.zeros((1, 1), dtype=np.float32)]) < 0
    scale = MEASURED * np.sqrt(np.pi / (inside.sum() * STEP**2))
    return margin(draw, malignancy, turns, centre, scale * radius)


def _lobulated(draw: Array, malignancy: int, turns: float, centre: Array, radius: float) -> Solid:
    bulge = 0.12 if malignancy == 1 else 0.5
    lobes = [ellipsoid(centre, radius * (1 + 0.15 * (draw[:3] - 0.5)))]
    for number in range(3):
        angle = turns + 2 * np.pi * (number + 0.5 * draw[3 + number]) / 3
        place = centre + radius * (bulge + 0.1 * draw[6 + number]) * _direction(angle)
        lobes.append(ellipsoid(place, np.full(3, radius * (0.66 + 0.12 * draw[9 + number]))))
    return soft_union(lobes, softness=0.1 * radius)


def _spiculated(draw: Array, malignancy: int, turns: float, centre: Array, radius: float) -> Solid:
    spicules, length = 8 + round(3 * draw[3]) + (3 if malignancy == 5 else 0), 0.8 + 0.2 * draw[63]
    parts = [ellipsoid(centre, 0.86 * radius * (1 + 0.25 * (draw[:3] - 0.5)))]
    for number in range(spicules):
        angle = turns + 2 * np.pi * (number + 0.6 * draw[4 + number]) / spicules
        reach = radius * (1 + length * (0.35 + (0.85 if malignancy == 5 else 0.5) * draw[24 + number]))
        start, tilt = centre + 0.6 * radius * _direction(angle), 0.35 * (draw[44 + number] - 0.5)
        end, thickness = centre + reach * _direction(angle + tilt), (0.14 + 0.1 * draw[14 + number]) * radius
        parts.append(tube(start, end, thickness, 0.05 * radius))
    return soft_union(parts, softness=0.05 * radius)


def _direction(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle), 0.0])
