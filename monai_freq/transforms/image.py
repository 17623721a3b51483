"""What every transform does with an image before and after its own work."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor, get_track_meta
from monai.utils import convert_to_dst_type, convert_to_tensor
from torch import Tensor

from ..quoting import named, written
from ..spectral.precision import check_dense, is_real
from ..spectral.scalars import is_finite_number
from .from_torchio import require_no_label_map

__all__ = ["as_image", "check_probability", "like_image", "require_finite", "source_of"]

#: types in which results are returned as the image came
_KEPT = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def as_image(img: NdarrayOrTensor, labels: bool = False) -> tuple[NdarrayOrTensor, Tensor]:
    """Image in MONAI's current type, and its bare tensor to compute with.

    The tensor is of floating point: what has 16, 32 or 64 bits as it is, ``longdouble`` in float64, and integers of any
    width, bool and 8-bit floating point in float32. NumPy's arrays may have any byte order, strides and protection.

    Args:
        img: image ``(C, *spatial)`` with one to three spatial dimensions.
        labels: whether class numbers are welcome, too.

    Raises:
        ValueError: a path or another object that is no array, a sparse or nested tensor, another number of dimensions,
            values that are no real numbers, or none; a label map that TorchIO passed on as if it were an image.

    Example:
        >>> tracked, image = as_image(np.arange(4, dtype=">i2").reshape(1, 2, 2))
        >>> tracked.dtype, image
        (torch.int16, tensor([[[0., 1.],
                 [2., 3.]]]))
    """
    if not labels:
        require_no_label_map()
    if isinstance(img, Tensor):
        check_dense(img, "image")
    tracked = convert_to_tensor(_readable(img), track_meta=get_track_meta())
    if not isinstance(tracked, Tensor):
        got = type(img).__name__
        if isinstance(img, (str, os.PathLike)):
            got = f"the path '{named(img)}': put LoadImaged before, with this key"
        raise ValueError(f"an image must be an array or a tensor, got {got}.")
    tensor = tracked.as_tensor() if isinstance(tracked, MetaTensor) else tracked
    if not 2 <= tensor.ndim <= 4:
        raise ValueError(
            f"an image must have the shape (C, *spatial) with 1 to 3 spatial axes, got {tuple(tensor.shape)}."
        )
    if not is_real(tensor.dtype) or tensor.numel() == 0:
        raise ValueError(f"an image must be real and not empty, got {tensor.dtype}, shape {tuple(tensor.shape)}.")
    tensor = tensor.resolve_neg()  # a view that negates only as it is read, as the imaginary part of a conjugate
    return tracked, tensor if tensor.dtype in _KEPT else tensor.to(torch.float32)


def like_image(out: Tensor, img: Any) -> NdarrayOrTensor:
    """Result in the type of the image, with its metadata and the result's own data type.

    Args:
        out: result of a computation, ``(C', *spatial)``.
        img: first result of :func:`as_image`.

    Example:
        >>> like_image(torch.ones(2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8)).dtype
        torch.float32
    """
    result: NdarrayOrTensor = convert_to_dst_type(out, dst=img, dtype=out.dtype)[0]
    return result


def require_finite(image: Tensor) -> None:
    """Refuse an image with NaN or infinity; costs one read of a sound one.

    Args:
        image: tensor of any shape and type.

    Raises:
        ValueError: it holds NaN or infinity.

    Example:
        >>> require_finite(torch.tensor([1.0, float("nan")]))
        Traceback (most recent call last):
        ValueError: the image has 1 NaN and 0 infinite of 2 values: mend the file, or replace them first.
    """
    if not image.is_floating_point() or torch.isfinite(image.sum(dtype=torch.float32)):
        return  # any NaN or infinity would have survived the sum
    nan, infinite = int(image.isnan().sum()), int(image.isinf().sum())
    if nan or infinite:
        raise ValueError(
            f"the image has {nan} NaN and {infinite} infinite of {image.numel()} values: "
            "mend the file, or replace them first."
        )


def check_probability(prob: float) -> None:
    """Refuse a probability outside [0, 1].

    Args:
        prob: probability of transforming an image.

    Raises:
        ValueError: it is outside its range, or no number.

    Example:
        >>> check_probability(1.5)
        Traceback (most recent call last):
        ValueError: 'prob' must be in [0, 1], got 1.5.
    """
    if not is_finite_number(prob) or not 0 <= prob <= 1:
        raise ValueError(f"'prob' must be in [0, 1], got {written(prob)}.")


def source_of(img: object) -> str:
    """``, file '...'`` where an image remembers the file that it came from, otherwise nothing.

    Args:
        img: any object.

    Example:
        >>> source_of(MetaTensor(torch.rand(1, 2, 2), meta={"filename_or_obj": "la_003.nii.gz"}))
        ", file 'la_003.nii.gz'"
    """
    name = img.meta.get("filename_or_obj") if isinstance(img, MetaTensor) else None
    return f", file '{named(name)}'" if isinstance(name, str) else ""


def _readable(img: Any) -> Any:
    """NumPy arrays as torch can read them: native, aligned, and writable, so that none is read-only behind its back."""
    if not isinstance(img, np.ndarray):
        return img
    if isinstance(img, np.ma.MaskedArray):
        raise ValueError("an image must have no masked values: fill them first, with .filled(0) for example.")
    if img.dtype.kind not in "biufc":
        what = f"the fields {img.dtype.names}: take one of them" if img.dtype.names else f"{img.dtype}"
        raise ValueError(f"an image must be an array of real numbers, got {what}.")
    size = min(img.dtype.itemsize, 16 if img.dtype.kind == "c" else 8)
    readable = np.require(img, np.dtype(f"{img.dtype.kind}{size}"), ["C", "A", "W", "E"])
    return torch.from_numpy(readable) if img.dtype.kind == "u" else readable  # MONAI would make uint64 negative
