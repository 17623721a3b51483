"""Mean spectra and their intervals."""

import numpy as np
import pytest
import torch

from monai_freq.audit import Cases, Features, fine_bands
from monai_freq.audit.data.mean_spectra import mean_spectra
from monai_freq.spectral.band_grid import BandGrid

BANDS = BandGrid((0.1, 0.2, 0.4))


def cases(n, labels=None, groups=None, patients=None):
    return Cases.of_arrays(torch.zeros(n, 1, 4, 4), labels, groups, patients)


def features(values):
    return Features(values, ("0.1 to 0.2", "0.2 to 0.4"), (0, 1))


def test_means_are_those_of_the_images():
    values = np.random.default_rng(0).standard_normal((12, 2))
    labels, groups = ["a", "b"] * 6, ["x"] * 6 + ["y"] * 6
    found = {(one.label, one.group): one for one in mean_spectra(cases(12, labels, groups), features(values), BANDS)}
    assert list(found) == [("a", None), ("b", None), ("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]
    np.testing.assert_allclose(found["a", None].mean, values[::2].mean(0))
    np.testing.assert_allclose(found["b", "y"].mean, values[7::2].mean(0))
    np.testing.assert_allclose(found["a", None].frequencies, [np.sqrt(0.02), np.sqrt(0.08)])
    assert found["b", "y"].n_cases == found["b", "y"].n_patients == 3


def test_intervals_are_over_patients():
    """Ten images of each patient that are alike hold no more than one of each."""
    rng = np.random.default_rng(0)
    own = rng.standard_normal((30, 2))
    single = mean_spectra(cases(30, ["a"] * 30), features(own), BANDS)[0]
    patients = np.repeat(np.arange(30), 10)
    several = mean_spectra(cases(300, ["a"] * 300, patients=patients.tolist()), features(own[patients]), BANDS)[0]
    np.testing.assert_allclose(several.mean, single.mean)
    np.testing.assert_allclose(several.low, single.low, atol=1e-12)
    assert several.n_patients == 30
    width = np.subtract(single.high, single.low)
    np.testing.assert_allclose(width, 2 * 1.96 * own.std(0) / np.sqrt(30), rtol=0.12)  # the normal interval


def test_the_interval_holds_the_mean_it_should():
    held = [
        np.less(one.low, 0) & np.less(0, one.high)
        for seed in range(100)
        for one in mean_spectra(
            cases(25, ["a"] * 25), features(np.random.default_rng(seed).standard_normal((25, 2))), BANDS, seed
        )
    ]
    assert 0.88 <= np.mean(held) <= 0.99


def test_one_patient_has_no_interval():
    one = mean_spectra(cases(2, ["a"] * 2, patients=[0, 0]), features(np.zeros((2, 2))), BANDS)[0]
    assert one.low is one.high is None


def test_without_labels_there_are_groups():
    found = mean_spectra(cases(4, groups=["x", "x", "y", "y"]), features(np.zeros((4, 2))), BANDS)
    assert [(one.label, one.group) for one in found] == [(None, None), (None, "x"), (None, "y")]


def test_fine_bands_span_the_same():
    fine = fine_bands(BandGrid.spaced(12, 0.01, 0.4, "mm", directional=True))
    assert (fine.edges[0], fine.edges[-1], fine.unit, fine.directional) == (0.01, 0.4, "mm", False)
    assert fine_bands(BandGrid((0.0, 0.2, 0.5))).edges[0] > 0
    with pytest.raises(ValueError, match="no directions"):
        mean_spectra(cases(1, ["a"]), features(np.zeros((1, 2))), BandGrid((0.1, 0.5), directional=True))
    with pytest.raises(ValueError, match="'features' must have 2 images"):
        mean_spectra(cases(2, ["a"] * 2), features(np.zeros((1, 2))), BANDS)
