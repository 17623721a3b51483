"""Pictures and slices are read by address, and what is no image is refused by name before training."""

import os
import pickle
import random
import zlib

import nibabel
import numpy as np
import pytest
from attacks import Runs
from PIL import Image
from refusals import refusal

from monai_freq.data import DataError, check_images, read_image, slice_address
from monai_freq.data.volumes import count_slices
from monai_freq.transforms import LoadSlice, LoadSliced

GREY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        Image.fromarray(GREY + np.uint8(number)).save(path)
    return [{"image": str(path), "label": 0} for path in paths]


def test_a_grey_picture_is_read_exactly(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), GREY)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", 3), np.stack([GREY] * 3, axis=2))


def test_a_colour_picture_is_read_exactly_or_as_luma(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", 3), COLOUR)
    luma = COLOUR @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.abs(read_image(tmp_path / "x.png") - luma).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_of_8_bits(tmp_path, mode):
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    Image.fromarray(COLOUR).convert(mode).save(tmp_path / f"x.{suffix}")
    assert read_image(tmp_path / f"x.{suffix}").shape == (20, 30)
    assert read_image(tmp_path / f"x.{suffix}", 3).shape == (20, 30, 3)


def test_a_jpeg_by_another_name(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "n01440764_18.JPEG", quality=95)
    assert np.abs(read_image(tmp_path / "n01440764_18.JPEG").astype(int) - smooth).max() <= 3


def test_a_slice_of_a_nifti_volume(tmp_path):
    volume = np.random.default_rng(2).integers(0, 900, (6, 5, 4)).astype(np.int16)  # (x, y, z)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "x.nii")
    np.testing.assert_array_equal(read_image(slice_address(tmp_path / "x.nii", 3)), volume[:, :, 3].T)
    assert read_image(slice_address(tmp_path / "x.nii", 3), 3).shape == (5, 6, 3)
    assert "has no slice 4: it holds 4" in refusal(read_image, slice_address(tmp_path / "x.nii", 4))


def test_names_with_a_hash(tmp_path):
    for name in ("a#b.png", "a#.png", "#1.png"):
        Image.fromarray(GREY).save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name), GREY)


@pytest.mark.parametrize("channels", [1, 3])
def test_loading_through_monai(pictures, channels):
    load = LoadSliced("image", channels)
    image = load(pictures[2])["image"]
    assert image.shape == (channels, 20, 30)
    np.testing.assert_array_equal(image[0].numpy(), (GREY + np.uint8(2)).astype(np.float32))
    assert image.meta["filename_or_obj"] == pictures[2]["image"]


def test_settings_are_refused_by_name(pictures):
    with pytest.raises(ValueError, match="'channels' must be 1 or 3, got 2"):
        LoadSlice(2)
    with pytest.raises(ValueError, match="'spacing' is in mm and must be positive, got 0"):
        LoadSliced("image", spacing=0)
    with pytest.raises(ValueError, match="'channels' must be 1 or 3, got 4"):
        read_image(pictures[0]["image"], 4)


def test_missing_keys(pictures):
    with pytest.raises(KeyError, match="scan"):
        LoadSliced(["image", "scan"])(pictures[0])
    found = LoadSliced(["image", "scan"], allow_missing_keys=True)(pictures[0])
    assert found["image"].shape == (1, 20, 30)
    assert pictures[0]["image"].endswith("0.png")  # the item given is left alone


@pytest.mark.parametrize("name", ["x.png", "x.pck#0", "x.hdf5#0", "x.nii#0", "x.npy"])
def test_a_pickle_under_any_name_runs_nothing(tmp_path, name):
    (tmp_path / name.split("#")[0]).write_bytes(pickle.dumps(Runs(os.system, f"touch {tmp_path}/pwned")))
    assert name.split("#")[0] in refusal(LoadSlice(), tmp_path / name)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [b"", b"examId,seriesNo\n", b"%!PS-Adobe-3.0\n"])
