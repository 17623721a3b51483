"""The published way to split and to fuse, Fourier transforms of the whole image: the rivals in `bands.py`."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fft import fftn, ifftn, irfftn, rfftn

__all__ = [
    "complex_fuse",
    "complex_fuse_coarse",
    "complex_split",
    "real_fuse",
    "real_fuse_coarse",
    "real_split",
    "real_split_once",
]

#: Axes of the volume; the block is cut along the first two.
_AXES = (-3, -2, -1)


def complex_split(x: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """One complex transform, a mask computed in the call, and two inverse transforms."""
    inside, outside = _masks(x, theta)
    spectrum = fftn(x, dim=_AXES)
    return ifftn(spectrum * inside, dim=_AXES).real, ifftn(spectrum * outside, dim=_AXES).real


def real_split(x: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """The same with transforms of real images."""
    inside, outside = _masks(x, theta)
    spectrum, size = rfftn(x, dim=_AXES), x.shape[-3:]
    return irfftn(spectrum * inside, size, dim=_AXES), irfftn(spectrum * outside, size, dim=_AXES)


def real_split_once(x: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """The fastest known way with whole transforms: the high part is the image less the low part."""
    inside, _ = _masks(x, theta)
    low = irfftn(rfftn(x, dim=_AXES) * inside, x.shape[-3:], dim=_AXES)
    return low, x - low


def complex_fuse(low: Tensor, high: Tensor, theta: float) -> Tensor:
    """Transform both feature maps, replace the block, transform back."""
    block = _block(high, theta)
    spectrum = fftn(high, dim=_AXES)
    spectrum[block] = fftn(low, dim=_AXES)[block]
    return ifftn(spectrum, dim=_AXES).real


def real_fuse(low: Tensor, high: Tensor, theta: float) -> Tensor:
    """The same with transforms of real images."""
    block = _block(high, theta)
    spectrum = rfftn(high, dim=_AXES)
    spectrum[block] = rfftn(low, dim=_AXES)[block]
    return irfftn(spectrum, high.shape[-3:], dim=_AXES)


def complex_fuse_coarse(coarse: Tensor, high: Tensor, theta: float) -> Tensor:
    """The same with low features that hold the block alone, as in the published low branch."""
    spectrum = fftn(high, dim=_AXES)
    spectrum[_block(high, theta)] = fftn(coarse, dim=_AXES).flatten(-3, -2) * _gain(coarse, high)
    return ifftn(spectrum, dim=_AXES).real


def real_fuse_coarse(coarse: Tensor, high: Tensor, theta: float) -> Tensor:
    """The same with transforms of real images."""
    spectrum = rfftn(high, dim=_AXES)
    spectrum[_block(high, theta)] = rfftn(coarse, dim=_AXES).flatten(-3, -2) * _gain(coarse, high)
    return irfftn(spectrum, high.shape[-3:], dim=_AXES)


def _inside(size: int, theta: float, device: torch.device) -> Tensor:
    """Whether each bin of an axis belongs to the block around DC: ``|k| < theta N / 2``."""
    frequencies = torch.fft.fftfreq(size, d=1 / size, device=device)
    return frequencies.abs().round() < theta * size / 2 - 1e-9


def _masks(x: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    rows, columns = (_inside(size, theta, x.device) for size in x.shape[-3:-1])
    inside = (rows[:, None] & columns)[..., None]
    return inside, ~inside


def _block(x: Tensor, theta: float) -> tuple[object, ...]:
    """Index of the block in a spectrum, with its two axes as one."""
    inside, _ = _masks(x, theta)
    rows, columns = inside[..., 0].nonzero(as_tuple=True)
    return ..., rows, columns, slice(None)


def _gain(coarse: Tensor, high: Tensor) -> float:
    """Ratio of the numbers of samples: a constant keeps its value on the coarse grid, so its transform shrinks."""
    return math.prod(high.shape[-3:]) / math.prod(coarse.shape[-3:])
