"""Folds of patients, and the images that a test of a label can use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .permutations import Codes, numbered

__all__ = ["ENOUGH_PATIENTS", "Split", "split_patients"]

#: fewest patients of a class
ENOUGH_PATIENTS = 10


class Split(NamedTuple):
    """Images that take part, and the fold in which each is tested.

    Args:
        kept: numbers of the images that take part.
        codes: class of each of them, as a number.
        patients: patient of each, from 0.
        groups: group of each, from 0; all 0 if images of all groups are compared.
        folds: fold of each.
        strata: group in the fold of each, from 0.
        classes: name of each class.
        left_out: classes of too few patients.

    Example:
        >>> split_patients(["a", "b"] * 10, None, None, n_folds=5, seed=0).classes
        ('a', 'b')
    """

    kept: NDArray[np.intp]
    codes: Codes
    patients: Codes
    groups: Codes
    folds: Codes
    strata: Codes
    classes: tuple[str, ...]
    left_out: tuple[str, ...]


def split_patients(
    targets: Sequence[str], patients: Sequence[str] | None, within: Sequence[str] | None, n_folds: int, seed: int
) -> Split:
    """Put patients into folds at random, in equal shares of each class and group.

    A group in which some class has fewer patients than there are folds lies in one fold, so that its images can be
    compared with each other.

    Args:
        targets: class of each image.
        patients: patient of each image; None if each is of a patient of its own.
        within: group of each image; None if images of all groups are compared. Groups of one class alone are left out.
        n_folds: number of folds.
        seed: seed of the order of the patients.

    Raises:
        DataError: fewer than two classes have ``ENOUGH_PATIENTS`` patients.

    Example:
        >>> split = split_patients(["a", "b"] * 50, [str(k // 4) for k in range(100)], None, n_folds=5, seed=0)
        >>> np.bincount(split.folds)
        array([20, 20, 20, 20, 20])
    """
    n = len(targets)
    of, people = np.asarray(targets, dtype=object), np.asarray(range(n) if patients is None else patients, dtype=object)
    places = np.zeros(n, dtype=object) if within is None else np.asarray(within, dtype=object)
    kept = np.arange(n)
    while True:  # leaving out a class may leave a group with one class, and the other way round
        counts = {name: len(set(people[kept][of[kept] == name])) for name in sorted(set(of[kept]))}
        few = {name for name, count in counts.items() if count < ENOUGH_PATIENTS}
        mixed = {place for place in set(places[kept]) if len(set(of[kept][places[kept] == place]) - few) > 1}
        stay = np.array([of[k] not in few and places[k] in mixed for k in kept], dtype=bool)
        if stay.all() or not stay.any():
            break
        kept = kept[stay]
    if not stay.any():
        there = {name: len(set(people[of == name])) for name in sorted(set(targets))}
        listed = ", ".join(f"{name}: {count}" for name, count in list(there.items())[:8])
        where = " in groups of two classes or more" if within is not None else ""
        raise DataError(
            f"Fewer than two classes have {ENOUGH_PATIENTS} patients or more{where}.\nPatients of each class: {listed}."
        )
    codes, classes = numbered(list(of[kept]))
    persons, groups = numbered(list(people[kept]))[0], numbered(list(places[kept]))[0]
    folds = _folds(codes, persons, groups, min(n_folds, *(counts[name] for name in classes)), seed)
    strata = numbered([*zip(groups.tolist(), folds.tolist(), strict=True)])[0]
    left_out = tuple(str(name) for name in sorted(set(targets) - set(classes)))
    return Split(kept, codes, persons, groups, folds, strata, tuple(map(str, classes)), left_out)


def _folds(codes: Codes, patients: Codes, groups: Codes, n_folds: int, seed: int) -> Codes:
    """Fold of each image: patients in a random order, sorted by their groups and classes, are dealt in turn."""
    images = np.split(np.argsort(patients, kind="stable"), np.cumsum(np.bincount(patients))[:-1])
    kinds = [tuple(sorted({(int(groups[k]), int(codes[k])) for k in own})) for own in images]
    small = set()
    for group in range(int(groups.max()) + 1):
        of_class = [len(set(patients[(groups == group) & (codes == code)])) for code in set(codes[groups == group])]
        if groups.max() and min(of_class) < n_folds:
            small.add(group)
    rng = np.random.default_rng(seed)
    order = sorted(rng.permutation(len(images)).tolist(), key=lambda k: (kinds[k][0][0] in small, kinds[k]))
    folds = np.zeros(len(codes), dtype=np.int64)
    dealt: dict[int, int] = {}
    turn = 0
    for k in order:
        group = kinds[k][0][0]
        if group not in small:
            place, turn = turn, turn + 1
        elif group in dealt:
            place = dealt[group]
        else:
            place, turn = turn, turn + 1
            dealt[group] = place
        folds[images[k]] = place % n_folds
    return folds
