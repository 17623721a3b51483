"""Spectrum whitening, as transforms."""

from __future__ import annotations

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends

from ..spectral.whiten import whiten
from .image import as_image, like_image, require_finite
from .keyed import Keyed

__all__ = ["SpectrumWhiten", "SpectrumWhitend"]


class SpectrumWhiten(Transform):
    r"""Give every frequency of an image the same magnitude, so that a network is encouraged to learn the high ones.

    .. math:: I_n = \mathcal{F}^{-1} \left( \frac{\mathcal{F}(I)}{|\mathcal{F}(I)|} \right), \qquad
        I_w = (I_n - \mu_n) \frac{\sigma_o}{\sigma_n} + \mu_o

    for each channel by itself, see :func:`monai_freq.spectral.whiten.whiten`. Phase, mean and SD are kept; a constant
    channel returns unchanged. Nothing is clipped: of an image in [0, 1], a few to 15% of the pixels leave it.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)``; integers become float32, metadata are kept.

    Raises:
        ValueError: the image holds NaN or infinity, or has another number of dimensions.

    Reference:
        Y. Lu et al. (2025), Equation 2: whitening of the source data.

    Example:
        >>> image = torch.rand(1, 32, 32)
        >>> whitened = SpectrumWhiten()(image)
        >>> torch.allclose(whitened.mean(), image.mean()), torch.allclose(whitened.std(), image.std())
        (True, True)
    """

    backend = [TransformBackends.TORCH]

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Whiten one image."""
        tracked, image = as_image(img)
        require_finite(image)
        with torch.no_grad():
            whitened = whiten(image, spatial_dims=image.ndim - 1)
        return like_image(whitened, tracked)


class SpectrumWhitend(Keyed):
    """Dictionary version of :class:`SpectrumWhiten`: arguments after ``keys`` as there.

    Example:
        >>> item = {"image": torch.rand(1, 32, 32), "label": 1}
        >>> whitened = SpectrumWhitend("image")(item)["image"]
        >>> torch.allclose(whitened.mean(), item["image"].mean())
        True
    """

    array = SpectrumWhiten
