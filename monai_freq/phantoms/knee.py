"""A knee in fat-suppressed, proton-density weighted MR, its anterior cruciate ligament whole, thinned or torn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .canvas import Canvas
from .shapes import Ellipsoid, Tube, rotation
from .tubes import Tubes

__all__ = ["Frame", "KneeLook", "draw_knee_look", "paint_knee"]

Array = NDArray[np.floating[Any]]

BUNDLES = 2.4  # mm between the middles of a ligament's bundles
CORTEX = 1.0  # mm of compact bone, which gives no signal
FEMUR = (  # centres and semi-axes in mm
    ((22, -6, 17), (15, 27, 19)),
    ((-22, -6, 17), (15, 27, 19)),
    ((0, 16, 24), (22, 13, 16)),
    ((0, 3, 42), (27, 17, 22)),
)
ORIGIN, INSERTION = (2.5, -17.0, 15.0), (-0.5, 8.0, -4.5)  # of the ligament, on the femur and on the tibia


@dataclass(frozen=True)
class Frame:
    """Where a bone and all that goes with it lies.

    Args:
        axes: Rotation matrix.
        scale: Factor on all lengths.
        origin: Where the joint's middle comes to lie, in mm.

    >>> Frame(np.eye(3), 2.0, np.array([1.0, 0, 0])).point((1, 0, 0)).tolist()
    [3.0, 0.0, 0.0]
    """

    axes: Array
    scale: float
    origin: Array

    def point(self, place: ArrayLike) -> Array:
        """Bring a place of the average knee to its place in mm."""
        return np.asarray(self.origin + self.scale * (self.axes @ np.asarray(place, dtype=float)))

    def ellipsoid(self, centre: ArrayLike, radii: ArrayLike, exponent: float = 2.0) -> Ellipsoid:
        """Place an ellipsoid."""
        return Ellipsoid(self.point(centre), self.scale * np.asarray(radii, dtype=float), self.axes, exponent)

    def tube(self, start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None) -> Tube:
        """Place a tube."""
        end_radius = radius if end_radius is None else end_radius
        return Tube(self.point(start), self.point(end), self.scale * radius, self.scale * end_radius)


@dataclass(frozen=True)
class KneeLook:
    """What differs from patient to patient; lengths in mm, intensities relative to joint fluid.

    The frame is the patient's: x towards the outer side, y to the front, z upwards, the origin in the middle of the
    joint.

    Args:
        thigh: Frame of all that moves with the femur.
        shank: Frame of all that moves with the tibia.
        skin: Thickness of the fat under the skin.
        fat: Intensity of fat, which is suppressed.
        marrow: Intensity of bone marrow.
        muscle: Intensity of muscle.
        cartilage: Intensity of cartilage.
        capsule: Intensity of the tissue around the ligaments.
        ligament: Intensity of ligaments, tendons and menisci.
        effusion: Amount of fluid in the joint, from 0.

    >>> look = draw_knee_look(np.random.default_rng(0))
    >>> look.ligament < look.cartilage < 1
    True
    """

    thigh: Frame
    shank: Frame
    skin: float
    fat: float
    marrow: float
    muscle: float
    cartilage: float
    capsule: float
    ligament: float
    effusion: float


def draw_knee_look(rng: np.random.Generator) -> KneeLook:
    """Draw a patient's build, how far the knee is bent, and the sequence's contrast.

    >>> draw_knee_look(np.random.default_rng(0)).fat < 0.4
    True
    """
    scale, lean, bent = rng.uniform(0.9, 1.08), rng.uniform(-9, 9), rng.uniform(0, 15)
    origin = rng.normal(0, (1.5, 4, 5))
    fat = rng.uniform(0.16, 0.3)
    return KneeLook(
        thigh=Frame(rotation((lean + bent, 0, 0)), scale, origin),
        shank=Frame(rotation((lean, 0, 0)), scale, origin),
        skin=rng.uniform(5, 12),
        fat=fat,
        marrow=fat + rng.uniform(0.06, 0.16),
        muscle=rng.uniform(0.36, 0.5),
        cartilage=rng.uniform(0.6, 0.8),
        capsule=rng.uniform(0.44, 0.56),
        ligament=rng.uniform(0.08, 0.16),
        effusion=rng.uniform(0, 1),
    )


def paint_knee(canvas: Canvas, look: KneeLook, rng: np.random.Generator, diagnosis: int) -> Array:
    """Paint a knee from the skin inwards.

    Args:
        canvas: Where to paint, in the patient's frame.
        look: The patient.
        rng: Source of the small things: the ligament's course, its rupture, and where the fluid is.
        diagnosis: The anterior cruciate ligament is 0 whole, 1 thinned or 2 torn.

    Returns:
        The ligament's ends in mm, (2, 3).

    >>> rng = np.random.default_rng(0)
    >>> canvas = Canvas((32, 32, 32), (4, 4, 4), (-62, -62, -62))
    >>> lower, upper = paint_knee(canvas, draw_knee_look(rng), rng, diagnosis=0)
    >>> lower.shape, upper.shape
    ((3,), (3,))
    """
    _paint_leg(canvas, look)
    _paint_femur(canvas, look)
    _paint_tibia(canvas, look)
    _paint_front(canvas, look)
    _paint_fluid(canvas, look, rng)
    _paint_posterior_ligament(canvas, look)
    return _paint_anterior_ligament(canvas, look, rng, diagnosis)


def _paint_leg(canvas: Canvas, look: KneeLook) -> None:
    thigh, shank = look.thigh, look.shank
    canvas.paint(shank.ellipsoid((0, 0, 0), (46 + look.skin, 56 + look.skin, 330)), look.fat)
    canvas.paint(shank.ellipsoid((0, 1, 0), (45, 53, 330)), look.muscle)
    canvas.paint(shank.ellipsoid((0, -38, 14), (24, 14, 60)), look.fat)
    for side in (-1, 1):
        canvas.paint(shank.ellipsoid((side * 19, -37, -44), (18, 14, 64)), look.muscle)
        canvas.paint(thigh.ellipsoid((side * 28, -42, 78), (13, 12, 64)), look.muscle)
    canvas.paint(shank.tube((3, -36, -90), (3, -38, 90), 3.6), 0.1)  # flowing blood gives no signal
    canvas.paint(thigh.ellipsoid((0, 10, 8), (42, 35, 40)), look.fat)
    canvas.paint(shank.ellipsoid((0, -6, 4), (30, 26, 19)), look.capsule)


def _paint_femur(canvas: Canvas, look: KneeLook) -> None:
    frame = look.thigh
    for centre, radii in FEMUR[:3]:
        canvas.paint(frame.ellipsoid(centre, np.add(radii, CORTEX + 2.2)), look.cartilage)
    for thicker, intensity in ((CORTEX, 0.05), (0.0, look.marrow)):
        for centre, radii in FEMUR:
            canvas.paint(frame.ellipsoid(centre, np.add(radii, thicker)), intensity)
        canvas.paint(frame.tube((0, 3, 46), (0, 6, 130), 15.5 + 2 * thicker, 13 + 2 * thicker), intensity)


def _paint_tibia(canvas: Canvas, look: KneeLook) -> None:
    frame = look.shank
    for side in (-1, 1):
        canvas.paint(frame.ellipsoid((side * 20, -3, -4), (15, 21, 3.2)), look.cartilage)
    for thicker, intensity in ((CORTEX, 0.05), (0.0, look.marrow)):
        canvas.paint(frame.ellipsoid((0, -2, -21), np.add((35, 25, 17), thicker), exponent=3), intensity)
        canvas.paint(frame.tube((0, 0, -38), (0, 1, -130), 22 + thicker, 13 + 2 * thicker), intensity)
        canvas.paint(frame.ellipsoid((0, 20, -34), np.add((10, 9, 14), thicker)), intensity)
        canvas.paint(frame.tube((34, -22, -22), (34, -24, -130), 7 + thicker, 6 + thicker), intensity)
    canvas.paint(frame.ellipsoid((0, -5, -4), (5, 8, 4)), look.marrow)
    for side in (-1, 1):  # the menisci's horns
        for y, thickness in ((15, 3.0), (-21, 3.6)):
            canvas.paint(frame.ellipsoid((side * 21, y, -1), (12, 6, thickness)), look.ligament)


def _paint_front(canvas: Canvas, look: KneeLook) -> None:
    thigh, shank = look.thigh, look.shank
    canvas.paint(shank.ellipsoid((0, 31, 0), (20, 10, 20)), look.fat)
    canvas.paint(thigh.ellipsoid((0, 34, 34), (17, 6, 15)), look.cartilage)
    canvas.paint(thigh.ellipsoid((0, 42, 34), (20, 9, 20), exponent=2.4), 0.05)
    canvas.paint(thigh.ellipsoid((0, 42, 34), (18.5, 7.5, 18.5), exponent=2.4), look.marrow)
    low, high = thigh.point((0, 46, 17)), shank.point((0, 29, -38))
    canvas.paint(Tube(low, high, 2.6 * shank.scale), look.ligament)
    canvas.paint(thigh.tube((0, 46, 51), (0, 38, 130), 3), look.ligament)


def _paint_fluid(canvas: Canvas, look: KneeLook, rng: np.random.Generator) -> None:
    amount = look.effusion
    canvas.paint(look.thigh.ellipsoid((0, 27, 56), (15, 1 + 4 * amount, 16)), 1.0)
    for _ in range(3):  # pockets beside the ligament, whatever its state
        place, radii = rng.uniform((-5, -24, -2), (6, 14, 18)), rng.uniform(1.5, 2.5 + 2.5 * amount, 3)
        canvas.paint(look.shank.ellipsoid(place, radii), 1.0, opacity=0.8)


def _paint_posterior_ligament(canvas: Canvas, look: KneeLook) -> None:
    course = [look.shank.point(p) for p in ((-10, 2, 4), (-10, -9, 7), (-10, -20, 1), (-9, -25, -10), (-8, -27, -22))]
    canvas.paint(_cord(course, [3.2 * look.shank.scale] * 5, canvas), look.ligament)


def _paint_anterior_ligament(canvas: Canvas, look: KneeLook, rng: np.random.Generator, diagnosis: int) -> Array:
    frame, radius = look.shank, look.shank.scale * rng.uniform(2.2, 3.5)
    start, end = (frame.point(place + rng.normal(0, (0.4, 1.2, 1.2))) for place in (ORIGIN, INSERTION))
    steps, site = np.linspace(0, 1, 9), rng.uniform(0.32, 0.68)
    sag = rng.uniform(0, 2.0) * 4 * steps * (1 - steps)
    course = start + steps[:, None] * (end - start) - sag[:, None] * [0, 0.6, 0.8]
    middle = start + site * (end - start)
    radii = np.full(9, radius)
    if diagnosis == 1:
        radii *= 1 - rng.uniform(0.42, 0.65) * np.exp(-(((steps - site) / 0.22) ** 2))
    # The tissue is swollen in every knee, or brightness alone would tell.
    canvas.paint(Ellipsoid(middle + rng.normal(0, 2, 3), rng.uniform(3.5, 6, 3)), look.capsule + 0.3, opacity=0.7)
    if diagnosis < 2:
        canvas.paint(_cord(course, radii, canvas), look.ligament)
        return np.stack([start, end])
    gap = rng.uniform(0.24, 0.36)
    for stump in (course[steps < site - gap / 2], course[steps > site + gap / 2][::-1]):
        if len(stump) > 1:  # its free end hangs down and is frayed
            limp = stump + np.linspace(0, 1, len(stump))[:, None] ** 2 * [0, rng.normal(0, 1.5), rng.uniform(-3, 0)]
            canvas.paint(_cord(limp, np.linspace(radius, 0.55 * radius, len(stump)), canvas), look.ligament)
    return np.stack([start, end])


def _cord(course: Sequence[Array] | Array, radii: Sequence[float] | Array, canvas: Canvas) -> Tubes:
    """A band twice as wide across the slices as within them, so that a slice shows all of its course."""
    pieces = [[*a, *b, *ends] for (a, b), ends in zip(pairwise(course), pairwise(radii), strict=True)]
    across = np.array([1.0, 0, 0, 1, 0, 0, 0, 0])
    bundles = [np.array(pieces) + shift * across for shift in (-BUNDLES, 0, BUNDLES)]
    return Tubes(np.concatenate(bundles), canvas.edge / 2)
