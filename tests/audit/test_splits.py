"""Folds of patients."""

import numpy as np
import pytest

from monai_freq.audit.data.splits import split_patients
from monai_freq.errors import DataError


def test_patients_lie_in_one_fold_and_classes_in_all():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(83), rng.integers(1, 5, 83))
    labels = np.where(patients % 3 == 0, "a", "b")
    split = split_patients(labels.tolist(), patients.tolist(), None, 5, seed=0)
    for patient in range(83):
        assert len(set(split.folds[split.patients == patient])) == 1
    for code in (0, 1):
        counts = [len(set(split.patients[(split.folds == fold) & (split.codes == code)])) for fold in range(5)]
        assert max(counts) - min(counts) <= 1


def test_each_large_group_is_in_all_folds_and_a_small_one_in_one():
    labels = ["a", "b"] * 40
    groups = ["large"] * 60 + ["small"] * 8 + ["tiny"] * 2 + ["one label"] * 10
    labels[70:] = ["a"] * 10
    split = split_patients(labels, None, groups, 5, seed=0)
    assert len(split.kept) == 70  # images of one class alone have nothing to be compared with
    folds = [set(split.folds[split.groups == group]) for group in range(3)]
    assert folds[0] == set(range(5))
    assert len(folds[1]) == len(folds[2]) == 1


def test_every_stratum_of_small_groups_has_a_pair():
    labels, groups = ["a", "b"] * 30, [str(k // 2) for k in range(60)]
    split = split_patients(labels, None, groups, 5, seed=0)
    assert all(set(split.codes[split.strata == stratum]) == {0, 1} for stratum in range(30))
    assert len(set(split.folds)) == 5


def test_classes_of_few_patients_are_left_out():
    labels = ["a"] * 20 + ["b"] * 20 + ["c"] * 9
    split = split_patients(labels, None, None, 5, seed=0)
    assert split.classes == ("a", "b")
    assert split.left_out == ("c",)
    with pytest.raises(DataError, match=r"a: 20, c: 9"):
        split_patients(labels[:20] + labels[40:], None, None, 5, seed=0)
    with pytest.raises(DataError, match="in groups of two classes"):
        split_patients(["a"] * 20 + ["b"] * 20, None, ["x"] * 20 + ["y"] * 20, 5, seed=0)


def test_the_seed_decides():
    labels = ["a", "b"] * 50
    first, again, other = (split_patients(labels, None, None, 5, seed).folds for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
