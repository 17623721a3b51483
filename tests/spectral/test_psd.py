"""Radial power spectrum density, against physics and a plain implementation in float64."""

import math

import numpy as np
import pytest
import torch
from reference_psd import numpy_frequencies, numpy_psd

from monai_freq.spectral import psd
from monai_freq.spectral.psd import BANDS, band_shares, centroid, overlap, radial_psd

GRIDS = [
    ((32, 32), None),
    ((31, 33), None),
    ((24, 40), (1.0, 1.0)),
    ((20, 24), (0.5, 2.0)),
    ((1, 16), None),
    ((12, 15, 10), None),
    ((16, 16, 9), (1.0, 1.0, 4.0)),
    ((1, 1), None),
    ((7,), (0.3,)),
    ((8,), None),
    ((1,), None),
    ((2, 2), None),
    ((3, 1), None),
    ((2, 9), (3.0, 0.5)),
    ((9, 2), None),
    ((9, 7, 6), None),
    ((8, 9, 7), (1.0, 2.0, 0.7)),
    ((6, 1, 5), None),
    ((1, 6, 1), None),
    ((2, 2, 2), None),
    ((5, 4, 3, 4), None),
    ((33, 30), None),
    ((30, 33, 7), None),
    ((16, 12), (1.0, 0.7)),
]


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("power", [1, 2, 0.5])
@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_equals_the_definition(shape, spacing, power, corners):
    x = torch.randn(2, *shape, dtype=torch.float64)
    frequencies, density = radial_psd(x, spacing, power, spatial_dims=len(shape), corners=corners)
    np.testing.assert_allclose(frequencies, numpy_frequencies(shape, spacing, corners), rtol=1e-12, atol=1e-15)
    for one, found in zip(x, density, strict=True):
        expected = numpy_psd(one, power, spacing=spacing, corners=corners)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("shape", [(16, 16), (21, 16), (8, 8, 6)])
