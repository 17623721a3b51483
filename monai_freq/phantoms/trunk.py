"""What chest and abdomen share: the outline of the body, ribs and spine."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from .canvas import Organs
from .solids import Array, Solid, ellipsoid, tube

__all__ = ["column", "rib_segments", "spine"]


def column(half_width: float, half_depth: float, y: float = 0.0) -> Solid:
    """Trunk, tall enough to look like a cylinder with slightly sloping sides.

    Args:
        half_width: half the width of the trunk in mm.
        half_depth: half the depth of the trunk in mm.
        y: shift to the front in mm.

    Example:
        >>> column(150, 100).high.tolist()
        [150.0, 100.0, 390.0]
    """
    return ellipsoid((0, y, -30), (half_width, half_depth, 420), exponent=2.4)


def rib_segments(half_width: float, half_depth: float, phase: float, drop: float) -> Iterator[tuple[Array, Array]]:
    """Ends in mm of the straight pieces of the ribs, 28 mm apart, each from beside the sternum round the back.

    Args:
        half_width: half the width of the trunk under the skin's fat.
        half_depth: half the depth of the trunk.
        phase: height of a rib in mm.
        drop: descent of a rib in mm per mm to the front.

    Example:
        >>> len(list(rib_segments(150, 100, phase=0, drop=0.5)))
        286
    """
    angles = np.deg2rad(np.linspace(-65, 245, 24))
    x = (half_width - 10) * np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** 0.8
    y = -(half_depth - 9) * np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** 0.8
    for level in np.arange(-150, 190, 28) + phase:
        points = np.stack([x, y, level - drop * y], axis=1)
        for half in (points[:12], points[12:]):
            yield from pairwise(half)


def spine(back: float, phase: float, *, muscle: float, disc: float, bone: float, canal: float, cord: float) -> Organs:
    """Muscles beside the spine, discs, vertebrae 26 mm apart, canal and cord, as rows of a table of organs.

    Args:
        back: y in mm of the back under the skin's fat.
        phase: height of a vertebra in mm.
        muscle: intensity of the muscles.
        disc: intensity of the discs.
        bone: intensity of the vertebrae.
        canal: intensity of the fluid around the cord.
        cord: intensity of the cord.

    Example:
        >>> rows = spine(-100, 0, muscle=55, disc=85, bone=180, canal=25, cord=40)
        >>> [intensity for _, intensity in rows][:4]
        [55, 55, 85, 180]
    """
    yield from ((tube((x, back + 13, -200), (x, back + 13, 200), 19), muscle) for x in (-27, 27))
    yield tube((0, back + 44, -200), (0, back + 44, 200), 19), disc
    for level in np.arange(-130, 131, 26) + phase:
        yield ellipsoid((0, back + 44, level), (19, 17, 10.5), exponent=4), bone
        yield tube((0, back + 14, level), (0, back + 3, level - 9), 3.5), bone
    yield tube((0, back + 20, -200), (0, back + 20, 200), 9), canal
    yield tube((0, back + 20, -200), (0, back + 20, 200), 4.5), cord
