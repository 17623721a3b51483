"""The first transform of a pipeline: images by their address."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isfinite, nan

import numpy as np
import torch
from monai.data import MetaTensor, get_track_meta
from monai.transforms import Transform
from monai.utils import TransformBackends

from ..data.images import load_image
from .keyed import Keyed

__all__ = ["LoadSlice", "LoadSliced"]

Spacing = float | Sequence[float] | None


class LoadSlice(Transform):
    """Load one slice or picture, as :func:`monai_freq.data.read_image` reads it and no other way.

    MONAI's ``LoadImage`` tries its other readers when the one it was given refuses a file, so that a refused picture
    may come back, its axes swapped; this one does not. It holds no file, so it may be pickled, forked and used by any
    number of workers.

    The sizes of pixels come from the headers of NIfTI (in its unit) and DICOM files. HDF5 files, ``.pck`` files and
    pictures know of none, as what PNG, TIFF and JPEG call resolution is that of a print: their pixels have 1 mm, unless
    ``spacing`` says more. The affine matrix has the sizes on its diagonal and nothing else, as MONAI takes no more of a
    matrix for images of two axes. Where the slice lies in the patient is in the metadata, under ``slice_affine``.

    Args:
        channels: number of channels, 1 (colour turns grey) or 3 (grey turns into three equal channels).
        spacing: height and width of a pixel in mm, or one number for both; it goes before what a file says.
            LoDoPaB-CT's is 0.71823.

    Shape:
        - Input: an address, ``file`` or ``file#index``.
        - Output: (channels, rows, columns), float32. Its metadata have the address under ``filename_or_obj``, under
          ``slice_affine`` the (4, 4) matrix from (row, column, 0) to mm, and under ``full_scale`` what white is: 255 or
          65535 in pictures of 8 or 16 bits, NaN where the file does not say.

    Raises:
        ValueError: ``channels`` is neither 1 nor 3, or ``spacing`` is not one or two positive numbers.
        DataError: the same as of :func:`monai_freq.data.read_image`.

    Example:
        >>> import h5py, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with h5py.File(f"{folder}/ground_truth_test_000.hdf5", "w") as file:
        ...         file["data"] = np.zeros((2, 6, 8), np.float32)
        ...     LoadSlice(spacing=0.71823)(f"{folder}/ground_truth_test_000.hdf5#1").shape
        torch.Size([1, 6, 8])
    """

    backend = [TransformBackends.NUMPY]

    def __init__(self, channels: int = 1, spacing: Spacing = None) -> None:
        if channels not in (1, 3):
            raise ValueError(f"'channels' must be 1 or 3, got {channels}.")
        steps = [spacing] * 2 if isinstance(spacing, (int, float)) else None if spacing is None else [*spacing]
        if steps is not None and (len(steps) != 2 or not all(isfinite(step) and step > 0 for step in steps)):
            raise ValueError(f"'spacing' is in mm and must be positive, got {spacing}.")
        self.channels = channels
        self.spacing = spacing
        self._steps = steps

    def __call__(self, address: str | os.PathLike[str]) -> torch.Tensor:
        """Load the image of an address."""
        found = load_image(address, self.channels)
        pixels = found.pixels.astype(np.float32)
        image = torch.from_numpy(pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1).copy())
        if not get_track_meta():
            return image
        known = [1.0, 1.0] if found.affine is None else np.linalg.norm(found.affine[:3, :2], axis=0)
        affine = np.diag([*(known if self._steps is None else self._steps), 1.0, 1.0])
        meta = {
            "filename_or_obj": os.fspath(address),
            "spatial_shape": np.array(image.shape[1:]),
            "slice_affine": affine if found.affine is None else found.affine,
            "full_scale": nan if found.full_scale is None else float(found.full_scale),  # a batch needs all keys
        }
        return MetaTensor(image, torch.tensor(affine, dtype=torch.float64), meta)


class LoadSliced(Keyed):
    """Dictionary version of :class:`LoadSlice`: the addresses under ``keys`` give way to their images.

    Example:
        >>> import pickle, tempfile
        >>> file = f"{tempfile.mkdtemp()}/329637-8.pck"
        >>> with open(file, "wb") as stream:
        ...     pickle.dump(np.full((24, 6, 8), 100, np.int16), stream)
        >>> item = LoadSliced("image")({"image": f"{file}#5", "label": 1})
        >>> item["image"].shape, float(item["image"].max()), item["label"]
        (torch.Size([1, 6, 8]), 100.0, 1)
    """

    array = LoadSlice