def test_an_image_that_is_no_image(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    message = refusal(read_image, tmp_path / "x.png")
    assert f"{tmp_path}/x.png cannot be read as an image" in message
    (tmp_path / "x.txt").write_bytes(content)
    assert "it is of no known kind" in refusal(read_image, tmp_path / "x.txt")


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
CONTENTS = [(b"", "empty"), ("<html>Bitte anmelden: Größe</html>".encode() * 40, "text"), (LFS, "a pointer of Git LFS")]
CONTENTS += [(bytes(800), "of no known kind"), (b"P5 2 2 255\n\xff\xff\xff\xff", "of no known kind")]


@pytest.mark.parametrize(("content", "what"), CONTENTS)
@pytest.mark.parametrize(("ending", "claimed"), [("png", "PNG"), ("JPG", "JPEG"), ("tif", "TIFF"), ("nii", "NIfTI")])
def test_what_lies_under_the_name_of_an_image_is_said(tmp_path, content, what, ending, claimed):
    (tmp_path / f"x.{ending}").write_bytes(content)
    message = refusal(read_image, tmp_path / f"x.{ending}")
    assert f"x.{ending} cannot be read as an image: it is no {claimed}, but {what}.\n" in message
    assert "complete" not in message


@pytest.mark.parametrize(("content", "what"), CONTENTS)
def test_what_lies_under_the_name_of_a_volume_or_dicom_is_said(tmp_path, content, what):
    for name in ("x.nii", "x.dcm"):
        (tmp_path / name).write_bytes(content)
    assert f"x.nii cannot be read: it is no NIfTI file, but {what}.\n" in refusal(read_image, f"{tmp_path}/x.nii#0")
    message = refusal(read_image, tmp_path / "x.dcm")
    if what != "of no known kind":
        assert message.endswith(f"x.dcm cannot be read as DICOM: it is {what}.\nCopy or export it again.")


@pytest.mark.parametrize("form", ["PPM", "ICO", "TGA", "PCX"])
def test_formats_without_a_name_here_are_of_no_known_kind(tmp_path, form):
    Image.fromarray(GREY).save(tmp_path / "x.png", format=form)
    assert "it is no PNG, but of no known kind.\n" in refusal(read_image, tmp_path / "x.png")


@pytest.mark.parametrize(
    ("form", "kind"), [("GIF", "GIF"), ("BMP", "BMP"), ("WEBP", "WebP"), ("JPEG2000", "JPEG 2000")]
)
def test_other_formats_are_refused_by_their_names(tmp_path, form, kind):
    Image.fromarray(GREY).save(tmp_path / "x.png", format=form)
    message = refusal(read_image, tmp_path / "x.png")
    assert f"it is {kind}.\n" in message
    assert "Copy it again" not in message


def test_the_content_tells_what_a_file_is(tmp_path):
    for form, name in (("PNG", "a.jpg"), ("PNG", "scan"), ("TIFF", "b.png"), ("TIFF", "C.TIF")):
        Image.fromarray(GREY).save(tmp_path / name, format=form)
        np.testing.assert_array_equal(read_image(tmp_path / name), GREY)


def test_a_picture_of_many_pixels_is_not_unpacked(tmp_path):
    Image.new("1", (8, 8)).save(tmp_path / "x.png")
    content = bytearray((tmp_path / "x.png").read_bytes())
    for side in (9000, 20000):
        content[16:24] = side.to_bytes(4, "big") * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
        (tmp_path / "x.png").write_bytes(content)
        assert f"it has {side} x {side} pixels" in refusal(read_image, tmp_path / "x.png")


@pytest.mark.parametrize("name", ["x.txt", "x.png", "x", "x.npy"])
def test_only_known_volumes_have_slices(tmp_path, name):
    assert f"{name} is missing or not a file" in refusal(read_image, tmp_path / f"{name}#3")
    np.save(tmp_path / name, GREY) if name == "x.npy" else Image.fromarray(GREY).save(tmp_path / name, format="PNG")
    assert "no volume that slices are read from" in refusal(read_image, tmp_path / f"{name}#3")


def test_a_volume_needs_the_number_of_a_slice(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 3, 6), dtype=np.float32), np.eye(4)), tmp_path / "b.nii")
    assert "b.nii is a NIfTI volume.\nName one of its slices, as in " in refusal(read_image, tmp_path / "b.nii")


def test_good_images_pass(pictures):
    check_images(pictures)
    check_images(pictures, size=(20, 30), num_workers=1)
    check_images([{"scan": item["image"]} for item in pictures], image_key="scan")
    check_images([])


def test_the_first_faulty_image_is_named_and_the_others_are_counted(pictures):
    for number in (2, 4, 5):
        with open(pictures[number]["image"], "r+b") as file:
            file.truncate(60)
    for workers in (1, 4):
        message = refusal(check_images, pictures, num_workers=workers)
        assert message.startswith(f"{pictures[2]['image']} cannot be read as an image")
        assert message.endswith("2 more of the 6 images are faulty too.")


