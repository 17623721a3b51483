"""CT photon noise as it leaves the scanner: drawn in the projections, seen through their reconstruction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import RandomizableTransform
from monai.utils import MAX_SEED, TransformBackends
from torch import Tensor

from ..quoting import written
from ..spectral.attenuation import HIGHEST, PER_HU, WATER
from ..spectral.photon_statistics import Sampler, check_sampler, image_noise
from ..spectral.precision import compute_dtype
from ..spectral.ramp_filter import Filter, check_filter
from ..spectral.scalars import is_finite_number
from ..spectral.tomography import ParallelBeam
from .image import as_image, check_probability, like_image, require_finite
from .keyed import RandKeyed
from .pixel_size import check_extent_mm, pixel_size_mm, slice_axes

__all__ = ["PhotonNoise", "PhotonNoised", "RandPhotonNoise", "RandPhotonNoised"]

#: Slices tilted by more are no projections of a scanner without its gantry tilted.
_MOST_TILT_DEGREES = 2.5
_FEW_PHOTONS = 10
#: The noise alone of an image in HU is larger; and from how many pixels that is seen.
_LEAST_HU, _SAMPLE = 10, 100_000

InputRange = Literal["hu"] | Sequence[float]


class PhotonNoise(RandomizableTransform):
    r"""Add the noise that a CT scan with few photons has, LoDoPaB-style: in the projections, not per pixel.

    .. math:: \text{out} = \text{in} + \text{FBP}(y - p), \qquad p = \text{project}(\mu), \quad
              c \sim \text{Poisson}(N_0 e^{-p}), \quad y = -\ln \frac{\max(c, c_\text{min})}{N_0}

    for each axial slice and channel by itself. The reconstruction is linear, so this is exactly the noise that the
    scan's reconstruction has, at the sharpness of the image itself: power grows with frequency, is greater behind and
    across what attenuates most, and falls with the dose. The mean is not exactly zero: that of a line integral with an
    expected count :math:`\lambda` is :math:`1 / (2 \lambda)`. Nothing is clipped but :math:`\mu` in the projections,
    to [0, 81.36] per metre (air to 3071 HU).

    Of LoDoPaB-CT are: :math:`\mu` = HU (20 - 0.02)/1000 + 20 per metre, 4096 photons, 1000 angles at
    :math:`(i + 1/2)\, \pi / 1000`, :math:`c_\text{min}` = 0.1, and for 362 x 362 pixels the 513 bins across the
    diagonal. To repeat it on its own images, which are :math:`\mu / 81.36` over 26 cm, give ``extent_mm=260`` and
    ``input_range=(-1001.001, 3071, 0, 1)``.

    Draws come from ``self.R``, one integer for each call, and every slice has a generator of its own. So results do
    not depend on how many threads there are, and no cache stores them.

    Args:
        n_photons: N0, photons on each detector bin without a patient.
        n_angles: number of angles over half a turn.
        n_detectors: number of bins across the diagonal of the slice; by default those that resolve its pixels.
        extent_mm: length of the longer side of a slice with square pixels.
        spacing: pixel size in mm along each spatial axis, or along the two of a slice. Without it or ``extent_mm``,
            that of the image's affine matrix, see :mod:`monai_freq.transforms.pixel_size`. An image that was never in
            a file may have the identity there: 1 mm.
        input_range: ``"hu"`` for an image in Hounsfield units, or ``(a_min, a_max, b_min, b_max)`` as given to
            ``ScaleIntensityRange`` for one whose window [a_min, a_max] HU was mapped to [b_min, b_max]. Never guessed.
        filter: window on the ramp: ``"ramp"`` (none), ``"shepp-logan"``, ``"cosine"`` or ``"hann"``.
        min_count: what a count is at least before the logarithm.
        sampler: ``"poisson"`` is exact; ``"fast"`` rounds no count above 32.
        slice_dim: spatial axis of a volume along which the slices lie; it should be the patient's long axis.

    Shape:
        ``(C, H, W)`` or ``(C, *volume)`` -> the same; integers become float32, metadata are kept.

    Raises:
        ValueError: an argument outside its range, unknown pixel size, a slice shorter than 0.1 mm or longer than 4 m,
            more than 1.3e8 rays, an image with 98% of its values in [-1, 1] said to be in HU, NaN or infinity in the
            image, or another number of dimensions.

    Warns:
        UserWarning: once, where slices are oblique or not axial, where the axes of a slice are not known, where an
            expected count is below 10, and where 98% of an image in HU are within 10 of 0, as in one that was
            normalized.

    Reference:
        J. Leuschner et al. (2021), "LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction",
        Scientific Data 8. DOI 10.1038/s41597-021-00893-z.
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670: photon noise as a frequency shortcut.

    Example:
        >>> water = torch.full((1, 64, 64), 0.0)
        >>> noise = PhotonNoise(extent_mm=200, n_angles=90).set_random_state(0)(water)
        >>> noise.shape, bool(50 < noise.std() < 500)
        (torch.Size([1, 64, 64]), True)
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        n_photons: float = 4096,
        n_angles: int = 1000,
        n_detectors: int | None = None,
        extent_mm: float | None = None,
        spacing: Sequence[float] | None = None,
        input_range: InputRange = "hu",
        filter: Filter = "ramp",
        min_count: float = 0.1,
        sampler: Sampler = "poisson",
        slice_dim: int = -1,
    ) -> None:
        super().__init__(prob=1.0)
        _check_positive("n_photons", n_photons)
        self.n_photons = float(n_photons)
        self.scan = _Scan(n_angles, n_detectors, extent_mm, spacing, input_range, filter, min_count, sampler, slice_dim)
        self._seed = 0

    def randomize(self, data: Any = None) -> None:
        """Draw the seed of one call."""
        self._do_transform = True
        self._seed = int(self.R.randint(MAX_SEED, dtype="uint32"))

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Add noise to one image; with ``randomize=False``, the noise of the seed drawn last."""
        if randomize:
            self.randomize()
        return self.scan.noisy(img, self.n_photons, self._seed)


class PhotonNoised(RandKeyed):
    """Dictionary version of :class:`PhotonNoise`: one draw for all keys, arguments after ``keys`` as there.

    Images of one size share their noise field, as two reconstructions of one scan do.

    Example:
        >>> water = torch.zeros(1, 64, 64)  # in HU
        >>> scan = PhotonNoised(["soft", "sharp"], n_photons=1e5, extent_mm=200, n_angles=90).set_random_state(0)
        >>> noisy = scan({"soft": water, "sharp": water})
        >>> torch.equal(noisy["soft"], noisy["sharp"])  # one draw for both
        True
    """

    array = PhotonNoise


class RandPhotonNoise(RandomizableTransform):
    r"""Add the noise of a CT scan at a random dose, to some of the images: :class:`PhotonNoise` with

    .. math:: \ln N_0 \sim \text{Uniform}(\ln \text{low}, \ln \text{high})

    Args:
        prob: probability of adding noise.
        n_photons: low and high.
        n_angles: as in :class:`PhotonNoise`, like all that follow.
        n_detectors: number of bins.
        extent_mm: length of the longer side of a slice.
        spacing: pixel size in mm.
        input_range: ``"hu"``, or the window and what it was mapped to.
        filter: window on the ramp.
        min_count: what a count is at least.
        sampler: ``"poisson"`` or ``"fast"``.
        slice_dim: spatial axis along which the slices lie.

    Shape:
        ``(C, H, W)`` or ``(C, *volume)`` -> the same; integers become float32 with or without noise, metadata are kept.

    Raises:
        ValueError: as in :class:`PhotonNoise`; prob outside [0, 1].

    Warns:
        UserWarning: as in :class:`PhotonNoise`.

    Reference:
        J. Leuschner et al. (2021), DOI 10.1038/s41597-021-00893-z, for one dose.

    Example:
        >>> augment = RandPhotonNoise(prob=1.0, n_photons=(1e4, 1e6), extent_mm=200, n_angles=90)
        >>> augment(torch.full((1, 64, 64), 40.0)).shape
        torch.Size([1, 64, 64])
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        prob: float = 0.1,
        n_photons: Sequence[float] = (4096, 65536),
        n_angles: int = 1000,
        n_detectors: int | None = None,
        extent_mm: float | None = None,
        spacing: Sequence[float] | None = None,
        input_range: InputRange = "hu",
        filter: Filter = "ramp",
        min_count: float = 0.1,
        sampler: Sampler = "poisson",
        slice_dim: int = -1,
    ) -> None:
        check_probability(prob)
        super().__init__(prob)
        self.n_photons = _dose_range(n_photons)
        self.scan = _Scan(n_angles, n_detectors, extent_mm, spacing, input_range, filter, min_count, sampler, slice_dim)
        self._n_photons, self._seed = self.n_photons[1], 0

    def randomize(self, data: Any = None) -> None:
        """Draw whether there is noise, the dose and the seed of one call."""
        super().randomize(None)
        low, high = map(math.log, self.n_photons)
        self._n_photons = math.exp(self.R.uniform(low, high))
        self._seed = int(self.R.randint(MAX_SEED, dtype="uint32"))

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Add noise to one image, or not; with ``randomize=False``, as drawn last."""
        if randomize:
            self.randomize()
        if self._do_transform:
            return self.scan.noisy(img, self._n_photons, self._seed)
        tracked, image = as_image(img)
        return like_image(image if image.is_floating_point() else image.to(torch.float32), tracked)


class RandPhotonNoised(RandKeyed):
    """Dictionary version of :class:`RandPhotonNoise`: one draw for all keys, arguments after ``keys`` as there.

    Images of one size share their noise field, as two reconstructions of one scan do.

    Example:
        >>> item = {"image": torch.zeros(1, 64, 64), "label": 1}
        >>> augment = RandPhotonNoised("image", prob=1.0, extent_mm=200, n_angles=90).set_random_state(0)
        >>> bool(augment(item)["image"].std() > 0)
        True
    """

    array = RandPhotonNoise


@dataclass
class _Scan:
    """How images are scanned, and their noise at a dose and a seed."""

    n_angles: int
    n_detectors: int | None
    extent_mm: float | None
    spacing: Sequence[float] | None
    input_range: InputRange
    filter: Filter
    min_count: float
    sampler: Sampler
    slice_dim: int
    warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        ParallelBeam((1, 1), n_angles=self.n_angles, n_detectors=self.n_detectors)  # checks them
        check_filter(self.filter)
        check_sampler(self.sampler)
        _check_positive("min_count", self.min_count)
        _check_size(self.extent_mm, self.spacing)
        if self.slice_dim not in range(-3, 3):
            raise ValueError(f"'slice_dim' must be a spatial axis in [-3, 2], got {written(self.slice_dim)}.")
        self._gain, self._offset = _attenuation_per_mm(self.input_range)

    def noisy(self, img: NdarrayOrTensor, n_photons: float, seed: int) -> NdarrayOrTensor:
        """Image with noise."""
        tracked, image = as_image(img)
        require_finite(image)
        if isinstance(self.input_range, str) and _largest_hu(image) < _LEAST_HU:
            self._warn_once("hu", f"98% of an image said to be in HU lie within {_LEAST_HU} of 0: was it normalized?")
        affine = img.meta.get("slice_affine", img.affine) if isinstance(img, MetaTensor) else None
        across, plane = self._axes(image.ndim - 1)
        axes, doubt = slice_axes(img) if across is None and isinstance(img, MetaTensor) else (plane, "")
        self._warn_if_tilted(affine, axes)
        result = image.to(compute_dtype(image), copy=True)
        slices = result[:, None] if across is None else result.movedim(1 + across, 1)
        spacing = self._spacing_mm(slices.shape[2:], axes, img, doubt)
        check_extent_mm(slices.shape[2:], spacing)
        beam = ParallelBeam(slices.shape[2:], spacing, self.n_angles, self.n_detectors)
        self._warn_if_starved(torch.stack([self._add_noise(*each, beam, n_photons) for each in _seeded(slices, seed)]))
        return like_image(result.to(image.dtype) if image.is_floating_point() else result, tracked)

    def _add_noise(self, image: Tensor, generator: torch.Generator, beam: ParallelBeam, n_photons: float) -> Tensor:
        """Noise into one slice; the lowest expected count."""
        with torch.no_grad():
            mu = (image * self._gain).add_(self._offset).clamp_(0, HIGHEST / 1000)
            noise, lowest = image_noise(
                mu, beam, n_photons, generator, filter=self.filter, min_count=self.min_count, sampler=self.sampler
            )
            image.add_(noise, alpha=1 / self._gain)
        return lowest

    def _axes(self, spatial_dims: int) -> tuple[int | None, list[int]]:
        """Spatial axis along which the slices lie, and those of a slice."""
        if spatial_dims == 2:
            return None, [0, 1]
        if spatial_dims != 3:
            raise ValueError(f"the image must be a slice (C, H, W) or a volume, got {spatial_dims} spatial axis.")
        across = self.slice_dim % 3
        return across, [axis for axis in range(3) if axis != across]

    def _spacing_mm(
        self, shape: Sequence[int], axes: Sequence[int], img: NdarrayOrTensor, doubt: str
    ) -> Sequence[float]:
        if self.extent_mm is not None:
            return [self.extent_mm / max(shape)] * 2
        if self.spacing is not None:
            return self.spacing if len(self.spacing) == 2 else [self.spacing[axis] for axis in axes]
        if not isinstance(img, MetaTensor):
            raise ValueError(
                "the size of a pixel is unknown: give 'spacing' or 'extent_mm' (260 for LoDoPaB-CT), "
                "or a MetaTensor with its affine matrix."
            )
        if doubt:
            self._warn_once("axes", doubt)
        return pixel_size_mm(img, axes)

    def _warn_if_tilted(self, affine: Tensor | None, plane: Sequence[int]) -> None:
        if affine is None or affine.shape[-1] != 4:
            return
        normal = torch.linalg.cross(*torch.as_tensor(affine).double()[:3, plane].T)
        tilt = math.degrees(math.acos(min(1.0, float(normal[2].abs() / normal.norm()))))
        if tilt > _MOST_TILT_DEGREES:
            self._warn_once(
                "tilt",
                f"slices are tilted by {tilt:.0f} degrees from the axial ones that a CT scanner projects: "
                "reorient the image, or choose another 'slice_dim'.",
            )

    def _warn_if_starved(self, lowest: Tensor) -> None:
        if "starved" in self.warned:  # without a look at the value, which a GPU would have to be waited for
            return
        if float(lowest.amin()) < _FEW_PHOTONS:
            self._warn_once(
                "starved",
                f"a detector bin expects {float(lowest.amin()):.2g} photons, less than {_FEW_PHOTONS}: "
                "starved rays add streaks and bias. Take more photons, or check the pixel size.",
            )

    def _warn_once(self, what: str, message: str) -> None:
        if what not in self.warned:
            self.warned.add(what)
            warnings.warn(message, stacklevel=2)


def _seeded(slices: Tensor, seed: int) -> Iterator[tuple[Tensor, torch.Generator]]:
    """Each slice of each channel with a generator of its own, ``(C, S, H, W)``."""
    seeds = torch.randint(1 << 62, slices.shape[:2], generator=torch.Generator().manual_seed(seed)).tolist()
    for channel, of_slices in zip(slices, seeds, strict=True):
        for one, own in zip(channel, of_slices, strict=True):
            yield one, torch.Generator(slices.device).manual_seed(own)


def _attenuation_per_mm(input_range: InputRange) -> tuple[float, float]:
    """Gain and offset from an image's values to attenuation."""
    if isinstance(input_range, str) and input_range == "hu":
        return PER_HU / 1000, WATER / 1000
    four = isinstance(input_range, Sequence) and len(input_range) == 4
    if not four or not all(map(is_finite_number, input_range)):
        raise ValueError(f"'input_range' must be 'hu' or (a_min, a_max, b_min, b_max), got {written(input_range)}.")
    a_min, a_max, b_min, b_max = map(float, input_range)
    if not (a_min < a_max and b_min < b_max):
        raise ValueError(f"'input_range' must have a_min < a_max (HU) and b_min < b_max, got {tuple(input_range)}.")
    hu_per_unit = (a_max - a_min) / (b_max - b_min)
    return hu_per_unit * PER_HU / 1000, ((a_min - b_min * hu_per_unit) * PER_HU + WATER) / 1000


