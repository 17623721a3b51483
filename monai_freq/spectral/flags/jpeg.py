r"""Traces of JPEG: edges between blocks of 8 pixels, and steps in the cosine transform of the blocks."""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from ..cache import cached
from .log_power import long_axes

__all__ = ["BLOCK_CONTRAST", "BLOCK_SCORE", "QUANTISED_COEFFICIENTS", "Blocks", "block_edges", "dct_steps"]

#: score and contrast in nepers from which edges between blocks are reported, on two axes
BLOCK_SCORE, BLOCK_CONTRAST = 4.0, 0.1
#: number of coefficients with steps, of 63, from which the quantisation of JPEG is reported
QUANTISED_COEFFICIENTS = 4

_SIDE = 8
_FLOOR = 0.1
#: largest step that is looked for, in grey levels, and largest number of blocks that are looked at
_LARGEST_STEP, _MOST_BLOCKS = 40, 512
#: score in SD and part of a full match from which a coefficient has a step; both from fewest values
_LEAST_SCORE, _LEAST_MATCH, _FEWEST = 7.0, 0.6, 12
#: width and number of bins of the sizes of coefficients
_BIN, _BINS = 0.1, 4001
#: values of a coefficient that are nearer to one another are of equal blocks, as in drawings
_EQUAL = 5e-3


class Blocks(NamedTuple):
    """Edges between blocks of 8 voxels along an axis.

    Args:
        axis: axis of the image.
        phase: first voxel of a block, 0 to 7.
        contrast: of differences across these edges to the largest inside blocks, in nepers.
        score: contrast over its standard error, from block to block.
    """

    axis: int
    phase: int
    contrast: float
    score: float

    @property
    def found(self) -> bool:
        """Whether score and contrast reach their thresholds."""
        return self.score >= BLOCK_SCORE and self.contrast >= BLOCK_CONTRAST


def block_edges(x: Tensor) -> list[Blocks]:
    r"""Strongest edges at every eighth voxel along each long axis.

    The logarithm of the third difference, :math:`|x_0 - 3 x_1 + 3 x_2 - x_3|`, in which smooth anatomy vanishes, is
    averaged over all lines along an axis, and compared between the eight phases: the highest with the second highest.

    JPEG of quality 75 has a score of 4 or more unless noise hides the edges, and radiographs of quality 75 one of 8 or
    more. Textures, phantoms and radiographs without blocks have 2 at most.

    Args:
        x: image ``(*spatial)`` of a floating type.

    Reference:
        Z. Fan, R. L. de Queiroz (2003), "Identification of bitmap compression history: JPEG detection and quantizer
        estimation", IEEE Transactions on Image Processing 12. DOI 10.1109/TIP.2002.807361.

    Example:
        >>> seeded = torch.Generator().manual_seed(0)
        >>> tiles = torch.rand(8, 8, generator=seeded).repeat_interleave(8, 0).repeat_interleave(8, 1)
        >>> image = tiles + 0.01 * torch.randn(64, 64, generator=seeded)
        >>> [(blocks.found, blocks.phase) for blocks in block_edges(image)]
        [(True, 0), (True, 0)]
    """
    return [_edges(x, axis) for axis in long_axes(x.shape)]


def dct_steps(x: Tensor, phases: tuple[int, ...] | None = None) -> Tensor:
    r"""Quantisation step of each coefficient of the cosine transform of blocks, where there is one.

    .. math:: z(q) = \sqrt{2 n}\; \overline{\cos(2 \pi c / q)}, \qquad |c| > q / 2

    Coefficients c that JPEG has rounded to multiples of q gather there, and z is near its largest value; without
    rounding the mean is 0 or below. Rounding of the pixels hides steps below 2.

    The steps are those of JPEG's quantisation table, of quality 98 or less; a coefficient that is 0 in all blocks has
    none. Images that were not compressed have 0 or 1 steps.

    Args:
        x: image ``(*spatial)`` of a floating type, in steps of grey levels: integers from an 8-bit picture.
        phases: first voxel of a block along each axis; 0 by default.

    Shape:
        ``(8, 8)``; 0 where no step was found.

    Reference:
        Z. Fan, R. L. de Queiroz (2003), DOI 10.1109/TIP.2002.807361: maximum likelihood, here from characteristic
        functions.

    Example:
        >>> image = (20 * torch.randn(128, 128, generator=torch.Generator().manual_seed(0))).round()
        >>> int((dct_steps(image) > 0).sum())
        0
    """
    axes = long_axes(x.shape)
    found = x.new_zeros(_SIDE, _SIDE)
    for plane in combinations(axes, 2):
        steps = _steps(_coefficients(x, plane, phases or (0,) * x.ndim))
        if (steps > 0).sum() > (found > 0).sum():
            found = steps
    return found


