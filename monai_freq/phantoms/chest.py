"""A chest without its heart: wall, ribs, lungs, spine, liver and the vessels of the lungs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .shapes import Ellipsoid, Tube, rotation
from .torso import SpineLook, column, paint_spine, rib_segments

__all__ = ["ChestLook", "draw_chest_look", "paint_chest", "paint_lung_vessels"]

Array = NDArray[np.floating[Any]]

SHORTEST_VESSEL = 9.0  # mm: shorter ones would vanish in a voxel


@dataclass(frozen=True)
class ChestLook:
    """What differs from patient to patient; lengths in mm, intensities relative to bright blood.

    The frame is the patient's: x to the right, y to the front, z upwards, the origin in the middle of the chest.

    Args:
        half_width: Half the chest's width under the skin's fat.
        half_depth: Half its depth.
        fat_thickness: Thickness of the fat under the skin.
        diaphragm: Height of the right dome.
        fat: Intensity of fat: bright, or dark when it is suppressed.
        muscle: Intensity of muscle.
        marrow: Intensity of bone marrow.
        lung: Intensity of lungs.
        liver: Intensity of liver.
        fluid: Intensity of cerebrospinal fluid.
        vessel: Intensity of the blood in the lungs' vessels.

    >>> look = draw_chest_look(np.random.default_rng(0))
    >>> look.lung < look.muscle < look.vessel
    True
    """

    half_width: float
    half_depth: float
    fat_thickness: float
    diaphragm: float
    fat: float
    muscle: float
    marrow: float
    lung: float
    liver: float
    fluid: float
    vessel: float


def draw_chest_look(rng: np.random.Generator) -> ChestLook:
    """Draw a patient's build and the sequence's contrast.

    >>> draw_chest_look(np.random.default_rng(0)) == draw_chest_look(np.random.default_rng(0))
    True
    """
    return ChestLook(
        half_width=rng.uniform(138, 156),
        half_depth=rng.uniform(94, 104),
        fat_thickness=rng.uniform(8, 20),
        diaphragm=rng.uniform(-46, -24),
        fat=rng.uniform(0.38, 0.8),
        muscle=rng.uniform(0.24, 0.36),
        marrow=rng.uniform(0.28, 0.5),
        lung=rng.uniform(0.03, 0.1),
        liver=rng.uniform(0.3, 0.45),
        fluid=rng.uniform(0.7, 1.0),
        vessel=rng.uniform(0.65, 0.95),
    )


def paint_chest(canvas: Canvas, look: ChestLook, rng: np.random.Generator) -> None:
    """Paint everything that lies around the heart, from the skin inwards.

    Args:
        canvas: Where to paint, in the patient's frame.
        look: The patient.
        rng: Source of the small things: the ribs' phase and tilt.

    >>> rng = np.random.default_rng(0)
    >>> canvas = Canvas((40, 32, 8), (10, 10, 20), (-195, -155, -70))
    >>> paint_chest(canvas, draw_chest_look(rng), rng)
    >>> bool(canvas.layers[0][0, 0, 0] == 0)  # air around the patient
    True
    """
    width, depth, skin = look.half_width, look.half_depth, look.fat_thickness
    # Fat gathers at the sides and the back: the layers are not concentric.
    canvas.paint(column(width + 1.3 * skin, depth + skin, y=-0.25 * skin), look.fat)
    canvas.paint(column(width, depth), look.muscle)
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 62, depth - 4, 40), (46, 13, 60), rotation((0, 0, -side * 14))), look.muscle)
        canvas.paint(Ellipsoid((side * (width - 12), -30, 20), (16, 44, 120)), look.muscle)
    _paint_ribs(canvas, look, rng)
    canvas.paint(column(width - 16, depth - 15), 0.5 * (look.fat + look.muscle))
    for side in (-1, 1):
        canvas.paint(_lung(look, side), look.lung)
    canvas.paint(Ellipsoid((-2, 10, 70), (34, 52, 75)), 0.85 * look.fat)  # the mediastinum above the heart
    _paint_abdomen(canvas, look)
    spine = SpineLook(look.muscle, disc=0.55 * look.fluid, bone=look.marrow, canal=look.fluid, cord=0.5)
    paint_spine(canvas, spine, back=-depth, phase=rng.uniform(0, 26))
    canvas.paint(Ellipsoid((0, depth - 6, 10), (16, 6, 75)), look.marrow)


def _lung(look: ChestLook, side: int) -> Ellipsoid:
    inner = 14 if side > 0 else 26
    outer = look.half_width - 22
    bottom = look.diaphragm - 40
    return Ellipsoid(
        (side * (inner + outer) / 2, -8, bottom + 130),
        ((outer - inner) / 2 + 8, look.half_depth - 20, 130),
        exponent=2.8,
    )


def _paint_ribs(canvas: Canvas, look: ChestLook, rng: np.random.Generator) -> None:
    phase, drop = rng.uniform(0, 28), rng.uniform(0.35, 0.6)
    for start, end in rib_segments(look.half_width, look.half_depth, phase, drop):
        canvas.paint(Tube(start, end, 6.0), 0.4 * look.muscle)
        canvas.paint(Tube(start, end, 3.5), look.marrow)


def _paint_abdomen(canvas: Canvas, look: ChestLook) -> None:
    top = look.diaphragm
    canvas.paint(Ellipsoid((62, -4, top - 80), (84, look.half_depth - 18, 80)), look.liver)
    canvas.paint(Ellipsoid((-76, -10, top - 90), (62, look.half_depth - 22, 78)), 0.8 * look.liver)
    canvas.paint(Ellipsoid((-62, 18, top - 75), (34, 34, 48)), 0.3 * look.liver + 0.1)


def paint_lung_vessels(canvas: Canvas, look: ChestLook, rng: np.random.Generator, hilum: Array, side: int) -> None:
    """Paint a tree of vessels from a hilum into the lung, each branch 0.62 as long and 0.7 as wide as its parent.

    Args:
        canvas: Where to paint.
        look: The patient.
        rng: Source of the directions.
        hilum: Where the tree starts, in mm.
        side: 1 for the right lung, -1 for the left.

    >>> rng = np.random.default_rng(0)
    >>> look, canvas = draw_chest_look(rng), Canvas((40, 32, 30), (4, 4, 4), (0, -62, -20))
    >>> paint_lung_vessels(canvas, look, rng, hilum=np.array([42, -24, 28]), side=1)
    >>> bool(0 < canvas.layers[0].max() <= np.float32(look.vessel))
    True
    """
    lung = _lung(look, side)
    for _ in range(8):
        direction = np.array([side * rng.uniform(0.4, 1), rng.uniform(-0.7, 0.7), rng.uniform(-1, 1)])
        for start, end, radius in _branches(rng, lung, hilum, direction, length=40, radius=4.2):
            if end[2] > look.diaphragm:
                canvas.paint(Tube(start, end, radius, 0.75 * radius), look.vessel)


def _branches(
    rng: np.random.Generator, lung: Ellipsoid, start: Array, direction: Array, length: float, radius: float
) -> Iterator[tuple[Array, Array, float]]:
    end = start + length * direction / np.linalg.norm(direction)
    if length < SHORTEST_VESSEL or lung.distance(end) > -2:
        return
    yield start, end, radius
    for _ in range(2):
        turned = (end - start) / length + rng.normal(0, 0.45, 3)
        yield from _branches(rng, lung, end, turned, 0.62 * length, 0.7 * radius)
