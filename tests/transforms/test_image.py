"""What is no image is refused before anything is computed."""

from pathlib import Path

import pytest
import torch

from monai_freq.transforms import (
    FourierLowPass,
    FourierLowPassd,
    PhotonNoise,
    RandNonLocalMeans,
    RandPhotonNoise,
    RandSpectrumMatch,
    SpectrumMatch,
    SpectrumWhiten,
)

TRANSFORMS = [
    FourierLowPass(0.2),
    SpectrumWhiten(),
    SpectrumMatch([1.0] * 11),
    RandSpectrumMatch([[1.0] * 11], prob=0),
    RandNonLocalMeans(prob=0),
    PhotonNoise(extent_mm=200, n_angles=8),
    RandPhotonNoise(prob=0, extent_mm=200, n_angles=8),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: type(transform).__name__)
@pytest.mark.parametrize(
    ("image", "says"),
    [
        (torch.ones(1, 4, 4, dtype=torch.complex64), "real and not empty, got torch.complex64"),  # never half of it
        (torch.ones(1, 0, 4), r"real and not empty, got torch.float32, shape \(1, 0, 4\)"),
        (torch.ones(4), r"\(C, \*spatial\) with 1 to 3 spatial axes, got \(4,\)"),
        (torch.ones(1, 4, 4, 4, 4), r"\(C, \*spatial\) with 1 to 3 spatial axes"),
    ],
)
def test_what_is_no_image_is_refused(transform, image, says):
    with pytest.raises(ValueError, match=says):
        transform(image)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: type(transform).__name__)
@pytest.mark.parametrize("path", ["la_003.nii.gz", Path("la_003.nii.gz")], ids=["str", "Path"])
def test_a_path_that_nobody_has_loaded_is_named(transform, path):
    with pytest.raises(ValueError, match=r"got the path 'la_003.nii.gz': put LoadImaged before, with this key"):
        transform(path)


def test_a_forgotten_loader_is_named_with_the_key():
    with pytest.raises(ValueError, match=r"'la_003.nii.gz': put LoadImaged before, with this key. \(key 'image'\)"):
        FourierLowPassd("image", 0.2)({"image": "la_003.nii.gz"})


def test_other_objects_are_named_by_their_type():
    for nothing in (None, {"image": torch.rand(1, 8, 8)}):
        with pytest.raises(ValueError, match=f"an array or a tensor, got {type(nothing).__name__}"):
            FourierLowPass(0.2)(nothing)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: type(transform).__name__)
def test_a_sparse_image_is_refused(transform):
    message = r"'image' must be a dense tensor, got torch\.sparse_coo: pass image\.to_dense\(\)"
    with pytest.raises(ValueError, match=message):
        transform(torch.eye(8)[None].to_sparse())
    with pytest.raises(ValueError, match=rf"{message}\. \(key 'scan'\)"):
        FourierLowPassd("scan", 0.2)({"scan": torch.eye(8)[None].to_sparse()})
