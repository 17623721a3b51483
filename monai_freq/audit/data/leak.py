"""Whether the spectrum tells a label or a group: a linear classifier on the powers of bands, and a permutation test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from ...quoting import written
from ...seeding.seeds import check_run_seed, derived_seed
from ...spectral.scalars import is_count, is_finite_number
from .auc import auc_interval, features_auc, pairs_auc
from .features import Features
from .permutations import permuted
from .ridge import ridge_scores, without_means
from .splits import Split, split_patients

__all__ = ["CellLeak", "Leak", "find_leak"]

Array = NDArray[np.float64]

#: share of leaks of the size ``smallest_auc`` that are found
_POWER = 0.8
#: largest number of entries of an array of all images and some permutations
_ENTRIES = 2**22
_ROUNDING = 1e-9
#: smallest difference of two labels, in dB, that counts: harmonised images keep some hundredths
_LEAST_DB = 0.1


@dataclass(frozen=True)
class CellLeak:
    """What one cell of the spectrum has to do with a leak.

    Args:
        name: name of the cell.
        cell: number of the cell in the band grid; None if the numbers are of another kind.
        auc_alone: AUC of the power of this cell alone.
        auc_without: AUC of all other cells together; None if there is no other.
        p_alone: p-value of ``auc_alone``, corrected for the number of cells by the largest AUC of all cells in each
            permutation (Westfall and Young).
        quiet: whether it is the power in the quiet parts of images.

    Example:
        >>> CellLeak("0 to 0.1", 0, 0.7, 0.8, 0.001).auc_alone
        0.7
    """

    name: str
    cell: int | None
    auc_alone: float
    auc_without: float | None
    p_alone: float
    quiet: bool = False


@dataclass(frozen=True)
class Leak:
    """How well the spectrum tells a label or a group.

    Args:
        of: what is told, such as ``"label"``.
        within: ``"group"`` if images are compared within groups only, else None.
        classes: what is told apart.
        auc: area under the ROC curve of images of patients that were not in training; the mean over classes, each
            against the rest, of more than two.
        low: lower end of its 95% interval, from a bootstrap over patients.
        high: upper end.
        p: p-value: share of permutations, the data's own included, with an AUC as high.
        p_low: lower end of the 95% interval of the p-value of infinitely many permutations.
        p_high: upper end.
        n_permutations: number of permutations.
        smallest_auc: AUC of a leak that would have been found in 80% of such data; None if there is none below 1.
        alpha: level up to which the p-value of a leak counts as found.
        found: whether there is a leak.
        cells: each cell by itself.
        n_cases: number of images.
        n_patients: number of patients.
        classes_left_out: classes of too few patients.
        difference_db: largest difference of a class from the others, over cells, of the mean power in dB; None if the
            numbers are no powers.

    Example:
        >>> leak = Leak("label", None, ("a", "b"), 0.8, 0.7, 0.9, 0.001, 0.0, 0.004, 1000, 0.6, 0.01, True, (), 80, 80)
        >>> leak.strength
        'moderate'
    """

    of: str
    within: str | None
    classes: tuple[str, ...]
    auc: float
    low: float
    high: float
    p: float
    p_low: float
    p_high: float
    n_permutations: int
    smallest_auc: float | None
    alpha: float
    found: bool
    cells: tuple[CellLeak, ...]
    n_cases: int
    n_patients: int
    classes_left_out: tuple[str, ...] = ()
    difference_db: float | None = None

    @property
    def too_small(self) -> bool:
        """Whether the spectrum tells it, by a difference that is too small to count."""
        return self.p <= self.alpha and not self.found

    @property
    def strength(self) -> str:
        """``"none"``, or by the AUC ``"weak"`` below 0.65, ``"moderate"`` below 0.85, ``"strong"``."""
        if not self.found:
            return "none"
        return "weak" if self.auc < 0.65 else "moderate" if self.auc < 0.85 else "strong"


def find_leak(
    features: Features,
    targets: Sequence[str],
    patients: Sequence[str] | None = None,
    within: Sequence[str] | None = None,
    *,
    of: str = "label",
    n_permutations: int = 1000,
    n_folds: int = 5,
    alpha: float = 0.01,
    seed: int = 0,
    each_cell: bool = True,
) -> Leak:
    r"""Test whether the powers of bands tell a label.

    A ridge regression on the label as a number, :func:`~monai_freq.audit.data.ridge.ridge_scores`, is Fisher's linear
    discriminant with shrinkage. It is trained on the patients of all folds but one, and its scores of those of that
    fold are compared among each other:

    .. math:: \text{AUC} = \frac{\sum_s \#\{(i, j) \in s : y_i = 1, y_j = 0, \hat y_i > \hat y_j\}}
                           {\sum_s \#\{(i, j) \in s : y_i = 1, y_j = 0\}}

    with *s* the folds, or the groups in each fold. Ties count half. The labels are permuted over the patients of each
    *s*, :func:`~monai_freq.audit.data.permutations.permuted`, and everything is done again, the strength of the
    shrinkage included. Patients are put into folds at random in equal shares of each label, so that all these
    permutations are equally likely if the spectrum tells nothing: the p-value is exact, whatever the spectra are like.

    Powers of bands that differ by less than 0.1 dB (2.3%) between the means of two labels, in every cell, count as the
    same, whatever the p-value: transforms that harmonise images, and rounding, leave such traces.

    ``within`` compares images of one group only. The mean of each group in training is subtracted, so that what
    differs between groups cannot help.

    Args:
        features: numbers of each image.
        targets: label of each image. Classes of fewer than 10 patients are left out.
        patients: patient of each image; by default each is of a patient of its own.
        within: group of each image. Groups with images of one class alone are left out.
        of: what the target is called.
        n_permutations: number of permutations.
        n_folds: number of folds.
        alpha: level of the test.
        seed: seed of folds, permutations and resampling.
        each_cell: whether to look at each cell, too.

    Raises:
        ValueError: an argument is out of range, or has another length than the features.
        DataError: fewer than two classes have enough patients (in any group).

    Reference:
        Ojala and Garriga 2010, Permutation tests for studying classifier performance, JMLR 11, 1833-1863. Westfall and
        Young 1993, Resampling-based multiple testing, ISBN 978-0471557616.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = ["ill", "well"] * 60
        >>> values = rng.standard_normal((120, 3)) + np.outer([1.5, 0.0] * 60, [0, 1, 0])
        >>> leak = find_leak(Features(values, ("low", "mid", "high")), labels, n_permutations=200)
        >>> leak.found, round(leak.auc, 2), max(leak.cells, key=lambda cell: cell.auc_alone).name
        (True, 0.95, 'mid')
    """
    _check(features, targets, patients, within, n_permutations, n_folds, alpha)
    check_run_seed(seed)
    split = split_patients(targets, patients, within, n_folds, seed)
    x = features.values[split.kept]
    columns = permuted(split.codes, split.patients, split.strata, n_permutations, derived_seed(seed, 1))
    at_once = max(1, _ENTRIES // len(x))
    parts = [columns[:, first : first + at_once] for first in range(0, columns.shape[1], at_once)]
    aucs = np.concatenate([_told(x, part, split) for part in parts])
    alone = np.concatenate([_told_alone(x, part, split) for part in parts], 1) if each_cell else np.empty((0, 1))
    hits = int((aucs[1:] >= aucs[0] - _ROUNDING).sum())
    p = (hits + 1) / (n_permutations + 1)
    difference = _difference_db(x, split) if features.cells else None
    return Leak(
        of,
        None if within is None else "group",
        split.classes,
        float(aucs[0]),
        *_interval(x, split, derived_seed(seed, 2)),
        p,
        *_interval_of_share(hits, n_permutations),
        n_permutations,
        _smallest(aucs[1:], alpha),
        alpha,
        p <= alpha and (difference is None or difference >= _LEAST_DB),
        _cells(features, x, alone, split),
        len(x),
        int(split.patients.max()) + 1,
        split.left_out,
        difference,
    )


def _difference_db(x: Array, split: Split) -> float:
    """Largest difference of the mean of a class from that of the others, within groups, of any cell."""
    inner, _ = without_means(x, split.groups, np.ones(len(x), bool))
    found = []
    for y in _indicators(split.codes[:, None], len(split.classes)):
        share, _ = without_means(y, split.groups, np.ones(len(x), bool))  # of the label alone
        found.append(np.abs(share.T @ inner).max() / (share**2).sum())
    return 10 * float(max(found))


def _check(
    features: Features,
    targets: Sequence[str],
    patients: Sequence[str] | None,
    within: Sequence[str] | None,
    n_permutations: int,
    n_folds: int,
    alpha: float,
) -> None:
    for name, column in (("targets", targets), ("patients", patients), ("within", within)):
        if column is not None and len(column) != len(features.values):
            raise ValueError(
                f"'{name}' must have {len(features.values)} entries, one for each image, got {len(column)}."
            )
    if not is_finite_number(alpha) or not 0 < alpha < 1:
        raise ValueError(f"'alpha' must be in (0, 1), got {written(alpha)}.")
    least = math.ceil(1 / alpha - _ROUNDING) - 1
    if not is_count(n_permutations) or n_permutations < least:
        raise ValueError(
            f"'n_permutations' must be a whole number of at least {least} for a level of {alpha:g}, "
            f"got {written(n_permutations)}."
        )
    if not is_count(n_folds) or n_folds < 2:
        raise ValueError(f"'n_folds' must be a whole number of at least 2, got {written(n_folds)}.")


def _indicators(columns: NDArray[np.integer], n_classes: int) -> Iterator[Array]:
    """Whether each image is of a class, of each class of more than two."""
    for code in range(1 if n_classes == 2 else 0, n_classes):
        yield (columns == code).astype(np.float64)


def _told(x: Array, columns: NDArray[np.integer], split: Split) -> Array:
    """AUC of each column, the mean over classes."""
    found = [
        pairs_auc(ridge_scores(x, y, split.folds, split.groups), y, split.strata)
        for y in _indicators(columns, len(split.classes))
    ]
    return np.asarray(np.mean(found, 0))


def _told_alone(x: Array, columns: NDArray[np.integer], split: Split) -> Array:
    """AUC of each feature alone in each column, the mean over classes."""
    found = [
        features_auc(x, y, split.folds, split.groups, split.strata) for y in _indicators(columns, len(split.classes))
    ]
    return np.asarray(np.mean(found, 0))


def _interval(x: Array, split: Split, seed: int) -> tuple[float, float]:
    samples = [
        auc_interval(ridge_scores(x, y, split.folds, split.groups)[:, 0], y[:, 0], split.strata, split.patients, seed)
        for y in _indicators(split.codes[:, None], len(split.classes))
    ]
    low, high = np.nanquantile(np.mean(samples, 0), [0.025, 0.975])
    return float(low), float(high)


def _interval_of_share(hits: int, n: int) -> tuple[float, float]:
    """95% interval of a share (Clopper and Pearson 1934)."""
    low = float(betaincinv(hits, n - hits + 1, 0.025)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 0.975)) if hits < n else 1.0
    return low, high


def _smallest(null: Array, alpha: float) -> float | None:
    """AUC that comes out above the level in four of five samples, with the spread that permutations have."""
    place = math.floor(alpha * (len(null) + 1) + _ROUNDING) - 1
    needed = float(np.sort(null)[::-1][place] + ndtri(_POWER) * null.std())
    return needed if needed < 1 else None


def _cells(features: Features, x: Array, alone: Array, split: Split) -> tuple[CellLeak, ...]:
    largest = alone[:, 1:].max(0, initial=0)
    found = []
    for k in range(len(alone)):
        others = np.delete(x, k, 1)
        without = float(_told(others, split.codes[:, None], split)[0]) if others.shape[1] else None
        hits = int((largest >= alone[k, 0] - _ROUNDING).sum())
        cell = features.cells[k] if features.cells else None
        quiet = features.quiet[k] if features.quiet else False
        p = (hits + 1) / (len(largest) + 1)
        found.append(CellLeak(features.names[k], cell, float(alone[k, 0]), without, p, quiet))
    return tuple(found)
