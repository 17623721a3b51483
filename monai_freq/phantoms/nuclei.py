"""Phantoms of quantitative susceptibility maps (QSM), the small and iron-rich red or dentate nuclei labelled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .acquisition import texture
from .canvas import Canvas, Organs, draw_look, scan_canvas
from .scans import Case, Size, scan_phantom
from .solids import Array, Frame, Solid, crenated, rotation, soft_union, tube
from .susceptibility import dipole_field, threshold_division

__all__ = ["DENTATE_NUCLEUS", "NUCLEI", "RED_NUCLEUS", "draw_nucleus_case"]

FIELD_OF_VIEW = (160.0, 160.0, 128.0)  # mm
MARGIN = 32.0  # mm of nothing beside the volume, so that its periodic image is far
THRESHOLD = 0.15
PPM = np.float32(1e-3)  # in a ppb

Triple = tuple[float, float, float]
Courses = tuple[tuple[tuple[Triple, ...], float], ...]

# All that follows is in mm of an average brain, x to the right, y to the front, z upwards, near the anterior commissure
# 0: corpus callosum, from rostrum to splenium, and lateral ventricle, from frontal to temporal horn.
CALLOSUM = [(0, 24, -4), (0, 33, 6), (0, 22, 20), (0, -5, 27), (0, -28, 23), (0, -40, 12)]
VENTRICLE = [(9, 33, 2), (9, 14, 15), (12, -12, 23), (19, -34, 18), (27, -42, 4), (33, -24, -12), (31, -12, -18)]
OCCIPITAL_HORN = [(21, -38, 14), (24, -66, 8)]
#: each cerebral vein and its radius; these are drawn on both sides
DEEP_VEINS: Courses = (
    (((1.8, -2, 13), (1.8, -18, 16), (1.2, -36, 11)), 1.1),  # internal cerebral
    (((10, -2, -16), (17, -16, -14), (18, -26, -4), (6, -38, 6)), 0.9),  # basal, round the midbrain
    (((2.5, 0, 13), (12, -2, 22), (17, -14, 27)), 0.9),  # thalamostriate
    (((6, 30, 14), (4, 8, 17), (2, -2, 14)), 0.8),  # septal
    (((17, -14, 27), (24, -18, 38), (30, -20, 50)), 0.6),  # medullary
    (((14, 20, 20), (22, 24, 32), (28, 26, 44)), 0.6),
    (((4, -42, -2), (5, -50, -22), (9, -58, -24)), 0.8),  # precentral cerebellar
    (((8, -16, -46), (24, -34, -36), (36, -44, -36)), 0.9),  # petrosal
)
MIDLINE_VEINS: Courses = (
    (((0, -37, 10), (0, -45, 6), (0, -66, 0), (0, -90, -4)), 2.2),  # Galen's vein and the straight sinus
    (((0, 12, -4), (0, 34, 2), (0, 28, 24)), 0.7),  # beside the callosum
)
CORTICAL_VEINS = 40
TISSUES = {  # their susceptibilities in ppb
    "ventricles": (0.7, 1.5),  # width relative to the average
    "fluid": (-5, 10),
    "white": (-34, -20),
    "tracts": (-55, -40),  # densely myelinated white matter
    "cortex": (8, 22),
    "stem": (-25, -12),
    "vein": (220, 340),
}


class _Nucleus(NamedTuple):
    """Average nucleus of the right side."""

    iron: tuple[float, float]  # least and most susceptibility over that of white matter, in ppb
    centre: Triple  # mm, in the average brain
    radii: Triple  # mm
    angles: Triple = (0, 0, 0)  # degrees
    shift: float = 0  # mm to the side that the ventricles push it, per width of the average ones


#: In the order in which they are painted, the later over the earlier. The iron frames what was measured, like 0.06 ppm
#: in the subthalamic nucleus and 0.1 ppm in the substantia nigra (Schäfer et al. 2012, doi:10.1002/hbm.21404).
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


def draw_nucleus_case(rng: np.random.Generator, size: Size, *, nucleus: str) -> Case:
    """Draw one brain, the field that it makes, and the map found back from that field.

    :func:`~monai_freq.phantoms.susceptibility.threshold_division` finds the map from a noisy field, so it has the
    streaks and the lowered contrast of real ones. Returns the susceptibility in ppm relative to the brain's mean, 0
    outside, the label and the affine in mm (RAS).

    Args:
        rng: source of everything drawn.
        size: voxels along x, y and z.
        nucleus: the labelled one, ``"red"`` or ``"dentate"``; the image is the same for both.

    Example:
        >>> image, label, affine = draw_nucleus_case(np.random.default_rng(0), (32, 32, 24), nucleus="dentate")
        >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().round(2).tolist()
        ((32, 32, 24), 'float32', [0, 1], [5.0, 5.0, 5.33, 1.0])
    """
    canvas, affine = scan_canvas(size, FIELD_OF_VIEW)
    field, inside, label = _magnetise(rng, canvas, nucleus)
    image = _acquire(rng, field, inside > 0.9, affine.diagonal()[:3].tolist())
    # Relative to the fullest voxel, lest a small nucleus vanish on a coarse grid.
    return PPM * image, (label > label.max() / 2).astype(np.uint8), affine


def _magnetise(rng: np.random.Generator, canvas: Canvas, nucleus: str) -> NDArray[np.float32]:
    """Field in ppb, fraction of brain and fraction of the nucleus, averaged over the voxels."""
    brain = _draw_brain(rng)
    inside = _paint_brain(canvas, brain, rng)
    canvas.paint_all(_nuclei(brain, rng, nucleus))
    canvas.paint_all(_veins(brain, rng))
    tissue, label = canvas.layers
    # Without its mean: only differences within the brain are left once the field of all that is outside is removed.
    tissue = inside * (tissue - np.average(tissue, weights=inside))
    # On the finer grid, so that the reconstruction does not merely undo what was done on its own grid.
    field = dipole_field(tissue, canvas.spacing.tolist(), padding=round(MARGIN / canvas.edge))
    return canvas.averaged(np.stack([field, inside, label]))


def _draw_brain(rng: np.random.Generator) -> SimpleNamespace:
    centre = np.array([0.0, 14.0, -6.0]) + rng.uniform(-1, 1, 3) * (2, 3, 2)
    frame = Frame(centre, rotation(rng.uniform(-1, 1, 3) * (9, 4, 4)), rng.uniform(0.84, 0.92))
    return SimpleNamespace(frame=frame, **vars(draw_look(rng, TISSUES)))


def _paint_brain(canvas: Canvas, brain: SimpleNamespace, rng: np.random.Generator) -> NDArray[np.float32]:
    """Paint all but the deep nuclei and the veins, and return the part of each voxel that is inside the brain."""
    frame, phase = brain.frame, rng.uniform(0, 2 * np.pi, (3, 3))
    ball, scale = frame.ellipsoid, frame.scale
    cerebrum = [*(ball((x, -16, -20), (22, 45, 23)) for x in (-44, 44)), ball((0, -17, 20), (69, 88, 59))]
    cerebellum = [ball((x, -64, -37), (28, 26, 21)) for x in (-25, 25)]
    cord = tube(frame.place((0, -33, -42)), frame.place((0, -44, -72)), 10 * scale, 7 * scale)
    stem = soft_union([ball((0, -25, -12), (19, 15, 14)), ball((0, -25, -30), (19, 14, 15)), cord], softness=2)
    canvas.paint_all((solid, 1) for solid in (*cerebrum, *cerebellum, stem))
    inside = np.array(canvas.layers[0])
    canvas.layers[0] *= brain.fluid
    canvas.paint_all((crenated(part, 2.4, 22 * scale, phase[0], offset=2.5), brain.cortex) for part in cerebrum)
    canvas.paint_all(_fissures(brain))
    canvas.paint_all((crenated(part, 4.6, 22 * scale, phase[0], offset=8.5), brain.white) for part in cerebrum)
    canvas.paint_all(_white_matter(brain))
    canvas.paint_all(_ventricles(brain))
    folia = scale * np.array([34.0, 10.0, 7.0])  # leaves across the body
    for half in cerebellum:
        canvas.paint(crenated(half, 1.6, folia, phase[1], offset=1.5), brain.cortex)
        canvas.paint(crenated(half, 2.8, folia, phase[1], offset=7), brain.white)
    canvas.paint(stem, brain.stem)
    canvas.paint_all(_stem(brain))
    return inside


def _fissures(brain: SimpleNamespace) -> Organs:
    yield brain.frame.ellipsoid((0, -17, 42), (2.2, 86, 36)), brain.fluid
    for side in (-1, 1):
        yield brain.frame.ellipsoid((side * 50, 2, -2), (17, 26, 3), rotation((0, -side * 8, 0))), brain.fluid


def _white_matter(brain: SimpleNamespace) -> Organs:
    frame = brain.frame
    for side in (-1, 1):
        yield frame.ellipsoid((side * 39, 2, 2), (3, 20, 15)), brain.cortex  # insula
        yield frame.ellipsoid((side * 21, 2, 4), (3, 24, 14), rotation((0, 0, -side * 20))), brain.tracts
        yield frame.vessel([(side * 26, -28, -2), (side * 32, -52, 6), (side * 18, -82, 6)], 4), brain.tracts
    yield frame.ellipsoid((0, -17, 46), (1.5, 84, 34)), brain.fluid
    yield from ((frame.vessel(np.add(CALLOSUM, (x, 0, 0)), 3.5), brain.tracts) for x in (-9, 0, 9))


def _ventricles(brain: SimpleNamespace) -> Organs:
    frame, width = brain.frame, brain.ventricles
    for side in (-1, 1):
        course = np.array(VENTRICLE) * (side, 1, 1)
        yield frame.vessel(course[:4], 4.6 * width), brain.fluid
        yield frame.vessel(course[3:], 3.2 * width), brain.fluid
        yield frame.vessel(np.array(OCCIPITAL_HORN) * (side, 1, 1), 3.4 * width), brain.fluid
    yield frame.ellipsoid((0, -16, 2), (2.2 * width, 13, 9)), brain.fluid


def _stem(brain: SimpleNamespace) -> Organs:
    frame = brain.frame
    for side in (-1, 1):  # peduncles of the cerebrum and of the cerebellum
        yield frame.vessel([(side * 17, -12, -8), (side * 10, -18, -24)], 4.5), brain.tracts
        yield frame.vessel([(side * 12, -34, -34), (side * 24, -46, -38)], 5), brain.tracts
    yield frame.ellipsoid((0, -9, -14), (5, 6, 9)), brain.fluid  # between the peduncles
    yield frame.vessel([(0, -30, -4), (0, -37, -18)], 1.4), brain.fluid
    yield frame.ellipsoid((0, -46, -34), (7, 5, 11), rotation((-20, 0, 0))), brain.fluid
    yield frame.ellipsoid((0, -66, -34), (5, 16, 17)), brain.cortex  # vermis


def _veins(brain: SimpleNamespace, rng: np.random.Generator) -> Organs:
    """Deep and cortical veins, and the calcified pineal gland and choroid plexus."""
    frame = brain.frame
    yield from ((frame.vessel(course, radius), brain.vein) for course, radius in MIDLINE_VEINS)
    for side in (-1, 1):
        for course, radius in DEEP_VEINS:
            bent = np.array(course, dtype=float) * (side, 1, 1) + rng.normal(0, 1.0, (len(course), 3))
            yield frame.vessel(bent, radius * rng.uniform(0.7, 1.3)), brain.vein
        yield frame.ellipsoid((side * 21, -38, 14), (2.5, 4, 3)), rng.uniform(-120, 60)
    yield frame.ellipsoid((0, -34, 2), (2.5, 3.5, 2.5)), rng.uniform(-200, 40)
    for _ in range(CORTICAL_VEINS):
        yield frame.vessel(_cortical_course(rng), rng.uniform(0.6, 1.3)), brain.vein


def _cortical_course(rng: np.random.Generator) -> Array:
    outward = rng.normal((0, 0, 0.6), 1)
    outward /= np.linalg.norm(outward)
    along = np.cross(outward, rng.normal(0, 1, 3))
    along *= rng.uniform(6, 14) / np.linalg.norm(along)
    surface = (0, -17, 20) + outward * (63, 83, 53)
    return np.stack([surface - along, surface - 2 * outward, surface + along])


def _nuclei(brain: SimpleNamespace, rng: np.random.Generator, labelled: str) -> Organs:
    iron = {name: brain.white + rng.uniform(*nucleus.iron) for name, nucleus in NUCLEI.items()}
    for side in (-1, 1):
        for name in NUCLEI:
            yield _nucleus(name, brain, rng, side), iron[name] * rng.uniform(0.93, 1.07), int(name == labelled)
        push = NUCLEI["caudate"].shift * brain.ventricles
        tail = [(side * (x + push), y, z) for x, y, z in ((14, 10, 14), (15, -6, 21), (19, -22, 20))]
        yield brain.frame.vessel(tail, 2.6), iron["caudate"]


def _nucleus(name: str, brain: SimpleNamespace, rng: np.random.Generator, side: int) -> Solid:
    nucleus: _Nucleus = NUCLEI[name]
    frame: Frame = brain.frame
    centre = nucleus.centre + np.array([nucleus.shift * brain.ventricles, 0, 0])
    centre = centre * (side, 1, 1) + rng.normal(0, 0.5, 3)
    axes = rotation(np.array(nucleus.angles) * (1, side, side) + rng.normal(0, 4, 3))
    body = frame.ellipsoid(centre, nucleus.radii * rng.uniform(0.9, 1.1, 3), axes, exponent=2.3)
    if name != "dentate":
        return body
    phase, thickness = rng.uniform(0, 2 * np.pi, 3), frame.scale * rng.uniform(2.4, 2.9)
    hilum = frame.ellipsoid(centre + np.array([-side * 4, 6, 1.5]), (5, 7, 4), axes)
    return crenated(body, 0.7, 6 * frame.scale, phase, thickness=thickness) - hilum


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


RED_NUCLEUS, DENTATE_NUCLEUS = (
    scan_phantom(
        partial(draw_nucleus_case, nucleus=name),
        folder=f"{name.capitalize()}Nucleus",
        stem=f"{name[0]}n",
        name=f"{name.capitalize()}Nucleus",
        description=f"{name.capitalize()} nuclei in quantitative susceptibility maps of the brain",
        modality="QSM",
        labels=(f"{name} nucleus",),
        cases=24,
        test_cases=2,
        size=(64, 64, 48),
    )
    for name in ("red", "dentate")
)
