"""Whitening: a flat spectrum, with the phases, mean and SD of the image."""

import math

import pytest
import torch

from monai_freq.spectral.whiten import whiten

SHAPES = [(16,), (32, 32), (31, 33), (24, 40), (1, 16), (16, 1), (2, 3), (12, 18, 7), (9, 8, 1), (5, 7, 11)]


def spectrum(x, spatial_dims):
    """All frequencies but the mean of each image and channel."""
    return torch.fft.fftn(x, dim=tuple(range(-spatial_dims, 0))).flatten(-spatial_dims)[..., 1:]


def by_definition(image):
    """Equation 2 for one image, from the complex transform."""
    frequencies = torch.fft.fftn(image)
    flat = torch.fft.ifftn(frequencies / frequencies.abs()).real
    scale = image.std(correction=0) / flat.std(correction=0)
    return (flat - flat.mean()) * scale + image.mean()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_spectrum_is_flat_and_the_phase_is_kept(shape):
    x = torch.randn(2, 3, *shape, dtype=torch.float64) + 0.7
    before, after = (spectrum(image, len(shape)) for image in (x, whiten(x, spatial_dims=len(shape))))
    magnitude = after.abs()
    torch.testing.assert_close(magnitude, magnitude[..., :1].expand_as(magnitude), rtol=1e-9, atol=0)
    torch.testing.assert_close(after / magnitude, before / before.abs(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_mean_and_sd_are_kept(shape):
    x = 5 * torch.rand(2, 3, *shape, dtype=torch.float64) - 1
    dims = tuple(range(-len(shape), 0))
    whitened = whiten(x, spatial_dims=len(shape))
    torch.testing.assert_close(whitened.mean(dims), x.mean(dims))
    torch.testing.assert_close(whitened.std(dims), x.std(dims))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_image_and_channel_follows_the_equation_by_itself(shape):
    x = torch.rand(2, 3, *shape, dtype=torch.float64) * torch.tensor([1.0, 1e-3, 1e6]).view(3, *[1] * len(shape))
    whitened = whiten(x, spatial_dims=len(shape))
    for image, result in zip(x.flatten(0, 1), whitened.flatten(0, 1), strict=True):
        torch.testing.assert_close(result, by_definition(image), rtol=1e-9, atol=1e-9 * float(image.abs().max()))


def test_a_whitened_image_stays_as_it_is():
    once = whiten(torch.rand(2, 20, 15, dtype=torch.float64), spatial_dims=2)
    torch.testing.assert_close(whiten(once, spatial_dims=2), once)


def test_float32_gives_the_result_of_float64():
    smooth = torch.linspace(0, 6, 64).sin()[:, None] * torch.linspace(0, 4, 50).cos()  # high frequencies near rounding
    expected = whiten(smooth.double(), spatial_dims=2)
    torch.testing.assert_close(whiten(smooth, spatial_dims=2).double(), expected, rtol=0, atol=1e-6)


def test_nothing_is_clipped():
    image = torch.rand(1, 64, 64, dtype=torch.float64).square()
    whitened = whiten(image, spatial_dims=2)
    assert whitened.min() < 0
    assert whitened.max() > image.max()


@pytest.mark.parametrize("value", [0.3, 0.7, 1 / 3, 0.0, -5.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_image_returns_unchanged(value, dtype):
    for shape in ((1, 362, 362), (2, 1, 1), (3, 17, 31)):
        x = torch.full(shape, value, dtype=dtype)
        assert torch.equal(whiten(x, spatial_dims=2), x)
    volume = torch.full((1, 31, 30, 29), value, dtype=dtype)
    assert torch.equal(whiten(volume, spatial_dims=3), volume)


def test_a_constant_channel_leaves_the_others_alone():
    x = torch.rand(3, 20, 21)
    x[1] = 0.3
    whitened = whiten(x, spatial_dims=2)
    assert torch.equal(whitened[1], x[1])
    for channel in (0, 2):
        torch.testing.assert_close(whitened[channel], whiten(x[channel], spatial_dims=2))


@pytest.mark.parametrize("size", [361, 362])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_single_cosine_stays_a_cosine(size, offset):
    steps = torch.arange(size, dtype=torch.float64)
    wave = offset + 0.2 * torch.cos(2 * math.pi * (7 * steps[:, None] + 11 * steps) / size + 0.4)
    torch.testing.assert_close(whiten(wave, spatial_dims=2), wave, rtol=0, atol=1e-12)


def test_two_cosines_become_equally_strong():
    steps = 2 * math.pi * torch.arange(64, dtype=torch.float64) / 64
    strong, weak = torch.cos(3 * steps), torch.cos(20 * steps + 1)
    whitened = whiten(strong + 0.01 * weak, spatial_dims=1)
    torch.testing.assert_close(whitened, math.sqrt((1 + 1e-4) / 2) * (strong + weak))


@pytest.mark.parametrize(("share", "is_there"), [(1e-8, True), (1e-9, True), (1e-11, False), (1e-12, False)])
def test_a_frequency_counts_as_zero_below_the_precision_of_float64(share, is_there):
    steps = 2 * math.pi * torch.arange(64, dtype=torch.float64) / 64
    strong, weak = torch.cos(3 * steps), torch.cos(20 * steps + 1)
    expected = (strong + weak) / math.sqrt(2) if is_there else strong  # the SD is that of the strong wave
    torch.testing.assert_close(whiten(strong + share * weak, spatial_dims=1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_returns_as_it_came_but_not_under_autocast(dtype):
    x = torch.rand(2, 16, 17).to(dtype)
    expected = whiten(x.double(), spatial_dims=2)
    assert torch.equal(whiten(x, spatial_dims=2), expected.float().to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(whiten(x, spatial_dims=2), expected.float())


def test_huge_and_tiny_images():
    x = torch.rand(1, 16, 16)
    for scale in (1e-30, 1e30):
        torch.testing.assert_close(whiten(x * scale, spatial_dims=2) / scale, whiten(x, spatial_dims=2))


def test_strided_images():
    x = torch.rand(3, 20, 24)
    turned = whiten(x.transpose(1, 2), spatial_dims=2)
    torch.testing.assert_close(turned, whiten(x, spatial_dims=2).transpose(1, 2))
    stripes = x[0, :1].expand(20, 24)
    torch.testing.assert_close(whiten(stripes, spatial_dims=2), whiten(stripes.clone(), spatial_dims=2))


@pytest.mark.parametrize(
    ("x", "spatial_dims", "message"),
    [
        (torch.rand(8), 2, r"'x' must have at least 2 dimensions \(\*, \*spatial\), got shape \(8,\)"),
        (torch.rand(8), 0, "'spatial_dims' must be at least 1, got 0"),
        (torch.rand(4, 4).to(torch.complex64), 2, "'x' must be real, got torch.complex64"),
        (torch.rand(0, 4, 4), 2, r"'x' must not be empty, got shape \(0, 4, 4\)"),
    ],
    ids=["too few dimensions", "no spatial dimension", "complex", "empty"],
)
def test_other_images_are_refused(x, spatial_dims, message):
    with pytest.raises(ValueError, match=message):
        whiten(x, spatial_dims=spatial_dims)
