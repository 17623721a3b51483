"""Leaks of a label: planted ones are found, their p-values are right, and groups do not fake them."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import binomtest, kstest, norm

from monai_freq.audit.data.features import Features
from monai_freq.audit.data.leak import find_leak
from monai_freq.audit.data.verdicts import LEAK, NO_LEAK, data_verdict, said_of_leak
from monai_freq.errors import DataError


def features(values):
    return Features(values, tuple(f"cell {k}" for k in range(values.shape[1])), tuple(range(values.shape[1])))


def smooth(rng, n, d=8):
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d))


def null(seed, kind):
    """Features, labels, patients and groups of data in which the spectrum tells nothing of the label in a group."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(40), rng.integers(1, 4, 40)) if "patients" in kind else np.arange(60)
    n = len(patients)
    x = smooth(rng, n)
    x += 3 * smooth(rng, 200)[patients] if "patients" in kind else 0
    labels = patients % 2 if "mixed" not in kind else np.arange(n) % 2
    groups = None
    if "groups" in kind:  # the label goes with the group, and the group with the spectrum
        groups = (patients + (rng.random(patients.max() + 1) < 0.3)[patients]) % 2
        x += 4 * groups[:, None]
    return x, labels.astype(str).tolist(), patients.astype(str).tolist(), groups


@pytest.mark.parametrize("kind", ["images", "patients", "mixed patients", "groups", "groups of patients"])
def test_p_values_of_null_data_are_uniform(kind):
    p = []
    for seed in range(100):
        x, labels, patients, groups = null(seed, kind)
        within = None if groups is None else groups.astype(str).tolist()
        p.append(find_leak(features(x), labels, patients, within, n_permutations=99, seed=seed, each_cell=False).p)
    # continuous within the steps of 1/100
    spread = np.array(p) - np.random.default_rng(0).random(100) / 100
    assert kstest(spread, "uniform").pvalue > 0.001
    assert binomtest(sum(each <= 0.05 for each in p), 100, 0.05, "greater").pvalue > 0.001


def test_patients_that_are_not_named_fake_a_leak():
    """What the permutations by patient are for: of images of the same patients, the p-values are far too small."""
    p = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        patients = np.repeat(np.arange(24), 5)
        x = smooth(rng, 24)[patients] + 0.1 * smooth(rng, 120)
        p.append(find_leak(features(x), (patients % 2).astype(str).tolist(), n_permutations=99, each_cell=False).p)
    assert np.mean(np.array(p) < 0.05) > 0.5


def test_a_group_does_not_help_within():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    groups = np.where(rng.random(200) < 0.2, 1 - labels, labels)
    x = smooth(rng, 200) + 4 * groups[:, None]
    names, places = labels.astype(str).tolist(), groups.astype(str).tolist()
    across, within = (find_leak(features(x), names, within=each, n_permutations=99) for each in (None, places))
    assert across.found
    assert across.within is None
    assert across.auc > 0.7
    assert not within.found
    assert within.within == "group"
    assert 0.4 < within.auc < 0.6


def test_a_leak_within_groups_is_found_whatever_the_groups():
    rng = np.random.default_rng(0)
    labels, groups = np.arange(160) % 2, rng.integers(0, 20, 160)
    x = smooth(rng, 160) + 30 * groups[:, None]
    x[:, 2] += 4 * labels
    leak = find_leak(features(x), labels.astype(str).tolist(), within=groups.astype(str).tolist())
    assert leak.found
    assert max(leak.cells, key=lambda cell: cell.auc_alone).cell == 2


