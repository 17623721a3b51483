"""Band amplitudes moved to a reference, against NumPy's own transform."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from monai_freq.spectral.band_grid import BandGrid
from monai_freq.spectral.band_match import band_densities, match_bands
from monai_freq.spectral.hann import hann

BANDS = BandGrid((0.0, 0.11, 0.21, 0.36, 0.9))


def field(*shape, slope=1.0, seed=0):
    """Noise whose power falls with frequency, on a ramp."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    spectrum = np.fft.fftn(rng.standard_normal(shape)) / (0.05 + radius) ** slope
    return 3 + np.fft.ifftn(spectrum).real


def densities_by_numpy(x, edges, spacing=None):
    """Mean of the windowed periodogram in each ring, over its mean over all frequencies."""
    windows = [np.sin(np.pi * np.arange(n) / n) ** 2 if n >= 8 else np.ones(n) for n in x.shape]
    window = np.ones(x.shape)
    for axis, values in enumerate(windows):
        window = window * values.reshape([-1 if k == axis else 1 for k in range(x.ndim)])
    power = np.abs(np.fft.fftn((x - np.average(x, weights=window)) * window)) ** 2
    power = power / power.mean() * np.prod(spacing or 1)
    axes = np.meshgrid(
        *(np.fft.fftfreq(n, d) for n, d in zip(x.shape, spacing or [1] * x.ndim, strict=True)), indexing="ij"
    )
    radius = np.sqrt(sum(axis**2 for axis in axes))
    return np.array([power[(radius > low) & (radius <= high)].mean() for low, high in pairwise(edges)])


@pytest.mark.parametrize("shape", [(40, 31), (16, 12, 20), (24, 6)])
def test_densities_are_those_of_numpy(shape):
    x = field(*shape)
    found = band_densities(torch.from_numpy(x), BANDS, spatial_dims=len(shape))
    np.testing.assert_allclose(found, densities_by_numpy(x, BANDS.edges), rtol=1e-9)


def test_densities_per_mm_do_not_depend_on_the_grid():
    """The same waves seen by two grids, the finer of which has more room above them."""
    rng, bands = np.random.default_rng(0), BandGrid((0.0, 0.05, 0.1, 0.2), unit="mm")
    waves = [(rng.uniform(-0.12, 0.12, 2), rng.uniform(0, 6), rng.uniform(0.5, 2)) for _ in range(60)]

    def seen(step):
        y, x = np.meshgrid(np.arange(0, 128, step), np.arange(0, 128, step), indexing="ij")
        return sum(size * np.cos(2 * np.pi * (f[0] * y + f[1] * x) + phase) for f, phase, size in waves)

    coarse, fine = (
        band_densities(torch.from_numpy(seen(step)), bands, (step, step), spatial_dims=2) for step in (2.0, 1.0)
    )
    np.testing.assert_allclose(coarse, fine, rtol=0.01)
    np.testing.assert_allclose(coarse, densities_by_numpy(seen(2.0), bands.edges, (2.0, 2.0)), rtol=1e-9)


@pytest.mark.parametrize("shape", [(48, 40), (20, 24, 16)])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_a_match_has_the_densities_of_the_way(shape, strength):
    x, reference = field(*shape), field(*shape, slope=0.3, seed=1)
    start, wanted = (densities_by_numpy(each, BANDS.edges) for each in (x, reference))
    result = match_bands(
        torch.from_numpy(x), torch.from_numpy(wanted), BANDS, spatial_dims=len(shape), strength=strength
    ).numpy()
    window = hann(shape, torch.zeros(1, dtype=torch.float64)).numpy()
    variances = [np.average((each - np.average(each, weights=window)) ** 2, weights=window**2) for each in (x, result)]
    found = densities_by_numpy(result, BANDS.edges) * variances[1] / variances[0]
    np.testing.assert_allclose(np.log(found), np.log(start ** (1 - strength) * wanted**strength), atol=0.06)


