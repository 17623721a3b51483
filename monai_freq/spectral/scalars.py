"""What counts as a number among arguments."""

from __future__ import annotations

import math
from numbers import Real
from typing import TypeGuard

__all__ = ["is_finite_number"]


def is_finite_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, and not a truth value or a text that looks like one.

    Args:
        value: of an argument.

    Example:
        >>> [is_finite_number(value) for value in (0.5, 3, True, "3", float("nan"), None)]
        [True, True, False, False, False, False]
    """
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
