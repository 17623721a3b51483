"""Permutations of labels over patients."""

from collections import Counter

import numpy as np

from monai_freq.audit.data.permutations import numbered, permuted


def test_patients_keep_one_label_and_strata_their_patients():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(30), rng.integers(1, 4, 30))
    codes, strata = (patients % 2), (patients // 10)
    drawn = permuted(codes, patients, strata, 50)
    assert (drawn[:, 0] == codes).all()
    drawn = drawn[:, 1:]
    for column in drawn.T:
        of_patient = [set(column[patients == patient]) for patient in range(30)]
        assert all(len(own) == 1 for own in of_patient)
        for stratum in range(3):
            labels = [own.pop() for own in of_patient[10 * stratum : 10 * stratum + 10]]
            assert sum(labels) == 5
    assert (drawn != codes[:, None]).mean() > 0.4


def test_all_assignments_are_equally_likely():
    drawn = permuted(np.array([0, 0, 1, 1]), np.arange(4), np.zeros(4, int), 6000)[:, 1:]
    counts = Counter(map(tuple, drawn.T.tolist()))
    assert len(counts) == 6
    assert all(abs(count - 1000) < 4 * np.sqrt(1000) for count in counts.values())


def test_patients_of_two_labels_exchange_their_own():
    codes, patients = np.array([0, 1, 1, 0, 1, 2]), np.array([0, 0, 0, 1, 2, 2])
    drawn = permuted(codes, patients, np.zeros(6, int), 100)
    assert {tuple(sorted(column[:3])) for column in drawn.T} == {(0, 1, 1)}
    assert {tuple(sorted(column[4:])) for column in drawn.T} == {(1, 2)}
    assert (drawn[3] == 0).all()  # the only patient of one label


def test_a_patient_in_two_strata_keeps_the_labels_of_each():
    codes, patients, strata = np.array([0, 1, 1, 0, 1]), np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 1])
    drawn = permuted(codes, patients, strata, 60)
    assert {tuple(sorted(column[:2])) for column in drawn.T} == {(0, 1)}
    assert (drawn[2] == 1).all()
    assert {tuple(column[3:]) for column in drawn.T} == {(0, 1), (1, 0)}


def test_patients_in_the_same_strata_exchange_their_label_whole():
    patients, strata = np.repeat(np.arange(5), 2), np.array([0, 1] * 4 + [0, 0])
    codes = np.array([0, 0, 1, 1, 0, 0, 1, 1, 1, 1])
    drawn = permuted(codes, patients, strata, 3000)[:, 1:]
    assert (drawn[::2] == drawn[1::2]).all()
    assert (drawn[8:] == 1).all()  # nobody else is in the first stratum alone
    counts = Counter(map(tuple, drawn[:8:2].T.tolist()))
    assert len(counts) == 6
    assert all(abs(count - 500) < 4 * np.sqrt(500) for count in counts.values())


def test_the_seed_decides():
    arguments = np.arange(20) % 3, np.arange(20), np.zeros(20, int), 10
    assert (permuted(*arguments, seed=1) == permuted(*arguments, seed=1)).all()
    assert (permuted(*arguments, seed=1) != permuted(*arguments, seed=2)).any()


def test_numbers_follow_the_names():
    codes, names = numbered([3, 1, 3, 2])
    assert [names[code] for code in codes] == [3, 1, 3, 2]
