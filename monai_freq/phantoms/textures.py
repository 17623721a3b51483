"""Ten fine textures: what tells one class of natural images from another."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXTURES", "fine_texture", "standardised"]

Image = NDArray[np.float32]
Array = NDArray[np.floating[Any]]


def fine_texture(rng: np.random.Generator, kind: str, size: int) -> Image:
    """Draw a texture of mean 0 and standard deviation 1 whose period is about 3.4 to 5 pixels.

    Args:
        rng: Source of the texture's direction, phase, period and irregularity.
        kind: A key of ``TEXTURES``.
        size: Pixels along each edge.

    Shape:
        Output ``(size, size)``.

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
        rng: Source of the two values.
        light: The picture.
        weight: How much each pixel counts.
        mean: Range of the mean.
        deviation: Range of the standard deviation.

    >>> rng = np.random.default_rng(0)
    >>> picture = standardised(rng, rng.random((8, 8)), np.ones((8, 8)), mean=(0.4, 0.4), deviation=(0.1, 0.1))
    >>> round(float(picture.mean()), 4), round(float(picture.std()), 4)
    (0.4, 0.1)
    """
    centre = np.average(light, weights=weight)
    spread = np.sqrt(np.average((light - centre) ** 2, weights=weight))
    return np.asarray(rng.uniform(*mean) + rng.uniform(*deviation) / spread * (light - centre), dtype=np.float32)


def _lattice(rng: np.random.Generator, size: int, period: float, sway: float = 0.35) -> tuple[Image, Image]:
    """Phases in radians along two axes at a right angle, turned at random and gently bent."""
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 4)
    axis = np.arange(size, dtype=np.float32)
    along = np.cos(angle) * axis[:, None] + np.sin(angle) * axis[None, :]
    across = -np.sin(angle) * axis[:, None] + np.cos(angle) * axis[None, :]
    wave = 2 * np.pi / (11 * period)
    u = 2 * np.pi / period * along + phase[0] + 2 * np.pi * sway * np.sin(wave * across + phase[1])
    v = 2 * np.pi / period * across + phase[2] + 2 * np.pi * sway * np.sin(wave * along + phase[3])
    return np.asarray(u, dtype=np.float32), np.asarray(v, dtype=np.float32)


def _noise(rng: np.random.Generator, size: int, width: float) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), width, mode="wrap"))


def _band(rng: np.random.Generator, size: int, period: float) -> Array:
    # Two Gaussians apart by a factor of 1.6 in width: a narrow ring of frequencies about 1/period.
    from scipy.ndimage import gaussian_filter

    width = 0.18 * period
    white = rng.standard_normal((size, size), dtype=np.float32)
    return np.asarray(gaussian_filter(white, width, mode="wrap") - gaussian_filter(white, 1.6 * width, mode="wrap"))


def _spots(rng: np.random.Generator, size: int, period: float) -> Array:
    field = _band(rng, size, 1.15 * period)
    return np.asarray(np.maximum(field / field.std() - 0.9, 0))


def _worms(rng: np.random.Generator, size: int, period: float) -> Array:
    field = _band(rng, size, 1.15 * period)
    return np.asarray(np.tanh(2.5 * field / field.std()))


def _scales(rng: np.random.Generator, size: int, period: float) -> Array:
    u, v = _lattice(rng, size, 1.25 * period)
    row = np.floor(v / (2 * np.pi))
    return np.asarray(np.cos(u + np.pi * (row % 2)) * 0.5 + (v / (2 * np.pi) - row))


def _fur(rng: np.random.Generator, size: int, period: float) -> Array:
    from scipy.ndimage import map_coordinates

    u, v = _lattice(rng, size, period, sway=0.8)
    strands = _band(rng, 128, 3.2)
    # Sampled far more slowly along the hair than across it.
    return np.asarray(map_coordinates(strands, [u / 1.9, v / 16], order=1, mode="grid-wrap"))


def _stripes(rng: np.random.Generator, size: int, period: float) -> Array:
    return np.asarray(np.tanh(2 * np.cos(_lattice(rng, size, period, sway=0.12)[0])))


def _checks(rng: np.random.Generator, size: int, period: float) -> Array:
    u, v = _lattice(rng, size, 1.25 * period, sway=0.12)
    return np.asarray(np.tanh(3 * np.cos(u) * np.cos(v)))


def _mesh(rng: np.random.Generator, size: int, period: float) -> Array:
    u, v = _lattice(rng, size, 1.25 * period, sway=0.12)
    return np.asarray(-np.maximum(np.exp(4 * np.cos(u) - 4), np.exp(4 * np.cos(v) - 4)))


def _grain(rng: np.random.Generator, size: int, period: float) -> Array:
    return _noise(rng, size, 0.14 * period)


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


#: of living things, of artifacts, of the rest
TEXTURES: dict[str, Callable[[np.random.Generator, int, float], Array]] = {
    "spots": _spots,
    "worms": _worms,
    "scales": _scales,
    "fur": _fur,
    "stripes": _stripes,
    "checks": _checks,
    "mesh": _mesh,
    "grain": _grain,
    "cracks": _cracks,
    "ripples": _ripples,
}
