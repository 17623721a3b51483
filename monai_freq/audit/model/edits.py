"""Many edits of one image's spectrum, from one forward transform."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ...quoting import written
from ...spectral.band_grid import BandGrid
from ...spectral.precision import check_image

__all__ = ["SpectrumEdits", "resized", "usual_bands"]


class SpectrumEdits:
    r"""An image whose spectrum is edited again and again.

    Args:
        image: image ``(C, *spatial)``, real.
        bands: bands of the edits.
        spacing: voxel size in mm; needed for bands in cycles per mm.

    Raises:
        ValueError: the image is not 2D or 3D, or the spacing is missing.

    Example:
        >>> wave = torch.cos(2 * torch.pi * 8 * torch.arange(32) / 32).expand(1, 32, 32)
        >>> edits = SpectrumEdits(wave, BandGrid((0.0, 0.1, 0.5)))
        >>> [round(float(edits.removed([k]).abs().max()), 3) for k in (0, 1)]
        [1.0, 0.0]
        >>> [round(float(edits.cut(keep, 0.1).abs().max()), 3) for keep in ("low", "high")]
        [0.0, 1.0]
    """

    def __init__(self, image: Tensor, bands: BandGrid, spacing: Sequence[float] | None = None) -> None:
        self._dims = image.ndim - 1
        check_image(image, self._dims)
        self.image, self._bands, self._spacing = image.float(), bands, spacing
        self._sizes, self._axes = tuple(image.shape[1:]), tuple(range(-self._dims, 0))
        self.cells = bands.cells(self._sizes, spacing, image.device)
        self.spectrum = torch.fft.rfftn(self.image, dim=self._axes)

    def removed(self, cells: Sequence[int]) -> Tensor:
        """The image without some cells.

        Args:
            cells: numbers of the cells.
        """
        return self._back(self.spectrum.masked_fill(self._in(cells), 0))

    def cut(self, keep: str, edge: float) -> Tensor:
        """The image's mean, and what lies below a frequency or above it.

        Args:
            keep: ``"low"`` or ``"high"``.
            edge: frequency in the unit of the bands; it belongs to what lies below.
        """
        top = 2 * max(self._top(), edge)
        rings = BandGrid((0.0, edge, top), self._bands.unit).cells(self._sizes, self._spacing, self.image.device)
        return self._back(self.spectrum.masked_fill(rings == (1 if keep == "low" else 0), 0))

    def exchanged(self, kind: str, cells: Sequence[int], other: Tensor) -> Tensor:
        r"""The image with the amplitudes, or the phases, of another one in some cells.

        .. math:: |G| \, e^{i \arg F} \quad\text{or}\quad |F| \, e^{i \arg G}

        Args:
            kind: ``"amplitude"`` or ``"phase"``.
            cells: numbers of the cells.
            other: half spectrum of the other image, of the same size, see :meth:`spectrum_of`.
        """
        mine, theirs = (self.spectrum, other) if kind == "amplitude" else (other, self.spectrum)
        mixed = torch.polar(theirs.abs(), mine.angle())
        return self._back(torch.where(self._in(cells), mixed, self.spectrum))

    def spectrum_of(self, other: Tensor) -> Tensor:
        """Half spectrum of another image, resized to this one's size and with its mean and SD.

        Args:
            other: image ``(C, *spatial)`` of any size.
        """
        fitted = resized(other.float(), self._sizes)
        scaled = (fitted - fitted.mean()) / fitted.std(correction=0).clamp_min(1e-12)
        spectrum: Tensor = torch.fft.rfftn(scaled * self.image.std(correction=0) + self.image.mean(), dim=self._axes)
        return spectrum

    def noisy(self, cell: int, noise: Tensor, strength: float) -> Tensor | None:
        r"""The image with noise of one cell alone, whose energy is the same whatever the cell.

        .. math:: x + n_c \, \frac{\alpha \sigma_x \sqrt{N}}{\lVert n_c \rVert}

        Args:
            cell: number of the cell.
            noise: half spectrum of white noise, see :meth:`white`.
            strength: root mean square of the noise, in SDs of the image.

        Returns:
            The image; None where it has no frequency in the cell.
        """
        part = self._back(noise.masked_fill(self.cells != cell, 0))
        length = part.norm()
        if not float(length) > 1e-9 * math.sqrt(part.numel()):
            return None
        size = strength * self.image.std(correction=0) * math.sqrt(part.numel())
        noisy: Tensor = self.image + part * (size / length)
        return noisy

    def white(self, seed: int) -> Tensor:
        """Half spectrum of white noise of the image's shape.

        Args:
            seed: seed of the noise.
        """
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(self.image.shape, generator=generator).to(self.image.device)
        spectrum: Tensor = torch.fft.rfftn(noise, dim=self._axes)
        return spectrum

    def _top(self) -> float:
        """A frequency above all of the image."""
        if self._bands.unit == "image":
            return float(sum(self._sizes))
        steps = [1.0] if self._bands.unit == "voxel" or self._spacing is None else self._spacing
        return 1.0 / min(steps)

    def _in(self, cells: Sequence[int]) -> Tensor:
        return torch.isin(self.cells, torch.tensor(list(cells), device=self.cells.device))

    def _back(self, spectrum: Tensor) -> Tensor:
        image: Tensor = torch.fft.irfftn(spectrum, s=self._sizes, dim=self._axes)
        return image


def resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """An image of another size, by linear interpolation.

    Args:
        image: image ``(C, *spatial)``.
        size: number of voxels along each axis.

    Example:
        >>> resized(torch.ones(1, 8, 8), (4, 6)).shape
        torch.Size([1, 4, 6])
    """
    size = tuple(size)
    if tuple(image.shape[1:]) == size:
        return image
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(image[None], size, mode=mode, antialias=len(size) == 2)[0]


def usual_bands(spatial_dims: int, *, directional: bool = False) -> BandGrid:
    """Bands of an octave each, from DC to the corners of the spectrum, in cycles per voxel.

    Args:
        spatial_dims: number of spatial dimensions, 2 or 3.
        directional: whether each band is cut into four directions.

    Raises:
        ValueError: it is another number.

    Example:
        >>> usual_bands(3).edges
        (0.0, 0.0625, 0.125, 0.25, 0.875)
    """
    if spatial_dims not in (2, 3):
        raise ValueError(f"'spatial_dims' must be 2 or 3, got {written(spatial_dims)}.")
    edges = (
        (0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 0.75) if spatial_dims == 2 else (0.0, 1 / 16, 1 / 8, 1 / 4, 0.875)
    )
    return BandGrid(edges, directional=directional)
