r"""Parallel-beam tomography: line integrals of an image, their adjoint, and filtered back-projection.

By the central-slice theorem, the spectrum of a projection is a line through the origin of the image's spectrum.
Projection is therefore a Fourier transform on a polar grid, followed by one-dimensional transforms. Reconstruction is
the same in reverse. Pixels are rectangles of constant attenuation, and detector bins average over their width: both are
exact factors of the spectrum.

Reference:
    A. C. Kak, M. Slaney (1988), "Principles of computerized tomographic imaging", chapter 3.
    J. A. Fessler, B. P. Sutton (2003), "Nonuniform fast Fourier transforms using min-max interpolation", IEEE
    Transactions on Signal Processing 51. DOI 10.1109/TSP.2002.807005.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from ..quoting import written
from .cache import cached
from .kaiser_bessel import fast_length
from .polar_grid import PolarGrid
from .polar_spectrum import adjoint_polar_spectrum, polar_spectrum
from .precision import as_computed, as_given, check_image, compute_dtype, full_precision
from .ramp_filter import Filter, ramp
from .scalars import check_choice, is_count

__all__ = ["ParallelBeam"]

#: Period of a projection in units of the detector: room for the spread beyond its ends by the limited bandwidth.
_ROOM = 1.05
_ROUNDING = 1e-6
#: Largest number of rays (angles times bins) of a scan, which take a gigabyte; 4096 x 4096 pixels have 4e7.
_MOST_RAYS = 2**27


class ParallelBeam:
    r"""Geometry of a parallel-beam scan, and the linear maps between images and sinograms.

    .. math:: p(\theta, s_b) = \frac{1}{d} \int_{s_b - d/2}^{s_b + d/2} \int
              \mu(s \cos\theta - t \sin\theta,\, s \sin\theta + t \cos\theta)\, dt\, ds

    with the angles :math:`\theta_i = (i + 1/2)\, \pi / n`, x along a row to the right, y down the rows, the origin at
    the centre of the image, and detector bins of width d that together cover the image's diagonal. The defaults for a
    362 x 362 image are those of LoDoPaB-CT: 1000 angles and 513 bins.

    The relative error of the line integrals is below 3e-3 for disks and ellipses a hundred pixels wide. It is a few
    percent for smaller ones, nearly all of it because they are drawn in pixels. :meth:`project` and :meth:`backproject`
    are adjoint to each other up to rounding. All maps are differentiable. Images are computed one at a time, so that a
    result does not depend on the rest of its batch.

    The tables of a geometry, about 8 MB at 362 x 362 pixels and 1000 angles (20 MB on a GPU), are computed on first
    use, cached for the last few geometries of the process, and not pickled. Geometries that differ in scale alone share
    them.

    Args:
        shape: rows and columns of the image.
        spacing: height and width of a pixel in mm, or in any other unit.
        n_angles: number of angles.
        n_detectors: number of bins; by default an odd number that resolves the finer side of a pixel. An even number
            adds bins of half the width to the computation.

    Raises:
        ValueError: an argument is outside its range, or angles times bins (at least those that resolve a pixel) are
            more than 1.3e8.

    Reference:
        J. Leuschner et al. (2021), "LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction",
        Scientific Data 8. DOI 10.1038/s41597-021-00893-z.

    Example:
        >>> beam = ParallelBeam((64, 64), spacing=(2.0, 2.0), n_angles=90)
        >>> sinogram = beam.project(torch.full((64, 64), 0.5))
        >>> sinogram.shape
        torch.Size([90, 93])
        >>> bool((beam.fbp(sinogram)[8:-8, 8:-8] - 0.5).abs().max() < 0.02)
        True
    """

    def __init__(
        self,
        shape: Sequence[int],
        spacing: Sequence[float] = (1.0, 1.0),
        n_angles: int = 1000,
        n_detectors: int | None = None,
    ) -> None:
        _check(shape, spacing, n_angles, n_detectors)
        self.shape = (int(shape[0]), int(shape[1]))
        self.spacing = (float(spacing[0]), float(spacing[1]))
        self.n_angles = n_angles
        diagonal = math.hypot(self.shape[0] * self.spacing[0], self.shape[1] * self.spacing[1])
        finest = min(self.spacing)
        _check_rays(self.shape, self.spacing, n_angles * max(diagonal / finest, n_detectors or 0))
        self.n_detectors = n_detectors or 2 * math.ceil(diagonal / (2 * finest) - _ROUNDING) + 1
        #: width of a detector bin
        self.bin_width = diagonal / self.n_detectors
        # Narrower bins avoid aliasing where a bin is coarser than the pixels; they are also needed where the centre of
        # the detector lies between two bins.
        finer = math.ceil(self.bin_width / finest - _ROUNDING)
        self._finer = finer + (self.n_detectors % 2 == 0 and finer % 2 == 1)
        self._window = fast_length(_ROOM * self.n_detectors)
        self._length = self._finer * self._window
        self._first = self._length // 2 - self._finer * (self.n_detectors - 1) // 2
        # in units of the bins, and rounded, so that geometries of different scale share their tables
        dy, dx = (round(step * self._finer / self.bin_width, 6) for step in self.spacing)
        self._grid = PolarGrid(self.shape, (dy, dx), n_angles, self._length)

    @property
    def angles(self) -> Tensor:
        """Angles of the projections in radians, ``(n_angles,)``."""
        return (torch.arange(self.n_angles, dtype=torch.float64) + 0.5) * (math.pi / self.n_angles)

    @property
    def bins(self) -> Tensor:
        """Centres of the detector bins, in the unit of the spacing, ``(n_detectors,)``."""
        return (torch.arange(self.n_detectors, dtype=torch.float64) - (self.n_detectors - 1) / 2) * self.bin_width

    def project(self, mu: Tensor) -> Tensor:
        """Line integrals of images.

        Args:
            mu: images of the attenuation per unit of the spacing.

        Shape:
            ``(*, H, W)`` -> ``(*, n_angles, n_detectors)``.

        Raises:
            ValueError: mu is complex or has another shape.

        Example:
            >>> beam = ParallelBeam((8, 10), n_angles=20)
            >>> sinogram = beam.project(torch.ones(3, 8, 10))
            >>> sinogram.shape
            torch.Size([3, 20, 15])
            >>> torch.allclose(sinogram.sum(-1) * beam.bin_width, torch.tensor(80.0), rtol=1e-2)
            True
        """
        return self._each(lambda image: self._sorted(self.rays(image)), mu, self.shape, "mu")

    def backproject(self, sinogram: Tensor) -> Tensor:
        r"""Adjoint of :meth:`project`: every ray is spread over the pixels on its way.

        .. math:: \langle \text{project}(\mu), p \rangle = \langle \mu, \text{backproject}(p) \rangle

        Args:
            sinogram: line integrals.

        Shape:
            ``(*, n_angles, n_detectors)`` -> ``(*, H, W)``.

        Raises:
            ValueError: sinogram is complex or has another shape.

        Example:
            >>> beam, p = ParallelBeam((8, 10), n_angles=20), torch.ones(20, 15)
            >>> back = beam.backproject(p)
            >>> torch.allclose(back.sum(), beam.project(torch.ones(8, 10)).sum(), rtol=1e-4)
            True
        """
        return self._each(self._backproject, sinogram, (self.n_angles, self.n_detectors), "sinogram")

    def fbp(self, sinogram: Tensor, filter: Filter = "ramp") -> Tensor:
        r"""Filtered back-projection.

        .. math:: \mu(x, y) = \frac{\pi}{n} \sum_\theta q(\theta, x \cos\theta + y \sin\theta), \qquad
            q(\theta, s_b) = d \sum_{b'} h(b - b')\, p(\theta, s_{b'})

        with :math:`h(0) = 1 / (4 d^2)` and :math:`h(m) = -1 / (\pi m d)^2` for odd m, windowed, and band-limited
        interpolation between the bins.

        Args:
            sinogram: line integrals.
            filter: window on the ramp, see :func:`monai_freq.spectral.ramp_filter.filter_window`.

        Shape:
            ``(*, n_angles, n_detectors)`` -> ``(*, H, W)``.

        Raises:
            ValueError: sinogram is complex or has another shape, or the filter is unknown.

        Reference:
            A. C. Kak, M. Slaney (1988), chapter 3.3, equation 61.

        Example:
            >>> ParallelBeam((32, 32), n_angles=50).fbp(torch.rand(2, 50, 47), filter="hann").shape
            torch.Size([2, 32, 32])
        """
        check_choice("filter", filter, get_args(Filter))

        def reconstruct(one: Tensor) -> Tensor:
            return self.image_of(self._mirrored(one), filter)

        return self._each(reconstruct, sinogram, (self.n_angles, self.n_detectors), "sinogram")

    def rays(self, mu: Tensor) -> Tensor:
        """Line integrals of one image in the order of their computation, without the cost of sorting.

        Every column holds one angle. Every second column is read from the other side, and some angles may appear twice.

        Args:
            mu: image of the attenuation per unit of the spacing.

        Shape:
            ``(H, W)`` -> ``(lines, mirrors, n_detectors)``.

        Example:
            >>> ParallelBeam((32, 32), n_angles=50).rays(torch.rand(32, 32)).shape
            torch.Size([13, 4, 47])
        """
        mu = as_computed(mu, "mu")
        spectrum = polar_spectrum(mu * (self.bin_width / self._finer), self._grid, self._aperture(mu))
        whole: Tensor = torch.fft.irfft(spectrum, n=self._length)
        return whole[..., self._bins]

    def image_of(self, rays: Tensor, filter: Filter = "ramp", periodic: bool = False) -> Tensor:
        """Filtered back-projection of the result of :meth:`rays`.

        Args:
            rays: line integrals of one image, in the order of :meth:`rays`.
            filter: window on the ramp, see :func:`monai_freq.spectral.ramp_filter.filter_window`.
            periodic: whether the convolution with the ramp wraps around the ends of the detector, which is faster. It
                changes the effect of bins more than half the detector apart: for noise, an error of about 1e-4.

        Shape:
            ``(lines, mirrors, n_detectors)`` -> ``(H, W)``.

        Example:
            >>> beam, mu = ParallelBeam((32, 32), n_angles=50), torch.ones(32, 32)
            >>> torch.allclose(beam.image_of(beam.rays(mu)), beam.fbp(beam.project(mu)), atol=1e-5)
            True
        """
        rays = as_computed(rays, "rays")
        if periodic:
            spectrum, weights = torch.fft.rfft(self._spaced(rays)), self._weights(rays, filter)
        else:
            lead = self._first // self._finer
            padded = F.pad(rays, (lead, 0))
            longer = torch.fft.rfft(padded, n=2 * self._window) * ramp(2 * self._window, filter, rays)
            filtered = torch.fft.irfft(longer, n=2 * self._window)[..., : self._window]
            spectrum, weights = torch.fft.rfft(self._spaced(filtered, lead)), self._weights(rays, None)
        image = adjoint_polar_spectrum(self._without_twins(spectrum), self._grid, weights)
        return image * (math.pi / (self.n_angles * self.bin_width))

    def _backproject(self, sinogram: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(self._spaced(self._mirrored(sinogram)))
        weights = self._aperture(sinogram) * (_multiplicity(self._length, sinogram) / self._length)
        spread = adjoint_polar_spectrum(self._without_twins(spectrum), self._grid, weights)
        return spread * (self.bin_width / self._finer)

    @property
    def _bins(self) -> slice:
        return slice(self._first, self._first + self._finer * (self.n_detectors - 1) + 1, self._finer)

    def _spaced(self, rays: Tensor, lead: int = 0) -> Tensor:
        """Zeros around the detector, and between bins that are coarser than the pixels."""
        first = self._first - self._finer * lead
        if self._finer == 1:
            return F.pad(rays, (first, self._length - first - rays.shape[-1]))
        between = F.pad(rays[..., None], (0, self._finer - 1)).flatten(-2)
        return F.pad(between, (first, self._length - first))[..., : self._length]

    def _aperture(self, like: Tensor) -> Tensor:
        """Spectrum of a pixel times that of a bin, ``(lines, radii)``; its signs centre the origin."""

        def build() -> Tensor:
            k = torch.arange(self._grid.n_radii, dtype=torch.float64) / self._length
            (dy, dx), theta = self._grid.steps, self._grid.angles[:, :1]
            pixel = dx * torch.sinc(k * theta.cos() * dx) * dy * torch.sinc(k * theta.sin() * dy)
            return (pixel * torch.sinc(k * self._finer) * _alternating(self._grid.n_radii)).to(like)

        return cached(("aperture", self._grid, self._finer, like.dtype, like.device), build)

    def _weights(self, like: Tensor, filter: Filter | None) -> Tensor:
        """Weight of each radial frequency in back-projection, ``(1, radii)``, with the ramp if a filter is given."""

        def build() -> Tensor:
            half = torch.zeros(1, dtype=torch.float64)
            weights = _multiplicity(self._window, half) / self._window
            weights = weights if filter is None else weights * ramp(self._window, filter, half)
            # bins coarser than the pixels hold no higher frequencies
            padded = F.pad(weights, (0, self._grid.n_radii - len(weights)))
            return (padded * _alternating(self._grid.n_radii))[None].to(like)

        return cached(("weights", self._length, self._window, filter, like.dtype, like.device), build)

    def _columns(self) -> Tensor:
        """Index of the angle of each column of the rays, ``(lines, mirrors)``."""
        theta = self._grid.angles.remainder(math.pi)
        return (theta * (self.n_angles / math.pi) - 0.5).round().long()

    def _chosen(self) -> Tensor:
        """Column of each angle, ``(n_angles,)``; the first one if there are two."""
        columns = self._columns().flatten()
        number = torch.arange(len(columns))
        return torch.full((self.n_angles,), len(columns)).scatter_reduce(0, columns, number, "amin")

    def _without_twins(self, spectrum: Tensor) -> Tensor:
        if spectrum.shape[0] * spectrum.shape[1] == self.n_angles:
            return spectrum
        kept = torch.zeros(spectrum.shape[:2]).flatten().index_fill(0, self._chosen(), 1)
        return spectrum * kept.view(*spectrum.shape[:2], 1).to(spectrum.device)

    def _sorted(self, rays: Tensor) -> Tensor:
        """From the order of the rays to that of a sinogram."""
        return _turned(rays).flatten(0, 1).index_select(0, self._chosen().to(rays.device))

    def _mirrored(self, sinogram: Tensor) -> Tensor:
        """From the order of a sinogram to that of the rays."""
        columns = self._columns().to(sinogram.device)
        return _turned(sinogram.index_select(0, columns.flatten()).view(*columns.shape, -1))

    def _each(self, function: Callable[[Tensor], Tensor], x: Tensor, shape: tuple[int, int], name: str) -> Tensor:
        check_image(x, spatial_dims=2)
        if x.shape[-2:] != shape:
            raise ValueError(f"'{name}' must have the shape (*, {shape[0]}, {shape[1]}), got {tuple(x.shape)}.")
        with full_precision(x):
            flat = x.to(compute_dtype(x)).reshape(-1, *shape)
            result = torch.stack([function(one) for one in flat])
        return as_given(result.view(*x.shape[:-2], *result.shape[1:]), x)


def _multiplicity(length: int, like: Tensor) -> Tensor:
    """Number of bins of the full spectrum that each bin of the half spectrum of an even length stands for."""
    doubled = like.new_full((length // 2 + 1,), 2.0)
    doubled[0] = doubled[-1] = 1
    return doubled


def _alternating(size: int) -> Tensor:
    return 1 - 2 * (torch.arange(size, dtype=torch.float64) % 2)


def _turned(rays: Tensor) -> Tensor:
    """Every second column read from the other side."""
    return torch.stack([rays[:, 0::2], rays[:, 1::2].flip(-1)], dim=2).flatten(1, 2)


def _check(shape: Sequence[int], spacing: Sequence[float], n_angles: int, n_detectors: int | None) -> None:
    if len(shape) != 2 or not all(int(n) == n and n > 0 for n in shape):
        raise ValueError(f"'shape' must be the rows and columns of an image, got {tuple(shape)}.")
    if len(spacing) != 2 or not all(math.isfinite(d) and d > 0 for d in spacing):
        raise ValueError(f"'spacing' must be two positive pixel sizes, got {tuple(spacing)}.")
    for name, count in (("n_angles", n_angles), ("n_detectors", 1 if n_detectors is None else n_detectors)):
        if not is_count(count):
            raise ValueError(f"'{name}' must be a positive integer, got {written(count)}.")


def _check_rays(shape: tuple[int, int], spacing: tuple[float, float], rays: float) -> None:
    if rays > _MOST_RAYS:
        size = f"{shape[0]} x {shape[1]} pixels of {spacing[0]:.3g} x {spacing[1]:.3g}"
        raise ValueError(
            f"a scan of {size} has {rays:.2g} rays, more than {_MOST_RAYS:.2g}, and would take hours: "
            "check 'spacing', 'n_angles' and 'n_detectors'."
        )