def _edges(x: Tensor, axis: int) -> Blocks:
    lines = x.movedim(axis, 0).flatten(1)
    detail = lines.diff(n=3, dim=0).abs()  # of voxels i to i + 3: across the edge before i + 2
    floor = _FLOOR * detail.mean()
    number = len(detail) // _SIDE
    if not floor > 0 or number < 2:
        return Blocks(axis, 0, 0.0, 0.0)
    level = (detail + floor).log().mean(1)[: number * _SIDE].view(number, _SIDE).double()
    phase = int(level.mean(0).argmax())
    inside = level[:, [(phase + shift) % _SIDE for shift in range(2, _SIDE - 1)]]
    # of the highest: resampling raises every second or fourth edge, too
    contrast = level[:, phase] - inside[:, inside.mean(0).argmax()]
    error = float(contrast.std()) / math.sqrt(number)
    mean = float(contrast.mean())
    return Blocks(axis, (phase + 2) % _SIDE, mean, mean / error if error > 0 else 0.0)


def _coefficients(x: Tensor, plane: tuple[int, ...], phases: tuple[int, ...]) -> Tensor:
    """Coefficients of blocks in a plane, ``(blocks, 64)``, evenly from all slices."""
    for axis in plane:
        x = x.narrow(axis, phases[axis], (x.shape[axis] - phases[axis]) // _SIDE * _SIDE)
    slices = x.movedim(plane, (-2, -1)).flatten(0, -3) if x.ndim > 2 else x[None]
    rows, columns = (size // _SIDE for size in slices.shape[-2:])
    blocks = (
        slices.view(-1, rows, _SIDE, columns, _SIDE)
        if slices.is_contiguous()
        else slices.reshape(-1, rows, _SIDE, columns, _SIDE)
    )
    blocks = blocks.transpose(2, 3).flatten(0, 2)
    chosen = torch.linspace(0, len(blocks) - 1, min(len(blocks), _MOST_BLOCKS), device=x.device).round().long()
    basis = cached(("dct", x.dtype, x.device), lambda: _basis().to(x))
    return (basis @ blocks[chosen] @ basis.T).flatten(1)


def _basis() -> Tensor:
    place = torch.arange(_SIDE, dtype=torch.float64)
    waves = torch.cos(torch.pi / _SIDE * place[:, None] * (place + 0.5)) * math.sqrt(2 / _SIDE)
    waves[0] /= math.sqrt(2)
    return waves


def _steps(coefficients: Tensor) -> Tensor:
    size, _ = coefficients.abs().sort(0)
    distinct = torch.ones_like(size)
    distinct[1:] = (size.diff(dim=0) > _EQUAL).to(size)
    bins = (size / _BIN).long().clamp_(max=_BINS - 1) + _BINS * torch.arange(size.shape[1], device=size.device)
    histogram = torch.bincount(bins.flatten(), distinct.flatten(), minlength=_BINS * size.shape[1]).view(-1, _BINS)
    waves = cached(("dct waves", size.device), lambda: _waves().to(size.device))
    total, number = (histogram.to(waves) @ part for part in waves)
    match = total / number.clamp(min=1)
    score, best = (match * (2 * number).sqrt()).masked_fill(number < _FEWEST, 0).max(1)
    clear = (score >= _LEAST_SCORE) & (match.gather(1, best[:, None])[:, 0] >= _LEAST_MATCH)
    clear[0] = False  # the mean of a block has steps wherever blocks are flat
    steps: Tensor = ((best + 2) * clear).view(_SIDE, _SIDE).to(coefficients)
    return steps


def _waves() -> Tensor:
    """Cosine of a coefficient over each step of 2 or more, and whether it counts, ``(2, bins, steps)``."""
    size = (torch.arange(_BINS, dtype=torch.float32)[:, None] + 0.5) * _BIN
    steps = torch.arange(2, _LARGEST_STEP + 1, dtype=torch.float32)
    counts = (size > steps / 2).float()
    counts[-1] = 0  # larger ones
    return torch.stack([(2 * torch.pi / steps * size).cos() * counts, counts])
