"""Phantom of KneeMRI: knees whose anterior cruciate ligament is whole, thinned or torn."""

from __future__ import annotations

import csv
import pickle
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .acquisition import magnitude_image
from .canvas import Canvas, Organs, draw_look
from .complete_folder import Phantom, stream
from .solids import Array, Frame, Solid, ellipsoid, rotation, tube, tubes

__all__ = ["KNEEMRI", "draw_knee_case"]

VERSION = 1  # to be raised whenever the volumes change
FIELD_OF_VIEW = (90.0, 150.0)  # mm across the slices, and within a slice
FOLDERS = 10
FLUID = 600  # scanner units
ROI_MARGIN = 11.0  # mm
DIAGNOSES = (0, 1, 0, 2)  # half of the knees are healthy
REGION = ("roiX", "roiY", "roiZ", "roiHeight", "roiWidth", "roiDepth")
COLUMNS = ("examId", "seriesNo", "aclDiagnosis", "kneeLR", *REGION, "volumeFilename")

BUNDLES = 2.4  # mm between the middles of a ligament's bundles
CORTEX = 1.0  # mm of compact bone, which gives no signal
COMPACT = 0.05  # its intensity

# All that follows is in mm of an average knee, x towards the outer side, y to the front, z upwards from the middle of
# the joint: centres and semi-axes.
CONDYLES = (((22, -6, 17), (15, 27, 19)), ((-22, -6, 17), (15, 27, 19)), ((0, 16, 24), (22, 13, 16)))
FEMUR = (*CONDYLES, ((0, 3, 42), (27, 17, 22)))
ORIGIN, INSERTION = (2.5, -17.0, 15.0), (-0.5, 8.0, -4.5)  # of the anterior ligament, on the femur and on the tibia
POSTERIOR = ((-10, 2, 4), (-10, -9, 7), (-10, -20, 1), (-9, -25, -10), (-8, -27, -22))
TISSUES = {  # intensities are relative to joint fluid
    "skin": (5, 12),  # mm of fat under the skin
    "above_fat": (0.06, 0.16),  # of the marrow; fat is suppressed
    "muscle": (0.36, 0.5),
    "cartilage": (0.6, 0.8),
    "capsule": (0.44, 0.56),  # the tissue around the ligaments
    "ligament": (0.08, 0.16),  # tendons and menisci, too
    "effusion": (0, 1),  # amount of fluid in the joint
}


def _fill(folder: Path, *, exams: int, slices: int, size: int, seed: int) -> None:
    for number in range(FOLDERS):
        (folder / f"vol{number + 1:02}").mkdir()
    with (folder / "metadata.csv").open("w", newline="", encoding="ascii") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for exam in range(exams):
            rng, diagnosis = stream(seed, exam), DIAGNOSES[exam % len(DIAGNOSES)]
            knee = int(rng.integers(2))
            volume, roi = draw_knee_case(rng, diagnosis, left=bool(knee), slices=slices, size=size)
            name = f"{100000 + exam}-1.pck"
            table.writerow((100000 + exam, 1, diagnosis, knee, *roi.values(), name))
            place = folder / f"vol{exam // -(-exams // FOLDERS) + 1:02}" / name
            place.write_bytes(pickle.dumps(volume, protocol=4))


def draw_knee_case(
    rng: np.random.Generator, diagnosis: int, *, left: bool, slices: int, size: int
) -> tuple[NDArray[np.int16], dict[str, int]]:
    """Draw one knee in sagittal slices, ``(slices, size, size)``, and the box around the ligament, in voxels.

    Args:
        rng: source of everything drawn.
        diagnosis: state of the anterior cruciate ligament: 0 whole, 1 thinned, 2 torn.
        left: whether it is a left knee, whose outer side comes last.
        slices: number of slices.
        size: number of rows, from the thigh down, and of columns, from the front to the back.

    Example:
        >>> volume, roi = draw_knee_case(np.random.default_rng(0), 2, left=False, slices=16, size=64)
        >>> volume.shape, volume.dtype.name, 0 <= roi["roiZ"] < 16
        ((16, 64, 64), 'int16', True)
    """
    spacing = np.array([FIELD_OF_VIEW[0] / slices, FIELD_OF_VIEW[1] / size, FIELD_OF_VIEW[1] / size])
    edge = (spacing - spacing * (slices, size, size)) / 2
    canvas = Canvas((slices, size, size), spacing.tolist(), edge.tolist(), labels=0)
    # So thick a slice would blur the edges within it.
    canvas.edge = float(1.3 * spacing[1])
    ends = _paint_knee(canvas, _draw_knee(rng), rng, diagnosis)
    # Slices from one side to the other, rows downwards, columns to the back.
    signal = canvas.layers[0, :, ::-1, ::-1].transpose(0, 2, 1)
    signal = np.ascontiguousarray(signal if left else signal[::-1])
    image = magnitude_image(rng, signal, bias=(0.15, 0.4), grain=(0.05, 1.0), noise=(0.025, 0.05))
    volume = np.rint(FLUID * rng.uniform(0.7, 1.4) * image).astype(np.int16)
    return volume, _roi((ends - edge) / spacing, canvas.layers.shape[1:], left, ROI_MARGIN / spacing)


