"""How strong each cell of a band grid is in each image: all that a test of the spectrum sees."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import DataError
from ...quoting import named, shown
from ...spectral.band_grid import BandGrid
from ..cases import Case
from .measured import Record, measured
from .quiet_parts import quiet_powers

__all__ = ["Features", "band_features", "grids_features", "standard_powers"]

Array = NDArray[np.float64]

#: lowest power of a cell in an image of variance 1: below lies the rounding of float32
_FLOOR = 1e-10


@dataclass(frozen=True)
class Features:
    """Numbers of each image.

    Args:
        values: common logarithm of the power in each cell, ``(images, cells)``.
        names: name of each cell.
        cells: number of each cell in the band grid; empty if the numbers are of another kind.
        left_out: names of the cells that some image has no frequency in.
        quiet: of each number, whether it is that of the quiet parts of images; empty if none is.

    Raises:
        ValueError: the shape does not fit the names, or a value is not finite.

    Example:
        >>> Features(np.zeros((3, 2)), ("low", "high")).names
        ('low', 'high')
    """

    values: Array
    names: tuple[str, ...]
    cells: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()
    quiet: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        object.__setattr__(self, "values", values)
        if values.ndim != 2 or values.shape[1] != len(self.names):
            raise ValueError(f"'values' must have shape (images, {len(self.names)}), got {values.shape}.")
        if not np.isfinite(values).all():
            raise ValueError("'values' must be finite numbers, got NaN or infinity.")

    def some(self, which: Sequence[int] | NDArray[np.intp] | NDArray[np.bool_]) -> Features:
        """The same of some of the images.

        Args:
            which: their numbers, or a mask.

        Example:
            >>> Features(np.arange(3.0)[:, None], ("low",)).some([2]).values
            array([[2.]])
        """
        return Features(self.values[np.asarray(which)], self.names, self.cells, self.left_out, self.quiet)


def standard_powers(image: Tensor, spacing: Sequence[float] | None, bands: BandGrid, *, quiet: bool = False) -> Array:
    r"""Power density of each cell in an image of mean 0 and variance 1, over frequencies in the unit of the bands.

    .. math:: v\, P_c\!\left( \frac{x - \bar x}{s_x} \right)

    with the mean and standard deviation over all voxels and channels, and the mean of the powers of the channels.
    Without it, bit depth and brightness would be in all cells. The size *v* of a voxel in the unit, 1 for cycles per
    voxel, makes densities of one scene on two grids equal.

    Args:
        image: the image.
        spacing: voxel size along each axis in mm; needed for bands in cycles per mm.
        bands: the cells.
        quiet: whether the powers of the quiet parts follow, see
            :func:`~monai_freq.audit.data.quiet_parts.quiet_powers`.

    Shape:
        ``(C, *spatial)`` -> ``(cells,)``, or twice as many; NaN where the image has no frequency in a cell.

    Raises:
        DataError: the image is constant.

    Example:
        >>> noise = torch.randn(1, 128, 128, generator=torch.Generator().manual_seed(0))
        >>> bool(abs(standard_powers(7 * noise + 3, None, BandGrid((0.0, 0.25, 0.5))) - 1).max() < 0.1)
        True
    """
    deviation, mean = torch.std_mean(image.double(), correction=0)
    if not float(deviation) > 1e-6 * max(abs(float(mean)), 1e-30):
        raise DataError("It is constant: all of its voxels have one value.")
    standard = ((image.double() - mean) / deviation).float()
    dims = image.ndim - 1
    powers = bands.powers(standard, spacing, spatial_dims=dims)
    if quiet:
        powers = torch.cat([powers, quiet_powers(standard, spacing, bands, spatial_dims=dims)], -1)
    return np.asarray(bands.voxel(image.shape[1:], spacing) * powers.double().mean(0).numpy())


def band_features(
    cases: Sequence[Case],
    bands: BandGrid,
    *,
    quiet: bool = False,
    output_dir: str | os.PathLike[str] | None = None,
    workers: int = 0,
    progress: bool = False,
) -> Features:
    """Logarithm of the power of each cell in each image of variance 1.

    Only the images in work are in memory.

    Args:
        cases: the images, all in 2D or all in 3D.
        bands: the cells. Those that some image has no frequency in are left out.
        quiet: whether to look at the quiet parts of images, too, see
            :func:`~monai_freq.audit.data.quiet_parts.quiet_powers`.
        output_dir: folder that keeps what was measured, so that a stopped run goes on.
        workers: number of processes; the result is the same for any.
        progress: whether to show a progress bar.

    Raises:
        DataError: an image cannot be read or is constant, some are in 2D and others in 3D, or no cell is in all.

    Example:
        >>> from monai_freq.audit.cases import Cases
        >>> noise = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> features = band_features(Cases.of_arrays(noise), BandGrid((0.0, 0.25, 0.5)))
        >>> features.names, features.values.shape, bool(abs(features.values).max() < 0.1)
        (('0 to 0.25', '0.25 to 0.5'), (2, 2), True)
    """
    return grids_features(cases, [bands], [quiet], output_dir=output_dir, workers=workers, progress=progress)[0]


def grids_features(
    cases: Sequence[Case],
    grids: Sequence[BandGrid],
    quiet: Sequence[bool] | None = None,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    workers: int = 0,
    progress: bool = False,
) -> tuple[Features, ...]:
    """The same as :func:`band_features` of several band grids, for which each image is read once.

    Args:
        cases: the images, all in 2D or all in 3D.
        grids: the band grids.
        quiet: of each grid, whether to look at the quiet parts of images, too; by default of none.
        output_dir: folder that keeps what was measured.
        workers: number of processes.
        progress: whether to show a progress bar.

    Raises:
        DataError: see :func:`band_features`.

    Example:
        >>> from monai_freq.audit.cases import Cases
        >>> cases = Cases.of_arrays(torch.randn(2, 1, 64, 64))
        >>> [one.values.shape for one in grids_features(cases, [BandGrid((0.0, 0.5)), BandGrid((0.0, 0.25, 0.5))])]
        [(2, 1), (2, 2)]
    """
    parts = [False] * len(grids) if quiet is None else list(quiet)
    settings = [[grid.edges, grid.unit, grid.directional, part] for grid, part in zip(grids, parts, strict=True)]
    measure = partial(_powers, grids=tuple(grids), quiet=tuple(parts))
    records = measured(cases, measure, "Spectra", settings, output_dir=output_dir, workers=workers, progress=progress)
    for record in records:
        if "fault" in record:
            raise DataError(record["fault"])
    dims = {record["spatial_dims"] for record in records}
    if len(dims) > 1:
        raise DataError("Some images are in 2D and others in 3D.\nAudit them one after the other.")
    powers = [[record["powers"][k] for record in records] for k in range(len(grids))]
    names = [grid.names(*dims) for grid in grids]
    return tuple(
        _features(np.array(rows, dtype=np.float64), own, cases) for rows, own in zip(powers, names, strict=True)
    )


def _features(powers: Array, names: Sequence[str], cases: Sequence[Case]) -> Features:
    n_cells, twice = len(names), powers.shape[1] > len(names)
    names = [*names, *(f"{name}, in quiet parts" for name in names)]
    known = np.isfinite(powers).all(axis=0)
    if not known.any():
        fewest = cases[int(np.isfinite(powers).sum(1).argmin())]
        raise DataError(
            f"No band holds a frequency of every image; {named(fewest.name or 'one image')} has the fewest.\n"
            "Use fewer and wider bands, or leave it out."
        )
    cells, missing = np.flatnonzero(known).tolist(), np.flatnonzero(~known).tolist()
    values = np.log10(np.maximum(powers[:, cells], _FLOOR))
    return Features(
        values,
        tuple(names[k] for k in cells),
        tuple(k % n_cells for k in cells),
        tuple(names[k] for k in missing if k < n_cells),  # patches have no low frequencies anyway
        tuple(k >= n_cells for k in cells) if twice else (),
    )


def _powers(case: Case, grids: Sequence[BandGrid], quiet: Sequence[bool]) -> Record:
    image, spacing = case.load()
    try:
        powers = [
            standard_powers(image, spacing, grid, quiet=part).tolist() for grid, part in zip(grids, quiet, strict=True)
        ]
    except DataError as error:
        title = named(case.image) if isinstance(case.image, str) else shown(case.name)
        raise DataError(f"{title} cannot be compared. {error}\nLeave it out.") from error
    # JSON has no NaN
    return {"powers": [[None if math.isnan(p) else p for p in own] for own in powers], "spatial_dims": image.ndim - 1}
