"""Checks of arguments: numbers, counts and choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeGuard

from ..quoting import written

__all__ = ["check_choice", "is_count", "is_finite_number"]


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a value that is none of several names.

    Args:
        name: name of the argument.
        value: value of the argument.
        choices: allowed values.

    Raises:
        ValueError: the value is not among them.

    Example:
        >>> check_choice("filter", "hamming", ("ramp", "hann"))
        Traceback (most recent call last):
        ValueError: 'filter' must be one of ramp, hann, got 'hamming'.
    """
    if value not in choices:
        raise ValueError(f"'{name}' must be one of {', '.join(choices)}, got {written(value)}.")


def is_count(value: object) -> bool:
    """Whether a value is a whole number of at least 1, and no truth value.

    Args:
        value: value of an argument.

    Example:
        >>> [is_count(value) for value in (3, 0, 2.0, True, "3")]
        [True, False, False, False, False]
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def is_finite_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, and no truth value or text that looks like one.

    Args:
        value: value of an argument.

    Example:
        >>> [is_finite_number(value) for value in (0.5, 3, True, "3", float("nan"), None)]
        [True, True, False, False, False, False]
    """
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
