r"""Averages over a search window, weighted by the likeness of patches: the arithmetic of non-local means.

A volume with its margins is one flat array, in which an offset of the search window is a single stride: every operation
runs along long rows of memory. Each offset is visited for all voxels at once (Darbon et al. 2008), and only one of each
opposite two: a weight counts for both its ends. Tiles bound the memory for what is computed on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise, product
from typing import NamedTuple

import torch
from torch import Tensor

from .precision import as_computed

__all__ = ["Window", "weighted_means"]

Pair = tuple[int, int]
Triple = tuple[int, int, int]

#: Voxels of a tile, its halo included, times offsets at a time: calls cost little then, and caches still help.
_TILE = {"cpu": 3 * 2**17, "cuda": 2**24}
#: Most voxels that are held with their sums at a time.
_SLAB = 2**25
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
        ``(B, planes, rows, columns)`` -> the same.

    Example:
        >>> window = Window(patch=(0, 0, 0), search=(0, 0, 1), exponent=0.0, squares=False)
        >>> weighted_means(torch.tensor([[[[0.0, 3.0, 6.0]]]]), window)
        tensor([[[[2., 3., 4.]]]])
    """
    volumes = as_computed(volumes, "volumes")
    means = torch.empty_like(volumes, memory_format=torch.contiguous_format)
    work = volumes.numel() * window.pairs
    threads = 1 if volumes.is_cuda else max(1, min(torch.get_num_threads(), work // _WORK_PER_THREAD))
    parts = max(_ceil(threads, len(volumes)), _ceil(volumes[0].numel(), _SLAB))
    axis = 0 if volumes.shape[1] >= parts else 1
    size = volumes.shape[1 + axis]
    cuts = sorted({size * part // parts for part in range(parts + 1)})
    calls = [
        partial(_average_slab, volume, mean, window, axis, start, stop)
        for volume, mean in zip(volumes, means, strict=True)
        for start, stop in pairwise(cuts)
    ]
    if volumes.is_cuda or torch.get_num_threads() == 1:
        for call in calls:
            call()
    else:
        _run(calls, threads)
    return means


def _run(calls: Sequence[Callable[[], None]], threads: int) -> None:
    """Side by side, each on one thread: in an operation that is divided, every thread waits for the slowest."""
    own = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for done in [pool.submit(call) for call in calls]:
                done.result()
    finally:
        torch.set_num_threads(own)  # a worker sets what later threads start with, too


def _average_slab(volume: Tensor, mean: Tensor, window: Window, axis: int, start: int, stop: int) -> None:
    """Means from ``start`` to ``stop`` along an axis, written into those of the volume."""
    sources = [_reflected(n, margin, volume.device) for n, margin in zip(volume.shape, window.margins, strict=True)]
    sources[axis] = sources[axis][start : stop + 2 * window.margins[axis]]
    mean.narrow(axis, start, stop - start).copy_(_Slab(volume, sources, window).mean())


class _Block(NamedTuple):
    """A range of planes and a range of rows, 0 being the first of the image, not of its margin."""

    plane: int
    plane_stop: int
    row: int
    row_stop: int

    @property
    def size(self) -> Pair:
        return self.plane_stop - self.plane, self.row_stop - self.row


class _Slab:
    """A volume with its margins as one flat array, and the weighted sums of its voxels.

    Squares are summed as they are; voxels as how much they rise above the one averaged for, which rounds less and
    leaves a flat region as it is.
    """

    def __init__(self, volume: Tensor, sources: Sequence[Tensor], window: Window) -> None:
        self.window, self.margins = window, window.margins
        self.shape = [len(source) for source in sources]
        self.sizes = [n - 2 * margin for n, margin in zip(self.shape, self.margins, strict=True)]
        self.plane, self.row = self.shape[1] * self.shape[2], self.shape[2]
        self.tile = _tile(self.sizes, self.row, window, _TILE.get(volume.device.type, _TILE["cuda"]))
        planes, rows, count = self.tile
        held = count * (planes + 2 * window.patch[0]) * (rows + 2 * window.patch[1]) * self.row
        # shifted along their row, the last voxels are read from a little beyond them
        size = math.prod(self.shape) + window.search[2]
        flats, scratch = _arrays(volume, (4, 2) if window.squares else (3, 3), (size, held))
        self.voxels, self.sums, self.weights, *self.squares = flats
        self.likeness = cache(partial(_Likeness, scratch, window, self.row))
        crossed = volume.index_select(2, sources[2]).index_select(1, sources[1])
        torch.index_select(crossed, 0, sources[0], out=self._image(self.voxels.zero_()))
        self.weights.fill_(1)
        self.sums.zero_()
        for squares in self.squares:
            self.sums.add_(torch.square(self.voxels, out=squares))

    def mean(self) -> Tensor:
        """Weighted mean of each voxel that is not of the margins."""
        search_z, search_y, search_x = self.window.search
        planes, rows, count = self.tile
        tiles = product(range(_ceil(self.sizes[0] + search_z, planes)), range(_ceil(self.sizes[1] + search_y, rows)))
        for (i, j), dz, dy in product(tiles, range(search_z + 1), range(-search_y, search_y + 1)):
            block = _Block(*_span(self.sizes[0], dz, planes, i), *_span(self.sizes[1], dy, rows, j))
            if (dz, dy) >= (0, 0) and min(block.size) > 0:
                start = dz * self.plane + dy * self.row
                shifts = range(start + (1 if dz == dy == 0 else -search_x), start + search_x + 1)
                self._visit(block, [shifts[first : first + count] for first in range(0, len(shifts), count)])
        mean = self.sums.div_(self.weights)
        if not self.squares:
            mean.add_(self.voxels)
        inside = [slice(margin, margin + n) for margin, n in zip(self.margins, self.sizes, strict=True)]
        return self._image(mean)[tuple(inside)]

    def _visit(self, block: _Block, shifts: Sequence[range]) -> None:
        """Let the voxels of a block, and those each shift further, add to each other's sums."""
        (patch_z, patch_y, _), search_x = self.window.patch, self.window.search[2]
        planes, rows = block.size
        extent = planes, (rows - 1) * self.row + self.sizes[2] + 2 * search_x
        with_halo = planes + 2 * patch_z, (rows + 2 * patch_y) * self.row
        corner = self._index(block.plane - patch_z, block.row - patch_y, -self.margins[2])
        here = _strided(self.voxels, (1, *with_halo), (0, self.plane, 1), corner)
        first = self._index(block.plane, block.row, -search_x)
        near = self._at(first, extent)
        for some in shifts:
            there = _strided(self.voxels, (len(some), *with_halo), (1, self.plane, 1), corner + some[0])
            between = self.likeness(len(some), with_halo, extent)
            for shift, weight, drop in zip(some, between.weights(here, there), between.drops, strict=True):
                _exchange(near, self._at(first + shift, extent), weight, drop)

    def _at(self, index: int, extent: Pair) -> list[Tensor]:
        """Sums, weights, and squares if they are summed, from an index on."""
        flats = self.sums, self.weights, *self.squares
        return [_strided(flat, extent, (self.plane, 1), index) for flat in flats]

    def _index(self, plane: int, row: int, column: int) -> int:
        """Place of a voxel in the flat array, 0 being the first of the image."""
        z, y, x = self.margins
        return (plane + z) * self.plane + (row + y) * self.row + column + x

    def _image(self, flat: Tensor) -> Tensor:
        return flat[: math.prod(self.shape)].view(self.shape)


def _exchange(near: Sequence[Tensor], far: Sequence[Tensor], weight: Tensor, drop: Tensor) -> None:
    """Let voxels near and far, which are lower by the drop, add to each other's sums."""
    sums, weights, *squares = near
    far_sums, far_weights, *far_squares = far
    if squares:
        sums.addcmul_(weight, *far_squares)
        far_sums.addcmul_(weight, *squares)
    else:
        sums.addcmul_(weight, drop, value=-1)
        far_sums.addcmul_(weight, drop)
    weights.add_(weight)
    far_weights.add_(weight)


class _Likeness:
    """Weights between the voxels of a block, in rows ``row`` long, and those some offsets away.

    All views of memory are made once: to make one takes as long as a small operation on it.
    """

    def __init__(
        self, memory: Sequence[Tensor], window: Window, row: int, count: int, with_halo: Pair, extent: Pair
    ) -> None:
        patch_z, patch_y, patch_x = window.patch
        planes, length = with_halo
        self.factor, self.zero = window.exponent, memory[0].new_zeros(())
        *_, last, spare = memory
        size = count * planes * length
        self.drop, self.squares, self.pairs = memory[0][:size], last[:size], spare[: size - 1]
        self.image = self.drop.view(count, planes, length)
        size -= 2 * patch_x
        # a sum takes the place of the first of its terms, where memory is aligned
        self.sums = last[:size]
        self.terms = [self.pairs[start : start + size] for start in range(1, 2 * patch_x, 2)]
        self.products: list[tuple[Tensor, Tensor]] = []
        for stride, radius in ((row, patch_y), (length, patch_z)):
            if radius:
                size -= 2 * radius * stride
                self.products.append((_strided(last, (2 * radius + 1, size), (stride, 1)), spare[:size]))
                last, spare = spare, last
        shape, strides = (count, *extent), (planes * length, length, 1)
        centre = patch_z * length + patch_y * row + patch_x
        self.drops = _strided(memory[0], shape, strides, centre).unbind()
        self.found = _strided(last, shape, strides).unbind()

    def weights(self, here: Tensor, there: Tensor) -> tuple[Tensor, ...]:
        """Of each offset, from the voxels of the block and those further on, both with their halos."""
        torch.sub(here, there, out=self.image)
        torch.addcmul(self.zero, self.drop, self.drop, value=self.factor, out=self.squares)
        if self.terms:
            torch.add(self.squares[:-1], self.squares[1:], out=self.pairs)
        for pairs in self.terms:
            self.sums.add_(pairs)
        self.sums.exp2_()
        for factors, weights in self.products:  # the power of a sum is a product of powers, which is read only once
            torch.prod(factors, 0, out=weights)
        return self.found


def _arrays(like: Tensor, counts: Sequence[int], sizes: Sequence[int]) -> Iterator[Sequence[Tensor]]:
    """Flat arrays, so many of each size, in one piece of memory.

    As such it is given back and asked for again without being mapped anew, which would take a tenth of a slice's time.
    """
    shapes = [(count, _ceil(size, 16) * 16) for count, size in zip(counts, sizes, strict=True)]  # vectors are aligned
    lengths = [math.prod(shape) for shape in shapes]
    parts = like.new_empty(sum(lengths)).split_with_sizes(lengths)
    return (part.view(shape).unbind() for part, shape in zip(parts, shapes, strict=True))


def _strided(flat: Tensor, shape: Sequence[int], strides: Sequence[int], start: int = 0) -> Tensor:
    return flat.as_strided(shape, strides, flat.storage_offset() + start)


def _tile(sizes: Sequence[int], row: int, window: Window, budget: int) -> Triple:
    """Planes and rows of a tile for which halos cost least, and how many offsets to take at a time."""
    (patch_z, patch_y, _), (search_z, search_y, search_x) = window.patch, window.search
    most_planes, most_rows, held = sizes[0] + search_z, sizes[1] + search_y, budget // row

    def rows_beside(planes: int) -> int:
        return max(1, min(most_rows, held // (planes + 2 * patch_z) - 2 * patch_y))

    def computed(planes: int) -> int:
        rows = rows_beside(planes)
        tiles = _ceil(most_planes, planes) * _ceil(most_rows, rows)
        return tiles * (planes + 2 * patch_z) * (rows + 2 * patch_y)

    planes = min(range(1, max(1, min(most_planes, held)) + 1), key=computed)
    rows = _ceil(most_rows, _ceil(most_rows, rows_beside(planes)))
    planes = _ceil(most_planes, _ceil(most_planes, planes))
    count = budget // ((planes + 2 * patch_z) * (rows + 2 * patch_y) * row)
    return planes, rows, max(1, min(2 * search_x + 1, count))


def _span(size: int, offset: int, length: int, part: int) -> tuple[int, int]:
    """A part of the positions that lie in the image, or do so after the offset."""
    first = min(0, -offset)
    return first + part * length, min(first + (part + 1) * length, max(size, size - offset))


def _reflected(size: int, margin: int, device: torch.device) -> Tensor:
    """Which voxel each one of a line with margins is; a margin may be longer than the line."""
    period = max(1, 2 * (size - 1))
    position = torch.arange(-margin, size + margin, device=device).remainder(period)
    return torch.minimum(position, period - position).clamp_(max=size - 1)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
