"""Phantom of the Decathlon's hippocampus task: its anterior and posterior part in crops of T1-weighted MR images."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from .acquisition import deform, magnitude_image
from .canvas import Organs, scan_canvas
from .scans import Case, Size, scan_phantom
from .solids import Frame, Solid, chain, half_space, rotation, soft_union, tube

__all__ = ["HIPPOCAMPUS", "draw_hippocampus_case"]

FIELD_OF_VIEW = (42.0, 56.0, 40.0)  # mm

# All that follows is in mm from the middle of the average hippocampus: to the side, forwards, upwards.
AXIS = np.array([(1, 6, -4), (2, -2, -1.5), (1, -11, 2), (-4, -18, 6), (-9, -21, 9)])
RADII = np.array([4.2, 4.0, 3.7, 3.2, 2.2])
HEAD, HEAD_RADII = np.array([-0.5, 12.5, -4.2]), np.array([7.6, 7.8, 4.8])
UNCUS, UNCUS_RADII = (-7.5, 9.5, -1.2), (3.2, 4.2, 3.4)
BORDER = 5.0  # behind the uncus, where the anterior part ends
SULCI = ((8, -18, 20), (19, -12, 55), (21, 3, 95), (17, 18, 135))  # x, z and angle in degrees
GYRUS = np.array([(-6, 30, -11), (-6, 10, -12), (-5, -10, -9), (-8, -30, -4)])  # the parahippocampal one
HORN = ((4, 20, -1), (9, 12, -2), (8, 2, 1), (6.5, -10, 5), (5, -20, 9), (4, -30, 11))  # of the ventricle
HORN_RADII = (1.4, 1.7, 2.0, 2.6, 4.0)
#: SD and width in voxels of the tissue's texture; with the noise, the spectrum of the Decathlon's hippocampi
GRAIN = ((0.12, 0.6), (0.15, 2.5))
DEEP = (  # centre, semi-axes and intensity of brain stem, thalamus and putamen
    ((-29, -4, -2), (13, 17, 34), 0.9),
    ((-17, -15, 18), (11, 12, 8.5), 0.84),
    ((3, 12, 21), (15, 15, 6), 0.8),
)


def draw_hippocampus_case(rng: np.random.Generator, size: Size) -> Case:
    """Draw the surroundings of one hippocampus, left or right.

    Returns the image, the label (1 is the anterior part, 2 the posterior) and the affine in mm (RAS).

    Args:
        rng: source of everything drawn.
        size: voxels along x, y and z.

    Example:
        >>> image, label, affine = draw_hippocampus_case(np.random.default_rng(0), (28, 28, 20))
        >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().tolist()
        ((28, 28, 20), 'int16', [0, 1, 2], [1.5, 2.0, 2.0, 1.0])
    """
    canvas, affine = scan_canvas(size, FIELD_OF_VIEW, shift=rng.uniform(-1, 1, 3) * (2, 2.5, 2), labels=2)
    canvas.layers[0] = 1.0
    canvas.paint_all(_temporal_lobe(_draw_temporal_lobe(rng), rng))
    signal, *parts = deform(rng, canvas.averaged(), affine, displacement=1.5)
    label = np.argmax([1 - sum(parts), *parts], axis=0).astype(np.uint8)
    image = magnitude_image(rng, signal, bias=(0.08, 0.25), grain=GRAIN, noise=(0.0, 0.015))
    return np.rint(np.exp(rng.uniform(5, 7.5)) * image).astype(np.int16), label, affine


def _draw_temporal_lobe(rng: np.random.Generator) -> SimpleNamespace:
    """What differs from patient to patient; intensities are relative to white matter."""
    cortex = rng.uniform(0.66, 0.76)
    hippocampus, side = cortex + rng.uniform(0.0, 0.08), int(rng.choice([-1, 1]))
    turn = np.diag([side, 1, 1]) @ rotation(rng.uniform(-1, 1, 3) * (9, 6, 7))
    return SimpleNamespace(
        side=side,  # 1 is the right hippocampus, -1 the left
        cortex=cortex,
        hippocampus=hippocampus,
        frame=Frame(np.zeros(3), turn, rng.uniform(0.9, 1.1)),
        head=HEAD_RADII * rng.uniform(0.88, 1.12, 3),
        thickness=rng.uniform(0.86, 1.12, 5),  # of body and tail, relative to the average
        bend=rng.normal(0, 0.7, (5, 3)),  # mm, of the axis
        border=BORDER + rng.normal(0, 0.4),
        widening=rng.uniform(0.7, 1.7),  # of the spaces with fluid relative to the average: large in the old
        amygdala=hippocampus + rng.uniform(-0.03, 0.03),  # it touches the hippocampus' head
        fluid=rng.uniform(0.18, 0.32),
    )


def _temporal_lobe(lobe: SimpleNamespace, rng: np.random.Generator) -> Organs:
    """Middle of a temporal lobe, over white matter: label 1 is the anterior part, label 2 the posterior."""
    frame, wide = lobe.frame, lobe.widening
    for x, z, angle in SULCI:  # below and beside: a slit of fluid between two walls of cortex, from front to back
        slope = rotation(rng.uniform(-1, 1, 3) * (8, 0, 8)) @ rotation((0, -angle, 0))
        centre, depth = np.array([x, 0, z]) + rng.normal(0, 1.2, 3), rng.uniform(8, 12)
        yield frame.ellipsoid(centre, (3.2, 70, depth), slope), lobe.cortex
        yield frame.ellipsoid(centre, (0.7 * wide, 70, depth - 2.5), slope), lobe.fluid
    yield frame.ellipsoid((-18, 3, -3), (6 + wide, 30, 17)), lobe.fluid  # the cistern beside the brain stem
    yield from ((frame.ellipsoid(centre, radii), intensity) for centre, radii, intensity in DEEP)
    course = GYRUS + rng.normal(0, 0.8, (4, 3))  # cortex around white matter, without a border to the hippocampus
    yield frame.vessel(course, 6.4), lobe.cortex
    yield frame.vessel(course + np.array([2.5, 0, 1.5]), 3.4), 0.98
    yield frame.ellipsoid((-2, 16.5, 5.6), (8.5, 7.5, 6.2)), lobe.amygdala
    for (start, end), radius in zip(pairwise(frame.place(HORN)), HORN_RADII, strict=True):
        yield tube(start, end, wide * radius), lobe.fluid
    yield frame.ellipsoid((-9, -5, 5.5), (6.5, 15, 0.9 * wide), rotation((-20, 0, 0))), lobe.fluid  # choroid fissure
    yield frame.vessel([(-2, 4, 2), (-1, -4, 4.2), (-3, -13, 7.5)], 1.6), 0.95  # the fimbria
    whole, normal = _hippocampus(lobe), frame.place((0, 1, 0.12))
    border = frame.place((0, lobe.border, 0))
    yield whole, lobe.hippocampus
    yield whole & half_space(border, -normal), lobe.hippocampus, 1
    yield whole & half_space(border, normal), lobe.hippocampus, 2


def _hippocampus(lobe: SimpleNamespace) -> Solid:
    frame = lobe.frame
    axis, radii = frame.place(AXIS + lobe.bend), frame.scale * lobe.thickness * RADII
    neck = tube(frame.place(HEAD), axis[0], frame.scale * 4.4, radii[0])
    shelf = frame.place(AXIS[:3] + lobe.bend[:3] + np.array([-4.2, 0, -2.6]))  # the subiculum, below and inwards
    head = [frame.ellipsoid(HEAD, lobe.head), frame.ellipsoid(UNCUS, UNCUS_RADII), neck]
    return soft_union([*head, *chain(axis, radii), *chain(shelf, 2.0 * frame.scale)], softness=0.7)


HIPPOCAMPUS = scan_phantom(
    draw_hippocampus_case,
    folder="Task04_Hippocampus",
    stem="hippocampus",
    name="Hippocampus",
    description="Anterior and posterior hippocampus in T1-weighted MR images",
    modality="MRI",
    labels=("Anterior", "Posterior"),
    cases=60,
    test_cases=4,
    size=(56, 56, 40),
    version=2,
)
