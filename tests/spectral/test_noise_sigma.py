"""The estimated noise SD is the planted one, whatever the anatomy and the background."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

from monai_freq.spectral.noise_sigma import estimate_noise_sigma

SHAPES = [(320, 256), (255, 257), (72, 64, 60)]


def head(shape):
    """A head of three tissues with shading, in an empty background of half of the image or more."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n, dtype=torch.float64) for n in shape), indexing="ij")
    radius = torch.stack([axis.square() for axis in axes]).sum(0).sqrt()
    image = 0.6 * (radius < 0.8).double()
    image[(axes[0] + 0.2).square() * 4 + axes[1].square() * 9 < 0.3] = 1.0
    image[(axes[0] - 0.3).square() * 9 + (axes[1] - 0.2).square() * 9 < 0.2] = 0.4
    return image * (1 + 0.15 * torch.cos(3 * axes[0] + axes[1]))


def noise(shape, sigma, seed=0):
    return sigma * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def magnitude(signal, sigma, seed=0):
    """Magnitude of a signal with noise in both of its channels."""
    return torch.hypot(signal + noise(signal.shape, sigma, 2 * seed), noise(signal.shape, sigma, 2 * seed + 1))


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.08])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_planted_noise_is_found(shape, sigma):
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


def pixels(image, count, values):
    """Image with other values in some random voxels."""
    generator = torch.Generator().manual_seed(count)
    image = image.clone()
    image.view(-1)[torch.randperm(image.numel(), generator=generator)[:count]] = values(count, generator)
    return image


def drawn_over(image, values, place=(slice(5, 15), slice(4, 44))):
    """Image with values drawn over a box of background noise."""
    image = image.clone()
    image[place] = values(image[place].shape, torch.Generator().manual_seed(3))
    return image


def flat_top(image, low, high):
    return image.clamp(low, high)


def box_of(value):
    return lambda shape, generator: torch.full(shape, value, dtype=torch.float64)


def letters(shape, generator):
    return 13.7 * (torch.rand(shape, generator=generator) < 0.3).double()


def nearly_even(shape, generator):
    return 13.7 + 1e-3 * torch.randn(shape, generator=generator, dtype=torch.float64)


def heights(count, generator):
    return 6500 * torch.rand(count, generator=generator, dtype=torch.float64)


