"""Any transform of MONAI or TorchIO as an artifact on an image, and the spectrum of what it changes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from torch import Tensor

from ..seeding.seeds import check_seed
from ..spectral.psd import radial_psd
from .foreign import Artifact, as_artifact, called_on, called_on_item, dictionary_keys, editable, with_artifact
from .image import as_image
from .naming import naming

__all__ = ["artifact_psd", "artifact_residual"]


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
        key: key of the image in a dictionary transform, or an item.
        power: exponent of the magnitude, 1 as in the paper, 2 for the energy.
        seed: seed of the draws of random transforms.

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
        key: key of the image in the artifact, or the item.
        seed: seed of the artifact's draws.

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
        if not isinstance(image, Tensor | np.ndarray):
            raise ValueError(f"the image must be a tensor or an array, got {type(image).__name__}: load it first.")
        ready, before = editable(image), editable(image)
        if keys:
            result = called_on_item(artifact, item if isinstance(item, Mapping) else {}, {key: ready}, seed)
            altered = result.get(key) if isinstance(result, Mapping) else result
        else:
            altered = called_on(artifact, ready, seed)
        after = as_image(with_artifact(altered, before, artifact))[1]
    return after - as_image(before)[1]
