"""Band amplitudes of an image moved to those of a reference, as transforms: to harmonise images, or to mix spectra."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor, affine_to_spacing
from monai.transforms import RandomizableTransform, Transform
from monai.utils import TransformBackends
from torch import Tensor

from ..quoting import written
from ..spectral.band_grid import BandGrid, Unit
from ..spectral.band_match import band_densities, match_bands
from ..spectral.scalars import is_finite_number
from .image import as_image, check_probability, like_image, require_finite
from .keyed import Keyed, RandKeyed
from .load_image import load_image

__all__ = [
    "HALF_OCTAVES",
    "RandSpectrumMatch",
    "RandSpectrumMatchd",
    "Reference",
    "SpectrumMatch",
    "SpectrumMatchd",
    "reference_densities",
]

#: edges of bands of half an octave from 1/64 to 1/2 cycles per voxel, and the corners of the spectrum
HALF_OCTAVES = (*(2 ** (k / 2 - 6) for k in range(11)), 0.87)

_Image = str | os.PathLike[str] | NdarrayOrTensor
#: densities of each cell, one row for all channels or one for each; an image or its path; or several of these
Reference = _Image | Sequence[float | None] | Sequence[Sequence[float | None]] | Sequence[_Image]
_Rows = tuple[tuple[float, ...], ...]


class SpectrumMatch(Transform):
    r"""Move an image's band amplitudes to those of a reference, cell by cell of a grid of bands; the phase is kept.

    .. math:: D_c(y) = D_c(x)^{1 - s}\, R_c^{s}

    with the density D of cell c relative to the variance of its image, R that of the reference, and s the strength, see
    :func:`monai_freq.spectral.band_match.match_bands`. Each channel is moved by itself. Its mean, all frequencies
    outside the cells, and the sign of every frequency stay; nothing is clipped. With the same reference for all images,
    it harmonises scanners or hospitals; it also takes away what the disease does to these amplitudes.

    Args:
        reference: density of each cell, as :func:`~monai_freq.transforms.spectrum_match.reference_densities` gives them
            (None leaves a cell as it is), in one row for all channels or one for each; or an image ``(C, *spatial)``,
            or the path of one; or several images or paths, whose geometric mean counts. Images are read once, when the
            transform is made.
        edges: rising frequencies of the bands, see :class:`monai_freq.spectral.band_grid.BandGrid`; by default half
            octaves from 1/64 to 1/2 cycles per voxel, and the corners above.
        unit: unit of the edges: ``"voxel"`` for cycles per voxel, ``"mm"`` for cycles per mm, ``"image"`` for cycles
            per image.
        directional: whether each band is cut into four directions.
        cells: numbers of the cells that are moved, in the order of ``BandGrid.names``; None for all.
        strength: part s of the way, in the logarithm of the amplitude, in [0, 1].
        spacing: voxel size in mm along each spatial axis, for bands per mm; by default that of the image's affine
            matrix.
        max_gain: largest factor of an amplitude, above 1; its inverse is the smallest.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)`` with 2 or 3 spatial axes; integers become float32, metadata are kept.

    Raises:
        ValueError: an argument outside its range, no voxel size for bands per mm, NaN or infinity in an image, or
            another number of dimensions.
        DataError: the file of a reference is missing, damaged or of another kind.

    Reference:
        Y. Yang, S. Soatto (2020), "FDA: Fourier domain adaptation for semantic segmentation", CVPR.
        DOI 10.1109/CVPR42600.2020.00414: amplitudes of another image, with the phase kept, there in one square.

    Example:
        >>> from monai_freq.transforms import FourierLowPass
        >>> sharp, blurred = torch.rand(1, 64, 64), FourierLowPass(cutoff=0.3)(torch.rand(1, 64, 64))
        >>> soft = SpectrumMatch(blurred)(sharp)
        >>> steps = [bool(image.diff().std() < 0.8 * sharp.diff().std()) for image in (blurred, soft)]
        >>> steps, torch.allclose(soft.mean(), sharp.mean())
        ([True, True], True)
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        reference: Reference,
        edges: Sequence[float] = HALF_OCTAVES,
        unit: Unit = "voxel",
        directional: bool = False,
        cells: Sequence[int] | None = None,
        strength: float = 1.0,
        spacing: Sequence[float] | None = None,
        max_gain: float = 10.0,
    ) -> None:
        self.settings = _Settings.of(edges, unit, directional, cells, spacing, max_gain)
        (self.strength, _) = _strengths((strength, strength))
        self.reference = self.settings.rows(reference, "reference")

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Move one image's amplitudes."""
        return self.settings.moved(img, self.reference, self.strength)


