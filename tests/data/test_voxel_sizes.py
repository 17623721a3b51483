"""Voxel sizes from headers: along the patient's axes, whatever the file's."""

import itertools

import nibabel
import numpy as np
import pytest
from dicom_files import write_series
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from monai_freq.data import DataError
from monai_freq.data.voxel_sizes import median_spacing, voxel_size

ZOOMS = (0.7, 1.3, 5.0)
CODES = ["".join(c) for p in itertools.permutations(("LR", "PA", "IS")) for c in itertools.product(*p)]


@pytest.mark.parametrize("tilt", [(0, 0, 0), (0.2, -0.3, 0.25)])
def test_sizes_are_those_of_the_patients_axes_for_every_order_of_the_files(tilt, tmp_path):
    affine = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(*tilt) @ np.diag(ZOOMS), (-31, 12, 7))
    for codes in CODES:
        stored = affine @ inv_ornt_aff(ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes)), (4, 5, 6))
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, 1), "u1"), stored), tmp_path / "a.nii.gz")
        assert voxel_size(str(tmp_path / "a.nii.gz")) == pytest.approx(ZOOMS), codes


def test_no_voxel_is_read(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 40, 40)), np.diag([*ZOOMS, 1])), tmp_path / "a.nii")
    path = tmp_path / "a.nii"
    path.write_bytes(path.read_bytes()[:400])  # the header alone
    assert voxel_size(str(path)) == pytest.approx(ZOOMS)


def test_a_dicom_series_has_the_distance_of_its_slices(tmp_path):
    pytest.importorskip("pydicom")
    sagittal = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])  # columns from front to back, slices from right to left
    affine = nibabel.affines.from_matvec(sagittal @ np.diag(ZOOMS), (-31, 12, 7))
    write_series(tmp_path / "case_01", np.zeros((6, 5, 4), "i2"), affine, SliceThickness=9)
    assert voxel_size(str(tmp_path / "case_01")) == pytest.approx((5.0, 0.7, 1.3))


def test_the_median_is_taken_along_each_axis(tmp_path):
    sizes = np.random.default_rng(0).uniform(0.5, 5, (4, 3)).round(3)
    paths = [str(tmp_path / f"{number}.nii") for number in range(4)]
    for path, zooms in zip(paths, sizes, strict=True):
        nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), "u1"), np.diag([*zooms, 1])), path)
    assert median_spacing(paths) == pytest.approx(np.sort(sizes, axis=0)[1:3].mean(0), abs=1e-5)


def test_headers_that_say_nothing_are_refused_by_name(tmp_path):
    (tmp_path / "bad.nii").write_bytes(b"x" * 500)
    with pytest.raises(DataError, match=r"bad\.nii cannot be read"):
        median_spacing([str(tmp_path / "bad.nii")])
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), "u1"), np.eye(4)), tmp_path / "flat.nii")
    with open(tmp_path / "flat.nii", "r+b") as file:  # an affine of zeros
        file.seek(280)
        file.write(bytes(48))
    with pytest.raises(DataError, match=r"flat\.nii cannot be read: its affine is singular"):
        voxel_size(str(tmp_path / "flat.nii"))
    with pytest.raises(ValueError, match="'paths' must hold at least one volume"):
        median_spacing([])
