"""Pictures of any depth have one scale; a magnitude image is scaled without a shift."""

import numpy as np
import pytest
import torch
from PIL import Image

from monai_freq.bundle import over_full_scale, over_maximum
from monai_freq.transforms import LoadSlice


def test_pictures_of_8_and_16_bits_have_one_scale(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    scaled = []
    for name, pixels in {"8.png": grey, "16.png": grey.astype(np.uint16) * 257, "f.tif": grey.astype("f4")}.items():
        Image.fromarray(pixels).save(tmp_path / name)
        scaled.append(LoadSlice()(tmp_path / name))
    torch.testing.assert_close(over_full_scale(scaled[0]).as_tensor()[0], torch.from_numpy(grey / np.float32(255)))
    torch.testing.assert_close(over_full_scale(scaled[1]).as_tensor(), over_full_scale(scaled[0]).as_tensor())
    for unknown in (scaled[2], torch.ones(1, 4, 4)):
        with pytest.raises(ValueError, match="does not state what white is"):
            over_full_scale(unknown)


def test_over_its_maximum_an_image_keeps_its_zero():
    image = torch.tensor([[3.0, 0.0], [12.0, 6.0]])
    assert over_maximum(image).tolist() == [[0.25, 0.0], [1.0, 0.5]]
    assert over_maximum(torch.zeros(2, 2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
