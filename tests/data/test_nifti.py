"""NIfTI files: their names and shapes (their other damages are in tests/reliability/fuzz.py)."""

import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImage

from monai_freq.data import DataError, check_cases
from monai_freq.data.nifti import case_name
from monai_freq.data.volumes import count_slices


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a/la_003.nii.gz", "la_003"),
        ("b/la_004.nii", "la_004"),
        ("la.1.nii.gz", "la.1"),
        ("x.mha", "x.mha"),
        ("A.NII.GZ", "A"),
    ],
)
def test_cases_are_named_after_their_file(file, name):
    assert case_name(file) == name


@pytest.mark.parametrize("name", ["A.NII.GZ", "A.nii.GZ", "A.NII", "a.nii.gz"])
def test_cases_in_letters_of_either_case_are_checked_and_loaded(tmp_path, name):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4)), tmp_path / name)
    check_cases([{"image": str(tmp_path / name)}], (), channels=1)
    assert LoadImage()(tmp_path / name).shape == (4, 5, 6)
    assert case_name(tmp_path / name).lower() == "a"


def convert(voxels, path):
    kinds = {"mgz": nibabel.MGHImage, "mgh": nibabel.MGHImage, "img": nibabel.Nifti1Pair, "hdr": nibabel.AnalyzeImage}
    nibabel.save(kinds[path.suffix[1:]](voxels, np.eye(4)), path)


@pytest.mark.parametrize("name", ["b.mgz", "b.mgh", "b.img", "b.hdr"])
def test_neighbours_of_nifti_are_refused_for_what_they_are(tmp_path, name):
    convert(np.ones((4, 5, 6), np.float32), tmp_path / name)
    with pytest.raises(DataError, match=rf"{name} is no NIfTI file of one piece, but .*\n.*b.nii.gz") as caught:
        check_cases([{"image": str(tmp_path / name)}], (), channels=1)
    assert "again" not in str(caught.value)


def test_a_sound_file_that_monai_would_not_find_is_to_be_renamed(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    (tmp_path / "a.nii.gz").rename(tmp_path / "A.Nii.Gz")
    with pytest.raises(DataError, match=r"Rename it to A\.nii\.gz: nibabel and MONAI go by the ending"):
        check_cases([{"image": str(tmp_path / "A.Nii.Gz")}], (), channels=1)


@pytest.mark.parametrize("axis", [1, 3])
def test_a_shape_below_zero_is_damage(tmp_path, axis):
    file = tmp_path / "x.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.eye(4)), file)
    content = bytearray(file.read_bytes())
    content[40 + 2 * axis : 42 + 2 * axis] = (-3).to_bytes(2, "little", signed=True)
    file.write_bytes(content)
    for read in (count_slices, lambda path: check_cases([{"image": str(path)}], {0, 1}, channels=1, num_workers=1)):
        with pytest.raises(DataError, match=r"x\.nii cannot be read: its header names the shape"):
            read(file)
