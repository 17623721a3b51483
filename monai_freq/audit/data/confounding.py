"""How much of the label the group alone tells, and how much of the spectrum's part in the label is the group's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...errors import DataError
from ..cases import Case, Cases
from .features import Features
from .leak import Leak, find_leak
from .splits import ENOUGH_PATIENTS

__all__ = ["Confounding", "GroupCount", "confounding", "leaks_of"]


Names = tuple[str, ...] | None


@dataclass(frozen=True)
class GroupCount:
    """Number of images of a label in a group.

    Args:
        group: the group.
        label: the label.
        n_cases: number of images.
        n_patients: number of patients.

    Example:
        >>> GroupCount("a", "ill", 3, 2).n_patients
        2
    """

    group: str
    label: str
    n_cases: int
    n_patients: int


@dataclass(frozen=True)
class Confounding:
    """How label, group and spectrum go together.

    Args:
        label_from_group: AUC with which the group alone tells the label of patients that were not in training; None if
            there are too few patients.
        label_from_group_p: its p-value.
        overall: place of the label's leak over all images among the audit's leaks; None if there is none.
        within: place of its leak within groups.
        of_group: place of the group's leak.
        counts: number of images of each label in each group.
        said: findings in sentences.

    Example:
        >>> Confounding(0.5, 0.6, 0, 1, 2, (), ()).within
        1
    """

    label_from_group: float | None
    label_from_group_p: float | None
    overall: int | None
    within: int | None
    of_group: int | None
    counts: tuple[GroupCount, ...]
    said: tuple[str, ...]


def leaks_of(
    cases: Sequence[Case], features: Features, *, n_permutations: int = 1000, alpha: float = 0.01, seed: int = 0
) -> tuple[Leak, ...]:
    """Leaks of the label over all images and within groups, and of the group, as far as there are enough patients.

    Args:
        cases: the images.
        features: numbers of each image.
        n_permutations: number of permutations.
        alpha: level of each test.
        seed: seed of folds, permutations and resampling.

    Example:
        >>> import torch
        >>> cases = Cases.of_arrays(torch.zeros(40, 1, 4, 4), labels=["a", "b"] * 20, groups=["x"] * 20 + ["y"] * 20)
        >>> values = np.random.default_rng(0).standard_normal((40, 2))
        >>> [(leak.of, leak.within) for leak in leaks_of(cases, Features(values, ("low", "high")), n_permutations=99)]
        [('label', None), ('label', 'group'), ('group', None)]
    """
    cases = cases if isinstance(cases, Cases) else Cases(cases)
    grouped = cases.groups is not None and len(set(cases.groups)) > 1
    wanted: list[tuple[str, Names, Names]] = [("label", cases.labels, None)]
    if grouped:
        wanted += [("label", cases.labels, cases.groups), ("group", cases.groups, None)]
    found = []
    for of, targets, within in wanted:
        if targets is None:
            continue
        try:
            leak = find_leak(
                features,
                targets,
                cases.patients,
                within,
                of=of,
                n_permutations=n_permutations,
                alpha=alpha,
                seed=seed,
            )
        except DataError:  # too few patients
            continue
        found.append(leak)
    return tuple(found)


def confounding(
    cases: Sequence[Case], leaks: Sequence[Leak], *, n_permutations: int = 1000, alpha: float = 0.01, seed: int = 0
) -> Confounding | None:
    """How much of the label the group tells, with and without the spectrum.

    Args:
        cases: the images.
        leaks: leaks of the label, over all and within groups, and of the group, as :func:`leaks_of` gives them.
        n_permutations: number of permutations.
        alpha: level of the test.
        seed: seed of folds and permutations.

    Returns:
        None without labels, or without two groups.

    Example:
        >>> import torch
        >>> groups = ["x"] * 40 + ["y"] * 40
        >>> cases = Cases.of_arrays(torch.zeros(80, 1, 4, 4), labels=["a"] * 36 + ["b"] * 40 + ["a"] * 4, groups=groups)
        >>> found = confounding(cases, ())
        >>> round(found.label_from_group, 2), found.said[0]
        (0.9, 'The group alone tells the label: AUC 0.90.')
    """
    cases = cases if isinstance(cases, Cases) else Cases(cases)
    if cases.labels is None or cases.groups is None or len(set(cases.groups)) < 2 or len(set(cases.labels)) < 2:
        return None
    names, column = sorted(set(cases.groups)), np.asarray(cases.groups, dtype=object)
    one_hot = np.stack([(column == name).astype(np.float64) for name in names], 1)
    by_group = None
    with suppress(DataError):  # too few patients
        by_group = find_leak(
            Features(one_hot, tuple(names)),
            cases.labels,
            cases.patients,
            n_permutations=n_permutations,
            alpha=alpha,
            seed=seed,
            each_cell=False,
        )
    places = {(leak.of, leak.within): k for k, leak in enumerate(leaks)}
    overall, within, of_group = (places.get(key) for key in (("label", None), ("label", "group"), ("group", None)))
    return Confounding(
        None if by_group is None else by_group.auc,
        None if by_group is None else by_group.p,
        overall,
        within,
        of_group,
        _counts(cases),
        tuple(_said(cases, by_group, [None if k is None else leaks[k] for k in (overall, within, of_group)])),
    )


def _counts(cases: Cases) -> tuple[GroupCount, ...]:
    patients: dict[tuple[str, str], list[str]] = {}
    for case, patient in zip(cases, cases.patients, strict=True):
        patients.setdefault((str(case.group), str(case.label)), []).append(patient)
    groups, labels = sorted(set(cases.groups or ())), sorted(set(cases.labels or ()))
    own = {pair: patients.get(pair, []) for pair in product(groups, labels)}
    return tuple(GroupCount(*pair, len(people), len(set(people))) for pair, people in own.items())


def _said(cases: Cases, by_group: Leak | None, leaks: Sequence[Leak | None]) -> list[str]:
    overall, within, of_group = leaks
    said = []
    if by_group is not None:
        told = "tells the label" if by_group.found else "was not found to tell the label"
        said.append(f"The group alone {told}: AUC {by_group.auc:.2f}.")
    if within is None:
        labels_of: dict[str | None, set[str | None]] = {}
        for case in cases:
            labels_of.setdefault(case.group, set()).add(case.label)
        if all(len(labels) < 2 for labels in labels_of.values()):
            said.append(
                "Each group has one label, so that label and group cannot be told apart. Add images that differ."
            )
        else:
            said.append(
                f"No two labels have {ENOUGH_PATIENTS} patients in groups of both, so none was looked at alone."
            )
    elif overall is not None and (overall.found or within.found):
        said.append(
            f"The spectrum tells the label with AUC {overall.auc:.2f} over all images, {within.auc:.2f} within groups."
        )
    if of_group is not None and of_group.found and by_group is not None and by_group.found:
        said.append("Spectrum, group and label go together: a network can take the group's spectrum for the label.")
    return said
