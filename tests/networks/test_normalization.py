"""Intensities as weights were trained with, against what the frameworks themselves compute."""

import numpy as np
import pytest
import torch

from monai_freq.networks import normalized
from monai_freq.networks.normalization import NORMALIZATIONS, resolved, undone


def picture(channels):
    """Values of 8 bits, as a file has them."""
    return np.random.default_rng(0).integers(0, 256, (channels, 5, 7)).astype(np.float64)


def torchvision(pixels):
    """``ToTensor`` and ``Normalize`` of torchvision's reference training."""
    mean, sd = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (pixels / 255 - mean[:, None, None]) / sd[:, None, None]


def keras(pixels):
    """``ImageDataGenerator(rescale=1 / 255, preprocessing_function=preprocess_input)``: the function comes first."""
    swapped = pixels[::-1] - np.array([103.939, 116.779, 123.68])[:, None, None]
    return swapped * (1 / 255)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("zero_to_one", lambda pixels: pixels / 255),
        ("imagenet", torchvision),
        ("radimagenet_pytorch", lambda pixels: (pixels - 127.5) * 2 / 255),
        ("radimagenet_tensorflow", keras),
        ({"mean": [0.1, 0.2, 0.3], "sd": 0.5}, lambda p: (p / 255 - np.array([[[0.1]], [[0.2]], [[0.3]]])) / 0.5),
        ({"mean": 0, "sd": 1 / 255}, lambda pixels: pixels),
    ],
)
def test_colours_are_as_the_weights_expect_them(name, reference):
    pixels = picture(3)
    image = torch.from_numpy(pixels / 255)
    found = normalized(image, name)
    torch.testing.assert_close(found, torch.from_numpy(reference(pixels)).float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(undone(found, name), image.float(), rtol=1e-5, atol=1e-5)
    assert torch.equal(image, torch.from_numpy(pixels / 255))


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_one_channel_is_the_mean_of_three(name):
    pixels = picture(1)
    mean, sd, reverse = resolved(name, 1)
    assert (mean, sd) == tuple((pytest.approx(np.mean(part), abs=1e-6),) for part in resolved(name, 3)[:2])
    assert not reverse
    expected = torch.from_numpy((pixels / 255 - mean[0]) / sd[0]).float()
    torch.testing.assert_close(normalized(torch.from_numpy(pixels / 255), name), expected)


def test_numbers_that_are_known():
    assert resolved("imagenet", 1) == ((0.449,), (0.226,), False)
    assert resolved("radimagenet_tensorflow", 1).mean == (0.450193,)
    assert resolved({"mean": 2, "sd": [1, 2]}, 2) == ((2, 2), (1, 2), False)


def test_any_number_of_dimensions():
    volume = torch.rand(1, 3, 4, 5)
    torch.testing.assert_close(normalized(volume, "imagenet"), (volume - 0.449) / 0.226)


@pytest.mark.parametrize(
    ("normalization", "channels"),
    [
        ("imagnet", 1),
        ("", 3),
        (None, 1),
        (0.5, 1),
        ({"mean": 0.5}, 1),
        ({"mean": 0.5, "sd": 0.2, "max": 1}, 1),
        ({"mean": 0.5, "sd": 0}, 1),
        ({"mean": 0.5, "sd": -1.0}, 1),
        ({"mean": float("nan"), "sd": 1}, 1),
        ({"mean": "0.5", "sd": 1}, 1),
        ({"mean": True, "sd": 1}, 1),
        ({"mean": [0.1, 0.2], "sd": 1}, 3),
        ({"mean": [], "sd": []}, 1),
    ],
)
def test_what_is_no_normalization_is_refused(normalization, channels):
    with pytest.raises(ValueError, match=r"'normalization' must be one of zero_to_one, imagenet, .*got"):
        resolved(normalization, channels)


def test_a_name_is_of_one_or_three_channels():
    with pytest.raises(ValueError, match="'imagenet' is of 1 or 3 channels, not of 2"):
        normalized(torch.zeros(2, 4, 4), "imagenet")
