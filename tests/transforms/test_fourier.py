"""Fourier transforms in the pipelines that people have."""

import inspect
import pickle

import numpy as np
import pytest
import torch
import torchio
from meta_images import meta_image
from monai.data import CacheDataset, DataLoader, MetaTensor, PersistentDataset, set_track_meta
from monai.transforms import Compose, Rotate90d, ScaleIntensityd

from monai_freq.spectral.bands import low_pass, split
from monai_freq.transforms import FourierDisentangle, FourierDisentangled, FourierLowPass, FourierLowPassd, Keyed

ARRAYS = [
    pytest.param(FourierDisentangle(theta=0.2), id="FourierDisentangle"),
    pytest.param(FourierLowPass(cutoff=0.2), id="FourierLowPass"),
]
DICTIONARIES = [
    pytest.param(FourierDisentangled("image", theta=0.2), id="FourierDisentangled"),
    pytest.param(FourierLowPassd("image", cutoff=0.2), id="FourierLowPassd"),
]


@pytest.mark.parametrize("convention", ["figure2", "equation1", "released"])
@pytest.mark.parametrize("shape", [(1, 24, 20), (3, 15, 21), (2, 12, 18, 7)])
def test_disentangle_stacks_low_then_high(shape, convention):
    image = torch.rand(*shape)
    parts = FourierDisentangle(theta=0.3, convention=convention)(image)
    expected = split(image, 0.3, spatial_dims=len(shape) - 1, convention=convention)
    assert torch.equal(parts, torch.cat(expected))
    torch.testing.assert_close(parts[: shape[0]] + parts[shape[0] :], image, atol=1e-6, rtol=0)


def test_axes_choose_what_is_cut():
    image = torch.rand(1, 12, 18, 20)
    for axes in ((0, 1), (0, 1, 2), (2,)):
        parts = FourierDisentangle(theta=0.3, axes=axes)(image)
        assert torch.equal(parts[:1], split(image, 0.3, spatial_dims=3, axes=axes)[0])
    with pytest.raises(ValueError, match=r"'axes' must be different spatial axes in \[0, 1\], got \(0, 2\)"):
        FourierDisentangle(axes=(0, 2))(image[..., 0])


def test_low_pass_filters_every_spatial_axis():
    image = torch.rand(2, 12, 18, 7)
    assert torch.equal(FourierLowPass(cutoff=0.2)(image), low_pass(image, 0.2, spatial_dims=3))


@pytest.mark.parametrize("transform", ARRAYS)
def test_metadata_are_kept_and_the_input_is_left_alone(transform):
    image = meta_image(1, 16, 16, 8)
    before = image.clone()
    result = transform(image)
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine, image.affine)
    assert result.meta["filename_or_obj"] == "la_003.nii.gz"
    assert torch.equal(image, before)


@pytest.mark.parametrize("transform", ARRAYS)
def test_types(transform):
    image = torch.rand(1, 16, 16) * 100
    assert np.array_equal(transform(image.numpy()), transform(image))
    for given, returned in {
        torch.uint8: torch.float32,
        torch.int16: torch.float32,
        torch.float16: torch.float16,
        torch.bfloat16: torch.bfloat16,
        torch.float32: torch.float32,
        torch.float64: torch.float64,
    }.items():
        typed = image.to(given)
        result = transform(typed)
        assert result.dtype == returned
        torch.testing.assert_close(result.double(), transform(typed.double()).double(), rtol=2e-2, atol=0.5)


def test_untracked_metadata():
    set_track_meta(False)
    try:
        assert type(FourierLowPass(0.2)(torch.rand(1, 8, 8))) is torch.Tensor
    finally:
        set_track_meta(True)


@pytest.mark.parametrize("transform", DICTIONARIES)
def test_in_compose_and_data_sets(transform, tmp_path):
    items = [{"image": meta_image(1, 16, 16, 8), "id": i} for i in range(4)]
    chain = Compose([ScaleIntensityd("image"), transform, Rotate90d("image")])
    direct = [chain(item)["image"] for item in items]
    cached = CacheDataset(items, chain, num_workers=1, progress=False)
    persistent = PersistentDataset(items, chain, cache_dir=tmp_path)
    for dataset in (cached, persistent, persistent):
        for index, expected in enumerate(direct):
            assert np.array_equal(dataset[index]["image"], expected)
            assert dataset[index]["id"] == index


