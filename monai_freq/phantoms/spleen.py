"""Phantom of the Decathlon's spleen task: portal venous CT of the abdomen, in Hounsfield units."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .acquisition import deform, ramp_noise, texture
from .canvas import Canvas, Organs, draw_look, scan_canvas
from .scans import Case, Size, scan_phantom
from .solids import Array, chain, ellipsoid, half_space, polyline, rotation, soft_union, tube
from .trunk import column, rib_segments, spine

__all__ = ["AIR", "FIELD_OF_VIEW", "SPLEEN", "draw_spleen_case"]

FIELD_OF_VIEW = (368.0, 368.0, 192.0)  # mm
AIR, LUNG, GAS, FLUID, BONE = -1000.0, -830.0, -900.0, 12.0, 480.0
WALL = 18.0  # mm of muscle and ribs around the cavity

# Lengths in mm, intensities in HU. In the frame of all that follows, x leads to the right, y to the front and z upwards
# from the middle of the abdomen.
ABDOMEN = {
    "uptake": (0.75, 1.2),  # of contrast agent, relative to the usual
    "half_width": (135, 148),  # under the skin's fat
    "half_depth": (92, 108),
    "fat_thickness": (7, 18),
    "dome": (62, 76),  # height of the diaphragm
    "fat": (-112, -92),
    "muscle": (50, 66),
    "marrow": (130, 230),
}


def draw_spleen_case(rng: np.random.Generator, size: Size) -> Case:
    """Draw one abdomen: the image in HU, the label (1 is the spleen) and the affine in mm (RAS).

    Args:
        rng: source of everything drawn.
        size: voxels along x, y and z.

    Example:
        >>> image, label, affine = draw_spleen_case(np.random.default_rng(0), (32, 32, 16))
        >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().tolist()
        ((32, 32, 16), 'int16', [0, 1], [11.5, 11.5, 12.0, 1.0])
    """
    canvas, affine = scan_canvas(size, FIELD_OF_VIEW, shift=rng.uniform(-1, 1, 3) * (6, 6, 8))
    _paint_abdomen(canvas, _draw_abdomen(rng), rng)
    units, spleen = deform(rng, canvas.averaged(), affine, displacement=6.0)
    return _acquire(rng, units), (spleen > 0.5).astype(np.uint8), affine


def _acquire(rng: np.random.Generator, units: NDArray[np.float32]) -> NDArray[np.int16]:
    from scipy.ndimage import gaussian_filter

    density = np.clip(1 + units / 1000, 0, 1, dtype=np.float32)
    parenchyma = rng.uniform(3, 7) * density * texture(rng, units.shape, 1.0)
    # Rays through the middle of the body bring fewer photons.
    blurred = gaussian_filter(density, [0.1 * density.shape[0], 0.1 * density.shape[1], 0], mode="constant")
    noise = rng.uniform(8, 15) * np.asarray(0.3 + 0.7 * blurred) * ramp_noise(rng, units.shape, 0.6)
    return np.asarray(np.rint(np.clip(units + parenchyma + noise, -1024, 3071)), dtype=np.int16)


def _draw_abdomen(rng: np.random.Generator) -> SimpleNamespace:
    """Build of a patient, and the intensities of the organs in the portal venous phase."""
    look = draw_look(rng, ABDOMEN)
    look.liver = 58 + 48 * look.uptake - rng.exponential(10)  # lower when it holds fat
    look.spleen = 50 + 66 * look.uptake * rng.uniform(0.92, 1.08)
    look.kidney, look.blood = 40 + 140 * look.uptake, 45 + 105 * look.uptake
    look.meal = float(rng.choice([5, 25, 45, 70, 130, 210])) + rng.uniform(-8, 8)  # water, food, contrast agent
    look.filling = rng.uniform(0.35, 1.0)  # of the stomach from behind; gas is above, the patient lying on the back
    return look


def _paint_abdomen(canvas: Canvas, look: SimpleNamespace, rng: np.random.Generator) -> None:
    """Paint a patient from the skin inwards; label 1 is the spleen."""
    canvas.layers[0] = AIR
    for organs in (_wall, _chest, _liver, _bowel):
        canvas.paint_all(organs(look, rng))
    spleen, hilum = _spleen(look, rng)
    for rows in (spleen, _kidneys(look, rng), _pancreas(look, hilum), _stomach(look, rng), _back(look, rng)):
        canvas.paint_all(rows)


def _wall(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    width, depth, skin = look.half_width, look.half_depth, look.fat_thickness
    table = -depth - 1.25 * skin - 9
    yield ellipsoid((0, table, 0), (190, 7, 400), exponent=8), -250
    yield ellipsoid((0, table, 0), (186, 4, 400), exponent=8), -930
    yield column(width + 1.3 * skin, depth + skin, y=-0.25 * skin), look.fat
    yield column(width, depth), look.muscle
    for start, end in rib_segments(width, depth, phase=rng.uniform(0, 28), drop=rng.uniform(0.35, 0.6)):
        if start[2] > 0.9 * start[1] - 60:  # below this line, the costal margin, there are no ribs
            yield tube(start, end, 4.5), BONE
            yield tube(start, end, 2.5), look.marrow
    yield column(width - WALL, depth - WALL), look.fat


def _chest(look: SimpleNamespace, _: np.random.Generator) -> Organs:
    outer, depth = look.half_width - WALL - 1, look.half_depth
    for side in (-1, 1):
        centre, radii = (side * (outer + 8) / 2, -4, look.dome + 80), ((outer - 8) / 2, depth - 20, 130)
        yield ellipsoid(centre, radii, exponent=3), LUNG
        top = look.dome - (8 if side < 0 else 0)
        yield ellipsoid((side * 0.47 * outer, 3, top - 90), (0.56 * outer, depth - 26, 92)), look.fat
    yield ellipsoid((-14, 20, look.dome + 34), (58, 46, 40)), look.blood  # the heart's lower side


def _liver(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    outer, top = look.half_width - WALL, look.dome
    reach = rng.uniform(-62, -28)  # how far the left lobe comes to the left
    right = ellipsoid((outer - 62, 0, top - 78), (60, look.half_depth - 26, 80), exponent=2.4)
    left = ellipsoid((0.5 * (reach + 40), 38, top - 38), (0.5 * (40 - reach), 34, 32), rotation((-12, 8, 0)))
    yield soft_union([right, left], softness=4), look.liver
    for angle in rng.uniform(-40, 80, 6):
        end = (48 + 42 * np.cos(np.deg2rad(angle)), 42 * np.sin(np.deg2rad(angle)), top - rng.uniform(25, 95))
        yield tube((26, 0, top - 62), end, 5.5, 2.5), look.blood - 12
    yield ellipsoid((38, 48, top - 112), (15, 20, 22)), FLUID


def _bowel(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    for _ in range(26):  # loops of small bowel
        place = np.array([rng.uniform(-75, 75), rng.uniform(5, 62), rng.uniform(-100, -42)])
        course = place + np.cumsum(rng.normal(0, 11, (4, 3)), axis=0)
        yield polyline(course, 11), look.muscle + 10
        yield polyline(course, 8), float(rng.choice([FLUID, 35, look.meal]))
    outer, flexure = look.half_width - WALL, rng.uniform(-28, -2)
    colon = [(60, 62, -70), (0, 70, -62), (-60, 58, flexure - 14), (26 - outer, 18, flexure), (24 - outer, -14, -100)]
    yield polyline(colon, 19), look.muscle
    for start, end in pairwise(np.asarray(colon)):
        for ends in pairwise([start, 0.5 * (start + end), end]):
            yield tube(*ends, 15.5), float(rng.choice([GAS, -300, 20, 45]))


def _spleen(look: SimpleNamespace, rng: np.random.Generator) -> tuple[Organs, Array]:
    """Spleen along the wall, behind and to the left, hollow towards its hilum, and where the vessels meet there."""
    yaw, tilt = rng.uniform(25, 41), rng.uniform(15, 35)
    axes = rotation((tilt, rng.uniform(-10, 10), yaw))
    radii = np.array([31, 45, 54]) * rng.uniform(0.9, 1.14, 3)
    inwards = np.array([np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw)), 0])
    reach = np.array([look.half_width - WALL, look.half_depth - WALL, 1.0])
    wall = -reach * inwards / np.linalg.norm(inwards[:2])
    centre = wall + (radii[0] - 7) * inwards + [0, 0, look.dome - 62 + rng.uniform(-6, 6)]
    tip = ellipsoid(centre + axes @ (np.array([0.1, 0.25, -0.62]) * radii), radii * (0.62, 0.6, 0.5), axes)
    whole = soft_union([ellipsoid(centre, radii, axes, exponent=2.3), tip], softness=3)
    gate = centre + inwards * radii[0] * rng.uniform(0.95, 1.1) + axes @ (np.array([0, 0.12, 0.05]) * radii)
    hilum = gate + 24 * inwards
    organs: list[tuple[Any, ...]] = [
        (whole & column(look.half_width - WALL - 1, look.half_depth - WALL - 1), look.spleen, 1),
        (ellipsoid(gate + 12 * inwards, (22, 0.55 * radii[1], 0.72 * radii[2]), axes), look.fat),
    ]
    for step in rng.normal(0, (6, 10, 16), (3, 3)):
        organs.append((tube(gate - 6 * inwards + axes @ step, hilum, 3.5, 5), look.blood - 8))
    return iter(organs), hilum


def _kidneys(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    for side, level in ((-1, look.dome - 98), (1, look.dome - 118)):
        y = -look.half_depth
        centre = np.array([side * rng.uniform(52, 62), y + rng.uniform(56, 62), level + rng.uniform(-10, 10)])
        axes, size = rotation((8, -side * 10, -side * 35)), rng.uniform(0.9, 1.08)
        yield ellipsoid(centre, size * np.array([36, 32, 64]), axes), look.fat
        yield ellipsoid(centre, size * np.array([27, 24, 53]), axes), look.kidney
        yield ellipsoid(centre, size * np.array([17, 14, 40]), axes), 0.8 * look.kidney
        sinus = centre - side * np.array([12, -6, 0])
        yield ellipsoid(sinus, size * np.array([11, 8, 20]), axes), 0.3 * look.fat


def _pancreas(look: SimpleNamespace, hilum: Array) -> Organs:
    course = np.array([(32, 20, look.dome - 118), (14, 26, look.dome - 98), (-20, 14, look.dome - 84)])
    tail = hilum + np.array([6, 4, -4])
    yield polyline([*course, 0.5 * (course[-1] + hilum), tail], 10), 0.85 * look.liver
    yield polyline([*(course[1:] - np.array([0, 10, 0])), hilum], 4.5), look.blood


def _stomach(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    size = rng.uniform(0.8, 1.2)
    course = np.array([(-50, 6, -34), (-58, 30, -48), (-36, 42, -78), (4, 44, -86)]) + rng.uniform(-8, 8, (4, 3))
    course[:, 2] += look.dome
    radii, fundus = np.array([29 * size, 24 * size, 17, 13]), size * np.array([34, 36, 36])
    outer, inner = (
        soft_union([ellipsoid(course[0], fundus - wall), *chain(course, radii - wall)], softness=4) for wall in (0, 5)
    )
    yield outer, look.muscle + 25
    yield inner, look.meal
    level = inner.low[1] + look.filling * (inner.high[1] - inner.low[1])
    yield inner & half_space((0, level, 0), (0, -1, 0)), GAS


def _back(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    back = -look.half_depth
    for side in (-1, 1):  # the diaphragm's crura and the psoas muscles
        yield tube((side * 18, back + 66, 60), (side * 22, back + 52, -20), 6), look.muscle
        yield tube((side * 28, back + 44, -30), (side * 42, back + 48, -150), 10, 20), look.muscle
    tissues = {"muscle": look.muscle, "disc": 85, "bone": look.marrow, "canal": 25, "cord": 40}
    yield from spine(back + 6, rng.uniform(0, 26), **tissues)
    yield tube((-10, back + 72, -200), (-8, back + 72, 200), 11), look.blood
    yield tube((22, back + 74, -200), (20, back + 80, 200), 12), look.blood - 15


SPLEEN = scan_phantom(
    draw_spleen_case,
    folder="Task09_Spleen",
    stem="spleen",
    name="Spleen",
    description="Spleen in portal venous CT images of the abdomen",
    modality="CT",
    labels=("spleen",),
    cases=20,
    test_cases=2,
    size=(64, 64, 32),
)
