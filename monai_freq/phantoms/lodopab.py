"""Phantom of LoDoPaB-CT with labels: lung nodules that are benign or malignant by their margin."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.lidc import attenuation
from ..data.lodopab import LABEL_COLUMNS, SLICES_PER_FILE
from .acquisition import ramp_noise, texture
from .canvas import Canvas, Organs, draw_look
from .complete_folder import Phantom, stream
from .nodule import draw_nodule
from .solids import Array, Solid, ellipsoid, rotation, tube, tubes
from .trunk import column, rib_segments

__all__ = ["FIELD_OF_VIEW", "LODOPAB"]

VERSION = 2  # to be raised whenever the slices change
LABELS = "labels.csv"
FIELD_OF_VIEW = 260.0  # mm, as in LoDoPaB-CT, which crops wide chests too
MOST_SLICES = 4  # of a patient
THICKNESS = 3.0  # mm between the slices of a patient
MALIGNANCIES = ((1, 2), (4, 5))

Image = NDArray[np.float32]

AIR, BONE = -1000.0, 420.0
WALL = 17.0  # mm of muscle and ribs around the cavity
ROOTS = 6  # vessels that leave each hilum
GENERATIONS = 4

# Lengths in mm, intensities in HU. In the frame of all that follows, x leads to the right, y to the front and z upwards
# from the middle of the chest.
CHEST = {
    "half_width": (122, 142),  # under the skin's fat
    "half_depth": (88, 104),
    "fat_thickness": (5, 15),
    "heart": (0, 1),  # its size at this height, from 0, above it, to 1
    "phase": (0, 28),  # height of a rib
    "drop": (0.35, 0.6),  # mm that a rib comes down per mm to the front
    "fat": (-112, -92),
    "muscle": (45, 65),
    "marrow": (140, 230),
}


def _fill(folder: Path, *, size: int, seed: int, **counts: int) -> None:
    rows: list[tuple[str | int, ...]] = [LABEL_COLUMNS]
    first = 0
    for number, (part, count) in enumerate(counts.items()):
        planned = _plan(stream(seed, number), count, first)
        first += len({cut.patient for cut in planned})
        rows += _write_part(folder, part, planned, size, seed, number)
    _write_rows(folder / LABELS, rows)


class _Cut(NamedTuple):
    """One slice to be drawn: of which patient, of how many slices the which, and the nodule's malignancy."""

    patient: int
    number: int
    slices: int
    nth: int
    malignancy: int


