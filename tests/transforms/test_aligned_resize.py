"""Images and labels on a network's grid, and back."""

import copy
import logging
import pickle
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, set_track_meta
from monai.transforms import Compose, Invertd, Resize

from monai_freq.transforms import AlignedResize, AlignedResized


@pytest.mark.parametrize("shape", [(320, 320, 110), (65, 33, 40), (64, 64, 32), (35, 51, 36)])
def test_a_constant_stays_constant_up_to_its_corners(shape):
    small = AlignedResize((64, 64, 32), "trilinear")(torch.full((1, *shape), 0.7))
    assert (small - 0.7).abs().max() < 1e-6


def test_the_widths_are_those_of_scikit_image():
    transform = pytest.importorskip("skimage.transform")
    image = np.random.default_rng(0).random((60, 48)).astype("f4")
    ours = AlignedResize((20, 16), "bilinear")(image[None])[0]
    theirs = transform.resize(image, (20, 16), order=1, anti_aliasing=True, mode="symmetric")
    inner = (slice(2, -2), slice(2, -2))  # its border is another
    np.testing.assert_allclose(np.asarray(ours)[inner], theirs[inner], atol=1e-5)


def test_an_axis_that_grows_is_interpolated_alone():
    image = torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0))
    expected = Resize((40, 20), mode="bilinear")(image)
    torch.testing.assert_close(AlignedResize((40, -1), "bilinear")(image), expected, atol=0, rtol=0)


@pytest.mark.parametrize("mode", ["trilinear", "nearest-exact"])
def test_affine_and_inverse_are_those_of_monai(mode):
    image = MetaTensor(torch.rand(1, 21, 30, 9).round(), affine=torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0])))
    ours, theirs = AlignedResize((16, 32, 8), mode), Resize((16, 32, 8), mode=mode)
    small, expected = ours(image), theirs(image)
    torch.testing.assert_close(small.affine, expected.affine)
    back, again = ours.inverse(small), theirs.inverse(expected)
    assert back.shape == again.shape == (1, 21, 30, 9)
    torch.testing.assert_close(back.affine, image.affine)
    assert not back.applied_operations


def test_a_prediction_is_inverted_with_what_its_image_remembers():
    step = Compose([AlignedResized(["image", "label"], (16, 16), mode=["bilinear", "nearest-exact"])])
    x = torch.arange(40.0) - 19.5
    disc = ((x[:, None] ** 2 + x**2) < 150).float()[None]
    item = step({"image": MetaTensor(disc), "label": MetaTensor(disc)})
    item["pred"] = MetaTensor(item["image"].as_tensor().clone())
    back = Invertd("pred", step, orig_keys="image", nearest_interp=False)(item)["pred"]
    assert back.shape == (1, 40, 40)
    assert ((back > 0.5) != disc.bool()).float().mean() < 0.02


@pytest.mark.parametrize("nearest_interp", [False, True])
@pytest.mark.parametrize("size", [(40, 56, 40), (70, 100, 72), (36, 51, 37)])
def test_a_label_on_a_larger_grid_comes_back_voxel_for_voxel(size, nearest_interp):
    generator = torch.Generator().manual_seed(0)
    label = MetaTensor(torch.randint(0, 3, (1, 35, 50, 36), generator=generator).float())  # no two voxels alike
    step = AlignedResized("label", size, mode="nearest-exact")
    small = step({"label": label})
    small["pred"] = MetaTensor(small["label"].as_tensor().clone())
    assert torch.equal(Invertd("pred", step, orig_keys="label", nearest_interp=nearest_interp)(small)["pred"], label)
    assert torch.equal(step.inverse(small)["label"], label)


