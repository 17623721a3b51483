"""A brain without its deep nuclei: cortex, white matter, ventricles, brain stem, cerebellum and veins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .canvas import Canvas
from .shapes import Ellipsoid, Points, Shape, SoftUnion, Tube, polyline, rotation

__all__ = ["Brain", "Crenated", "draw_brain", "paint_brain", "paint_veins"]

Array = NDArray[np.floating[Any]]
Courses = tuple[tuple[list[tuple[float, float, float]], float], ...]

# Corpus callosum, from rostrum to splenium, and a lateral ventricle from its frontal to its temporal horn: (x, y, z).
CALLOSUM = [(0, 24, -4), (0, 33, 6), (0, 22, 20), (0, -5, 27), (0, -28, 23), (0, -40, 12)]
VENTRICLE = [(9, 33, 2), (9, 14, 15), (12, -12, 23), (19, -34, 18), (27, -42, 4), (33, -24, -12), (31, -12, -18)]
OCCIPITAL_HORN = [(21, -38, 14), (24, -66, 8)]
# Each cerebral vein and its radius in mm; those beside the midline are drawn on both sides.
DEEP_VEINS: Courses = (
    ([(1.8, -2, 13), (1.8, -18, 16), (1.2, -36, 11)], 1.1),  # internal cerebral
    ([(10, -2, -16), (17, -16, -14), (18, -26, -4), (6, -38, 6)], 0.9),  # basal, round the midbrain
    ([(2.5, 0, 13), (12, -2, 22), (17, -14, 27)], 0.9),  # thalamostriate
    ([(6, 30, 14), (4, 8, 17), (2, -2, 14)], 0.8),  # septal
    ([(17, -14, 27), (24, -18, 38), (30, -20, 50)], 0.6),  # medullary
    ([(14, 20, 20), (22, 24, 32), (28, 26, 44)], 0.6),
    ([(4, -42, -2), (5, -50, -22), (9, -58, -24)], 0.8),  # precentral cerebellar
    ([(8, -16, -46), (24, -34, -36), (36, -44, -36)], 0.9),  # petrosal
)
MIDLINE_VEINS: Courses = (
    ([(0, -37, 10), (0, -45, 6), (0, -66, 0), (0, -90, -4)], 2.2),  # Galen's vein and the straight sinus
    ([(0, 12, -4), (0, 34, 2), (0, 28, 24)], 0.7),  # beside the callosum
)


@dataclass(frozen=True)
class Crenated:
    r"""Shape whose surface is folded by a gyroid: :math:`d + a\, g(2 \pi p / \lambda)`.

    :math:`g(u) = \sin u_x \cos u_y + \sin u_y \cos u_z + \sin u_z \cos u_x` has no preferred direction and meanders as
    gyri do. With a thickness, the shape is a folded sheet along that surface.

    Args:
        base: The smooth shape.
        amplitude: a in mm.
        wavelength: :math:`\lambda` in mm, one or one an axis.
        phase: Three phases in radians.
        offset: mm to add to the distance: positive shrinks.
        thickness: Thickness of the sheet in mm; None for a solid.

    >>> walnut = Crenated(Ellipsoid((0, 0, 0), (20, 20, 20)), amplitude=2, wavelength=9)
    >>> turn = np.linspace(0, 6, 90)
    >>> surface = walnut.distance([20 * np.cos(turn), 20 * np.sin(turn), np.zeros(90)])
    >>> bool(surface.min() < -0.5 and surface.max() > 0.5)
    True
    """

    base: Shape
    amplitude: float
    wavelength: ArrayLike
    phase: ArrayLike = (0.0, 0.0, 0.0)
    offset: float = 0.0
    thickness: float | None = None

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        low, high = self.base.bounds()
        sheet = self._steepness() * (self.thickness or 0) / 2
        margin = max(0.0, 1.5 * self.amplitude - self.offset + sheet)
        return low - margin, high + margin

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        phases = np.asarray(self.phase, dtype=np.float32)
        angles = [wave * p + phase for wave, p, phase in zip(self._waves(), points, phases, strict=True)]
        (sx, sy, sz), (cx, cy, cz) = [np.sin(a) for a in angles], [np.cos(a) for a in angles]
        folded = self.base.distance(points) + self.offset + self.amplitude * (sx * cy + sy * cz + sz * cx)
        folded = folded / np.float32(self._steepness())
        return np.asarray(folded if self.thickness is None else np.abs(folded) - self.thickness / 2)

    def _waves(self) -> Array:
        return 2 * np.pi / np.broadcast_to(np.asarray(self.wavelength, dtype=np.float32), 3)

    def _steepness(self) -> float:
        # The gyroid's mean square slope along an axis is half its wave number squared.
        return float(np.sqrt(1 + self.amplitude**2 / 2 * np.sum(self._waves() ** 2)))


@dataclass(frozen=True)
class Brain:
    """Where a brain lies, how large it is and how susceptible its tissues are, in ppb.

    Points are in mm of an average brain: x to the right, y to the front, z upwards, near the anterior commissure 0.

    Args:
        centre: Where that origin lies in the scanner's frame, in mm.
        turn: Rotation matrix of the head.
        scale: Size relative to the average.
        ventricles: Width of the ventricles relative to the average.
        fluid: Cerebrospinal fluid.
        white: White matter.
        tracts: Densely myelinated white matter.
        cortex: Grey matter of the cortex.
        stem: Brain stem.
        vein: Venous blood.

    >>> brain = draw_brain(np.random.default_rng(0))
    >>> np.allclose(brain.place((0, 0, 0)), brain.centre)
    True
    """

    centre: Array
    turn: Array
    scale: float
    ventricles: float
    fluid: float
    white: float
    tracts: float
    cortex: float
    stem: float
    vein: float

    def place(self, points: ArrayLike) -> Array:
        """Bring points (..., 3) of the average brain into the scanner's frame."""
        return np.asarray(self.centre + self.scale * np.asarray(points, dtype=float) @ self.turn.T)

    def ellipsoid(
        self, centre: ArrayLike, radii: ArrayLike, angles: ArrayLike = (0, 0, 0), exponent: float = 2.0
    ) -> Ellipsoid:
        """Place an ellipsoid given in the average brain's frame, turned by ``angles`` in degrees."""
        axes = self.turn @ rotation(angles)
        return Ellipsoid(self.place(centre), self.scale * np.asarray(radii, dtype=float), axes, exponent)

    def vessel(self, points: ArrayLike, radius: float) -> Shape:
        """Place a bent tube given in the average brain's frame."""
        return polyline(self.place(points), self.scale * radius)


