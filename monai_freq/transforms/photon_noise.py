"""CT photon noise as it leaves the scanner: drawn in the projections, seen through their reconstruction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import RandomizableTransform
from monai.utils import MAX_SEED, TransformBackends

from ..quoting import written
from ..spectral.photon_statistics import Sampler
from ..spectral.ramp_filter import Filter
from ..spectral.scalars import is_finite_number
from .ct_scan import InputRange, Scan, check_positive
from .image import as_image, check_probability, like_image
from .keyed import RandKeyed

__all__ = ["PhotonNoise", "PhotonNoised", "RandPhotonNoise", "RandPhotonNoised"]


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
        n_photons: number N0 of photons on each detector bin without a patient.
        n_angles: number of angles over half a turn.
        n_detectors: number of bins across the diagonal of the slice; by default those that resolve its pixels.
        extent_mm: length of the longer side of a slice with square pixels.
        spacing: pixel size in mm along each spatial axis, or along the two of a slice. Without it or ``extent_mm``,
            that of the image's affine matrix, see :mod:`monai_freq.transforms.pixel_size`. An image that was never in
            a file may have the identity there: 1 mm.
        input_range: unit of the image: ``"hu"`` for Hounsfield units, or ``(a_min, a_max, b_min, b_max)`` as given to
            ``ScaleIntensityRange`` for one whose window [a_min, a_max] HU was mapped to [b_min, b_max]. Never guessed.
        filter: window on the ramp: ``"ramp"`` (none), ``"shepp-logan"``, ``"cosine"`` or ``"hann"``.
        min_count: lowest count before the logarithm.
        sampler: method of drawing counts: ``"poisson"`` is exact; ``"fast"`` rounds no count above 32.
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
        check_positive("n_photons", n_photons)
        self.n_photons = float(n_photons)
        self.scan = Scan(n_angles, n_detectors, extent_mm, spacing, input_range, filter, min_count, sampler, slice_dim)
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
        n_photons: lowest and highest N0.
        n_angles: number of angles, as in :class:`PhotonNoise`, like all that follow.
        n_detectors: number of bins.
        extent_mm: length of the longer side of a slice.
        spacing: pixel size in mm.
        input_range: unit of the image: ``"hu"``, or the window and what it was mapped to.
        filter: window on the ramp.
        min_count: lowest count.
        sampler: method of drawing counts, ``"poisson"`` or ``"fast"``.
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
        self.scan = Scan(n_angles, n_detectors, extent_mm, spacing, input_range, filter, min_count, sampler, slice_dim)
        self._n_photons, self._seed = self.n_photons[1], 0

    def randomize(self, data: Any = None) -> None:
        """Draw whether there is noise, the dose and the seed of one call."""
        super().randomize(None)
        low, high = map(math.log, self.n_photons)
        self._n_photons = math.exp(self.R.uniform(low, high))
        self._seed = int(self.R.randint(MAX_SEED, dtype="uint32"))

    @property
    def drawn(self) -> dict[str, float]:
        """What was drawn last, as arguments of :class:`PhotonNoise`."""
        return {"n_photons": self._n_photons}

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


def _dose_range(n_photons: Sequence[float]) -> tuple[float, float]:
    pair = isinstance(n_photons, Sequence) and len(n_photons) == 2 and all(map(is_finite_number, n_photons))
    if pair and 0 < n_photons[0] <= n_photons[1]:
        return float(n_photons[0]), float(n_photons[1])
    raise ValueError(f"'n_photons' must be (low, high) with 0 < low <= high, got {written(n_photons)}.")