def _plan(rng: np.random.Generator, count: int, first: int) -> list[_Cut]:
    """Deal a part's slices to patients, the two kinds in turn, and shuffle them."""
    cuts: list[_Cut] = []
    left = [count - count // 2, count // 2]
    number = 0
    while any(left):
        kind = number % 2 if left[number % 2] else 1 - number % 2
        slices = min(int(rng.integers(1, MOST_SLICES + 1)), left[kind])
        malignancy = int(rng.choice(MALIGNANCIES[kind]))
        cuts += [_Cut(first + number, number, slices, nth, malignancy) for nth in range(slices)]
        left[kind] -= slices
        number += 1
    return [cuts[index] for index in rng.permutation(count)]


def _write_part(
    folder: Path, part: str, cuts: Sequence[_Cut], size: int, seed: int, number: int
) -> Iterator[tuple[str | int, ...]]:
    import h5py

    for file, start in enumerate(range(0, len(cuts), SLICES_PER_FILE)):
        name, some = f"ground_truth_{part}_{file:03}.hdf5", cuts[start : start + SLICES_PER_FILE]
        with h5py.File(folder / name, "w") as hdf5:
            hdf5["data"] = np.stack([_draw(cut, size, seed, number) for cut in some])
        yield from ((name, index, cut.patient, cut.malignancy) for index, cut in enumerate(some))
    _write_rows(folder / f"patient_ids_rand_{part}.csv", [(cut.patient,) for cut in cuts])


def _write_rows(path: Path, rows: Sequence[tuple[str | int, ...]]) -> None:
    with path.open("w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _draw(cut: _Cut, size: int, seed: int, part: int) -> Image:
    patient, own = stream(seed, part, cut.number), stream(seed, part, cut.number, cut.nth)
    look, radius = _draw_lungs(patient), patient.uniform(10, 15)
    place = patient.choice([-1, 1]) * patient.uniform(45, 95), patient.uniform(-60, 60)
    height = THICKNESS * (cut.nth - (cut.slices - 1) / 2)
    seen = radius * np.sqrt(1 - (height / (1.7 * radius)) ** 2)  # a ball, drawn out along z
    return _draw_slice(own, look, cut.malignancy, radius=seen, place=place, height=height, size=size)[0]


def _draw_lungs(rng: np.random.Generator) -> SimpleNamespace:
    """Build of a patient, uptake of contrast agent, and the vessels of both lungs, as ``tubes`` takes them."""
    look = draw_look(rng, CHEST)
    look.blood = float(rng.choice([42, 110, 170])) + rng.uniform(-10, 25)
    look.lung = rng.uniform(-890, -800)  # lower when they are blown up
    look.vessels = np.concatenate([_tree(rng, side) for side in (-1, 1)])
    return look


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


def _draw_slice(
    rng: np.random.Generator,
    look: SimpleNamespace,
    malignancy: int,
    *,
    radius: float,
    place: Sequence[float],
    height: float,
    size: int,
) -> tuple[Image, Image]:
    r"""Draw a slice as attenuation :math:`\mu/\mu_\mathrm{max}`, and the part of each pixel that is nodule.

    The slice lies at a height in mm, with the front on top and the patient's right on the left. The nodule has the area
    of a disc of the radius in mm and lies as near to the place (x and y in mm) as it has room in the lung.
    """
    pixel = FIELD_OF_VIEW / size
    canvas = Canvas((size, size, 1), (pixel,) * 3, (*(2 * [(pixel - FIELD_OF_VIEW) / 2]), height), labels=2)
    _paint_slice(canvas, look)
    centre = _room(canvas, radius, place)
    lung = canvas.layers[1, :, :, 0].copy()
    _paint_vessels(canvas, look)
    if rng.random() < 0.5:  # fed by a vessel, whatever the margin
        course = np.array([-22 * np.sign(centre[0]), rng.uniform(-9, 9), 0])
        canvas.paint(tube(centre, centre + course, 1.6, 2.2), look.blood / 2)
    canvas.paint(draw_nodule(rng, malignancy, centre, radius), rng.uniform(-30, 70), label=2)
    image, nodule = (canvas.layers[layer, ::-1, ::-1, 0].T for layer in (0, 2))
    return _acquire(rng, image, lung[::-1, ::-1].T, pixel), nodule


def _room(canvas: Canvas, radius: float, place: Sequence[float]) -> NDArray[np.float64]:
    """The pixel nearest to a place at which a nodule stays within the lung, or else the one with most room."""
    from scipy.ndimage import distance_transform_edt

    room = canvas.edge * distance_transform_edt(canvas.layers[1, :, :, 0] > 0.5)
    possible = np.argwhere(room >= min(1.35 * radius, room.max())) * canvas.edge + canvas.origin[:2]
    nearest = np.argmin(((possible - place) ** 2).sum(1))
    return np.array([*possible[nearest], canvas.origin[2]])


def _acquire(rng: np.random.Generator, hounsfield: Image, lung: Image, pixel: float) -> Image:
    shape = (*hounsfield.shape, 1)
    gravity = np.linspace(-0.5, 0.5, len(hounsfield), dtype=np.float32)[:, None]  # the patient lies on the back
    tissue = 16 * texture(rng, shape, 3.5 / pixel)[..., 0] + rng.uniform(20, 90) * gravity
    noise = rng.uniform(10, 24) * ramp_noise(rng, shape, width=0.6)[..., 0]
    return attenuation(hounsfield + lung * tissue + noise)


def _paint_slice(canvas: Canvas, look: SimpleNamespace) -> None:
    """Paint a patient without the vessels of the lungs, from the skin inwards; label 1 is the lung."""
    canvas.layers[0] = AIR
    canvas.paint_all(_wall(look, canvas.edge / 2))
    canvas.paint_all((_lung(look, side), look.lung, 1) for side in (-1, 1))
    for organs in (_mediastinum, _heart if look.heart > 0.3 else _great_vessels, _back):
        canvas.paint_all(organs(look))


def _wall(look: SimpleNamespace, margin: float) -> Organs:
    width, depth, skin = look.half_width, look.half_depth, look.fat_thickness
    yield ellipsoid((0, -depth - skin - 12, 0), (190, 7, 400), exponent=8), -250  # the table
    yield ellipsoid((0, -depth - skin - 12, 0), (186, 4, 400), exponent=8), -930
    yield column(width + 1.3 * skin, depth + skin, y=-0.25 * skin), look.fat
    yield column(width, depth), look.muscle
    for side in (-1, 1):  # shoulder blades
        yield ellipsoid((side * (width - 24), 24 - depth, 0), (21, 3, 90), rotation((0, 0, side * 42))), BONE
    ribs = np.array([[*start, *end, 5, 5] for start, end in rib_segments(width, depth, look.phase, look.drop)])
    yield tubes(ribs, margin), BONE
    yield tubes(ribs - [0, 0, 0, 0, 0, 0, 2.2, 2.2], margin), look.marrow
    yield column(width - WALL, depth - WALL), look.fat
    yield ellipsoid((0, depth - 9, 0), (17, 6, 90)), BONE  # sternum
    yield ellipsoid((0, depth - 9, 0), (14, 3.5, 90)), look.marrow


def _lung(look: SimpleNamespace, side: int) -> Solid:
    inner, outer = 10, look.half_width - WALL - 2
    radii = ((outer - inner) / 2 + 3, look.half_depth - WALL - 3, 300)
    return ellipsoid((side * (inner + outer) / 2, -2, 0), radii, rotation((0, 0, side * 5)), exponent=2.5)


def _mediastinum(look: SimpleNamespace) -> Organs:
    yield ellipsoid((-2, 20, 0), (21 + 8 * look.heart, look.half_depth - 28, 300)), look.fat
    yield ellipsoid((0, 52 - look.half_depth, 0), (24, 26, 300)), look.fat
    for side in (-1, 1):  # the hila
        yield ellipsoid((side * 28, -4, 0), (13, 15, 60), rotation((0, 0, side * 20))), look.blood
        yield tube((side * 30, -10, -60), (side * 30, -10, 60), 5.5), AIR


def _heart(look: SimpleNamespace) -> Organs:
    size, turn = 0.6 + 0.4 * look.heart, rotation((0, 0, 28))
    yield ellipsoid((-17, 26, 0), (size * 55, size * 43, 80), turn), look.fat
    yield ellipsoid((-17, 26, 0), (size * 51, size * 39, 80), turn), look.muscle
    yield ellipsoid((-34, 16, 0), (size * 22, size * 15, 80), turn), look.blood
    yield ellipsoid((2, 34, 0), (size * 23, size * 18, 80), rotation((0, 0, 40))), look.blood


def _great_vessels(look: SimpleNamespace) -> Organs:
    yield ellipsoid((4, 30, 0), (15, 16, 80)), look.blood
    yield ellipsoid((-16, 14, 0), (13, 17, 80)), look.blood
    yield tube((24, 16, -80), (24, 16, 80), 8.5), look.blood
    yield ellipsoid((2, -10, 0), (10, 9, 80)), AIR  # the windpipe


def _back(look: SimpleNamespace) -> Organs:
    back = -look.half_depth
    yield tube((-20, back + 60, -80), (-20, back + 60, 80), 12), look.blood
    yield tube((-2, back + 66, -80), (-2, back + 66, 80), 6), look.muscle
    for side in (-1, 1):
        yield tube((side * 24, back + 13, -80), (side * 24, back + 13, 80), 16), look.muscle
        yield tube((side * 12, back + 26, 0), (side * 26, back + 21, 0), 4.5), BONE
    yield ellipsoid((0, back + 40, 0), (19, 16, 60), exponent=2.6), BONE
    yield ellipsoid((0, back + 40, 0), (16, 13, 60), exponent=2.6), look.marrow
    yield ellipsoid((0, back + 20, 0), (12, 10, 60)), BONE
    yield ellipsoid((0, back + 20, 0), (8.5, 7, 60)), 30
    yield tube((0, back + 10, 0), (0, back + 1, 0), 3.5), BONE


def _paint_vessels(canvas: Canvas, look: SimpleNamespace) -> None:
    """Paint the vessels that come near the slice, over the lungs."""
    lungs = [_lung(look, side).distance(list(look.vessels[:, 3:6].T)) for side in (-1, 1)]
    inside = look.vessels[np.minimum(*lungs) < -2]
    canvas.paint(tubes(inside, canvas.edge / 2), 0.5 * (look.blood + 40), opacity=0.75)


LODOPAB = Phantom(
    folder="LoDoPaB-CT",
    defaults={"train": 240, "validation": 80, "test": 480, "size": 128, "seed": 0},
    least={"train": 1, "validation": 1, "test": 1, "size": 32},
    fill=_fill,
    record=lambda settings: {"name": "lodopab", "version": VERSION, **settings},
)