def _roi(ends: Array, size: tuple[int, ...], left: bool, margin: Array) -> dict[str, int]:
    x, y, z = ends.T
    slices, columns, rows = size
    middle = float(x.mean()) if left else slices - 1 - float(x.mean())
    column, row = np.sort(columns - 1 - y), np.sort(rows - 1 - z)
    first = np.maximum(np.floor([column[0] - margin[1], row[0] - margin[2]]), 0).astype(int)
    last = np.minimum(np.ceil([column[1] + margin[1], row[1] + margin[2]]), [columns - 1, rows - 1]).astype(int)
    width, height = (last - first + 1).tolist()
    return dict(zip(REGION, (int(first[0]), int(first[1]), round(middle) - 1, height, width, 3), strict=True))


def _draw_knee(rng: np.random.Generator) -> SimpleNamespace:
    """What differs from knee to knee; thigh and shank are the frames of all that moves with femur and tibia."""
    scale, lean, bent = rng.uniform(0.9, 1.08), rng.uniform(-9, 9), rng.uniform(0, 15)
    origin, fat = rng.normal(0, (1.5, 4, 5)), rng.uniform(0.16, 0.3)
    thigh, shank = (Frame(origin, rotation((angle, 0, 0)), scale) for angle in (lean + bent, lean))
    look = draw_look(rng, TISSUES)
    return SimpleNamespace(thigh=thigh, shank=shank, fat=fat, marrow=fat + look.above_fat, **vars(look))


def _paint_knee(canvas: Canvas, look: SimpleNamespace, rng: np.random.Generator, diagnosis: int) -> Array:
    """Paint a knee from the skin inwards, and return the ends of the anterior ligament in mm, (2, 3)."""
    for organs in (_leg, _femur, _tibia, _front):
        canvas.paint_all(organs(look))
    canvas.paint_all(_fluid(look, rng))
    course = look.shank.place(POSTERIOR)
    canvas.paint(_band(course, np.full(5, 3.2 * look.shank.scale), canvas), look.ligament)
    return _paint_anterior_ligament(canvas, look, rng, diagnosis)


def _leg(look: SimpleNamespace) -> Organs:
    thigh, shank = look.thigh, look.shank
    yield shank.ellipsoid((0, 0, 0), (46 + look.skin, 56 + look.skin, 330)), look.fat
    yield shank.ellipsoid((0, 1, 0), (45, 53, 330)), look.muscle
    yield shank.ellipsoid((0, -38, 14), (24, 14, 60)), look.fat
    for side in (-1, 1):
        yield shank.ellipsoid((side * 19, -37, -44), (18, 14, 64)), look.muscle
        yield thigh.ellipsoid((side * 28, -42, 78), (13, 12, 64)), look.muscle
    yield _shaft(shank, (3, -36, -90), (3, -38, 90), 3.6), 0.1  # flowing blood gives no signal
    yield thigh.ellipsoid((0, 10, 8), (42, 35, 40)), look.fat
    yield shank.ellipsoid((0, -6, 4), (30, 26, 19)), look.capsule


def _femur(look: SimpleNamespace) -> Organs:
    for centre, radii in CONDYLES:
        yield look.thigh.ellipsoid(centre, np.add(radii, CORTEX + 2.2)), look.cartilage
    for thicker, intensity in ((CORTEX, COMPACT), (0.0, look.marrow)):
        yield from ((look.thigh.ellipsoid(centre, np.add(radii, thicker)), intensity) for centre, radii in FEMUR)
        yield _shaft(look.thigh, (0, 3, 46), (0, 6, 130), 15.5 + 2 * thicker, 13 + 2 * thicker), intensity


def _tibia(look: SimpleNamespace) -> Organs:
    frame = look.shank
    yield from ((frame.ellipsoid((x, -3, -4), (15, 21, 3.2)), look.cartilage) for x in (-20, 20))
    for thicker, intensity in ((CORTEX, COMPACT), (0.0, look.marrow)):
        yield frame.ellipsoid((0, -2, -21), np.add((35, 25, 17), thicker), exponent=3), intensity
        yield _shaft(frame, (0, 0, -38), (0, 1, -130), 22 + thicker, 13 + 2 * thicker), intensity
        yield frame.ellipsoid((0, 20, -34), np.add((10, 9, 14), thicker)), intensity
        yield _shaft(frame, (34, -22, -22), (34, -24, -130), 7 + thicker, 6 + thicker), intensity  # fibula
    yield frame.ellipsoid((0, -5, -4), (5, 8, 4)), look.marrow
    for x in (-21, 21):  # the menisci's horns
        for y, thickness in ((15, 3.0), (-21, 3.6)):
            yield frame.ellipsoid((x, y, -1), (12, 6, thickness)), look.ligament


