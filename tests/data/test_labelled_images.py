"""A table of one's own: pictures, slices, volumes and folders of DICOM series, with labels and patients."""

import nibabel
import numpy as np
import pytest
from dicom_files import write_exams, write_series
from PIL import Image

from monai_freq.data import DataError, check_images, read_image, read_labelled_images
from monai_freq.transforms import LoadSliced

CLASSES = {"0": "healthy", "1": "injured"}


@pytest.fixture
def folder(tmp_path):
    """A picture, a NIfTI volume and a series, whose slice number k holds k."""
    Image.fromarray(np.full((8, 6), 7, np.uint8)).save(tmp_path / "a.png")
    counted = np.broadcast_to(np.arange(5, dtype=np.int16), (6, 8, 5))
    nibabel.save(nibabel.Nifti1Image(counted.copy(), np.diag([0.5, 0.7, 2, 1])), tmp_path / "b.nii.gz")
    return tmp_path


def write(folder, *lines, header="image,label,patient"):
    (folder / "index.csv").write_text("\n".join([header, *lines]) + "\n")


def found(folder, **settings):
    items = read_labelled_images(folder, classes=CLASSES, **settings)
    return [(item["image"].rpartition("/")[2], item["label"], item["patient"]) for item in items]


def test_pictures_volumes_and_slices_with_numbers_or_names_of_classes(folder):
    write(folder, "a.png,Healthy,p1", "b.nii.gz,1,p2")
    assert found(folder) == [("a.png", 0, "p1"), ("b.nii.gz#2", 1, "p2")]
    central = [("a.png", 0, "p1"), *[(f"b.nii.gz#{k}", 1, "p2") for k in (1, 2, 3)]]
    assert found(folder, slices_per_volume=3) == central
    assert len(found(folder, slices_per_volume=99)) == 6
    write(folder, "b.nii.gz#4,injured,p2", "b.nii.gz#0,injured,p2")
    assert found(folder, slices_per_volume=3) == [("b.nii.gz#4", 1, "p2"), ("b.nii.gz#0", 1, "p2")]


def test_numbers_need_no_names(folder):
    write(folder, "a.png,3,p1")
    assert [item["label"] for item in read_labelled_images(folder)] == [3]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("c.png,0,p1", "must be a file or folder in"),
        ("../a.png,0,p1", "must be a path that stays inside"),
        ("a.png#0,0,p1", "must be a volume, as it has a number of a slice"),
        ("a.png,2,p1", r"must be a class \(0 or healthy, 1 or injured\), got '2'"),
        ("a.png,0,", "'patient' in line 2 of .* must not be empty"),
        ("empty,0,p1", "must be an image, or a folder with the slices of a DICOM series"),
    ],
)
def test_faults_are_named_with_their_line(folder, line, said):
    (folder / "empty").mkdir()
    write(folder, line)
    with pytest.raises(DataError, match=said):
        found(folder)


def test_an_image_twice_and_no_image(folder):
    write(folder, "b.nii.gz,0,p1", "./b.nii.gz#2,1,p2")
    with pytest.raises(DataError, match=r"lists .*b\.nii\.gz#2 twice"):
        found(folder)
    write(folder)
    with pytest.raises(DataError, match="lists no image"):
        found(folder)
    with pytest.raises(ValueError, match="'slices_per_volume' must be at least 1, got 0"):
        read_labelled_images(folder, slices_per_volume=0)


def test_series_give_their_central_slices_in_the_order_of_space(tmp_path):
    pytest.importorskip("pydicom")
    counted = np.broadcast_to(np.arange(5, dtype=np.int16) * 10, (6, 8, 5)).copy()
    affine = np.diag([0.8, 0.5, 3, 1])
    write_series(tmp_path / "exams/1", counted, affine)
    write(tmp_path, "exams/1,injured,p1")
    items = read_labelled_images(tmp_path, classes=CLASSES, slices_per_volume=3)
    assert [read_image(item["image"]).max() for item in items] == [10, 20, 30]
    check_images(items)
    image = LoadSliced("image")(items[0])["image"]
    assert image.shape == (1, 8, 6)  # rows, columns
    np.testing.assert_allclose(image.affine.diagonal()[:2], [0.5, 0.8])
    with pytest.raises(DataError, match=r"has no slice 5: it holds 5"):
        read_image(f"{tmp_path}/exams/1#5")
    with pytest.raises(DataError, match=r"is a DICOM series.\nName one of its slices, as in .*exams/1#0"):
        read_image(tmp_path / "exams/1")
    with pytest.raises(DataError, match="holds no DICOM slices"):
        read_image(f"{tmp_path}/exams#0")


def test_a_series_with_a_gap_is_refused_and_one_that_changes_is_read_anew(tmp_path):
    pytest.importorskip("pydicom")
    write_exams(tmp_path, 2)
    assert len(found(tmp_path, slices_per_volume=99)) == 12
    files = sorted((tmp_path / "exams/0000").iterdir())
    files[2].unlink()
    with pytest.raises(DataError, match="has a gap"):
        found(tmp_path)
