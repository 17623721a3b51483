"""The size of a slice's pixels, which MONAI does not always keep with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import torch
from monai.data import MetaTensor
from torch import Tensor

__all__ = ["pixel_size_mm", "slice_axes"]

_SAME = 1e-3  # relative, of sizes
_ASK = "give 'spacing' or 'extent_mm'"


def pixel_size_mm(image: MetaTensor, axes: Sequence[int]) -> list[float]:
    r"""Size of the pixels of a slice, along its rows' and columns' direction, from the image's affine matrix A.

    .. math:: \Delta_i = \lVert A_{:, i} \rVert

    ``SqueezeDim`` deletes the row and the column of its axis, and with them, in volumes that are tilted or whose first
    axis is the slices', a part of the sizes. They are taken from the file's ``original_affine`` where that belongs to
    the matrix, and refused where they are lost.

    Args:
        image: with an affine matrix, ``(C, H, W)`` or ``(C, X, Y, Z)``.
        axes: of the slices, as columns of a (4, 4) matrix, see :func:`slice_axes`.

    Returns:
        The two sizes in mm.

    Raises:
        ValueError: the matrix does not tell the sizes.

    Example:
        >>> volume = MetaTensor(torch.rand(1, 32, 24, 9), torch.diag(torch.tensor([0.5, 0.25, 5.0, 1.0])))
        >>> pixel_size_mm(volume, (0, 1))
        [0.5, 0.25]
    """
    affine = image.affine.detach().double().cpu()
    if affine.shape[-1] == 4:
        sizes = _lengths(affine)[list(axes)]
    else:
        sizes = _of_squeezed(affine, image.meta.get("original_affine"))
    if not bool((sizes.isfinite() & (sizes > 0)).all()):
        raise ValueError(f"the affine matrix does not tell the size of a pixel (it says {sizes.tolist()} mm): {_ASK}.")
    return [float(size) for size in sizes]


def slice_axes(image: MetaTensor) -> tuple[tuple[int, int], str]:
    """Which axes of its volume a slice lies along.

    Indexing (``volume[:, 5]``) keeps the matrix of the volume; the file's ``spatial_shape`` tells which axis is gone.

    Args:
        image: with an affine matrix, ``(C, H, W)``.

    Returns:
        Two columns of the matrix, and a warning where they had to be guessed; empty otherwise.

    Example:
        >>> z_first = torch.tensor([[0, 0.5, 0, 0], [0, 0, 0.25, 0], [5.0, 0, 0, 0], [0, 0, 0, 1]])
        >>> volume = MetaTensor(torch.rand(1, 9, 32, 24), z_first, {"spatial_shape": [9, 32, 24]})
        >>> slice_axes(volume[:, 3])
        ((1, 2), '')
    """
    affine, shape = image.affine, [int(size) for size in image.meta.get("spatial_shape", ())]
    if affine.shape[-1] != 4 or len(shape) != 3:  # without a volume's shape it is what MONAI takes it for
        return (0, 1), ""
    pairs = ((0, 1), (0, 2), (1, 2))
    fitting = [pair for pair in pairs if [shape[axis] for axis in pair] == list(image.shape[1:])]
    known = fitting or pairs  # none fits where the image was cropped or resized since
    lengths = _lengths(affine.detach().double().cpu())
    if all(_close(lengths[list(pair)], lengths[list(known[0])]) for pair in known):
        return known[0], ""
    voxel = " x ".join(f"{length:.3g}" for length in lengths.tolist())
    down, across = lengths[list(known[0])].tolist()
    return known[0], (
        f"the slice has the affine matrix of a volume with voxels of {voxel} mm, which does not tell along which of "
        f"its axes it lies: pixels of {down:.3g} x {across:.3g} mm are assumed. Else {_ASK}."
    )


def _lengths(affine: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(affine[:-1, :-1], dim=0)
    return lengths


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
        raise ValueError(
            "the slice was squeezed out of a volume that is tilted, and its affine matrix has lost a part of the size "
            f"of a pixel: {_ASK}."
        )
    return _square(affine)


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