@pytest.mark.parametrize("transform", DICTIONARIES)
def test_in_a_loader_with_workers(transform):
    items = [{"image": torch.rand(1, 16, 16)} for _ in range(6)]
    dataset = CacheDataset(items, Compose([transform]), cache_num=0, progress=False)
    alone, together = (list(DataLoader(dataset, batch_size=2, num_workers=workers)) for workers in (0, 2))
    assert len(alone) == 3
    for one, two in zip(alone, together, strict=True):
        assert torch.equal(one["image"], two["image"])


def test_inside_a_torchio_pipeline():
    image = torch.rand(1, 16, 14, 12)
    subject = torchio.Subject(image=torchio.ScalarImage(tensor=image), name="la_003")
    chain = torchio.Compose(
        [torchio.RescaleIntensity((0, 1)), torchio.MonaiAdapter(FourierDisentangled("image", theta=0.3))]
    )
    scaled = torchio.RescaleIntensity((0, 1))(subject)["image"].data
    result = chain(subject)["image"].data
    torch.testing.assert_close(result, FourierDisentangle(theta=0.3)(scaled))


@pytest.mark.parametrize("transform", ARRAYS + DICTIONARIES)
def test_pickled_it_does_the_same(transform):
    again = pickle.loads(pickle.dumps(transform))
    image = torch.rand(1, 12, 12)
    data = {"image": image} if isinstance(transform, Keyed) else image
    unwrap = (lambda result: result["image"]) if isinstance(transform, Keyed) else (lambda result: result)
    assert torch.equal(unwrap(again(data)), unwrap(transform(data)))


@pytest.mark.parametrize(
    ("dictionary", "array"), [(FourierDisentangled, FourierDisentangle), (FourierLowPassd, FourierLowPass)]
)
def test_dictionary_forms_have_the_signature_of_the_array_form(dictionary, array):
    names = list(inspect.signature(dictionary).parameters)
    assert names == ["keys", *inspect.signature(array).parameters, "allow_missing_keys"]
    assert dictionary.backend == array.backend
    assert dictionary.__doc__


def test_arguments_by_position_and_by_name_and_missing_keys():
    image = {"image": torch.rand(1, 12, 12)}
    by_position = FourierDisentangled(["image", "other"], 0.3, (0, 1), "released", True)
    by_name = FourierDisentangled(
        keys=["image", "other"], theta=0.3, axes=(0, 1), convention="released", allow_missing_keys=True
    )
    assert torch.equal(by_position(image)["image"], by_name(image)["image"])
    with pytest.raises(KeyError, match="other"):
        FourierDisentangled(["image", "other"])(image)
    with pytest.raises(TypeError, match="thetta"):
        FourierDisentangled("image", thetta=0.3)


@pytest.mark.parametrize("transform", ARRAYS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_image_that_is_not_finite_is_refused(transform, value):
    image = torch.rand(1, 16, 16)
    image[0, 3, 4] = value
    with pytest.raises(ValueError, match=r"the image has \d NaN and \d infinite of 256 values"):
        transform(image)


def test_the_refusal_names_the_key_and_the_file():
    image = meta_image(1, 8, 8, 8)
    image[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"1 NaN .* \(key 'image', file 'la_003.nii.gz'\)"):
        FourierLowPassd("image", cutoff=0.2)({"image": image})


def test_huge_but_finite_images_are_accepted():
    image = torch.full((1, 8, 8), 3e37)
    assert torch.isfinite(FourierDisentangle(theta=0.3)(image)).all()


@pytest.mark.parametrize("transform", ARRAYS)
@pytest.mark.parametrize("shape", [(8,), (1, 2, 3, 4, 5)])
def test_other_numbers_of_dimensions_are_refused(transform, shape):
    with pytest.raises(ValueError, match=r"must have the shape \(C, \*spatial\)"):
        transform(torch.rand(*shape))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FourierDisentangle(theta=1.5), r"'theta' must be in \(0, 1\), got 1.5"),
        (lambda: FourierDisentangle(convention="fig2"), "'convention' must be one of"),
        (lambda: FourierDisentangle(axes=(0, 3)), r"'axes' must be different spatial axes in \[0, 2\]"),
        (lambda: FourierLowPass(cutoff=0.6), r"'cutoff' is in cycles per voxel and must be in \(0, 0.5\], got 0.6"),
        (lambda: FourierLowPassd("image", cutoff=0), "'cutoff'"),
    ],
)
def test_settings_are_checked_when_the_transform_is_made(build, message):
    with pytest.raises(ValueError, match=message):
        build()
