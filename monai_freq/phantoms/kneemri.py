"""Phantom of KneeMRI: knees whose anterior cruciate ligament is whole, thinned or torn."""

import csv
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .acquisition import bias_field, rician_noise, texture
from .canvas import Canvas
from .complete_folder import refuse_below, stream, write_complete_folder
from .knee import draw_knee_look, paint_knee

__all__ = ["Roi", "draw_knee_case", "write_kneemri"]

VERSION = 1  # to be raised whenever the volumes change
FIELD_OF_VIEW = (90.0, 150.0)  # mm across the slices, and within a slice
FOLDERS = 10
FLUID = 600  # scanner units
ROI_MARGIN = 11.0  # mm
DIAGNOSES = (0, 1, 0, 2)  # half of the knees are healthy
COLUMNS = (
    "examId",
    "seriesNo",
    "aclDiagnosis",
    "kneeLR",
    "roiX",
    "roiY",
    "roiZ",
    "roiHeight",
    "roiWidth",
    "roiDepth",
    "volumeFilename",
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Roi:
    """Box around the ligament, in voxels.

    Args:
        x: First column.
        y: First row.
        z: First slice.
        height: Rows.
        width: Columns.
        depth: Slices.

    >>> Roi(x=113, y=105, z=9, height=83, width=92, depth=3).depth
    3
    """

    x: int
    y: int
    z: int
    height: int
    width: int
    depth: int


def write_kneemri(
    root: str | os.PathLike[str], *, exams: int = 120, slices: int = 24, size: int = 128, seed: int = 0
) -> Path:
    """Write ``root/KneeMRI``: ``metadata.csv`` and pickled volumes in ``vol01`` to ``vol10``, or find it there.

    Half of the knees are healthy, a quarter has a thinned, a quarter a torn ligament.

    Args:
        root: Folder to hold ``KneeMRI``; another for other settings.
        exams: Number of volumes, one an exam.
        slices: Sagittal slices of each, at least 16; they cover 90 mm.
        size: Rows and columns, at least 64; they cover 150 mm.
        seed: Seed; exam i depends on it and on i alone.

    Returns:
        The absolute path of ``KneeMRI``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Štajduhar et al., Semi-automated detection of anterior cruciate ligament injury from MRI, Computer Methods and
        Programs in Biomedicine 140, 151-164 (2017), doi:10.1016/j.cmpb.2016.12.006.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = write_kneemri(root, exams=2, slices=16, size=64)
    ...     sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    ['metadata.csv', 'phantom.json', 'vol01/100000-1.pck', 'vol02/100001-1.pck']
    """
    refuse_below(1, exams=exams)
    refuse_below(16, slices=slices)
    refuse_below(64, size=size)
    refuse_below(0, seed=seed)
    settings = {"name": "kneemri", "version": VERSION, "exams": exams, "slices": slices, "size": size, "seed": seed}

    def fill(folder: Path) -> None:
        for number in range(FOLDERS):
            (folder / f"vol{number + 1:02}").mkdir()
        per_folder = -(-exams // FOLDERS)
        with (folder / "metadata.csv").open("w", newline="", encoding="ascii") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            for exam in range(exams):
                rng, diagnosis = stream(seed, exam), DIAGNOSES[exam % len(DIAGNOSES)]
                knee = int(rng.integers(2))
                volume, roi = draw_knee_case(rng, diagnosis, left=bool(knee), slices=slices, size=size)
                name = f"{100000 + exam}-1.pck"
                place = (roi.x, roi.y, roi.z, roi.height, roi.width, roi.depth)
                table.writerow((100000 + exam, 1, diagnosis, knee, *place, name))
                with (folder / f"vol{exam // per_folder + 1:02}" / name).open("wb") as pickled:
                    pickle.dump(volume, pickled, protocol=4)

    return write_complete_folder(Path(root) / "KneeMRI", settings, fill)


def draw_knee_case(
    rng: np.random.Generator, diagnosis: int, *, left: bool, slices: int, size: int
) -> tuple[NDArray[np.int16], Roi]:
    """Draw one knee in sagittal slices.

    Args:
        rng: Source of everything drawn.
        diagnosis: The anterior cruciate ligament is 0 whole, 1 thinned or 2 torn.
        left: Whether it is a left knee, whose outer side comes last.
        slices: Number of slices.
        size: Rows, from the thigh down, and columns, from the front to the back.

    Shape:
        Output ``(slices, size, size)``, and the box around the ligament.

    >>> volume, roi = draw_knee_case(np.random.default_rng(0), 2, left=False, slices=16, size=64)
    >>> volume.shape, volume.dtype.name, 0 <= roi.z < 16
    ((16, 64, 64), 'int16', True)
    """
    spacing = np.array([FIELD_OF_VIEW[0] / slices, FIELD_OF_VIEW[1] / size, FIELD_OF_VIEW[1] / size])
    edge = (spacing - spacing * (slices, size, size)) / 2
    canvas = Canvas((slices, size, size), spacing.tolist(), edge.tolist(), labels=0)
    # So thick a slice would blur the edges within it.
    canvas.edge = float(1.3 * spacing[1])
    ends = paint_knee(canvas, draw_knee_look(rng), rng, diagnosis)
    signal = _viewed(canvas.layers[0], left)
    gain = bias_field(rng, signal.shape, rng.uniform(0.15, 0.4)) * (1 + 0.05 * texture(rng, signal.shape, 1.0))
    noisy = rician_noise(rng, gain * signal, sigma=rng.uniform(0.025, 0.05))
    volume = np.rint(FLUID * rng.uniform(0.7, 1.4) * noisy).astype(np.int16)
    return volume, _roi((ends - edge) / spacing, canvas.layers.shape[1:], left, ROI_MARGIN / spacing)


def _viewed(layer: NDArray[np.float32], left: bool) -> NDArray[np.float32]:
    """Slices from one side to the other, rows downwards, columns to the back."""
    layer = layer[:, ::-1, ::-1].transpose(0, 2, 1)
    return np.ascontiguousarray(layer if left else layer[::-1])


def _roi(ends: Array, size: tuple[int, ...], left: bool, margin: Array) -> Roi:
    x, y, z = ends.T
    slices, columns, rows = size
    middle = float(x.mean()) if left else slices - 1 - float(x.mean())
    column, row = np.sort(columns - 1 - y), np.sort(rows - 1 - z)
    first = np.maximum(np.floor([column[0] - margin[1], row[0] - margin[2]]), 0).astype(int)
    last = np.minimum(np.ceil([column[1] + margin[1], row[1] + margin[2]]), [columns - 1, rows - 1]).astype(int)
    width, height = (last - first + 1).tolist()
    return Roi(int(first[0]), int(first[1]), round(middle) - 1, height, width, 3)