@pytest.mark.parametrize("spacing", [None, (0.5, 2.0)])
def test_some_cells_have_the_densities_of_the_reference_in_the_result(spacing):
    """Relative to the variance of the result, which the exchange changes."""
    bands = BANDS if spacing is None else BandGrid((0.0, 0.05, 0.11, 0.2, 1.2), unit="mm")
    x, other = field(48, 40), field(48, 40, slope=0.2, seed=1)
    start, wanted = (densities_by_numpy(each, bands.edges, spacing) for each in (x, other))
    result = match_bands(
        torch.from_numpy(x), torch.from_numpy(wanted), bands, spacing, spatial_dims=2, cells=[2, 3], max_gain=50.0
    )
    found = densities_by_numpy(result.numpy(), bands.edges, spacing)
    np.testing.assert_allclose(np.log(found[2:]), np.log(wanted[2:]), atol=0.06)
    assert abs(np.log(start[3] / wanted[3])) > 0.3
    np.testing.assert_allclose(found[0] / found[1], start[0] / start[1], rtol=0.1)


def test_phase_mean_and_all_outside_the_cells_stay():
    x = field(32, 30)
    result = match_bands(torch.from_numpy(x), torch.full((4,), 0.3), BANDS, spatial_dims=2, cells=[1, 3]).numpy()
    before, after = np.fft.fft2(x), np.fft.fft2(result)
    radius = np.sqrt(np.fft.fftfreq(32)[:, None] ** 2 + np.fft.fftfreq(30) ** 2)
    chosen = ((radius > 0.11) & (radius <= 0.21)) | ((radius > 0.36) & (radius <= 0.9))
    np.testing.assert_allclose(after[~chosen], before[~chosen], rtol=1e-9)
    gains = after / before
    np.testing.assert_allclose(gains.imag, 0, atol=1e-6)
    for ring in (chosen & (radius < 0.25), chosen & (radius > 0.3)):
        assert gains[ring].real.min() > 0
        np.testing.assert_allclose(gains[ring].real, gains[ring].real.mean(), rtol=1e-6)
        assert abs(gains[ring].real.mean() - 1) > 0.1


def test_the_gain_has_a_limit_and_nothing_is_made_of_nothing():
    x = torch.from_numpy(field(32, 32))
    for reference, gain in ((1e6, 3.0), (1e-6, 1 / 3)):
        result = match_bands(x, torch.full((4,), reference), BANDS, spatial_dims=2, max_gain=3.0)
        torch.testing.assert_close(result - x.mean(), gain * (x - x.mean()))
    low = BANDS.scaled(x, torch.tensor([1.0, 1.0, 0.0, 0.0]), spatial_dims=2)
    torch.testing.assert_close(
        match_bands(low, torch.ones(4), BANDS, spatial_dims=2, cells=[3]), low, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("settings", [{"strength": 0.0}, {"reference": torch.full((4,), math.nan)}])
def test_what_is_not_to_be_moved_is_not(settings):
    x = torch.from_numpy(field(3, 32, 30)).float()
    reference = settings.pop("reference", torch.ones(4))
    assert torch.equal(match_bands(x, reference, BANDS, spatial_dims=2, **settings), x)
    flat = torch.full((2, 16, 17), 0.3)
    assert torch.equal(match_bands(flat, torch.ones(4), BANDS, spatial_dims=2), flat)


def test_each_image_of_a_batch_has_its_own_reference():
    x = torch.from_numpy(np.stack([field(24, 24, seed=k) for k in range(3)]))
    references = band_densities(x.flip(0), BANDS, spatial_dims=2)
    together = match_bands(x, references, BANDS, spatial_dims=2)
    for one, reference, result in zip(x, references, together, strict=True):
        torch.testing.assert_close(match_bands(one, reference, BANDS, spatial_dims=2), result)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: match_bands(torch.rand(8, 8), torch.ones(3), BANDS, spatial_dims=2), "for each of 4 cells, got"),
        (lambda: match_bands(torch.rand(8, 8), torch.ones(4), BANDS, spatial_dims=2, cells=[4]), "from 0 to 3"),
        (lambda: band_densities(torch.rand(8, 8), BandGrid((0, 0.5), "mm"), spatial_dims=2), "'spacing' is needed"),
    ],
)
def test_what_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
