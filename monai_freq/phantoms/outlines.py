"""Ten outlines of equal area: what tells one class of medical images from another."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from .solids import Array

__all__ = ["OUTLINES", "outline_level"]


def outline_level(kind: str, u: Array, v: Array) -> Array:
    r"""Level of an outline: negative inside, and about the distance to it, in units of its radius.

    Every outline encloses the area of the unit disc, :math:`\pi`, and its centre of mass is near the origin.

    Args:
        kind: a key of ``OUTLINES``.
        u: first coordinates.
        v: second coordinates, which broadcast with ``u``.

    Example:
        >>> axis = (np.arange(400) + 0.5) / 100 - 2
        >>> round(float((outline_level("bean", axis[:, None], axis[None, :]) < 0).mean() * 16 / np.pi), 2)
        1.0
    """
    size = _size(kind)
    return np.asarray(OUTLINES[kind](u / size, v / size) * size)


@cache
def _size(kind: str) -> float:
    axis = ((np.arange(1200) + 0.5) / 200 - 3).astype(np.float32)
    inside = OUTLINES[kind](axis[:, None], axis[None, :]) < 0
    return float(1 / np.sqrt(inside.mean() * 36 / np.pi))


def _disc(u: Array, v: Array, radius: float = 1.0) -> Array:
    return np.asarray(np.hypot(u, v) - radius)


def _box(u: Array, v: Array, width: float, height: float) -> Array:
    return np.maximum(np.abs(u) - width, np.abs(v) - height)


def _flower(petals: int, depth: float, u: Array, v: Array) -> Array:
    radius = np.hypot(u, v)
    # The cosine of a multiple of the angle without trigonometry: the real part of a power.
    turned = ((u + 1j * v) / np.maximum(radius, 1e-6)) ** petals
    return np.asarray(radius - (1 + depth * turned.real))


def _bean(u: Array, v: Array) -> Array:
    # A thick arc of a circle, its ends round.
    u, v = np.abs(u), v + 0.65
    along = u * np.cos(0.85) < v * np.sin(0.85)
    end = np.hypot(u - 0.8 * np.sin(0.85), v - 0.8 * np.cos(0.85))
    return np.asarray(np.where(along, np.abs(np.hypot(u, v) - 0.8), end) - 0.52)


def _drop(u: Array, v: Array) -> Array:
    v = v - 0.4
    taper = np.clip(0.62 - 0.42 * v, 0.02, 2)
    side = np.abs(u) - taper * np.sqrt(np.maximum(1 - ((v + 0.1) / 1.3) ** 2, 0))
    return np.asarray(np.maximum(side, np.abs(v + 0.1) - 1.3))


def _dumbbell(u: Array, v: Array) -> Array:
    ends = np.minimum(_disc(u - 0.95, v, 0.62), _disc(u + 0.95, v, 0.62))
    return np.minimum(ends, _box(u, v, 0.95, 0.2))


OUTLINES: dict[str, Callable[[Array, Array], Array]] = {
    "disc": _disc,
    "bean": _bean,
    "clover": partial(_flower, 3, 0.42),
    "ring": lambda u, v: np.abs(_disc(u, v, 0.85)) - 0.28,
    "drop": _drop,
    "dumbbell": _dumbbell,
    "block": lambda u, v: (u**8 + v**8) ** 0.125 - 1,
    "crescent": lambda u, v: np.maximum(_disc(u, v + 0.38), -_disc(u, v + 0.98, 0.85)),
    "cross": lambda u, v: np.minimum(_box(u, v, 1.25, 0.42), _box(v, u, 1.25, 0.42)),
    "star": partial(_flower, 6, 0.3),
}
