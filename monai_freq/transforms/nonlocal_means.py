"""Non-local means, as transforms: the frequency shortcut of MR images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import RandomizableTransform, Transform
from monai.utils import TransformBackends
from torch import Tensor

from ..quoting import written
from ..spectral.noise_sigma import estimate_noise_sigma
from ..spectral.nonlocal_means import NoiseModel, check_nonlocal_means, nonlocal_means
from ..spectral.scalars import is_finite_number
from .image import as_image, check_probability, like_image, require_finite
from .keyed import Keyed, RandKeyed
from .naming import OncePerItem

__all__ = ["NonLocalMeans", "NonLocalMeansd", "RandNonLocalMeans", "RandNonLocalMeansd"]

#: Range in which an estimate of the noise can be true, in SDs of the image; of a few pixels it is uncertain.
_LEAST, _MOST = 1e-6, 2.5
#: Share of the values that lie nearer to their median than one SD of the noise, where the noise is of a few others.
_NEAR = 0.98
_ENOUGH, _SAMPLE = 500, 1_000_000  # values, which tell their quantiles


class NonLocalMeans(Transform):
    r"""Denoise an image: each voxel becomes an average of those near it whose surroundings look like its own.

    .. math:: w(p, q) = \exp \Bigl( -\frac{1}{|B| h^2} \sum_{b \in B} (x_{p+b} - x_{q+b})^2 \Bigr), \qquad
        \bar v_p = \frac{\sum_{q \in p + S} w(p, q)\, v_q}{\sum_{q \in p + S} w(p, q)}

    over the patch B and the search window S, with :math:`y = \sqrt{\max(\bar v - 2 \sigma^2, 0)},\ v = x^2` for the
    Rician noise of MR magnitudes and :math:`y = \bar v,\ v = x` for Gaussian noise; see
    :func:`monai_freq.spectral.nonlocal_means.nonlocal_means`. All offsets of the window count, as in the original
    algorithm. What falls away is high frequencies, by which a network can tell filtered images from others.

    Each channel is filtered by itself. The library and the parameters that Lu et al. used are not public: these
    defaults are not theirs.

    Args:
        patch_radius: radius of B in voxels, one number or one for each spatial axis; 1 makes it 3 x 3 (x 3).
        search_radius: radius of S in voxels, likewise, smaller along an axis of thick slices; by default 5 for an image
            and 3 for a volume.
        h: strength of the filter in units of the image; by default ``h_factor`` times sigma.
        h_factor: strength in units of sigma, at least 0.
        sigma: SD of the noise in units of the image; by default estimated, see
            :func:`monai_freq.spectral.noise_sigma.estimate_noise_sigma`. At 0, as in a constant image, the image
            returns unchanged. So it does where the estimate cannot be true, with a warning: where no noise is found in
            an image that is not constant, or more than 2.5 times the SD of the image, or more than 98% of the values
            are from their median, the commonest value left out and of 500 values at least.
        noise_model: model of the noise: ``"rician"`` for magnitudes, which are not negative and whose zero is no
            signal, so that an image must not be shifted before; ``"gaussian"`` for others.
        channel_wise: whether a channel's sigma is its own, or all have their mean, of those that can be true.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)`` with 2 or 3 spatial axes; integers become float32, metadata are kept.

    Raises:
        ValueError: an argument outside its range, NaN or infinity in the image, negative values with ``"rician"``, or
            another number of dimensions.

    Warns:
        UserWarning: once for each image whose noise cannot be estimated.

    Reference:
        A. Buades, B. Coll, J.-M. Morel (2005), "A non-local algorithm for image denoising", CVPR.
        DOI 10.1109/CVPR.2005.38.
        J. V. Manjón et al. (2008), "MRI denoising using non-local means", Medical Image Analysis 12(4).
        DOI 10.1016/j.media.2008.02.004.
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670: non-local means as a frequency shortcut.

    Example:
        >>> noisy = 1 + 0.1 * torch.randn(1, 48, 48, generator=torch.Generator().manual_seed(0))
        >>> bool(NonLocalMeans()(noisy).std() < 0.3 * noisy.std())
        True
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        patch_radius: int | Sequence[int] = 1,
        search_radius: int | Sequence[int] | None = None,
        h: float | None = None,
        h_factor: float = 1.2,
        sigma: float | None = None,
        noise_model: NoiseModel = "rician",
        channel_wise: bool = True,
    ) -> None:
        strength, noise = (0.0 if amount is None else amount for amount in (h, sigma))
        check_nonlocal_means(strength, patch_radius, search_radius, noise_model, noise)
        _check_factors(h_factor)
        self.h = h
        self.h_factor = h_factor
        self.settings = _Settings(patch_radius, search_radius, sigma, noise_model, channel_wise)

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Denoise one image."""
        return self.settings.denoised(img, self.h, self.h_factor)


class NonLocalMeansd(Keyed):
    """Dictionary version of :class:`NonLocalMeans`: arguments after ``keys`` as there.

    Example:
        >>> item = {"image": torch.rand(1, 24, 24), "label": 1}
        >>> denoised = NonLocalMeansd("image", sigma=0.3, noise_model="gaussian")(item)
        >>> bool(denoised["image"].std() < item["image"].std()), denoised["label"]
        (True, 1)
    """

    array = NonLocalMeans


class RandNonLocalMeans(RandomizableTransform):
    r"""Denoise some of the images, each by another strength: :class:`NonLocalMeans` with

    .. math:: h \sim \text{Uniform}(\text{low}, \text{high}) \cdot \sigma

    Args:
        prob: probability of denoising.
        h_factor: lowest and highest strength in units of sigma, at least 0.
        patch_radius: radius of the patches, as in :class:`NonLocalMeans`, like all that follow.
        search_radius: radius of the search window.
        sigma: SD of the noise.
        noise_model: model of the noise, ``"rician"`` or ``"gaussian"``.
        channel_wise: whether a channel's sigma is its own.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)`` with 2 or 3 spatial axes; integers become float32 whether they are
        denoised or not, metadata are kept.

    Raises:
        ValueError: as in :class:`NonLocalMeans`; prob outside [0, 1].

    Warns:
        UserWarning: as in :class:`NonLocalMeans`.

    Reference:
        A. Buades, B. Coll, J.-M. Morel (2005), DOI 10.1109/CVPR.2005.38, for one strength.

    Example:
        >>> augment = RandNonLocalMeans(prob=1.0, h_factor=(0.5, 1.5)).set_random_state(0)
        >>> augment(torch.rand(1, 24, 24)).shape
        torch.Size([1, 24, 24])
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        prob: float = 0.1,
        h_factor: Sequence[float] = (0.6, 1.8),
        patch_radius: int | Sequence[int] = 1,
        search_radius: int | Sequence[int] | None = None,
        sigma: float | None = None,
        noise_model: NoiseModel = "rician",
        channel_wise: bool = True,
    ) -> None:
        check_probability(prob)
        super().__init__(prob)
        check_nonlocal_means(0.0, patch_radius, search_radius, noise_model, 0.0 if sigma is None else sigma)
        if not isinstance(h_factor, Sequence) or len(h_factor) != 2:
            raise ValueError(f"'h_factor' must be (low, high), got {written(h_factor)}.")
        _check_factors(*h_factor)
        self.h_factor = float(h_factor[0]), float(h_factor[1])
        self.settings = _Settings(patch_radius, search_radius, sigma, noise_model, channel_wise)
        self._drawn = self.h_factor[0]

    def randomize(self, data: Any = None) -> None:
        """Draw whether to denoise, and how strongly."""
        super().randomize(None)
        self._drawn = self.R.uniform(*self.h_factor)

    @property
    def drawn(self) -> dict[str, float]:
        """What was drawn last, as arguments of :class:`NonLocalMeans`."""
        return {"h_factor": self._drawn}

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Denoise one image, or not; with ``randomize=False``, as drawn last."""
        if randomize:
            self.randomize()
        if self._do_transform:
            return self.settings.denoised(img, None, self._drawn)
        tracked, image = as_image(img)
        return like_image(image if image.is_floating_point() else image.to(torch.float32), tracked)


class RandNonLocalMeansd(RandKeyed):
    """Dictionary version of :class:`RandNonLocalMeans`: one draw for all keys, arguments after ``keys`` as there.

    The keys share whether and how strongly; the noise of each is estimated from its image.

    Example:
        >>> item = {"image": torch.rand(1, 24, 24), "label": 1}
        >>> augment = RandNonLocalMeansd("image", prob=1.0, sigma=0.3).set_random_state(0)
        >>> bool(augment(item)["image"].std() < item["image"].std())
        True
    """

    array = RandNonLocalMeans


@dataclass
class _Settings:
    """How images are denoised, but for the strength."""

    patch_radius: int | Sequence[int]
    search_radius: int | Sequence[int] | None
    sigma: float | None
    noise_model: NoiseModel
    channel_wise: bool
    untold: OncePerItem = field(default_factory=OncePerItem)

    def denoised(self, img: NdarrayOrTensor, h: float | None, h_factor: float) -> NdarrayOrTensor:
        """Denoised image, of strength h or, if that is None, of so many sigma."""
        tracked, image = as_image(img)
        require_finite(image)
        sigmas = self._sigmas(tracked, image, needed=h is None or self.noise_model == "rician")
        parts = [image] if len(set(sigmas)) == 1 else image.chunk(len(image))
        filtered = [
            nonlocal_means(
                part,
                h_factor * sigma if h is None else h,
                spatial_dims=image.ndim - 1,
                patch_radius=self.patch_radius,
                search_radius=self.search_radius,
                noise_model=self.noise_model,
                sigma=sigma,
            )
            for part, sigma in zip(parts, sigmas, strict=False)
        ]
        return like_image(torch.cat(filtered), tracked)

    def _sigmas(self, img: NdarrayOrTensor, image: Tensor, needed: bool) -> list[float]:
        """SD of the noise in each channel."""
        if self.sigma is not None or not needed:
            return [self.sigma or 0.0] * len(image)
        found = estimate_noise_sigma(image, spatial_dims=image.ndim - 1).double()
        spread, reach = _spread(image), torch.stack([_reach(channel) for channel in image.flatten(1)])
        sound = (found >= _LEAST * spread) & (found <= _MOST * spread) & (found <= reach)
        for channel in (~sound).nonzero().flatten().tolist()[:1]:
            self.untold.warn(_doubt(channel, *(float(each[channel]) for each in (found, spread, reach))), img)
        if self.channel_wise:
            return found.where(sound, 0).tolist()
        return [float(found[sound].mean()) if sound.any() else 0.0] * len(image)


def _spread(image: Tensor) -> Tensor:
    """SD of each channel, exactly 0 where it is constant; ``(C,)``, float64."""
    low, high = image.flatten(1).aminmax(dim=1)
    return image.flatten(1).double().std(1, correction=0).where(low < high, 0)


def _reach(values: Tensor) -> Tensor:
    """Distance from their median that 98% of the values have at most, but for the commonest value, as a background."""
    some = values[:: max(1, len(values) // _SAMPLE)].double()
    varied = some[some != some.mode().values]
    if len(varied) < _ENOUGH:
        return some.new_full((), math.inf)
    return (varied - varied.median()).abs().kthvalue(math.ceil(_NEAR * len(varied))).values


def _doubt(channel: int, sigma: float, spread: float, reach: float) -> str:
    found, values = f"noise with an SD of {sigma:.3g}", f"whose values have an SD of {spread:.3g}"
    if sigma < _LEAST * spread:
        found = "no noise"
    elif sigma <= _MOST * spread:
        values = f"of whose values {_NEAR:.0%} are within {reach:.3g} of their median"
    return (
        f"{found} is found in channel {channel} of an image, {values}: that cannot be, "
        "and 0 is taken, which leaves the image as it is. Give 'sigma', the SD of the noise"
    )


def _check_factors(*factors: float) -> None:
    if not all(map(is_finite_number, factors)) or not 0 <= factors[0] <= factors[-1]:
        got = factors[0] if len(factors) == 1 else factors
        raise ValueError(
            f"'h_factor' is in units of sigma, finite and at least 0, low before high, got {written(got)}."
        )
