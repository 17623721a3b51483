"""Our array transforms as TorchIO's own."""

from __future__ import annotations

from ..transforms import (
    FourierDisentangle,
    FourierLowPass,
    NonLocalMeans,
    PhotonNoise,
    RandNonLocalMeans,
    RandPhotonNoise,
    RandSpectrumMatch,
    SpectrumMatch,
    SpectrumWhiten,
)
from .native import RandTio, Tio

__all__ = [
    "FourierDisentangleTio",
    "FourierLowPassTio",
    "NonLocalMeansTio",
    "PhotonNoiseTio",
    "RandNonLocalMeansTio",
    "RandPhotonNoiseTio",
    "RandSpectrumMatchTio",
    "SpectrumMatchTio",
    "SpectrumWhitenTio",
]


class FourierDisentangleTio(Tio):
    """TorchIO form of :class:`monai_freq.transforms.FourierDisentangle`, arguments as there.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 8)))
        >>> FourierDisentangleTio(theta=0.3)(subject).t1.shape  # low, then high
        (2, 16, 16, 8)
    """

    array = FourierDisentangle


class FourierLowPassTio(Tio):
    """TorchIO form of :class:`monai_freq.transforms.FourierLowPass`, arguments as there.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 8)))
        >>> bool(FourierLowPassTio(cutoff=0.2)(subject).t1.data.std() < subject.t1.data.std())
        True
    """

    array = FourierLowPass


class SpectrumWhitenTio(Tio):
    """TorchIO form of :class:`monai_freq.transforms.SpectrumWhiten`.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 8)))
        >>> torch.allclose(SpectrumWhitenTio()(subject).t1.data.mean(), subject.t1.data.mean())
        True
    """

    array = SpectrumWhiten


class SpectrumMatchTio(Tio):
    """TorchIO form of :class:`monai_freq.transforms.SpectrumMatch`, arguments as there.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 8)))
        >>> matched = SpectrumMatchTio(reference=torch.rand(1, 24, 24, 8))(subject)
        >>> torch.allclose(matched.t1.data.mean(), subject.t1.data.mean())
        True
    """

    array = SpectrumMatch


class RandSpectrumMatchTio(RandTio):
    """TorchIO form of :class:`monai_freq.transforms.RandSpectrumMatch`: ``p`` for ``prob``, other arguments as there.

    The history has a :class:`SpectrumMatchTio` with the densities and strengths that were drawn.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 8)))
        >>> (step,) = RandSpectrumMatchTio(references=[torch.rand(1, 24, 24, 8)])(subject).history
        >>> 0 <= step.strength["t1"] <= 1
        True
    """

    array = RandSpectrumMatch
    fixed = SpectrumMatchTio


class NonLocalMeansTio(Tio):
    """TorchIO form of :class:`monai_freq.transforms.NonLocalMeans`, arguments as there.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 1)))
        >>> bool(NonLocalMeansTio(sigma=0.3)(subject).t1.data.std() < subject.t1.data.std())
        True
    """

    array = NonLocalMeans


class RandNonLocalMeansTio(RandTio):
    """TorchIO form of :class:`monai_freq.transforms.RandNonLocalMeans`: ``p`` for ``prob``, other arguments as there.

    The history has a :class:`NonLocalMeansTio` with the strengths that were drawn.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 1)))
        >>> (step,) = RandNonLocalMeansTio(sigma=0.3)(subject).history
        >>> 0.6 <= step.h_factor["t1"] <= 1.8
        True
    """

    array = RandNonLocalMeans
    fixed = NonLocalMeansTio


class PhotonNoiseTio(Tio):
    """TorchIO form of :class:`monai_freq.transforms.PhotonNoise`: the noise of one seed, other arguments as there.

    The size of a pixel is the image's spacing, unless ``spacing`` or ``extent_mm`` say more. One seed gives all images
    of one size the same noise field; ``seed={"ct": 3, "pet": 4}`` gives each its own. For noise that differs
    from call to call, take :class:`RandPhotonNoiseTio`, with ``n_photons=(4096, 4096)`` for one dose.

    Example:
        >>> import torch, torchio
        >>> water = torchio.ScalarImage(tensor=torch.zeros(1, 32, 32, 2))  # in HU, voxels of 1 mm
        >>> scan = PhotonNoiseTio(n_photons=4096, n_angles=90, seed=3)
        >>> torch.equal(scan(water).data, scan(water).data), bool(scan(water).data.std() > 1)
        (True, True)
    """

    array = PhotonNoise


class RandPhotonNoiseTio(RandTio):
    """TorchIO form of :class:`monai_freq.transforms.RandPhotonNoise`: ``p`` for ``prob``, other arguments as there.

    The history has a :class:`PhotonNoiseTio` with the doses and seeds that were drawn.

    Example:
        >>> import torch, torchio
        >>> subject = torchio.Subject(ct=torchio.ScalarImage(tensor=torch.zeros(1, 32, 32, 2)))
        >>> noisy = RandPhotonNoiseTio(n_photons=(4096, 65536), n_angles=90)(subject)
        >>> (step,) = noisy.history
        >>> 4096 <= step.n_photons["ct"] <= 65536, torch.equal(step(subject).ct.data, noisy.ct.data)
        (True, True)
    """

    array = RandPhotonNoise
    fixed = PhotonNoiseTio
