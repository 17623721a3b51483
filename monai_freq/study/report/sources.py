"""Labels of the sources of a transfer study: a name, and further words for what was done to the data of that name."""

from __future__ import annotations

from collections.abc import Iterable

from ..run.spec import RANDOM

__all__ = ["data_of", "in_order", "is_original"]


def is_original(source: str) -> bool:
    """Whether a source is as published, neither edited nor varied.

    Args:
        source: label of the source.

    Example:
        >>> is_original("imagenet"), is_original("imagenet lowpass")
        (True, False)
    """
    return len(source.split()) < 2


def data_of(source: str) -> str:
    """The data that a source is, or is made from.

    Args:
        source: label of the source.

    Example:
        >>> data_of("radimagenet whiten")
        'radimagenet'
    """
    return source.split()[0] if source.split() else source


def in_order(sources: Iterable[str]) -> list[str]:
    """Originals, random, edited ones, each once.

    Args:
        sources: labels of the sources.

    Example:
        >>> in_order(["imagenet lowpass", "random", "radimagenet", "imagenet", "random"])
        ['imagenet', 'radimagenet', 'random', 'imagenet lowpass']
    """
    return sorted(set(sources), key=lambda source: (not is_original(source), source == RANDOM, source))
