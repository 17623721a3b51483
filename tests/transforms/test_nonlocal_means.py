"""Non-local means in the pipelines that people have."""

import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, MetaTensor, set_track_meta
from monai.transforms import Compose, NormalizeIntensity, Randomizable, ScaleIntensityd

from monai_freq.spectral.noise_sigma import estimate_noise_sigma
from monai_freq.spectral.nonlocal_means import nonlocal_means
from monai_freq.transforms import NonLocalMeans, NonLocalMeansd, RandNonLocalMeans, RandNonLocalMeansd


def meta_image(*shape):
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    image = 0.5 + 0.2 * torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    return MetaTensor(image, affine=affine, meta={"filename_or_obj": "la_003.nii.gz"})


def sigma_of(image):
    return float(estimate_noise_sigma(image, spatial_dims=image.ndim))


@pytest.mark.parametrize("model", ["gaussian", "rician"])
@pytest.mark.parametrize("shape", [(1, 24, 20), (3, 15, 21), (2, 9, 10, 7), (1, 1, 9), (2, 1, 1)])
def test_channels_are_filtered_by_themselves(shape, model):
    gains = torch.tensor([1.0, 2.0, 3.0])[: shape[0]].view(-1, *[1] * (len(shape) - 1))
    image = gains * torch.rand(*shape, generator=torch.Generator().manual_seed(1))
    result = NonLocalMeans(noise_model=model)(image)
    assert result.shape == shape
    for channel, found in zip(image, result, strict=True):
        sigma = sigma_of(channel)
        alone = nonlocal_means(channel, 1.2 * sigma, spatial_dims=channel.ndim, noise_model=model, sigma=sigma)
        torch.testing.assert_close(found, alone)


def test_channels_may_share_their_sigma():
    image = torch.rand(2, 24, 20) * torch.tensor([1.0, 3.0]).view(2, 1, 1)
    sigma = (sigma_of(image[0]) + sigma_of(image[1])) / 2
    shared = NonLocalMeans(channel_wise=False)(image)
    torch.testing.assert_close(shared, NonLocalMeans(sigma=sigma)(image))
    assert not torch.allclose(shared, NonLocalMeans()(image), atol=1e-3)


def test_strength_is_given_or_that_of_the_noise():
    image = torch.rand(1, 24, 20)
    expected = nonlocal_means(image, 0.3, spatial_dims=2, sigma=0.1)
    assert torch.equal(NonLocalMeans(h=0.3, sigma=0.1)(image), expected)
    expected = nonlocal_means(image, 0.3, spatial_dims=2, sigma=0.15)
    assert torch.equal(NonLocalMeans(h_factor=2.0, sigma=0.15)(image), expected)
    plain = nonlocal_means(image, 0.3, spatial_dims=2, noise_model="gaussian")
    assert torch.equal(NonLocalMeans(h=0.3, noise_model="gaussian")(image), plain)


def test_radii_go_through():
    image = torch.rand(1, 12, 11, 5)
    radii = {"patch_radius": (2, 1, 0), "search_radius": (3, 2, 1)}
    expected = nonlocal_means(image, 0.12, spatial_dims=3, sigma=0.1, **radii)
    torch.testing.assert_close(NonLocalMeans(sigma=0.1, **radii)(image), expected)


@pytest.mark.parametrize("model", ["gaussian", "rician"])
def test_an_image_without_noise_returns_unchanged(model):
    image = torch.rand(2, 20, 21)
    assert torch.equal(NonLocalMeans(sigma=0.0, noise_model=model)(image), image)
    constant = torch.full((1, 20, 21), 0.3)
    assert torch.equal(NonLocalMeans(noise_model=model)(constant), constant)


