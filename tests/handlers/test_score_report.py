"""Scores of a classifier, against scikit-learn's definitions written out, and through MONAI's evaluator."""

import csv
import json

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.metrics import CalibrationErrorMetric
from scipy.special import logsumexp
from torch import nn

from monai_freq.handlers import ScoreReport
from monai_freq.handlers.score_report import auc, calibration_error, log_odds

CLASSES = {"0": "benign", "1": "malignant"}


def pairwise_auc(scores, positive):
    """Share of pairs of a positive and a negative that are in order, ties counting half."""
    wins = [(p > n) + (p == n) / 2 for p in scores[positive] for n in scores[~positive]]
    return float(np.mean(wins))


def random_scores(n, k, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) if levels is None else rng.integers(levels, size=(n, k)).astype(float)
    return torch.from_numpy(logits).softmax(1), torch.from_numpy(rng.integers(k, size=n))


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("classes", [2, 5])
def test_auc_is_the_share_of_pairs_in_order(classes, levels):
    scores, labels = random_scores(80, classes, levels=levels)
    numbers = [1] if classes == 2 else range(classes)
    expected = np.mean([pairwise_auc(scores[:, k].numpy(), (labels == k).numpy()) for k in numbers])
    assert auc(scores, labels) == pytest.approx(expected)


def test_auc_of_one_class_alone_is_not_known():
    scores, _ = random_scores(6, 2)
    assert np.isnan(auc(scores, torch.ones(6, dtype=torch.long)))
    scores, _ = random_scores(4, 3)  # the third class does not occur and does not count
    labels = torch.tensor([0, 1, 0, 1])
    expected = np.mean([pairwise_auc(scores[:, k].numpy(), (labels == k).numpy()) for k in (0, 1)])
    assert auc(scores, labels) == pytest.approx(expected)


def test_calibration_error_bin_by_bin():
    scores, labels = random_scores(300, 3)
    confidence, right = scores.max(1).values.numpy(), (scores.argmax(1) == labels).numpy()
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration_error(scores, labels) == pytest.approx(expected)


