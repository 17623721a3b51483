r"""The width of a band, theta: one number for all axes that are cut, or one for each.

theta is a fraction of the Nyquist frequency: the block around DC ends below :math:`\theta / 2` cycles per voxel,
whatever the size of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..quoting import written
from .scalars import is_finite_number

__all__ = ["Theta", "check_theta", "theta_along", "theta_as_kept"]

#: one number for all cut axes, or one for each, in the order of ``axes``
Theta: TypeAlias = float | Sequence[float]


def check_theta(theta: Theta, axes: Sequence[int]) -> None:
    """Refuse a width that defines no block.

    Args:
        theta: width of the block in (0, 1), or one for each cut axis.
        axes: spatial axes that are cut.

    Raises:
        ValueError: theta is outside its range, or there is not one for each axis.

    Example:
        >>> check_theta(0.1, axes=(0, 1))
        >>> check_theta([0.1, 0.2], axes=(0, 1, 2))
        Traceback (most recent call last):
        ValueError: 'theta' must be one number in (0, 1), or 3 of them for 'axes' (0, 1, 2), got [0.1, 0.2].
    """
    if isinstance(theta, str) or not isinstance(theta, Sequence):
        if not _is_width(theta):
            raise ValueError(f"'theta' must be in (0, 1), got {written(theta)}.")
    elif len(theta) != len(axes) or not all(map(_is_width, theta)):
        wanted = f"one number in (0, 1), or {len(axes)} of them for 'axes' {tuple(axes)}"
        raise ValueError(f"'theta' must be {wanted}, got {written(theta)}.")


def theta_along(theta: Theta, axes: Sequence[int]) -> dict[int, float]:
    """Width of the block along each cut axis.

    Args:
        theta: width of the block in (0, 1), or one for each cut axis.
        axes: axes that are cut.

    Example:
        >>> theta_along(0.1, axes=(0, 1)), theta_along((0.1, 0.4), axes=(2, 0))
        ({0: 0.1, 1: 0.1}, {2: 0.1, 0: 0.4})
    """
    several = theta if isinstance(theta, Sequence) else [theta] * len(axes)
    return dict(zip(axes, several, strict=True))


def theta_as_kept(theta: Theta) -> float | tuple[float, ...]:
    """Width as an attribute keeps it: a number as it is, several as a tuple that nobody changes.

    Args:
        theta: width of the block in (0, 1), or one for each cut axis.

    Example:
        >>> theta_as_kept(0.1), theta_as_kept([0.1, 0.2])
        (0.1, (0.1, 0.2))
    """
    return tuple(theta) if isinstance(theta, Sequence) else theta


def _is_width(theta: object) -> bool:
    return is_finite_number(theta) and 0 < theta < 1
