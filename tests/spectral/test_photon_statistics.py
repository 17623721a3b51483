"""Photon counts against SciPy's Poisson distribution, and their noise in a reconstruction against theory."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from monai_freq.spectral import photon_statistics
from monai_freq.spectral.photon_statistics import (
    image_noise,
    log_noise,
    noise_power,
    noise_variance,
    poisson_deviation,
)
from monai_freq.spectral.tomography import ParallelBeam

EXPECTATIONS = [0.01, 0.3, 1.0, 4.0, 7.9, 8.1, 10.0, 16.5, 31.9, 32.1, 100.0, 1000.0, 12345.6, 1e5]


def seeded(seed=0, device="cpu"):
    return torch.Generator(device).manual_seed(seed)


def counts(expected, n, sampler="poisson", seed=0, device="cpu"):
    expectation = torch.full((n,), expected, device=device)
    deviation = poisson_deviation(expectation, seeded(seed, device), sampler)
    return (deviation.double() + expectation.double()).cpu().numpy()


def chi_square_p_value(drawn, expected):
    """p value of whole counts, with the rare ones in the tails joined."""
    distribution = stats.poisson(np.float32(expected))
    low, high = (int(distribution.ppf(q)) for q in (30 / len(drawn), 1 - 30 / len(drawn)))
    steps = max(1, (high - low) // 200)
    edges = np.arange(low, high + 1, steps) + 0.5
    observed = np.histogram(drawn, np.concatenate([[-np.inf], edges, [np.inf]]))[0]
    cumulated = np.concatenate([[0], distribution.cdf(edges), [1]])
    frequent = np.diff(cumulated) * len(drawn)
    kept = frequent > 5
    return stats.chisquare(observed[kept], frequent[kept] * observed[kept].sum() / frequent[kept].sum()).pvalue


@pytest.mark.parametrize("expected", EXPECTATIONS)
def test_counts_are_poisson(expected):
    drawn = counts(expected, 400_000)
    assert np.abs(drawn - drawn.round()).max() < 1e-6 * max(1.0, expected)
    assert (drawn.round() >= 0).all()
    assert chi_square_p_value(drawn.round(), expected) > 1e-3


@pytest.mark.parametrize("expected", [8.1, 100.0])
def test_the_chi_square_test_rejects_a_normal_distribution(expected):
    normal = np.random.default_rng(0).normal(np.float32(expected), math.sqrt(expected), 400_000).round()
    assert chi_square_p_value(normal, expected) < 1e-6


@pytest.mark.parametrize("expected", [0.01, 8.1, 100.0, 12345.6])
def test_the_chi_square_test_rejects_another_mean(expected):
    assert chi_square_p_value(counts(expected + 0.03 * math.sqrt(expected), 400_000).round(), expected) < 1e-6


@pytest.mark.parametrize(("low", "high"), [(8, 9), (8, 40), (30, 300), (300, 5000), (5000, 1e5)])
def test_each_count_is_the_quantile_of_its_deviate(low, high):
    """The equality is exact, and holds for the largest deviates: more than a property of the distribution."""
    generator = seeded(1)
    expected = torch.empty(1, 50_000).uniform_(low, high, generator=generator)
    normal = torch.randn(1, 50_000, generator=generator)
    normal[:, ::2] = torch.empty(1, 25_000).uniform_(-5.77, 5.77, generator=generator)
    deviation = torch.empty_like(expected)
    left, of_left = photon_statistics._count(
        expected, expected.sqrt(), normal, generator, 2.0**22, deviation, logarithm=False
    )
    deviation[0, left] = of_left
    assert len(left) < 0.5 * normal.numel()  # most are told by the expansion
    drawn = (deviation.double() + expected.double()).round()
    quantile = stats.poisson.ppf(torch.special.ndtr(normal.double()).numpy(), expected.double().numpy())
    assert np.array_equal(drawn.numpy(), quantile)


def test_no_deviate_is_larger_than_assumed():
    assert math.sqrt(2 * 24 * math.log(2)) < photon_statistics._LARGEST_DEVIATE
    assert torch.randn(5_000_000, generator=seeded()).abs().max() < photon_statistics._LARGEST_DEVIATE


@pytest.mark.parametrize("expected", [32.1, 50.0, 200.0, 4096.0, 1e5])
def test_fast_counts_have_the_first_three_moments(expected):
    drawn = counts(expected, 2_000_000, "fast")
    assert drawn.mean() == pytest.approx(expected, abs=5 * math.sqrt(expected / 2e6))
    assert drawn.var() == pytest.approx(expected, rel=5e-3)
    assert stats.skew(drawn) == pytest.approx(expected**-0.5, abs=9e-3)


@pytest.mark.parametrize("expected", [32.0, 100.0, 1000.0])
def test_fast_counts_are_nearly_poisson_once_rounded(expected):
    """Total variation distance, from the probability of the normal deviates that round to each count."""
    normal = torch.linspace(-8, 8, 400_001, dtype=torch.float64)
    root = torch.tensor(math.sqrt(expected), dtype=torch.float64).expand_as(normal)
    position = expected + photon_statistics._expanded(root, normal)
    count = np.arange(0, int(expected + 9 * math.sqrt(expected)))
    bounds = np.interp(np.concatenate([count - 0.5, count[-1:] + 0.5]), position.numpy(), normal.numpy())
    probability = np.diff(stats.norm.cdf(bounds))
    assert np.abs(probability - stats.poisson.pmf(count, expected)).sum() / 2 < 6.5e-4 * math.sqrt(32 / expected) + 1e-5


@pytest.mark.parametrize("expected", [0.3, 8.1, 20.0, 31.9])
def test_fast_counts_are_exact_where_there_are_few(expected):
    assert chi_square_p_value(counts(expected, 400_000, "fast").round(), expected) > 1e-3


@pytest.mark.parametrize("sampler", ["poisson", "fast"])
def test_expectations_of_all_sizes_side_by_side(sampler):
    """Mean and variance of many draws at each expectation."""
    sizes = torch.tensor([0.0, 1e-6, 0.5, 5.0, 20.0, 100.0, 1e4, 1e6, 1e8, 1e12])
    expected = sizes.repeat(40_000, 1)
    deviation = poisson_deviation(expected, seeded(), sampler).double()
    assert deviation.shape == expected.shape
    assert (deviation[:, 0] == 0).all()
    scaled = deviation[:, 2:] / sizes[2:].double().sqrt()
    assert scaled.mean(0).abs().max() < 5 / 200
    torch.testing.assert_close(scaled.var(0), torch.ones(8, dtype=torch.float64), rtol=0.05, atol=0)


def test_draws_of_one_ray_do_not_depend_on_the_others():
    expected = torch.full((300,), 500.0)
    before = poisson_deviation(expected, seeded())
    expected[100] = 9.0
    after = poisson_deviation(expected, seeded())
    assert torch.equal(before[:100], after[:100])
    assert torch.equal(before[101:], after[101:])


def test_float64_gets_the_same_counts():
    expected = torch.rand(100, 100, generator=seeded()).mul(300).add(9)
    single, double = poisson_deviation(expected, seeded()), poisson_deviation(expected.double(), seeded())
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


def test_the_logarithm_has_the_mean_and_variance_of_theory():
    for photons, integral in ((4096, 3.0), (500, 1.0)):
        expected = photons * math.exp(-integral)
        count = np.arange(1, 4000)
        probability = stats.poisson.pmf(count, expected)
        error = -np.log(count / expected)
        mean = (probability * error).sum()
        noise, lowest = log_noise(torch.full((2000, 1000), integral), photons, seeded())
        assert float(lowest) == pytest.approx(expected, rel=1e-5)
        assert float(noise.double().mean()) == pytest.approx(mean, abs=5 * math.sqrt(1 / expected / 2e6))
        assert mean == pytest.approx(1 / (2 * expected), rel=2 / expected)
        assert float(noise.double().var()) == pytest.approx((probability * (error - mean) ** 2).sum(), rel=5e-3)


@pytest.mark.parametrize("min_count", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("photons", [4096.0, 20.0])
def test_counts_have_a_lower_bound(min_count, photons):
    integral = torch.full((500, 400), math.log(photons / 1.5))  # 1.5 photons expected: 22% are zero
    noise, lowest = log_noise(integral, photons, seeded(), min_count)
    measured = (integral + noise).double()
    highest = -math.log(min_count / photons)
    assert float(measured.max()) == pytest.approx(highest, rel=1e-6)
    share = float((measured > highest - 1e-4).double().mean())
    assert share == pytest.approx(stats.poisson.cdf(min_count, 1.5), abs=0.005)
    assert float(lowest) == pytest.approx(1.5, rel=1e-4)


def test_rays_without_photons():
    noise, lowest = log_noise(torch.tensor([[0.0, 50.0, 200.0, 1e4]]), 4096, seeded())
    measured = torch.tensor([[0.0, 50.0, 200.0, 1e4]]) + noise
    torch.testing.assert_close(measured[0, 1:], torch.full((3,), -math.log(0.1 / 4096)), rtol=1e-6, atol=1e-3)
    assert lowest == 0


@pytest.mark.parametrize("sampler", ["poisson", "fast"])
def test_noise_falls_with_the_root_of_the_number_of_photons(sampler):
    integral = torch.full((200, 500), 2.0)
    for photons in (1e5, 1e8, 1e12, 1e20, 1e30):
        noise, _ = log_noise(integral, photons, seeded(), sampler=sampler)
        assert float(noise.std()) == pytest.approx(math.exp(1) / math.sqrt(photons), rel=0.02)


def test_parts_and_threads_do_not_matter():
    """The rays are drawn in parts, of which the memory layout decides."""
    integral = torch.rand(150, 2, 257) * 5
    whole = log_noise(integral, 4096, seeded())[0]
    padded = torch.zeros(150, 2, 300)
    padded[..., 7:264] = integral
    assert torch.equal(log_noise(padded[..., 7:264], 4096, seeded())[0], whole)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(log_noise(integral, 4096, seeded())[0], whole)
    finally:
        torch.set_num_threads(threads)


def test_other_samplers_are_refused():
    with pytest.raises(ValueError, match="'sampler' must be one of poisson, fast, got 'normal'"):
        poisson_deviation(torch.ones(3), seeded(), "normal")


def test_the_variance_is_the_integral_of_the_power():
    frequency = torch.linspace(0, 0.8, 80_001, dtype=torch.float64)
    for filter in ("ramp", "shepp-logan", "cosine", "hann"):
        power = noise_power(frequency, 2.0, 0.7, 900, filter)
        integral = float(torch.trapezoid(2 * math.pi * frequency * power, frequency))
        assert noise_variance(2.0, 0.7, 900, filter) == pytest.approx(integral, rel=1e-4)
    assert noise_variance(2.0, 0.7, 900) == pytest.approx(math.pi**2 * 2 / (12 * 900 * 0.7**2), rel=1e-6)


# Noise of reconstructions in a square of 260 mm. Spectra are of the central 96 x 96 pixels, with a Hann window.

SIZE, ROI, ANGLES, WATER = 256, 96, 500, 0.02
BEAM = ParallelBeam((SIZE, SIZE), (260 / SIZE, 260 / SIZE), ANGLES)
MIDDLE = slice((SIZE - ROI) // 2, (SIZE + ROI) // 2)
NYQUIST = 1 / (2 * BEAM.bin_width)


def ellipse(a, b):
    mm = (torch.arange(SIZE) - (SIZE - 1) / 2) * BEAM.spacing[0]
    return WATER * ((mm / a).square() + (mm[:, None] / b).square() <= 1)


def realisations(mu, photons, n, **settings):
    return torch.stack([image_noise(mu, BEAM, photons, seeded(seed), **settings)[0] for seed in range(n)]).double()


def window():
    hann = torch.hann_window(ROI, dtype=torch.float64)
    return hann[:, None] * hann


def ray_variance(mu, photons, weight, near=None):
    """Mean of exp(p) / N0 over the rays (of some angles), weighted by their path through a region."""
    integral, share = (BEAM.project(image).double() for image in (mu, weight))
    rows = slice(None) if near is None else near
    share = share.clamp(min=0)[rows]
    return float((integral[rows].exp() * share).sum() / share.sum() / photons)


def windowed():
    weight = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    weight[MIDDLE, MIDDLE] = window().square()
    return weight


def periodogram(noise):
    """Mean over the realisations in mm^2, and the frequencies along x and y in cycles per mm."""
    roi = noise[:, MIDDLE, MIDDLE]
    spectrum = torch.fft.fft2((roi - roi.mean((1, 2), keepdim=True)) * window())
    power = spectrum.abs().square().mean(0) * BEAM.spacing[0] ** 2 / window().square().sum()
    f = torch.fft.fftfreq(ROI, BEAM.spacing[0], dtype=torch.float64)
    return power, f.expand(ROI, ROI), f[:, None].expand(ROI, ROI)


def power_over_theory(noise, variance, filter="ramp"):
    """Ratio of measured to theoretical power in six rings from 0.15 to 0.9 of the Nyquist frequency."""
    power, fx, fy = periodogram(noise)
    f = torch.hypot(fx, fy)
    rings = torch.linspace(0.15, 0.9, 7) * NYQUIST
    expected = noise_power(f, variance, BEAM.bin_width, ANGLES, filter)
    return torch.stack(
        [
            power[ring].mean() / expected[ring].mean()
            for ring in ((f >= low) & (f < high) for low, high in pairwise(rings))
        ]
    )


@pytest.fixture(scope="module")
def disk_noise():
    return realisations(ellipse(100, 100), 1e5, 16)


def white_like(noise):
    return torch.randn(noise.shape, dtype=torch.float64, generator=seeded()) * noise[:, MIDDLE, MIDDLE].std()


def ramp_filtered_white(noise):
    """White noise with the ramp-shaped spectrum and the strength of the real noise, but without projections."""
    f = torch.fft.fftfreq(SIZE, BEAM.spacing[0], dtype=torch.float64)
    radius = torch.hypot(f, f[:, None])
    shaped = torch.fft.ifft2(torch.fft.fft2(white_like(noise)) * radius.sqrt() * (radius <= NYQUIST)).real
    return shaped * (noise[:, MIDDLE, MIDDLE].std() / shaped[:, MIDDLE, MIDDLE].std())


def test_the_power_spectrum_is_that_of_theory(disk_noise):
    variance = ray_variance(ellipse(100, 100), 1e5, windowed())
    assert (power_over_theory(disk_noise, variance) - 1).abs().max() < 0.1


def test_white_noise_has_another_power_spectrum(disk_noise):
    variance = ray_variance(ellipse(100, 100), 1e5, windowed())
    ratio = power_over_theory(white_like(disk_noise), variance)
    assert (ratio - 1).abs().max() > 0.5
    assert ratio[0] > 2 * ratio[-1]


@pytest.mark.parametrize("filter", ["shepp-logan", "cosine", "hann"])
def test_filters_shape_the_power_spectrum(filter):
    mu = ellipse(100, 100)
    ratio = power_over_theory(realisations(mu, 1e5, 16, filter=filter), ray_variance(mu, 1e5, windowed()), filter)
    assert (ratio[:5] - 1).abs().max() < 0.1  # where the window is not yet near zero


def disk_variance(noise, x, radius=20):
    mm = (torch.arange(SIZE) - (SIZE - 1) / 2) * BEAM.spacing[0]
    where = torch.hypot(mm - x, mm[:, None]) < radius
    return where.to(torch.float64), noise[:, where].square().mean()


@pytest.mark.parametrize("x", [0.0, 70.0, 105.0])
def test_the_variance_follows_theory_at_every_place(disk_noise, x):
    where, variance = disk_variance(disk_noise, x)
    expected = noise_variance(ray_variance(ellipse(100, 100), 1e5, where), BEAM.bin_width, ANGLES)
    assert float(variance) == pytest.approx(expected, rel=0.05)


def test_noise_that_is_shaped_without_projecting_is_the_same_everywhere(disk_noise):
    """A control: this noise has the right power spectrum, but the wrong variance near the edge."""
    shaped = ramp_filtered_white(disk_noise)
    spectrum = power_over_theory(shaped, ray_variance(ellipse(100, 100), 1e5, windowed()))
    assert (spectrum / spectrum.mean() - 1).abs().max() < 0.1
    where, variance = disk_variance(shaped, 105.0)
    expected = noise_variance(ray_variance(ellipse(100, 100), 1e5, where), BEAM.bin_width, ANGLES)
    assert float(variance) > 1.3 * expected


def strength_at(noise, degrees):
    """Power at frequencies within 10 degrees of a direction."""
    power, fx, fy = periodogram(noise)
    angle = torch.rad2deg(torch.atan2(fy.abs(), fx.abs()))
    f = torch.hypot(fx, fy)
    return power[((angle - degrees).abs() < 10) & (f > 0.2 * NYQUIST) & (f < 0.8 * NYQUIST)].mean()


def test_an_ellipse_has_more_noise_across_its_long_axis():
    mu = ellipse(110, 55)  # long along x: its rays along x are weakest, whose projection varies along y
    noise = realisations(mu, 1e5, 16)
    folded = torch.rad2deg(torch.minimum(BEAM.angles, math.pi - BEAM.angles))
    expected = {degrees: ray_variance(mu, 1e5, windowed(), (folded - degrees).abs() < 10) for degrees in (0, 45, 90)}
    assert expected[90] > 5 * expected[0]
    for degrees in (0, 45):
        ratio = float(strength_at(noise, 90) / strength_at(noise, degrees))
        assert ratio == pytest.approx(expected[90] / expected[degrees], rel=0.15)
    shaped = ramp_filtered_white(noise)
    assert float(strength_at(shaped, 90) / strength_at(shaped, 0)) == pytest.approx(1, abs=0.15)


def test_the_variance_falls_with_the_number_of_photons():
    mu = ellipse(60, 60)
    where, _ = disk_variance(torch.zeros(1, SIZE, SIZE), 0.0, 45)
    products = [realisations(mu, n, 3)[:, where.bool()].var() * n for n in (4096, 16384, 1e5, 1e7)]
    assert max(products) / min(products) < 1.05


def test_noise_vanishes_with_many_photons():
    mu = ellipse(100, 100)
    for photons in (1e12, 1e20):
        noise, _ = image_noise(mu, BEAM, photons, seeded())
        assert noise.abs().max() < 1e-4 * WATER * math.sqrt(1e12 / photons)


def test_the_two_samplers_make_equal_noise():
    mu = ellipse(100, 100)
    exact, fast = (realisations(mu, 4096, 2, sampler=sampler) for sampler in ("poisson", "fast"))
    assert float((exact - fast).std() / exact.std()) < 0.05  # of one normal deviate each; counts are rounded in one
    assert float(exact.var() / fast.var()) == pytest.approx(1, abs=0.01)


def test_the_generator_alone_decides():
    mu = ellipse(80, 40)
    first, again, other = (image_noise(mu, BEAM, 4096, seeded(seed))[0] for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert float(torch.corrcoef(torch.stack([first.flatten(), other.flatten()]))[0, 1]) == pytest.approx(0, abs=0.02)


@pytest.mark.cuda
@pytest.mark.parametrize("expected", [e for e in EXPECTATIONS if e < 2e4])
def test_counts_are_poisson_on_cuda(expected):
    assert chi_square_p_value(counts(expected, 400_000, device="cuda").round(), expected) > 1e-3


def test_counts_of_a_gpu_are_drawn_in_one_call():
    """Successive calls on CUDA share random numbers where counts are low."""
    rays = torch.empty(1000, 513)
    assert len(photon_statistics._in_parts(rays)) > 1
    assert len(photon_statistics._in_parts(rays.to("meta"))) == 1


@pytest.mark.cuda
def test_the_power_spectrum_is_that_of_theory_on_cuda():
    mu = ellipse(100, 100)
    noise = torch.stack([image_noise(mu.cuda(), BEAM, 1e5, seeded(seed, "cuda"))[0] for seed in range(16)])
    assert noise.device.type == "cuda"
    ratio = power_over_theory(noise.cpu().double(), ray_variance(mu, 1e5, windowed()))
    assert (ratio - 1).abs().max() < 0.1