def test_white_noise_is_flat(shape, power):
    """A ring may hold one independent bin: of 25,000 images, 3% are four standard errors or more."""
    x = torch.randn(25_000, *shape, generator=torch.Generator().manual_seed(0))
    mean = radial_psd(x, power=power, spatial_dims=len(shape))[1].mean(0)[1:]
    assert ((mean / mean.mean() - 1).abs() < 0.03).all()


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((40, 40), None),
        ((41, 45), None),
        ((40, 24), None),
        ((40, 40), (0.5, 0.5)),
        ((40, 20), (0.5, 2.0)),
        ((20, 24, 22), None),
        ((33, 30), None),
        ((40, 24), (1.0, 0.7)),
        ((21, 24, 12), (1.0, 1.0, 3.0)),
    ],
)
def test_a_tone_lands_in_its_own_bin(shape, spacing):
    steps = spacing or (1.0,) * len(shape)
    for axis, (size, step) in enumerate(zip(shape, steps, strict=True)):
        for k in (1, size // 4, (size - 1) // 2, size // 2):
            wave = torch.cos(2 * math.pi * k * torch.arange(size, dtype=torch.float64) / size + 0.4)
            image = wave.reshape([-1 if a == axis else 1 for a in range(len(shape))]).expand(shape)
            frequencies, density = radial_psd(image, spacing, spatial_dims=len(shape))
            width = frequencies[1] - frequencies[0]
            reach = width if 2 * k >= size - 1 else width / 2  # the last ring goes up to the highest frequency
            assert abs(frequencies[density.argmax()] - k / (size * step)) <= reach * (1 + 1e-6)
            rest = density.clone()
            rest[density.argmax()] = 0
            assert rest.max() < 1e-9 * density.max()


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_the_norm_is_that_of_the_transform(norm, power):
    x = torch.randn(12, 15, dtype=torch.float64)
    _, density = radial_psd(x, power=power, spatial_dims=2, norm=norm)
    factor = {"backward": 1, "ortho": 180**-0.5, "forward": 1 / 180}[norm] ** power
    np.testing.assert_allclose(density, factor * numpy_psd(x, power), rtol=1e-9)


@pytest.mark.parametrize("shape", [(16, 16), (64, 48), (12, 10, 8)])
def test_a_power_spectral_density_is_the_variance_of_white_noise(shape):
    x = 3 * torch.randn(2**21 // math.prod(shape), *shape, generator=torch.Generator().manual_seed(0))
    _, density = radial_psd(x, power=2, spatial_dims=len(shape), norm="ortho")
    assert ((density.mean(0)[1:] / 9 - 1).abs() < 0.1).all()


def test_an_image_has_one_density_on_two_grids():
    """The image has no frequencies beyond those of the coarser grid, which has every other voxel."""
    kept = torch.fft.fftfreq(48).abs() <= 0.2
    spectrum = torch.fft.fftn(torch.randn(48, 48, dtype=torch.float64)) * (kept[:, None] & kept)
    fine = torch.fft.ifftn(spectrum).real
    (f_fine, on_fine), (f_coarse, on_coarse) = (
        radial_psd(image, (edge, edge), spatial_dims=2, norm="forward")
        for image, edge in ((fine, 0.7), (fine[::2, ::2], 1.4))
    )
    reach = len(f_coarse) - 1  # the last ring of the coarse grid is cut by its corners
    torch.testing.assert_close(f_fine[:reach], f_coarse[:reach])
    torch.testing.assert_close(on_fine[:reach], on_coarse[:reach])


@pytest.mark.parametrize("shape", [(32, 30), (31, 33), (12, 15, 10)])
def test_parseval_where_the_corners_are_included(shape):
    x = torch.randn(3, *shape, dtype=torch.float64)
    _, density = radial_psd(x, power=2, spatial_dims=len(shape), corners=True)
    radius = torch.stack(torch.meshgrid(*(torch.fft.fftfreq(n).double() for n in shape), indexing="ij")).square().sum(0)
    ring = torch.floor(radius.sqrt() * max(shape) + 0.5 + 1e-6).long()
    counts = torch.bincount(ring.flatten()).double()
    counts = counts[counts > 0]
    energy = (density * counts).sum(-1) / math.prod(shape)
    torch.testing.assert_close(energy, x.square().flatten(1).sum(1))


def test_leading_dimensions_are_a_batch():
    x = torch.randn(2, 3, 16, 18)
    frequencies, density = radial_psd(x, spatial_dims=2)
    assert density.shape == (2, 3, len(frequencies))
    torch.testing.assert_close(density[1, 2], radial_psd(x[1, 2], spatial_dims=2)[1])


@pytest.mark.parametrize("shape", [(224, 224), (60, 64, 31)])
def test_float32_is_as_good_as_its_rounding(shape):
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    _, density = radial_psd(x, spatial_dims=len(shape))
    torch.testing.assert_close(density.double(), radial_psd(x.double(), spatial_dims=len(shape))[1], rtol=3e-6, atol=0)


def test_a_large_batch_is_the_same_in_pieces(monkeypatch):
    x = torch.randn(7, 3, 12, 10, dtype=torch.float64)
    whole = radial_psd(x, spatial_dims=2)[1]
    for voxels in (1, 120, 500, 2500):
        monkeypatch.setattr(psd, "_VOXELS_AT_ONCE", voxels)
        torch.testing.assert_close(radial_psd(x, spatial_dims=2)[1], whole, rtol=1e-14, atol=0)


@pytest.mark.parametrize("power", [1, 2, 3, 0.5])
@pytest.mark.parametrize("shape", [(9,), (8, 6), (7, 9), (6, 5, 4)])
def test_the_same_with_and_without_gradients(shape, power):
    x = torch.randn(3, *shape, dtype=torch.float64)
    plain = radial_psd(x, power=power, spatial_dims=len(shape))[1]
    assert not plain.requires_grad
    tracked = radial_psd(x.clone().requires_grad_(), power=power, spatial_dims=len(shape))[1]
    assert tracked.requires_grad
    torch.testing.assert_close(tracked.detach(), plain, rtol=1e-12, atol=0)


@pytest.mark.parametrize("power", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 5), (5, 6), (7,), (4, 3, 5)])
def test_gradients(shape, power):
    x = torch.randn(2, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: radial_psd(t, power=power, spatial_dims=len(shape))[1], (x,))


