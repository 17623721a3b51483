"""A polar grid of frequencies, and what is between it and the DFT of an image: weights of taps, or sparse matrices.

Lines through the origin come in mirror images: at an angle and its negative, and for square images of square pixels
also at the complements of both. A frequency and its mirror images have the same interpolation weights. The points of
the DFT therefore lie side by side with their mirror images, and one weight serves them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .kaiser_bessel import WIDTH, deapodisation, grid_length, taps

__all__ = ["PolarGrid", "SparseRows", "Tables", "Taps", "tables", "taps_around"]

#: Number of cached geometries; at 362 x 362 pixels and 1000 angles, 8 MB of taps or 21 MB of matrices each.
_KEPT = 4


class PolarGrid(NamedTuple):
    r"""Frequencies on lines through the origin.

    Line i of ``n_angles`` is at :math:`\theta_i = (i + 1/2)\, \pi / n`, and point m of the ``length // 2 + 1`` on it at
    :math:`k_m = m / \text{length}`, in cycles per unit of ``steps``.

    Args:
        shape: rows and columns of the image.
        steps: height and width of a pixel.
        n_angles: number of lines.
        length: inverse of the radial step, an even number.

    Example:
        >>> grid = PolarGrid((64, 64), (1.0, 1.0), n_angles=100, length=90)
        >>> grid.angles.shape, grid.n_radii
        (torch.Size([25, 4]), 46)
    """

    shape: tuple[int, int]
    steps: tuple[float, float]
    n_angles: int
    length: int

    @property
    def n_radii(self) -> int:
        """Number of frequencies on a line, 0 and the highest included."""
        return self.length // 2 + 1

    @property
    def mirrors(self) -> int:
        """Number of mirror images of each line, the line included."""
        square = self.shape[0] == self.shape[1] and self.steps[0] == self.steps[1]
        return 4 if square and self.n_angles % 2 == 0 else 2

    @property
    def angles(self) -> Tensor:
        r"""Angle of each line and its mirror images in :math:`(-\pi/2, \pi/2]`, ``(lines, mirrors)``.

        A line at a negative angle stands for the line at :math:`\theta + \pi`, read backwards. If the number of angles
        is no multiple of the number of mirror images, a line that is its own mirror image appears twice.
        """
        lines = torch.arange(-(-self.n_angles // self.mirrors), dtype=torch.float64)
        theta = (lines + 0.5) * math.pi / self.n_angles
        both = [theta, -theta]
        return torch.stack(both if self.mirrors == 2 else [*both, math.pi / 2 - theta, theta - math.pi / 2], dim=1)


class SparseRows(NamedTuple):
    """Sparse matrix by rows: starts of the rows, columns and values of the entries; without values, entries are ones.

    Example:
        >>> matrix = SparseRows(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0, 3.0]))
        >>> matrix.times(torch.eye(2))
        tensor([[1., 2.],
                [0., 3.]])
    """

    starts: Tensor
    columns: Tensor
    values: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> SparseRows:
        """Apply a function to each tensor."""
        values = None if self.values is None else function(self.values)
        return SparseRows(function(self.starts), function(self.columns), values)

    def times(self, dense: Tensor) -> Tensor:
        """Product with a dense matrix."""
        # torch.sparse does the same, but warns that it is in beta
        return F.embedding_bag(
            self.columns, dense, self.starts, mode="sum", per_sample_weights=self.values, include_last_offset=True
        )


class Taps(NamedTuple):
    """What loops over the frequencies need of a grid; a point is one of the DFT with its mirror images, row by row.

    Example:
        >>> grid = PolarGrid((8, 8), (1.0, 1.0), n_angles=4, length=16)
        >>> around = taps_around(grid, torch.float32)
        >>> len(around.starts) == len(around.weights) == len(grid.angles) * grid.n_radii
        True
    """

    deapodise: Tensor  # (H, W)
    places: Tensor  # (points * mirrors,), places in the half spectrum, or complements of the places of conjugates
    centre: Tensor  # (points * mirrors, 2), phases that move the image's centre to the origin
    decentre: Tensor  # (points * mirrors, 2), phases that move it back; halved where one half stands for both
    starts: Tensor  # (frequencies, WIDTH), first number of the first tap of each row, in the points as real numbers
    weights: Tensor  # (frequencies, WIDTH * WIDTH)


@lru_cache(maxsize=_KEPT)
def taps_around(grid: PolarGrid, dtype: torch.dtype) -> Taps:
    """Taps of a grid on the CPU, cached for the last few grids.

    Args:
        grid: polar grid of frequencies.
        dtype: type of the real numbers, float32 or float64.

    Example:
        >>> taps_around(PolarGrid((8, 8), (1.0, 1.0), n_angles=4, length=16), torch.float32).weights.shape
        torch.Size([9, 16])
    """
    with torch.inference_mode(False), torch.no_grad():  # inference tensors could not be used in training later
        point, weight, of_x, of_y = _interpolation(grid)
        place, mirrored, phase, alone = _mirror_images(of_x, of_y, grid)
        height, width = map(deapodisation, grid.shape)

        def phases(amplitude: Tensor, phase: Tensor) -> Tensor:
            return torch.view_as_real(torch.polar(amplitude, phase)).to(dtype).view(-1, 2)

        return Taps(
            (height[:, None] * width).to(dtype),
            torch.where(mirrored, ~place, place).flatten(),
            phases(torch.ones_like(phase), phase),
            phases(torch.where(alone, 1.0, 0.5).double(), -phase),
            (point.view(-1, WIDTH, WIDTH)[..., 0] * (2 * grid.mirrors)).int(),
            weight.view(-1, WIDTH**2).to(dtype),
        )


class Tables(NamedTuple):
    """Everything that depends on the grid alone; a point is one of the DFT with its mirror images, the last is zero.

    Example:
        >>> grid = PolarGrid((8, 8), (1.0, 1.0), n_angles=4, length=16)
        >>> interpolate = tables(grid, torch.float32, torch.device("cpu")).interpolate
        >>> len(interpolate.starts) - 1 == len(grid.angles) * grid.n_radii  # a row for each frequency
        True
    """

    deapodise: Tensor  # (H, W)
    places: Tensor  # (points * mirrors,), places in the half spectrum
    sign: Tensor  # (k, mirrors), of the first k points, which have an image in the other half of the spectrum
    centre: Tensor  # (points, mirrors), phases that move the image's centre to the origin
    decentre: Tensor  # (points, mirrors), phases that move it back; halved where one half stands for both
    interpolate: SparseRows  # (frequencies, points)
    grid: SparseRows  # (points, frequencies)
    source: Tensor  # the first point and mirror image for each place of the half spectrum
    crowded: Tensor  # places with further sources
    others: SparseRows  # (crowded, points * mirrors), the further sources


@lru_cache(maxsize=_KEPT)
def tables(grid: PolarGrid, dtype: torch.dtype, device: torch.device) -> Tables:
    """Matrices of a grid, cached for the last few grids.

    Args:
        grid: polar grid of frequencies.
        dtype: type of the real numbers, float32 or float64.
        device: device of the matrices.

    Example:
        >>> kept = tables(PolarGrid((8, 8), (1.0, 1.0), n_angles=4, length=16), torch.float32, torch.device("cpu"))
        >>> kept.deapodise.shape
        torch.Size([8, 8])
    """
    with torch.inference_mode(False), torch.no_grad():  # inference tensors could not be used in training later
        return _build(grid, dtype, device)


def _build(grid: PolarGrid, dtype: torch.dtype, device: torch.device) -> Tables:
    point, weight, of_x, of_y = _interpolation(grid)
    place, mirrored, phase, alone = _mirror_images(of_x, of_y, grid)
    # points with an image in the other half come first, and the zero point last
    order = torch.argsort((~mirrored.any(1)).to(torch.uint8), stable=True)
    rank = torch.argsort(order)
    place, mirrored, phase, alone = place[order], mirrored[order], phase[order], alone[order]
    zero = len(order) * grid.mirrors
    source, crowded, others = _gathering(place.flatten(), zero, grid)
    starts = torch.arange(0, len(point) + 1, WIDTH**2, dtype=torch.int32)
    interpolate = SparseRows(starts, rank[point].int(), weight)
    transposed = _transposed(interpolate, len(order) + 1)
    last = torch.zeros(1, grid.mirrors)
    height, width = map(deapodisation, grid.shape)

    def ready(tensor: Tensor) -> Tensor:
        real = dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(device, dtype.to_complex() if tensor.is_complex() else real)

    return Tables(
        ready(height[:, None] * width),
        ready(torch.cat([place, last.int()]).flatten()),
        ready(1 - 2.0 * mirrored[: int(mirrored.any(1).sum())]),
        ready(_across(torch.cat([torch.polar(torch.ones_like(phase), phase), last]))),
        ready(_across(torch.cat([torch.polar(torch.where(alone, 1.0, 0.5).double(), -phase), last]))),
        interpolate.map(ready),
        transposed.map(ready),
        ready(source),
        ready(crowded),
        others.map(ready),
    )


def _interpolation(grid: PolarGrid) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Point and weight of each tap of each frequency of the lines, and the positions of the points in the DFT."""
    theta, radius = grid.angles[:, :1], torch.arange(grid.n_radii, dtype=torch.float64) / grid.length
    (height, width), (dy, dx) = grid.shape, grid.steps
    x, x_weight = taps((theta.cos() * radius * dx * grid_length(width)).flatten(), width)
    y, y_weight = taps((theta.sin() * radius * dy * grid_length(height)).flatten(), height)
    lowest, span = int(min(x.min(), y.min())), int(x.max() - min(x.min(), y.min())) + 1
    number = ((y - lowest)[:, :, None] * span + (x - lowest)[:, None, :]).flatten()
    used = torch.zeros(int(number.max()) + 1, dtype=torch.bool).index_fill_(0, number, True)
    rank = used.cumsum(0) - 1
    numbers = used.nonzero().flatten()
    weight = (y_weight[:, :, None] * x_weight[:, None, :]).flatten()
    return rank[number], weight, numbers % span + lowest, numbers // span + lowest