def test_area_is_that_of_a_known_shift():
    """A shift of d in one feature of variance 1 has an area of Phi(d / sqrt 2)."""
    labels = np.arange(2000) % 2
    x = np.random.default_rng(0).standard_normal((2000, 3)) + np.outer(labels, [0, 0.8, 0])
    leak = find_leak(features(x), labels.astype(str).tolist(), n_permutations=99)
    expected = norm.cdf(0.8 / np.sqrt(2))
    assert leak.auc == pytest.approx(expected, abs=0.025)
    assert leak.low < expected < leak.high
    assert leak.p == 0.01
    cell = leak.cells[1]
    assert cell.auc_alone == pytest.approx(expected, abs=0.025)
    assert cell.auc_without < 0.55
    assert cell.p_alone == 0.01
    assert leak.cells[0].auc_without == pytest.approx(expected, abs=0.025)
    assert leak.cells[0].p_alone > 0.05


@pytest.mark.slow
def test_the_smallest_leak_is_found_in_four_of_five():
    """Leaks of that size in other draws; within three errors of 100."""
    n, labels = 120, (np.arange(120) % 2).astype(str).tolist()
    x = np.random.default_rng(1000).standard_normal((n, 1))
    smallest = find_leak(features(x), labels, alpha=0.05, each_cell=False).smallest_auc
    shift = np.sqrt(2) * norm.ppf(smallest)
    found = 0
    for seed in range(100):
        x = np.random.default_rng(seed).standard_normal((n, 1)) + shift * (np.arange(n) % 2)[:, None]
        found += find_leak(features(x), labels, alpha=0.05, n_permutations=99, each_cell=False).found
    assert 0.68 <= found / 100 <= 0.92


def test_p_of_cells_is_that_of_the_largest_of_all():
    """Of 8 null cells, some has the smallest p-value; corrected, one data set in twenty has one below 0.05."""
    labels = (np.arange(60) % 2).astype(str).tolist()
    smallest = []
    for seed in range(60):
        x = np.random.default_rng(seed).standard_normal((60, 8))
        smallest.append(
            min(cell.p_alone for cell in find_leak(features(x), labels, n_permutations=99, seed=seed).cells)
        )
    assert binomtest(sum(p <= 0.05 for p in smallest), 60, 0.05, "greater").pvalue > 0.01
    assert kstest(np.array(smallest) - np.random.default_rng(0).random(60) / 100, "uniform").pvalue > 0.01


def test_several_classes():
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    x = smooth(rng, 150)
    assert not find_leak(features(x), labels.astype(str).tolist(), n_permutations=199).found
    x[:, 0] += 6 * (labels == 2)
    leak = find_leak(features(x), labels.astype(str).tolist(), n_permutations=199)
    assert leak.found
    assert leak.classes == ("0", "1", "2")


def test_the_order_of_the_classes_changes_nothing():
    x = smooth(np.random.default_rng(0), 80)
    x[::2, 1] += 1
    one, other = (find_leak(features(x), names * 40, n_permutations=99) for names in (["a", "b"], ["b", "a"]))
    assert one.auc == pytest.approx(other.auc, abs=0.05)  # the folds are others
    assert one.found == other.found


def test_one_feature_has_no_others():
    labels = ["a", "b"] * 20
    leak = find_leak(features(np.random.default_rng(0).standard_normal((40, 1))), labels, n_permutations=99)
    assert leak.cells[0].auc_without is None


def test_the_seed_decides_and_pieces_do_not(monkeypatch):
    x = smooth(np.random.default_rng(0), 60)
    labels = ["a", "b"] * 30
    first = find_leak(features(x), labels, n_permutations=99)
    monkeypatch.setattr("monai_freq.audit.data.leak._ENTRIES", 600)
    pieces = find_leak(features(x), labels, n_permutations=99)
    assert (pieces.p, pieces.auc) == (first.p, pytest.approx(first.auc, abs=1e-12))
    monkeypatch.undo()
    assert find_leak(features(x), labels, n_permutations=99) == first
    assert find_leak(features(x), labels, n_permutations=99, seed=1).low != first.low