@pytest.mark.parametrize("power", [1, 2])
def test_under_the_transforms_of_torch_func(power):
    x, tangent = torch.randn(2, 3, 12, 10, dtype=torch.float64).unbind()

    def density(image):
        return radial_psd(image, power=power, spatial_dims=2)[1]

    torch.testing.assert_close(torch.func.vmap(density)(x), density(x))
    _, slope = torch.func.jvp(density, (x,), (tangent,))
    step = 1e-6
    torch.testing.assert_close(
        slope, (density(x + step * tangent) - density(x - step * tangent)) / (2 * step), rtol=1e-5, atol=1e-7
    )
    gradient = torch.func.grad(lambda image: density(image).sum())(x)
    tracked = x.clone().requires_grad_()
    density(tracked).sum().backward()
    torch.testing.assert_close(gradient, tracked.grad)


def test_the_gradient_of_a_constant_image_is_finite():
    x = torch.ones(8, 8, requires_grad=True)
    radial_psd(x, spatial_dims=2)[1].sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("power", [1, 2, 0.5])
@pytest.mark.parametrize("scale", [1e30, 1e-10, 1e-20, 1e-30])
def test_magnitudes_whose_squares_float32_cannot_hold(scale, power):
    x = torch.rand(3, 12, 10, generator=torch.Generator().manual_seed(0))
    x[1] *= scale
    _, density = radial_psd(x, power=power, spatial_dims=2)
    expected = radial_psd(x.double(), power=power, spatial_dims=2)[1].float()
    torch.testing.assert_close(density, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_voxel_spoils_its_own_image_only(bad):
    x = torch.rand(3, 2, 16, 15)
    whole = radial_psd(x, spatial_dims=2)[1]
    x[1, 0, 4, 7] = bad
    density = radial_psd(x, spatial_dims=2)[1]
    assert not density[1, 0].isfinite().any()
    density[1, 0] = whole[1, 0]
    torch.testing.assert_close(density, whole)


def test_a_constant_has_nothing_but_dc():
    frequencies, density = radial_psd(torch.full((12, 12), 2.5), spatial_dims=2)
    assert density[0] == pytest.approx(2.5 * 144)
    assert density[1:].abs().max() < 1e-4
    assert centroid(frequencies, torch.zeros_like(density)) == 0


def test_centroid_follows_the_tone():
    for k in (3, 7, 12):
        wave = torch.sin(2 * math.pi * k * torch.arange(32, dtype=torch.float64) / 32).expand(32, 32) + 4
        assert centroid(*radial_psd(wave, spatial_dims=2)) == pytest.approx(k / 32)


def test_band_shares():
    waves = {"low": 4, "mid": 8, "high": 16}  # cycles in 32 voxels; 16 is the Nyquist frequency, inside the high band
    for name, k in waves.items():
        wave = torch.cos(2 * math.pi * k * torch.arange(32, dtype=torch.float64) / 32).expand(32, 32)
        shares = band_shares(*radial_psd(wave, spatial_dims=2))
        assert set(shares) == set(BANDS)
        assert shares[name] == pytest.approx(1)
    edge = torch.tensor([0.0, 1 / 6, 1 / 3, 0.5])
    assert {n: float(s) for n, s in band_shares(edge, torch.ones(4)).items()} == pytest.approx(
        dict.fromkeys(BANDS, 1 / 3)
    )


def test_bands_of_cycles_per_mm():
    """A wave of 6 mm on four grids of 1 to 2.4 mm lies in the band with 1 / 6 cycles per mm, and in no other."""
    edges = {"coarse": (0, 0.1), "fine": (0.1, 0.17), "beyond": (0.17, 9)}
    for d in (1.0, 1.5, 2.0, 2.4):
        wave = torch.cos(2 * math.pi * d / 6 * torch.arange(60, dtype=torch.float64)).expand(60, 60)
        shares = band_shares(*radial_psd(wave, (d, d), spatial_dims=2), edges=edges)
        assert [float(share) for share in shares.values()] == pytest.approx([0, 1, 0], abs=1e-9)


@pytest.mark.parametrize("spacing", [(3.0, 3.0), (0.5, 0.5), (0.001, 0.001), (1000.0, 1000.0)])
def test_bands_scale_with_the_voxel(spacing):
    image = torch.rand(2, 33, 40, generator=torch.Generator().manual_seed(0))
    expected = band_shares(*radial_psd(image, spatial_dims=2))
    edges = {name: (low / spacing[0], high / spacing[0]) for name, (low, high) in BANDS.items()}
    torch.testing.assert_close(band_shares(*radial_psd(image, spacing, spatial_dims=2), edges=edges), expected)


@pytest.mark.parametrize("shape", [(48, 48), (16, 24, 9)])
def test_bands_of_anisotropic_voxels(shape):
    """A wave along any axis lies in the band of its wavelength in mm, whatever the voxel size of the axis."""
    spacing = (0.8, 1.5, 4.0)[: len(shape)]
    for axis, (n, d) in enumerate(zip(shape, spacing, strict=True)):
        k = n // 4
        wave = torch.cos(2 * math.pi * k * torch.arange(n, dtype=torch.float64) / n)
        image = wave.reshape([-1 if a == axis else 1 for a in range(len(shape))]).expand(shape)
        there, step = k / (n * d), 1 / max(n * d for n, d in zip(shape, spacing, strict=True))
        edges = {"below": (0, there - step), "there": (there - step, there + step)}
        shares = band_shares(*radial_psd(image, spacing, spatial_dims=len(shape)), edges=edges)
        assert [float(share) for share in shares.values()] == pytest.approx([0, 1], abs=1e-9)


@pytest.mark.parametrize("spacing", [(3.0, 3.0), (0.5, 0.5), (0.8, 0.8), (1.0, 1.0), (0.7, 2.5)])
def test_cycles_per_mm_have_no_bands_by_default(spacing):
    frequencies, density = radial_psd(torch.rand(64, 64), spacing, spatial_dims=2)
    for given in (frequencies, frequencies.double(), frequencies.clone()):
        with pytest.raises(ValueError, match=r"got cycles per mm: [\s\S]*give the bands in the unit of the freq"):
            band_shares(given, density)
    middle = centroid(frequencies, density)
    assert type(middle) is type(frequencies)
    assert float(middle) == pytest.approx(float((frequencies[1:] * density[1:]).sum() / density[1:].sum()))


@pytest.mark.parametrize("spacing", [(3.0, 3.0), (0.5, 0.5), (0.6, 0.6), (0.9, 0.9), (1.1, 1.1)])
def test_cycles_per_mm_without_their_type_are_recognised_by_their_end(spacing):
    frequencies, density = radial_psd(torch.rand(64, 64), spacing, spatial_dims=2)
    with pytest.raises(ValueError, match="are they in cycles per mm"):
        band_shares(torch.from_numpy(frequencies.numpy()), density)


def test_bands_that_leave_out_the_corners_say_so():
    spectrum = radial_psd(torch.rand(32, 32), spatial_dims=2, corners=True)
    with pytest.warns(UserWarning, match=r"end at 0.719 cycles per voxel, and the bands at 0.5: .* do not sum to 1"):
        shares = band_shares(*spectrum)
    assert float(sum(shares.values())) < 0.9
    band_shares(*spectrum, edges=BANDS)  # explicit edges give no warning


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"low": (0.1, 0.1)}, r"must be \(low, high\) with 0 <= low < high, got \(0.1, 0.1\) for 'low'"),
        ({"low": (-0.1, 0.1)}, "0 <= low < high"),
        ({"low": (0, math.inf)}, "0 <= low < high"),
        ({"low": (0, math.nan)}, "0 <= low < high"),
        ({"low": (0, 0.1, 0.2)}, "0 <= low < high"),
        (BANDS, "must be in the unit of the frequencies, which end at 0.167 cycles / mm: 'high' begins at 0.333"),
    ],
)
def test_bands_that_are_none_or_in_another_unit(edges, message):
    with pytest.raises(ValueError, match=message):
        band_shares(*radial_psd(torch.rand(32, 32), (3.0, 3.0), spatial_dims=2), edges=edges)