def draw_brain(rng: np.random.Generator) -> Brain:
    """Draw a brain.

    >>> 0.8 < draw_brain(np.random.default_rng(0)).scale < 1
    True
    """
    return Brain(
        centre=np.array([0.0, 14.0, -6.0]) + rng.uniform(-1, 1, 3) * (2, 3, 2),
        turn=rotation(rng.uniform(-1, 1, 3) * (9, 4, 4)),
        scale=rng.uniform(0.84, 0.92),
        ventricles=rng.uniform(0.7, 1.5),
        fluid=rng.uniform(-5, 10),
        white=rng.uniform(-34, -20),
        tracts=rng.uniform(-55, -40),
        cortex=rng.uniform(8, 22),
        stem=rng.uniform(-25, -12),
        vein=rng.uniform(220, 340),
    )


def paint_brain(canvas: Canvas, brain: Brain, rng: np.random.Generator) -> NDArray[np.float32]:
    """Paint everything but the deep nuclei and the veins, from the outside inwards.

    Args:
        canvas: Where to paint susceptibilities in ppb; empty.
        brain: The brain.
        rng: Source of the folds' phases.

    Returns:
        How much of each voxel is inside the brain's outline.

    >>> rng = np.random.default_rng(0)
    >>> canvas, brain = Canvas((32, 32, 24), (6, 6, 6), (-93, -93, -69)), draw_brain(rng)
    >>> inside = paint_brain(canvas, brain, rng)
    >>> inside.shape, bool(inside.max() == 1)
    ((32, 32, 24), True)
    """
    phase = rng.uniform(0, 2 * np.pi, (3, 3))
    cerebrum = [brain.ellipsoid((side * 44, -16, -20), (22, 45, 23)) for side in (-1, 1)]
    cerebrum.append(brain.ellipsoid((0, -17, 20), (69, 88, 59)))
    cerebellum = [brain.ellipsoid((side * 25, -64, -37), (28, 26, 21)) for side in (-1, 1)]
    stem = SoftUnion(
        [
            brain.ellipsoid((0, -25, -12), (19, 15, 14)),
            brain.ellipsoid((0, -25, -30), (19, 14, 15)),
            Tube(brain.place((0, -33, -42)), brain.place((0, -44, -72)), 10 * brain.scale, 7 * brain.scale),
        ],
        softness=2,
    )
    parts: list[Shape] = [*cerebrum, *cerebellum, stem]
    for shape in parts:
        canvas.paint(shape, 1)
    inside = np.array(canvas.layers[0])
    canvas.layers[0] *= brain.fluid
    _paint_cerebrum(canvas, brain, cerebrum, phase[0])
    folia = brain.scale * np.array([34.0, 10.0, 7.0])  # leaves across the body
    for half in cerebellum:
        canvas.paint(Crenated(half, 1.6, folia, phase[1], offset=1.5), brain.cortex)
        canvas.paint(Crenated(half, 2.8, folia, phase[1], offset=7), brain.white)
    canvas.paint(stem, brain.stem)
    _paint_stem(canvas, brain)
    return inside


