"""Densities of images of several sizes on one axis: levels and DC are kept, and the order does not matter."""

import itertools
import math

import numpy as np
import pytest
import torch

from monai_freq.spectral.frequency_axis import finest_axis, on_axis, on_one_axis
from monai_freq.spectral.psd import band_shares, radial_psd

NOISE = torch.Generator().manual_seed(0)


def axis_of(size):
    return torch.arange(size // 2 + 1, dtype=torch.float64) / size


def slow_on_axis(frequencies, own, density):
    """The definition, frequency by frequency."""
    found = np.zeros(len(frequencies))
    borders = [(a + b) / 2 for a, b in itertools.pairwise(frequencies) if a > 0]
    edges = [0, *borders, frequencies[-1] + (frequencies[-1] - frequencies[-2]) / 2]
    cells = iter(itertools.pairwise(edges))
    for place, f in enumerate(frequencies):
        if f == 0:
            found[place] = density[0]
            continue
        low, high = next(cells)
        within = [d for k, d in zip(own, density, strict=True) if k > 0 and low <= k * (1 + 1e-6) < high]
        nearest = min((k for k in own if k > 0), key=lambda k: (round(abs(k - f), 9), -k))
        found[place] = np.mean(within) if within else density[list(own).index(nearest)]
    return found


@pytest.mark.parametrize("own", [2, 3, 8, 9, 31, 32, 64, 97])
@pytest.mark.parametrize("asked", [2, 3, 8, 9, 31, 32, 64, 97])
def test_equals_the_definition(asked, own):
    density = torch.rand(own // 2 + 1, dtype=torch.float64, generator=NOISE)
    found = on_axis(axis_of(asked), axis_of(own), density)
    expected = slow_on_axis(axis_of(asked).numpy(), axis_of(own).numpy(), density.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_leading_dimensions_and_precisions_are_kept():
    density = torch.rand(2, 3, 5)
    found = on_axis(axis_of(20), axis_of(8).float(), density)
    assert (found.shape, found.dtype) == ((2, 3, 11), torch.float32)
    torch.testing.assert_close(found[1, 2], on_axis(axis_of(20), axis_of(8), density[1, 2]))


def test_dc_is_mixed_with_nothing():
    found = on_axis(axis_of(64), axis_of(8), torch.tensor([1e9, 1.0, 1.0, 1.0, 1.0]))
    assert (found[0], found[1:].unique().tolist()) == (1e9, [1.0])
    without = on_axis(axis_of(8), axis_of(8)[1:], torch.ones(4))
    assert without.tolist() == [0, 1, 1, 1, 1]
    alone = on_axis(axis_of(8), axis_of(1), torch.tensor([3.0]))  # of an image of one voxel
    assert alone.tolist() == [3, 0, 0, 0, 0]


@pytest.mark.parametrize("size", [32, 48, 97])
def test_white_noise_of_any_size_has_one_level(size):
    """The mean over 400 samples; a ring has at least 3 independent frequencies, whose powers have an SD of 1."""
    noise = torch.randn(400, size, size, generator=torch.Generator().manual_seed(size))
    frequencies, power = radial_psd(noise, power=2, norm="ortho", spatial_dims=2)
    level = on_axis(axis_of(97), frequencies, power.mean(0))[1:]
    assert (level - 1).abs().max() < 0.15
    magnitude = radial_psd(noise, norm="ortho", spatial_dims=2)[1].mean(0)
    assert (on_axis(axis_of(97), frequencies, magnitude)[1:] / (math.sqrt(math.pi) / 2) - 1).abs().max() < 0.1
    shares = band_shares(axis_of(97), on_axis(axis_of(97), frequencies, power.mean(0)))
    assert [float(share) for share in shares.values()] == pytest.approx([1 / 3] * 3, abs=0.01)


@pytest.mark.parametrize(("size", "k"), [(32, 1), (32, 5), (32, 16), (48, 11), (97, 2), (97, 48)])
def test_a_tone_stays_in_its_ring(size, k):
    wave = torch.cos(2 * math.pi * k * torch.arange(size, dtype=torch.float64) / size + 0.3).expand(size, size)
    frequencies, (density, _, _) = on_one_axis(
        radial_psd(image, spatial_dims=2, norm="ortho") for image in (wave, torch.rand(97, 97), torch.rand(48, 32))
    )
    held = frequencies[density > 1e-9 * density.max()]
    assert 1 <= len(held) <= 1.5 * 97 / size + 1
    assert ((held - k / size).abs() <= (0.5 + (k == 1) / 2) / size * (1 + 1e-5)).all()


def test_a_mean_over_sizes_is_the_mean_of_the_levels():
    """White noise with the SDs 1, 2 and 6 has the powers 1, 4 and 36."""
    spectra = [
        radial_psd(sd * torch.randn(300, n, n, generator=NOISE), power=2, norm="ortho", spatial_dims=2)
        for n, sd in ((97, 1), (32, 2), (48, 6))
    ]
    frequencies, density = on_one_axis(spectra)
    torch.testing.assert_close(frequencies, axis_of(97).float())
    assert (density.mean((0, 1))[1:] / (41 / 3) - 1).abs().max() < 0.15


@pytest.mark.parametrize("spacings", [[None] * 3, [(1.0, 1.0), (0.5, 0.5), (2.0, 0.8)]])
def test_no_order_matters(spacings):
    images = [torch.rand(1, *shape, generator=NOISE) for shape in ((24, 32), (97, 40), (48, 48))]
    spectra = [radial_psd(image, d, spatial_dims=2) for image, d in zip(images, spacings, strict=True)]
    expected = on_one_axis(spectra)
    for order in itertools.permutations(range(3)):
        frequencies, density = on_one_axis([spectra[place] for place in order])
        assert torch.equal(frequencies, expected[0])
        assert torch.equal(density, expected[1][list(order)])


def test_an_axis_in_cycles_per_mm_goes_as_far_as_all_images_do():
    fine, coarse = (radial_psd(torch.rand(64, 64), (d, d), spatial_dims=2) for d in (0.5, 2.0))
    frequencies, (one, two) = on_one_axis([fine, coarse])
    torch.testing.assert_close(frequencies * 1.0, torch.arange(33) / 128)  # the step of 128 mm, up to 1 / 4 mm
    assert type(frequencies) is type(coarse[0])
    torch.testing.assert_close(two, coarse[1])
    ring = torch.repeat_interleave(fine[1][1:9], 4)[:31]
    torch.testing.assert_close(one[1], fine[1][1])
    torch.testing.assert_close(one[2:32], ring[:30])  # rings 1.5 to 8 of 32 mm


def test_the_finest_axis():
    axes = [axis_of(n) for n in (32, 97, 96, 3, 1)]
    for order in itertools.permutations(axes):
        assert finest_axis(order) is not None
        torch.testing.assert_close(finest_axis(order), axis_of(97))
    assert finest_axis([axis_of(1), axis_of(1)]).tolist() == [0]


PER_MM = radial_psd(torch.rand(8, 8), (1.0, 1.0), spatial_dims=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: finest_axis([]), "all frequencies must be in one unit, got no frequencies"),
        (lambda: finest_axis([axis_of(8), PER_MM[0]]), r"in one unit, got \['cycles / mm', 'cycles / voxel'\]"),
        (lambda: on_one_axis([PER_MM, (axis_of(8), torch.rand(5))]), "all frequencies must be in one unit"),
        (lambda: on_axis(axis_of(8), *PER_MM), "'frequencies' are in cycles / voxel, and those of the density in"),
        (lambda: on_axis(axis_of(8), axis_of(9), torch.rand(4)), "'density' must have 5 frequencies, got 4"),
        (lambda: on_axis(axis_of(8), axis_of(8) / 4, torch.rand(5)), "must end with those of the density, at 0.125"),
        (
            lambda: on_one_axis([(axis_of(8), torch.rand(2, 5)), (axis_of(8), torch.rand(5))]),
            r"'spectra' must have the same leading dimensions, got \[\(\), \(2,\)\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


AXIS = axis_of(8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: on_axis([0.0, 0.5], AXIS, torch.rand(5)),
            TypeError,
            "'frequencies' must be a torch.Tensor, got builti",
        ),
        (
            lambda: on_axis(AXIS, [0.0, 0.5], torch.rand(2)),
            TypeError,
            "'own' must be a torch.Tensor, got builtins.list",
        ),
        (lambda: on_axis(AXIS, AXIS, [1.0] * 5), TypeError, "'density' must be a torch.Tensor, got builtins.list"),
        (lambda: on_axis(AXIS, AXIS, torch.ones(5) * 1j), ValueError, "'density' must be real, got torch.complex64"),
        (lambda: on_axis(AXIS, AXIS + 0j, torch.ones(5)), ValueError, "'own' must be real, got torch.complex128"),
        (lambda: on_axis(AXIS, AXIS, torch.tensor(1.0)), ValueError, "'density' must have 5 frequencies, got a number"),
        (
            lambda: on_axis(AXIS[:0], AXIS, torch.rand(5)),
            ValueError,
            r"'frequencies' must have the shape \(K,\) with K",
        ),
        (lambda: on_axis(AXIS, AXIS[2], torch.rand(5)), ValueError, r"'own' must have the shape \(K,\) .* got \(\)"),
        (lambda: on_one_axis([(AXIS, [1.0] * 5)]), TypeError, "'density' must be a torch.Tensor, got builtins.list"),
        (lambda: on_one_axis([(AXIS, torch.ones(5) * 1j)]), ValueError, "'density' must be real, got torch.complex64"),
        (lambda: on_one_axis([([0.0, 0.5], torch.ones(2))]), TypeError, "'frequencies' must be a torch.Tensor"),
        (lambda: on_one_axis([AXIS]), TypeError, r"'spectra' must be pairs \(frequencies, density\), got a Tensor"),
        (
            lambda: on_one_axis([(AXIS,)]),
            TypeError,
            r"'spectra' must be pairs \(frequencies, density\), got a tuple of 1",
        ),
        (lambda: finest_axis([[0.0, 0.5]]), TypeError, "'frequencies' must be a torch.Tensor, got builtins.list"),
    ],
)
def test_what_is_no_tensor_of_real_numbers_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