def test_bands_without_names_are_refused():
    with pytest.raises(TypeError, match=r"'edges' must be name -> \(low, high\), got list"):
        band_shares(*radial_psd(torch.rand(32, 32), spatial_dims=2), edges=[(0, 0.1)])


@pytest.mark.parametrize("function", [centroid, band_shares])
def test_a_density_over_other_frequencies_is_refused(function):
    frequencies, density = radial_psd(torch.rand(2, 16, 16), spatial_dims=2)
    for other in (density[:, 1:], density[:, :1], density[0, 0]):
        with pytest.raises(ValueError, match=r"must have the shapes \(K,\) and \(\*, K\), got \(9,\) and"):
            function(frequencies, other)
    with pytest.raises(TypeError, match=r"'density' must be a torch.Tensor, got numpy.ndarray: pass torch.as_tensor"):
        function(frequencies, density.numpy())


def test_overlap_over_frequencies():
    small, large = torch.rand(32, 32), torch.rand(33, 33)
    one, two = radial_psd(small, spatial_dims=2), radial_psd(small.double(), spatial_dims=2)
    assert overlap(one, two) == pytest.approx(1)
    assert overlap((one[0], one[1].expand(3, -1)), two).shape == (3,)
    for other in (
        radial_psd(small, (1.0, 1.0), spatial_dims=2),
        radial_psd(large, spatial_dims=2),  # of as many frequencies
        radial_psd(small[:, :30], (1.0, 1.0), spatial_dims=2),
    ):
        for first, second in ((one, other), (other, one)):
            with pytest.raises(ValueError, match=r"must be over the same frequencies, got 0 to 0.\d+ cycles / "):
                overlap(first, second)
    with pytest.raises(ValueError, match="must share their frequencies, got 17 and 9"):
        overlap(one, radial_psd(small[:16, :16], spatial_dims=2))
    with pytest.raises(ValueError, match="must both have their frequencies, or neither"):
        overlap(one, two[1])
    per_mm = radial_psd(small, (2.0, 2.0), spatial_dims=2)
    assert overlap(per_mm, per_mm) == pytest.approx(1)


