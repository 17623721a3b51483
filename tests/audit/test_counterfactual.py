"""Whether predictions follow amplitudes: networks of known use, and the statistics by hand."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

from monai_freq.audit import AuditModel, Cases, CellLeak, Leak, band_features, find_leak
from monai_freq.audit.model.counterfactual import cells_to_exchange, counterfactual
from monai_freq.audit.model.donors import drawn_donors
from monai_freq.audit.model.exchange import exchange_of, shares_of, weighted_interval
from monai_freq.audit.model.log_odds import separations
from monai_freq.errors import DataError
from monai_freq.spectral.band_grid import BandGrid
from monai_freq.spectral.band_match import band_densities

BANDS = BandGrid((0.0, 0.1, 0.2, 0.35, 0.75))
QUIET = {"progress": False, "n_resamples": 200, "n_permutations": 500}


def planted(n=60, size=24, seed=0, gain=2.0):
    """Noise, in class 1 with more of the third cell."""
    images = torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(seed))
    gains = torch.ones(n, 1, 4)
    gains[1::2, :, 2] = gain
    images = BANDS.scaled(images, gains, spatial_dims=2)
    return images, [0, 1] * (n // 2)


def of_cell(cell, slope=4.0):
    """A network that knows the density of one cell alone."""

    def logit(images):
        density = band_densities(images, BANDS, spatial_dims=2)[:, :, cell].mean(1, keepdim=True)
        return slope * (density.log() - 0.4)

    return logit


def test_a_network_of_one_cell_says_of_an_image_what_it_says_of_the_donor():
    images, labels = planted()
    cases, model = Cases.of_arrays(images, labels), AuditModel(of_cell(2))
    found = counterfactual(model, cases, [2], BANDS, **QUIET)
    donors = drawn_donors(cases, np.array(labels))
    odds = of_cell(2)(images)[:, 0].double().numpy()
    said = 1 / (1 + np.exp(-odds))
    shifts, moved = (
        np.mean([(2 * t - 1) * (of[j] - of[k]) for k in range(60) for j, t in zip(*pair(donors, k), strict=True)])
        for of in (said, odds)
    )
    apart = np.sort(odds)[30:].mean() - np.sort(odds)[:30].mean()
    assert found.leaking.probability == pytest.approx(shifts, abs=0.05)
    assert found.leaking.probability_low < found.leaking.probability < found.leaking.probability_high
    assert found.leaking.logit == pytest.approx(moved, rel=0.1)
    assert found.separation == pytest.approx(apart, rel=1e-5)
    assert found.leaking.share == pytest.approx(found.leaking.logit / apart, rel=1e-5)
    assert found.leaking.low < found.leaking.share < found.leaking.high
    assert abs(found.control.probability) < 0.05
    assert found.difference == pytest.approx(found.leaking.share - found.control.share)
    assert found.used
    assert found.leaking.follow > 0.8
    assert found.donors == "label"
    assert (found.n_cases, found.n_patients) == (60, 60)


def kinds(found):
    return found.used, found.in_part, found.against


def pair(donors, k):
    return donors.of[k], donors.towards[k]


def test_one_of_another_cell_follows_nothing():
    images, labels = planted()
    low = lambda x: 4 * BANDS.powers(x, spatial_dims=2)[:, :, 0].log()  # noqa: E731
    found = counterfactual(AuditModel(low), Cases.of_arrays(images, labels), [2], BANDS, **QUIET)
    assert kinds(found) == (False, False, False)
    assert abs(found.leaking.share) < 0.1
    assert found.smallest_seen >= found.smallest / 4 == 0.1


def three_classes(c):
    """Scores of three classes, of which two share the cells 1 and 2, and the third has cell 3."""

    def scores(images):
        logs = band_densities(images, BANDS, spatial_dims=2).mean(1).log()
        return c * (7 + torch.stack([logs[:, 2], logs[:, 1] - logs[:, 2], logs[:, 3]], 1))

    return scores


FORMS = {
    "one logit": lambda c: AuditModel(lambda x: c * of_cell(2)(x), activation="sigmoid"),
    "two logits": lambda c: AuditModel(
        lambda x: c * torch.cat([5 - of_cell(2)(x), 5 + of_cell(2)(x)], 1), activation="softmax"
    ),
    "three logits": lambda c: AuditModel(three_classes(c), activation="softmax"),
    "three sigmoids": lambda c: AuditModel(three_classes(c), activation="sigmoid"),
}


@pytest.mark.parametrize("form", FORMS)
def test_how_sure_a_network_says_it_is_does_not_matter(form):
    images, labels = planted(n=30)
    labels = [2 if form.startswith("three") and k % 6 == 5 else label for k, label in enumerate(labels)]
    cases = Cases.of_arrays(images, labels)
    once = counterfactual(FORMS[form](1.0), cases, [2], BANDS, **QUIET)
    assert abs(once.difference) > 0.1
    for c in (1e-2, 0.3, 30.0, 1e3):
        found = counterfactual(FORMS[form](c), cases, [2], BANDS, **QUIET)
        for name in ("difference", "low", "high", "smallest_seen"):
            assert getattr(found, name) == pytest.approx(getattr(once, name), abs=1e-3)
        assert kinds(found) == kinds(once)
        assert found.separation == pytest.approx(c * once.separation, rel=1e-3)
        assert (found.p, found.p_against) == pytest.approx((once.p, once.p_against), abs=0.005)


@pytest.mark.parametrize("c", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("form", ["one", "two"])
def test_probabilities_alone_are_taken_as_far_as_they_go(form, c):
    """Logits of up to 5 c: float32 has no probability between 1 and 1 - 6e-8, and none below 1e-45 but 0."""
    images, labels = planted()

    def said(images):
        p = torch.sigmoid(c * of_cell(2)(images))
        return p if form == "one" else torch.softmax(torch.cat([0 * p, c * of_cell(2)(images)], 1), 1)

    cases = Cases.of_arrays(images, labels)
    found = counterfactual(AuditModel(said, activation="none"), cases, [2], BANDS, **QUIET)
    logits = counterfactual(AuditModel(of_cell(2)), cases, [2], BANDS, **QUIET)
    numbers = [found.difference, found.low, found.high, found.separation, found.leaking.logit, found.smallest_seen]
    assert np.isfinite(numbers).all()
    assert found.used
    assert found.difference == pytest.approx(logits.difference, abs=1e-3 if c == 1 else 0.25)
    assert (found.limited > 0.9) == (c == 1000)
    assert logits.limited == 0


def test_one_that_is_always_exactly_sure_moves_nothing_and_says_so():
    images, labels = planted(n=24)
    sure = AuditModel(lambda x: torch.ones(len(x), 1), activation="none")
    found = counterfactual(sure, Cases.of_arrays(images, labels), [2], BANDS, **QUIET)
    assert (found.difference, found.separation, found.limited) == (0, 0, 1)
    assert kinds(found) == (False, False, False)
    dead = AuditModel(lambda x: 3 + 1e-7 * x.mean((2, 3)).repeat(1, 2), activation="softmax")
    assert counterfactual(dead, Cases.of_arrays(images, labels), [2], BANDS, **QUIET).difference == 0


def test_what_is_small_beside_the_networks_own_signs_is_no_use():
    """Log-odds that go by something else by 20, and by the cell by 1: all images of a class are reordered."""
    images, labels = planted()
    images[1::2] += 4.0  # the mean, which no cell has
    model = AuditModel(lambda x: of_cell(2, slope=0.4)(x) + 20 * (x.mean((2, 3)) > 2))
    found = counterfactual(model, Cases.of_arrays(images, labels), [2], BANDS, **QUIET)
    assert found.p <= 0.01
    assert 0 < found.difference < 0.05
    assert kinds(found) == (False, False, False)


def test_one_at_chance_that_follows_is_a_user():
    """Its answers do not tell the labels apart, as two signs cancel; they still go with the amplitudes."""
    images, labels = planted()
    images[1::2] += 4.0
    model = AuditModel(lambda x: of_cell(2)(x) - 6 * (x.mean((2, 3)) > 2))
    found = counterfactual(model, Cases.of_arrays(images, labels), [2], BANDS, **QUIET)
    assert found.used
    assert np.isfinite([found.difference, found.low, found.high]).all()


def test_one_that_takes_them_for_the_contrary_is_no_user():
    images, labels = planted()
    found, turned = (
        counterfactual(AuditModel(of_cell(2, slope)), Cases.of_arrays(images, labels), [2], BANDS, **QUIET)
        for slope in (4.0, -4.0)
    )
    assert kinds(turned) == (False, False, True)
    assert turned.difference == pytest.approx(-found.difference)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert turned.p_against == found.p <= 0.01
    assert not found.against


def test_no_labels_of_as_many_images_lie_further_apart():
    rng = np.random.default_rng(0)
    odds, targets = rng.standard_normal((12, 3)), np.array([0] * 3 + [1] * 4 + [2] * 5)
    found = separations(odds, targets)
    for t, n in enumerate((3, 4, 5)):
        every = [list(some) for some in itertools.combinations(range(12), n)]
        gaps = [odds[some, t].mean() - np.delete(odds[:, t], some).mean() for some in every]
        assert found[t] == pytest.approx(max(gaps))
    assert separations(odds[:1], targets[:1]).tolist() == [0, 0, 0]
    assert separations(np.full((4, 2), 3.0), targets[:4]).tolist() == [0, 0]


def test_donors_of_a_group_move_towards_the_class_that_the_group_has_more_of():
    images, groups = planted(n=64)
    labels = [1 - group if k % 8 in (0, 1) else group for k, group in enumerate(groups)]  # three quarters agree
    cases = Cases.of_arrays(images, labels, groups=groups)
    found = counterfactual(AuditModel(of_cell(2)), cases, [2], BANDS, **QUIET)
    assert found.donors == "group"
    assert found.used
    within = counterfactual(AuditModel(of_cell(2)), cases, [2], BANDS, donors="label", **QUIET)
    assert kinds(within) == (False, False, False)  # within a group, the label is not in this cell
    assert abs(within.difference) < 0.1


def test_the_statistics_are_those_of_the_answers():
    rng = np.random.default_rng(0)
    before, after = rng.dirichlet([1, 1, 1], 20), rng.dirichlet([1, 1, 1], (20, 2))
    towards, weights = rng.integers(0, 3, (20, 2)), np.ones((3, 20))
    moved, apart = rng.standard_normal((20, 2)), np.array([2.0, 4.0, 0.0])
    found = exchange_of(("all",), before, after, towards, moved, apart, weights)
    pairs = [(before[k], after[k, j], towards[k, j]) for k in range(20) for j in range(2)]
    assert found.probability == pytest.approx(np.mean([b[t] - a[t] for a, b, t in pairs]))
    assert found.logit == pytest.approx(moved.mean())
    of_way = [moved[k, j] / apart[t] if t < 2 else 0 for k in range(20) for j, t in enumerate(towards[k])]
    assert found.share == pytest.approx(np.mean(of_way))
    assert np.allclose(shares_of(moved, towards, apart).ravel(), of_way)
    others = [(b, t) for a, b, t in pairs if a.argmax() != t]
    assert found.n_decisions == len(others)
    assert found.follow == pytest.approx(np.mean([b.argmax() == t for b, t in others]))
    numbers = rng.standard_normal(50)
    drawn = rng.multinomial(50, np.full(50, 1 / 50), 4000)
    value, low, high = weighted_interval(numbers, np.ones(50), np.concatenate([np.ones((1, 50)), drawn]))
    error = numbers.std() / np.sqrt(50)
    assert (value, low, high) == pytest.approx((numbers.mean(), value - 1.96 * error, value + 1.96 * error), abs=0.03)


@pytest.mark.slow
def test_networks_that_know_nothing_are_seldom_called_users():
    small = []
    for seed in range(30):
        images, labels = planted(n=20, size=12, seed=seed)
        weights = torch.randn(144, 2, generator=torch.Generator().manual_seed(seed))
        model = AuditModel(lambda x, w=weights: x.flatten(1) @ w / 4)
        found = counterfactual(model, Cases.of_arrays(images, labels), [2], BANDS, seed=seed, n_donors=1, **QUIET)
        small.append(found.p)
        assert not found.used
        assert not found.in_part
    assert np.mean(np.array(small) <= 0.1) <= 0.27  # 30 draws of a share of 0.1: 8 or more once in 100
    assert np.median(small) > 0.2


def test_it_repeats_and_goes_on_where_it_stopped(tmp_path):
    images, labels = planted(n=24)
    calls = []

    def counting(x):
        calls.append(len(x))
        return of_cell(2)(x)

    cases = Cases.of_arrays(images, labels)
    first = counterfactual(
        AuditModel(counting, activation="softmax"), cases, [2], BANDS, output_dir=tmp_path, seed=3, **QUIET
    )
    asked = len(calls)
    again = counterfactual(
        AuditModel(counting, activation="softmax"), cases, [2], BANDS, output_dir=tmp_path, seed=3, **QUIET
    )
    assert again == first
    assert len(calls) - asked == 2  # for the number of classes, and to see that the network is the same
    assert counterfactual(AuditModel(of_cell(2)), cases, [2], BANDS, seed=4, **QUIET) != first
    kept = json.loads(json.dumps(dataclasses.asdict(first)))
    assert kept["leaking"]["cells"] == ["0.2 to 0.35"]


def test_images_of_several_sizes_and_channels():
    images, labels = planted(n=24)
    mixed = [image.repeat(1 + k % 2, 1, 1)[:, : 24 - k % 3] for k, image in enumerate(images)]
    model = AuditModel(lambda x: of_cell(2)(x.mean(1, keepdim=True)))
    assert counterfactual(model, Cases.of_arrays(mixed, labels), [2], BANDS, **QUIET).used


def test_the_cells_of_a_leak():
    images, labels = planted(n=80)
    leak = find_leak(band_features(Cases.of_arrays(images, labels), BANDS), list(map(str, labels)), n_permutations=200)
    leaking, silent = cells_to_exchange(leak)
    assert 2 in leaking
    assert not set(leaking) & set(silent)
    weak = [CellLeak(str(k), k, auc, None, 0.4) for k, auc in enumerate((0.55, 0.52))]
    leak = Leak("label", None, ("a", "b"), 0.7, 0.6, 0.8, 0.01, 0, 0.02, 99, 0.6, 0.01, True, tuple(weak), 80, 80)
    assert cells_to_exchange(leak) == ((0,), (1,))


def test_donors_are_of_other_patients_and_where_possible_of_the_same_group():
    labels, groups = np.array([0, 1] * 20), np.array(["x", "x", "y", "y"] * 10)
    cases = Cases.of_arrays(torch.rand(40, 1, 4, 4), labels.tolist(), groups.tolist(), np.arange(40) // 2)
    donors = drawn_donors(cases, labels, "label", n_donors=3, seed=1)
    for k, of in enumerate(donors.of):
        assert len(set(of.tolist())) == 3
        assert all(labels[j] != labels[k] and j // 2 != k // 2 and groups[j] == groups[k] for j in of)
        assert donors.towards[k].tolist() == labels[of].tolist()
    assert drawn_donors(cases, labels).kind == "label"  # both groups have half of each label
    assert not np.array_equal(donors.of, drawn_donors(cases, labels, "label", n_donors=3, seed=2).of)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"leaking_cells": []}, ValueError, "'leaking_cells' must be numbers of cells"),
        ({"n_donors": 0}, ValueError, "'n_donors' must be a whole number"),
        ({"smallest": 0}, ValueError, r"'smallest' must be in \(0, 1\)"),
        ({"donors": "hospital"}, ValueError, "'donors' must be one of group, label"),
        ({"donors": "group"}, DataError, "no group"),
        ({"model": AuditModel(of_cell(2), task="segmentation")}, ValueError, "must be a classifier"),
    ],
)
def test_what_is_refused(settings, error, says):
    images, labels = planted(n=4, size=8)
    given = {"model": AuditModel(of_cell(2)), "leaking_cells": [2], **QUIET} | settings
    with pytest.raises(error, match=says):
        counterfactual(cases=Cases.of_arrays(images, labels), bands=BANDS, **given)
    with pytest.raises(DataError, match="no label"):
        counterfactual(AuditModel(of_cell(2)), Cases.of_arrays(images), [2], BANDS, **QUIET)
