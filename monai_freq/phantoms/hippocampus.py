"""Phantom of the Decathlon's hippocampus task: its anterior and posterior part in crops of T1-weighted MR images."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .acquisition import bias_field, deform, rician_noise, texture
from .canvas import block_mean, centred_affine, fine_canvas
from .decathlon_folder import PhantomTask, write_decathlon_folder
from .temporal_lobe import draw_temporal_lobe, paint_temporal_lobe

__all__ = ["draw_hippocampus_case", "write_hippocampus"]

FIELD_OF_VIEW = (42.0, 56.0, 40.0)  # mm

Size = tuple[int, int, int]


def write_hippocampus(
    root: str | os.PathLike[str],
    *,
    cases: int = 60,
    test_cases: int = 4,
    size: Sequence[int | Sequence[int]] = (56, 56, 40),
    seed: int = 0,
    tilt: float = 0.0,
) -> Path:
    """Write ``root/Task04_Hippocampus``, a phantom in the format of the Decathlon's task, or find it there.

    Args:
        root: Folder to hold ``Task04_Hippocampus``; another for other settings.
        cases: Number of labelled cases.
        test_cases: Number of images without labels.
        size: Voxels along x, y and z, a pair being a range; the field of view stays 42 x 56 x 40 mm.
        seed: Seed; case i depends on it and on i alone.
        tilt: Largest angle in degrees by which a case's grid is turned around each axis.

    Returns:
        The absolute path of ``Task04_Hippocampus``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022),
        doi:10.1038/s41467-022-30695-9.

    >>> import tempfile
    >>> from monai_freq.data import read_decathlon
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = read_decathlon(write_hippocampus(root, cases=1, test_cases=0, size=(32, 32, 16)))
    >>> folder.labels
    {0: 'background', 1: 'Anterior', 2: 'Posterior'}
    """
    return write_decathlon_folder(
        root, HIPPOCAMPUS, cases=cases, test_cases=test_cases, size=size, seed=seed, tilt=tilt
    )


def draw_hippocampus_case(
    rng: np.random.Generator, size: Size
) -> tuple[NDArray[np.int16], NDArray[np.uint8], NDArray[np.float64]]:
    """Draw the surroundings of one hippocampus, left or right.

    Args:
        rng: Source of everything drawn.
        size: Voxels along x, y and z.

    Returns:
        The image, the label (1 is the anterior part, 2 the posterior) and the affine in mm (RAS).

    >>> image, label, affine = draw_hippocampus_case(np.random.default_rng(0), (28, 28, 20))
    >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().tolist()
    ((28, 28, 20), 'int16', [0, 1, 2], [1.5, 2.0, 2.0, 1.0])
    """
    affine = centred_affine(size, FIELD_OF_VIEW, shift=rng.uniform(-1, 1, 3) * (2, 2.5, 2))
    canvas, factor = fine_canvas(size, affine, labels=2)
    paint_temporal_lobe(canvas, draw_temporal_lobe(rng), rng)
    signal, *parts = deform(rng, block_mean(canvas.layers, factor), affine, displacement=1.5)
    label = np.argmax([1 - sum(parts), *parts], axis=0).astype(np.uint8)
    return _acquire(rng, signal), label, affine


def _acquire(rng: np.random.Generator, signal: NDArray[np.float32]) -> NDArray[np.int16]:
    gain = bias_field(rng, signal.shape, rng.uniform(0.08, 0.25)) * (1 + 0.03 * texture(rng, signal.shape, 1.0))
    noisy = rician_noise(rng, gain * signal, sigma=rng.uniform(0.03, 0.055))
    return np.asarray(np.rint(np.exp(rng.uniform(5, 7.5)) * noisy), dtype=np.int16)


HIPPOCAMPUS = PhantomTask(
    folder="Task04_Hippocampus",
    stem="hippocampus",
    name="Hippocampus",
    description="Anterior and posterior hippocampus in T1-weighted MR images: a generated phantom",
    modality="MRI",
    labels=("background", "Anterior", "Posterior"),
    version=1,
    draw_case=draw_hippocampus_case,
)
