"""Slices of volumes by the content of their files, with the sizes of their pixels."""

import gzip
import pickle
import shutil

import h5py
import nibabel
import numpy as np
import pytest
import torch
from dicom_files import write_dicom
from monai.data import MetaTensor, list_data_collate
from monai.transforms import EnsureChannelFirst, LoadImage
from PIL import Image

from monai_freq.data import DataError, read_image, slice_address
from monai_freq.data.volumes import count_slices
from monai_freq.transforms import LoadSlice, LoadSliced
from monai_freq.transforms.pixel_size import pixel_size_mm, slice_axes

VOXELS = np.random.default_rng(0).integers(0, 900, (6, 5, 4)).astype(np.int16)
OBLIQUE = np.array([[0.38, -0.12, 0.6, 1], [0.1, 0.65, 1.1, 2], [-0.07, 0.23, 4.8, 3], [0, 0, 0, 1]])


def saved(path, voxels=VOXELS, affine=OBLIQUE, unit=None, kind=nibabel.Nifti1Image):
    image = kind(voxels, affine)
    if unit:
        image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "X.NII", "X.NII.GZ", "x.nii.GZ"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_nifti_in_letters_of_either_case_packed_or_not(tmp_path, name, kind):
    file = saved(tmp_path / name, kind=kind)
    assert count_slices(file) == 4
    for index in (3, 0, 2):
        np.testing.assert_array_equal(read_image(slice_address(file, index)), VOXELS[:, :, index].T)
    with pytest.raises(DataError, match="has no slice 4: it holds 4"):
        read_image(slice_address(file, 4))


def test_a_packed_volume_that_is_replaced_is_read_anew(tmp_path):
    file = saved(tmp_path / "x.nii.gz")
    before = read_image(f"{file}#1")
    saved(tmp_path / "y.nii.gz", VOXELS + np.int16(7)).replace(file)
    np.testing.assert_array_equal(read_image(f"{file}#1"), before + 7)


def test_scaled_voxels_and_axes_of_one(tmp_path):
    image = nibabel.Nifti1Image(VOXELS, OBLIQUE)
    image.header.set_slope_inter(0.5, -100)
    for name in ("x.nii", "x.nii.gz"):
        nibabel.save(image, tmp_path / name)
        np.testing.assert_allclose(
            read_image(f"{tmp_path}/{name}#2"), nibabel.load(tmp_path / name).get_fdata()[..., 2].T
        )
    for shape in ((6, 5), (6, 5, 1), (6, 5, 1, 1), (6, 5, 4, 1)):
        voxels = VOXELS[..., 0].reshape(shape) if shape[2:] != (4, 1) else VOXELS[..., None]
        for name in ("x.nii", "x.nii.gz"):
            file = saved(tmp_path / name, voxels)
            assert count_slices(file) == (4 if 4 in shape else 1)
            np.testing.assert_array_equal(read_image(f"{file}#0"), VOXELS[..., 0].T)


