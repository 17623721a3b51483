"""The regression, against scikit-learn's own."""

import numpy as np
import pytest

from monai_freq.audit.data.ridge import PENALTIES, ridge_scores, without_means

linear_model = pytest.importorskip("sklearn.linear_model")
preprocessing = pytest.importorskip("sklearn.preprocessing")


def smooth(n, d, seed=0):
    """Features that neighbours share, as spectra do."""
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, d)), 1)


@pytest.mark.parametrize(("n", "d", "shift"), [(120, 12, 1.5), (120, 12, 0.0), (60, 80, 3.0)])
def test_equals_ridge_with_the_penalty_of_leaving_one_out(n, d, shift):
    y = np.arange(n) % 2
    x = smooth(n, d) + shift * np.outer(y, np.arange(d) == 3)
    folds = np.arange(n) // 2 % 5
    scores = ridge_scores(x, y[:, None].astype(float), folds, np.zeros(n, int))[:, 0]
    chosen = set()
    for fold in range(5):
        train = folds != fold
        scaler = preprocessing.StandardScaler().fit(x[train])
        ridge = linear_model.RidgeCV(np.array(PENALTIES) * train.sum()).fit(scaler.transform(x[train]), y[train])
        expected = ridge.predict(scaler.transform(x[~train])) - y[train].mean()
        np.testing.assert_allclose(scores[~train], expected, atol=1e-8)
        chosen.add(round(ridge.alpha_ / train.sum(), 5))
    assert chosen <= set(PENALTIES)


def test_without_a_penalty_it_is_fishers_discriminant(monkeypatch):
    """The direction of the least squares is that of the discriminant, so that the order of the scores is the same."""
    discriminant = pytest.importorskip("sklearn.discriminant_analysis").LinearDiscriminantAnalysis()
    monkeypatch.setattr("monai_freq.audit.data.ridge.PENALTIES", (1e-12,))
    y, folds = np.arange(150) % 3 == 0, np.arange(150) % 5
    x = smooth(150, 6) + np.outer(y, [0, 1, 0, 0, 0, 0])
    scores = ridge_scores(x, y[:, None].astype(float), folds, np.zeros(150, int))[:, 0]
    for fold in range(5):
        expected = discriminant.fit(x[folds != fold], y[folds != fold]).decision_function(x[folds == fold])
        assert np.corrcoef(scores[folds == fold], expected)[0, 1] == pytest.approx(1, abs=1e-9)


def test_columns_do_not_touch_each_other():
    y = np.random.default_rng(0).integers(0, 2, (80, 5)).astype(float)
    x, folds, groups = smooth(80, 6), np.arange(80) % 4, np.arange(80) // 40
    together = ridge_scores(x, y, folds, groups)
    for k in range(5):
        np.testing.assert_allclose(ridge_scores(x, y[:, k : k + 1], folds, groups)[:, 0], together[:, k], atol=1e-12)


def test_a_shift_of_a_group_changes_nothing():
    y, groups, folds = np.arange(90) % 2, np.arange(90) // 30, np.arange(90) % 5
    x = smooth(90, 4)
    moved = x + np.array([[0.0] * 4, [5.0, -3, 2, 9], [-8.0, 1, 0, 4]])[groups]
    one, other = (ridge_scores(each, y[:, None].astype(float), folds, groups) for each in (x, moved))
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_features_without_variance_are_ignored():
    y, folds = np.arange(40) % 2, np.arange(40) % 4
    x = smooth(40, 3)
    padded = np.concatenate([x, np.ones((40, 1)), x[:, :1]], 1)  # a constant and a copy
    scores = ridge_scores(padded, y[:, None].astype(float), folds, np.zeros(40, int))
    assert np.isfinite(scores).all()
    assert np.allclose(ridge_scores(np.ones((40, 2)), y[:, None].astype(float), folds, np.zeros(40, int)), 0)


def test_means_are_those_of_training():
    values, groups = np.arange(12.0).reshape(6, 2), np.array([0, 0, 1, 1, 2, 2])
    train = np.array([True, True, True, False, False, False])
    inner, outer = without_means(values, groups, train)
    np.testing.assert_allclose(inner, [[-1, -1], [1, 1], [0, 0]])
    np.testing.assert_allclose(outer, [[2, 2], [6, 6], [8, 8]])  # a group not in training has the mean of all
