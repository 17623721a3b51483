"""The hippocampus and what lies around it, in T1-weighted MR."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .canvas import Canvas
from .shapes import Cut, Ellipsoid, Shape, SoftUnion, Tube, polyline, rotation

__all__ = ["TemporalLobe", "draw_temporal_lobe", "paint_temporal_lobe"]

Array = NDArray[np.floating[Any]]

# The average hippocampus in mm from its middle: to the side, forwards, upwards.
AXIS = np.array([(1, 6, -4), (2, -2, -1.5), (1, -11, 2), (-4, -18, 6), (-9, -21, 9)])
RADII = np.array([4.2, 4.0, 3.7, 3.2, 2.2])
HEAD, HEAD_RADII = np.array([-0.5, 12.5, -4.2]), np.array([7.6, 7.8, 4.8])
UNCUS, UNCUS_RADII = np.array([-7.5, 9.5, -1.2]), np.array([3.2, 4.2, 3.4])
BORDER = 5.0  # mm: behind the uncus, where the anterior part ends


@dataclass(frozen=True)
class TemporalLobe:
    """What differs from patient to patient; intensities relative to white matter.

    Args:
        side: 1 for the right hippocampus, -1 for the left.
        turn: Rotation matrix from the average pose.
        scale: Size of the hippocampus relative to the average.
        head: Semi-axes of its head in mm, before scaling.
        thickness: Relative radii of its body and tail.
        bend: Random offsets (5, 3) of its axis in mm.
        border: How far forward the anterior part begins, in mm.
        widening: Width of the spaces with fluid relative to the average: large in the old.
        cortex: Intensity of the cortex.
        hippocampus: Intensity of the hippocampus.
        amygdala: Intensity of the amygdala, which touches its head.
        fluid: Intensity of cerebrospinal fluid.

    >>> lobe = draw_temporal_lobe(np.random.default_rng(0))
    >>> lobe.fluid < lobe.cortex < 1
    True
    """

    side: int
    turn: Array
    scale: float
    head: Array
    thickness: Array
    bend: Array
    border: float
    widening: float
    cortex: float
    hippocampus: float
    amygdala: float
    fluid: float

    def place(self, points: ArrayLike) -> Array:
        """Bring points (..., 3) of the average hippocampus into the patient's frame, in mm."""
        turned = self.scale * np.asarray(points, dtype=float) @ self.turn.T
        return np.asarray(turned * (self.side, 1, 1))

    def ellipsoid(self, centre: ArrayLike, radii: ArrayLike, axes: Array | None = None) -> Ellipsoid:
        """Place an ellipsoid given in the average hippocampus' frame."""
        axes = np.diag([self.side, 1, 1]) @ (self.turn if axes is None else self.turn @ axes)
        return Ellipsoid(self.place(centre), self.scale * np.asarray(radii, dtype=float), axes)

    def tube(self, points: Sequence[ArrayLike], radius: float) -> Shape:
        """Place a bent tube given in the average hippocampus' frame."""
        return polyline(self.place(np.asarray(points)), self.scale * radius)


def draw_temporal_lobe(rng: np.random.Generator) -> TemporalLobe:
    """Draw a patient.

    >>> draw_temporal_lobe(np.random.default_rng(0)).side in (-1, 1)
    True
    """
    cortex = rng.uniform(0.66, 0.76)
    hippocampus = cortex + rng.uniform(0.0, 0.08)
    return TemporalLobe(
        side=int(rng.choice([-1, 1])),
        turn=rotation(rng.uniform(-1, 1, 3) * (9, 6, 7)),
        scale=rng.uniform(0.9, 1.1),
        head=HEAD_RADII * rng.uniform(0.88, 1.12, 3),
        thickness=rng.uniform(0.86, 1.12, 5),
        bend=rng.normal(0, 0.7, (5, 3)),
        border=BORDER + rng.normal(0, 0.4),
        widening=rng.uniform(0.7, 1.7),
        cortex=cortex,
        hippocampus=hippocampus,
        amygdala=hippocampus + rng.uniform(-0.03, 0.03),
        fluid=rng.uniform(0.18, 0.32),
    )