def _mirror_images(x: Tensor, y: Tensor, grid: PolarGrid) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each point and mirror image: place in the half spectrum, whether in the other half, phase, whether alone."""
    (height, width), (rows, columns) = grid.shape, map(grid_length, grid.shape)
    pairs = [(x, y), (x, -y), (y, x), (y, -x)][: grid.mirrors]
    x, y = (torch.stack(each, dim=1) for each in zip(*pairs, strict=True))
    phase = math.pi * (x.double() * (width - 1) / columns + y.double() * (height - 1) / rows)
    x, y = x % columns, y % rows
    mirrored = x > columns // 2
    x, y = torch.where(mirrored, columns - x, x), torch.where(mirrored, -y % rows, y)
    return (x * rows + y).int(), mirrored, phase, x % (columns // 2) == 0


def _gathering(place: Tensor, zero: int, grid: PolarGrid) -> tuple[Tensor, Tensor, SparseRows]:
    """First source of each place of a half spectrum, the places with several sources, and their other sources."""
    rows, columns = map(grid_length, grid.shape)
    order = torch.argsort(place, stable=True)
    counts = torch.bincount(place, minlength=rows * (columns // 2 + 1))
    starts = counts.cumsum(0) - counts
    source = torch.where(counts > 0, torch.cat([order, torch.tensor([zero])])[starts], zero)
    is_first = torch.zeros(len(order), dtype=torch.bool).index_fill_(0, starts[counts > 0], True)
    crowded = (counts > 1).nonzero().flatten()
    others = SparseRows(F.pad((counts[crowded] - 1).cumsum(0), (1, 0)).int(), order[~is_first].int())
    return source.int(), crowded, others


def _transposed(matrix: SparseRows, n_columns: int) -> SparseRows:
    order = torch.argsort(matrix.columns, stable=True)
    starts = F.pad(torch.bincount(matrix.columns, minlength=n_columns).cumsum(0), (1, 0))
    row = torch.repeat_interleave(matrix.starts.diff())[order]
    values = None if matrix.values is None else matrix.values[order]
    return SparseRows(starts.int(), row.int(), values)


def _across(phase: Tensor) -> Tensor:
    """Another memory layout: vectorised complex products round differently where a thread's share ends."""
    return phase.mT.contiguous().mT
