"""The upper abdomen in CT, in Hounsfield units, the spleen labelled."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .shapes import Cut, Ellipsoid, Inside, SoftUnion, Tube, polyline, rotation
from .torso import SpineLook, column, paint_spine, rib_segments

__all__ = ["AIR", "AbdomenLook", "draw_abdomen_look", "paint_abdomen"]

Array = NDArray[np.floating[Any]]

AIR = -1000.0
LUNG = -830.0
WALL = 18.0  # mm of muscle and ribs around the cavity
BONE = 480.0
FLUID = 12.0
GAS = -900.0


@dataclass(frozen=True)
class AbdomenLook:
    """What differs from patient to patient; lengths in mm, intensities in HU.

    The frame is the patient's: x to the right, y to the front, z upwards, the origin in the middle of the abdomen.

    Args:
        half_width: Half the trunk's width under the skin's fat.
        half_depth: Half its depth.
        fat_thickness: Thickness of the fat under the skin.
        dome: Height of the diaphragm.
        fat: Intensity of fat.
        muscle: Intensity of muscle.
        marrow: Intensity of the vertebrae's spongy bone.
        liver: Intensity of the liver, lower when it holds fat.
        spleen: Intensity of the spleen.
        kidney: Intensity of the kidneys' cortex.
        blood: Intensity of aorta and veins.
        meal: Intensity of what is in the stomach: water, food or swallowed contrast agent.
        filling: Which part of the stomach, from behind, is filled; gas is above, the patient lying on the back.

    >>> look = draw_abdomen_look(np.random.default_rng(0))
    >>> look.fat < 0 < look.spleen < look.blood
    True
    """

    half_width: float
    half_depth: float
    fat_thickness: float
    dome: float
    fat: float
    muscle: float
    marrow: float
    liver: float
    spleen: float
    kidney: float
    blood: float
    meal: float
    filling: float


def draw_abdomen_look(rng: np.random.Generator) -> AbdomenLook:
    """Draw a patient's build and the uptake of contrast agent in the portal venous phase.

    >>> draw_abdomen_look(np.random.default_rng(0)) == draw_abdomen_look(np.random.default_rng(0))
    True
    """
    uptake = rng.uniform(0.75, 1.2)
    return AbdomenLook(
        half_width=rng.uniform(135, 148),
        half_depth=rng.uniform(92, 108),
        fat_thickness=rng.uniform(7, 18),
        dome=rng.uniform(62, 76),
        fat=rng.uniform(-112, -92),
        muscle=rng.uniform(50, 66),
        marrow=rng.uniform(130, 230),
        liver=58 + 48 * uptake - rng.exponential(10),
        spleen=50 + 66 * uptake * rng.uniform(0.92, 1.08),
        kidney=40 + 140 * uptake,
        blood=45 + 105 * uptake,
        meal=float(rng.choice([5, 25, 45, 70, 130, 210])) + rng.uniform(-8, 8),
        filling=rng.uniform(0.35, 1.0),
    )


def paint_abdomen(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> None:
    """Paint a patient from the skin inwards; label 1 is the spleen.

    Args:
        canvas: Where to paint, in the patient's frame; its intensity is replaced.
        look: The patient.
        rng: Source of the organs' places and shapes.

    >>> rng = np.random.default_rng(0)
    >>> look, canvas = draw_abdomen_look(rng), Canvas((32, 32, 16), (12, 12, 12), (-186, -186, -90))
    >>> paint_abdomen(canvas, look, rng)
    >>> intensity, spleen = canvas.layers
    >>> bool(abs(np.median(intensity[spleen > 0.9]) - look.spleen) < 1)
    True
    """
    canvas.layers[0] = AIR
    _paint_wall(canvas, look, rng)
    _paint_lungs(canvas, look)
    _paint_liver(canvas, look, rng)
    _paint_bowel(canvas, look, rng)
    hilum = _paint_spleen(canvas, look, rng)
    _paint_kidneys(canvas, look, rng)
    _paint_pancreas(canvas, look, hilum)
    _paint_stomach(canvas, look, rng)
    _paint_back(canvas, look, phase=rng.uniform(0, 26))


def _paint_wall(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> None:
    width, depth, skin = look.half_width, look.half_depth, look.fat_thickness
    table = -depth - 1.25 * skin - 9
    canvas.paint(Ellipsoid((0, table, 0), (190, 7, 400), exponent=8), -250)
    canvas.paint(Ellipsoid((0, table, 0), (186, 4, 400), exponent=8), -930)
    canvas.paint(column(width + 1.3 * skin, depth + skin, y=-0.25 * skin), look.fat)
    canvas.paint(column(width, depth), look.muscle)
    phase, drop = rng.uniform(0, 28), rng.uniform(0.35, 0.6)
    for start, end in rib_segments(width, depth, phase, drop):
        if start[2] > 0.9 * start[1] - 60:  # below this line, the costal margin, there are no ribs
            canvas.paint(Tube(start, end, 4.5), BONE)
            canvas.paint(Tube(start, end, 2.5), look.marrow)
    canvas.paint(column(width - WALL, depth - WALL), look.fat)


def _paint_lungs(canvas: Canvas, look: AbdomenLook) -> None:
    outer = look.half_width - WALL - 1
    for side in (-1, 1):
        lung = Ellipsoid(
            (side * (outer + 8) / 2, -4, look.dome + 80), ((outer - 8) / 2, look.half_depth - 20, 130), exponent=3
        )
        canvas.paint(lung, LUNG)
        top = look.dome - (8 if side < 0 else 0)
        canvas.paint(Ellipsoid((side * 0.47 * outer, 3, top - 90), (0.56 * outer, look.half_depth - 26, 92)), look.fat)
    canvas.paint(Ellipsoid((-14, 20, look.dome + 34), (58, 46, 40)), look.blood)  # the heart's lower side


def _paint_liver(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> None:
    outer, top = look.half_width - WALL, look.dome
    reach = rng.uniform(-62, -28)  # how far the left lobe comes to the left
    right = Ellipsoid((outer - 62, 0, top - 78), (60, look.half_depth - 26, 80), exponent=2.4)
    left = Ellipsoid((0.5 * (reach + 40), 38, top - 38), (0.5 * (40 - reach), 34, 32), rotation((-12, 8, 0)))
    liver = SoftUnion([right, left], softness=4)
    canvas.paint(liver, look.liver)
    for angle in rng.uniform(-40, 80, 6):
        end = (48 + 42 * np.cos(np.deg2rad(angle)), 42 * np.sin(np.deg2rad(angle)), top - rng.uniform(25, 95))
        canvas.paint(Tube((26, 0, top - 62), end, 5.5, 2.5), look.blood - 12)
    canvas.paint(Ellipsoid((38, 48, top - 112), (15, 20, 22)), FLUID)


def _paint_bowel(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> None:
    for _ in range(26):  # loops of small bowel
        place = np.array([rng.uniform(-75, 75), rng.uniform(5, 62), rng.uniform(-100, -42)])
        course = place + np.cumsum(rng.normal(0, 11, (4, 3)), axis=0)
        canvas.paint(polyline(course, 11), look.muscle + 10)
        canvas.paint(polyline(course, 8), float(rng.choice([FLUID, 35, look.meal])))
    outer = look.half_width - WALL
    flexure = rng.uniform(-28, -2)
    colon = [(60, 62, -70), (0, 70, -62), (-60, 58, flexure - 14), (26 - outer, 18, flexure), (24 - outer, -14, -100)]
    canvas.paint(polyline(colon, 19), look.muscle)
    for start, end in pairwise(np.asarray(colon)):
        for ends in pairwise([start, 0.5 * (start + end), end]):
            canvas.paint(Tube(*ends, 15.5), float(rng.choice([GAS, -300, 20, 45])))


def _paint_spleen(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> Array:
    """Paint the spleen along the wall, behind and to the left, and hollow it towards its hilum, which is returned."""
    yaw, tilt = rng.uniform(25, 41), rng.uniform(15, 35)
    axes = rotation((tilt, rng.uniform(-10, 10), yaw))
    radii = np.array([31, 45, 54]) * rng.uniform(0.9, 1.14, 3)
    inwards = np.array([np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw)), 0])
    wall = _wall_at(look, inwards)
    centre = wall + (radii[0] - 7) * inwards + [0, 0, look.dome - 62 + rng.uniform(-6, 6)]
    pole = centre + axes @ (np.array([0.1, 0.25, -0.62]) * radii)
    tip = Ellipsoid(pole, radii * (0.62, 0.6, 0.5), axes)
    spleen = SoftUnion([Ellipsoid(centre, radii, axes, exponent=2.3), tip], softness=3)
    canvas.paint(Inside(spleen, column(look.half_width - WALL - 1, look.half_depth - WALL - 1)), look.spleen, label=1)
    hilum = centre + inwards * radii[0] * rng.uniform(0.95, 1.1) + axes @ (np.array([0, 0.12, 0.05]) * radii)
    hollow = Ellipsoid(hilum + 12 * inwards, (22, 0.55 * radii[1], 0.72 * radii[2]), axes)
    canvas.paint(hollow, look.fat)
    for step in rng.normal(0, (6, 10, 16), (3, 3)):
        canvas.paint(Tube(hilum - 6 * inwards + axes @ step, hilum + 24 * inwards, 3.5, 5), look.blood - 8)
    return np.asarray(hilum + 24 * inwards)


def _wall_at(look: AbdomenLook, inwards: Array) -> Array:
    reach = np.array([look.half_width - WALL, look.half_depth - WALL, 1.0])
    return -reach * inwards / np.linalg.norm(inwards[:2])


def _paint_kidneys(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> None:
    for side, level in ((-1, look.dome - 98), (1, look.dome - 118)):
        centre = np.array(
            [side * rng.uniform(52, 62), -look.half_depth + rng.uniform(56, 62), level + rng.uniform(-10, 10)]
        )
        axes, size = rotation((8, -side * 10, -side * 35)), rng.uniform(0.9, 1.08)
        canvas.paint(Ellipsoid(centre, size * np.array([36, 32, 64]), axes), look.fat)
        canvas.paint(Ellipsoid(centre, size * np.array([27, 24, 53]), axes), look.kidney)
        canvas.paint(Ellipsoid(centre, size * np.array([17, 14, 40]), axes), 0.8 * look.kidney)
        sinus = centre - side * np.array([12, -6, 0])
        canvas.paint(Ellipsoid(sinus, size * np.array([11, 8, 20]), axes), 0.3 * look.fat)


def _paint_pancreas(canvas: Canvas, look: AbdomenLook, hilum: Array) -> None:
    course = np.array([(32, 20, look.dome - 118), (14, 26, look.dome - 98), (-20, 14, look.dome - 84)])
    tail = hilum + np.array([6, 4, -4])
    canvas.paint(polyline([*course, 0.5 * (course[-1] + hilum), tail], 10), 0.85 * look.liver)
    canvas.paint(polyline([*(course[1:] - np.array([0, 10, 0])), hilum], 4.5), look.blood)


def _paint_stomach(canvas: Canvas, look: AbdomenLook, rng: np.random.Generator) -> None:
    size = rng.uniform(0.8, 1.2)
    course = np.array([(-50, 6, -34), (-58, 30, -48), (-36, 42, -78), (4, 44, -86)]) + rng.uniform(-8, 8, (4, 3))
    course[:, 2] += look.dome
    radii, fundus = np.array([29 * size, 24 * size, 17, 13]), size * np.array([34, 36, 36])
    outer, inner = (_stomach(course, radii - wall, fundus - wall) for wall in (0, 5))
    canvas.paint(outer, look.muscle + 25)
    canvas.paint(inner, look.meal)
    low, high = inner.bounds()
    level = low[1] + look.filling * (high[1] - low[1])
    canvas.paint(Cut(inner, (0, level, 0), (0, -1, 0)), GAS)


def _stomach(course: Array, radii: Array, fundus: Array) -> SoftUnion:
    pieces = [Tube(*ends, *ends_radii) for ends, ends_radii in zip(pairwise(course), pairwise(radii), strict=True)]
    return SoftUnion([Ellipsoid(course[0], fundus), *pieces], softness=4)


def _paint_back(canvas: Canvas, look: AbdomenLook, phase: float) -> None:
    back = -look.half_depth
    for side in (-1, 1):  # the diaphragm's crura and the psoas muscles
        canvas.paint(Tube((side * 18, back + 66, 60), (side * 22, back + 52, -20), 6), look.muscle)
        canvas.paint(Tube((side * 28, back + 44, -30), (side * 42, back + 48, -150), 10, 20), look.muscle)
    spine = SpineLook(look.muscle, disc=85, bone=look.marrow, canal=25, cord=40)
    paint_spine(canvas, spine, back + 6, phase)
    canvas.paint(Tube((-10, back + 72, -200), (-8, back + 72, 200), 11), look.blood)
    canvas.paint(Tube((22, back + 74, -200), (20, back + 80, 200), 12), look.blood - 15)
