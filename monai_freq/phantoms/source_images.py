"""Images for pre-training whose statistics and class cue are chosen apart from each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .dead_leaves import draw_dead_leaves
from .outlines import OUTLINES
from .smooth_shapes import draw_smooth_shapes
from .textures import TEXTURES

__all__ = ["CUES", "STATISTICS", "draw_source_image"]

STATISTICS: dict[str, Callable[[np.random.Generator, str, str, int], NDArray[np.float32]]] = {
    "dead_leaves": draw_dead_leaves,
    "smooth": draw_smooth_shapes,
}
CUES = ("texture", "shape")


def draw_source_image(
    rng: np.random.Generator, *, label: int, classes: int, size: int, statistics: str, cue: str
) -> NDArray[np.uint8]:
    """Draw one image, ``(size, size, 3)``, whose texture or whose shapes, but not both, tell its class.

    Every image has a texture and outlined shapes: the one is tied to the class, the other drawn at random, so that the
    pictures of both cues come from one distribution. Mean and standard deviation of the brightness, over the picture or
    over the body in it, are drawn apart from the class.

    Args:
        rng: source of everything drawn.
        label: number of the class.
        classes: number of classes, up to 10.
        size: pixels along each edge, at least 32.
        statistics: kind of image by its spectrum: ``"dead_leaves"``, as natural ones, or ``"smooth"``, as medical ones.
        cue: cue to the class, ``"texture"`` or ``"shape"``.

    Example:
        >>> settings = dict(label=2, classes=10, size=32, statistics="smooth", cue="shape")
        >>> image = draw_source_image(np.random.default_rng(0), **settings)
        >>> image.shape, image.dtype.name
        ((32, 32, 3), 'uint8')
    """
    other = int(rng.integers(classes))
    texture, outline = (label, other) if cue == "texture" else (other, label)
    picture = STATISTICS[statistics](rng, list(TEXTURES)[texture], list(OUTLINES)[outline], size)
    return np.asarray(np.rint(255 * np.clip(picture, 0, 1)), dtype=np.uint8)