def test_overlap():
    a = torch.rand(4, 9)
    torch.testing.assert_close(overlap(a, a), torch.ones(4))
    torch.testing.assert_close(overlap(a, 7 * a), torch.ones(4))
    assert overlap(torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 1])) == 0
    assert overlap(torch.zeros(3), torch.ones(3)) == 0
    assert overlap(torch.tensor([1.0, 1, 0]), torch.tensor([1.0, 0, 1])) == 0.5  # what both have at DC counts
    b = torch.rand(4, 9)
    torch.testing.assert_close(overlap(a, b), overlap(b, a))
    assert ((overlap(a, b) > 0) & (overlap(a, b) < 1)).all()
    with pytest.raises(ValueError, match="must share their frequencies, got 9 and 3"):
        overlap(a, torch.ones(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: radial_psd(x, spatial_dims=4), "at least 4 dimensions"),
        (lambda x: radial_psd(x, spatial_dims=0), "'spatial_dims' must be at least 1, got 0"),
        (lambda x: radial_psd(x + 0j, spatial_dims=2), "'x' must be real"),
        (lambda x: radial_psd(x[:, :0], spatial_dims=2), "'x' must not be empty"),
        (lambda x: radial_psd(x, (1.0,), spatial_dims=2), "'spacing' must be 2 positive voxel sizes in mm, got"),
        (lambda x: radial_psd(x, (1.0, 0.0), spatial_dims=2), "'spacing'"),
        (lambda x: radial_psd(x, (1.0, math.nan), spatial_dims=2), "'spacing'"),
        (lambda x: radial_psd(x, power=0, spatial_dims=2), "'power' must be positive, got 0"),
        (lambda x: radial_psd(x, spatial_dims=2, norm="both"), "'norm' must be one of backward, ortho, forward"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.rand(1, 8, 8))


@pytest.mark.cuda
def test_cuda_equals_the_cpu():
    x = torch.randn(3, 40, 33)
    frequencies, density = radial_psd(x.cuda(), spatial_dims=2)
    assert density.device.type == frequencies.device.type == "cuda"
    torch.testing.assert_close(density.cpu(), radial_psd(x, spatial_dims=2)[1], rtol=1e-4, atol=1e-3)
