"""The size of a slice's pixels, which MONAI does not always keep with it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from monai.data import MetaTensor
from monai.utils import TraceKeys
from torch import Tensor

__all__ = ["check_extent_mm", "pixel_size_mm", "slice_axes"]

_SAME = 1e-3  # relative, of sizes
_ROUNDING = 1e-6  # of a matrix, relative to its longest column
_MOST_UNEQUAL = 100  # times as long as the other is no side of a pixel: thick slices reach 20
#: the longer side of a slice, from a biopsy to twice the height of a person: others are in another unit
_SMALLEST_MM, _LARGEST_MM = 0.1, 4000
#: transforms of MONAI that exchange axes, and those that leave each where it is
_TURNS = {"Orientation", "Rotate90", "RandRotate90"}
_IN_PLACE = {"Flip", "RandFlip", "RandAxisFlip", "Lambda", "RandLambda"}
#: and those that can tilt them
_TILTS = re.compile(r"Rotate(?!90)|Affine|Resample|Warp|Elastic|Deform|Distort")
_ASK = "give 'spacing' or 'extent_mm'"


def pixel_size_mm(image: MetaTensor, axes: Sequence[int]) -> list[float]:
    r"""Size of the pixels of a slice, along its rows' and columns' direction, from the image's affine matrix A.

    .. math:: \Delta_i = \lVert A_{:, i} \rVert

    ``SqueezeDim`` deletes the row and the column of its axis, and with them, in volumes that are tilted or whose first
    axis is the slices', a part of the sizes. They are taken from the file's ``original_affine`` where that belongs to
    the matrix, and refused where they are lost.

    Args:
        image: image with an affine matrix, ``(C, H, W)`` or ``(C, X, Y, Z)``.
        axes: axes of the slices, as columns of a (4, 4) matrix, see :func:`slice_axes`.

    Returns:
        The two sizes in mm.

    Raises:
        ValueError: the matrix does not tell the sizes, or says that a side is a hundred times as long as the other.

    Example:
        >>> volume = MetaTensor(torch.rand(1, 32, 24, 9), torch.diag(torch.tensor([0.5, 0.25, 5.0, 1.0])))
        >>> pixel_size_mm(volume, (0, 1))
        [0.5, 0.25]
    """
    affine = image.affine.detach().double().cpu()
    if affine.shape[-1] == 4:
        sizes = _lengths(affine)[list(axes)]
    else:
        if any(_TILTS.search(str(step.get(TraceKeys.CLASS_NAME))) for step in image.applied_operations):
            raise _lost()
        sizes = _of_squeezed(_without_rounding(affine), image.meta.get("original_affine"))
    if not bool((sizes.isfinite() & (sizes > 0)).all()) or float(sizes.max() / sizes.min()) > _MOST_UNEQUAL:
        raise ValueError(f"the affine matrix does not tell the size of a pixel (it says {sizes.tolist()} mm): {_ASK}.")
    return [float(size) for size in sizes]


def slice_axes(image: MetaTensor) -> tuple[tuple[int, int], str]:
    """Which axes of its volume a slice lies along.

    Indexing (``volume[:, 5]``) keeps the matrix of the volume. Which axis is gone is told by the file's
    ``spatial_shape``, in the order in which the matrix has the columns of the file's ``original_affine``, as MONAI's
    turns and flips leave it. After other transforms that MONAI traces, as a crop, it is not known. ``volume[:, :9]``
    and ``Transpose`` leave no trace: there, a side as long as another axis of the file is taken for that axis.

    Args:
        image: image with an affine matrix, ``(C, H, W)``.

    Returns:
        Two columns of the matrix, and a warning where they had to be guessed; empty otherwise.

    Example:
        >>> z_first = torch.tensor([[0, 0.5, 0, 0], [0, 0, 0.25, 0], [5.0, 0, 0, 0], [0, 0, 0, 1]])
        >>> volume = MetaTensor(torch.rand(1, 9, 32, 24), z_first, {"spatial_shape": [9, 32, 24]})
        >>> slice_axes(volume[:, 3])
        ((1, 2), '')
    """
    affine, of_volume = image.affine.detach().double().cpu(), len(image.meta.get("spatial_shape", ())) == 3
    was_volume = of_volume or any(len(_size_before(step)) == 3 for step in image.applied_operations)
    if affine.shape[-1] != 4 or not was_volume:  # without a volume's shape it is what MONAI takes it for
        return (0, 1), ""
    shape = _volume_shape(image, affine)
    pairs = ((0, 1), (0, 2), (1, 2))
    fitting = [pair for pair in pairs if shape and [shape[axis] for axis in pair] == list(image.shape[1:])]
    known = fitting or pairs  # none fits where the image was cropped or resized since
    lengths = _lengths(affine)
    if all(_close(lengths[list(pair)], lengths[list(known[0])]) for pair in known):
        return known[0], ""
    voxel = " x ".join(f"{length:.3g}" for length in lengths.tolist())
    down, across = lengths[list(known[0])].tolist()
    return known[0], (
        f"the slice has the affine matrix of a volume with voxels of {voxel} mm, which does not tell along which of "
        f"its axes it lies: pixels of {down:.3g} x {across:.3g} mm are assumed. Else {_ASK}."
    )


def check_extent_mm(shape: Sequence[int], spacing: Sequence[float]) -> None:
    """Refuse pixels that make a slice longer than 4 m, or shorter than 0.1 mm.

    Args:
        shape: rows and columns.
        spacing: height and width of a pixel in mm.

    Raises:
        ValueError: the slice is longer or shorter.

    Example:
        >>> check_extent_mm((512, 512), (1e-17, 5e-18))
        Traceback (most recent call last):
        ValueError: a slice of 512 x 512 pixels of 1e-17 x 5e-18 mm would be 5.12e-15 mm long, and must be 0.1 to ...
    """
    longest = max(n * size for n, size in zip(shape, spacing, strict=True))
    if not _SMALLEST_MM <= longest <= _LARGEST_MM:
        size = f"{shape[0]} x {shape[1]} pixels of {spacing[0]:.3g} x {spacing[1]:.3g} mm"
        raise ValueError(
            f"a slice of {size} would be {longest:.3g} mm long, and must be {_SMALLEST_MM} to {_LARGEST_MM} mm: "
            f"{_ASK} in mm."
        )


def _volume_shape(image: MetaTensor, affine: Tensor) -> list[int]:
    """Sizes of the volume that a slice was cut out of, in the order of the columns of its matrix; none if not known."""
    shape = [int(size) for size in image.meta.get("spatial_shape", ())]
    steps = [step for step in image.applied_operations if step.get(TraceKeys.DO_TRANSFORM, True)]
    if len(shape) != 3 or not all(_keeps_sizes(step, shape, image) for step in steps):
        return []
    original = image.meta.get("original_affine")
    if original is None or getattr(original, "shape", ()) != (4, 4):
        return [] if steps else shape
    columns = torch.as_tensor(original, dtype=torch.float64)[:3, :3].T
    order = [[i for i, column in enumerate(columns) if _alike(column, own)] for own in affine[:3, :3].T]
    if sorted(order) != [[0], [1], [2]]:  # resampled
        return []
    return [shape[axis] for (axis,) in order]


def _keeps_sizes(step: Mapping[str, Any], shape: Sequence[int], image: MetaTensor) -> bool:
    """Whether a transform that MONAI has traced left a volume its sizes, or a slice its axes where they were."""
    kind, size = str(step.get(TraceKeys.CLASS_NAME)).removesuffix("d"), _size_before(step)
    if len(size) == 3:
        return kind in _TURNS | _IN_PLACE and sorted(size) == sorted(shape)
    return kind in _IN_PLACE and size == list(image.shape[1:])


def _size_before(step: Mapping[str, Any]) -> list[int]:
    return [int(size) for size in step.get(TraceKeys.ORIG_SIZE, ())]


def _lengths(affine: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(affine[:-1, :-1], dim=0)
    return lengths


def _without_rounding(affine: Tensor) -> Tensor:
    """A turn by 90 degrees leaves 1e-16 where there is nothing."""
    cleaned = affine.clone()
    matrix = cleaned[:-1, :-1]
    matrix[matrix.abs() <= _ROUNDING * matrix.abs().amax()] = 0
    return cleaned


def _close(first: Tensor, second: Tensor) -> bool:
    return bool(torch.allclose(first, second, rtol=_SAME, atol=0))


def _of_squeezed(affine: Tensor, original: object) -> Tensor:
    if original is None or getattr(original, "shape", ()) != (4, 4):
        return _square(affine)
    volume = torch.as_tensor(original, dtype=torch.float64)
    lengths = _lengths(volume)
    found = []
    for gone, down, across in product(range(3), repeat=3):
        left = volume[[axis for axis in range(3) if axis != gone]]
        # The volume may have been turned, by a flip or an exchange of axes, before a row and a column were deleted.
        if down != across and all(_alike(left[:, column], affine[:2, i]) for i, column in enumerate((down, across))):
            found.append(lengths[[down, across]])
    if found and all(_close(sizes, found[0]) for sizes in found):
        return found[0]
    along_axes = bool(((volume[:3, :3].abs() > _SAME * lengths).sum(dim=0) == 1).all())
    if found or not along_axes:
        raise _lost()
    return _square(affine)


def _lost() -> ValueError:
    return ValueError(
        "the slice was squeezed out of a volume that is tilted or was turned, and its affine matrix has lost a part of "
        f"the size of a pixel: {_ASK}."
    )


def _alike(column: Tensor, other: Tensor) -> bool:
    """Whether two columns are the same but for their sign."""
    scale = _SAME * float(torch.linalg.vector_norm(other))
    return any(bool(((column - sign * other).abs() <= scale).all()) for sign in (1, -1))


def _square(affine: Tensor) -> Tensor:
    """Sizes of axes that stand at right angles, as those of all images do before a part is lost."""
    own = _lengths(affine)
    cosine = float((affine[:2, 0] * affine[:2, 1]).sum() / own.prod()) if bool((own > 0).all()) else math.inf
    if abs(cosine) > _SAME:
        raise ValueError(
            "the affine matrix of the slice has lost a part of the size of a pixel, as it was squeezed out of a volume "
            f"whose axes lie otherwise: {_ASK}."
        )
    return own
