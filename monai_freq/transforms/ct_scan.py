"""How a CT scanner sees an image: its projections, their noise at a dose, and what that makes of the image."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Literal, get_args

import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from torch import Tensor

from ..quoting import written
from ..spectral.attenuation import HIGHEST, PER_HU, WATER
from ..spectral.compiled import side_by_side
from ..spectral.photon_statistics import Sampler, image_noise
from ..spectral.precision import compute_dtype
from ..spectral.ramp_filter import Filter
from ..spectral.scalars import check_choice, is_finite_number
from ..spectral.tomography import ParallelBeam
from .image import as_image, like_image, require_finite
from .pixel_size import check_extent_mm, pixel_size_mm, slice_axes

__all__ = ["InputRange", "Scan", "check_positive"]

#: Slices tilted by more are no projections of a scanner without its gantry tilted.
_MOST_TILT_DEGREES = 2.5
_FEW_PHOTONS = 10
#: The noise alone of an image in HU is larger; and from how many pixels that is seen.
_LEAST_HU, _SAMPLE = 10, 100_000

InputRange = Literal["hu"] | Sequence[float]


@dataclass
class Scan:
    """How images are scanned, and their noise at a dose and a seed.

    Args:
        n_angles: number of angles, see :class:`monai_freq.transforms.PhotonNoise`, as for all that follow.
        n_detectors: number of bins.
        extent_mm: length of the longer side of a slice.
        spacing: pixel size in mm.
        input_range: unit of the image: ``"hu"``, or the window and what it was mapped to.
        filter: window on the ramp.
        min_count: lowest count before the logarithm.
        sampler: method of drawing counts, ``"poisson"`` or ``"fast"``.
        slice_dim: spatial axis along which the slices lie.
        warned: warnings that were given, each once.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> scan = Scan(90, None, 200, None, "hu", "ramp", 0.1, "poisson", -1)
        >>> water = torch.zeros(1, 64, 64)
        >>> bool(scan.noisy(water, n_photons=4096, seed=0).std() > scan.noisy(water, n_photons=1e6, seed=0).std())
        True
    """

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
        check_choice("filter", self.filter, get_args(Filter))
        check_choice("sampler", self.sampler, get_args(Sampler))
        check_positive("min_count", self.min_count)
        _check_size(self.extent_mm, self.spacing)
        if self.slice_dim not in range(-3, 3):
            raise ValueError(f"'slice_dim' must be a spatial axis in [-3, 2], got {written(self.slice_dim)}.")
        self._gain, self._offset = _attenuation_per_mm(self.input_range)

    def noisy(self, img: NdarrayOrTensor, n_photons: float, seed: int) -> NdarrayOrTensor:
        """Image with noise.

        Args:
            img: image ``(C, H, W)`` or ``(C, *volume)``.
            n_photons: number of photons on each detector bin without a patient.
            seed: seed of the draws.
        """
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
        self._warn_if_starved(self._add_noise_to_all(slices, beam, n_photons, seed))
        return like_image(result.to(image.dtype) if image.is_floating_point() else result, tracked)

    def _add_noise_to_all(self, slices: Tensor, beam: ParallelBeam, n_photons: float, seed: int) -> Tensor:
        """Noise into each slice of each channel, ``(C, S, H, W)``; the lowest expected counts."""
        seeds = torch.randint(1 << 62, slices.shape[:2], generator=torch.Generator().manual_seed(seed))
        lowest = seeds.new_empty(seeds.shape, dtype=slices.dtype, device=slices.device)

        def add(channel: int, number: int) -> None:
            generator = torch.Generator(slices.device).manual_seed(int(seeds[channel, number]))
            lowest[channel, number] = self._add_noise(slices[channel, number], generator, beam, n_photons)

        first, *others = (partial(add, *place) for place in product(*map(range, seeds.shape)))
        first()  # alone, to fill the caches that all of them read
        if slices.device.type == "cpu":
            _side_by_side(others)
        else:
            for call in others:
                call()
        return lowest

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


def _side_by_side(calls: Sequence[Callable[[], object]]) -> None:
    """Make calls on as many threads as torch has; within each, operations of torch have one."""
    threads, inference = torch.get_num_threads(), torch.is_inference_mode_enabled()

    def alone(call: Callable[[], object]) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode(inference):  # a new thread has forgotten it
            call()

    try:
        side_by_side([partial(alone, call) for call in calls])
    finally:
        torch.set_num_threads(threads)  # for threads that start later, too


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


def check_positive(name: str, value: float) -> None:
    """Refuse what is no positive number.

    Args:
        name: name of the argument.
        value: value of the argument.

    Raises:
        ValueError: the value is not positive, or no number.

    Example:
        >>> check_positive("n_photons", 0)
        Traceback (most recent call last):
        ValueError: 'n_photons' must be positive, got 0.
    """
    if not (is_finite_number(value) and value > 0):
        raise ValueError(f"'{name}' must be positive, got {written(value)}.")


def _check_size(extent_mm: float | None, spacing: Sequence[float] | None) -> None:
    if extent_mm is not None and spacing is not None:
        raise ValueError(f"give 'extent_mm' or 'spacing', not both, got {written(extent_mm)} and {written(spacing)}.")
    if extent_mm is not None:
        check_positive("extent_mm", extent_mm)
    sizes = spacing if isinstance(spacing, Sequence) and len(spacing) in (2, 3) else ()
    if spacing is not None and not (sizes and all(is_finite_number(size) and size > 0 for size in sizes)):
        raise ValueError(f"'spacing' must be 2 or 3 positive pixel sizes in mm, got {written(spacing)}.")