def _front(look: SimpleNamespace) -> Organs:
    thigh, shank = look.thigh, look.shank
    yield shank.ellipsoid((0, 31, 0), (20, 10, 20)), look.fat
    yield thigh.ellipsoid((0, 34, 34), (17, 6, 15)), look.cartilage
    yield thigh.ellipsoid((0, 42, 34), (20, 9, 20), exponent=2.4), COMPACT  # the patella
    yield thigh.ellipsoid((0, 42, 34), (18.5, 7.5, 18.5), exponent=2.4), look.marrow
    yield tube(thigh.place((0, 46, 17)), shank.place((0, 29, -38)), 2.6 * shank.scale), look.ligament
    yield _shaft(thigh, (0, 46, 51), (0, 38, 130), 3), look.ligament


def _fluid(look: SimpleNamespace, rng: np.random.Generator) -> Organs:
    yield look.thigh.ellipsoid((0, 27, 56), (15, 1 + 4 * look.effusion, 16)), 1.0
    for _ in range(3):  # pockets beside the ligament, whatever its state
        place, radii = rng.uniform((-5, -24, -2), (6, 14, 18)), rng.uniform(1.5, 2.5 + 2.5 * look.effusion, 3)
        yield look.shank.ellipsoid(place, radii), 1.0, 0, 0.8


def _paint_anterior_ligament(canvas: Canvas, look: SimpleNamespace, rng: np.random.Generator, diagnosis: int) -> Array:
    frame, radius = look.shank, look.shank.scale * rng.uniform(2.2, 3.5)
    start, end = (frame.place(place + rng.normal(0, (0.4, 1.2, 1.2))) for place in (ORIGIN, INSERTION))
    steps, site = np.linspace(0, 1, 9), rng.uniform(0.32, 0.68)
    sag = rng.uniform(0, 2.0) * 4 * steps * (1 - steps)
    course = start + steps[:, None] * (end - start) - sag[:, None] * [0, 0.6, 0.8]
    radii = np.full(9, radius)
    if diagnosis == 1:
        radii *= 1 - rng.uniform(0.42, 0.65) * np.exp(-(((steps - site) / 0.22) ** 2))
    # The tissue is swollen in every knee, or brightness alone would tell.
    middle = start + site * (end - start) + rng.normal(0, 2, 3)
    canvas.paint(ellipsoid(middle, rng.uniform(3.5, 6, 3)), look.capsule + 0.3, opacity=0.7)
    parts = [(course, radii)]
    if diagnosis == 2:
        gap = rng.uniform(0.24, 0.36) / 2
        sides = (course[steps < site - gap], course[steps > site + gap][::-1])
        parts = [_stump(side, radius, rng) for side in sides if len(side) > 1]
    for part, thickness in parts:
        canvas.paint(_band(part, thickness, canvas), look.ligament)
    return np.stack([start, end])


def _stump(course: Array, radius: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Stump of a torn ligament; its free end hangs down and is frayed."""
    fall = np.linspace(0, 1, len(course))[:, None] ** 2 * [0, rng.normal(0, 1.5), rng.uniform(-3, 0)]
    return course + fall, np.linspace(radius, 0.55 * radius, len(course))


def _shaft(frame: Frame, start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None) -> Solid:
    ends = (frame.scale * r for r in (radius, radius if end_radius is None else end_radius))
    return tube(frame.place(start), frame.place(end), *ends)


def _band(course: Array, radii: Array, canvas: Canvas) -> Solid:
    """A band twice as wide across the slices as within them, so that a slice shows all of its course."""
    pieces = [[*a, *b, *ends] for (a, b), ends in zip(pairwise(course), pairwise(radii), strict=True)]
    across = np.array([1.0, 0, 0, 1, 0, 0, 0, 0])
    bundles = [np.array(pieces) + shift * across for shift in (-BUNDLES, 0, BUNDLES)]
    return tubes(np.concatenate(bundles), canvas.edge / 2)


KNEEMRI = Phantom(
    folder="KneeMRI",
    defaults={"exams": 120, "slices": 24, "size": 128, "seed": 0},
    least={"exams": 1, "slices": 16, "size": 64},
    fill=_fill,
    record=lambda settings: {"name": "kneemri", "version": VERSION, **settings},
)
