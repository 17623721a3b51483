"""A common frequency axis for the densities of images of several sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .frequency_unit import unit_of
from .precision import check_numbers

__all__ = ["finest_axis", "on_axis", "on_one_axis"]

#: relative tolerance that puts a frequency on the border of two rings into the outer one, as in radial_psd
_ROUNDING = 1e-6


def on_one_axis(spectra: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Densities of several images over the frequencies of the finest image, whatever the order of the images.

    Args:
        spectra: frequencies ``(K_i,)`` and density ``(*, K_i)`` of each image, as
            :func:`monai_freq.spectral.psd.radial_psd` returns them. With ``norm="ortho"`` images of any size have the
            same scale, so that a mean over images makes sense.

    Returns:
        Frequencies ``(K,)`` and densities ``(n, *, K)``, see :func:`finest_axis` and :func:`on_axis`.

    Raises:
        TypeError: an entry is no pair of tensors.
        ValueError: there is no entry, a number is not real, or units or leading dimensions differ.

    Example:
        >>> from monai_freq.spectral.psd import radial_psd
        >>> images = torch.rand(1, 20, 16), torch.rand(1, 9, 32)
        >>> frequencies, density = on_one_axis([radial_psd(image, spatial_dims=2, norm="ortho") for image in images])
        >>> density.shape, float(frequencies[1]) * 32
        (torch.Size([2, 1, 17]), 1.0)
    """
    spectra = [_pair(spectrum) for spectrum in spectra]
    frequencies = finest_axis([own for own, _ in spectra])
    leading = {tuple(density.shape[:-1]) for _, density in spectra}
    if len(leading) > 1:
        raise ValueError(f"'spectra' must have the same leading dimensions, got {sorted(leading)}.")
    return frequencies, torch.stack([on_axis(frequencies, own, density) for own, density in spectra])


def finest_axis(axes: Sequence[Tensor]) -> Tensor:
    """The axis with the finest step, up to the frequency that all axes reach.

    Args:
        axes: frequencies ``(K_i,)`` of each spectrum, in one unit.

    Raises:
        TypeError: an axis is no tensor.
        ValueError: there is no axis, an axis is not one-dimensional and real, or units differ.

    Example:
        >>> finest_axis([torch.tensor([0.0, 0.25, 0.5]), torch.tensor([0.0, 0.125, 0.25, 0.375, 0.5])])
        tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000])
    """
    for axis in axes:
        _check_axis(axis, "frequencies")
    units = {unit_of(axis) for axis in axes}
    if len(units) != 1:
        raise ValueError(f"all frequencies must be in one unit, got {sorted(units) or 'no frequencies'}.")
    # an image of one voxel has no frequency but 0: its axis sets no limit to the others
    several = [axis for axis in axes if bool((axis > 0).any())]
    if not several:
        return axes[0]
    finest = min(several, key=lambda axis: (_first(axis), -len(axis)))
    reach = min(float(axis[-1]) + _first(axis) / 2 for axis in several)
    return finest[finest <= reach * (1 + _ROUNDING)]


def on_axis(frequencies: Tensor, own: Tensor, density: Tensor) -> Tensor:
    """Density over other frequencies: each new frequency takes the value of the ring in which it lies.

    Where several own frequencies lie in one new ring, the new value is their mean. The zero frequency stays apart: it
    is the mean of an image, and often a hundred times its neighbour.

    Args:
        frequencies: new frequencies ``(L,)``, rising.
        own: own frequencies ``(K,)`` of the density, rising and in the same unit.
        density: density ``(*, K)``.

    Shape:
        ``(*, L)``.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: a number is not real, the units differ, the density has another number of frequencies, or the new
            frequencies reach beyond the own ones.

    Example:
        >>> coarse, fine = torch.tensor([0.0, 0.25, 0.5]), torch.tensor([0.0, 0.125, 0.25, 0.375, 0.5])
        >>> on_axis(fine, coarse, torch.tensor([9.0, 1.0, 2.0]))
        tensor([9., 1., 1., 2., 2.])
        >>> on_axis(coarse, fine, torch.tensor([9.0, 1.0, 2.0, 3.0, 4.0]))
        tensor([9.0000, 1.5000, 3.5000])
    """
    _check_axis(frequencies, "frequencies")
    _check_axis(own, "own")
    check_numbers(density, "density")
    if unit_of(frequencies) != unit_of(own):
        raise ValueError(f"'frequencies' are in {unit_of(frequencies)}, and those of the density in {unit_of(own)}.")
    if density.ndim < 1 or density.shape[-1] != len(own):
        raise ValueError(
            f"'density' must have {len(own)} frequencies, got {density.shape[-1] if density.ndim else 'a number'}."
        )
    if torch.equal(frequencies, own):
        return density
    asked, known = frequencies > 0, own > 0
    if bool(asked.any()) and bool(known.any()) and float(frequencies[-1]) > float(own[-1]) + _last_step(own):
        raise ValueError(
            f"'frequencies' must end with those of the density, at {float(own[-1]):.3g}, got {frequencies[-1]:.3g}."
        )
    rows = density.new_zeros(*density.shape[:-1], len(frequencies))
    if bool((~known).any()) and bool((~asked).any()):
        rows[..., ~asked] = density[..., ~known]
    if bool(known.any()) and bool(asked.any()):
        rows[..., asked] = _cells(frequencies[asked].double(), own[known].double(), density[..., known])
    return rows


def _pair(spectrum: object) -> tuple[Tensor, Tensor]:
    if not isinstance(spectrum, (tuple, list)) or len(spectrum) != 2:
        kind = type(spectrum).__name__ + (f" of {len(spectrum)}" if isinstance(spectrum, (tuple, list)) else "")
        raise TypeError(f"'spectra' must be pairs (frequencies, density), got a {kind}.")
    frequencies, density = spectrum
    check_numbers(density, "density")
    return frequencies, density


def _check_axis(axis: Tensor, name: str) -> None:
    check_numbers(axis, name)
    if axis.ndim != 1 or not len(axis):
        raise ValueError(f"'{name}' must have the shape (K,) with K of at least 1, got {tuple(axis.shape)}.")


def _cells(asked: Tensor, own: Tensor, density: Tensor) -> Tensor:
    """Mean of the own values in each new ring; where there is none, the value of the own ring around the new centre."""
    within = own <= (float(asked[-1]) + _last_step(asked) / 2) * (1 - _ROUNDING)
    place = _ring(own[within], asked)
    counts = torch.bincount(place, minlength=len(asked))
    sums = density.new_zeros(*density.shape[:-1], len(asked)).index_add(-1, place, density[..., within])
    return torch.where(counts > 0, sums / counts.clamp(min=1), density[..., _ring(asked, own)])


def _ring(frequencies: Tensor, centers: Tensor) -> Tensor:
    """Number of the ring in which each frequency lies, of the rings with these centres."""
    borders = (centers[1:] + centers[:-1]) / 2
    return torch.bucketize(frequencies * (1 + _ROUNDING), borders, right=True)


def _last_step(axis: Tensor) -> float:
    return float(axis[-1] - axis[-2]) if len(axis) > 1 else float(axis[-1])


def _first(axis: Tensor) -> float:
    return float(axis[axis > 0][0])
