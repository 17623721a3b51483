"""Noise, bias, texture and deformation have the statistics they claim and draw from their generator only."""

import numpy as np
import pytest
import torch
from random_states import global_states

from monai_freq.phantoms import acquisition
from monai_freq.phantoms.acquisition import deform, magnitude_image, ramp_noise, texture

SHAPE = (32, 28, 24)
AFFINE = np.diag([5.0, 5.0, 4.0, 1.0])


def test_bias_is_a_smooth_gain_of_the_strength_asked_for():
    field = np.log(acquisition._bias_field(np.random.default_rng(0), SHAPE, strength=0.3))
    assert field.max() == pytest.approx(0.3, abs=1e-5)
    assert field.min() == pytest.approx(-0.3, abs=1e-5)
    assert max(np.abs(np.diff(field, axis=axis)).max() for axis in range(3)) < 0.15


def test_no_strength_is_no_bias():
    np.testing.assert_array_equal(
        acquisition._bias_field(np.random.default_rng(0), SHAPE, strength=0), np.ones(SHAPE, dtype=np.float32)
    )


def test_texture_is_standardised_and_smooth():
    field = texture(np.random.default_rng(0), SHAPE, width=1.5)
    assert field.mean() == pytest.approx(0, abs=1e-5)
    assert field.std() == pytest.approx(1, abs=1e-4)
    neighbours = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
    assert neighbours == pytest.approx(np.exp(-1 / (4 * 1.5**2)), abs=0.03)  # autocorrelation of a Gaussian kernel


def test_rician_noise_is_gaussian_on_bright_signal_and_rayleigh_in_air():
    bright = acquisition._rician_noise(
        np.random.default_rng(0), np.full((64, 64, 32), 100, dtype=np.float32), sigma=2.0
    )
    assert bright.std() == pytest.approx(2, rel=0.02)
    assert bright.mean() == pytest.approx(100 + 2**2 / (2 * 100), abs=0.02)
    air = acquisition._rician_noise(np.random.default_rng(0), np.zeros((64, 64, 32), dtype=np.float32), sigma=2.0)
    assert air.mean() == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.01)
    assert air.min() >= 0


def test_the_power_of_ramp_noise_rises_with_the_frequency_and_then_falls_with_the_kernel():
    noise = ramp_noise(np.random.default_rng(0), (64, 64, 400), width=0.6)
    power = (np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2).mean(2)
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    expected = frequency * np.exp(-((2 * np.pi * 0.6 * frequency) ** 2))
    rings = np.digitize(frequency, np.linspace(0.02, 0.5, 13))
    for ring in range(1, 13):
        measured, wanted = (values[rings == ring].mean() for values in (power, expected))
        assert measured / power.mean() == pytest.approx(wanted / expected.mean(), rel=0.05)


def test_slices_of_ramp_noise_are_independent():
    noise = ramp_noise(np.random.default_rng(0), (48, 48, 60), width=0.6)
    assert noise.std() == pytest.approx(1, abs=1e-5)
    assert abs(np.corrcoef(noise[..., 1:].ravel(), noise[..., :-1].ravel())[0, 1]) < 0.02


def test_deformation_moves_all_layers_alike():
    layer = texture(np.random.default_rng(0), SHAPE, 2.0)
    warped = deform(np.random.default_rng(1), np.stack([layer, 3 * layer]), AFFINE, displacement=8.0)
    np.testing.assert_allclose(warped[1], 3 * warped[0], atol=1e-4)
    assert np.abs(warped[0] - layer).max() > 0.5


def test_deformation_moves_no_further_than_asked():
    x = np.broadcast_to(5.0 * np.arange(SHAPE[0], dtype=np.float32)[:, None, None], SHAPE).copy()
    moved = deform(np.random.default_rng(0), x[None], AFFINE, displacement=8.0)[0] - x
    assert 1 < np.abs(moved).max() <= 8


def test_deformation_leaves_the_border():
    layer = texture(np.random.default_rng(0), SHAPE, 2.0)
    warped = deform(np.random.default_rng(0), layer[None], AFFINE, displacement=8.0)[0]
    for axis in range(3):
        np.testing.assert_allclose(np.take(warped, 1, axis), np.take(layer, 1, axis), atol=0.05)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: acquisition._bias_field(rng, SHAPE, 0.3),
        lambda rng: texture(rng, SHAPE, 1.0),
        lambda rng: ramp_noise(rng, SHAPE, 0.5),
        lambda rng: acquisition._rician_noise(rng, np.ones(SHAPE, dtype=np.float32), 0.1),
        lambda rng: magnitude_image(rng, np.ones(SHAPE, dtype=np.float32), bias=(0, 1), grain=(0.1, 1), noise=(0, 1)),
        lambda rng: deform(rng, np.indices(SHAPE).astype(np.float32), AFFINE, 8.0),
    ],
    ids=["bias_field", "texture", "ramp_noise", "rician_noise", "magnitude_image", "deform"],
)
def test_only_the_generator_matters_and_no_global_state_changes(draw):
    before = global_states()
    first = draw(np.random.default_rng(3))
    assert global_states() == before
    torch.manual_seed(99)
    np.testing.assert_array_equal(draw(np.random.default_rng(3)), first)
    assert not np.array_equal(draw(np.random.default_rng(4)), first)
