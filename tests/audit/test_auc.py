"""Areas under the ROC curve, against scikit-learn's own."""

import numpy as np
import pytest

from monai_freq.audit.data.auc import auc_interval, features_auc, pairs_auc

metrics = pytest.importorskip("sklearn.metrics")


def scored(n=60, columns=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, (n, columns)).astype(float)
    return np.round(rng.standard_normal((n, columns)) + y, 1), y  # rounded: with ties


def test_equals_scikit_learn():
    scores, y = scored()
    found = pairs_auc(scores, y, np.zeros(60, int))
    np.testing.assert_allclose(found, [metrics.roc_auc_score(*both) for both in zip(y.T, scores.T, strict=True)])


def test_strata_are_weighted_by_their_pairs():
    scores, y = scored(columns=1)
    strata = np.arange(60) // 20
    parts, weights = [], []
    for stratum in range(3):
        own = y[strata == stratum, 0]
        parts.append(metrics.roc_auc_score(own, scores[strata == stratum, 0]))
        weights.append(own.sum() * (1 - own).sum())
    assert pairs_auc(scores, y, strata)[0] == pytest.approx(np.average(parts, weights=weights))


def test_a_shift_of_a_stratum_changes_nothing():
    scores, y = scored()
    strata = np.arange(60) % 3
    np.testing.assert_allclose(pairs_auc(scores + 7 * strata[:, None], y, strata), pairs_auc(scores, y, strata))


def test_a_stratum_of_one_class_says_nothing():
    assert pairs_auc(np.arange(4.0)[:, None], np.ones((4, 1)), np.zeros(4, int))[0] == 0.5


def test_features_alone_have_the_sign_of_the_other_folds():
    rng = np.random.default_rng(1)
    y = np.tile([0.0, 1.0], 30)
    x = np.stack([y, -y, rng.standard_normal(60)], 1) + 0.8 * rng.standard_normal((60, 3))
    folds = np.arange(60) // 12
    found = features_auc(x, y[:, None], folds, np.zeros(60, int), folds)[:, 0]
    signs = [-1 if x[y == 1, 1].mean() < x[y == 0, 1].mean() else 1]
    assert found[1] == pytest.approx(pairs_auc(signs[0] * x[:, 1:2], y[:, None], folds)[0])
    assert found[:2].min() > 0.7 > found[2]


def test_resampled_areas_equal_those_of_repeated_images():
    scores, y = (each[:, 0] for each in scored(n=24))
    patients, strata = np.arange(24) // 2, np.arange(24) // 12
    found = auc_interval(scores, y, strata, patients, seed=3, n=20)
    counts = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), 20)
    for area, count in zip(found, counts, strict=True):
        again = np.repeat(np.arange(24), count[patients])
        assert area == pytest.approx(pairs_auc(scores[again, None], y[again, None], strata[again])[0])


def test_the_interval_holds_the_area_it_should():
    """Of normal scores whose area is 0.76: 95% of the intervals hold it, within three errors of 200 draws."""
    y = np.arange(80) % 2
    held = 0
    for seed in range(200):
        scores = np.random.default_rng(seed).standard_normal(80) + y
        low, high = np.quantile(auc_interval(scores, y, np.zeros(80, int), np.arange(80), seed, 400), [0.025, 0.975])
        held += low <= 0.7602 <= high
    assert 0.9 <= held / 200 <= 0.99
