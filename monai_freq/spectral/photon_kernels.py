"""Compiled loop over rays: from a normal deviate to a count, and to the error of the count's logarithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .compiled import compiled

__all__ = ["count"]

#: Number of rays computed together: they stay within the first cache.
_BLOCK = 512

#: What the logarithm needs, in float32.
_INFINITY, _LOG_2 = np.float32(np.inf), np.float32(0.6931471805599453)
_BELOW_ROOT_HALF, _MANTISSA_BITS = np.int32(0x3F3504F3), np.int32(23)
_ONE, _TWO, _THIRD, _FIFTH, _SEVENTH, _NINTH = (np.float32(x) for x in (1, 2, 1 / 3, 1 / 5, 1 / 7, 1 / 9))


@compiled()
def _position(fraction: Any, inverse: Any, root: Any, z: Any, number: Any) -> Any:
    """Position of a deviate between the counts, less the whole part of the expectation and less 1/2."""
    w = z * inverse
    series = number(1 / 6) - w * (number(1 / 72) - w * number(1 / 270))
    position = (fraction - number(0.5)) + root * z + (z * z + number(2)) * series
    return position + w * w * number(1 / 810) - inverse * inverse * number(16 / 810)


@compiled()
def _error(inverse: Any, z: Any, number: Any) -> Any:
    """Bound of the error of the position, for any deviate that float32 holds."""
    growth = z * z * inverse
    return number(1.2e-3) * (growth * growth * growth) + number(0.04) * (inverse * inverse * inverse)


@compiled()
def count(means: Any, roots: Any, normal: Any, bounds: Any, logarithm: bool, results: Any, left: Any) -> int:
    r"""Counts less their expectation, or the negative logarithm of counts over their expectation.

    The count is the smallest one whose distribution function reaches that of the normal deviate z.

    .. math:: \lambda + \sqrt\lambda z + h \Bigl( \tfrac16 - \tfrac{w}{72} + \tfrac{w^2}{270} \Bigr)
              + \tfrac{w^2}{810} - \tfrac{16}{810 \lambda}, \qquad w = z / \sqrt\lambda, \quad h = z^2 + 2

    lies between c and c + 1, up to an error that grows with :math:`z^6 \lambda^{-3/2}`. It is computed less the whole
    part of the expectation and less 1/2, so that the nearest integer is the count, and once more in float64 where it
    is near to the middle between two. Rays where this is too near to tell, and those with few expected counts, are left
    to the caller.

    Args:
        means: expected counts.
        roots: their roots.
        normal: normal deviates.
        bounds: expected count below which rays are left, and that from which counts need not be whole: the
            Cornish-Fisher expansion up to the third cumulant is taken.
        logarithm: whether to take the logarithm, in float32 alone, to 3e-7 of itself.
        results: what is computed for each ray.
        left: indices of the rays that are left to the caller.

    Returns:
        Number of rays that are left to the caller.

    Example:
        >>> import torch
        >>> from monai_freq.spectral.compiled import arrays
        >>> means, normal, bounds = torch.tensor([100.0, 400.0]), torch.tensor([0.5, -1.0]), torch.tensor([8.0, 1e6])
        >>> results, left = torch.empty(2), torch.empty(2, dtype=torch.int32)
        >>> count(*arrays(means, means.sqrt(), normal, bounds), False, *arrays(results, left))
        0
        >>> results
        tensor([  5., -20.])
    """
    number = roots.dtype.type
    one, half, few, many = number(1), number(0.5), number(bounds[0]), number(bounds[1])
    of_rounding, of_z, of_w = number(1.2e-6), number(1 / 6), number(1 / 72)
    deviation, margin = np.empty(_BLOCK, roots.dtype), np.empty(_BLOCK, roots.dtype)
    n_left = 0
    for start in range(0, roots.size, _BLOCK):
        some = slice(start, min(start + _BLOCK, roots.size))
        expected, root, z, result = means[some], roots[some], normal[some], results[some]
        for i in range(root.size):
            fraction = expected[i] - np.floor(expected[i])
            inverse = one / root[i]
            position = _position(fraction, inverse, root[i], z[i], number)
            whole = np.floor(position + half)
            near = half - abs(position - whole) - (_error(inverse, z[i], number) + of_rounding * root[i])
            expansion = root[i] * z[i] + (z[i] * z[i] - one) * (of_z - z[i] * inverse * of_w)
            deviation[i] = expansion if expected[i] >= many else whole - fraction
            near = one if expected[i] >= many else near
            margin[i] = near if expected[i] >= few else -one
        n_near = 0
        for i in range(root.size):
            n_near += margin[i] < 0
        if n_near > 0:
            for i in range(root.size):
                if margin[i] < 0:
                    precise = np.float64(expected[i])
                    fraction64, inverse64 = precise - np.floor(precise), 1 / math.sqrt(precise)
                    position64 = _position(fraction64, inverse64, math.sqrt(precise), np.float64(z[i]), np.float64)
                    whole64 = np.floor(position64 + 0.5)
                    deviation[i] = number(whole64 - fraction64)
                    near64 = 0.5 - abs(position64 - whole64) - _error(inverse64, np.float64(z[i]), np.float64)
                    if not (expected[i] >= few and near64 >= 1e-12 * precise):
                        left[n_left] = start + i
                        n_left += 1
        if not logarithm:
            result[:] = deviation[: root.size]
            continue
        for i in range(root.size):
            x = deviation[i] / expected[i]
            bits = np.float32(_ONE + x).view(np.int32)
            power = np.int32(np.int32(bits - _BELOW_ROOT_HALF) >> _MANTISSA_BITS)
            mantissa = np.int32(bits - np.int32(power << _MANTISSA_BITS)).view(np.float32)
            above_one = x if power == 0 else mantissa - _ONE  # x has digits that 1 + x has not
            s = above_one / (_TWO + above_one)
            t = s * s
            series = _ONE + t * (_THIRD + t * (_FIFTH + t * (_SEVENTH + t * _NINTH)))
            result[i] = -(np.float32(power) * _LOG_2 + _TWO * s * series) if bits != 0 else _INFINITY
    return n_left
