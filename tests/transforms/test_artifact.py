"""What an artifact changes in images: the spectrum of after minus before, and no trace left in any random state."""

import math
import random

import numpy as np
import pytest
import torch
import torchio
from faulty_artifacts import choosy, shortened
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    MapTransform,
    RandGaussianNoise,
    RandGaussianNoised,
    RandGibbsNoise,
    RandGibbsNoised,
)
from random_states import global_states
from reference_psd import numpy_frequencies, numpy_psd

from monai_freq.spectral.psd import band_shares, radial_psd
from monai_freq.transforms import FourierLowPass, FourierLowPassd, SpectrumWhiten, SpectrumWhitend, artifact_psd
from monai_freq.transforms.artifact import artifact_residual

CPU = torch.device("cpu")
SHAPES = [(1, 24, 24), (2, 15, 21), (1, 12, 10, 9)]

ARRAYS = {
    "SpectrumWhiten": SpectrumWhiten(),
    "FourierLowPass": FourierLowPass(cutoff=0.2),
    "RandGibbsNoise": RandGibbsNoise(prob=1, alpha=(0.4, 0.9)),
    "RandGaussianNoise": RandGaussianNoise(prob=1, std=0.3),
    "Compose": Compose([RandGaussianNoise(prob=1), FourierLowPass(0.3)]),
    "RandomGhosting": torchio.RandomGhosting(intensity=(0.5, 1)),
    "RandomMotion": torchio.RandomMotion(degrees=20, translation=5),
}
DICTIONARIES = {
    "SpectrumWhitend": SpectrumWhitend("image"),
    "FourierLowPassd": FourierLowPassd("image", cutoff=0.2),
    "RandGibbsNoised": RandGibbsNoised("image", prob=1, alpha=(0.4, 0.9)),
    "Compose of dictionary": Compose([RandGaussianNoised("image", prob=1), FourierLowPassd("image", cutoff=0.3)]),
}


def images_of(shape, n=3, seed=0):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


