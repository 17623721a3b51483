"""Smooth shapes: a body with soft-edged organs, with the steep spectrum of medical images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .outlines import outline_level
from .solids import Array
from .textures import fine_texture, standardised

__all__ = ["draw_smooth_shapes"]

Image = NDArray[np.float32]

TEXTURE_STRENGTH = 0.11  # of the contrast of an organ
NOISE = 0.006  # of full scale


def draw_smooth_shapes(rng: np.random.Generator, texture: str, outline: str, size: int) -> Image:
    """Draw a body with organs, a few of them of one outline, all with one kind of faint texture.

    Args:
        rng: source of everything drawn.
        texture: kind of the texture.
        outline: kind of the organs in front.
        size: pixels along each edge.

    Shape:
        Output ``(size, size, 3)``, three times the same grey, most of it in [0, 1].

    Example:
        >>> draw_smooth_shapes(np.random.default_rng(0), "stripes", "ring", 32).shape
        (32, 32, 3)
    """
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    y, x = axis[:, None] - np.float32(0.5), axis[None, :] - np.float32(0.5)
    depth = _depth(rng, y, x)
    grey = _uneven(rng, size)
    for _ in range(rng.integers(4, 8)):
        (y0, x0), radius = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.05, 0.16)
        _paint_organ(rng, grey, y - y0, x - x0, "disc", radius, rng.uniform(1, 1.4), rng.uniform(-1.2, 1.2))
    for y0, x0 in _apart(rng, int(rng.integers(2, 4))):
        contrast = rng.choice([-1, 1]) * rng.uniform(1.0, 2.0)
        _paint_organ(rng, grey, y - y0, x - x0, outline, rng.uniform(0.12, 0.17), rng.uniform(0.9, 1.1), contrast)
    _blend(grey, -depth - rng.uniform(0.02, 0.05), rng.choice([-1, 1]) * rng.uniform(0.6, 1.6), 0.015)
    grey += TEXTURE_STRENGTH * rng.uniform(0.7, 1.3) * fine_texture(rng, texture, size)
    body = _cover(depth, 0.015)
    grey = body * standardised(rng, grey, body, mean=(0.38, 0.55), deviation=(0.11, 0.16))
    grey += NOISE * np.abs(rng.standard_normal((size, size), dtype=np.float32))
    return np.repeat(grey[..., None], 3, axis=2)


def _depth(rng: np.random.Generator, y: Image, x: Image) -> Array:
    """Signed distance to the skin, in edges of the picture."""
    height, width = rng.uniform(0.4, 0.54, 2)
    u, v = _turned(rng, y, x, 1.0, 1.0, tilt=0.2)
    level = (np.abs(u / height) ** 2.5 + np.abs(v / width) ** 2.5) ** 0.4 - 1
    return np.asarray(np.sqrt(height * width) * level)


def _uneven(rng: np.random.Generator, size: int) -> Image:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), 0.12 * size, mode="wrap")
    return np.asarray(0.35 * field / field.std())


def _paint_organ(
    rng: np.random.Generator, grey: Image, y: Image, x: Image, kind: str, radius: float, stretch: float, contrast: float
) -> None:
    level = radius * outline_level(kind, *_turned(rng, y, x, radius, stretch))
    _blend(grey, level, contrast, rng.uniform(0.012, 0.028))


def _turned(
    rng: np.random.Generator, y: Image, x: Image, radius: float, stretch: float, tilt: float = np.pi
) -> tuple[Array, Array]:
    angle = rng.uniform(-tilt, tilt)
    along, across = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    return along / np.float32(radius * stretch), across * np.float32(stretch / radius)


def _apart(rng: np.random.Generator, number: int) -> list[Array]:
    """Places in the body that do not hide one another."""
    start, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.19, 0.25)
    turns = start + 2 * np.pi * (np.arange(number) + rng.uniform(-0.1, 0.1, number)) / number
    return [reach * np.array([np.sin(turn), np.cos(turn)]) for turn in turns]


def _cover(level: Array, softness: float) -> Image:
    return np.asarray(1 / (1 + np.exp(np.clip(level / (0.5 * softness), -30, 30))), dtype=np.float32)


def _blend(grey: Image, level: Array, value: float, softness: float) -> None:
    alpha = _cover(level, softness)
    grey += alpha * np.float32(value) - alpha * grey
