"""Ridge regression with cross-validation on many permutations of a label at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PENALTIES", "ridge_scores", "without_means"]

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

#: penalties that are tried, in variances of a standardised feature, times the number of images
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def ridge_scores(x: Array, y: Array, folds: Codes, groups: Codes) -> Array:
    r"""Scores of each image by regressions that were fitted to the images of all other folds.

    .. math:: \hat\beta = (X^\top X + \lambda n I)^{-1} X^\top y, \qquad
              \lambda = \arg\min_\lambda \sum_i \left( \frac{y_i - \hat y_i}{1 - h_{ii}} \right)^2

    with X and y less the means of their groups in training, X of variance 1, and :math:`h_{ii}` the leverage: the sum
    is the squared error when each image is left out in turn (Allen's PRESS). One singular value decomposition for each
    fold serves all columns of y, since only y differs.

    Args:
        x: features.
        y: labels as numbers, one column for each permutation.
        folds: fold of each image.
        groups: group of each image, from 0; one group is an intercept.

    Shape:
        ``(images, features)``, ``(images, permutations)`` -> ``(images, permutations)``.

    Reference:
        Golub, Heath and Wahba 1979, https://doi.org/10.1080/00401706.1979.10489751.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> label = np.tile([0.0, 1.0], 50)[:, None]
        >>> x = rng.standard_normal((100, 3)) + label * [0, 3, 0]
        >>> scores = ridge_scores(x, label, np.arange(100) // 20, np.zeros(100, int))
        >>> bool(scores[1::2].mean() > scores[::2].mean() + 0.5)
        True
    """
    scores = np.empty_like(y)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        inner, outer = without_means(x, groups, train)
        deviation = inner.std(0)
        used = deviation > 1e-12
        u, s, v = np.linalg.svd(inner[:, used] / deviation[used], full_matrices=False)
        known = s > 1e-10 * max(s.max(initial=0.0), 1e-300)
        u, s, v = u[:, known], s[known], v[known]
        target = without_means(y, groups, train)[0]
        members = np.bincount(groups[train], minlength=groups.max() + 1)
        projected = u.T @ target
        weight = _best(u, s, target, projected, 1 / members[groups[train]])
        scores[test] = (outer[:, used] / deviation[used]) @ (v.T @ (weight * projected))
    return scores


def _best(u: Array, s: Array, target: Array, projected: Array, leverage: Array) -> Array:
    """Factor of each component in the solution of each column, with the penalty of the smallest error."""
    squares, factors = [], []
    for penalty in PENALTIES:
        kept = s**2 / (s**2 + penalty * len(u))
        free = np.maximum(1 - leverage - u**2 @ kept, 1e-6)  # 0 for the only image of a group
        left_out = u @ (kept[:, None] * projected)
        np.subtract(target, left_out, out=left_out)
        left_out /= free[:, None]
        squares.append(np.einsum("ij,ij->j", left_out, left_out))
        factors.append(kept / s)
    chosen = np.argmin(squares, axis=0)
    return np.asarray(np.stack(factors)[chosen].T, dtype=np.float64)


def without_means(values: Array, groups: Codes, train: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Values in training and the others, each less the mean of its group in training.

    Args:
        values: values of each image, ``(images, columns)``.
        groups: group of each image, from 0.
        train: which images are in training; a group with none of them has the mean of all in training.

    Example:
        >>> without_means(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 0]), np.array([True, True, False]))
        (array([[-1.],
               [ 1.]]), array([[3.]]))
    """
    n_groups = int(groups.max()) + 1
    counts = np.bincount(groups[train], minlength=n_groups)
    means = np.repeat(values[train].mean(0)[None], n_groups, 0)
    for group in np.flatnonzero(counts):
        means[group] = values[train & (groups == group)].mean(0)
    return values[train] - means[groups[train]], values[~train] - means[groups[~train]]
