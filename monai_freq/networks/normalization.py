"""Which intensities a network is given: those that its weights were trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..spectral.scalars import is_finite_number

__all__ = ["NORMALIZATIONS", "Normalization", "normalized", "resolved", "undone"]


class Normalization(NamedTuple):
    """What is subtracted from intensities in [0, 1], and what they are divided by then.

    Args:
        mean: mean of each channel, in the order that the network sees them in.
        sd: SD of each channel.
        reverse: whether the network sees blue, green, red.

    Example:
        >>> Normalization((0.5,), (0.5,)).reverse
        False
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    reverse: bool = False


#: name -> normalization of three channels; that of one has the mean of the means, and of the SDs
NORMALIZATIONS = {
    "zero_to_one": Normalization((0.0,) * 3, (1.0,) * 3),
    "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "radimagenet_pytorch": Normalization((0.5,) * 3, (0.5,) * 3),
    # Keras subtracts these means of 0 to 255 and divides by 255 afterwards, whatever the order of its arguments
    "radimagenet_tensorflow": Normalization((103.939 / 255, 116.779 / 255, 123.68 / 255), (1.0,) * 3, reverse=True),
}


def normalized(image: Tensor, normalization: str | Mapping[str, Any]) -> Tensor:
    r"""Bring intensities from [0, 1] to those that weights were trained with.

    .. math:: (x_c - \mu_c) / \sigma_c

    ===================================  =====================================================================
    ``"zero_to_one"``                    :math:`x`
    ``"imagenet"``                       mean (.485, .456, .406), SD (.229, .224, .225): torchvision's weights
    ``"radimagenet_pytorch"``            :math:`(255 x - 127.5) \cdot 2 / 255`
    ``"radimagenet_tensorflow"``         blue, green, red; :math:`(255 x - (103.939, 116.779, 123.68)) / 255`
    ``{"mean": ..., "sd": ...}``         a number for all channels, or one for each
    ===================================  =====================================================================

    A grey image in one channel gets the mean of the means, and of the SDs.

    Args:
        image: image in [0, 1], ``(C, *spatial)``.
        normalization: a name, or mean and SD.

    Returns:
        Float32 of the same shape.

    Raises:
        ValueError: there is no such normalization, or it is of another number of channels.

    Reference:
        X. Mei et al. (2022), "RadImageNet", doi:10.1148/ryai.210315, and the reports on its input scales,
        https://github.com/BMEII-AI/RadImageNet/issues/18 and /20.

    Example:
        >>> image = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 3)
        >>> normalized(image, "radimagenet_pytorch").flatten().tolist()
        [-1.0, 0.0, 1.0]
        >>> normalized(image, {"mean": 0.5, "sd": 0.25}).flatten().tolist()
        [-2.0, 0.0, 2.0]
    """
    mean, sd, reverse = _columns(image, normalization)
    ordered = image.flip(0) if reverse else image
    return (ordered.float() - mean) / sd


def undone(image: Tensor, normalization: str | Mapping[str, Any]) -> Tensor:
    """Intensities in [0, 1] again: the inverse of :func:`normalized`.

    Args:
        image: result of :func:`normalized`, ``(C, *spatial)``.
        normalization: a name, or mean and SD.

    Raises:
        ValueError: there is no such normalization, or it is of another number of channels.

    Example:
        >>> undone(torch.tensor([[-1.0, 1.0]]), "radimagenet_pytorch")
        tensor([[0., 1.]])
    """
    mean, sd, reverse = _columns(image, normalization)
    plain = image.float() * sd + mean
    return plain.flip(0) if reverse else plain


def _columns(image: Tensor, normalization: str | Mapping[str, Any]) -> tuple[Tensor, Tensor, bool]:
    """Mean and SD, to be broadcast to an image."""
    mean, sd, reverse = resolved(normalization, len(image))
    mean_column, sd_column = (torch.tensor(part, device=image.device) for part in (mean, sd))
    shape = (-1,) + (1,) * (image.ndim - 1)
    return mean_column.view(shape), sd_column.view(shape), reverse


def resolved(normalization: str | Mapping[str, Any], channels: int) -> Normalization:
    """The numbers of a normalization.

    Args:
        normalization: a name, or ``{"mean": ..., "sd": ...}``.
        channels: number of channels of the image.

    Raises:
        ValueError: there is no such normalization, or it is of another number of channels.

    Example:
        >>> resolved("imagenet", 1)
        Normalization(mean=(0.449,), sd=(0.226,), reverse=False)
    """
    if isinstance(normalization, str) and normalization in NORMALIZATIONS:
        mean, sd, reverse = NORMALIZATIONS[normalization]
        if channels == 1:
            return Normalization((round(sum(mean) / 3, 6),), (round(sum(sd) / 3, 6),))
        if channels != len(mean):
            raise ValueError(f"normalization '{normalization}' is of 1 or 3 channels, not of {channels}.")
        return Normalization(mean, sd, reverse)
    if isinstance(normalization, Mapping) and set(normalization) == {"mean", "sd"}:
        numbers = [_each(normalization[part], channels) for part in ("mean", "sd")]
        if None not in numbers and min(numbers[1] or (0.0,)) > 0:
            return Normalization(numbers[0] or (), numbers[1] or ())
    known = ", ".join(NORMALIZATIONS)
    raise ValueError(
        f"'normalization' must be one of {known}, or {{'mean': m, 'sd': s}} with a number, or one for each of "
        f"{channels} channels, and s > 0, got {normalization!r:.80}."
    )


def _each(value: object, channels: int) -> tuple[float, ...] | None:
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * channels
    if len(values) != channels or not all(is_finite_number(one) for one in values):
        return None
    return tuple(float(one) for one in values)  # type: ignore[arg-type]