class SpectrumMatchd(Keyed):
    """Dictionary version of :class:`SpectrumMatch`: arguments after ``keys`` as there.

    Example:
        >>> item = {"image": torch.rand(1, 32, 32), "label": 1}
        >>> matched = SpectrumMatchd("image", reference=torch.rand(1, 48, 48))(item)
        >>> matched["image"].shape, matched["label"]
        (torch.Size([1, 32, 32]), 1)
    """

    array = SpectrumMatch


class RandSpectrumMatch(RandomizableTransform):
    r"""Move some images' band amplitudes a random part of the way to those of a random reference, the phase kept.

    :class:`SpectrumMatch` with a reference of the list, each as likely, and

    .. math:: s \sim \text{Uniform}(\text{low}, \text{high})

    So a network sees each label with the spectra of all sources, and cannot take the spectrum for the label.

    Args:
        references: references, each as in :class:`SpectrumMatch`: such as one for each hospital or scanner.
        prob: probability of moving an image's amplitudes.
        strength: smallest and largest strength, in [0, 1].
        edges: edges of the bands, as in :class:`SpectrumMatch`, like all that follow.
        unit: unit of the edges.
        directional: whether each band is cut into four directions.
        cells: numbers of the cells that are moved.
        spacing: voxel size in mm.
        max_gain: largest factor of an amplitude.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)`` with 2 or 3 spatial axes; integers become float32 whether they are moved
        or not, metadata are kept.

    Raises:
        ValueError: as in :class:`SpectrumMatch`; no reference, or prob outside [0, 1].
        DataError: the file of a reference is missing, damaged or of another kind.

    Reference:
        Q. Xu et al. (2021), "A Fourier-based framework for domain generalization", CVPR.
        DOI 10.1109/CVPR46437.2021.01415: amplitudes mixed at random, there of each frequency.

    Example:
        >>> references = [torch.rand(1, 32, 32), torch.rand(1, 48, 48)]
        >>> augment = RandSpectrumMatch(references, prob=1.0).set_random_state(0)
        >>> augment(torch.rand(1, 32, 32)).shape, 0 <= augment.drawn["strength"] <= 1
        (torch.Size([1, 32, 32]), True)
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        references: Sequence[Reference],
        prob: float = 0.5,
        strength: Sequence[float] = (0.0, 1.0),
        edges: Sequence[float] = HALF_OCTAVES,
        unit: Unit = "voxel",
        directional: bool = False,
        cells: Sequence[int] | None = None,
        spacing: Sequence[float] | None = None,
        max_gain: float = 10.0,
    ) -> None:
        check_probability(prob)
        super().__init__(prob)
        self.settings = _Settings.of(edges, unit, directional, cells, spacing, max_gain)
        self.strength = _strengths(strength)
        if isinstance(references, str | os.PathLike) or not isinstance(references, Sequence) or not len(references):
            raise ValueError(f"'references' must be a list of at least one reference, got {written(references)}.")
        self.references = tuple(self.settings.rows(reference, "references") for reference in references)
        self._reference, self._drawn = self.references[0], self.strength[0]

    def randomize(self, data: Any = None) -> None:
        """Draw whether to move the amplitudes, to which reference and how far."""
        super().randomize(None)
        self._reference = self.references[int(self.R.randint(len(self.references)))]
        self._drawn = self.R.uniform(*self.strength)

    @property
    def drawn(self) -> dict[str, Any]:
        """What was drawn last, as arguments of :class:`SpectrumMatch`."""
        return {"reference": self._reference, "strength": self._drawn}

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Move one image's amplitudes, or not; with ``randomize=False``, as drawn last."""
        if randomize:
            self.randomize()
        if self._do_transform:
            return self.settings.moved(img, self._reference, self._drawn)
        tracked, image = as_image(img)
        return like_image(image if image.is_floating_point() else image.to(torch.float32), tracked)


