"""Textures are standardised, fine, irregular, and each of its own kind."""

import numpy as np
import pytest

from monai_freq.phantoms.textures import TEXTURES, fine_texture, standardised


def radial_power(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.fft2(field - field.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(len(field))[:, None], np.fft.fftfreq(len(field))[None, :])
    return frequency.ravel(), power.ravel()


@pytest.mark.parametrize("kind", TEXTURES)
def test_mean_and_deviation_tell_nothing(kind):
    field = fine_texture(np.random.default_rng(0), kind, 96)
    assert (field.shape, field.dtype) == ((96, 96), np.float32)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", TEXTURES)
def test_most_power_is_in_the_mid_and_high_frequencies(kind):
    fine = []
    for seed in range(5):
        frequency, power = radial_power(fine_texture(np.random.default_rng(seed), kind, 96))
        fine.append(power[frequency > 1 / 8].sum() / power.sum())
    assert np.mean(fine) > 0.6


@pytest.mark.parametrize("kind", TEXTURES)
def test_no_two_are_alike(kind):
    fields = [fine_texture(np.random.default_rng(seed), kind, 64) for seed in range(4)]
    for number, one in enumerate(fields):
        for other in fields[:number]:
            assert abs(np.mean(one * other)) < 0.3


def test_weighted_mean_and_deviation_are_those_asked_for():
    rng = np.random.default_rng(0)
    light, weight = rng.random((32, 32)), rng.random((32, 32))
    found = standardised(rng, light, weight, mean=(0.4, 0.4), deviation=(0.1, 0.1))
    mean = np.average(found, weights=weight)
    assert mean == pytest.approx(0.4, abs=1e-6)
    assert np.average((found - mean) ** 2, weights=weight) == pytest.approx(0.01, rel=1e-4)