def test_noise_falls():
    signal = torch.nn.functional.pad(torch.ones(1, 48, 48), (40, 40, 40, 40))
    real, imaginary = 0.05 * torch.randn(2, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    noisy = torch.hypot(signal + real, imaginary)
    error = NonLocalMeans()(noisy) - signal
    assert error[signal > 0].std() < 0.4 * (noisy - signal)[signal > 0].std()
    assert error[signal == 0].mean() < 0.4 * noisy[signal == 0].mean()


def magnitude(seed=0):
    """A disk of 300 with a noise of 15 in both channels."""
    axis, generator = torch.arange(128) - 64, torch.Generator().manual_seed(seed)
    signal = 300.0 * (axis[:, None].square() + axis.square() < 50**2)
    real, imaginary = 15 * torch.randn(2, 128, 128, generator=generator)
    return torch.hypot(signal + real, imaginary)[None]


@pytest.mark.parametrize(
    ("place", "value"),
    [((3, 5), 65535.0), ((slice(4, 12), slice(4, 44)), 4095.0), ((slice(0, 30),), 0.0), ((90, 64), -1e-9)],
    ids=["hot pixel", "burnt-in box", "padding", "dead pixel"],
)
def test_defects_do_not_change_what_becomes_of_the_rest(place, value):
    image = magnitude()
    defect = image.clone()
    defect[(0, *place)] = max(value, 0.0)
    part = (0, slice(55, 70), slice(35, 50))
    expected, found = NonLocalMeans()(image)[part], NonLocalMeans()(defect)[part]
    assert found.std() < 0.3 * image[part].std()
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0)


def test_noise_of_a_few_values_is_not_that_of_the_image():
    """An inset of noise looks like tissue, and would have the rest wiped."""
    image = magnitude()
    image[0, 4:16, 4:16] = 10000 + 2000 * torch.randn(12, 12, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match="of whose values 98% are within .* of their median: that cannot be.*'sigma'"):
        assert torch.equal(NonLocalMeans()(image), image)
    assert not torch.equal(NonLocalMeans(sigma=15)(image), image)


def test_images_normalized_within_a_mask_are_denoised():
    """Whatever the seed: their zeros are among the values of the object."""
    for seed in range(6):
        image = magnitude(seed) * (magnitude() > 150)
        image = torch.as_tensor(NormalizeIntensity(nonzero=True)(image.clone()))
        inside = image != 0
        denoised = NonLocalMeans(noise_model="gaussian")(image)
        assert denoised[inside].std() < 0.5 * image[inside].std()


BLOCKS = torch.arange(4.0).view(2, 2).repeat_interleave(9, 0).repeat_interleave(9, 1)[None]
CHECKERS = ((torch.arange(16)[:, None] + torch.arange(16)) % 2)[None].float()


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (BLOCKS, "no noise is found in channel 0 of an image, whose values have an SD of 1.12"),
        (torch.cat([torch.zeros_like(BLOCKS), BLOCKS]).to(torch.uint8), "no noise is found in channel 1"),
        (
            CHECKERS,
            "noise with an SD of 1.48 is found in channel 0 of an image, whose values have an SD of 0.5: that cannot",
        ),
    ],
    ids=["blocks", "channel", "checkers"],
)
@pytest.mark.parametrize(
    "make", [NonLocalMeansd, lambda *a, **k: RandNonLocalMeansd(*a, prob=1.0, **k)], ids=["", "Rand"]
)
@pytest.mark.parametrize("settings", [{}, {"channel_wise": False}, {"noise_model": "gaussian"}], ids="-".join)
def test_an_estimate_that_cannot_be_true_is_not_used_and_the_image_is_named_once(image, says, make, settings):
    item = {"image": MetaTensor(image, meta={"filename_or_obj": "la_003.nii.gz"})}
    denoise = make("image", **settings)
    with pytest.warns(UserWarning, match=says + r".*Give 'sigma'.* \(key 'image', file 'la_003.nii.gz'\)") as heard:
        result = denoise(item)["image"]
    assert len(heard) == 1
    assert torch.equal(result, image.float())
    assert torch.equal(denoise(item)["image"], result)  # without a word
    assert make("image", sigma=0.5, **settings)(item)["image"].isfinite().all()


def test_metadata_are_kept_and_the_input_is_left_alone():
    image = meta_image(1, 12, 12, 8)
    before = image.clone()
    for transform in (NonLocalMeans(), RandNonLocalMeans(prob=1.0), RandNonLocalMeans(prob=0.0)):
        result = transform(image)
        assert isinstance(result, MetaTensor)
        assert torch.equal(result.affine, image.affine)
        assert result.meta["filename_or_obj"] == "la_003.nii.gz"
        assert torch.equal(image, before)