def test_colours_and_time_are_refused_for_what_they_are(tmp_path):
    colours = np.zeros((4, 4, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(DataError, match="holds colours or complex numbers"):
        count_slices(saved(tmp_path / "x.nii", colours))
    with pytest.raises(DataError, match=r"must be 3D with voxels, but has the shape \(4, 4, 2, 3\)"):
        count_slices(saved(tmp_path / "x.nii", np.zeros((4, 4, 2, 3), np.float32)))


def test_hdf5_by_any_name(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["data"] = VOXELS.astype(np.float32)
    for name in ("X.HDF5", "x.h5", "ground_truth"):
        shutil.copy(tmp_path / "x.hdf5", tmp_path / name)
        assert count_slices(tmp_path / name) == 6
        np.testing.assert_array_equal(read_image(f"{tmp_path}/{name}#5"), VOXELS[5])


def test_pickles_go_by_their_name_alone(tmp_path):
    for name in ("x.pck", "X.PCK"):
        (tmp_path / name).write_bytes(pickle.dumps(VOXELS))
        np.testing.assert_array_equal(read_image(f"{tmp_path}/{name}#5"), VOXELS[5])
    (tmp_path / "x").write_bytes(pickle.dumps(VOXELS))
    with pytest.raises(DataError, match="no volume that slices are read from"):
        read_image(f"{tmp_path}/x#5")


@pytest.mark.parametrize(
    ("name", "right"), [("scan", "scan.nii"), ("x.Nii", "x.nii"), ("x.nii.gz", "x.nii"), ("x.dcm", "x.nii")]
)
def test_a_nifti_by_a_wrong_name_is_told_the_right_one(tmp_path, name, right):
    saved(tmp_path / "sound.nii").rename(tmp_path / name)
    with pytest.raises(DataError, match=f"is a sound NIfTI file by a wrong name.\\nRename it to {right}: "):
        count_slices(tmp_path / name)


def test_a_packed_nifti_by_the_name_of_another(tmp_path):
    saved(tmp_path / "sound.nii.gz").rename(tmp_path / "x.nii")
    with pytest.raises(DataError, match=r"packed with gzip, by a wrong name.\nRename it to x.nii.gz: "):
        count_slices(tmp_path / "x.nii")
    (tmp_path / "y.nii.gz").write_bytes(gzip.compress((tmp_path / "x.nii").read_bytes()))  # packed twice
    with pytest.raises(DataError, match=r"y\.nii\.gz"):
        count_slices(tmp_path / "y.nii.gz")


@pytest.mark.parametrize(("unit", "mm"), [(None, 1), ("mm", 1), ("micron", 0.001), ("meter", 1000)])
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_pixels_have_the_sizes_and_the_place_that_the_header_says(tmp_path, name, unit, mm):
    file = saved(tmp_path / name, unit=unit)
    image = LoadSlice()(f"{file}#3")
    row, column = 2, 4
    place = (OBLIQUE @ [column, row, 3, 1])[:3] * mm
    np.testing.assert_allclose((image.meta["slice_affine"] @ [row, column, 0, 1])[:3], place, rtol=1e-5)
    axes, doubt = slice_axes(image)
    lengths = np.linalg.norm(OBLIQUE[:3, [1, 0]], axis=0) * mm
    np.testing.assert_allclose(pixel_size_mm(image, axes), lengths, rtol=1e-5)
    assert not doubt
    np.testing.assert_allclose(image.pixdim[:2], lengths, rtol=1e-5)


def test_a_slice_has_the_sizes_that_monai_reads(tmp_path):
    file = saved(tmp_path / "x.nii")
    whole = EnsureChannelFirst()(LoadImage()(file))
    np.testing.assert_allclose(LoadSlice()(f"{file}#1").pixdim[:2], whole.pixdim[[1, 0]], rtol=1e-5)
    torch.testing.assert_close(LoadSlice()(f"{file}#1").as_tensor(), whole[..., 1].as_tensor().mT)


def test_given_spacing_goes_before_what_a_file_says(tmp_path):
    file = saved(tmp_path / "x.nii")
    for spacing, sizes in ((0.5, [0.5, 0.5]), ((0.5, 0.25), [0.5, 0.25])):
        image = LoadSlice(spacing=spacing)(f"{file}#1")
        np.testing.assert_allclose(image.affine.numpy(), np.diag([*sizes, 1, 1]))
    for wrong in (-1, 0, np.inf, (1, 2, 3), (1, 0)):
        with pytest.raises(ValueError, match="'spacing' is in mm and must be positive, got "):
            LoadSlice(spacing=wrong)


def test_a_dicom_slice_has_its_sizes(tmp_path):
    write_dicom(tmp_path / "IM0001", VOXELS[..., 0], tags=[(0x28, 0x30, "DS", "0.7\\0.4")])
    image = LoadSlice()(tmp_path / "IM0001")
    np.testing.assert_allclose(pixel_size_mm(image, slice_axes(image)[0]), [0.7, 0.4])


def test_a_header_without_sizes_and_the_resolution_of_a_print_give_one_mm(tmp_path):
    Image.fromarray(VOXELS[..., 0].astype(np.uint8)).save(tmp_path / "x.png", dpi=(72, 72))
    assert torch.equal(LoadSlice()(tmp_path / "x.png").affine, torch.eye(4, dtype=torch.float64))


def test_what_white_is_comes_with_the_image_and_into_a_batch(tmp_path):
    pixels = VOXELS[..., 0]
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "8.png")
    Image.fromarray(pixels.astype(np.uint16)).save(tmp_path / "16.png")
    saved(tmp_path / "x.nii")
    saved(tmp_path / "8.nii", VOXELS.astype(np.uint8))
    load = LoadSliced("image")
    items = [load({"image": f"{tmp_path}/{name}"}) for name in ("8.png", "16.png", "x.nii#0", "8.nii#0")]
    scales = [item["image"].meta["full_scale"] for item in items]
    np.testing.assert_array_equal(scales, [255, 65535, np.nan, 255])
    assert isinstance(list_data_collate([{"image": item["image"][:, :5, :5]} for item in items])["image"], MetaTensor)
