"""Which intensities of an image become 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monai.data import MetaTensor
from monai.transforms import MapTransform, ScaleIntensityd, ScaleIntensityRanged
from torch import Tensor

from ..quoting import named

__all__ = ["over_full_scale", "over_maximum", "scaled_intensity"]


def scaled_intensity(window: Sequence[float] | None) -> MapTransform:
    """Transform of an item's image that brings its intensities to [0, 1].

    Args:
        window: intensities that become 0 and 1, clipped beyond; None for each image's own minimum and maximum.

    Example:
        >>> import torch
        >>> scaled_intensity([-160, 240])({"image": torch.tensor([-1000.0, 40.0, 240.0])})["image"]
        metatensor([0.0000, 0.5000, 1.0000])
    """
    if window is None:
        return ScaleIntensityd("image")
    low, high = window
    return ScaleIntensityRanged("image", low, high, 0, 1, clip=True)


def over_maximum(image: Tensor) -> Tensor:
    r"""Divide a magnitude image by its maximum: what is 0 stays 0, as the noise of magnitudes has it.

    .. math:: x / \max x

    Args:
        image: image without negative values; one without a positive voxel is returned as it is.

    Shape:
        Any, the same.

    Example:
        >>> import torch
        >>> over_maximum(torch.tensor([[0.0, 2.0, 4.0]]))
        tensor([[0.0000, 0.5000, 1.0000]])
    """
    highest = image.max()
    return image / highest if highest > 0 else image


def over_full_scale(image: Tensor) -> Tensor:
    r"""Divide a picture by its own white, so that pictures of 8 and of 16 bits have one scale.

    .. math:: x / w, \quad w = 255 \text{ of 8 bits, } 65535 \text{ of 16}

    Args:
        image: as :class:`monai_freq.transforms.LoadSlice` loads it, with ``full_scale`` in its metadata.

    Shape:
        Any, the same.

    Raises:
        ValueError: its file does not state what white is.

    Example:
        >>> import torch
        >>> over_full_scale(MetaTensor(torch.tensor([[0.0, 65535.0]]), meta={"full_scale": 65535.0}))
        metatensor([[0., 1.]])
    """
    white = image.meta.get("full_scale", math.nan) if isinstance(image, MetaTensor) else math.nan
    if not white > 0:
        name = image.meta.get("filename_or_obj", "the image") if isinstance(image, MetaTensor) else "the image"
        raise ValueError(
            f"{named(str(name))} does not state what white is: export it as PNG, or give another 'scaling'."
        )
    scaled: Tensor = image / white
    return scaled