def test_untracked_metadata():
    set_track_meta(False)
    try:
        assert type(NonLocalMeans()(torch.rand(1, 8, 8))) is torch.Tensor
    finally:
        set_track_meta(True)


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
    result = NonLocalMeans(sigma=10.0)(image)
    assert result.dtype == returned
    torch.testing.assert_close(result.double(), NonLocalMeans(sigma=10.0)(image.double()), rtol=1e-3, atol=1e-4)
    assert np.array_equal(NonLocalMeans(sigma=10.0)(image.numpy()), result)
    for prob in (0.0, 1.0):
        assert RandNonLocalMeans(prob=prob)(image).dtype == returned


def test_random_strength():
    image = meta_image(1, 20, 20)
    transform = RandNonLocalMeans(prob=1.0, h_factor=(0.5, 2.0), sigma=0.05).set_random_state(3)
    random = np.random.RandomState(3)
    for _ in range(3):
        random.rand()
        factor = random.uniform(0.5, 2.0)
        expected = NonLocalMeans(h_factor=factor, sigma=0.05)(image)
        assert torch.equal(transform(image), expected)
        assert torch.equal(transform(image, randomize=False), expected)
    fixed = RandNonLocalMeans(prob=1.0, h_factor=(1.2, 1.2))
    assert torch.equal(fixed(image), NonLocalMeans()(image))


def test_the_probability_is_kept():
    image = meta_image(1, 6, 6)
    transform = RandNonLocalMeans(prob=0.3, sigma=0.1).set_random_state(0)
    changed = sum(not torch.equal(transform(image), image) for _ in range(400))
    assert 90 <= changed <= 150


def test_random_ones_are_not_cached_and_others_are():
    assert isinstance(RandNonLocalMeansd("image"), Randomizable)
    items = [{"image": meta_image(1, 10, 10)}]
    random = CacheDataset(items, RandNonLocalMeansd("image", prob=1.0), progress=False)
    assert not torch.equal(random[0]["image"], random[0]["image"])
    assert not isinstance(NonLocalMeansd("image"), Randomizable)


def test_as_a_dictionary_transform():
    items = [{"image": meta_image(1, 16, 15), "label": torch.ones(1, 16, 15), "id": i} for i in range(3)]
    chain = Compose([ScaleIntensityd("image"), NonLocalMeansd("image")])
    cached = CacheDataset(items, chain, num_workers=1, progress=False)
    for index, item in enumerate(items):
        assert np.array_equal(cached[index]["image"], NonLocalMeans()(ScaleIntensityd("image")(item)["image"]))
        assert torch.equal(cached[index]["label"], item["label"])
    assert NonLocalMeansd(["image", "other"], allow_missing_keys=True)(items[0])["id"] == 0
    with pytest.raises(KeyError, match="other"):
        NonLocalMeansd(["image", "other"])(items[0])


def test_keys_share_one_draw():
    image = meta_image(1, 12, 12)
    transform = RandNonLocalMeansd(["a", "b"], prob=1.0, sigma=0.1).set_random_state(0)
    first, second = (transform({"a": image, "b": image, "id": 7}) for _ in range(2))
    assert torch.equal(first["a"], first["b"])
    assert not torch.equal(first["a"], second["a"])
    again = RandNonLocalMeansd(["a", "b"], prob=1.0, sigma=0.1).set_random_state(0)({"a": image, "b": image})
    assert torch.equal(again["a"], first["a"])


def test_signatures():
    settings = ["patch_radius", "search_radius", "h", "h_factor", "sigma", "noise_model", "channel_wise"]
    assert list(inspect.signature(NonLocalMeans).parameters) == settings
    assert list(inspect.signature(NonLocalMeansd).parameters) == ["keys", *settings, "allow_missing_keys"]
    drawn = ["prob", "h_factor", "patch_radius", "search_radius", "sigma", "noise_model", "channel_wise"]
    assert list(inspect.signature(RandNonLocalMeansd).parameters) == ["keys", *drawn, "allow_missing_keys"]
    assert NonLocalMeansd.backend == RandNonLocalMeansd.backend == NonLocalMeans.backend


