"""Phantom of LoDoPaB-CT with labels: lung nodules that are benign or malignant by their margin."""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.lidc import attenuation
from ..data.lodopab import LABEL_COLUMNS, SLICES_PER_FILE
from .acquisition import ramp_noise, texture
from .canvas import Canvas
from .complete_folder import refuse_below, stream, write_complete_folder
from .lung_ct import LungLook, draw_lung_look, paint_lung_slice, paint_lung_vessels
from .nodule import draw_nodule
from .shapes import Tube

__all__ = ["FIELD_OF_VIEW", "LABELS", "draw_lung_slice", "write_lodopab"]

VERSION = 2  # to be raised whenever the slices change
LABELS = "labels.csv"
FIELD_OF_VIEW = 260.0  # mm, as in LoDoPaB-CT, which crops wide chests too
MOST_SLICES = 4  # of a patient
THICKNESS = 3.0  # mm between the slices of a patient
MALIGNANCIES = ((1, 2), (4, 5))

Image = NDArray[np.float32]


def write_lodopab(
    root: str | os.PathLike[str],
    *,
    train: int = 240,
    validation: int = 80,
    test: int = 480,
    size: int = 128,
    seed: int = 0,
) -> Path:
    """Write ``root/LoDoPaB-CT``: HDF5 files of slices, patients' numbers and a table of labels, or find it there.

    Every slice goes through one lung nodule, of a benign (1, 2) or a malignant (4, 5) patient in equal parts. Nodules
    of both kinds have the same area, contrast and place on average, so that only the margin tells.

    Args:
        root: Folder to hold ``LoDoPaB-CT``; another for other settings.
        train: Number of slices in ``ground_truth_train_*.hdf5``, up to 128 a file.
        validation: Number of slices in ``ground_truth_validation_*.hdf5``.
        test: Number of slices in ``ground_truth_test_*.hdf5``.
        size: Pixels along each edge, at least 32; the field of view stays 260 mm.
        seed: Seed; a patient depends on it, on the part and on the patient's place in the part alone.

    Returns:
        The absolute path of ``LoDoPaB-CT``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Leuschner et al., LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction, Scientific
        Data 8, 109 (2021), doi:10.1038/s41597-021-00893-z.

    >>> import h5py, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = write_lodopab(root, train=2, validation=1, test=1, size=32)
    ...     with h5py.File(folder / "ground_truth_train_000.hdf5") as file:
    ...         print(file["data"].shape)
    ...     (folder / "labels.csv").read_text().splitlines()[0]
    (2, 32, 32)
    'file,index,patient,malignancy'
    """
    refuse_below(1, train=train, validation=validation, test=test)
    refuse_below(32, size=size)
    refuse_below(0, seed=seed)
    parts = {"train": train, "validation": validation, "test": test}
    settings = {"name": "lodopab", "version": VERSION, **parts, "size": size, "seed": seed}

    def fill(folder: Path) -> None:
        rows: list[tuple[str | int, ...]] = [LABEL_COLUMNS]
        first = 0
        for number, (part, count) in enumerate(parts.items()):
            planned = _plan(stream(seed, number), count, first)
            first += len({cut.patient for cut in planned})
            rows += _write_part(folder, part, planned, size, seed, number)
        _write_rows(folder / LABELS, rows)

    return write_complete_folder(Path(root) / "LoDoPaB-CT", settings, fill)


def draw_lung_slice(
    rng: np.random.Generator,
    look: LungLook,
    malignancy: int,
    *,
    radius: float,
    place: Sequence[float],
    height: float,
    size: int,
) -> tuple[Image, Image]:
    r"""Draw one slice through a patient's chest and nodule, as attenuation :math:`\mu/\mu_\mathrm{max}`.

    Args:
        rng: Source of the nodule's margin, the lungs' texture and the noise.
        look: The patient.
        malignancy: 1, 2, 4 or 5.
        radius: The nodule's radius in mm, that of a disc of its area.
        place: Where the nodule should be, x and y in mm; it is moved to where it has room in the lung.
        height: z of the slice in mm.
        size: Pixels along each edge.

    Shape:
        Output ``(size, size)``, the front on top and the patient's right on the left, and which part of each pixel is
        nodule.

    >>> rng = np.random.default_rng(0)
    >>> chest = dict(radius=9, place=(60, 0), height=0, size=64)
    >>> image, nodule = draw_lung_slice(rng, draw_lung_look(rng), 5, **chest)
    >>> image.shape, bool(image.min() >= 0), bool(image.max() < 1)
    ((64, 64), True, True)
    """
    pixel = FIELD_OF_VIEW / size
    canvas = Canvas((size, size, 1), (pixel,) * 3, (*(2 * [(pixel - FIELD_OF_VIEW) / 2]), height), labels=2)
    paint_lung_slice(canvas, look)
    centre = _room(canvas, radius, place)
    lung = canvas.layers[1, :, :, 0].copy()
    paint_lung_vessels(canvas, look)
    if rng.random() < 0.5:  # fed by a vessel, whatever the margin
        course = np.array([-22 * np.sign(centre[0]), rng.uniform(-9, 9), 0])
        canvas.paint(Tube(centre, centre + course, 1.6, 2.2), look.blood / 2)
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


@dataclass(frozen=True)
class _Cut:
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


def _draw(cut: _Cut, size: int, seed: int, part: int) -> Image:
    patient, own = stream(seed, part, cut.number), stream(seed, part, cut.number, cut.nth)
    look, radius = draw_lung_look(patient), patient.uniform(10, 15)
    place = patient.choice([-1, 1]) * patient.uniform(45, 95), patient.uniform(-60, 60)
    height = THICKNESS * (cut.nth - (cut.slices - 1) / 2)
    seen = radius * np.sqrt(1 - (height / (1.7 * radius)) ** 2)  # a ball, drawn out along z
    return draw_lung_slice(own, look, cut.malignancy, radius=seen, place=place, height=height, size=size)[0]


def _write_rows(path: Path, rows: Sequence[tuple[str | int, ...]]) -> None:
    with path.open("w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