class RandSpectrumMatchd(RandKeyed):
    """Dictionary version of :class:`RandSpectrumMatch`: one draw for all keys, arguments after ``keys`` as there.

    Example:
        >>> item = {"image": torch.rand(1, 32, 32), "label": 1}
        >>> augment = RandSpectrumMatchd("image", references=[torch.rand(1, 32, 32)], prob=1.0).set_random_state(0)
        >>> torch.equal(augment(item)["image"], item["image"])
        False
    """

    array = RandSpectrumMatch


def reference_densities(
    images: Sequence[_Image], bands: BandGrid, spacing: Sequence[float] | None = None
) -> list[list[float | None]]:
    r"""Density of each cell, the geometric mean over images: a reference that can be written into a configuration.

    Args:
        images: images ``(C, *spatial)``, or their paths, of any size.
        bands: bands.
        spacing: voxel size in mm, for bands per mm; by default that of each image.

    Returns:
        A row for each channel, or one, the mean over channels, where images have other numbers of channels. None where
        no image has a frequency in a cell, or any amplitude there.

    Raises:
        ValueError: there is no image, or one has another number of dimensions, NaN, infinity, or no voxel size for
            bands per mm.
        DataError: a file is missing, damaged or of another kind.

    Example:
        >>> noise = torch.randn(1, 256, 256, generator=torch.Generator().manual_seed(0))
        >>> (row,) = reference_densities([noise, 3 * noise], BandGrid((0.0, 0.25, 0.5)))
        >>> [round(density, 1) for density in row]
        [1.0, 1.0]
    """
    found = [_logarithms(image, bands, spacing) for image in images]
    if not found:
        raise ValueError("'images' must hold at least one image, got none.")
    if len({len(rows) for rows in found}) > 1:
        found = [rows.nanmean(0, keepdim=True) for rows in found]
    means = torch.stack(found).nanmean(0).exp()
    return [[value if math.isfinite(value) else None for value in row] for row in means.tolist()]


def _logarithms(img: _Image, bands: BandGrid, spacing: Sequence[float] | None) -> Tensor:
    """Logarithm of the densities of an image, ``(C, cells)``; NaN for none."""
    tracked, image = as_image(load_image(img) if isinstance(img, str | os.PathLike) else img)
    require_finite(image)
    dims = _dims(image)
    densities = band_densities(image.double(), bands, _spacing(tracked, bands, spacing), spatial_dims=dims)
    return torch.where(densities > 0, densities.log(), math.nan)