def test_it_is_plain_data():
    leak = find_leak(features(smooth(np.random.default_rng(0), 40)), ["a", "b"] * 20, n_permutations=99)
    assert json.loads(json.dumps(dataclasses.asdict(leak)))["cells"][0]["name"] == "cell 0"
    for value in dataclasses.asdict(leak).values():
        assert type(value) in (str, int, float, bool, tuple, type(None))


def test_bounds_of_the_p_value():
    leak = find_leak(features(np.outer(np.tile([0.0, 1.0], 20), [1.0])), ["a", "b"] * 20, n_permutations=199)
    assert leak.auc == 1
    assert leak.p == 1 / 200
    expected = binomtest(0, 199).proportion_ci(method="exact")
    assert (leak.p_low, leak.p_high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_permutations": 50}, r"'n_permutations' must be a whole number of at least 99 for a level of 0.01, got 50"),
        ({"alpha": 0}, r"'alpha' must be in \(0, 1\), got 0"),
        ({"n_folds": 1}, "'n_folds' must be a whole number of at least 2, got 1"),
        ({"patients": ["p"]}, "'patients' must have 40 entries, one for each image, got 1"),
        ({"seed": -1}, "'seed' must be an integer of at least 0, got -1"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ValueError, match=message):
        find_leak(features(np.zeros((40, 2))), ["a", "b"] * 20, **settings)


def test_too_few_patients():
    with pytest.raises(
        DataError, match=r"Fewer than two classes have 10 patients or more.\nPatients of each class: a: 9"
    ):
        find_leak(features(np.zeros((18, 2))), ["a", "b"] * 9)


def test_a_leak_within_groups_is_found_where_each_patient_is_in_both():
    """As where everybody had both scanners: 80 patients, one number that a label shifts by 3 SD of patients."""
    rng = np.random.default_rng(0)
    patients, groups = np.repeat(np.arange(80), 2), np.tile([0, 1], 80)
    labels = patients % 2
    values = rng.normal(size=(80, 4))[patients] + 0.3 * rng.normal(size=(160, 4)) + 2.0 * groups[:, None]
    shifted = values + 3.0 * labels[:, None] * np.array([0, 1, 0, 0])
    for each, found in ((shifted, True), (values, False)):
        columns = [list(map(str, column)) for column in (labels, patients, groups)]
        leak = find_leak(Features(each, tuple("abcd")), *columns, n_permutations=199, each_cell=False)
        assert leak.found is found
        assert leak.smallest_auc < 0.8


def test_powers_that_hardly_differ_are_the_same():
    rng, labels = np.random.default_rng(0), ["a", "b"] * 60
    away = np.outer([1.0, 0.0] * 60, [0, 1, 0])
    noise = 1e-3 * rng.standard_normal((120, 3))  # 0.01 dB
    for difference, found in ((0.009, False), (0.011, True)):
        features = Features(noise + difference * away, ("low", "mid", "high"), (0, 1, 2))
        leak = find_leak(features, labels, n_permutations=200)
        assert leak.auc > 0.99
        assert leak.found is found
        assert leak.too_small is not found
        assert leak.difference_db == pytest.approx(10 * difference, abs=0.01)
        assert ("counts as none" in said_of_leak(leak)) is not found
        assert data_verdict(leak, None, None, labelled=True) == (LEAK if found else NO_LEAK)
    others = Features(noise + 0.009 * away, ("width", "height", "age"))  # numbers of another kind
    assert find_leak(others, labels, n_permutations=200).found


def test_differences_are_those_within_groups():
    rng, labels, groups = np.random.default_rng(0), ["a"] * 40 + ["b"] * 40, (["x"] * 30 + ["y"] * 10) * 2
    values = 1e-3 * rng.standard_normal((80, 2))
    values[[group == "y" for group in groups]] += 1
    values[40:, 1] += 0.02
    leak = find_leak(Features(values, ("low", "high"), (0, 1)), labels, within=groups, n_permutations=200)
    assert leak.difference_db == pytest.approx(0.2, abs=0.01)
