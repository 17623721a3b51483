"""Phantom of the Decathlon's heart task: the left atrium in MR images of the chest."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .acquisition import bias_field, deform, rician_noise, texture
from .canvas import block_mean, centred_affine, fine_canvas
from .chambers import draw_heart, paint_heart
from .chest import draw_chest_look, paint_chest, paint_lung_vessels
from .decathlon_folder import PhantomTask, write_decathlon_folder

__all__ = ["draw_heart_case", "write_heart"]

FIELD_OF_VIEW = (328.0, 328.0, 144.0)  # mm
BLOOD = 1000  # scanner units

Size = tuple[int, int, int]


def write_heart(
    root: str | os.PathLike[str],
    *,
    cases: int = 20,
    test_cases: int = 2,
    size: Sequence[int | Sequence[int]] = (64, 64, 32),
    seed: int = 0,
    tilt: float = 0.0,
) -> Path:
    """Write ``root/Task02_Heart``, a phantom in the format of the Decathlon's heart task, or find it there.

    Args:
        root: Folder to hold ``Task02_Heart``; another for other settings.
        cases: Number of labelled cases.
        test_cases: Number of images without labels.
        size: Voxels along x, y and z, a pair being a range; the field of view stays 328 x 328 x 144 mm.
        seed: Seed; case i depends on it and on i alone.
        tilt: Largest angle in degrees by which a case's grid is turned around each axis.

    Returns:
        The absolute path of ``Task02_Heart``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022),
        doi:10.1038/s41467-022-30695-9.

    >>> import tempfile
    >>> from monai_freq.data import read_decathlon
    >>> with tempfile.TemporaryDirectory() as root:
    ...     heart = read_decathlon(write_heart(root, cases=1, test_cases=0, size=(32, 32, 16)))
    >>> heart.labels
    {0: 'background', 1: 'left atrium'}
    """
    return write_decathlon_folder(root, HEART, cases=cases, test_cases=test_cases, size=size, seed=seed, tilt=tilt)


def draw_heart_case(
    rng: np.random.Generator, size: Size
) -> tuple[NDArray[np.int16], NDArray[np.uint8], NDArray[np.float64]]:
    """Draw one chest.

    Args:
        rng: Source of everything drawn.
        size: Voxels along x, y and z.

    Returns:
        The image, the label (1 is the left atrium) and the affine in mm (RAS).

    >>> image, label, affine = draw_heart_case(np.random.default_rng(0), (32, 32, 16))
    >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().tolist()
    ((32, 32, 16), 'int16', [0, 1], [10.25, 10.25, 9.0, 1.0])
    """
    affine = centred_affine(size, FIELD_OF_VIEW, shift=rng.uniform(-1, 1, 3) * (8, 8, 4))
    signal, atrium = deform(rng, _paint(rng, size, affine), affine, displacement=4.0)
    return _acquire(rng, signal), (atrium > 0.5).astype(np.uint8), affine


def _paint(rng: np.random.Generator, size: Size, affine: NDArray[np.float64]) -> NDArray[np.float32]:
    canvas, factor = fine_canvas(size, affine)
    look, heart = draw_chest_look(rng), draw_heart(rng)
    paint_chest(canvas, look, rng)
    for side in (-1, 1):
        paint_lung_vessels(canvas, look, rng, heart.place((side * 42, -24, 28)), side)
    paint_heart(canvas, heart, look.fat, back=61 - look.half_depth)
    return block_mean(canvas.layers, factor)


def _acquire(rng: np.random.Generator, signal: NDArray[np.float32]) -> NDArray[np.int16]:
    gain = bias_field(rng, signal.shape, rng.uniform(0.1, 0.3)) * (1 + 0.03 * texture(rng, signal.shape, 1.2))
    noisy = rician_noise(rng, gain * signal, sigma=rng.uniform(0.018, 0.03))
    return np.asarray(np.rint(BLOOD * rng.uniform(0.7, 1.4) * noisy), dtype=np.int16)


HEART = PhantomTask(
    folder="Task02_Heart",
    stem="la",
    name="LeftAtrium",
    description="Left atrium in MR images of the chest: a generated phantom",
    modality="MRI",
    labels=("background", "left atrium"),
    version=1,
    draw_case=draw_heart_case,
)
