"""Phantom of the Decathlon's spleen task: portal venous CT of the abdomen."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .abdomen import draw_abdomen_look, paint_abdomen
from .acquisition import deform, ramp_noise, texture
from .canvas import block_mean, centred_affine, fine_canvas
from .decathlon_folder import PhantomTask, write_decathlon_folder

__all__ = ["draw_spleen_case", "write_spleen"]

FIELD_OF_VIEW = (368.0, 368.0, 192.0)  # mm

Size = tuple[int, int, int]
Image = NDArray[np.float32]


def write_spleen(
    root: str | os.PathLike[str],
    *,
    cases: int = 20,
    test_cases: int = 2,
    size: Sequence[int | Sequence[int]] = (64, 64, 32),
    seed: int = 0,
    tilt: float = 0.0,
) -> Path:
    """Write ``root/Task09_Spleen``, a phantom in the format of the Decathlon's spleen task, or find it there.

    Args:
        root: Folder to hold ``Task09_Spleen``; another for other settings.
        cases: Number of labelled cases.
        test_cases: Number of images without labels.
        size: Voxels along x, y and z, a pair being a range; the field of view stays 368 x 368 x 192 mm.
        seed: Seed; case i depends on it and on i alone.
        tilt: Largest angle in degrees by which a case's grid is turned around each axis.

    Returns:
        The absolute path of ``Task09_Spleen``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022),
        doi:10.1038/s41467-022-30695-9.

    >>> import tempfile
    >>> from monai_freq.data import read_decathlon
    >>> with tempfile.TemporaryDirectory() as root:
    ...     spleen = read_decathlon(write_spleen(root, cases=1, test_cases=0, size=(32, 32, 16)))
    >>> spleen.labels, spleen.modality
    ({0: 'background', 1: 'spleen'}, {0: 'CT'})
    """
    return write_decathlon_folder(root, SPLEEN, cases=cases, test_cases=test_cases, size=size, seed=seed, tilt=tilt)


def draw_spleen_case(
    rng: np.random.Generator, size: Size
) -> tuple[NDArray[np.int16], NDArray[np.uint8], NDArray[np.float64]]:
    """Draw one abdomen.

    Args:
        rng: Source of everything drawn.
        size: Voxels along x, y and z.

    Returns:
        The image in HU, the label (1 is the spleen) and the affine in mm (RAS).

    >>> image, label, affine = draw_spleen_case(np.random.default_rng(0), (32, 32, 16))
    >>> image.shape, image.dtype.name, sorted(np.unique(label).tolist()), affine.diagonal().tolist()
    ((32, 32, 16), 'int16', [0, 1], [11.5, 11.5, 12.0, 1.0])
    """
    affine = centred_affine(size, FIELD_OF_VIEW, shift=rng.uniform(-1, 1, 3) * (6, 6, 8))
    canvas, factor = fine_canvas(size, affine)
    paint_abdomen(canvas, draw_abdomen_look(rng), rng)
    units, spleen = deform(rng, block_mean(canvas.layers, factor), affine, displacement=6.0)
    return _acquire(rng, units), (spleen > 0.5).astype(np.uint8), affine


def _acquire(rng: np.random.Generator, units: Image) -> NDArray[np.int16]:
    density = np.clip(1 + units / 1000, 0, 1, dtype=np.float32)
    parenchyma = rng.uniform(3, 7) * density * texture(rng, units.shape, 1.0)
    noise = rng.uniform(8, 15) * _attenuation(density) * ramp_noise(rng, units.shape, 0.6)
    return np.asarray(np.rint(np.clip(units + parenchyma + noise, -1024, 3071)), dtype=np.int16)


def _attenuation(density: Image) -> Image:
    """Noise relative to its largest: rays through the middle of the body bring fewer photons."""
    from scipy.ndimage import gaussian_filter

    widths = [0.1 * n for n in density.shape[:2]]
    return np.asarray(0.3 + 0.7 * gaussian_filter(density, [*widths, 0], mode="constant"), dtype=np.float32)


SPLEEN = PhantomTask(
    folder="Task09_Spleen",
    stem="spleen",
    name="Spleen",
    description="Spleen in portal venous CT images of the abdomen: a generated phantom",
    modality="CT",
    labels=("background", "spleen"),
    version=1,
    draw_case=draw_spleen_case,
)
