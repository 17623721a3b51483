"""Log-odds of each class from what a network returns, and how far apart they lie: a scale of the network's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

__all__ = ["log_odds_of", "probabilities_of", "separations"]

Array = NDArray[np.float64]
#: largest probability in place of 0: the distance of float32 numbers below 1
_FLOOR = 2.0**-24
#: share of the largest log-odds that float32 numbers tell apart
_ROUNDING = 1e-6


def probabilities_of(scores: Array, activation: str) -> Array:
    """Probabilities of the classes.

    Args:
        scores: what a classifier returns.
        activation: ``"softmax"``, ``"sigmoid"``, or ``"none"`` for one that returns probabilities.

    Shape:
        ``(*, channels)`` -> ``(*, classes)``; one channel stands for two classes.

    Example:
        >>> probabilities_of(np.zeros((1, 1)), "sigmoid")
        array([[0.5, 0.5]])
    """
    found = softmax(scores, axis=-1) if activation == "softmax" else scores
    found = expit(scores) if activation == "sigmoid" else found
    return _both(1 - found, found)


def log_odds_of(scores: Array, activation: str) -> Array:
    r"""Log-odds of each class against the strongest other one.

    .. math:: o_t = z_t - \max_{c \neq t} z_c

    with the network's scores z, or the logarithms of its probabilities. So o is multiplied by c if z is: the order and
    the ratios of log-odds do not depend on how sure a network says it is. A probability of 0 has no logarithm: it
    counts as the smallest one that the network gives to this class, and as 6e-8 at most.

    Args:
        scores: what a classifier returns, of all images that are compared.
        activation: ``"softmax"``, ``"sigmoid"``, or ``"none"`` for one that returns probabilities.

    Shape:
        ``(*, channels)`` -> ``(*, classes)``; one channel stands for two classes.

    Example:
        >>> log_odds_of(np.array([[1.0, 3.0, 0.5]]), "softmax").tolist()
        [[-2.0, 2.0, -2.5]]
        >>> log_odds_of(np.array([[1.0], [0.2]]), "none").round(2).tolist()
        [[-16.64, 16.64], [1.39, -1.39]]
    """
    known = activation == "none"
    z = np.log(_above_zero(_both(1 - scores, scores))) if known else _both(np.zeros_like(scores), scores)
    ordered = np.sort(z, -1)
    best, second = ordered[..., -1:], ordered[..., -2:-1]
    return np.asarray(z - np.where(z >= best, second, best))


def separations(odds: Array, targets: NDArray[np.int64]) -> Array:
    r"""How far apart a network puts the images that it takes for a class and the others, in log-odds.

    With the number :math:`n_t` of images whose label is t, it is the mean of the :math:`n_t` largest log-odds of t,
    less the mean of all others. No labels of as many images lie further apart. So it is the difference between the
    labels for a network that knows them, and the spread for one at chance; where it is sure of one class, its bias does
    not count.

    Args:
        odds: log-odds, ``(cases, classes)``.
        targets: number of the class of each case.

    Shape:
        ``(classes,)``; 0 where all answers are alike up to the rounding of float32.

    Example:
        >>> odds = np.array([[-3.0], [-5.0], [1.0], [7.0]])
        >>> separations(np.concatenate([-odds, odds], 1), np.array([0, 0, 1, 1]))
        array([8., 8.])
    """
    n, found = len(odds), np.zeros(odds.shape[1])
    for t, column in enumerate(np.sort(odds, 0)[::-1].T if n > 1 else ()):
        taken = min(max(int((targets == t).sum()), 1), n - 1)
        found[t] = column[:taken].mean() - column[taken:].mean()
    return np.where(found > _ROUNDING * np.abs(odds).max(initial=0), found, 0)


def _both(first: Array, second: Array) -> Array:
    """The second, or if it has one channel both."""
    return np.concatenate([first, second], -1) if second.shape[-1] == 1 else second


def _above_zero(p: Array) -> Array:
    least = np.where(p > 0, p, np.inf).min(tuple(range(p.ndim - 1)), keepdims=True)
    return np.asarray(np.maximum(p, np.minimum(least, _FLOOR)))