@dataclass(frozen=True)
class _Settings:
    """Which amplitudes are moved, but for where to and how far."""

    bands: BandGrid
    cells: tuple[int, ...] | None
    spacing: tuple[float, ...] | None
    max_gain: float

    @classmethod
    def of(cls, edges: Any, unit: Unit, directional: bool, cells: Any, spacing: Any, max_gain: float) -> _Settings:
        if not isinstance(edges, Sequence):
            raise ValueError(f"'edges' must be two or more rising frequencies from 0, got {written(edges)}.")
        bands = BandGrid(tuple(edges), unit, bool(directional))
        n_cells = bands.n_cells(2)
        if cells is not None:
            whole = isinstance(cells, Sequence) and all(isinstance(cell, int) for cell in cells)
            if not whole or not cells or not all(0 <= cell < n_cells for cell in cells):
                raise ValueError(f"'cells' must be numbers from 0 to {n_cells - 1}, or None, got {written(cells)}.")
        if spacing is not None:
            numbers = isinstance(spacing, Sequence) and all(is_finite_number(step) and step > 0 for step in spacing)
            if not numbers or len(spacing) not in (2, 3):
                raise ValueError(f"'spacing' must be 2 or 3 positive numbers in mm, got {written(spacing)}.")
        if not is_finite_number(max_gain) or max_gain <= 1:
            raise ValueError(f"'max_gain' must be a finite number above 1, got {written(max_gain)}.")
        chosen, steps = (None if each is None else tuple(each) for each in (cells, spacing))
        return cls(bands, chosen, steps, float(max_gain))

    def rows(self, reference: Any, name: str) -> _Rows:
        """Densities of a reference, a row for each of its channels, NaN for none."""
        rows = _as_rows(reference)
        if rows is None:
            images = reference if isinstance(reference, list | tuple) else [reference]
            if not images or not all(isinstance(each, str | os.PathLike | np.ndarray | Tensor) for each in images):
                raise ValueError(f"'{name}' must have densities, images or their paths, got {written(reference)}.")
            rows = reference_densities(images, self.bands, self.spacing)
        kept = tuple(tuple(math.nan if value is None else float(value) for value in row) for row in rows)
        n_cells = self.bands.n_cells(2)
        if not kept or any(len(row) != n_cells or any(value < 0 or value == math.inf for value in row) for row in kept):
            raise ValueError(
                f"'{name}' must have a density of at least 0 for each of {n_cells} cells, got {len(kept)} "
                f"row(s) of {sorted({len(row) for row in kept})}."
            )
        return kept

    def moved(self, img: NdarrayOrTensor, reference: _Rows, strength: float) -> NdarrayOrTensor:
        """Image with its amplitudes moved."""
        tracked, image = as_image(img)
        require_finite(image)
        dims, rows = _dims(image), torch.tensor(reference, dtype=torch.float64)
        if len(rows) not in (1, len(image)):
            rows = torch.where(rows > 0, rows.log(), math.nan).nanmean(0, keepdim=True).exp()
        with torch.no_grad():
            result = match_bands(
                image,
                rows.to(image.device),
                self.bands,
                _spacing(tracked, self.bands, self.spacing),
                spatial_dims=dims,
                strength=strength,
                cells=self.cells,
                max_gain=self.max_gain,
            )
        return like_image(result, tracked)


def _as_rows(reference: Any) -> list[list[float | None]] | None:
    """Rows of densities, where a reference is numbers; None where it is images."""
    if isinstance(reference, np.ndarray | Tensor):
        if reference.ndim not in (1, 2):
            return None
        reference = reference.tolist()
    if not isinstance(reference, list | tuple) or not reference:
        return None
    rows = [reference] if _is_row(reference) else reference
    return [list(row) for row in rows] if all(map(_is_row, rows)) else None


def _is_row(values: Any) -> bool:
    numbers = isinstance(values, list | tuple) and len(values) > 0
    return numbers and all(value is None or (isinstance(value, int | float) and value is not True) for value in values)


def _strengths(strength: Any) -> tuple[float, float]:
    pair = isinstance(strength, Sequence) and len(strength) == 2 and all(map(is_finite_number, strength))
    if pair and 0 <= strength[0] <= strength[1] <= 1:
        return float(strength[0]), float(strength[1])
    if pair and strength[0] == strength[1]:
        raise ValueError(f"'strength' must be in [0, 1], got {written(strength[0])}.")
    raise ValueError(f"'strength' must be (low, high) with 0 <= low <= high <= 1, got {written(strength)}.")


def _dims(image: Tensor) -> int:
    if image.ndim not in (3, 4):
        raise ValueError(
            f"an image must have the shape (C, *spatial) with 2 or 3 spatial axes, got {tuple(image.shape)}."
        )
    return image.ndim - 1


def _spacing(img: Any, bands: BandGrid, spacing: Sequence[float] | None) -> Sequence[float] | None:
    """Voxel size of an image, where the bands need it."""
    if bands.unit != "mm" or spacing is not None:
        return spacing
    if not isinstance(img, MetaTensor):
        raise ValueError("an image must know its voxel size for bands in cycles per mm: give 'spacing'.")
    return [float(step) for step in affine_to_spacing(img.affine)[: img.ndim - 1]]