def test_calibration_error_is_monais():
    """Of a classifier that is too sure where it is sure, and not sure enough where it is not: no bin speaks for all."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 800)
    right = rng.random(800) < 1.5 - confidence
    metric = CalibrationErrorMetric(num_bins=15)
    metric(y_pred=torch.from_numpy(confidence)[None, None], y=torch.from_numpy(right)[None, None].double())
    expected = float(metric.aggregate())
    assert expected > 5 * abs(right.mean() - confidence.mean())
    scores = torch.from_numpy(np.stack([1 - confidence, confidence], 1))
    assert calibration_error(scores, torch.from_numpy(right).long()) == pytest.approx(expected, abs=1e-5)


def test_a_calibrated_classifier_has_no_calibration_error():
    scores = torch.tensor([[0.75, 0.25]]).repeat(400, 1)
    assert calibration_error(scores, torch.tensor([0, 0, 0, 1]).repeat(100)) == pytest.approx(0, abs=1e-12)
    assert calibration_error(scores, torch.ones(400, dtype=torch.long)) == pytest.approx(0.75)


class Echo(nn.Module):
    """Scores that are written in the image."""

    def forward(self, x):
        return x.flatten(1)


def evaluated(tmp_path, items, classes=CLASSES, batch_size=3):
    loader = DataLoader(Dataset(items), batch_size=batch_size)
    report = ScoreReport(tmp_path, classes)
    SupervisedEvaluator(torch.device("cpu"), loader, Echo(), val_handlers=[report]).run()
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    summary = tmp_path / "summary.json"
    return rows, json.loads(summary.read_text()) if summary.exists() else None


def items_of(logits, labels, **more):
    return [
        {"image": torch.as_tensor(row).float(), "label": int(label), "sample": f"slice_{place:02}", **more}
        for place, (row, label) in enumerate(zip(logits, labels, strict=True))
    ]


def test_every_condition_has_its_own_line(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(8) % 2
    clean, shifted = rng.normal(size=(2, 8, 2))
    items = items_of(clean, labels, condition="clean") + items_of(shifted, labels, condition="ood")
    rows, summary = evaluated(tmp_path, items)
    assert len(rows) == 16
    assert set(summary) == {"clean", "ood"}
    for condition, logits in (("clean", clean), ("ood", shifted)):
        own = [row for row in rows if row["condition"] == condition]
        assert [row["sample"] for row in own] == [f"slice_{place:02}" for place in range(8)]
        scores = torch.from_numpy(logits).softmax(1)
        np.testing.assert_allclose([float(row["score_malignant"]) for row in own], scores[:, 1], atol=1e-6)
        assert [int(row["label"]) for row in own] == labels.tolist()
        assert summary[condition]["samples"] == 8
        assert summary[condition]["auc"] == pytest.approx(auc(scores, torch.from_numpy(labels)))
        assert summary[condition]["accuracy"] == pytest.approx((scores.argmax(1).numpy() == labels).mean())


def test_confident_scores_still_have_an_order(tmp_path):
    logits = [[0, 20], [0, 22], [0, 24], [0, 26]]
    rows, summary = evaluated(tmp_path, items_of(logits, [0, 0, 1, 1]))
    assert summary["all"]["auc"] == 1
    assert len({row["score_benign"] for row in rows}) == 4
    # in float64, too, these scores are all 1
    assert evaluated(tmp_path, items_of([[0, 40], [0, 50], [0, 60], [0, 70]], [0, 0, 1, 1]))[1]["all"]["auc"] == 1


@pytest.mark.parametrize("classes", [2, 5])
def test_log_odds_of_any_confidence(classes):
    logits = 30 * torch.randn(200, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    others = [np.delete(logits.numpy(), k, 1) for k in range(classes)]
    expected = logits.numpy() - np.stack([logsumexp(rest, 1) for rest in others], 1)
    np.testing.assert_allclose(log_odds(logits), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_odds(logits.float()), expected, rtol=1e-5, atol=1e-4)


def test_a_second_run_starts_anew(tmp_path):
    items = items_of([[0, 1], [1, 0]], [0, 1])
    loader = DataLoader(Dataset(items), batch_size=2)
    evaluator = SupervisedEvaluator(torch.device("cpu"), loader, Echo(), val_handlers=[ScoreReport(tmp_path, CLASSES)])
    for _ in range(2):
        evaluator.run()
        assert json.loads((tmp_path / "summary.json").read_text())["all"]["samples"] == 2


def test_a_network_with_another_number_of_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'classes' names 2 classes, but the network scores 3"):
        evaluated(tmp_path, items_of([[0, 1, 2]], [0]))


@pytest.mark.parametrize(("count", "all_of_them"), [(20, True), (21, False)])
def test_up_to_twenty_classes_have_a_column_each(count, all_of_them, tmp_path):
    scores, labels = random_scores(3, count)
    rows, _ = evaluated(tmp_path, items_of(scores.log(), labels), {str(n): f"class {n}" for n in range(count)})
    assert (f"score_class_{count - 1}" in rows[0]) == all_of_them
    assert ("predicted" in rows[0]) != all_of_them


def test_of_many_classes_the_most_probable_one_is_written(tmp_path):
    scores, labels = random_scores(40, 30)
    classes = {str(number): f"class {number}" for number in range(30)}
    rows, summary = evaluated(tmp_path, items_of(scores.log(), labels), classes)
    assert set(rows[0]) == {"condition", "sample", "label", "predicted", "score_predicted", "score_label"}
    right = np.mean([row["predicted"] == row["label"] for row in rows])
    assert summary["all"]["accuracy"] == pytest.approx(right)
    assert summary["all"]["auc"] == pytest.approx(auc(scores, labels), abs=1e-6)
    for row in rows:
        assert float(row["score_label"]) <= float(row["score_predicted"])


def test_images_without_labels_have_scores_alone(tmp_path):
    scores, labels = random_scores(5, 2)
    items = [{key: value for key, value in item.items() if key != "label"} for item in items_of(scores.log(), labels)]
    rows, summary = evaluated(tmp_path, items)
    assert set(rows[0]) == {"condition", "sample", "score_benign", "score_malignant"}
    found = {row["sample"]: float(row["score_malignant"]) for row in rows}
    assert sorted(found.values()) == pytest.approx(sorted(scores[:, 1].tolist()), abs=1e-6)
    assert summary is None