def applied(transform, image, seed):
    """Image after a transform whose every source of chance starts from a seed; TorchIO wants four dimensions."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if hasattr(transform, "set_random_state"):
        transform.set_random_state(seed)
    if transform in DICTIONARIES.values():
        return transform({"image": image.clone()})["image"]
    if not isinstance(transform, torchio.Transform):
        return transform(image.clone())
    return transform(image.clone()[(..., *[None] * (4 - image.ndim))]).reshape(image.shape)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("transform", (ARRAYS | DICTIONARIES).values(), ids=ARRAYS | DICTIONARIES)
def test_it_is_the_mean_density_of_the_residuals(transform, shape, power):
    images = images_of(shape)
    frequencies, density = artifact_psd(transform, images, power=power, seed=7)
    expected = []
    for place, image in enumerate(images):
        residual = torch.as_tensor(applied(transform, image, 7 + place)) - image
        expected += [numpy_psd(channel, power) for channel in residual]
    np.testing.assert_allclose(frequencies, numpy_frequencies(shape[1:]), rtol=1e-6)
    mean = np.mean(expected, axis=0)
    assert mean.max() > 0.1
    np.testing.assert_allclose(density, mean, rtol=1e-3, atol=1e-4 * mean.max())


def test_images_come_in_any_container():
    images = images_of((1, 18, 15))
    expected = artifact_psd(FourierLowPass(0.2), images)
    affine = torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0]))
    given = {
        "list": list(images),
        "arrays": images.numpy(),
        "generator": (image for image in images),
        "MetaTensors": [MetaTensor(image, affine=affine) for image in images],
        "items": [{"image": image, "label": 1} for image in images],
    }
    for container in given.values():
        torch.testing.assert_close(artifact_psd(FourierLowPass(0.2), container), expected, rtol=0, atol=0)
    items = [{"t1": MetaTensor(image), "image": None} for image in images]
    for transform in (FourierLowPass(0.2), FourierLowPassd("t1", 0.2), Compose([FourierLowPassd(["t1"], 0.2)])):
        torch.testing.assert_close(artifact_psd(transform, items, key="t1"), expected, rtol=0, atol=0)
    torch.testing.assert_close(artifact_psd(FourierLowPassd("t1", 0.2), images, "t1"), expected, rtol=0, atol=0)


def test_a_dictionary_transform_sees_the_whole_item():
    class Masked(MapTransform):
        def __call__(self, data):
            return {**data, "image": data["image"] * data["mask"]}

    item = {"image": torch.rand(1, 8, 8), "mask": (torch.rand(1, 8, 8) > 0.5).float()}
    residual = artifact_residual(Masked("image"), item)
    torch.testing.assert_close(residual, item["image"] * (item["mask"] - 1))


@pytest.mark.parametrize("cutoff", [0.1, 0.25, 1 / 3])
@pytest.mark.parametrize("shape", [(1, 40, 40), (1, 31, 45), (1, 20, 16, 18)])
def test_a_low_pass_filter_changes_nothing_below_its_cutoff(shape, cutoff):
    frequencies, density = artifact_psd(FourierLowPass(cutoff), images_of(shape).double())
    ring = 0.5 / max(shape)  # half a ring's width
    assert density[frequencies < cutoff - ring].max() < 1e-9 * density.max()
    assert density[frequencies > cutoff + ring].min() > 0.1 * density.max()


def test_an_added_tone_is_the_density_of_the_tone():
    tone = torch.cos(2 * math.pi * 5 * torch.arange(32) / 32).expand(1, 32, 32)
    frequencies, density = artifact_psd(lambda image: image + tone, images_of((1, 32, 32)))
    assert frequencies[density.argmax()] == 5 / 32
    torch.testing.assert_close(density, radial_psd(tone[0], spatial_dims=2)[1], rtol=1e-3, atol=1e-4)


def test_what_changes_nothing_has_no_density():
    for transform in (lambda image: image, RandGibbsNoise(prob=0), Compose([])):
        density = artifact_psd(transform, images_of((1, 12, 12)))[1]
        assert (density == 0).all()


@pytest.mark.parametrize("transform", [ARRAYS[name] for name in ("RandGibbsNoise", "Compose", "RandomMotion")])
def test_it_can_be_repeated_and_leaves_the_global_states_alone(transform):
    images = images_of((1, 20, 20))
    states = global_states()
    first = artifact_psd(transform, images)
    assert global_states() == states
    torch.rand(3), np.random.rand(), random.random()
    torch.testing.assert_close(artifact_psd(transform, images), first, rtol=0, atol=0)
    assert not torch.equal(artifact_psd(transform, images, seed=40)[1], first[1])


def test_the_draws_of_an_image_are_of_its_place_alone():
    images = images_of((1, 16, 16), n=4)
    noise = RandGaussianNoise(prob=1)
    densities = [artifact_psd(noise, images[i : i + 1], seed=i)[1] for i in range(4)]
    torch.testing.assert_close(artifact_psd(noise, images)[1], torch.stack(densities).mean(0))
    assert not torch.equal(artifact_residual(noise, images[0], seed=0), artifact_residual(noise, images[0], seed=1))


def test_the_images_are_left_alone():
    def inverted(image):
        return image.neg_()

    images = images_of((1, 8, 8))
    before = images.clone()
    torch.testing.assert_close(artifact_residual(inverted, images[0]), -2 * images[0])
    artifact_psd(inverted, images)
    artifact_psd(inverted, [{"image": image} for image in images])
    assert torch.equal(images, before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64, torch.bool, torch.float16, torch.bfloat16])
def test_other_types_are_computed_in_float32(dtype):
    image = (100 * torch.rand(1, 16, 16)).to(dtype)
    residual = artifact_residual(FourierLowPass(0.2), image)
    assert residual.dtype == torch.float32
    torch.testing.assert_close(residual, artifact_residual(FourierLowPass(0.2), image.float()))
    found = artifact_psd(FourierLowPass(0.2), [image])
    torch.testing.assert_close(found, artifact_psd(FourierLowPass(0.2), [image.float()]))
    if dtype != torch.bfloat16:
        torch.testing.assert_close(artifact_psd(FourierLowPass(0.2), [image.numpy()]), found)


def test_float64_is_kept():
    images = images_of((1, 12, 12)).double()
    assert artifact_residual(FourierLowPass(0.2), images[0]).dtype == torch.float64
    assert [part.dtype for part in artifact_psd(FourierLowPass(0.2), images)] == [torch.float64] * 2


@pytest.mark.parametrize("name", ["SpectrumWhiten", "FourierLowPass", "RandGaussianNoise", "RandomGhosting"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (1, 9, 1), (2, 5, 40), (1, 1, 1, 1), (1, 30), (1, 4, 9, 2)])
def test_images_of_one_pixel_or_unequal_sides(name, shape):
    frequencies, density = artifact_psd(ARRAYS[name], images_of(shape))
    assert frequencies.shape == density.shape
    assert frequencies[0] == 0
    assert torch.isfinite(density).all()
    torch.testing.assert_close(frequencies, radial_psd(torch.rand(shape), spatial_dims=len(shape) - 1)[0])


def test_constant_images_are_not_changed_by_what_only_filters():
    images = torch.full((2, 1, 16, 16), 0.3)
    for transform in (SpectrumWhiten(), FourierLowPass(0.2)):
        density = artifact_psd(transform, images)[1]
        assert density.max() < 1e-4
        assert set(band_shares(*artifact_psd(transform, images))) == {"low", "mid", "high"}


def forgetful(image):
    image.neg_()


def spoiled(image):
    image[0, 0, 0] = math.inf
    return image


class Forgetful(MapTransform):
    def __call__(self, data):
        return None


def with_nan(value=math.nan):
    images = images_of((1, 8, 8))
    images[1, 0, 2, 3] = value
    return images


IMAGES = images_of((1, 8, 8))


@pytest.mark.parametrize(
    ("transform", "images", "message"),
    [
        (SpectrumWhiten(), [], "'images' must hold at least one image, got none"),
        (SpectrumWhiten(), iter(()), "'images' must hold at least one image"),
        (SpectrumWhiten(), [torch.rand(1, 8, 8), torch.rand(1, 8, 9)], r"must have one size, got \[\(8, 8\), \(8, 9\)"),
        # the same frequencies, and yet another size
        (SpectrumWhiten(), [torch.rand(1, 8, 8), torch.rand(1, 8, 4)], r"must have one size, got \[\(8, 4\), \(8, 8\)"),
        (SpectrumWhiten(), [torch.rand(1, 8, 8), torch.rand(1, 8, 8, 8)], "must have one size"),
        (SpectrumWhiten(), with_nan(), "the image has 1 NaN and 0 infinite of 64 values"),
        (lambda image: image, with_nan(-math.inf), r"0 NaN and 1 infinite of 64 values.* \(key 'image'\)"),
        (SpectrumWhiten(), torch.rand(3), r"must have the shape \(C, \*spatial\) .*, got \(\)"),
        (SpectrumWhiten(), torch.rand(3, 8), r"must have the shape \(C, \*spatial\) .*, got \(8,\)"),
        (SpectrumWhiten(), torch.rand(1, 1, 2, 2, 2, 2), r"must have the shape \(C, \*spatial\)"),
        (SpectrumWhiten(), torch.rand(1, 1, 8, 0), r"not empty, got torch.float32, shape \(1, 8, 0\)"),
        (SpectrumWhiten(), torch.rand(1, 1, 4, 4) + 0j, "must be real and not empty, got torch.complex64"),
        (SpectrumWhiten(), ["knee.nii"], "must be a tensor or an array, got str: load it first"),
        (SpectrumWhiten(), [{"image": None}], "must be a tensor or an array, got NoneType"),
        (FourierLowPassd("t1", 0.2), IMAGES, r"'key' must be one of the artifact's, \['t1'\], got 'image'"),
        (shortened, IMAGES, r"must keep the shape, but shortened made \(1, 8, 7\) of \(1, 8, 8\)"),
        (torchio.Crop(1), torch.rand(1, 1, 8, 8, 8), r"Crop made \(1, 6, 6, 6\) of \(1, 8, 8, 8\)"),
        (forgetful, IMAGES, "must return an image, but forgetful returned NoneType"),
        (Forgetful("image"), IMAGES, "must return an image, but Forgetful returned NoneType"),
        (spoiled, IMAGES, "must return finite values, but after spoiled the image has 0 NaN and 1 infinite"),
        (choosy, IMAGES, r"not today \(key 'image'\)"),
        (RandGibbsNoise(prob=1, alpha=0.5), MetaTensor(with_nan(), meta={"filename_or_obj": "a.nii"}), "the image has"),
    ],
)
def test_what_has_no_residual_is_refused(transform, images, message):
    states = global_states()
    with pytest.raises(ValueError, match=message):
        artifact_psd(transform, images)
    assert global_states() == states


def test_errors_name_the_file():
    image = MetaTensor(with_nan()[1], meta={"filename_or_obj": "knee/0003.png"})
    with pytest.raises(ValueError, match=r"\(key 't1', file 'knee/0003.png'\)"):
        artifact_psd(SpectrumWhiten(), [{"t1": image}], key="t1")


def test_a_missing_key_is_refused():
    with pytest.raises(KeyError, match=r"the item has no 'image', only \['label', 't1'\]: .*key="):
        artifact_psd(SpectrumWhiten(), [{"t1": torch.rand(1, 8, 8), "label": 1}])


@pytest.mark.parametrize("transform", [None, "SpectrumWhiten", 3, SpectrumWhiten])
def test_what_cannot_be_called_is_refused(transform):
    with pytest.raises(TypeError, match="'artifact' must be a transform or another callable"):
        artifact_psd(transform, IMAGES)


@pytest.mark.parametrize("power", [0, -1, math.nan])
def test_a_bad_power_is_refused(power):
    with pytest.raises(ValueError, match="'power' must be positive"):
        artifact_psd(SpectrumWhiten(), IMAGES, power=power)


@pytest.mark.cuda
def test_on_a_gpu():
    images = images_of((1, 24, 20))
    states = torch.cuda.get_rng_state()
    for transform in (SpectrumWhiten(), RandGibbsNoise(prob=1), torchio.RandomGhosting()):
        frequencies, density = artifact_psd(transform, images.cuda())
        assert frequencies.is_cuda
        assert density.is_cuda
        torch.testing.assert_close(density.cpu(), artifact_psd(transform, images)[1], rtol=1e-2, atol=1e-2)
    assert torch.equal(torch.cuda.get_rng_state(), states)