def test_pickled_they_do_the_same():
    image = meta_image(1, 12, 12)
    again = pickle.loads(pickle.dumps(NonLocalMeansd("image")))
    assert torch.equal(again({"image": image})["image"], NonLocalMeans()(image))
    random = RandNonLocalMeansd("image", prob=1.0).set_random_state(1)
    copy = pickle.loads(pickle.dumps(random))
    assert torch.equal(copy({"image": image})["image"], random({"image": image})["image"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("array", [NonLocalMeans(), RandNonLocalMeans(prob=1.0)], ids=["each", "random"])
def test_an_image_that_is_not_finite_is_refused(value, array):
    image = meta_image(1, 16, 16, 1)
    image[0, 3, 4] = value
    with pytest.raises(ValueError, match=r"the image has \d NaN and \d infinite of 256 values"):
        array(image)
    for keyed in (NonLocalMeansd("image"), RandNonLocalMeansd("image", prob=1.0)):
        with pytest.raises(ValueError, match=r"values: .* \(key 'image', file 'la_003.nii.gz'\)"):
            keyed({"image": image})


def test_a_shifted_image_is_no_magnitude():
    shifted = torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0)) - 0.5
    with pytest.raises(ValueError, match="'x' must be a magnitude for the noise model 'rician'"):
        NonLocalMeans()(shifted)
    assert NonLocalMeans(noise_model="gaussian")(shifted).shape == shifted.shape


@pytest.mark.parametrize("shape", [(8,), (1, 9), (1, 2, 3, 4, 5)])
def test_other_numbers_of_dimensions_are_refused(shape):
    with pytest.raises(ValueError, match=r"must have the shape \(C, \*spatial\)|'spatial_dims' must be 2 or 3, got 1"):
        NonLocalMeans()(torch.ones(shape))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_radius": -1}, "'patch_radius' .* for each of 2 or 3 axes, got -1"),
        ({"patch_radius": (1, 1, 1, 1)}, r"'patch_radius' .* got \(1, 1, 1, 1\)"),
        ({"search_radius": 2.5}, "'search_radius' .* got 2.5"),
        ({"sigma": -0.1}, "'sigma' is in units of the image, finite and at least 0, got -0.1"),
        ({"noise_model": "rice"}, "'noise_model' must be one of .* got 'rice'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("transform", [NonLocalMeans, RandNonLocalMeans])
def test_settings_that_are_refused(transform, settings, message):
    with pytest.raises(ValueError, match=message):
        transform(**settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NonLocalMeans(h=-1.0), "'h' is in units of the image, finite and at least 0, got -1.0"),
        (lambda: NonLocalMeans(h_factor=-1.0), "'h_factor' is in units of sigma, finite and at least 0, .* got -1.0"),
        (lambda: NonLocalMeans(h_factor=math.inf), "'h_factor' .* got inf"),
        (lambda: RandNonLocalMeans(h_factor=1.2), r"'h_factor' must be \(low, high\), got 1.2"),
        (lambda: RandNonLocalMeans(h_factor=(2.0, 1.0)), r"'h_factor' .* low before high, got \(2.0, 1.0\)"),
        (lambda: RandNonLocalMeans(h_factor=(-1.0, 1.0)), r"'h_factor' .* got \(-1.0, 1.0\)"),
        (lambda: RandNonLocalMeans(prob=1.5), r"'prob' must be in \[0, 1\], got 1.5"),
    ],
)
def test_strengths_that_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_radii_of_another_number_of_axes():
    with pytest.raises(ValueError, match=r"'search_radius' .* for each of 2 axes, got \(3, 3, 1\). \(key 'image'"):
        NonLocalMeansd("image", search_radius=(3, 3, 1))({"image": torch.rand(1, 9, 9)})


@pytest.mark.cuda
@pytest.mark.parametrize("shape", [(2, 24, 20), (1, 12, 11, 9)])
def test_on_a_gpu(shape):
    image = meta_image(*shape)
    result = NonLocalMeans()(image.cuda())
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), NonLocalMeans()(image), rtol=0, atol=1e-5)
