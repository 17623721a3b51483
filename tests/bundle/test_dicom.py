"""Bundles on folders of DICOM series: found, checked, trained on, and segmented into NIfTI or DICOM SEG."""

import json

import nibabel
import numpy as np
import pytest
from dicom_files import write_dicom, write_series
from running import ROOT, succeed

from monai_freq.bundle import list_images, list_slices, prepare_cases
from monai_freq.errors import UsageError

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")

SHAPE = (20, 24, 12)
LPS_TO_RAS = np.diag([-1, -1, 1, 1])
CLASSES = {"0": "background", "1": "spleen"}


def affine_of(number):
    tilt = nibabel.eulerangles.euler2mat(0.05 * number, 0.02, -0.03)
    return nibabel.affines.from_matvec(tilt @ np.diag([1.5, 1.2, 3]), (-12, 9, 40))


def write_case(folder, number, part="Tr"):
    """A bright ellipsoid in a series, and its label."""
    axes = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in SHAPE], indexing="ij")
    centre = (0.4 + 0.05 * number, 0.6, 0.5)
    label = (sum(((x - c) / 0.25) ** 2 for x, c in zip(axes, centre, strict=True)) < 1).astype(np.uint8)
    name = f"case_{number:02}"
    noise = np.random.default_rng(number).normal(0, 30, SHAPE)
    write_series(folder / f"images{part}" / name, label * 200 + noise.astype(np.int16), affine_of(number))
    if part == "Tr":
        (folder / "labelsTr").mkdir(exist_ok=True)
        affine = LPS_TO_RAS @ affine_of(number)
        nibabel.save(nibabel.Nifti1Image(label, affine), folder / f"labelsTr/{name}.nii.gz")
        return {"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}.nii.gz"}
    return f"./images{part}/{name}"


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "MyCT"
    training = [write_case(folder, number) for number in range(4)]
    index = {"name": "MyCT", "modality": {"0": "CT"}, "labels": CLASSES, "training": training}
    index["test"] = [write_case(folder, 4, "Ts")]
    (folder / "dataset.json").write_text(json.dumps(index))
    return folder


def cases(dataset, check=("train", "val", "test")):
    data = {"phantom": {}, "cache": "", "classes": CLASSES, "val_cases": 1, "test_cases": 1}
    return prepare_cases(str(dataset), **data, check=check)


def images(folder=None, dataset=None, **settings):
    return list_images(folder and str(folder), dataset_dir=dataset and str(dataset), phantom={}, cache="", **settings)


def test_cases_may_be_series_and_every_slice_is_read(dataset):
    assert [len(part) for part in cases(dataset)] == [2, 1, 1]
    series = dataset / "imagesTr/case_02"
    next(series.iterdir()).unlink()
    cases(dataset, check=())
    with pytest.raises(UsageError, match=r"case_02 has a gap|case_02\.nii\.gz has the shape"):
        cases(dataset)


def test_a_series_that_is_not_listed_is_said(dataset, caplog):
    write_case(dataset, 7)
    with caplog.at_level("INFO", logger="monai_freq"):
        cases(dataset, check=())
    said = [record.message for record in caplog.records if "does not list" in record.message]
    assert said == [
        f"{dataset}/dataset.json does not list 1 folder of imagesTr (case_07/), 1 file of labelsTr (case_07.nii.gz): "
        "not used."
    ]


def test_a_folder_is_no_label(dataset):
    index = json.loads((dataset / "dataset.json").read_text())
    index["training"][0]["label"] = "./imagesTs/case_04"
    index["test"] = []
    (dataset / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(UsageError, match=r"imagesTs/case_04 is listed in .* but missing"):
        cases(dataset, check=())


def test_an_inference_finds_series_among_files(dataset, tmp_path, caplog):
    folder = dataset / "imagesTr"
    (folder / "notes.txt").touch()
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), folder / "b.nii.gz")
    with caplog.at_level("INFO", logger="monai_freq"):
        names = [item["image"].rpartition("/")[2] for item in images(folder)]
    assert names == ["b.nii.gz", "case_00", "case_01", "case_02", "case_03"]
    assert "1 entry of" in caplog.text
    assert images(dataset=dataset) == [{"image": str(dataset / "imagesTs/case_04")}]
    with pytest.raises(UsageError, match=r"b\.nii\.gz is no folder of a DICOM series, to which a DICOM SEG refers"):
        images(folder, output_format="dicom_seg")
    with pytest.raises(UsageError, match="'output_format' must be one of nifti, dicom_seg, got 'nrrd'"):
        images(folder, output_format="nrrd")


def test_the_folder_of_an_inference_may_be_one_series(dataset):
    assert images(dataset / "imagesTs/case_04") == [{"image": str(dataset / "imagesTs/case_04")}]
    assert images(dataset / "imagesTs/case_04", output_format="dicom_seg")


def test_a_series_and_a_file_of_one_name_are_refused(dataset):
    (dataset / "labelsTr/case_00.nii.gz").rename(dataset / "imagesTr/case_00.nii.gz")
    with pytest.raises(UsageError, match="have one name"):
        images(dataset / "imagesTr")


def test_slices_of_series_are_classified_in_the_order_of_space(dataset):
    write_dicom(dataset / "imagesTs/IM0001", np.zeros((8, 8), int))
    found = list_slices(str(dataset / "imagesTs"), list)
    assert found[0]["sample"] == "IM0001"
    assert {item["sample"].partition("/")[0] for item in found[1:]} == {"case_04"}
    headers = [pydicom.dcmread(item["image"], stop_before_pixels=True) for item in found[1:]]
    assert len(headers) == SHAPE[2]
    assert np.all(np.diff([float(header.ImagePositionPatient[2]) for header in headers]) > 0)
    next((dataset / "imagesTs/case_04").glob("IM0005")).write_bytes(bytes(128) + b"DICM")
    with pytest.raises(UsageError, match="IM0005"):
        list_slices(str(dataset / "imagesTs"), list)


@pytest.mark.slow
def test_series_are_trained_on_evaluated_and_segmented(dataset, tmp_path):
    configs, out = ROOT / "bundles/spleen_fd/configs", tmp_path / "out"
    small = ("--image_size", "[32,32,16]", "--epochs", 30, "--intensity_window", "[-100,300]")
    divided = ("--val_cases", 1, "--test_cases", 1)
    succeed(configs / "train.json", "--dataset_dir", dataset, *small, *divided, "--output_dir", out, cwd=tmp_path)
    succeed(configs / "evaluate.json", "--output_dir", out, cwd=tmp_path)
    dice = float((out / "eval/cases.csv").read_text().splitlines()[1].split(",")[1])
    assert dice > 0.8
    options = ("--input_dir", dataset / "imagesTr", "--output_format", "dicom_seg", "--output_dir", out)
    said = succeed(configs / "inference.json", *options, cwd=tmp_path)
    assert f"4 images for inference, whose results go to {out}." in said
    for number in range(4):
        written = highdicom.seg.segread(out / f"segmentations/case_{number:02}_seg.dcm")
        volume = written.get_volume(combine_segments=True)
        label = nibabel.load(dataset / f"labelsTr/case_{number:02}.nii.gz")
        found = places(volume.array, LPS_TO_RAS @ volume.affine)
        reference = places(np.asarray(label.dataobj), label.affine)
        assert 2 * len(found & reference) / (len(found) + len(reference)) > 0.8


def places(voxels, affine):
    """Where the voxels of a class lie, to 0.1 mm."""
    indices = np.vstack([np.nonzero(voxels), np.ones((voxels > 0).sum())])
    return {tuple(place) for place in (affine @ indices).T.round(1)}
