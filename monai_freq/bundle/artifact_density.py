"""The power spectrum density of a bundle's artifact, as its network sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..spectral.psd import radial_psd

__all__ = ["shown_artifact"]


def shown_artifact(
    items: Sequence[Mapping[str, Any]], preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]], most: int = 16
) -> tuple[Tensor, Tensor] | None:
    r"""Mean power spectrum density of what the artifact changes in the network's input.

    .. math:: \frac{1}{n} \sum_{i=1}^n \text{PSD}\bigl( T(A(x_i)) - T(x_i) \bigr)

    with A the artifact, at the image's own resolution, and T all that follows: resizing and normalising.

    Args:
        items: entries of a data list, with the mark ``shortcut``.
        preprocessing: steps before the network; they apply the artifact to marked items.
        most: number of items to look at, from the first.

    Returns:
        Frequencies ``(K,)`` in cycles per pixel, and the density ``(K,)``; None where the artifact changes nothing.

    Example:
        >>> def brighten(item):
        ...     return {"image": torch.eye(8)[None] * (1 + item["shortcut"])}
        >>> frequencies, density = shown_artifact([{"shortcut": False}], brighten)
        >>> frequencies
        tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000])
        >>> shown_artifact([], brighten) is None
        True
    """
    residuals = [_residual(item, preprocessing) for item in items[:most]]
    if not residuals:
        return None
    stacked = torch.stack(residuals)
    if not bool(stacked.any()):
        return None
    frequencies, densities = radial_psd(stacked, spatial_dims=stacked.ndim - 2)
    return frequencies, densities.mean((0, 1))


def _residual(item: Mapping[str, Any], preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Tensor:
    after, before = (torch.as_tensor(preprocessing({**item, "shortcut": mark})["image"]) for mark in (True, False))
    return after - before
