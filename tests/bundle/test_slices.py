"""Images of an inference: every slice of a folder, or each test sample once."""

import shutil

import h5py
import nibabel
import numpy as np
import pytest
from dicom_files import write_dicom
from PIL import Image

from monai_freq.bundle import list_slices
from monai_freq.bundle.classification import Samples
from monai_freq.errors import UsageError


def never():
    raise AssertionError("the data set is not asked for")


def test_pictures_and_slices_of_a_folder(tmp_path):
    pixels = np.zeros((4, 5), dtype=np.uint8)
    for name in ("b.png", "a.JPG", "._b.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    with h5py.File(tmp_path / "c.hdf5", "w") as file:
        file["data"] = np.zeros((2, 4, 5), dtype=np.float32)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 3), dtype=np.float32), np.eye(4)), tmp_path / "d.nii")
    found = list_slices(str(tmp_path), never)
    names = [item["sample"] for item in found]
    assert names == ["a.JPG", "b.png", "c.hdf5#0", "c.hdf5#1", "d.nii#0", "d.nii#1", "d.nii#2"]
    assert [item["image"] for item in found] == [str(tmp_path / name) for name in names]


def test_test_samples_once_and_without_their_labels(tmp_path):
    Image.fromarray(np.zeros((4, 5), dtype=np.uint8)).save(tmp_path / "a.png")
    item = {"image": str(tmp_path / "a.png"), "sample": "a.png", "label": 1, "shortcut": False}
    test = [item | {"condition": condition} for condition in ("clean", "iid", "ood")]
    assert list_slices(None, lambda: Samples([], [], test)) == [{"image": item["image"], "sample": "a.png"}]


@pytest.mark.parametrize("kind", ["missing", "empty", "damaged", "nan"])
def test_what_cannot_be_read_is_named(kind, tmp_path):
    folder = tmp_path / "images"
    if kind != "missing":
        folder.mkdir()
    if kind == "damaged":
        (folder / "a.png").write_bytes(b"\x89PNG")
    if kind == "nan":
        with h5py.File(folder / "a.hdf5", "w") as file:
            file["data"] = np.full((1, 4, 4), np.nan, dtype=np.float32)
    says = {"missing": "There is no folder", "empty": "holds no image", "damaged": "a.png", "nan": "a.hdf5#0"}[kind]
    with pytest.raises(UsageError, match=says):
        list_slices(str(folder), never)


def test_every_format_by_its_content_and_the_rest_by_name(tmp_path, caplog):
    caplog.set_level("INFO")
    pixels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "c.TIF", format="TIFF")
    Image.fromarray(pixels).save(tmp_path / "scan", format="JPEG")
    Image.fromarray(pixels).save(tmp_path / "e.gif")
    for name in ("b.nii.gz", "B2.NII.GZ"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 2), np.int16), np.eye(4)), tmp_path / name)
    nibabel.save(nibabel.MGHImage(np.zeros((4, 5, 2), np.float32), np.eye(4)), tmp_path / "f.mgz")
    with h5py.File(tmp_path / "V.HDF5", "w") as file:
        file["data"] = np.zeros((1, 4, 5), dtype=np.float32)
    write_dicom(tmp_path / "IM0001", pixels.astype(int))
    shutil.copy(tmp_path / "b.nii.gz", tmp_path / "b.nii.gz.part")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "bad\x1bname.txt").touch()
    (tmp_path / "sub").mkdir()
    names = [item["sample"] for item in list_slices(str(tmp_path), never)]
    volumes = ["B2.NII.GZ#0", "B2.NII.GZ#1", "V.HDF5#0", "b.nii.gz#0", "b.nii.gz#1"]
    assert names == ["IM0001", "a.png", "c.TIF", "scan", *volumes]
    assert caplog.messages == [
        f"6 entries of {tmp_path} left out, as they are no image that is read: "
        ".DS_Store, b.nii.gz.part (NIfTI), bad\\x1bname.txt, e.gif (GIF), f.mgz (MGH), sub/."
    ]


@pytest.mark.parametrize("name", ["a.tif", "a.JPG", "a.dcm", "a.NII", "a.nii.gz", "a.h5", "a.pck"])
def test_a_damaged_file_is_refused_and_not_left_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"damaged")
    Image.fromarray(np.zeros((4, 5), dtype=np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(UsageError, match=name):
        list_slices(str(tmp_path), never)


def test_a_folder_without_images_names_what_it_has(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds no image .*\. 1 entry of .* left out, .*: notes.txt.\nPass --input"):
        list_slices(str(tmp_path), never)


def test_images_of_another_scale_than_in_training_are_refused(tmp_path):
    pixels = np.arange(20, dtype=np.uint16).reshape(4, 5) * 1000
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert len(list_slices(str(tmp_path), never, full_scale="stated")) == 1
    with pytest.raises(UsageError, match=r"a.png has pixels from 0 to 19000, \(0, 1\) expected"):
        list_slices(str(tmp_path), never, limits=[0, 1])
    (tmp_path / "a.png").unlink()
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 1), np.int16), np.eye(4)), tmp_path / "b.nii")
    with pytest.raises(UsageError, match=r"b\.nii#0 does not state what white is"):
        list_slices(str(tmp_path), never, full_scale="stated")
