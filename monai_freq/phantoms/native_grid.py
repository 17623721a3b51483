"""Grids that differ from case to case, and lie askew to the patient, as those of real scans do."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_size", "draw_size", "tilted"]

LEAST = 16  # voxels along an axis


def check_size(size: Sequence[int | Sequence[int]]) -> list[int | list[int]]:
    """Size as JSON would give it back.

    Args:
        size: Voxels along x, y and z, at least 16 each; for each a number, or the lowest and highest that are drawn.

    Raises:
        ValueError: It is no such size.

    >>> check_size((64, (40, 56), 32))
    [64, [40, 56], 32]
    """
    ranges = [[n, n] if isinstance(n, int) else list(n) for n in size]
    if len(ranges) != 3 or any(len(pair) != 2 or not LEAST <= pair[0] <= pair[1] for pair in ranges):
        raise ValueError(
            f"'size' must be three numbers of voxels of at least {LEAST}, or pairs of the lowest and highest, "
            f"got {tuple(size)}."
        )
    return [n if isinstance(n, int) else list(n) for n in size]


def draw_size(rng: np.random.Generator, size: Sequence[int | Sequence[int]]) -> tuple[int, int, int]:
    """Draw the size of one case.

    Args:
        rng: Source of the sizes.
        size: From :func:`check_size`; a number is taken as it is, a pair is a range with its ends.

    >>> draw_size(np.random.default_rng(0), (64, (40, 56), (32, 32)))
    (64, 54, 32)
    """
    x, y, z = (n if isinstance(n, int) else int(rng.integers(n[0], n[1], endpoint=True)) for n in size)
    return x, y, z


def tilted(
    rng: np.random.Generator, affine: NDArray[np.float64], size: Sequence[int], tilt: float
) -> NDArray[np.float64]:
    """Turn a grid about its middle by a random angle around each axis: the patient lay askew.

    Args:
        rng: Source of the angles.
        affine: Voxel-to-mm matrix (4, 4).
        size: Voxels along x, y and z.
        tilt: Largest angle in degrees.

    Shape:
        Output (4, 4).

    >>> affine = tilted(np.random.default_rng(0), np.diag([1.0, 1.0, 3.0, 1.0]), (33, 33, 11), tilt=10)
    >>> np.linalg.norm(affine[:3, :3], axis=0).round(6).tolist(), (affine @ [16, 16, 5, 1]).round(6).tolist()
    ([1.0, 1.0, 3.0], [16.0, 16.0, 15.0, 1.0])
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", rng.uniform(-tilt, tilt, 3), degrees=True).as_matrix()
    middle = affine @ [*((n - 1) / 2 for n in size), 1.0]
    result = affine.copy()
    result[:3, :3] = turn @ affine[:3, :3]
    result[:3, 3] = middle[:3] - result[:3, :3] @ ((np.asarray(size) - 1) / 2)
    return result