def _paint_cerebrum(canvas: Canvas, brain: Brain, cerebrum: Sequence[Shape], phase: Array) -> None:
    wavelength = 22 * brain.scale
    for part in cerebrum:
        canvas.paint(Crenated(part, 2.4, wavelength, phase, offset=2.5), brain.cortex)
    canvas.paint(brain.ellipsoid((0, -17, 42), (2.2, 86, 36)), brain.fluid)
    for side in (-1, 1):
        canvas.paint(brain.ellipsoid((side * 50, 2, -2), (17, 26, 3), (0, -side * 8, 0)), brain.fluid)
    for part in cerebrum:
        canvas.paint(Crenated(part, 4.6, wavelength, phase, offset=8.5), brain.white)
    for side in (-1, 1):
        canvas.paint(brain.ellipsoid((side * 39, 2, 2), (3, 20, 15)), brain.cortex)  # insula
        canvas.paint(brain.ellipsoid((side * 21, 2, 4), (3, 24, 14), (0, 0, -side * 20)), brain.tracts)
        canvas.paint(brain.vessel([(side * 26, -28, -2), (side * 32, -52, 6), (side * 18, -82, 6)], 4), brain.tracts)
    canvas.paint(brain.ellipsoid((0, -17, 46), (1.5, 84, 34)), brain.fluid)
    for x in (-9, 0, 9):
        canvas.paint(brain.vessel(np.add(CALLOSUM, (x, 0, 0)), 3.5), brain.tracts)
    _paint_ventricles(canvas, brain)


def _paint_ventricles(canvas: Canvas, brain: Brain) -> None:
    width = brain.ventricles
    for side in (-1, 1):
        course = np.array(VENTRICLE) * (side, 1, 1)
        canvas.paint(brain.vessel(course[:4], 4.6 * width), brain.fluid)
        canvas.paint(brain.vessel(course[3:], 3.2 * width), brain.fluid)
        canvas.paint(brain.vessel(np.array(OCCIPITAL_HORN) * (side, 1, 1), 3.4 * width), brain.fluid)
    canvas.paint(brain.ellipsoid((0, -16, 2), (2.2 * width, 13, 9)), brain.fluid)


def _paint_stem(canvas: Canvas, brain: Brain) -> None:
    for side in (-1, 1):  # peduncles of the cerebrum and of the cerebellum
        canvas.paint(brain.vessel([(side * 17, -12, -8), (side * 10, -18, -24)], 4.5), brain.tracts)
        canvas.paint(brain.vessel([(side * 12, -34, -34), (side * 24, -46, -38)], 5), brain.tracts)
    canvas.paint(brain.ellipsoid((0, -9, -14), (5, 6, 9)), brain.fluid)  # between the peduncles
    canvas.paint(brain.vessel([(0, -30, -4), (0, -37, -18)], 1.4), brain.fluid)
    canvas.paint(brain.ellipsoid((0, -46, -34), (7, 5, 11), (-20, 0, 0)), brain.fluid)
    canvas.paint(brain.ellipsoid((0, -66, -34), (5, 16, 17)), brain.cortex)  # vermis


def paint_veins(canvas: Canvas, brain: Brain, rng: np.random.Generator, cortical: int = 40) -> None:
    """Paint deep and cortical veins, and the calcified pineal gland and choroid plexus.

    Args:
        canvas: Where to paint susceptibilities in ppb.
        brain: The brain.
        rng: Source of the veins' bends and places.
        cortical: Number of veins on the brain's surface.

    >>> rng = np.random.default_rng(0)
    >>> canvas = Canvas((64, 64, 48), (3, 3, 3), (-94, -94, -70))
    >>> paint_veins(canvas, draw_brain(rng), rng)
    >>> bool(canvas.layers[0].max() > 100)
    True
    """
    for course, radius in MIDLINE_VEINS:
        canvas.paint(brain.vessel(course, radius), brain.vein)
    for side in (-1, 1):
        for course, radius in DEEP_VEINS:
            bent = np.array(course, dtype=float) * (side, 1, 1) + rng.normal(0, 1.0, (len(course), 3))
            canvas.paint(brain.vessel(bent, radius * rng.uniform(0.7, 1.3)), brain.vein)
        plexus = brain.ellipsoid((side * 21, -38, 14), (2.5, 4, 3))
        canvas.paint(plexus, rng.uniform(-120, 60))
    canvas.paint(brain.ellipsoid((0, -34, 2), (2.5, 3.5, 2.5)), rng.uniform(-200, 40))
    for _ in range(cortical):
        _paint_cortical_vein(canvas, brain, rng)


def _paint_cortical_vein(canvas: Canvas, brain: Brain, rng: np.random.Generator) -> None:
    outward = rng.normal((0, 0, 0.6), 1)
    outward /= np.linalg.norm(outward)
    along = np.cross(outward, rng.normal(0, 1, 3))
    along *= rng.uniform(6, 14) / np.linalg.norm(along)
    surface = (0, -17, 20) + outward * (63, 83, 53)
    points: Sequence[Array] = [surface - along, surface - 2 * outward, surface + along]
    canvas.paint(brain.vessel(points, rng.uniform(0.6, 1.3)), brain.vein)
