"""Kaiser-Bessel gridding: a spectrum interpolated between the points of an FFT."""

import math

import pytest
import torch

from monai_freq.spectral.kaiser_bessel import WIDTH, deapodisation, fast_length, grid_length, taps


@pytest.mark.parametrize("size", [16, 31, 64, 101, 362])
def test_the_spectrum_between_the_points_of_the_grid(size):
    x = torch.randn(size, dtype=torch.float64)
    length, centre = grid_length(size), (size - 1) / 2
    position = torch.rand(50, dtype=torch.float64) * length / 2
    points, weights = taps(position, size)
    shift = torch.exp(2j * math.pi * points * centre / length)  # the kernel needs the image about the origin
    spectrum = torch.fft.fft(x * deapodisation(size), n=length)
    read = (spectrum[points % length] * shift * weights).sum(1)
    index = torch.arange(size, dtype=torch.float64) - centre
    expected = torch.exp(-2j * math.pi * position[:, None] * index / length) @ x.to(torch.complex128)
    error = (read - expected).abs().square().mean().sqrt()
    assert error < 3e-3 * x.norm()


def test_taps_are_the_nearest_points():
    points, weights = taps(torch.tensor([3.0, 3.2, -0.7], dtype=torch.float64), size=32)
    assert points.shape == weights.shape == (3, WIDTH)
    assert points.tolist() == [[2, 3, 4, 5], [2, 3, 4, 5], [-2, -1, 0, 1]]
    assert (weights > 0).all()
    assert weights[0].argmax() == 1


@pytest.mark.parametrize(("at_least", "length"), [(1, 2), (2, 2), (7, 8), (11, 12), (513, 540), (538.65, 540)])
def test_lengths_are_even_and_have_small_factors(at_least, length):
    assert fast_length(at_least) == length


@pytest.mark.parametrize("size", [1, 2, 5, 64, 362, 512])
def test_the_grid_is_at_least_1_41_times_as_long(size):
    assert grid_length(size) >= max(1.41 * size, 2 * WIDTH)
    assert grid_length(size) <= max(1.6 * size, 2 * WIDTH)


@pytest.mark.parametrize("size", [1, 2, 9, 64, 362])
def test_deapodisation_is_symmetric_positive_and_smallest_in_the_middle(size):
    factor = deapodisation(size)
    torch.testing.assert_close(factor, factor.flip(0))
    assert (factor > 0).all()
    assert factor.argmin() in (size // 2, (size - 1) // 2)