def _largest_hu(image: Tensor) -> float:
    """Magnitude that 98% of the values stay below; what was scaled is refused, though metal or dead pixels are not."""
    some = image.flatten()[:: max(1, image.numel() // _SAMPLE)].to(compute_dtype(image))
    most = torch.quantile(some, torch.tensor([0.01, 0.99], dtype=some.dtype, device=some.device))
    for part, (lowest, highest) in (("the image", map(float, image.aminmax())), ("98% of the image", most.tolist())):
        if lowest < highest and max(-lowest, highest) <= 1:
            raise ValueError(
                f"'input_range' is 'hu', but {part} lies in [{lowest:.3g}, {highest:.3g}]: "
                "give the window that it was scaled from, as (a_min, a_max, b_min, b_max)."
            )
    return max(-lowest, highest) if lowest < highest else math.inf


def _dose_range(n_photons: Sequence[float]) -> tuple[float, float]:
    pair = isinstance(n_photons, Sequence) and len(n_photons) == 2 and all(map(is_finite_number, n_photons))
    if pair and 0 < n_photons[0] <= n_photons[1]:
        return float(n_photons[0]), float(n_photons[1])
    raise ValueError(f"'n_photons' must be (low, high) with 0 < low <= high, got {written(n_photons)}.")


def _check_positive(name: str, value: float) -> None:
    if not (is_finite_number(value) and value > 0):
        raise ValueError(f"'{name}' must be positive, got {written(value)}.")


def _check_size(extent_mm: float | None, spacing: Sequence[float] | None) -> None:
    if extent_mm is not None and spacing is not None:
        raise ValueError(f"give 'extent_mm' or 'spacing', not both, got {written(extent_mm)} and {written(spacing)}.")
    if extent_mm is not None:
        _check_positive("extent_mm", extent_mm)
    sizes = spacing if isinstance(spacing, Sequence) and len(spacing) in (2, 3) else ()
    if spacing is not None and not (sizes and all(is_finite_number(size) and size > 0 for size in sizes)):
        raise ValueError(f"'spacing' must be 2 or 3 positive pixel sizes in mm, got {written(spacing)}.")
