"""Phantom of the Decathlon's heart task: the left atrium in MR images of the chest."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from .acquisition import deform, magnitude_image
from .canvas import Organs, draw_look, scan_canvas
from .scans import Case, Size, scan_phantom
from .solids import Array, Frame, Solid, ellipsoid, polyline, rotation, soft_union, tube
from .trunk import column, rib_segments, spine

__all__ = ["HEART", "draw_heart_case"]

FIELD_OF_VIEW = (328.0, 328.0, 144.0)  # mm

SHORTEST_VESSEL = 9.0  # mm: shorter ones would vanish in a voxel

# Lengths in mm, intensities relative to bright blood. In all frames x leads to the right, y to the front, z upwards.
CHEST = {
    "half_width": (138, 156),  # under the skin's fat
    "half_depth": (94, 104),
    "fat_thickness": (8, 20),
    "diaphragm": (-46, -24),  # height of the right dome
    "fat": (0.38, 0.8),  # bright, or dark when it is suppressed
    "muscle": (0.24, 0.36),
    "marrow": (0.28, 0.5),
    "lung": (0.03, 0.1),
    "liver": (0.3, 0.45),
    "fluid": (0.7, 1.0),  # around the spinal cord
    "vessel": (0.65, 0.95),  # of the lungs
}

# What follows is in mm from the centre of an average heart.
LONG_AXIS = np.array([-0.68, 0.60, -0.42])  # from the base to the apex
ATRIUM, ATRIUM_CENTRE = np.array([34.0, 24.0, 28.0]), np.array([0.0, -27.0, 12.0])  # the left one's semi-axes
# Where the four pulmonary veins leave the left atrium, from its centre, and in which direction they run.
VEINS = (
    ((20, -12, 10), (0.80, -0.30, 0.52)),
    ((20, -13, -8), (0.84, -0.50, -0.20)),
    ((-20, -12, 11), (-0.78, -0.35, 0.52)),
    ((-21, -13, -7), (-0.80, -0.58, -0.15)),
)
AORTA = ((-6, 2, 2), (4, 9, 22), (12, 10, 50), (8, 4, 74), (-8, -18, 88), (-14, -45, 84))
# Left atrium, left ventricle, right atrium, right ventricle, aorta, pulmonary vessels: oxygen makes blood brighter.
BLOOD = np.array([1.0, 1.0, 0.92, 0.9, 1.03, 0.94])


def draw_heart_case(rng: np.random.Generator, size: Size) -> Case:
    """Draw one chest: the image, the label (1 is the left atrium) and the affine in mm (RAS).

    Args:
        rng: source of everything drawn.
        size: voxels along x, y and z.

    Example:
        >>> image, label, affine = draw_heart_case(np.random.default_rng(0), (32, 32, 16))
        >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().tolist()
        ((32, 32, 16), 'int16', [0, 1], [10.25, 10.25, 9.0, 1.0])
    """
    canvas, affine = scan_canvas(size, FIELD_OF_VIEW, shift=rng.uniform(-1, 1, 3) * (8, 8, 4))
    look, heart = draw_look(rng, CHEST), _draw_heart(rng)
    canvas.paint_all(_chest(look, rng))
    for side in (-1, 1):
        canvas.paint_all(_lung_vessels(look, rng, heart.frame.place((side * 42, -24, 28)), side))
    canvas.paint_all(_heart(heart, look.fat, back=61 - look.half_depth))
    signal, atrium = deform(rng, canvas.averaged(), affine, displacement=4.0)
    image = magnitude_image(rng, signal, bias=(0.1, 0.3), grain=(0.03, 1.2), noise=(0.018, 0.03))
    return np.rint(1000 * rng.uniform(0.7, 1.4) * image).astype(np.int16), (atrium > 0.5).astype(np.uint8), affine


def _chest(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    """Everything that lies around the heart, from the skin inwards; the origin is the middle of the chest."""
    width, depth, skin, top = look.half_width, look.half_depth, look.fat_thickness, look.diaphragm
    # Fat gathers at the sides and the back: the layers are not concentric.
    yield column(width + 1.3 * skin, depth + skin, y=-0.25 * skin), look.fat
    yield column(width, depth), look.muscle
    for side in (-1, 1):
        yield ellipsoid((side * 62, depth - 4, 40), (46, 13, 60), rotation((0, 0, -side * 14))), look.muscle
        yield ellipsoid((side * (width - 12), -30, 20), (16, 44, 120)), look.muscle
    for start, end in rib_segments(width, depth, phase=rng.uniform(0, 28), drop=rng.uniform(0.35, 0.6)):
        yield tube(start, end, 6.0), 0.4 * look.muscle
        yield tube(start, end, 3.5), look.marrow
    yield column(width - 16, depth - 15), 0.5 * (look.fat + look.muscle)
    yield from ((_lung(look, side), look.lung) for side in (-1, 1))
    yield ellipsoid((-2, 10, 70), (34, 52, 75)), 0.85 * look.fat  # the mediastinum above the heart
    yield ellipsoid((62, -4, top - 80), (84, depth - 18, 80)), look.liver
    yield ellipsoid((-76, -10, top - 90), (62, depth - 22, 78)), 0.8 * look.liver  # spleen and stomach
    yield ellipsoid((-62, 18, top - 75), (34, 34, 48)), 0.3 * look.liver + 0.1
    tissues = {"muscle": look.muscle, "disc": 0.55 * look.fluid, "bone": look.marrow, "canal": look.fluid, "cord": 0.5}
    yield from spine(-depth, rng.uniform(0, 26), **tissues)
    yield ellipsoid((0, depth - 6, 10), (16, 6, 75)), look.marrow  # the sternum


def _lung(look: SimpleNamespace, side: int) -> Solid:
    inner, outer = 14 if side > 0 else 26, look.half_width - 22
    centre = (side * (inner + outer) / 2, -8, look.diaphragm - 40 + 130)
    return ellipsoid(centre, ((outer - inner) / 2 + 8, look.half_depth - 20, 130), exponent=2.8)


def _lung_vessels(look: SimpleNamespace, rng: np.random.Generator, hilum: Array, side: int) -> Organs:
    """Tree of vessels from a hilum into the right (1) or left (-1) lung."""
    lung = _lung(look, side)
    for _ in range(8):
        direction = np.array([side * rng.uniform(0.4, 1), rng.uniform(-0.7, 0.7), rng.uniform(-1, 1)])
        for start, end, radius in _branches(rng, lung, hilum, direction, length=40, radius=4.2):
            if end[2] > look.diaphragm:
                yield tube(start, end, radius, 0.75 * radius), look.vessel


def _branches(
    rng: np.random.Generator, lung: Solid, start: Array, direction: Array, length: float, radius: float
) -> Iterator[tuple[Array, Array, float]]:
    end = start + length * direction / np.linalg.norm(direction)
    if length < SHORTEST_VESSEL or lung.distance(list(end)) > -2:
        return
    yield start, end, radius
    for _ in range(2):  # each branch is 0.62 as long and 0.7 as wide as its parent
        turned = (end - start) / length + rng.normal(0, 0.45, 3)
        yield from _branches(rng, lung, end, turned, 0.62 * length, 0.7 * radius)


def _draw_heart(rng: np.random.Generator) -> SimpleNamespace:
    """What differs from heart to heart; ``veins`` are those of the four that are wide and have a labelled stub."""
    level, place = rng.uniform(0.85, 1.0), np.array([-14, 14, 1]) + rng.uniform(-1, 1, 3) * (3, 3, 3)
    return SimpleNamespace(
        frame=Frame(place, rotation(rng.uniform(-1, 1, 3) * (3, 3, 3)), rng.uniform(0.96, 1.07)),
        atrium=ATRIUM * rng.uniform(0.93, 1.09, 3),
        stretch=rng.uniform(0.92, 1.08, 4),  # of left ventricle, right ventricle, right atrium and vessels
        veins=tuple(sorted(rng.choice(4, rng.integers(2, 5), replace=False).tolist())),
        bend=rng.normal(0, 0.06, (4, 3)),  # of the directions of the veins
        stub=rng.uniform(8, 11),  # mm, length
        appendage=rng.uniform(12, 17),  # mm, length
        wall=rng.uniform(8.5, 12),  # mm, of the left ventricle
        blood=level * BLOOD * (1 + rng.uniform(-0.03, 0.03, 6)),
        myocardium=rng.uniform(0.38, 0.5),
    )


def _heart(heart: SimpleNamespace, fat: float, back: float) -> Organs:
    """Fat around the heart, vessels behind, right side, left atrium, left ventricle, and the vessel in front.

    Along the spine, whose front is at ``back``, the aorta descends.
    """
    frame: Frame = heart.frame
    muscle, stretch = heart.myocardium, heart.stretch
    left_atrium, left_ventricle, right_atrium, right_ventricle, aorta, lungs = heart.blood

    def ball(centre: Array | tuple[float, ...], radii: Array | tuple[float, ...], axes: Array | None = None) -> Solid:
        return frame.ellipsoid(centre, radii, axes, exponent=2.2)

    def vessel(points: tuple[tuple[float, ...], ...], radius: float) -> Solid:
        return polyline(frame.place(points), frame.scale * stretch[3] * radius)

    long = _long_frame()
    yield ball((-10, 10, -12), (66, 44, 50), long), fat, 0, 0.9
    yield ball((14, 0, 6), (46, 44, 52)), fat, 0, 0.9
    x, y, radius = frame.origin[0] - 14, back - 11, 11.5 * stretch[3]  # beside the vertebrae
    yield tube((x + 20, back + 3, -200), (x + 20, back + 3, 200), 6), 0.9 * muscle  # oesophagus
    yield tube((x, y, -200), (x - 2, y, 200), radius + 1.5), muscle, 0, 0.7
    yield tube((x, y, -200), (x - 2, y, 200), radius), aorta
    yield vessel(((-14, 26, 28), (-16, 2, 57), (-42, -22, 56)), 11.5), lungs
    yield vessel(((-16, 2, 57), (14, -16, 53), (46, -18, 49)), 10), lungs
    yield ball((4, 28, -20), stretch[1] * np.array([41, 25, 33]), long), muscle
    yield ball((4, 28, -20), stretch[1] * np.array([37, 21, 29]), long), right_ventricle
    yield vessel(((-4, 32, 0), (-14, 26, 28)), 14), right_ventricle
    yield vessel(((34, 2, 0), (32, 4, 40), (28, 4, 110)), 9), right_atrium
    yield vessel(((34, -6, -20), (24, -14, -110)), 11.5), right_atrium
    yield ball((33, 2, -4), stretch[2] * np.array([24, 26, 31]) + 2), muscle
    yield ball((33, 2, -4), stretch[2] * np.array([24, 26, 31])), right_atrium
    for number in range(4):  # beyond the labelled stubs, and the thin ones that have none
        start, direction = _vein(heart, number)
        yield tube(start, start + 46 * direction, (6.0 if number in heart.veins else 3.5) * frame.scale, 3), left_atrium
    yield ball(ATRIUM_CENTRE, heart.atrium + 5), 0.6 * muscle + 0.4 * fat, 0, 0.8
    cavity, centre = stretch[0] * np.array([42, 24, 24]), np.array([-34, 6, -16])
    yield ball(centre, cavity + heart.wall, long), muscle
    yield ball(centre - 4 * LONG_AXIS, cavity, long), left_ventricle
    for side in (-1, 1):  # papillary muscles
        yield ball(centre + 16 * LONG_AXIS + side * np.array([5, 10, 8]), (11, 4, 4), long), muscle
    yield _left_atrium(heart, ball(ATRIUM_CENTRE, heart.atrium)), left_atrium, 1
    yield vessel(AORTA, 15.5), muscle, 0, 0.7
    yield vessel(AORTA, 13.8), aorta


def _left_atrium(heart: SimpleNamespace, body: Solid) -> Solid:
    frame = heart.frame
    side = frame.place((-0.75 * heart.atrium[0], -18, 18))
    tip = side + frame.scale * heart.appendage * (frame.turn @ np.array([-0.45, 0.85, 0.1]))
    veins = [_vein(heart, number) for number in heart.veins]
    stubs = [tube(start, start + heart.stub * direction, 7 * frame.scale) for start, direction in veins]
    return soft_union([body, tube(side, tip, 8 * frame.scale, 5), *stubs], softness=2.0)


def _vein(heart: SimpleNamespace, number: int) -> tuple[Array, Array]:
    start, direction = np.asarray(VEINS[number][0]) * heart.atrium / ATRIUM, VEINS[number][1] + heart.bend[number]
    return heart.frame.place(ATRIUM_CENTRE + start), heart.frame.turn @ (direction / np.linalg.norm(direction))


def _long_frame() -> Array:
    # Columns: the long axis, then two axes square to it, the second as horizontal as it gets.
    along = LONG_AXIS / np.linalg.norm(LONG_AXIS)
    across = np.cross([0, 0, 1], along)
    across /= np.linalg.norm(across)
    return np.stack([along, across, np.cross(along, across)], axis=1)


HEART = scan_phantom(
    draw_heart_case,
    folder="Task02_Heart",
    stem="la",
    name="LeftAtrium",
    description="Left atrium in MR images of the chest",
    modality="MRI",
    labels=("left atrium",),
    cases=20,
    test_cases=2,
    size=(64, 64, 32),
)
