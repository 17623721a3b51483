"""The heart and its great vessels, the left atrium labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .shapes import Ellipsoid, Shape, SoftUnion, Tube, polyline, rotation

__all__ = ["Heart", "draw_heart", "paint_heart"]

Array = NDArray[np.floating[Any]]

LONG_AXIS = np.array([-0.68, 0.60, -0.42])  # from the base to the apex: left, forward and down
# Left atrium, left ventricle, right atrium, right ventricle, aorta, pulmonary vessels: oxygen makes blood brighter.
BLOOD = np.array([1.0, 1.0, 0.92, 0.9, 1.03, 0.94])
ATRIUM = np.array([34.0, 24.0, 28.0])  # the average left atrium's semi-axes in mm
ATRIUM_CENTRE = np.array([0.0, -27.0, 12.0])
# Where the four pulmonary veins leave the average left atrium, from its centre, and in which direction they run.
VEINS = (
    ((20, -12, 10), (0.80, -0.30, 0.52)),
    ((20, -13, -8), (0.84, -0.50, -0.20)),
    ((-20, -12, 11), (-0.78, -0.35, 0.52)),
    ((-21, -13, -7), (-0.80, -0.58, -0.15)),
)


@dataclass(frozen=True)
class Heart:
    """Where a heart lies, how large its parts are and how bright they appear.

    Args:
        centre: Centre in mm in the patient's frame.
        turn: Rotation matrix from the average pose.
        scale: Size relative to the average.
        atrium: Semi-axes of the left atrium in mm, before scaling.
        stretch: Relative size of left ventricle, right ventricle, right atrium and vessels.
        veins: Which of the four pulmonary veins are wide and have a labelled stub.
        bend: Random offsets (4, 3) of the veins' directions.
        stub: Length of the stubs in mm.
        appendage: Length of the left atrial appendage in mm.
        wall: Thickness of the left ventricle's wall in mm.
        blood: Intensity of the left atrium, left ventricle, right atrium, right ventricle, aorta and pulmonary vessels.
        myocardium: Intensity of the muscle.

    >>> heart = draw_heart(np.random.default_rng(0))
    >>> np.allclose(heart.place((0, 0, 0)), heart.centre)
    True
    """

    centre: Array
    turn: Array
    scale: float
    atrium: Array
    stretch: Array
    veins: tuple[int, ...]
    bend: Array
    stub: float
    appendage: float
    wall: float
    blood: Array
    myocardium: float

    def place(self, points: Sequence[float] | Array) -> Array:
        """Bring points (..., 3) of the average heart, in mm from its centre, into the patient's frame."""
        return np.asarray(self.centre + self.scale * np.asarray(points, dtype=float) @ self.turn.T)

    def ellipsoid(
        self, centre: Sequence[float] | Array, radii: Sequence[float] | Array, axes: Array | None = None
    ) -> Ellipsoid:
        """Place an ellipsoid given in the average heart's frame."""
        axes = self.turn if axes is None else self.turn @ axes
        return Ellipsoid(self.place(centre), self.scale * np.asarray(radii, dtype=float), axes, exponent=2.2)

    def vessel(self, points: Sequence[Sequence[float]], radius: float) -> Shape:
        """Place a bent vessel given in the average heart's frame."""
        return polyline(self.place(np.asarray(points)), self.scale * self.stretch[3] * radius)


def draw_heart(rng: np.random.Generator) -> Heart:
    """Draw a heart.

    >>> 2 <= len(draw_heart(np.random.default_rng(0)).veins) <= 4
    True
    """
    level = rng.uniform(0.85, 1.0)
    return Heart(
        centre=np.array([-14, 14, 1]) + rng.uniform(-1, 1, 3) * (3, 3, 3),
        turn=rotation(rng.uniform(-1, 1, 3) * (3, 3, 3)),
        scale=rng.uniform(0.96, 1.07),
        atrium=ATRIUM * rng.uniform(0.93, 1.09, 3),
        stretch=rng.uniform(0.92, 1.08, 4),
        veins=tuple(sorted(rng.choice(4, rng.integers(2, 5), replace=False).tolist())),
        bend=rng.normal(0, 0.06, (4, 3)),
        stub=rng.uniform(8, 11),
        appendage=rng.uniform(12, 17),
        wall=rng.uniform(8.5, 12),
        blood=level * BLOOD * (1 + rng.uniform(-0.03, 0.03, 6)),
        myocardium=rng.uniform(0.38, 0.5),
    )


def paint_heart(canvas: Canvas, heart: Heart, fat: float, back: float) -> None:
    """Paint a heart: its fat, right side, left atrium, left ventricle, then the vessels in front.

    Args:
        canvas: Where to paint, in the patient's frame; label 1 is the left atrium.
        heart: The heart.
        fat: Intensity of the fat around it.
        back: y in mm of the spine's front, along which the aorta descends.

    >>> heart = draw_heart(np.random.default_rng(0))
    >>> canvas = Canvas((32, 32, 32), (5, 5, 5), heart.centre - 77.5)
    >>> paint_heart(canvas, heart, fat=0.5, back=-40)
    >>> intensity, atrium = canvas.layers
    >>> bool(abs(np.median(intensity[atrium > 0.9]) - heart.blood[0]) < 0.01)
    True
    """
    left_atrium, left_ventricle, right_atrium, right_ventricle, aorta, lungs = heart.blood
    _paint_sac(canvas, heart, fat)
    _paint_descending(canvas, heart, back, aorta)
    _paint_pulmonary(canvas, heart, lungs)
    _paint_right(canvas, heart, right_atrium, right_ventricle)
    for vein in range(4):  # beyond the labelled stubs, and the thin ones that have none
        start, direction = _vein(heart, vein)
        radius = 6.0 if vein in heart.veins else 3.5
        canvas.paint(Tube(start, start + 46 * direction, radius * heart.scale, 3), left_atrium)
    wall = heart.ellipsoid(ATRIUM_CENTRE, heart.atrium + 5)
    canvas.paint(wall, 0.6 * heart.myocardium + 0.4 * fat, opacity=0.8)
    _paint_left_ventricle(canvas, heart, left_ventricle)
    canvas.paint(_left_atrium(heart), left_atrium, label=1)
    _paint_ascending(canvas, heart, aorta)


