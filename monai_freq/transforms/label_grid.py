"""Class numbers on another grid: they stay where they are, and no structure falls between its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Structure", "nearest_voxels", "resize_label"]

Classes = NDArray[np.generic]


class Structure(NamedTuple):
    """Connected voxels of one class.

    Example:
        >>> Structure(number=2, voxels=np.array([[10, 11, 12]])).number
        2
    """

    number: int
    voxels: NDArray[np.intp]  # (voxels, axes)


def nearest_voxels(wanted: int, given: int) -> NDArray[np.intp]:
    r"""Voxel of a line in which the middle of each voxel of a resized line lies; both lines have the same ends.

    .. math:: i(g) = \Bigl\lfloor \bigl( g + \tfrac12 \bigr) \frac{N}{n} \Bigr\rfloor

    Where that middle lies between two voxels, as it always does for half as many, the lower and the upper one are taken
    in turn. Taking the upper one each time, as torch's ``nearest-exact`` does, moves everything by up to a quarter of a
    voxel.

    Args:
        wanted: voxels n of the resized line.
        given: voxels N of the line.

    Shape:
        ``(wanted,)``

    Example:
        >>> nearest_voxels(3, 9).tolist(), nearest_voxels(6, 3).tolist(), nearest_voxels(4, 8).tolist()
        ([1, 4, 7], [0, 0, 1, 1, 2, 2], [0, 3, 4, 7])
    """
    place = np.arange(wanted)
    voxel, rest = np.divmod((2 * place + 1) * given, 2 * wanted)  # in whole numbers: a tie is one
    return np.where((rest == 0) & (place % 2 == 0), voxel - 1, voxel)


def resize_label(classes: Classes, shape: Sequence[int]) -> tuple[Classes, list[Structure], list[Structure]]:
    """Resize class numbers to the nearest voxels, and keep the structures that have none of these.

    A structure, the connected voxels of one class, that lies between the voxels that are looked at would vanish. It is
    written to the cells of the grid in which its voxels lie instead: one of a single voxel becomes one voxel. It goes
    over another class only where it has no cell of the background.

    Args:
        classes: class numbers; 0 is the background.
        shape: voxels along each axis of the result.

    Returns:
        The class numbers on the grid, the structures that were kept so, and those that are lost all the same since
        another structure has their cells.

    Example:
        >>> label = np.zeros((8, 8), int)
        >>> label[2, 4] = 3  # rows and columns 1 and 6 are looked at
        >>> small, kept, lost = resize_label(label, (2, 2))
        >>> small.tolist(), [structure.number for structure in kept], lost
        ([[0, 3], [0, 0]], [3], [])
    """
    sizes = list(zip(shape, classes.shape, strict=True))
    looked_at = np.ix_(*[nearest_voxels(new, old) for new, old in sizes])
    result = classes[looked_at]
    if all(new >= old for new, old in sizes):
        return result, [], []  # every voxel is looked at
    cells = [nearest_voxels(old, new) for new, old in sizes]  # of the grid, in which each voxel lies
    missed = [(structure, _cells(structure, cells)) for structure in _missed(classes, looked_at)]
    for structure, places in missed:  # smaller ones come later, so that a larger one does not cover them
        free = result[places] == 0
        result[tuple(place[free] for place in places) if free.any() else places] = structure.number
    lost = [structure for structure, places in missed if structure.number not in result[places]]
    kept = [structure for structure, places in missed if structure.number in result[places]]
    return result, kept, lost


def _cells(structure: Structure, cells: Sequence[NDArray[np.intp]]) -> tuple[NDArray[np.intp], ...]:
    return tuple(line[column] for line, column in zip(cells, structure.voxels.T, strict=True))


def _missed(classes: Classes, looked_at: tuple[NDArray[np.intp], ...]) -> list[Structure]:
    """Structures of which no voxel is looked at, the largest first."""
    from scipy.ndimage import find_objects, label

    found = []
    neighbours = np.ones((3,) * classes.ndim)
    for number in np.unique(classes[classes != 0]):
        parts, count = label(classes == number, neighbours)
        gone = np.setdiff1d(np.arange(1, count + 1), parts[looked_at])
        boxes = find_objects(parts) if gone.size else []
        for part in gone:
            box = boxes[part - 1]
            voxels = np.argwhere(parts[box] == part) + [side.start for side in box]
            found.append(Structure(int(number), voxels))
    return sorted(found, key=lambda structure: len(structure.voxels), reverse=True)
