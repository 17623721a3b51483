"""What holds for every transform, whatever its settings and whatever the image's size, type and voxel size."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import GibbsNoise, MapTransform, RandGaussianNoise, Randomizable, Transform
from reliability.drawn import FAMILIES, FLOATING, bare, images, kept, probabilities, thetas

from monai_freq import transforms
from monai_freq.transforms import (
    AlignedResized,
    ApplyShortcutd,
    FourierDisentangle,
    FourierLowPass,
    Keyed,
    NonLocalMeans,
    PhotonNoise,
    RandKeyed,
    SpectrumWhiten,
    StaticShortcutd,
    artifact_psd,
)

pytestmark = [  # all are documented warnings about what was drawn
    pytest.mark.filterwarnings("ignore:a detector bin expects:UserWarning"),
    pytest.mark.filterwarnings("ignore:slices are tilted:UserWarning"),
    pytest.mark.filterwarnings("ignore:.* is found in channel:UserWarning"),
    pytest.mark.filterwarnings("ignore:.* has left a marked image as it was:UserWarning"),
]

TOLERANCE = {torch.float16: 2e-3, torch.bfloat16: 2e-2}
on_every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def test_no_transform_is_left_out():
    """Those beside the families have tests of their own below."""
    covered = {name for family in FAMILIES for name in (family.name, f"{family.name}d")}
    assert set(transforms.__all__) - covered == {
        "AlignedResize",
        "AlignedResized",
        "ApplyShortcutd",
        "Keyed",
        "LoadSlice",  # in tests/data/test_images.py and others: what it takes is an address
        "LoadSliced",
        "LoadVolume",  # in tests/data/test_dicom_series.py: an address, too
        "LoadVolumed",
        "RandKeyed",
        "StaticShortcutd",
        "artifact_psd",
    }


def drawn(data, family):
    """An image that the family takes, and a maker of one transform of drawn settings."""
    image = data.draw(images(family.dims, spread=family.spread, negative=family.negative))
    settings = data.draw(family.settings(image.ndim - 1))
    if "search_radius" in settings:
        assume(max(np.atleast_1d(settings["search_radius"])) < min(image.shape[1:]))
    seed = data.draw(st.integers(0, 2**31))

    def make(form=family.array, **more):
        transform = form(**more, **settings)
        return transform.set_random_state(seed) if isinstance(transform, Randomizable) else transform

    return image, make


@on_every_family
@given(data=st.data())
def test_shape_type_and_metadata_are_kept_and_values_are_finite(family, data):
    image, make = drawn(data, family)
    before = kept(image)
    result = make()(image)
    assert tuple(result.shape) == (family.gain * image.shape[0], *image.shape[1:])
    given_type = torch.as_tensor(image).dtype
    assert result.dtype == (given_type if given_type in FLOATING else torch.float32)
    assert torch.isfinite(bare(result)).all()
    assert np.array_equal(bare(image).numpy(), bare(before).numpy())  # the image itself is not written into
    if isinstance(image, MetaTensor):
        assert torch.equal(result.affine, image.affine)
        assert result.meta["filename_or_obj"] == "vol01/la_003.nii.gz"
        assert result.meta["echo"] == 2


@on_every_family
@given(data=st.data())
def test_the_same_seed_gives_the_same_result(family, data):
    image, make = drawn(data, family)
    one, two = make(), make()
    torch.rand(3), np.random.random(3)  # what others draw does not matter
    for _ in range(2):
        assert torch.equal(bare(one(image)), bare(two(image)))


@on_every_family
@given(data=st.data())
def test_the_dictionary_form_does_the_same_and_its_keys_share_one_draw(family, data):
    image, make = drawn(data, family)
    item = {"t1": image, "t2": kept(image), "label": 3}
    result = make(family.dictionary, keys=["t1", "t2"])(item)
    assert item["t1"] is image
    assert result["label"] == 3
    assert torch.equal(bare(result["t1"]), bare(result["t2"]))
    again = make(family.dictionary, keys=["t1", "absent"], allow_missing_keys=True)({"t1": image})
    assert torch.equal(bare(again["t1"]), bare(result["t1"]))
    assert set(again) == {"t1"}
    if not issubclass(family.array, Randomizable):
        assert torch.equal(bare(result["t1"]), bare(make()(image)))


@on_every_family
@given(data=st.data(), bad=st.sampled_from([float("nan"), float("inf"), float("-inf")]))
def test_nan_and_infinity_are_refused_with_key_and_file(family, data, bad):
    image, make = drawn(data, family)
    assume(torch.as_tensor(image).is_floating_point())
    image.reshape(-1)[data.draw(st.integers(0, image.size if isinstance(image, np.ndarray) else image.numel())) - 1] = (
        bad
    )
    transform = make()
    if isinstance(transform, Randomizable) and getattr(transform, "prob", 1) < 1:
        transform.prob = 1.0
    with pytest.raises(ValueError, match=r"NaN and . infinite"):
        transform(image)
    keyed = make(family.dictionary, keys="t1")
    if hasattr(keyed.transform, "prob"):
        keyed.transform.prob = 1.0
    file = "vol01/la_003.nii.gz" if isinstance(image, MetaTensor) else ""
    with pytest.raises(ValueError, match=rf"key 't1'.*{file}"):
        keyed({"t1": image})


@on_every_family
@given(data=st.data())
def test_other_shapes_and_complex_values_are_refused(family, data):
    _, make = drawn(data, family)
    counts = [count for count in range(6) if count - 1 not in family.dims]
    shape = [2] * data.draw(st.sampled_from(counts))
    transform = make()
    if hasattr(transform, "prob"):
        transform.prob = 1.0
    with pytest.raises(ValueError, match=r"shape|spatial ax|'axes'|'spatial_dims'|dimensions"):
        transform(torch.ones(shape) + torch.rand(shape))
    with pytest.raises(ValueError, match="real"):
        transform(torch.ones([1] + [4] * max(family.dims), dtype=torch.complex64))
    with pytest.raises(ValueError, match="empty"):
        transform(torch.ones([1] + [0] * max(family.dims)))


def close(one, two, image, scale=1.0):
    tolerance = TOLERANCE.get(torch.as_tensor(image).dtype, 1e-4)
    size = max(1e-6, float(bare(image).abs().max())) * scale
    torch.testing.assert_close(bare(one), bare(two), rtol=0, atol=tolerance * size)


@given(data=st.data())
def test_disentangling_is_a_projection_into_parts_that_sum_to_the_image(data):
    image, make = drawn(data, FAMILIES[0])
    split = make()
    low, high = bare(split(image)).chunk(2)
    close(low + high, image, image, scale=4)
    if torch.as_tensor(image).dtype not in TOLERANCE:
        again = bare(split(low))
        close(again.chunk(2)[0], low, image)
        close(again.chunk(2)[1], torch.zeros_like(low), image)
        energy, parts = bare(image).square().sum(), low.square().sum() + high.square().sum()
        torch.testing.assert_close(parts, energy, rtol=1e-4, atol=1e-8)


@given(image=images(dtypes=[torch.float32, torch.float64]), cutoff=st.floats(0, 0.5, exclude_min=True))
def test_low_pass_is_a_projection_that_keeps_the_mean_and_adds_no_energy(image, cutoff):
    once = FourierLowPass(cutoff)(image)
    close(FourierLowPass(cutoff)(once), once, image)
    assert bare(once).square().sum() <= bare(image).square().sum() * (1 + 1e-4) + 1e-12
    for channel, filtered in zip(bare(image), bare(once), strict=True):
        close(filtered.mean(), channel.mean(), image)


@given(image=images(dtypes=[torch.float64], dims=(2, 3)))
def test_whitening_keeps_mean_and_sd_and_flattens_the_spectrum_once_and_for_all(image):
    whitened = bare(SpectrumWhiten()(image))
    close(SpectrumWhiten()(whitened), whitened, image)
    for channel, flat in zip(bare(image), whitened, strict=True):
        scale = channel.abs().max() + 1e-9
        torch.testing.assert_close(flat.mean() / scale, channel.mean() / scale, rtol=0, atol=1e-9)
        one, two = (values.std(correction=0) / scale for values in (flat, channel))
        torch.testing.assert_close(one, two, rtol=0, atol=1e-9)
        magnitudes = torch.fft.fftn(flat).abs().flatten()[1:]
        present = magnitudes[magnitudes > 1e-6 * scale * flat.numel() ** 0.5]
        if len(present):
            torch.testing.assert_close(present, present[:1].expand_as(present), rtol=1e-6, atol=0)


@given(image=images(dims=(2, 3), dtypes=[torch.float32, torch.float64]), data=st.data())
def test_denoised_values_are_averages_of_those_there(image, data):
    assume(min(image.shape[1:]) > 2)
    h = data.draw(st.floats(0, 200))
    for name, values in (("gaussian", image), ("rician", abs(image))):
        result = bare(NonLocalMeans(h=h, search_radius=2, noise_model=name, sigma=0.0)(values))
        slack = 1e-5 * float(bare(image).abs().max()) + 1e-12
        assert result.min() >= bare(values).min() - slack
        assert result.max() <= bare(values).max() + slack
        if h == 0:
            close(result, values, image)


@given(image=images(dims=(2, 3), dtypes=[torch.float64]), data=st.data())
def test_denoising_does_not_depend_on_direction_or_units(image, data):
    assume(min(image.shape[1:]) > 2)
    values, h = bare(image), data.draw(st.floats(0.5, 100))
    axis, factor = data.draw(st.integers(1, image.ndim - 1)), data.draw(st.floats(0.01, 100))
    denoise = NonLocalMeans(h=h, search_radius=1, noise_model="gaussian", sigma=0.0)
    result = denoise(values)
    close(denoise(values.flip(axis)).flip(axis), result, image)
    scaled = NonLocalMeans(h=h * factor, search_radius=1, noise_model="gaussian", sigma=0.0)(values * factor + 7)
    close((bare(scaled) - 7) / factor, result, image, scale=1 + 7 / factor)


@given(data=st.data())
def test_photon_noise_falls_with_the_dose_and_is_that_of_the_seed(data):
    seed, extent = data.draw(st.integers(0, 2**31)), data.draw(st.floats(50, 200))
    water = torch.zeros(1, 24, 24)
    few, many = (PhotonNoise(n, n_angles=60, extent_mm=extent).set_random_state(seed)(water) for n in (1e4, 1e6))
    assert 5 < float(few.std() / many.std()) < 20  # ten times, in the mean
    noise = PhotonNoise(1e4, n_angles=60, extent_mm=extent).set_random_state(seed)
    first, second = noise(water), noise(water)
    assert torch.equal(first, few)
    assert not torch.equal(first, second)
    assert torch.equal(noise(water, randomize=False), second)


@given(data=st.data())
def test_what_is_drawn_not_to_be_changed_is_not(data):
    for family in FAMILIES:
        if "prob" in inspect.signature(family.array).parameters:
            image, make = drawn(data, family)
            transform = make()
            transform.prob = 0.0
            assert torch.equal(bare(transform(image)), bare(image))


@given(image=images(), classes=st.integers(1, 4), data=st.data())
def test_resizing_adds_no_value_and_no_class_and_gives_both_their_grid_back(image, classes, data):
    dims = image.ndim - 1
    size = data.draw(st.lists(st.integers(1, 24), min_size=dims, max_size=dims))
    tracked = image if isinstance(image, MetaTensor) else MetaTensor(image)
    label = MetaTensor((bare(image)[:1].abs() % classes).round(), affine=tracked.affine)
    before, mode = kept(image), ("linear", "bilinear", "trilinear")[dims - 1]
    resize = AlignedResized(["image", "label"], size, mode=[mode, "nearest-exact"])
    result = resize({"image": image, "label": label})
    assert np.array_equal(bare(image).numpy(), bare(before).numpy())
    assert tuple(result["image"].shape) == (image.shape[0], *size)
    assert tuple(result["label"].shape) == (1, *size)
    assert result["image"].dtype == result["label"].dtype == torch.float32
    values = bare(image)
    slack = TOLERANCE.get(torch.as_tensor(image).dtype, 1e-5) * float(values.abs().max())
    assert values.min() - slack <= bare(result["image"]).min()
    assert bare(result["image"]).max() <= values.max() + slack
    assert set(bare(result["label"]).unique().tolist()) <= set(bare(label).unique().tolist())
    back = resize.inverse(resize({"image": tracked, "label": label}))
    for key, origin in (("image", tracked), ("label", label)):
        assert back[key].shape == origin.shape
        torch.testing.assert_close(back[key].affine, origin.affine)
    assert set(bare(back["label"]).unique().tolist()) <= set(bare(label).unique().tolist())
    same = AlignedResized(["image", "label"], [0] * dims, mode=[mode, "nearest-exact"])(
        {"image": image, "label": label}
    )
    assert torch.equal(bare(same["image"]).float(), values.float())
    assert torch.equal(bare(same["label"]), bare(label))


artifacts = st.sampled_from([FourierLowPass(0.2), GibbsNoise(0.5), RandGaussianNoise(prob=1, std=3.0), lambda x: x * 2])
shortcuts = images(dims=(2, 3), dtypes=FLOATING)


@given(image=shortcuts, artifact=artifacts, marked=st.booleans(), seed=st.integers(0, 2**31))
def test_a_shortcut_alters_marked_items_only_and_a_static_one_always_alike(image, artifact, marked, seed):
    before = kept(image)
    item = {"image": image, "shortcut": marked, "label": 1}
    static = ApplyShortcutd("image", artifact, static=True, seed=seed)
    first, second = static(item), static(item)
    assert torch.equal(bare(first["image"]), bare(second["image"]))
    assert torch.equal(bare(StaticShortcutd("image", artifact, seed=seed)(item)["image"]), bare(first["image"]))
    assert first["label"] == 1
    assert np.array_equal(bare(image).numpy(), bare(before).numpy())
    assert first["image"].dtype == image.dtype
    assert tuple(first["image"].shape) == tuple(image.shape)
    assert torch.isfinite(bare(first["image"])).all()
    if not marked:
        assert first["image"] is image
    if isinstance(image, MetaTensor) and marked:
        assert torch.equal(first["image"].affine, image.affine)
    drawing = [ApplyShortcutd("image", artifact).set_random_state(seed)(item)["image"] for _ in range(2)]
    assert torch.equal(bare(drawing[0]), bare(drawing[1]))


@given(image=shortcuts, mark=st.sampled_from([None, 2, "yes", 0.5]))
def test_a_mark_that_is_none_is_refused(image, mark):
    shortcut = ApplyShortcutd("image", FourierLowPass(0.2))
    with pytest.raises(ValueError, match="'shortcut' must be True or False"):
        shortcut({"image": image, "shortcut": mark})
    with pytest.raises(KeyError, match="no mark 'shortcut'"):
        shortcut({"image": image})


@given(image=images(dims=(1, 2, 3), dtypes=[torch.float32, torch.float64, torch.int16]), seed=st.integers(0, 2**31))
def test_the_spectrum_of_an_artifact_is_that_of_its_change(image, seed):
    frequencies, nothing = (
        artifact_psd(lambda x: x, [image], seed=seed)
        if torch.as_tensor(image).is_floating_point()
        else artifact_psd(lambda x: x, [np.asarray(bare(image))], seed=seed)
    )
    assert torch.equal(nothing, torch.zeros_like(nothing))
    assert float(frequencies.min()) >= 0
    assert float(frequencies.max()) <= 0.5
    values = bare(image)
    one, two = (artifact_psd(lambda x, f=f: x * (1 + f), [values], seed=seed)[1] for f in (1, 3))
    torch.testing.assert_close(two, 3 * one, rtol=1e-5, atol=1e-5 * float(values.abs().max()) + 1e-9)
    noise = [artifact_psd(RandGaussianNoise(prob=1), [values], seed=seed)[1] for _ in range(2)]
    assert torch.equal(*noise)


@given(image=images(), theta=thetas(), prob=probabilities())
def test_declared_dictionary_forms_do_what_their_array_does(image, theta, prob):
    class Split(Keyed):
        array = FourierDisentangle

    class Maybe(RandKeyed):
        array = transforms.RandPhotonNoise

    assert torch.equal(
        bare(Split("a", theta, axes=(0,))({"a": image})["a"]), bare(FourierDisentangle(theta, axes=(0,))(image))
    )
    assert isinstance(Split("a"), MapTransform)
    assert isinstance(Maybe("a", prob=prob), Transform)
    assert list(inspect.signature(Split).parameters) == ["keys", "theta", "axes", "convention", "allow_missing_keys"]
    with pytest.raises(TypeError, match="sigma"):
        Split("a", sigma=theta)