def test_another_size_and_an_image_listed_twice(pictures):
    assert "has the size (20, 30), (30, 20) expected" in refusal(check_images, pictures, size=(30, 20))
    assert "is listed 2 times" in refusal(check_images, [*pictures, pictures[3]])
    other = os.path.relpath(pictures[3]["image"])
    message = f"The image {pictures[3]['image']} is listed twice, also as {other}."
    assert message in refusal(check_images, [*pictures, {"image": other}])
    check_images(pictures, limits=(0, 255))
    assert "has pixels from 0 to 255, (0, 1) expected" in refusal(check_images, pictures, limits=(0, 1))
    with pytest.raises(ValueError, match="'num_workers' must be at least 1, got 0"):
        check_images(pictures, num_workers=0)


def test_a_list_has_one_scale_or_says_that_it_has_others(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    for name, pixels in {"8.png": GREY, "16.png": deep, "16.tif": deep, "f.tif": GREY.astype(np.float32)}.items():
        Image.fromarray(pixels).save(tmp_path / name)
    both = [{"image": f"{tmp_path}/{name}"} for name in ("8.png", "16.png")]
    assert "16.png has 65535 for white, as 16 bits have it; 255 expected" in refusal(check_images, both)
    assert "8.png has 255 for white, as 8 bits have it; 65535 exp" in refusal(check_images, both, full_scale=65535)
    check_images(both, full_scale="any")
    check_images(both, full_scale="stated")
    check_images([{"image": f"{tmp_path}/16.tif"}], full_scale=65535)
    unstated = [{"image": f"{tmp_path}/f.tif"}]
    check_images(unstated)
    assert "f.tif does not state what white is" in refusal(check_images, unstated, full_scale="stated")
    with pytest.raises(ValueError, match="'full_scale' must be a positive number, 'any' or 'stated', got 'own'"):
        check_images(both, full_scale="own")


def test_transparent_pictures_are_counted(tmp_path, caplog):
    for name, alpha in {"a.png": 255, "b.png": 0, "c.png": 128}.items():
        opacity = np.full_like(GREY, 255)
        opacity[0, 0] = alpha
        Image.fromarray(np.dstack([GREY, opacity])).save(tmp_path / name)
    check_images([{"image": f"{tmp_path}/{name}.png"} for name in "abc"])
    assert [record.message for record in caplog.records] == [
        f"2 of 3 images are transparent in parts, and read on black: {tmp_path}/b.png is the first."
    ]


def test_infinite_pixels_are_refused(tmp_path):
    volume = np.zeros((4, 4, 2), np.float32)
    volume[1, 2, 1] = np.nan
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "x.nii")
    check_images([{"image": f"{tmp_path}/x.nii#0"}])
    assert "x.nii#1 holds NaN or infinite pixels" in refusal(check_images, [{"image": f"{tmp_path}/x.nii#1"}])


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_mutated_pictures_are_read_or_refused(tmp_path, suffix):
    Image.fromarray(COLOUR).save(tmp_path / f"x.{suffix}")
    whole, chance, refusals = (tmp_path / f"x.{suffix}").read_bytes(), random.Random(0), {}
    for trial in range(300):
        path, mutated = tmp_path / f"{trial}.{suffix}", bytearray(whole)
        for _ in range(chance.choice([1, 3, 10])):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        path.write_bytes(mutated[: chance.choice([len(whole), chance.randrange(len(whole))])])
        try:
            assert read_image(path).ndim == 2
        except DataError as error:
            refusals[str(path)] = str(error)
    assert len(refusals) > 60
    assert all(name in message for name, message in refusals.items())


def test_slices_are_counted(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["data"] = np.zeros((5, 3, 4), dtype=np.float32)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 3, 6), dtype=np.float32), np.eye(4)), tmp_path / "b.nii")
    (tmp_path / "c.pck").write_bytes(pickle.dumps(np.zeros((7, 3, 4), dtype=np.int16)))
    assert [count_slices(tmp_path / name) for name in ("a.hdf5", "b.nii", "c.pck")] == [5, 6, 7]


def test_a_volume_without_voxels_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 0, 6), dtype=np.float32), np.eye(4)), tmp_path / "x.nii")
    for read in (count_slices, lambda file: read_image(slice_address(file, 0))):
        assert "x.nii must be 3D with voxels, but has the shape (4, 0, 6)" in refusal(read, tmp_path / "x.nii")


def test_a_header_that_promises_more_than_the_file_holds_asks_for_no_memory(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype=np.int16), np.eye(4)), tmp_path / "x.nii")
    content = bytearray((tmp_path / "x.nii").read_bytes())
    content[40:48] = np.array([3, 32767, 32767, 32767], dtype="<i2").tobytes()  # 70 TB
    (tmp_path / "x.nii").write_bytes(content)
    assert "x.nii cannot be read: it has 592 bytes, where its header promises 70" in refusal(
        count_slices, tmp_path / "x.nii"
    )
