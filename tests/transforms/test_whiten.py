"""Whitening in the pipelines that people have."""

import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from meta_images import meta_image
from monai.data import CacheDataset, MetaTensor, set_track_meta
from monai.transforms import Compose, ScaleIntensityd

from monai_freq.spectral.whiten import whiten
from monai_freq.transforms import SpectrumWhiten, SpectrumWhitend


@pytest.mark.parametrize("shape", [(1, 24, 20), (3, 15, 21), (2, 12, 18, 7), (1, 1, 9), (2, 1, 1), (1, 40)])
def test_channels_are_whitened_by_themselves(shape):
    image = torch.rand(*shape)
    whitened = SpectrumWhiten()(image)
    assert whitened.shape == shape
    for channel, result in zip(image, whitened, strict=True):
        torch.testing.assert_close(result, whiten(channel, spatial_dims=len(shape) - 1))


def test_metadata_are_kept_and_the_input_is_left_alone():
    image = meta_image(1, 16, 16, 8)
    before = image.clone()
    result = SpectrumWhiten()(image)
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine, image.affine)
    assert result.meta["filename_or_obj"] == "la_003.nii.gz"
    assert torch.equal(image, before)


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (torch.uint8, torch.float32),
        (torch.int16, torch.float32),
        (torch.float16, torch.float16),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
    ids=str,
)
def test_types(given, returned):
    image = (torch.rand(1, 16, 16) * 100).to(given)
    result = SpectrumWhiten()(image)
    assert result.dtype == returned
    torch.testing.assert_close(result.double(), whiten(image.double(), spatial_dims=2), rtol=2e-3, atol=0.1)
    assert np.array_equal(SpectrumWhiten()(image.numpy()), result)


def test_a_constant_image_returns_unchanged():
    image = torch.full((1, 362, 362), 0.3)
    assert torch.equal(SpectrumWhiten()(image), image)


def test_untracked_metadata():
    set_track_meta(False)
    try:
        assert type(SpectrumWhiten()(torch.rand(1, 8, 8))) is torch.Tensor
    finally:
        set_track_meta(True)


def test_as_a_dictionary_transform():
    items = [{"image": meta_image(1, 16, 15), "label": torch.ones(1, 16, 15), "id": i} for i in range(3)]
    chain = Compose([ScaleIntensityd("image"), SpectrumWhitend("image")])
    cached = CacheDataset(items, chain, num_workers=1, progress=False)
    for index, item in enumerate(items):
        assert np.array_equal(cached[index]["image"], SpectrumWhiten()(ScaleIntensityd("image")(item)["image"]))
        assert torch.equal(cached[index]["label"], item["label"])
    assert list(inspect.signature(SpectrumWhitend).parameters) == ["keys", "allow_missing_keys"]
    assert SpectrumWhitend.backend == SpectrumWhiten.backend
    assert SpectrumWhitend(["image", "other"], allow_missing_keys=True)(items[0])["id"] == 0
    with pytest.raises(KeyError, match="other"):
        SpectrumWhitend(["image", "other"])(items[0])


def test_pickled_it_does_the_same():
    image = torch.rand(1, 12, 12)
    again = pickle.loads(pickle.dumps(SpectrumWhitend("image")))
    assert torch.equal(again({"image": image})["image"], SpectrumWhiten()(image))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_image_that_is_not_finite_is_refused(value):
    image = meta_image(1, 16, 16, 1)
    image[0, 3, 4] = value
    with pytest.raises(ValueError, match=r"the image has \d NaN and \d infinite of 256 values"):
        SpectrumWhiten()(image)
    with pytest.raises(ValueError, match=r"values: .* \(key 'image', file 'la_003.nii.gz'\)"):
        SpectrumWhitend("image")({"image": image})


@pytest.mark.parametrize("shape", [(8,), (1, 2, 3, 4, 5)])
def test_other_numbers_of_dimensions_are_refused(shape):
    with pytest.raises(ValueError, match=r"must have the shape \(C, \*spatial\)"):
        SpectrumWhiten()(torch.rand(*shape))
