"""The normalization of a run: that of the weights which it starts from, or is evaluated with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..networks.normalization import resolved
from .run_folder import recorded_settings

__all__ = ["check_normalization", "normalization_of"]


def normalization_of(weights: str | None, otherwise: str | Mapping[str, Any]) -> Any:
    """The normalization that weights were trained with, as their training recorded it beside them.

    Args:
        weights: file of weights; ``"random"`` or None for none.
        otherwise: normalization of weights without a record.

    Example:
        >>> normalization_of("random", "zero_to_one")
        'zero_to_one'
    """
    record = {} if weights in (None, "random") else recorded_settings(str(weights))
    if "normalization" in record:
        return record["normalization"]
    if {"mean", "sd"} <= set(record):  # of versions before 'normalization'
        plain = (record["mean"], record["sd"]) == (0, 1)
        return "zero_to_one" if plain else {"mean": record["mean"], "sd": record["sd"]}
    return otherwise


def check_normalization(normalization: Any, in_channels: int, weights: str | None = None) -> None:
    """Refuse a normalization that does not exist, or that is not that of the weights.

    Args:
        normalization: a name, or ``{"mean": ..., "sd": ...}``.
        in_channels: number of channels of the images.
        weights: file of the weights to start from or to evaluate; ``"random"`` or None for none.

    Raises:
        UsageError: there is no such normalization, or the record beside the weights has another.

    Example:
        >>> check_normalization("imagnet", 1)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'normalization' must be one of zero_to_one, imagenet, ...
        As in --normalization imagenet
    """
    try:
        own = resolved(normalization, in_channels)
    except ValueError as error:
        raise UsageError(f"{error}\nAs in --normalization imagenet") from error
    before = normalization_of(weights, normalization)
    try:
        same = resolved(before, in_channels) == own
    except ValueError:  # of another number of channels, which the network's weights will tell
        same = True
    if not same:
        raise UsageError(
            f"{weights} was trained with normalization={before}, not {normalization}.\n"
            "Leave --normalization out, or give the same."
        )