def paint_temporal_lobe(canvas: Canvas, lobe: TemporalLobe, rng: np.random.Generator) -> None:
    """Paint the middle of a temporal lobe: label 1 is the hippocampus' anterior part, label 2 its posterior part.

    Args:
        canvas: Where to paint, in the patient's frame, the origin in the hippocampus' middle.
        lobe: The patient.
        rng: Source of the folds.

    >>> rng = np.random.default_rng(0)
    >>> canvas = Canvas((24, 32, 24), (2, 2, 2), (-23, -31, -23), labels=2)
    >>> paint_temporal_lobe(canvas, draw_temporal_lobe(rng), rng)
    >>> [bool((part > 0.9).any()) for part in canvas.layers[1:]]
    [True, True]
    """
    canvas.layers[0] = 1.0
    _paint_folds(canvas, lobe, rng)
    _paint_middle(canvas, lobe)
    _paint_gyrus(canvas, lobe, rng)
    canvas.paint(lobe.ellipsoid((-2, 16.5, 5.6), (8.5, 7.5, 6.2)), lobe.amygdala)
    _paint_spaces(canvas, lobe)
    whole = _hippocampus(lobe)
    border, normal = lobe.place((0, lobe.border, 0)), lobe.place((0, 1, 0.12))
    canvas.paint(whole, lobe.hippocampus)
    canvas.paint(Cut(whole, border, -normal), lobe.hippocampus, label=1)
    canvas.paint(Cut(whole, border, normal), lobe.hippocampus, label=2)


def _hippocampus(lobe: TemporalLobe) -> Shape:
    axis, radii = lobe.place(AXIS + lobe.bend), lobe.scale * lobe.thickness * RADII
    body = [Tube(*ends, *ends_radii) for ends, ends_radii in zip(pairwise(axis), pairwise(radii), strict=True)]
    neck = Tube(lobe.place(HEAD), axis[0], lobe.scale * 4.4, radii[0])
    medial = lobe.place(AXIS[:3] + lobe.bend[:3] + np.array([-4.2, 0, -2.6]))  # the subiculum, a shelf below
    shelf = [Tube(*ends, 2.0 * lobe.scale) for ends in pairwise(medial)]
    head: list[Shape] = [lobe.ellipsoid(HEAD, lobe.head), lobe.ellipsoid(UNCUS, UNCUS_RADII), neck]
    return SoftUnion([*head, *body, *shelf], softness=0.7)


def _paint_folds(canvas: Canvas, lobe: TemporalLobe, rng: np.random.Generator) -> None:
    """Paint sulci below and beside: a slit of fluid between two walls of cortex, running from front to back."""
    for x, z, angle in ((8, -18, 20), (19, -12, 55), (21, 3, 95), (17, 18, 135)):
        slope = rotation(rng.uniform(-1, 1, 3) * (8, 0, 8)) @ rotation((0, -angle, 0))
        centre, depth = np.array([x, 0, z]) + rng.normal(0, 1.2, 3), rng.uniform(8, 12)
        canvas.paint(lobe.ellipsoid(centre, (3.2, 70, depth), slope), lobe.cortex)
        canvas.paint(lobe.ellipsoid(centre, (0.7 * lobe.widening, 70, depth - 2.5), slope), lobe.fluid)


def _paint_middle(canvas: Canvas, lobe: TemporalLobe) -> None:
    """Paint what lies towards the body's midline and above: cistern, brain stem and deep grey matter."""
    canvas.paint(lobe.ellipsoid((-18, 3, -3), (6 + lobe.widening, 30, 17)), lobe.fluid)
    canvas.paint(lobe.ellipsoid((-29, -4, -2), (13, 17, 34)), 0.9)
    canvas.paint(lobe.ellipsoid((-17, -15, 18), (11, 12, 8.5)), 0.84)
    canvas.paint(lobe.ellipsoid((3, 12, 21), (15, 15, 6)), 0.8)


def _paint_gyrus(canvas: Canvas, lobe: TemporalLobe, rng: np.random.Generator) -> None:
    """Paint the parahippocampal gyrus below: cortex around white matter, without a border to the hippocampus."""
    course = np.array([(-6, 30, -11), (-6, 10, -12), (-5, -10, -9), (-8, -30, -4)]) + rng.normal(0, 0.8, (4, 3))
    canvas.paint(lobe.tube(list(course), 6.4), lobe.cortex)
    canvas.paint(lobe.tube(list(course + np.array([2.5, 0, 1.5])), 3.4), 0.98)


def _paint_spaces(canvas: Canvas, lobe: TemporalLobe) -> None:
    """Paint the ventricle's temporal horn, the choroid fissure and the fimbria between them."""
    horn = [(4, 20, -1), (9, 12, -2), (8, 2, 1), (6.5, -10, 5), (5, -20, 9), (4, -30, 11)]
    for (start, end), radius in zip(pairwise(lobe.place(horn)), (1.4, 1.7, 2.0, 2.6, 4.0), strict=True):
        canvas.paint(Tube(start, end, lobe.widening * radius), lobe.fluid)
    canvas.paint(lobe.ellipsoid((-9, -5, 5.5), (6.5, 15, 0.9 * lobe.widening), rotation((-20, 0, 0))), lobe.fluid)
    canvas.paint(lobe.tube([(-2, 4, 2), (-1, -4, 4.2), (-3, -13, 7.5)], 1.6), 0.95)
