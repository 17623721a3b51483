"""Low and high frequencies of an image, as transforms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends

from ..spectral.bands import Convention, check_bands, check_cutoff, low_pass, split
from ..spectral.theta import Theta, theta_as_kept
from .image import as_image, like_image, require_finite
from .keyed import Keyed

__all__ = ["FourierDisentangle", "FourierDisentangled", "FourierLowPass", "FourierLowPassd"]


class FourierDisentangle(Transform):
    r"""Split an image into its low and high frequencies, stacked as channels: low first, then high.

    .. math:: \text{low} = P_\text{low}\, x, \qquad \text{high} = x - \text{low}

    with P the projection on a block of frequencies, see :func:`monai_freq.spectral.bands.split`.

    Args:
        theta: width of the block, a fraction of each cut axis' frequencies in (0, 1): one number, or one for each axis.
        axes: spatial axes that are cut; the first two, so that a volume is not cut along z, as in the paper.
        convention: name of the band that is called low: ``"figure2"``, ``"equation1"`` or ``"released"``.

    Shape:
        ``(C, *spatial)`` -> ``(2C, *spatial)``; integers become float32, metadata are kept.

    Raises:
        ValueError: an argument outside its range, an axis that the image lacks, NaN or infinity in the image.

    Reference:
        G. Fu et al. (2024), "The intriguing effect of frequency disentangled learning on medical image segmentation",
        SPIE Medical Imaging. DOI 10.1117/12.2692286.

    Example:
        >>> image = torch.rand(1, 32, 32, 16)
        >>> parts = FourierDisentangle(theta=0.1)(image)
        >>> parts.shape
        torch.Size([2, 32, 32, 16])
        >>> torch.allclose(parts[:1] + parts[1:], image)
        True
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, theta: Theta = 0.1, axes: Sequence[int] = (0, 1), convention: Convention = "figure2") -> None:
        check_bands(theta, convention, axes, spatial_dims=3)
        self.theta = theta_as_kept(theta)
        self.axes = tuple(axes)
        self.convention = convention

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Split one image."""
        tracked, image = as_image(img)
        require_finite(image)
        channels, *spatial = image.shape
        computed = torch.promote_types(image.dtype, torch.float32)
        parts = torch.empty((2 * channels, *spatial), dtype=computed, device=image.device)
        halves = parts[:channels], parts[channels:]
        with torch.no_grad():
            split(
                image.contiguous(),
                self.theta,
                spatial_dims=len(spatial),
                axes=self.axes,
                convention=self.convention,
                out=halves,
            )
        return like_image(parts.to(image.dtype) if image.is_floating_point() else parts, tracked)


class FourierDisentangled(Keyed):
    """Dictionary version of :class:`FourierDisentangle`: arguments after ``keys`` as there.

    Example:
        >>> item = {"image": torch.rand(1, 32, 32), "label": torch.zeros(1, 32, 32)}
        >>> parts = FourierDisentangled("image", theta=0.1)(item)
        >>> parts["image"].shape, parts["label"].shape
        (torch.Size([2, 32, 32]), torch.Size([1, 32, 32]))
    """

    array = FourierDisentangle


class FourierLowPass(Transform):
    r"""Keep the frequencies of an image up to a radius.

    .. math:: \mathcal{F}^{-1}\bigl( \mathcal{F}(x) \cdot [\,|f| \le \text{cutoff}\,] \bigr)

    Args:
        cutoff: radius in cycles per voxel, in (0, 0.5].

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)``; integers become float32, metadata are kept.

    Raises:
        ValueError: cutoff outside its range, NaN or infinity in the image.

    Reference:
        Y. Lu et al. (2025), low-pass editing of the source data.

    Example:
        >>> FourierLowPass(cutoff=0.25)(torch.rand(1, 32, 32)).shape
        torch.Size([1, 32, 32])
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, cutoff: float) -> None:
        check_cutoff(cutoff)
        self.cutoff = cutoff

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Filter one image."""
        tracked, image = as_image(img)
        require_finite(image)
        return like_image(low_pass(image, self.cutoff, spatial_dims=image.ndim - 1), tracked)


class FourierLowPassd(Keyed):
    """Dictionary version of :class:`FourierLowPass`: arguments after ``keys`` as there.

    Example:
        >>> item = {"t1": torch.rand(1, 32, 32), "t2": torch.rand(1, 32, 32)}
        >>> smooth = FourierLowPassd(["t1", "t2"], cutoff=0.25)(item)
        >>> [bool(smooth[key].std() < item[key].std()) for key in item]
        [True, True]
    """

    array = FourierLowPass
