"""Phantoms of quantitative susceptibility maps (QSM), the small and iron-rich red or dentate nuclei labelled."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .acquisition import texture
from .brain import Brain, Crenated, draw_brain, paint_brain, paint_veins
from .canvas import Canvas, block_mean, centred_affine, fine_canvas
from .decathlon_folder import PhantomTask, write_decathlon_folder
from .shapes import Points, Shape
from .susceptibility import dipole_field, threshold_division

__all__ = ["Without", "draw_nucleus_case", "write_dentate_nucleus", "write_red_nucleus"]

Array = NDArray[np.floating[Any]]
Size = tuple[int, int, int]

FIELD_OF_VIEW = (160.0, 160.0, 128.0)  # mm
MARGIN = 32.0  # mm of nothing beside the volume, so that its periodic image is far
THRESHOLD = 0.15
PPM = np.float32(1e-3)  # in a ppb


@dataclass(frozen=True)
class _Nucleus:
    """Average nucleus of the right side.

    Args:
        iron: Least and most susceptibility over that of white matter, in ppb.
        centre: Centre in mm in the average brain.
        radii: Semi-axes in mm.
        angles: Turns in degrees.
        shift: mm to the side that the ventricles push it, per width of the average ones.
    """

    iron: tuple[float, float]
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    angles: tuple[float, float, float] = (0, 0, 0)
    shift: float = 0


# In the order in which they are painted, the later over the earlier. The iron frames what was measured, like 0.06 ppm
# in the subthalamic nucleus and 0.1 ppm in the substantia nigra (Schäfer et al. 2012, doi:10.1002/hbm.21404).
NUCLEI = {
    "putamen": _Nucleus((65, 125), (26.5, 2, 1), (4.5, 16, 11), (0, 12, -14)),
    "pallidum": _Nucleus((140, 210), (19.5, -4, -1), (3.6, 10, 6), (0, 15, -24)),
    "caudate": _Nucleus((65, 105), (12, 16, 5), (5, 9, 9), (0, 0, 10), shift=2),
    "thalamus": _Nucleus((20, 45), (9, -17, 7), (7, 13, 8.5), (0, 0, 20), shift=1),
    "pulvinar": _Nucleus((50, 80), (14, -27, 6), (6, 5, 5.5), shift=1),
    "subthalamic": _Nucleus((90, 140), (11.5, -13, -6), (5.5, 3, 2.6), (0, -20, 30)),
    "nigra": _Nucleus((120, 210), (11, -16.5, -12.5), (8.5, 2.6, 5), (0, -25, -48)),
    "red": _Nucleus((95, 165), (5.6, -20.5, -8.5), (3.8, 4.3, 5.4), (-15, 0, 0)),
    "dentate": _Nucleus((95, 165), (16.5, -58, -36), (5.0, 8.4, 5.3), (12, 0, -24)),
}


def write_red_nucleus(
    root: str | os.PathLike[str],
    *,
    cases: int = 24,
    test_cases: int = 2,
    size: Sequence[int | Sequence[int]] = (64, 64, 48),
    seed: int = 0,
    tilt: float = 0.0,
) -> Path:
    """Write ``root/RedNucleus``, susceptibility maps with both red nuclei labelled, or find it there.

    The maps, in ppm, are found back by :func:`~monai_freq.phantoms.susceptibility.threshold_division` from the noisy
    field that the painted tissue makes, so they have the streaks and the lowered contrast of real ones.

    Args:
        root: Folder to hold ``RedNucleus``; another for other settings.
        cases: Number of labelled cases.
        test_cases: Number of images without labels.
        size: Voxels along x, y and z, a pair being a range; the field of view stays 160 x 160 x 128 mm.
        seed: Seed; case i depends on it and on i alone.
        tilt: Largest angle in degrees by which a case's grid is turned around each axis.

    Returns:
        The absolute path of ``RedNucleus``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    >>> import tempfile
    >>> from monai_freq.data import read_decathlon
    >>> with tempfile.TemporaryDirectory() as root:
    ...     red = read_decathlon(write_red_nucleus(root, cases=1, test_cases=0, size=(32, 32, 24)))
    >>> red.labels, red.modality
    ({0: 'background', 1: 'red nucleus'}, {0: 'QSM'})
    """
    return write_decathlon_folder(
        root, RED_NUCLEUS, cases=cases, test_cases=test_cases, size=size, seed=seed, tilt=tilt
    )


def write_dentate_nucleus(
    root: str | os.PathLike[str],
    *,
    cases: int = 24,
    test_cases: int = 2,
    size: Sequence[int | Sequence[int]] = (64, 64, 48),
    seed: int = 0,
    tilt: float = 0.0,
) -> Path:
    """Write ``root/DentateNucleus``, susceptibility maps with both dentate nuclei labelled, or find it there.

    The images are those of :func:`write_red_nucleus` with the same settings.

    Args:
        root: Folder to hold ``DentateNucleus``; another for other settings.
        cases, test_cases, size, seed, tilt: As in :func:`write_red_nucleus`.

    Returns:
        The absolute path of ``DentateNucleus``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    >>> import tempfile
    >>> from monai_freq.data import read_decathlon
    >>> with tempfile.TemporaryDirectory() as root:
    ...     dentate = read_decathlon(write_dentate_nucleus(root, cases=1, test_cases=0, size=(32, 32, 24)))
    >>> dentate.labels, dentate.modality
    ({0: 'background', 1: 'dentate nucleus'}, {0: 'QSM'})
    """
    return write_decathlon_folder(
        root, DENTATE_NUCLEUS, cases=cases, test_cases=test_cases, size=size, seed=seed, tilt=tilt
    )


def draw_nucleus_case(
    rng: np.random.Generator, size: Size, *, nucleus: str
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float64]]:
    """Draw one brain, the field that it makes, and the map found back from that field.

    Args:
        rng: Source of everything drawn.
        size: Voxels along x, y and z.
        nucleus: The labelled one, ``"red"`` or ``"dentate"``; the image is the same for both.

    Returns:
        The susceptibility in ppm relative to the brain's mean, 0 outside, the label and the affine in mm (RAS).

    >>> image, label, affine = draw_nucleus_case(np.random.default_rng(0), (32, 32, 24), nucleus="dentate")
    >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().round(2).tolist()
    ((32, 32, 24), 'float32', [0, 1], [5.0, 5.0, 5.33, 1.0])
    """
    affine = centred_affine(size, FIELD_OF_VIEW)
    field, inside, label = _magnetise(rng, size, affine, nucleus)
    image = _acquire(rng, field, inside > 0.9, affine.diagonal()[:3].tolist())
    # Relative to the fullest voxel, lest a small nucleus vanish on a coarse grid.
    return PPM * image, (label > label.max() / 2).astype(np.uint8), affine


@dataclass(frozen=True)
class Without:
    """What is left of a shape when another is cut out of it.

    Args:
        shape: The shape.
        hole: What is cut out.

    >>> from monai_freq.phantoms.shapes import Ellipsoid
    >>> shell = Without(Ellipsoid((0, 0, 0), (9, 9, 9)), Ellipsoid((0, 0, 0), (6, 6, 6)))
    >>> [round(float(shell.distance(np.array([x, 0.0, 0.0]))), 1) for x in (0, 8, 10)]
    [6.0, -1.0, 1.0]
    """

    shape: Shape
    hole: Shape

    def bounds(self) -> tuple[Array, Array]:
        """Corners of a box around the shape."""
        return self.shape.bounds()

    def distance(self, points: Points) -> Array:
        """Signed distance in mm of ``points``, three coordinate arrays that broadcast together."""
        return np.asarray(np.maximum(self.shape.distance(points), -self.hole.distance(points)))


def _magnetise(rng: np.random.Generator, size: Size, affine: NDArray[np.float64], nucleus: str) -> NDArray[np.float32]:
    """Field in ppb, fraction of brain and fraction of the nucleus, averaged over the voxels."""
    canvas, factor = fine_canvas(size, affine)
    brain = draw_brain(rng)
    inside = paint_brain(canvas, brain, rng)
    _paint_nuclei(canvas, brain, rng, labels={nucleus: 1})
    paint_veins(canvas, brain, rng)
    tissue, label = canvas.layers
    # Without its mean: only differences within the brain are left once the field of all that is outside is removed.
    tissue = inside * (tissue - np.average(tissue, weights=inside))
    # On the finer grid, so that the reconstruction does not merely undo what was done on its own grid.
    field = dipole_field(tissue, canvas.spacing.tolist(), padding=round(MARGIN / canvas.edge))
    return block_mean(np.stack([field, inside, label]), factor)


def _paint_nuclei(canvas: Canvas, brain: Brain, rng: np.random.Generator, labels: Mapping[str, int]) -> None:
    iron = {name: brain.white + rng.uniform(*nucleus.iron) for name, nucleus in NUCLEI.items()}
    for side in (-1, 1):
        for name in NUCLEI:
            shape = _shape(name, brain, rng, side)
            canvas.paint(shape, iron[name] * rng.uniform(0.93, 1.07), labels.get(name, 0))
        push = NUCLEI["caudate"].shift * brain.ventricles
        tail = [(side * (x + push), y, z) for x, y, z in ((14, 10, 14), (15, -6, 21), (19, -22, 20))]
        canvas.paint(brain.vessel(tail, 2.6), iron["caudate"])


def _shape(name: str, brain: Brain, rng: np.random.Generator, side: int) -> Shape:
    nucleus = NUCLEI[name]
    centre = nucleus.centre + np.array([nucleus.shift * brain.ventricles, 0, 0])
    centre = centre * (side, 1, 1) + rng.normal(0, 0.5, 3)
    angles = np.array(nucleus.angles) * (1, side, side) + rng.normal(0, 4, 3)
    body = brain.ellipsoid(centre, nucleus.radii * rng.uniform(0.9, 1.1, 3), angles, exponent=2.3)
    if name != "dentate":
        return body
    phase, thickness = rng.uniform(0, 2 * np.pi, 3), brain.scale * rng.uniform(2.4, 2.9)
    sheet = Crenated(body, 0.7, 6 * brain.scale, phase, thickness=thickness)
    hilum = brain.ellipsoid(centre + np.array([-side * 4, 6, 1.5]), (5, 7, 4), angles)
    return Without(sheet, hilum)


def _acquire(
    rng: np.random.Generator, field: NDArray[np.float32], inside: NDArray[np.bool_], spacing: Sequence[float]
) -> NDArray[np.float32]:
    """Susceptibility in ppb, found from the field in the brain with its noise and a rest of the background's."""
    mm = float(np.mean(spacing))
    noisy = field + rng.uniform(0.8, 2.0) * rng.standard_normal(field.shape, dtype=np.float32)
    noisy += rng.uniform(0.5, 1.5) * texture(rng, field.shape, 10 / mm)
    found = threshold_division(
        np.where(inside, noisy, np.float32(0)), spacing, threshold=THRESHOLD, padding=round(MARGIN / mm)
    )
    return np.where(inside, found - found[inside].mean(), np.float32(0))


RED_NUCLEUS = PhantomTask(
    folder="RedNucleus",
    stem="rn",
    name="RedNucleus",
    description="Red nuclei in quantitative susceptibility maps of the brain: a generated phantom",
    modality="QSM",
    labels=("background", "red nucleus"),
    version=1,
    draw_case=partial(draw_nucleus_case, nucleus="red"),
)
DENTATE_NUCLEUS = PhantomTask(
    folder="DentateNucleus",
    stem="dn",
    name="DentateNucleus",
    description="Dentate nuclei in quantitative susceptibility maps of the brain: a generated phantom",
    modality="QSM",
    labels=("background", "dentate nucleus"),
    version=1,
    draw_case=partial(draw_nucleus_case, nucleus="dentate"),
)
