"""Images of an inference: every slice of a folder, or each test sample once."""

import h5py
import nibabel
import numpy as np
import pytest
from PIL import Image

from monai_freq.bundle import list_slices
from monai_freq.bundle.classification import Samples


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
    says = {"missing": "There is no folder", "empty": "holds no images", "damaged": "a.png", "nan": "a.hdf5#0"}[kind]
    with pytest.raises(SystemExit, match=says):
        list_slices(str(folder), never)
