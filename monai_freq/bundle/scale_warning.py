"""A warning where images reach a network at another scale than its weights were trained with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..networks.first_statistics import first_misfit
from ..networks.normalization import NORMALIZATIONS, normalized, undone
from .data_folder import tell

__all__ = ["warn_of_scale"]

_LEAST = 0.25  # nats; measured were at most .02 at the right scale and at least .4 at another, see docs/transfer.md
_TIMES = 2  # how much better another normalization has to fit
_MOST = 4.0  # nats, from which on no brightness of images explains a misfit
_PHOTOGRAPHS = (0.449, 0.226)  # mean and SD of ImageNet's intensities


def warn_of_scale(
    network: nn.Module,
    items: Sequence[Mapping[str, Any]],
    preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]],
    normalization: str | Mapping[str, Any],
    init: str,
    most: int = 16,
) -> str | None:
    """Warn when the first BatchNorm's statistics do not fit the images, and another normalization would fit.

    Images may be darker than those of the pre-training. So what counts is the better of two fits, that of the images as
    they are and that of the same with the brightness and contrast of photographs, see
    :func:`monai_freq.networks.first_misfit`; and whether a normalization of another name fits much better.

    Args:
        network: network with the weights of ``init``, which takes the images themselves.
        items: training items; the warning looks at some of them, without an artifact.
        preprocessing: steps before the network.
        normalization: last step of the preprocessing.
        init: file of the weights; ``"random"`` for no warning.
        most: number of images.

    Returns:
        The warning, or None.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, momentum=None))
        >>> _ = network((torch.rand(16, 1, 32, 32) - 0.449) / 0.226)
        >>> items, load = [{"name": "a"}, {"name": "b"}], lambda item: {"image": torch.rand(1, 32, 32)}
        >>> print(warn_of_scale(network, items, load, "zero_to_one", "resnet50.pth"))  # doctest: +NORMALIZE_WHITESPACE
        resnet50.pth: the statistics of its first BatchNorm do not fit images of
        normalization=zero_to_one (... nats away).
        --normalization imagenet would fit (0.0...). Give the one that the weights were trained with.
    """
    if init == "random" or not items:
        return None
    chosen = [items[number * len(items) // most] for number in range(most)] if len(items) > most else items
    seen = [torch.as_tensor(preprocessing({**item, "shortcut": False})["image"]) for item in chosen]
    channels = len(seen[0])
    plain = torch.stack([undone(image, normalization) for image in seen]).to(next(network.parameters()).device)
    names = NORMALIZATIONS if channels in (1, 3) else {}
    misfits = {name: _misfit(network, plain, name) for name in names}
    misfit = _misfit(network, plain, normalization)
    if misfit is None or misfit <= _LEAST:
        return None
    least, name = min(((other, name) for name, other in misfits.items() if other is not None), default=(misfit, ""))
    fits = misfit > _TIMES * least
    if not fits and misfit <= _MOST:
        return None
    remedy = f"--normalization {name} would fit ({least:.2f})." if fits else "No normalization that has a name fits."
    message = (
        f"{init}: the statistics of its first BatchNorm do not fit images of normalization={normalization} "
        f"({misfit:.2f} nats away). {remedy} Give the one that the weights were trained with."
    )
    tell(message, logging.WARNING)
    return message


def _misfit(network: nn.Module, plain: Tensor, normalization: str | Mapping[str, Any]) -> float | None:
    found = [
        first_misfit(network, torch.stack([normalized(image, normalization) for image in images]))
        for images in _seen(plain)
    ]
    return min((one for one in found if one is not None), default=None)


def _seen(plain: Tensor) -> Iterator[Tensor]:
    yield plain
    mean, sd = _PHOTOGRAPHS
    if (spread := plain.std()) > 0:
        yield (plain - plain.mean()) / spread * sd + mean
