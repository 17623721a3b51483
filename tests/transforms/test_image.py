"""What is no image is refused before anything is computed."""

import pytest
import torch

from monai_freq.transforms import FourierLowPass, PhotonNoise, RandNonLocalMeans, RandPhotonNoise, SpectrumWhiten

TRANSFORMS = [
    FourierLowPass(0.2),
    SpectrumWhiten(),
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
