"""The SD of the noise: that which was put in, whatever the anatomy and the background."""

import pytest
import torch
import torch.nn.functional as F

from monai_freq.spectral.noise_sigma import estimate_noise_sigma

SHAPES = [(320, 256), (255, 257), (72, 64, 60)]


def head(shape):
    """A head of three tissues with shading, in an empty background that takes half of the image or more."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n, dtype=torch.float64) for n in shape), indexing="ij")
    radius = torch.stack([axis.square() for axis in axes]).sum(0).sqrt()
    image = 0.6 * (radius < 0.8).double()
    image[(axes[0] + 0.2).square() * 4 + axes[1].square() * 9 < 0.3] = 1.0
    image[(axes[0] - 0.3).square() * 9 + (axes[1] - 0.2).square() * 9 < 0.2] = 0.4
    return image * (1 + 0.15 * torch.cos(3 * axes[0] + axes[1]))


def noise(shape, sigma, seed=0):
    return sigma * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def magnitude(signal, sigma, seed=0):
    """With noise in both of its channels."""
    return torch.hypot(signal + noise(signal.shape, sigma, 2 * seed), noise(signal.shape, sigma, 2 * seed + 1))


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.08])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_noise_put_in_is_found(shape, sigma):
    signal = head(shape)
    gaussian = estimate_noise_sigma(signal + noise(shape, sigma), spatial_dims=len(shape))
    rician = estimate_noise_sigma(magnitude(signal, sigma), spatial_dims=len(shape))
    assert float(gaussian) == pytest.approx(sigma, rel=0.05)
    assert float(rician) == pytest.approx(sigma, rel=0.05)


def test_background_and_edges_do_not_count():
    """With all cells counted, the Rayleigh background pulls the median down, and edges push it up."""
    sigma, signal = 0.03, head((320, 256))
    cells = magnitude(signal, sigma).unfold(0, 2, 2).unfold(1, 2, 2)
    everywhere = (cells[..., 0, 0] - cells[..., 0, 1] - cells[..., 1, 0] + cells[..., 1, 1]).abs() / 2
    assert everywhere.median() / 0.6745 < 0.9 * sigma
    larger = magnitude(F.pad(signal, (200, 200, 200, 200)), sigma)
    assert float(estimate_noise_sigma(larger, spatial_dims=2)) == pytest.approx(sigma, rel=0.05)
    stripes = torch.arange(256) % 9 < 1
    edges = estimate_noise_sigma(signal + 0.3 * stripes + noise(signal.shape, sigma), spatial_dims=2)
    assert float(edges) == pytest.approx(sigma, rel=0.05)


def test_a_background_cut_out_does_not_count():
    signal = head((320, 256))
    cut = magnitude(signal, 0.03) * (signal > 0)
    assert float(estimate_noise_sigma(cut, spatial_dims=2)) == pytest.approx(0.03, rel=0.05)


def test_smooth_anatomy_is_no_noise():
    smooth = torch.outer(torch.linspace(0, 3, 200).sin(), torch.linspace(1, 2, 180).square())
    assert estimate_noise_sigma(smooth, spatial_dims=2) < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_each_image_has_its_own(shape):
    sigmas = torch.tensor([[0.01, 0.02, 0.05], [0.1, 0.2, 1.0]], dtype=torch.float64)
    images = torch.stack([head(shape) + noise(shape, s, seed) for seed, s in enumerate(sigmas.flatten())])
    found = estimate_noise_sigma(images.view(2, 3, *shape), spatial_dims=len(shape))
    assert found.shape == (2, 3)
    alone = [estimate_noise_sigma(image, spatial_dims=len(shape)) for image in images]
    assert torch.equal(found.flatten(), torch.stack(alone))


def test_scale_shift_and_flips():
    x = magnitude(head((128, 96)), 0.05)
    sigma = estimate_noise_sigma(x, spatial_dims=2)
    for gain in (1e-20, 8.0, 1e20):
        torch.testing.assert_close(estimate_noise_sigma(x * gain, spatial_dims=2), sigma * gain)
    torch.testing.assert_close(estimate_noise_sigma(x - 7, spatial_dims=2), sigma)
    for axis in (0, 1):
        torch.testing.assert_close(estimate_noise_sigma(x.flip(axis), spatial_dims=2), sigma)
    torch.testing.assert_close(estimate_noise_sigma(x.T, spatial_dims=2), sigma)


@pytest.mark.parametrize("value", [0.0, 0.3, -5.0, 1e30])
@pytest.mark.parametrize("shape", [(9, 10), (1, 5), (6, 7, 8)])
def test_a_constant_image_has_no_noise(shape, value):
    found = estimate_noise_sigma(torch.full((2, *shape), value), spatial_dims=len(shape))
    assert torch.equal(found, torch.zeros(2))


def test_tiny_images():
    assert torch.equal(estimate_noise_sigma(torch.rand(3, 1, 1), spatial_dims=2), torch.zeros(3))
    pixels = torch.tensor([[5.0, 1.0], [2.0, 4.0]])
    torch.testing.assert_close(estimate_noise_sigma(pixels, spatial_dims=2), torch.tensor(3 / 0.67449))
    row = torch.tensor([[5.0, 1.0, 100.0]])
    torch.testing.assert_close(estimate_noise_sigma(row, spatial_dims=2), torch.tensor(8**0.5 / 0.67449))
    for shape in ((2, 1), (3, 3), (2, 5)):
        assert estimate_noise_sigma(torch.rand(shape), spatial_dims=2).isfinite()


def test_types():
    x = 100 * magnitude(head((128, 128)), 0.1)
    exact = estimate_noise_sigma(x, spatial_dims=2)
    assert exact.dtype == torch.float64
    step = 0.5 / 0.6745  # details of integers are multiples of a half
    for dtype, error in ((torch.float32, 1e-4), (torch.float16, 0.1), (torch.int16, step), (torch.uint8, step)):
        found = estimate_noise_sigma(x.to(dtype), spatial_dims=2)
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(float(exact), abs=error)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(8), "'x' must have at least 2 dimensions"),
        (torch.rand(0, 4, 4), "'x' must not be empty"),
        (torch.rand(4, 4).to(torch.complex64), "'x' must be real"),
    ],
    ids=["too few dimensions", "empty", "complex"],
)
def test_other_images_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        estimate_noise_sigma(x, spatial_dims=2)


@pytest.mark.cuda
@pytest.mark.parametrize("shape", SHAPES)
def test_on_a_gpu(shape):
    x = magnitude(head(shape), 0.05).float()
    found = estimate_noise_sigma(x.cuda(), spatial_dims=len(shape))
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), estimate_noise_sigma(x, spatial_dims=len(shape)))
