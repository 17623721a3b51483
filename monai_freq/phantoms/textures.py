"""Ten fine textures: what tells one class of natural images from another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .solids import Array

__all__ = ["TEXTURES", "fine_texture", "standardised"]

Image = NDArray[np.float32]


def fine_texture(rng: np.random.Generator, kind: str, size: int) -> Image:
    """Draw a texture, ``(size, size)``, of mean 0, standard deviation 1 and a period of about 3.4 to 5 pixels.

    Args:
        rng: source of the texture's direction, phase, period and irregularity.
        kind: a key of ``TEXTURES``.
        size: pixels along each edge.

    Example:
        >>> stripes = fine_texture(np.random.default_rng(0), "stripes", 64)
        >>> stripes.shape, round(abs(float(stripes.mean())), 4), round(float(stripes.std()), 4)
        ((64, 64), 0.0, 1.0)
    """
    field = TEXTURES[kind](rng, size, rng.uniform(3.4, 5.0))
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def standardised(
    rng: np.random.Generator, light: Image, weight: Image, mean: tuple[float, float], deviation: tuple[float, float]
) -> Image:
    """Bring the weighted mean and standard deviation of a picture to values drawn at random.

    Args:
        rng: source of the two values.
        light: the picture.
        weight: weight of each pixel.
        mean: range of the mean.
        deviation: range of the standard deviation.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> picture = standardised(rng, rng.random((8, 8)), np.ones((8, 8)), mean=(0.4, 0.4), deviation=(0.1, 0.1))
        >>> round(float(picture.mean()), 4), round(float(picture.std()), 4)
        (0.4, 0.1)
    """
    centre = np.average(light, weights=weight)
    spread = np.sqrt(np.average((light - centre) ** 2, weights=weight))
    return np.asarray(rng.uniform(*mean) + rng.uniform(*deviation) / spread * (light - centre), dtype=np.float32)


def _lattice(
    rng: np.random.Generator, size: int, period: float, sway: float = 0.12
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Phases in radians along two axes at a right angle, turned at random and gently bent."""
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 4)
    axis = np.arange(size, dtype=np.float32)
    along = np.cos(angle) * axis[:, None] + np.sin(angle) * axis[None, :]
    across = -np.sin(angle) * axis[:, None] + np.cos(angle) * axis[None, :]
    wave = 2 * np.pi / (11 * period)
    u = 2 * np.pi / period * along + phase[0] + 2 * np.pi * sway * np.sin(wave * across + phase[1])
    v = 2 * np.pi / period * across + phase[2] + 2 * np.pi * sway * np.sin(wave * along + phase[3])
    return u.astype(np.float32), v.astype(np.float32)


def _noise(rng: np.random.Generator, size: int, *widths: float) -> Array:
    """White noise smoothed to a width, or, of two widths, what lies between: a narrow ring of frequencies."""
    from scipy.ndimage import gaussian_filter

    white = rng.standard_normal((size, size), dtype=np.float32)
    smooth = [gaussian_filter(white, width, mode="wrap") for width in widths]
    return np.asarray(smooth[0] - smooth[1] if len(smooth) > 1 else smooth[0])


def _band(rng: np.random.Generator, size: int, period: float) -> Array:
    """Blobs and ridges of one period, of standard deviation 1."""
    field = _noise(rng, size, 0.18 * period, 1.6 * 0.18 * period)
    return np.asarray(field / field.std())


def _scales(rng: np.random.Generator, size: int, period: float) -> Array:
    u, v = _lattice(rng, size, 1.25 * period, sway=0.35)
    row = np.floor(v / (2 * np.pi))
    return np.asarray(np.cos(u + np.pi * (row % 2)) * 0.5 + (v / (2 * np.pi) - row))


def _fur(rng: np.random.Generator, size: int, period: float) -> Array:
    from scipy.ndimage import map_coordinates

    u, v = _lattice(rng, size, period, sway=0.8)
    strands = _noise(rng, 128, 0.18 * 3.2, 1.6 * 0.18 * 3.2)
    # Sampled far more slowly along the hair than across it.
    return np.asarray(map_coordinates(strands, [u / 1.9, v / 16], order=1, mode="grid-wrap"))


def _checks(rng: np.random.Generator, size: int, period: float) -> Array:
    u, v = _lattice(rng, size, 1.25 * period)
    return np.asarray(np.tanh(3 * np.cos(u) * np.cos(v)))


def _mesh(rng: np.random.Generator, size: int, period: float) -> Array:
    u, v = _lattice(rng, size, 1.25 * period)
    return np.asarray(-np.maximum(np.exp(4 * np.cos(u) - 4), np.exp(4 * np.cos(v) - 4)))


def _cracks(rng: np.random.Generator, size: int, period: float) -> Array:
    from scipy.spatial import cKDTree

    seeds = rng.uniform(0, size, (round((size / (1.45 * period)) ** 2), 2))
    grid = np.stack(np.meshgrid(*2 * (np.arange(size) + 0.5,), indexing="ij"), -1).reshape(-1, 2)
    distance = cKDTree(seeds, boxsize=size).query(grid, k=2)[0]
    edge = (distance[:, 1] - distance[:, 0]).reshape(size, size)
    return np.asarray(-np.exp(-((edge / (0.28 * period)) ** 2)))


def _ripples(rng: np.random.Generator, size: int, period: float) -> Array:
    y, x = rng.uniform(0.1, 0.9, 2) * size
    axis = np.arange(size, dtype=np.float32)
    ring = np.hypot(axis[:, None] - y, axis[None, :] - x) + 0.8 * period * _noise(rng, size, 2.2 * period)
    return np.asarray(np.cos(2 * np.pi / period * ring))


#: of living things, of artifacts, of the rest; each from a generator, the size and the period in pixels
TEXTURES: dict[str, Callable[[np.random.Generator, int, float], Array]] = {
    "spots": lambda rng, size, period: np.maximum(_band(rng, size, 1.15 * period) - 0.9, 0),
    "worms": lambda rng, size, period: np.tanh(2.5 * _band(rng, size, 1.15 * period)),
    "scales": _scales,
    "fur": _fur,
    "stripes": lambda rng, size, period: np.tanh(2 * np.cos(_lattice(rng, size, period)[0])),
    "checks": _checks,
    "mesh": _mesh,
    "grain": lambda rng, size, period: _noise(rng, size, 0.14 * period),
    "cracks": _cracks,
    "ripples": _ripples,
}
