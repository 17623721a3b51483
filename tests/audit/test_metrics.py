"""Metrics against scikit-learn's and closed forms; the bootstrap against the theory of means."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from monai_freq.audit.model.metrics import Metric, overlap, resampled, targets_of, weighted_auc
from monai_freq.errors import DataError


def test_auc_of_many_weightings_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 12, 80) / 4, rng.random(80) < 0.4  # with ties
    weights = rng.integers(0, 4, (30, 80)).astype(float)
    found = weighted_auc(scores, positive, weights)
    expected = [roc_auc_score(positive[w > 0], scores[w > 0], sample_weight=w[w > 0]) for w in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(weighted_auc(scores, np.zeros(80, bool), weights)).all()


def test_auc_of_several_classes_is_the_mean_of_one_against_the_rest():
    rng = np.random.default_rng(1)
    targets, rows = rng.integers(0, 3, 90), rng.dirichlet([1, 1, 1], 90)
    metric = Metric("auc", resampled([str(k) for k in range(90)], 10), targets)
    assert metric.of(rows, rows).value == pytest.approx(roc_auc_score(targets, rows, multi_class="ovr"))


def test_patients_are_drawn_whole():
    patients = [f"p{k // 3}" for k in range(60)]
    times = resampled(patients, 200, seed=1)
    assert (times[0] == 1).all()
    assert (times.reshape(201, 20, 3) == times.reshape(201, 20, 3)[:, :, :1]).all()
    assert (times.sum(1) == 60).all()
    assert (resampled(patients, 200, seed=1) == times).all()


def test_an_interval_is_that_of_the_theory_of_means():
    rng = np.random.default_rng(2)
    right = (rng.random(400) < 0.7).astype(float)
    rows = np.stack([1 - right, right], 1)
    found = Metric("accuracy", resampled([str(k) for k in range(400)], 2000), np.ones(400, int)).of(rows, rows)
    share, error = right.mean(), 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 400)
    np.testing.assert_allclose([found.value, found.low, found.high], [share, share - error, share + error], atol=0.01)
    assert (found.drop, found.drop_low, found.drop_high) == (0, 0, 0)


def test_a_drop_of_a_distance_is_a_rise():
    rows = np.array([[1.0], [2.0], [3.0]])
    found = Metric("hd95", resampled(list("abc"), 20)).of(rows + 4, rows)
    assert [found.value, found.drop, found.drop_low, found.drop_high] == pytest.approx([6, 4, 4, 4])


def test_overlap_of_boxes():
    reference, found = torch.zeros(1, 20, 20), torch.zeros(20, 20)
    reference[:, 2:12, 2:12] = 1  # 10 x 10
    found[2:12, 7:17] = 1  # moved by 5 voxels: 50 of 100 in common
    probabilities = torch.stack([1 - found, found, torch.zeros(20, 20)])
    dice = overlap("dice", probabilities, reference, (1.0, 2.0))
    assert dice[0] == pytest.approx(0.5)
    assert np.isnan(dice[1])  # the reference has none
    assert overlap("hd95", probabilities, reference, (1.0, 2.0))[0] == pytest.approx(10)  # 5 voxels of 2 mm
    nothing = torch.stack([torch.ones(20, 20), torch.zeros(20, 20)])
    assert overlap("hd95", nothing, reference, (1.0, 2.0))[0] == pytest.approx(np.hypot(20, 40))
    with pytest.raises(DataError, match="its reference"):
        overlap("dice", probabilities, torch.zeros(1, 8, 8), (1, 1))


def test_labels_find_their_classes():
    assert targets_of(["b", "a"], ("b", "a"), 2)[0].tolist() == [0, 1]
    assert targets_of(["1", "0"], ("healthy", "ill"), 2)[0].tolist() == [1, 0]
    assert targets_of(["b", "a"], (), 2)[1] == ("a", "b")
    for labels, classes, n in ((["x", "y"], ("a", "b"), 2), (["x", "y"], (), 3), (None, (), 2), (["2", "0"], (), 2)):
        with pytest.raises(DataError):
            targets_of(labels, classes, n) if labels != ["2", "0"] else targets_of(["2", "0", "1"], (), 2)