DEFECTS = {
    "one hot pixel": lambda x: pixels(x, 1, lambda n, g: 218.0),
    "one hot pixel of float's maximum": lambda x: pixels(x, 1, lambda n, g: 3e38),
    "five hot pixels": lambda x: pixels(x, 5, lambda n, g: 218.0),
    "hot pixels of many heights": lambda x: pixels(x, 50, heights),
    "dead pixels": lambda x: pixels(x, 50, lambda n, g: 0.0),
    "pixels at -32768": lambda x: pixels(x, 5, lambda n, g: -32768.0),
    "salt and pepper": lambda x: pixels(
        pixels(x, x.numel() // 50, lambda n, g: 4.0), x.numel() // 60, lambda n, g: 0.0
    ),
    "burnt-in box": lambda x: drawn_over(x, box_of(13.7)),
    "burnt-in letters": lambda x: drawn_over(x, letters),
    "box that is nearly even": lambda x: drawn_over(x, nearly_even),
    "box over a quarter": lambda x: drawn_over(x, box_of(13.7), (slice(0, x.shape[0] // 4),)),
    "half is zero": lambda x: drawn_over(x, box_of(0.0), (slice(None), slice(0, x.shape[1] // 2))),
    "saturated": lambda x: flat_top(x, 0, 0.8),
    "window": lambda x: flat_top(x, 0.3, 0.9),
    "padding": lambda x: F.pad(x, (20, 9) * x.ndim, value=-1),
    "padding by the border": lambda x: F.pad(x[None, None], (20, 9) * x.ndim, mode="replicate")[0, 0],
    "inverted": lambda x: 1 - x,
}


@pytest.mark.parametrize("shape", [(320, 256), (72, 64, 60)], ids=["2D", "3D"])
@pytest.mark.parametrize("name", DEFECTS)
def test_defects_and_constants_do_not_count(name, shape):
    image = DEFECTS[name](magnitude(head(shape), 0.04)).float()
    assert float(estimate_noise_sigma(image, spatial_dims=len(shape))) == pytest.approx(0.04, rel=0.05)


def disk(n, seed=0):
    """A disk of 300 with a noise of 15 in both channels."""
    axis = torch.arange(n, dtype=torch.float64) - n // 2
    return magnitude(300 * (axis[:, None].square() + axis.square() < (0.39 * n) ** 2), 15, seed)


def written_on(image, text, value, size, *, smooth=True, place=(4, 4)):
    """Image with the text of a scanner; smooth letters have grey edges."""
    mask = Image.new("L", image.shape[::-1])
    draw = ImageDraw.Draw(mask)
    draw.fontmode = "L" if smooth else "1"
    draw.multiline_text(place, text, fill=255, font=ImageFont.load_default(size))
    share = torch.from_numpy(np.asarray(mask) / 255)
    return image * (1 - share) + value * share


LINE = "PATIENT L 12345 cm"
LINES = "PATIENT\nL 12345\n12 cm"
MANY = "\n".join(["PATIENT L 12", "cm 3.4 R"] * 4)


@pytest.mark.parametrize("smooth", [True, False], ids=["smooth", "binary"])
@pytest.mark.parametrize(
    ("n", "text", "size", "values"),
    [
        (128, "L", 10, (1000, 4095, 16383, 65535)),
        (128, "R 12", 20, (1000, 4095, 65535)),
        (128, LINE, 14, (2000, 4095, 65535)),
        (128, LINE, 10, (2000, 65535)),
        (128, LINES, 12, (4095, 65535)),
        (256, LINES, 20, (4095, 16383)),
        (256, MANY, 14, (2000, 4095, 16383, 65535)),
    ],
    ids=lambda value: value.split("\n")[0] if isinstance(value, str) else "",
)
def test_text_does_not_count(n, text, size, values, smooth):
    for value in values:
        image = written_on(disk(n), text, value, size, smooth=smooth)
        assert float(estimate_noise_sigma(image, spatial_dims=2)) == pytest.approx(15, rel=0.2)


def test_text_on_a_volume_does_not_count():
    volume = torch.stack([disk(64, seed) for seed in range(24)], dim=-1)
    letters = written_on(torch.zeros(64, 64), LINE, 65535, 12)[..., None]
    one, all_slices = volume.clone(), torch.where(letters > 0, letters, volume)
    one[..., 10:11] = all_slices[..., 10:11]
    for image in (one, all_slices):
        assert float(estimate_noise_sigma(image, spatial_dims=3)) == pytest.approx(15, rel=0.4)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_spoilt_slices_do_not_count(count):
    volume = torch.stack([disk(64, seed) for seed in range(32)], dim=-1)
    volume[..., 6 : 6 + count] = 5000 * torch.rand(64, 64, count, generator=torch.Generator().manual_seed(1))
    assert float(estimate_noise_sigma(volume, spatial_dims=3)) == pytest.approx(15, rel=0.1)


@pytest.mark.parametrize("background", [0.1, 0.5])
@pytest.mark.parametrize("shape", [(320, 256), (40, 36, 32)], ids=["2D", "3D"])
def test_a_background_with_weak_noise_makes_no_defects_of_an_object(shape, background):
    signal = F.pad(head(shape), (20,) * (2 * len(shape)))
    noisy = magnitude(signal, 0.03)
    image = torch.where(signal > 0, noisy, background * noisy)
    assert float(estimate_noise_sigma(image, spatial_dims=len(shape))) == pytest.approx(0.03, rel=0.1)


def ball(shape, radius=0.85):
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in shape), indexing="ij")
    return sum(axis.square() for axis in axes).sqrt() < radius


@pytest.mark.parametrize("background", [0.0, -3.0, -1024.0])
@pytest.mark.parametrize("shape", [(200, 190), (48, 48, 48)], ids=["2D", "3D"])
@pytest.mark.parametrize("field", [0.0, 5.0])
def test_a_masked_image_may_be_zero_centred(shape, background, field):
    """Z-scores within a mask, or susceptibility; the background lies among the values, or far from them."""
    axes = torch.meshgrid(*(torch.linspace(0, 3, n) for n in shape), indexing="ij")
    for seed in range(2):
        values = field * torch.stack([axis.sin() for axis in axes]).prod(0) + noise(shape, 0.5, seed).float()
        image = torch.where(ball(shape), values, background)
        assert float(estimate_noise_sigma(image, spatial_dims=len(shape))) == pytest.approx(0.5, rel=0.06)


def test_a_small_object_in_much_noise_is_found():
    signal = F.pad(head((160, 128)), (300, 300, 300, 300))  # 1.5% of the image
    assert float(estimate_noise_sigma(magnitude(signal, 0.03), spatial_dims=2)) == pytest.approx(0.03, rel=0.08)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 6.0])
def test_integers(sigma):
    """Rounding adds noise with an SD of 1 / sqrt(12), and details of 2 x 2 integers are multiples of a half."""
    noisy = 60 * head((320, 256)) + 40 + noise((320, 256), sigma)
    expected = (sigma**2 + 1 / 12) ** 0.5
    for x in (noisy.round().to(torch.uint8), noisy.round().to(torch.int16), noisy.round() / 7 - 4):
        gain = 1 / 7 if x.is_floating_point() else 1
        assert float(estimate_noise_sigma(x, spatial_dims=2)) == pytest.approx(gain * expected, rel=0.05)


def test_an_image_of_constants_has_no_noise():
    """However many constants there are: an edge is no noise."""
    regions = torch.randint(0, 5, (40, 40), generator=torch.Generator().manual_seed(0)).float()
    enlarged = regions.repeat_interleave(7, 0).repeat_interleave(7, 1)
    for image in (head((100, 120)) > 0.5, enlarged, enlarged.to(torch.uint8), F.pad(torch.ones(9, 9, 9), (4, 5) * 3)):
        assert float(estimate_noise_sigma(image, spatial_dims=image.ndim)) == 0


def test_smooth_anatomy_is_no_noise():
    smooth = torch.outer(torch.linspace(0, 3, 200).sin(), torch.linspace(1, 2, 180).square())
    assert estimate_noise_sigma(smooth, spatial_dims=2) < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_each_image_has_its_own_estimate(shape):
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


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_image_that_is_not_finite_has_no_estimate_and_spoils_no_other(bad):
    images = torch.rand(3, 16, 16)
    images[1, 4, 4] = bad
    found = estimate_noise_sigma(images, spatial_dims=2)
    assert found.isnan().tolist() == [False, True, False]


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
