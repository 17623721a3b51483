"""Class numbers on another grid: they stay where they are, and no structure falls between its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

__all__ = ["Structure", "nearest_voxels", "resize_label"]

Classes = NDArray[np.generic]

_EQUAL = 1e-5  # shares that differ by rounding alone


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
        wanted: number n of voxels of the resized line.
        given: number N of voxels of the line.

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
    """Resize class numbers, and keep the structures that would fall between the voxels of the grid.

    A voxel of the grid takes the class of the nearest voxel where the one is the other's nearest. Where an axis gets
    longer there are voxels between these: they take the class that has most of the linear interpolation, as the image
    beside has it, so that borders have no steps that the image has not. The way back by :func:`nearest_voxels` gives
    what was given, but for axes that got shorter.

    On those, a structure, the connected voxels of one class, may lie between the voxels that are looked at. It is
    written to the cells of the grid in which its voxels lie: one of a single voxel becomes one voxel. It goes over
    another class only where it has no cell of the background, and leaves a cell to each structure that is looked at.

    Args:
        classes: class numbers; 0 is the background.
        shape: number of voxels along each axis of the result.

    Returns:
        The class numbers on the grid, the structures that were kept so, and those that are lost all the same since
        other structures have their cells, and no others.

    Example:
        >>> label = np.zeros((8, 8), int)
        >>> label[2, 4] = 3  # rows and columns 1 and 6 are looked at
        >>> small, kept, lost = resize_label(label, (2, 2))
        >>> small.tolist(), [structure.number for structure in kept], lost
        ([[0, 3], [0, 0]], [3], [])
    """
    sizes = list(zip(shape, classes.shape, strict=True))
    lines = [nearest_voxels(new, old) for new, old in sizes]
    cells = [nearest_voxels(old, new) for new, old in sizes]  # of the grid, in which each voxel lies
    looked_at = np.ix_(*lines)
    result = np.ascontiguousarray(classes[looked_at])
    if any(new > old for new, old in sizes):
        mutual = [cell[line] == np.arange(len(line)) for line, cell in zip(lines, cells, strict=True)]
        between = ~reduce(np.logical_and, np.meshgrid(*mutual, indexing="ij", sparse=True))
        result[between] = _most_of(classes, result)[between]
    if all(new >= old for new, old in sizes):
        return result, [], []  # every voxel is looked at
    parts, missed = _parts(classes, looked_at)
    # whose each cell is, 0 where it is nobody's, and how many cells each has
    owners = np.where(result == classes[looked_at], parts[looked_at], 0).ravel()
    cells_of = np.bincount(owners, minlength=int(parts.max()) + 1)
    seen = np.unique(owners)
    flat = result.reshape(-1)  # a view
    placed = [(part, structure, _cells(structure, cells, result.shape)) for part, structure in missed]
    for part, structure, places in placed:  # smaller ones come later, so that a larger one does not cover them
        wanted = free if len(free := places[flat[places] == 0]) else places
        taken = _spare(wanted, owners, cells_of)
        if not len(taken) and structure.number not in flat[places]:
            taken = wanted[~np.isin(owners[wanted], seen)]
        np.subtract.at(cells_of, owners[taken], 1)
        cells_of[part] += len(taken)
        owners[taken], flat[taken] = part, structure.number
    lost = [structure for _, structure, places in placed if structure.number not in flat[places]]
    kept = [structure for _, structure, places in placed if structure.number in flat[places]]
    return result, kept, lost


def _most_of(classes: Classes, nearest: Classes) -> Classes:
    """The class that has most of the linear interpolation in each voxel of the grid; of equal ones, the nearest."""
    mode = ("linear", "bilinear", "trilinear")[classes.ndim - 1]
    most, result = np.zeros(nearest.shape, np.float32), nearest.copy()
    for number in np.unique(classes):
        mask = torch.from_numpy((classes == number).astype(np.float32))[None, None]
        share = interpolate(mask, nearest.shape, mode=mode)[0, 0].numpy()
        ahead = share - most
        result[(ahead > _EQUAL) | ((ahead > -_EQUAL) & (nearest == number))] = number
        np.maximum(most, share, out=most)
    return result


def _cells(structure: Structure, cells: Sequence[NDArray[np.intp]], shape: Sequence[int]) -> NDArray[np.intp]:
    """Cells of the grid in which its voxels lie, by their place in the flat grid."""
    places = tuple(line[column] for line, column in zip(cells, structure.voxels.T, strict=True))
    return np.unique(np.ravel_multi_index(places, tuple(shape)))


def _spare(places: NDArray[np.intp], owners: NDArray[np.intp], cells_of: NDArray[np.intp]) -> NDArray[np.intp]:
    """Cells that can be taken: of each owner all but one of those that it has."""
    own = owners[places]
    spare = own == 0
    for owner in np.unique(own[own > 0]):
        theirs = np.flatnonzero(own == owner)
        spare[theirs[: cells_of[owner] - 1]] = True
    return np.asarray(places[spare])


def _parts(
    classes: Classes, looked_at: tuple[NDArray[np.intp], ...]
) -> tuple[NDArray[np.int32], list[tuple[int, Structure]]]:
    """A number for each structure in its voxels, and those of which no voxel is looked at, the largest first."""
    from scipy.ndimage import find_objects, label

    numbered, missed, count = np.zeros(classes.shape, np.int32), [], 0
    neighbours = np.ones((3,) * classes.ndim)
    for number in np.unique(classes[classes != 0]):
        parts, more = label(classes == number, neighbours)
        gone = np.setdiff1d(np.arange(1, more + 1), parts[looked_at])
        boxes = find_objects(parts) if gone.size else []
        for part in gone:
            box = boxes[part - 1]
            voxels = np.argwhere(parts[box] == part) + [side.start for side in box]
            missed.append((count + int(part), Structure(int(number), voxels)))
        np.add(numbered, parts + count, out=numbered, where=parts > 0, casting="unsafe")
        count += more
    return numbered, sorted(missed, key=lambda found: len(found[1].voxels), reverse=True)
