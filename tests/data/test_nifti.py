"""NIfTI files: their names and shapes (their other damages are in tests/reliability/fuzz.py)."""

import struct

import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImage

from monai_freq.data import DataError, check_cases
from monai_freq.data.nifti import case_name, places_voxels
from monai_freq.data.volumes import count_slices
from monai_freq.transforms import LoadSlice


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


PARALLEL = np.array([[1, 2, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
PLACELESS = [np.zeros((4, 4)), np.diag([1, 1, 0, 1]), PARALLEL, np.full((4, 4), np.nan), np.diag([1, np.inf, 1, 1])]


def write_with_affine(file, affine):
    nibabel.save(nibabel.Nifti1Image(np.ones((6, 5, 4), np.int16), np.eye(4)), file)
    content = bytearray(file.read_bytes())
    struct.pack_into("<2h", content, 252, 0, 1)  # the sform counts
    struct.pack_into("<12f", content, 280, *np.asarray(affine, np.float32)[:3].ravel())
    file.write_bytes(content)


@pytest.mark.parametrize("affine", PLACELESS, ids=["zero", "flat", "parallel", "nan", "infinite"])
def test_an_affine_that_places_no_voxels_is_refused_or_said(tmp_path, affine, caplog):
    file = tmp_path / "x.nii"
    write_with_affine(file, affine)
    with pytest.raises(DataError, match=r"x\.nii has an affine that places no voxels") as caught:
        check_cases([{"image": str(file)}], (), channels=1)
    assert len(str(caught.value).splitlines()) == 2
    assert not places_voxels(affine)
    for index in (0, 1):
        assert LoadSlice()(f"{file}#{index}").affine.diagonal().tolist() == [1, 1, 1, 1]
    assert caplog.messages == [
        f"{file} has an affine that places no voxels: it is singular, NaN or infinite. "
        "Its pixels count as 1 mm, unless 'spacing' says more."
    ]


@pytest.mark.parametrize("steps", [(1e-3, 1e-3, 1e3), (0.4, 0.7, 5), (1e3, 1, 1)])
def test_thin_and_oblique_voxels_have_a_place(tmp_path, steps):
    shear = np.array([[1, 0, 0.9, 5], [0, 0.8, -0.6, 7], [0, 0.6, 0.8, 9], [0, 0, 0, 1]])
    write_with_affine(tmp_path / "x.nii", shear @ np.diag([*steps, 1]))
    check_cases([{"image": str(tmp_path / "x.nii")}], (), channels=1)


def test_what_nibabel_mends_in_a_header_is_said_once_with_the_name_of_the_file(tmp_path, caplog, capfd):
    files = [tmp_path / "a.nii", tmp_path / "b.nii"]
    for file in files:
        write_with_affine(file, np.eye(4))
        content = bytearray(file.read_bytes())
        struct.pack_into("<3f", content, 80, 0, 0, 0)
        file.write_bytes(content)
    for _ in range(2):
        check_cases([{"image": str(file)} for file in files], (), channels=1, num_workers=1)
        assert LoadImage()(files[0]).shape == (6, 5, 4)  # MONAI's own nibabel.load
    says = "pixdim[1,2,3] should be non-zero; setting 0 dims to 1"
    told = [record for record in caplog.records if not record.name.startswith("monai.")]  # of pydicom, where it is
    assert [record.message for record in told] == [f"The header of {file}: {says}." for file in files]
    assert capfd.readouterr().err == ""