def test_classes_inverted_to_the_nearest_do_not_move():
    """MONAI's ``nearest_interp`` moves them by half a voxel where the image gets larger again."""
    step = AlignedResized("image", (20, 20), mode="bilinear")
    image = MetaTensor(torch.zeros(2, 40, 40))
    item = step({"image": image})
    item["pred"] = MetaTensor(torch.zeros(2, 20, 20))
    item["pred"][0, 5, 7] = item["pred"][1, 0, 19] = 1  # a batch of classes, one-hot
    back = Invertd("pred", step, orig_keys="image", nearest_interp=True)(item)["pred"]
    assert back[0].nonzero().tolist() == [[10, 14], [10, 15], [11, 14], [11, 15]]
    assert back[1].nonzero().tolist() == [[0, 38], [0, 39], [1, 38], [1, 39]]


@pytest.mark.parametrize("mode", ["bilinear", "nearest-exact"])
@pytest.mark.parametrize("size", [(8, 9), (0, 0)])
def test_a_result_of_the_same_size_is_no_view_of_what_was_given(mode, size):
    image = MetaTensor(torch.rand(1, 8, 9).round())
    before = image.clone()
    AlignedResize(size, mode)(image).add_(1)
    assert torch.equal(image, before)


@pytest.mark.parametrize("mode", ["bilinear", "nearest-exact"])
def test_views_that_negate_as_they_are_read_and_halves(mode):
    image = torch.rand(1, 12, 12).round()
    expected = AlignedResize((8, 16), mode)(image)
    assert torch.equal(AlignedResize((8, 16), mode)(torch._neg_view(-image)), expected)
    for dtype in (torch.float16, torch.bfloat16):
        assert torch.equal(AlignedResize((8, 16), mode)(image.to(dtype)), expected)


def test_what_was_kept_and_what_is_lost_is_said_with_the_file(caplog):
    label = torch.zeros(1, 64, 64)
    label[0, 20, 32] = 1
    label[0, 40:42, 4] = 3
    label[0, 23, 35] = 2  # in the cell of the first
    image = MetaTensor(label, meta={"filename_or_obj": "labelsTr/la_003.nii.gz"})
    with caplog.at_level(logging.WARNING):
        AlignedResize((16, 16), "nearest-exact")(image)
    assert caplog.messages == [
        "Between the voxels of the 16x16 grid, and kept as its nearest: class 3 (2 voxels), class 2 (1 voxel), "
        "file 'labelsTr/la_003.nii.gz'.",
        "Lost on the 16x16 grid, where another structure has the place: class 1 (1 voxel), "
        "file 'labelsTr/la_003.nii.gz'. A larger grid keeps it.",
    ]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32, torch.float64])
def test_results_are_float32_as_those_of_monai_and_nothing_given_is_changed(dtype):
    image = torch.zeros(1, 24, 24, dtype=dtype)
    image[0, 5, 5] = 1
    before = image.clone()
    for mode in ("bilinear", "nearest-exact"):
        assert AlignedResize((8, 8), mode)(image).dtype == torch.float32
        assert AlignedResize((24, 24), mode)(image).dtype == torch.float32
    assert torch.equal(image, before)


def test_it_can_be_copied_and_pickled():
    step = AlignedResized(["image", "label"], (8, 8), mode=["bilinear", "nearest-exact"])
    item = {"image": torch.rand(1, 24, 24), "label": torch.rand(1, 24, 24).round()}
    expected = step(item)
    for other in (copy.deepcopy(step), pickle.loads(pickle.dumps(step))):
        for key, volume in other(item).items():
            torch.testing.assert_close(volume, expected[key], atol=0, rtol=0)


@pytest.mark.parametrize("size", [4, "44", (4, 4, 4, 4), (4.0, 4), None, ()])
def test_what_is_no_size(size):
    with pytest.raises(ValueError, match="'spatial_size' must be one to three whole numbers of voxels"):
        AlignedResize(size, "bilinear")


@pytest.mark.parametrize("mode", ["nearest", "area", "", None])
def test_what_is_no_mode(mode):
    with pytest.raises(ValueError, match="'mode' must be one of linear, bilinear, trilinear, nearest-exact, got"):
        AlignedResize((4, 4), mode)