def _left_atrium(heart: Heart) -> Shape:
    body = heart.ellipsoid(ATRIUM_CENTRE, heart.atrium)
    side = heart.place((-0.75 * heart.atrium[0], -18, 18))
    tip = side + heart.scale * heart.appendage * (heart.turn @ np.array([-0.45, 0.85, 0.1]))
    veins = [_vein(heart, vein) for vein in heart.veins]
    stubs = [Tube(start, start + heart.stub * direction, 7 * heart.scale) for start, direction in veins]
    return SoftUnion([body, Tube(side, tip, 8 * heart.scale, 5), *stubs], softness=2.0)


def _vein(heart: Heart, vein: int) -> tuple[Array, Array]:
    start, direction = np.asarray(VEINS[vein][0]) * heart.atrium / ATRIUM, VEINS[vein][1] + heart.bend[vein]
    return heart.place(ATRIUM_CENTRE + start), heart.turn @ (direction / np.linalg.norm(direction))


def _paint_sac(canvas: Canvas, heart: Heart, fat: float) -> None:
    canvas.paint(heart.ellipsoid((-10, 10, -12), (66, 44, 50), _long_frame()), fat, opacity=0.9)
    canvas.paint(heart.ellipsoid((14, 0, 6), (46, 44, 52)), fat, opacity=0.9)


def _paint_right(canvas: Canvas, heart: Heart, atrium: float, ventricle: float) -> None:
    size = heart.stretch
    canvas.paint(heart.ellipsoid((4, 28, -20), size[1] * np.array([41, 25, 33]), _long_frame()), heart.myocardium)
    canvas.paint(heart.ellipsoid((4, 28, -20), size[1] * np.array([37, 21, 29]), _long_frame()), ventricle)
    canvas.paint(heart.vessel([(-4, 32, 0), (-14, 26, 28)], 14), ventricle)
    canvas.paint(heart.vessel([(34, 2, 0), (32, 4, 40), (28, 4, 110)], 9), atrium)
    canvas.paint(heart.vessel([(34, -6, -20), (24, -14, -110)], 11.5), atrium)
    canvas.paint(heart.ellipsoid((33, 2, -4), size[2] * np.array([24, 26, 31]) + 2), heart.myocardium)
    canvas.paint(heart.ellipsoid((33, 2, -4), size[2] * np.array([24, 26, 31])), atrium)


def _paint_left_ventricle(canvas: Canvas, heart: Heart, blood: float) -> None:
    cavity = heart.stretch[0] * np.array([42, 24, 24])
    centre = np.array([-34, 6, -16])
    canvas.paint(heart.ellipsoid(centre, cavity + heart.wall, _long_frame()), heart.myocardium)
    canvas.paint(heart.ellipsoid(centre - 4 * LONG_AXIS, cavity, _long_frame()), blood)
    for side in (-1, 1):  # papillary muscles
        foot = centre + 16 * LONG_AXIS + side * np.array([5, 10, 8])
        canvas.paint(heart.ellipsoid(foot, (11, 4, 4), _long_frame()), heart.myocardium)


def _paint_ascending(canvas: Canvas, heart: Heart, blood: float) -> None:
    course = [(-6, 2, 2), (4, 9, 22), (12, 10, 50), (8, 4, 74), (-8, -18, 88), (-14, -45, 84)]
    canvas.paint(heart.vessel(course, 15.5), heart.myocardium, opacity=0.7)
    canvas.paint(heart.vessel(course, 13.8), blood)


def _paint_descending(canvas: Canvas, heart: Heart, back: float, blood: float) -> None:
    radius = 11.5 * heart.stretch[3]
    x, y = heart.centre[0] - 14, back - 11  # beside the vertebrae
    canvas.paint(Tube((x + 20, back + 3, -200), (x + 20, back + 3, 200), 6), 0.9 * heart.myocardium)  # oesophagus
    canvas.paint(Tube((x, y, -200), (x - 2, y, 200), radius + 1.5), heart.myocardium, opacity=0.7)
    canvas.paint(Tube((x, y, -200), (x - 2, y, 200), radius), blood)


def _paint_pulmonary(canvas: Canvas, heart: Heart, blood: float) -> None:
    canvas.paint(heart.vessel([(-14, 26, 28), (-16, 2, 57), (-42, -22, 56)], 11.5), blood)
    canvas.paint(heart.vessel([(-16, 2, 57), (14, -16, 53), (46, -18, 49)], 10), blood)


def _long_frame() -> Array:
    # Columns: the long axis, then two axes square to it, the second as horizontal as it gets.
    along = LONG_AXIS / np.linalg.norm(LONG_AXIS)
    across = np.cross([0, 0, 1], along)
    across /= np.linalg.norm(across)
    return np.stack([along, across, np.cross(along, across)], axis=1)
