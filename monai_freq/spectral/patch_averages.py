"""Averages over a search window, weighted by the likeness of patches: by tiles on the CPU, by operations elsewhere."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise, product
from typing import NamedTuple

import torch
from torch import Tensor

from .compiled import arrays, side_by_side
from .patch_kernel import average_tile
from .precision import as_computed

__all__ = ["Window", "weighted_means"]

Triple = tuple[int, int, int]

#: Voxels of a tile of planes that do not see each other, and of a volume: caches hold its sums.
_TILE_OF_PLANE, _TILE = 40_000, 2**18
#: Voxels times offsets for which one more thread pays.
_WORK_PER_THREAD = 2**20


class Window(NamedTuple):
    """What is averaged, and how.

    Args:
        patch: radii of the patches across planes, rows and columns, in voxels.
        search: radii of the search window, likewise.
        exponent: what one squared difference in a patch adds to the weight's power of 2; not positive.
        squares: whether the squares of the voxels are averaged, not the voxels.

    Example:
        >>> Window(patch=(0, 1, 1), search=(0, 2, 2), exponent=-1.0, squares=False).pairs
        12
    """

    patch: Triple
    search: Triple
    exponent: float
    squares: bool

    @property
    def margins(self) -> list[int]:
        """How far beyond its border a volume is read."""
        return [f + r for f, r in zip(self.patch, self.search, strict=True)]

    @property
    def pairs(self) -> int:
        """How many offsets are visited, one of each opposite two."""
        return math.prod(2 * r + 1 for r in self.search) // 2


def weighted_means(volumes: Tensor, window: Window) -> Tensor:
    r"""Mean of the voxels q in the search window S of each voxel p, which beyond a border are reflected ones.

    .. math:: \frac{\sum_q w(p, q)\, v_q}{\sum_q w(p, q)}, \qquad
        \log_2 w(p, q) = \text{exponent} \cdot \sum_{b \in B} (x_{p+b} - x_{q+b})^2

    Args:
        volumes: best in [-1, 1], so that no square leaves the range of its type.
        window: patch B, search window S, exponent, and whether :math:`v = x^2` or :math:`v = x`.

    Shape:
        ``(B, planes, rows, columns)`` -> the same. On the CPU the number of threads does not change a bit of it.

    Example:
        >>> window = Window(patch=(0, 0, 0), search=(0, 0, 1), exponent=0.0, squares=False)
        >>> weighted_means(torch.tensor([[[[0.0, 3.0, 6.0]]]]), window)
        tensor([[[[2., 3., 4.]]]])
    """
    volumes = as_computed(volumes, "volumes").detach().contiguous()
    means = torch.empty_like(volumes)
    average = _by_tiles if volumes.device.type == "cpu" else _by_operations
    for volume, mean in zip(volumes, means, strict=True):
        average(volume, mean, window)
    return means


def _by_tiles(volume: Tensor, mean: Tensor, window: Window) -> None:
    """Means by compiled loops, tile by tile: the tiles are the same for any number of threads."""
    x, means, *sources = arrays(volume, mean, *_sources(volume, window))
    scale = x.dtype.type(math.sqrt(-window.exponent))
    mz, my, _ = window.margins
    calls = []
    for (z, z_stop), (y, y_stop) in product(*_cuts(volume.shape, window)):
        around = sources[0][z : z_stop + 2 * mz], sources[1][y : y_stop + 2 * my], sources[2]
        tile = (z, y), (z_stop - z, y_stop - y)
        calls.append(partial(average_tile, x, means, around, *tile, window.patch, window.search, scale, window.squares))
    side_by_side(calls, most=volume.numel() * window.pairs // _WORK_PER_THREAD)


def _by_operations(volume: Tensor, mean: Tensor, window: Window) -> None:
    """Means by operations on the whole volume, offset by offset."""
    for axis, source in enumerate(_sources(volume, window)):
        volume = volume.index_select(axis, source)
    here = _inside(volume, window.search, (0, 0, 0))
    values = volume.square() if window.squares else volume
    mean.copy_(_inside(values, window.margins, (0, 0, 0)))
    sums, weights = torch.zeros_like(mean), torch.zeros_like(mean)
    for offset in product(*(range(-radius, radius + 1) for radius in window.search)):
        distance = (here - _inside(volume, window.search, offset)).square_()
        for axis, radius in enumerate(window.patch):
            distance = distance.unfold(axis, 2 * radius + 1, 1).sum(-1)
        weight = distance.mul_(window.exponent).exp2_()
        sums.addcmul_(weight, _inside(values, window.margins, offset) - mean)
        weights.add_(weight)
    mean.add_(sums.div_(weights))


def _inside(x: Tensor, margins: list[int] | Triple, offset: tuple[int, ...]) -> Tensor:
    """What is left of a volume without its margins, moved by an offset that is no longer than these."""
    for axis, (margin, step) in enumerate(zip(margins, offset, strict=True)):
        x = x.narrow(axis, margin + step, x.shape[axis] - 2 * margin)
    return x


def _cuts(shape: torch.Size, window: Window) -> list[list[tuple[int, int]]]:
    """Where tiles start and stop, across planes and across rows: of about as many planes as rows, or of one plane."""
    planes, rows, columns = shape
    if window.margins[0] == 0:
        sides = 1, max(1, _TILE_OF_PLANE // columns)
    else:
        side = max(1, math.isqrt(_TILE // columns))
        sides = side, max(1, side * side // min(side, planes))
    return [_parts(size, side) for size, side in zip((planes, rows), sides, strict=True)]


def _parts(size: int, most: int) -> list[tuple[int, int]]:
    count = -(-size // most)
    return list(pairwise(size * part // count for part in range(count + 1)))


def _sources(volume: Tensor, window: Window) -> list[Tensor]:
    """Which voxel each one of a volume with margins is, along each axis."""
    sizes = zip(volume.shape, window.margins, strict=True)
    return [_reflected(size, margin, volume.device) for size, margin in sizes]


def _reflected(size: int, margin: int, device: torch.device) -> Tensor:
    """Which voxel each one of a line with margins is; a margin may be longer than the line."""
    period = max(1, 2 * (size - 1))
    position = torch.arange(-margin, size + margin, device=device).remainder(period)
    return torch.minimum(position, period - position).clamp_(max=size - 1)