def test_what_does_not_fit():
    step = AlignedResized(["image", "label"], (4, 4, 4), mode=["trilinear", "nearest-exact"], allow_missing_keys=True)
    with pytest.raises(ValueError, match=r"'spatial_size' has 3 axes, \(4, 4, 4\), and the image 2\. \(key 'image'"):
        step({"image": torch.ones(1, 8, 8)})
    with pytest.raises(ValueError, match=r"one channel, got 2 channels\. \(key 'label'"):
        step({"label": torch.ones(2, 8, 8, 8)})
    with pytest.raises(ValueError, match="NaN"):
        step({"image": torch.full((1, 8, 8, 8), torch.nan)})


@pytest.mark.parametrize("zooms", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.3)])
def test_a_spacing_gives_the_grid_that_comes_nearest_within_the_same_ends(zooms):
    image = MetaTensor(torch.rand(1, 20, 31, 12), affine=torch.diag(torch.tensor([*zooms, 1.0])))
    step = AlignedResize(None, "trilinear", spacing=(1.0, 1.5, 2.2))
    resized = step(image)
    for own, new, size, wanted in zip(zooms, resized.pixdim.tolist(), (20, 31, 12), (1.0, 1.5, 2.2), strict=True):
        voxels = round(own * size / new)
        assert new == pytest.approx(own * size / voxels)  # the same ends
        assert abs(voxels - own * size / wanted) <= 0.5
    expected = AlignedResize(resized.shape[1:], "trilinear")(image)
    assert torch.equal(resized, expected)
    assert torch.equal(resized.affine, expected.affine)
    restored = step.inverse(resized)
    assert restored.shape == image.shape
    torch.testing.assert_close(restored.affine, image.affine)


def test_one_transform_brings_images_of_several_sizes_to_a_spacing_and_back():
    step = AlignedResized(["image", "label"], None, ["trilinear", "nearest-exact"], spacing=(2.0, 2.0, 2.0))
    items = []
    for size in ((12, 16, 20), (30, 9, 14)):
        label = torch.zeros(1, *size)
        label[0, 3:7, 2:6, 4:9] = 1
        items.append({"image": MetaTensor(torch.rand(1, *size)), "label": MetaTensor(label)})
    resized = [step(item) for item in items]
    for item, small in zip(items, resized, strict=True):
        assert small["image"].shape == small["label"].shape
        back = step.inverse(small)
        assert back["label"].shape == item["label"].shape
        assert {*back["label"].unique().tolist()} == {0, 1}


@contextmanager
def without_metadata():
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(True)


def test_a_picture_has_a_spacing_of_two_axes():
    picture = MetaTensor(torch.rand(1, 20, 30), affine=torch.diag(torch.tensor([0.5, 2.0, 1.0, 1.0])))
    assert AlignedResize(None, "bilinear", spacing=(1.0, 1.0))(picture).shape == (1, 10, 60)


def test_what_is_no_spacing():
    for spacing in (1.0, (1.0, 0.0), (1, "2"), (), (1.0,) * 4):
        with pytest.raises(ValueError, match="'spacing' must be one to three positive numbers of mm"):
            AlignedResize(None, "bilinear", spacing=spacing)
    with pytest.raises(ValueError, match="'spatial_size' must be None where 'spacing' is given"):
        AlignedResize((4, 4), "bilinear", spacing=(1.0, 1.0))
    with pytest.raises(ValueError, match=r"'spacing' has 2 axes, \(1.0, 1.0\), and the image 3"):
        AlignedResize(None, "bilinear", spacing=(1.0, 1.0))(MetaTensor(torch.rand(1, 4, 4, 4)))
    with pytest.raises(ValueError, match="must say how large its voxels are"), without_metadata():
        AlignedResize(None, "bilinear", spacing=(1.0, 1.0))(torch.rand(1, 4, 4))
