"""Any transform of MONAI or TorchIO as an artifact on an image, and the spectrum of what it changes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform
from torch import Tensor

from ..chance import drawing_from
from ..seeds import check_seed
from ..spectral.psd import radial_psd
from .image import as_image, like_image, require_finite, source_of

__all__ = [
    "artifact_psd",
    "artifact_residual",
    "as_artifact",
    "called_on",
    "dictionary_keys",
    "editable",
    "naming",
    "with_artifact",
]

Artifact = Callable[..., Any]


def artifact_psd(
    transform: Artifact,
    images: Iterable[NdarrayOrTensor | Mapping[Hashable, Any]],
    key: Hashable = "image",
    *,
    power: float = 1,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    r"""Mean power spectrum density of what a transform changes in images.

    .. math:: \frac{1}{n} \sum_{i=1}^n \text{PSD}\bigl( A_{s + i}(x_i) - x_i \bigr)

    averaged over channels too. The draws of image i come from the seed s + i alone, so that a call can be repeated; the
    global random states come back as they were, and those of the transform are new.

    Args:
        transform: any transform of MONAI or TorchIO, for arrays or for dictionaries, or a callable, that keeps the
            shape.
        images: images of one size, or items that hold them.
        key: where a dictionary transform, or an item, has the image.
        power: 1 for the magnitude as in the paper, 2 for the energy.
        seed: of the draws of random transforms.

    Returns:
        Frequencies ``(K,)`` in cycles per voxel, and the density ``(K,)``.

    Shape:
        each image ``(C, *spatial)``, in 1D, 2D or 3D.

    Raises:
        TypeError: the transform cannot be called.
        ValueError: there is no image, the images differ in size, or one has NaN or infinity; the transform has other
            keys, changes the shape, returns no image, or makes NaN or infinity; power or seed is out of range.
        KeyError: an item lacks the key.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670: Figure 3, green lines.

    Example:
        >>> from monai_freq.spectral.psd import band_shares
        >>> from monai_freq.transforms import FourierLowPass
        >>> frequencies, density = artifact_psd(FourierLowPass(cutoff=1 / 3), torch.rand(4, 1, 32, 32))
        >>> float(band_shares(frequencies, density)["high"]) > 0.9
        True
    """
    artifact = as_artifact(transform)
    check_seed(seed)
    sizes, densities, frequencies = set(), [], torch.zeros(0)
    for place, image in enumerate(images):
        residual = artifact_residual(artifact, image, key, seed=seed + place)
        sizes.add(tuple(residual.shape[1:]))
        if len(sizes) > 1:
            raise ValueError(f"'images' must have one size, got {sorted(sizes)}: crop or resize them first.")
        frequencies, density = radial_psd(residual, power=power, spatial_dims=residual.ndim - 1)
        densities.append(density.mean(0))
    if not densities:
        raise ValueError("'images' must hold at least one image, got none.")
    return frequencies, torch.stack(densities).mean(0)


def artifact_residual(
    artifact: Artifact, item: NdarrayOrTensor | Mapping[Hashable, Any], key: Hashable = "image", *, seed: int = 0
) -> Tensor:
    """What an artifact changes in an image: after minus before.

    Args:
        artifact: any transform of MONAI or TorchIO, or a callable, that keeps the shape.
        item: an image, or a dictionary that holds one.
        key: where the artifact, or the item, has the image.
        seed: of the artifact's draws.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)``; integers and half precision become float32.

    Raises:
        ValueError: the image or the result is not a finite image, or their shapes differ; the artifact has other keys.
        KeyError: the item lacks the key.

    Example:
        >>> artifact_residual(lambda image: image + 0.5, torch.ones(1, 2, 2)).unique()
        tensor([0.5000])
    """
    if isinstance(item, Mapping) and key not in item:
        raise KeyError(f"the item has no '{key}', only {sorted(map(str, item))}: name the image's with key=...")
    keys = dictionary_keys(artifact)
    if keys and key not in keys:
        raise ValueError(f"'key' must be one of the artifact's, {sorted(map(str, keys))}, got '{key}'.")
    image = item[key] if isinstance(item, Mapping) else item
    with naming(key, image):
        image = _floating(image)
        ready = editable(image)
        if keys:
            whole = dict(item) if isinstance(item, Mapping) else {}
            with drawing_from(artifact, seed, ready.device):
                result = artifact({**whole, key: ready})
            altered = result.get(key) if isinstance(result, Mapping) else result
        else:
            altered = called_on(artifact, ready, seed)
        after = as_image(with_artifact(altered, image, artifact))[1]
    return after - as_image(image)[1]


def as_artifact(artifact: object) -> Artifact:
    """Refuse what cannot be called on an image.

    Args:
        artifact: what should be a transform.

    Raises:
        TypeError: it is a class, or cannot be called.

    Example:
        >>> as_artifact(MapTransform)
        Traceback (most recent call last):
        TypeError: 'artifact' must be a transform or another callable, made and ready, got MapTransform.
    """
    if not callable(artifact) or isinstance(artifact, type):
        name = artifact.__name__ if isinstance(artifact, type) else repr(artifact)
        raise TypeError(f"'artifact' must be a transform or another callable, made and ready, got {name}.")
    return artifact


def dictionary_keys(artifact: object) -> set[Hashable]:
    """Keys of a dictionary transform, or of a composition of such; none for an array transform.

    Args:
        artifact: any transform.

    Example:
        >>> from monai.transforms import RandGibbsNoise, RandGibbsNoised
        >>> dictionary_keys(RandGibbsNoised("image")), dictionary_keys(RandGibbsNoise())
        ({'image'}, set())
    """
    if isinstance(artifact, MapTransform):
        return set(artifact.keys)
    if isinstance(artifact, Compose):
        return set().union(*map(dictionary_keys, artifact.transforms))
    return set()


def called_on(artifact: Artifact, image: Tensor, seed: int) -> Any:
    """Result of an array artifact; TorchIO's see the image as ``(C, W, H, D)`` and on the CPU.

    Args:
        artifact: array transform of MONAI or TorchIO, or a callable.
        image: ``(C, *spatial)``, which the artifact may write into.
        seed: of its draws.

    Example:
        >>> called_on(lambda image: image + torch.rand(1), torch.zeros(1, 1), 3) == torch.zeros(1, 1)
        tensor([[False]])
    """
    with drawing_from(artifact, seed, image.device):
        torchio = sys.modules.get("torchio")  # whoever has one of its transforms has imported it
        if torchio is None or not isinstance(artifact, torchio.Transform):
            return artifact(image)
        bare = image.as_tensor() if isinstance(image, MetaTensor) else image
        volume = bare.cpu()[(..., *[None] * (4 - bare.ndim))]
        result = artifact(volume)
        return result.reshape(bare.shape) if result.shape == volume.shape else result


def editable(img: NdarrayOrTensor) -> Tensor:
    """Copy of an image that an artifact may write into, with the metadata, in float32 at least.

    Args:
        img: ``(C, *spatial)``.

    Raises:
        ValueError: it has integers, NaN or infinity, or another number of dimensions.

    Example:
        >>> editable(torch.zeros(1, 4, 4, dtype=torch.float16)).dtype
        torch.float32
    """
    image = torch.as_tensor(as_image(img)[0])
    if not image.is_floating_point():
        # Altered images would be floating point and the others not: another shortcut, and no batch.
        raise ValueError(f"the image must be of floating point, got {image.dtype}: put EnsureTyped(dtype=...) before.")
    require_finite(image)
    return image.to(torch.promote_types(image.dtype, torch.float32), copy=True)


def with_artifact(altered: Any, image: NdarrayOrTensor, artifact: Artifact) -> NdarrayOrTensor:
    """What an artifact made of an image, in the image's type and with its metadata.

    Args:
        altered: what the artifact returned.
        image: what it was called on.
        artifact: for its name.

    Raises:
        ValueError: it is no image, of another shape, or has NaN or infinity.

    Example:
        >>> with_artifact(None, torch.zeros(1, 2, 2), print)
        Traceback (most recent call last):
        ValueError: 'artifact' must return an image, but print returned NoneType.
    """
    name = getattr(artifact, "__name__", type(artifact).__name__)
    if not isinstance(altered, Tensor | np.ndarray):
        raise ValueError(f"'artifact' must return an image, but {name} returned {type(altered).__name__}.")
    if altered.shape != image.shape:
        raise ValueError(
            f"'artifact' must keep the shape, but {name} made {tuple(altered.shape)} of {tuple(image.shape)}."
        )
    result = torch.as_tensor(altered).to(as_image(image)[1].dtype)
    try:
        require_finite(result)
    except ValueError as error:
        raise ValueError(f"'artifact' must return finite values, but after {name} {error}") from error
    return like_image(result.as_tensor() if isinstance(result, MetaTensor) else result, image)


@contextmanager
def naming(key: Hashable, img: object) -> Iterator[None]:
    """Errors within the block get the key of the image, and its file where that is known.

    Args:
        key: of the image.
        img: the image.

    Example:
        >>> with naming("t1", None):
        ...     raise ValueError("the image is empty.")
        Traceback (most recent call last):
        ValueError: the image is empty. (key 't1')
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{error} (key '{key}'{source_of(img)})") from error


def _floating(img: object) -> Tensor:
    """Image in float32 at least, so that what is changed is not rounded to what the image can hold."""
    if not isinstance(img, Tensor | np.ndarray):
        raise ValueError(f"the image must be a tensor or an array, got {type(img).__name__}: load it first.")
    image = torch.as_tensor(as_image(img)[0])
    return image.to(torch.promote_types(image.dtype, torch.float32))
