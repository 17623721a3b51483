"""What a network says of images that have got amplitudes of others: shifts towards the class of the donors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Exchange", "exchange_of", "shares_of", "weighted_interval"]

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Exchange:
    """What a network says when images get the amplitudes of others in some cells.

    Args:
        cells: names of the cells.
        share: mean shift of the log-odds of the class of the donors, as a share of how far apart the network puts the
            images that it takes for this class and the others.
        low: lower end of its 95% interval, from a bootstrap over patients.
        high: upper end.
        probability: mean shift of the probability of that class.
        probability_low: lower end of its interval.
        probability_high: upper end.
        logit: mean shift of the log-odds of that class.
        logit_low: lower end of its interval.
        logit_high: upper end.
        follow: share of the decisions for another class that change to that of the donor; None if there were none.
        follow_low: lower end of its interval.
        follow_high: upper end.
        n_decisions: number of these decisions.

    Example:
        >>> Exchange(("0.25 to 0.5",), 0.6, 0.5, 0.7, 0.4, 0.3, 0.5, 2.0, 1.5, 2.5, 0.6, 0.5, 0.7, 80).share
        0.6
    """

    cells: tuple[str, ...]
    share: float
    low: float
    high: float
    probability: float
    probability_low: float
    probability_high: float
    logit: float
    logit_low: float
    logit_high: float
    follow: float | None
    follow_low: float | None
    follow_high: float | None
    n_decisions: int


def exchange_of(
    names: tuple[str, ...],
    before: Array,
    after: Array,
    towards: Codes,
    moved: Array,
    separation: Array,
    weights: Array,
) -> Exchange:
    """Shifts of one kind of exchange, and the decisions that follow it.

    Args:
        names: names of the cells.
        before: probabilities of each case as it is, ``(cases, classes)``.
        after: probabilities of each case with the amplitudes of each donor, ``(cases, donors, classes)``.
        towards: number of the class that each donor stands for, ``(cases, donors)``.
        moved: shift of the log-odds of that class, ``(cases, donors)``.
        separation: how far apart the network puts its classes, ``(classes,)``.
        weights: how often each case counts in each resample, the first of which is the data, ``(resamples, cases)``.

    Example:
        >>> before, after = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[[0.3, 0.7]], [[0.2, 0.8]]])
        >>> towards, moved = np.array([[1], [0]]), np.array([[3.0], [0.0]])
        >>> found = exchange_of(("all",), before, after, towards, moved, np.array([3.6, 3.6]), np.ones((2, 2)))
        >>> round(found.share, 2), round(found.probability, 2), found.follow, found.n_decisions
        (0.42, 0.3, 0.5, 2)
    """
    was = np.take_along_axis(before, towards, 1)
    now = np.take_along_axis(after, towards[..., None], 2)[..., 0]
    other = before.argmax(1)[:, None] != towards
    follows = other & (after.argmax(2) == towards)
    ones, n_decisions = np.ones(len(before)), int(other.sum())
    share, shift, odds = (
        weighted_interval(each.mean(1), ones, weights)
        for each in (shares_of(moved, towards, separation), now - was, moved)
    )
    follow, low, high = weighted_interval(follows.sum(1), other.sum(1), weights) if n_decisions else (None, None, None)
    return Exchange(names, *share, *shift, *odds, follow, low, high, n_decisions)


def shares_of(moved: Array, towards: Codes, separation: Array) -> Array:
    """Shifts of log-odds as shares of how far apart a network puts its classes; 0 where it tells nothing apart.

    Args:
        moved: shifts of the log-odds.
        towards: class of each, in the same shape.
        separation: of each class, see :func:`~monai_freq.audit.model.log_odds.separations`.

    Example:
        >>> shares_of(np.array([1.0, 1.0]), np.array([0, 1]), np.array([4.0, 0.0])).tolist()
        [0.25, 0.0]
    """
    scale = separation[towards]
    return np.divide(moved, scale, out=np.zeros_like(moved), where=scale > 0)


def weighted_interval(numbers: Array, counts: Array, weights: Array) -> tuple[float, float, float]:
    """Sum of numbers over that of counts, and its 95% interval over resamples of patients.

    Args:
        numbers: a number of each case.
        counts: what each case counts for.
        weights: how often each case counts in each resample, the first of which is the data, ``(resamples, cases)``.

    Example:
        >>> weighted_interval(np.array([1.0, 3.0]), np.ones(2), np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]))
        (2.0, 1.05, 2.95)
    """
    totals = weights @ counts
    values = (weights @ numbers)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(values[0]), float(low), float(high)
