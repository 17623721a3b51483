"""Area under the ROC curve within strata: of many permutations, of each feature alone, and its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .ridge import without_means

__all__ = ["auc_interval", "features_auc", "pairs_auc"]

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


def pairs_auc(scores: Array, y: Array, strata: Codes) -> Array:
    """Share of the pairs of a 1 and a 0 of one stratum in which the 1 has the higher score; ties count half.

    Args:
        scores: scores, one column for each permutation.
        y: labels, 0 or 1, of the same shape.
        strata: stratum of each image.

    Shape:
        ``(images, permutations)`` -> ``(permutations,)``; 0.5 where there is no pair.

    Example:
        >>> pairs_auc(np.array([[1.0], [2.0], [9.0], [8.0]]), np.array([[0.0], [1.0], [0.0], [1.0]]), np.zeros(4, int))
        array([0.5])
        >>> pairs_auc(np.array([[1.0], [2.0], [8.0], [9.0]]), np.array([[0.0], [1.0], [0.0], [1.0]]), np.arange(4) // 2)
        array([1.])
    """
    above, pairs = np.zeros(y.shape[1]), np.zeros(y.shape[1])
    for stratum in np.unique(strata):
        here = strata == stratum
        ones = y[here].sum(0)
        above += np.einsum("ij,ij->j", rankdata(scores[here], axis=0), y[here]) - ones * (ones + 1) / 2
        pairs += ones * (here.sum() - ones)
    return _ratio(above, pairs)


def features_auc(x: Array, y: Array, folds: Codes, groups: Codes, strata: Codes) -> Array:
    """The same of each feature alone; whether more of it speaks for a 1 is decided in the other folds.

    Args:
        x: features.
        y: labels, 0 or 1, one column for each permutation.
        folds: fold of each image.
        groups: group of each image, from 0, whose mean is subtracted for that decision.
        strata: stratum of each image, a part of a fold.

    Shape:
        ``(images, features)``, ``(images, permutations)`` -> ``(features, permutations)``.

    Example:
        >>> label = np.tile([0.0, 1.0], 10)[:, None]
        >>> features_auc(-label, label, np.arange(20) // 4, np.zeros(20, int), np.arange(20) // 4)
        array([[1.]])
    """
    above, pairs = np.zeros((x.shape[1], y.shape[1])), np.zeros(y.shape[1])
    for fold in np.unique(folds):
        inner, _ = without_means(x, groups, folds != fold)
        falls = inner.T @ y[folds != fold] < 0
        for stratum in np.unique(strata[folds == fold]):
            here = strata == stratum
            ones = y[here].sum(0)
            own = ones * (here.sum() - ones)
            higher = rankdata(x[here], axis=0).T @ y[here] - ones * (ones + 1) / 2
            above += np.where(falls, own - higher, higher)
            pairs += own
    return _ratio(above, pairs)


def auc_interval(scores: Array, y: Array, strata: Codes, patients: Codes, seed: int = 0, n: int = 2000) -> Array:
    """AUC of :func:`pairs_auc` in samples of the patients with replacement.

    Args:
        scores: score of each image.
        y: label of each image, 0 or 1.
        strata: stratum of each image.
        patients: patient of each image, from 0.
        seed: seed of the samples.
        n: number of samples.

    Shape:
        ``(images,)`` -> ``(n,)``; NaN in a sample without pairs.

    Example:
        >>> label = np.arange(40) % 2
        >>> samples = auc_interval(label + np.arange(40) / 30, label, np.zeros(40, int), np.arange(40))
        >>> [round(float(end), 1) for end in np.quantile(samples, [0.025, 0.975])]
        [0.9, 1.0]
    """
    number = int(patients.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), n)
    above, pairs = np.zeros(n), np.zeros(n)
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        here = here[np.argsort(scores[here], kind="stable")]
        weight, one = drawn.T[patients[here]].astype(np.float64), y[here][:, None].astype(bool)
        begins = np.flatnonzero(np.diff(scores[here], prepend=-np.inf) > 0)
        ones, zeros = (np.add.reduceat(weight * part, begins) for part in (one, ~one))
        above += (ones * (zeros.cumsum(0) - zeros / 2)).sum(0)
        pairs += ones.sum(0) * zeros.sum(0)
    return np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)


def _ratio(above: Array, pairs: Array) -> Array:
    return np.where(pairs > 0, above / np.maximum(pairs, 1), 0.5)
