"""What chest and abdomen share: the body's outline, ribs and spine."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .shapes import Ellipsoid, Tube

__all__ = ["SpineLook", "column", "paint_spine", "rib_segments"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SpineLook:
    """Intensities of the spine and of the muscles beside it.

    Args:
        muscle: Intensity of the muscles.
        disc: Intensity of the discs.
        bone: Intensity of the vertebrae.
        canal: Intensity of the fluid around the cord.
        cord: Intensity of the cord.

    >>> SpineLook(muscle=55, disc=85, bone=180, canal=25, cord=40).disc  # of a CT, in HU
    85
    """

    muscle: float
    disc: float
    bone: float
    canal: float
    cord: float


def column(half_width: float, half_depth: float, y: float = 0.0) -> Ellipsoid:
    """Shape a trunk: tall enough to look like a cylinder with slightly sloping sides.

    Args:
        half_width: Half its width in mm.
        half_depth: Half its depth in mm.
        y: Shift to the front in mm.

    >>> column(150, 100).radii[:2]
    (150, 100)
    """
    return Ellipsoid((0, y, -30), (half_width, half_depth, 420), exponent=2.4)


def rib_segments(half_width: float, half_depth: float, phase: float, drop: float) -> Iterator[tuple[Array, Array]]:
    """Ends in mm of the straight pieces of the ribs, 28 mm apart, each from beside the sternum round the back.

    Args:
        half_width: Half the trunk's width under the skin's fat.
        half_depth: Half its depth.
        phase: Height of a rib in mm.
        drop: How many mm a rib comes down per mm to the front.

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


def paint_spine(canvas: Canvas, look: SpineLook, back: float, phase: float) -> None:
    """Paint muscles, discs, vertebrae 26 mm apart, canal and cord.

    Args:
        canvas: Where to paint, in the patient's frame.
        look: Intensities.
        back: y in mm of the back under the skin's fat.
        phase: Height of a vertebra in mm.

    >>> canvas = Canvas((16, 16, 8), (6, 6, 6), (-45, -105, -21))
    >>> paint_spine(canvas, SpineLook(muscle=55, disc=85, bone=180, canal=25, cord=40), back=-100, phase=0)
    >>> float(canvas.layers[0].max())
    180.0
    """
    for side in (-1, 1):
        canvas.paint(Tube((side * 27, back + 13, -200), (side * 27, back + 13, 200), 19), look.muscle)
    canvas.paint(Tube((0, back + 44, -200), (0, back + 44, 200), 19), look.disc)
    for level in np.arange(-130, 131, 26) + phase:
        canvas.paint(Ellipsoid((0, back + 44, level), (19, 17, 10.5), exponent=4), look.bone)
        canvas.paint(Tube((0, back + 14, level), (0, back + 3, level - 9), 3.5), look.bone)
    canvas.paint(Tube((0, back + 20, -200), (0, back + 20, 200), 9), look.canal)
    canvas.paint(Tube((0, back + 20, -200), (0, back + 20, 200), 4.5), look.cord)
