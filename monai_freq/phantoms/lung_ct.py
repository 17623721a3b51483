"""A slice through the chest in CT, in Hounsfield units: wall, mediastinum, and lungs with their vessels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .shapes import Ellipsoid, Tube, rotation
from .torso import column, rib_segments
from .tubes import Tubes

__all__ = ["AIR", "LungLook", "draw_lung_look", "paint_lung_slice", "paint_lung_vessels"]

Array = NDArray[np.floating[Any]]

AIR = -1000.0
WALL = 17.0  # mm of muscle and ribs around the cavity
BONE = 420.0
ROOTS = 6  # vessels that leave each hilum
GENERATIONS = 4


@dataclass(frozen=True)
class LungLook:
    """What differs from patient to patient; lengths in mm, intensities in HU.

    The frame is the patient's: x to the right, y to the front, z upwards, the origin in the middle of the chest.

    Args:
        half_width: Half the chest's width under the skin's fat.
        half_depth: Half its depth.
        fat_thickness: Thickness of the fat under the skin.
        heart: How large the heart is at this height, from 0, above it, to 1.
        phase: Height of a rib.
        drop: mm that a rib comes down per mm to the front.
        fat: Intensity of fat.
        muscle: Intensity of muscle.
        marrow: Intensity of the vertebrae's spongy bone.
        blood: Intensity of the blood.
        lung: Intensity of the lungs, lower when they are blown up.
        vessels: ``(N, 8)``: start, end, and the radii there, of the vessels in both lungs.

    >>> look = draw_lung_look(np.random.default_rng(0))
    >>> look.lung < look.fat < 0 < look.blood
    True
    """

    half_width: float
    half_depth: float
    fat_thickness: float
    heart: float
    phase: float
    drop: float
    fat: float
    muscle: float
    marrow: float
    blood: float
    lung: float
    vessels: Array


def draw_lung_look(rng: np.random.Generator) -> LungLook:
    """Draw a patient's build, the tree of vessels and the uptake of contrast agent.

    >>> draw_lung_look(np.random.default_rng(0)).vessels.shape
    (180, 8)
    """
    return LungLook(
        half_width=rng.uniform(122, 142),
        half_depth=rng.uniform(88, 104),
        fat_thickness=rng.uniform(5, 15),
        heart=rng.uniform(0, 1),
        phase=rng.uniform(0, 28),
        drop=rng.uniform(0.35, 0.6),
        fat=rng.uniform(-112, -92),
        muscle=rng.uniform(45, 65),
        marrow=rng.uniform(140, 230),
        blood=float(rng.choice([42, 110, 170])) + rng.uniform(-10, 25),
        lung=rng.uniform(-890, -800),
        vessels=np.concatenate([_tree(rng, side) for side in (-1, 1)]),
    )


def _tree(rng: np.random.Generator, side: int) -> Array:
    start = np.array([side * 33, -4, 0]) + rng.normal(0, (3, 5, 7), (ROOTS, 3))
    angle = np.linspace(-1.4, 1.4, ROOTS) + rng.normal(0, 0.12, ROOTS)
    course = np.stack([side * np.cos(angle), np.sin(angle), rng.normal(0, 0.3, ROOTS)], axis=1)
    length, radius, branches = 27.0, rng.uniform(2.8, 4.2, ROOTS), []
    for _ in range(GENERATIONS):
        end = start + length * rng.uniform(0.75, 1.25, (len(start), 1)) * course
        branches.append(np.column_stack([start, end, radius, 0.8 * radius]))
        start, radius = np.repeat(end, 2, axis=0), np.repeat(0.75 * radius, 2) * rng.uniform(0.8, 1.05, 2 * len(end))
        course = np.repeat(course, 2, axis=0) + rng.normal(0, 0.42, (len(start), 3))
        course /= np.linalg.norm(course, axis=1, keepdims=True)
        length *= 0.78
    return np.concatenate(branches)


def paint_lung_slice(canvas: Canvas, look: LungLook) -> None:
    """Paint a patient without the lungs' vessels, from the skin inwards; label 1 is the lung.

    Args:
        canvas: Where to paint, in the patient's frame; its intensity is replaced.
        look: The patient.

    >>> look = draw_lung_look(np.random.default_rng(0))
    >>> canvas = Canvas((64, 64, 1), (5, 5, 5), (-157.5, -157.5, 0))
    >>> paint_lung_slice(canvas, look)
    >>> intensity, lung = canvas.layers
    >>> bool(abs(np.median(intensity[lung > 0.9]) - look.lung) < 1)
    True
    """
    canvas.layers[0] = AIR
    _paint_wall(canvas, look)
    for side in (-1, 1):
        canvas.paint(_lung(look, side), look.lung, label=1)
    _paint_mediastinum(canvas, look)
    _paint_spine(canvas, look)


def _paint_wall(canvas: Canvas, look: LungLook) -> None:
    width, depth, skin = look.half_width, look.half_depth, look.fat_thickness
    canvas.paint(Ellipsoid((0, -depth - skin - 12, 0), (190, 7, 400), exponent=8), -250)  # the table
    canvas.paint(Ellipsoid((0, -depth - skin - 12, 0), (186, 4, 400), exponent=8), -930)
    canvas.paint(column(width + 1.3 * skin, depth + skin, y=-0.25 * skin), look.fat)
    canvas.paint(column(width, depth), look.muscle)
    for side in (-1, 1):
        blade = Ellipsoid((side * (width - 24), 24 - depth, 0), (21, 3, 90), rotation((0, 0, side * 42)))
        canvas.paint(blade, BONE)
    ribs = np.array([[*start, *end, 5, 5] for start, end in rib_segments(width, depth, look.phase, look.drop)])
    canvas.paint(Tubes(ribs, canvas.edge / 2), BONE)
    canvas.paint(Tubes(ribs - [0, 0, 0, 0, 0, 0, 2.2, 2.2], canvas.edge / 2), look.marrow)
    canvas.paint(column(width - WALL, depth - WALL), look.fat)
    canvas.paint(Ellipsoid((0, depth - 9, 0), (17, 6, 90)), BONE)
    canvas.paint(Ellipsoid((0, depth - 9, 0), (14, 3.5, 90)), look.marrow)


def _lung(look: LungLook, side: int) -> Ellipsoid:
    inner, outer = (10, look.half_width - WALL - 2)
    radii = ((outer - inner) / 2 + 3, look.half_depth - WALL - 3, 300)
    return Ellipsoid((side * (inner + outer) / 2, -2, 0), radii, rotation((0, 0, side * 5)), exponent=2.5)


def _paint_mediastinum(canvas: Canvas, look: LungLook) -> None:
    heart, back = look.heart, -look.half_depth
    canvas.paint(Ellipsoid((-2, 20, 0), (21 + 8 * heart, look.half_depth - 28, 300)), look.fat)
    canvas.paint(Ellipsoid((0, back + 52, 0), (24, 26, 300)), look.fat)
    for side in (-1, 1):  # the hila
        canvas.paint(Ellipsoid((side * 28, -4, 0), (13, 15, 60), rotation((0, 0, side * 20))), look.blood)
        canvas.paint(Tube((side * 30, -10, -60), (side * 30, -10, 60), 5.5), AIR)
    if heart > 0.3:
        size = 0.6 + 0.4 * heart
        canvas.paint(Ellipsoid((-17, 26, 0), (size * 55, size * 43, 80), rotation((0, 0, 28))), look.fat)
        canvas.paint(Ellipsoid((-17, 26, 0), (size * 51, size * 39, 80), rotation((0, 0, 28))), look.muscle)
        canvas.paint(Ellipsoid((-34, 16, 0), (size * 22, size * 15, 80), rotation((0, 0, 28))), look.blood)
        canvas.paint(Ellipsoid((2, 34, 0), (size * 23, size * 18, 80), rotation((0, 0, 40))), look.blood)
    else:
        canvas.paint(Ellipsoid((4, 30, 0), (15, 16, 80)), look.blood)
        canvas.paint(Ellipsoid((-16, 14, 0), (13, 17, 80)), look.blood)
        canvas.paint(Tube((24, 16, -80), (24, 16, 80), 8.5), look.blood)
        canvas.paint(Ellipsoid((2, -10, 0), (10, 9, 80)), AIR)
    canvas.paint(Tube((-20, back + 60, -80), (-20, back + 60, 80), 12), look.blood)
    canvas.paint(Tube((-2, back + 66, -80), (-2, back + 66, 80), 6), look.muscle)


def _paint_spine(canvas: Canvas, look: LungLook) -> None:
    back = -look.half_depth
    for side in (-1, 1):
        canvas.paint(Tube((side * 24, back + 13, -80), (side * 24, back + 13, 80), 16), look.muscle)
        canvas.paint(Tube((side * 12, back + 26, 0), (side * 26, back + 21, 0), 4.5), BONE)
    canvas.paint(Ellipsoid((0, back + 40, 0), (19, 16, 60), exponent=2.6), BONE)
    canvas.paint(Ellipsoid((0, back + 40, 0), (16, 13, 60), exponent=2.6), look.marrow)
    canvas.paint(Ellipsoid((0, back + 20, 0), (12, 10, 60)), BONE)
    canvas.paint(Ellipsoid((0, back + 20, 0), (8.5, 7, 60)), 30)
    canvas.paint(Tube((0, back + 10, 0), (0, back + 1, 0), 3.5), BONE)


def paint_lung_vessels(canvas: Canvas, look: LungLook) -> None:
    """Paint the vessels that come near the slice, over the lungs.

    Args:
        canvas: Where to paint, in the patient's frame.
        look: The patient.

    >>> look = draw_lung_look(np.random.default_rng(0))
    >>> canvas = Canvas((64, 64, 1), (5, 5, 5), (-157.5, -157.5, 0))
    >>> paint_lung_vessels(canvas, look)
    >>> bool(canvas.layers[0].max() > 0)
    True
    """
    lungs = [_lung(look, side).distance(list(look.vessels[:, 3:6].T)) for side in (-1, 1)]
    inside = look.vessels[np.minimum(*lungs) < -2]
    canvas.paint(Tubes(inside, canvas.edge / 2), 0.5 * (look.blood + 40), opacity=0.75)
