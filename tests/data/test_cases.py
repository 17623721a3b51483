"""Every kind of broken volume is found, and the first in the list is the one that is named."""

import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import DataLoader, Dataset
from running import ROOT

from monai_freq.data import DataError, check_cases

AFFINE = np.diag([1.25, 1.25, 1.37, 1.0])
LABELS = {0: "background", 1: "left atrium"}
SHAPE = (12, 10, 8)


def save(path: str, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


@pytest.fixture
def cases(tmp_path: Path) -> list[dict[str, str]]:
    rng = np.random.default_rng(0)
    found = []
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / part).mkdir()
    for i in range(6):
        case = {"image": f"{tmp_path}/imagesTr/la_{i:03}.nii.gz", "label": f"{tmp_path}/labelsTr/la_{i:03}.nii.gz"}
        save(case["image"], rng.standard_normal(SHAPE).astype(np.float32))
        save(case["label"], rng.integers(0, 2, SHAPE).astype(np.uint8))
        found.append(case)
    return found


def refusal(cases: list[dict[str, str]], **settings: int) -> str:
    with pytest.raises(DataError) as caught:
        check_cases(cases, LABELS, **settings)
    message = str(caught.value)
    assert len(message.splitlines()) <= 3
    return message


def test_sound_cases_pass(cases):
    check_cases(cases, LABELS)


def test_no_cases_pass():
    check_cases([], LABELS)


def test_a_label_of_floats_passes_when_its_values_are_whole(cases):
    save(cases[0]["label"], np.ones(SHAPE, dtype=np.float32))
    check_cases(cases, LABELS)


def test_a_header_that_scales_is_applied_before_the_values_are_looked_at(cases):
    image = nibabel.Nifti1Image(np.full(SHAPE, 7, dtype=np.uint8), AFFINE)
    image.header.set_slope_inter(1, -6)
    nibabel.save(image, cases[0]["label"])
    stored = nibabel.load(cases[0]["label"])
    assert set(np.unique(np.asanyarray(stored.dataobj))) in ({1.0}, {7.0})
    if np.asanyarray(stored.dataobj).max() == 1:
        check_cases(cases, LABELS)
    else:
        assert "holds the label values 7" in refusal(cases)


def test_channels_come_last(cases):
    save(cases[0]["image"], np.zeros((*SHAPE, 4), dtype=np.float32))
    check_cases(cases, LABELS)


def test_images_without_labels_are_checked_as_well(cases):
    images = [{"image": case["image"]} for case in cases]
    check_cases(images, LABELS)
    save(images[2]["image"], np.full(SHAPE, np.nan, dtype=np.float32))
    assert refusal(images).startswith("imagesTr/la_002.nii.gz holds NaN")


@pytest.mark.parametrize("part", ["image", "label"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_truncated_file_whose_header_still_reads(cases, part, kept):
    path = Path(cases[1][part])
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    message = refusal(cases)
    assert message.startswith(f"{path.parent.name}/la_001.nii.gz cannot be read")
    assert "Copy or unpack it again" in message


def test_a_truncated_uncompressed_file(cases, tmp_path):
    path = tmp_path / "imagesTr" / "la.nii"
    save(str(path), np.zeros(SHAPE, dtype=np.float32))
    path.write_bytes(path.read_bytes()[:2000])
    assert refusal([{"image": str(path)}]).startswith("imagesTr/la.nii cannot be read")


def test_damaged_bytes_inside_the_stream(cases):
    path = Path(cases[1]["image"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    assert refusal(cases).startswith("imagesTr/la_001.nii.gz")


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", gzip.compress(b"no volume" * 100)], ids=["empty", "page", "gzip"]
)
def test_a_file_that_is_no_nifti(cases, content):
    Path(cases[1]["image"]).write_bytes(content)
    assert refusal(cases).startswith("imagesTr/la_001.nii.gz cannot be read")


def test_a_missing_file(cases):
    Path(cases[4]["label"]).unlink()
    assert refusal(cases).startswith("labelsTr/la_004.nii.gz cannot be read")


def with_slices(image):
    return nibabel.Nifti1Image(image.get_fdata()[..., None], image.affine)


@pytest.mark.parametrize(
    ("shape", "remedy", "mended"),
    [
        ((12, 10), "Nifti1Image(image.get_fdata()[..., None], image.affine)", with_slices),
        ((12, 10, 8, 1, 1), "nibabel.squeeze_image(image)", nibabel.squeeze_image),
        ((12, 10, 8, 2, 2), "image.slicer[..., 0], once for each", lambda image: image.slicer[..., 0].slicer[..., 0]),
    ],
)
def test_an_image_of_other_dimensions(cases, shape, remedy, mended):
    save(cases[1]["image"], np.zeros(shape, dtype=np.float32))
    for channels, wanted in ((None, "4D with channels last"), (1, "4D with one channel last")):
        message = refusal(cases, channels=channels)
        assert message.startswith(f"imagesTr/la_001.nii.gz must be 3D, or {wanted}, but has the shape {shape}.\n")
        assert remedy in message
    image = mended(nibabel.load(cases[1]["image"]))
    nibabel.save(nibabel.Nifti1Image(image.get_fdata(), image.affine), cases[1]["image"])
    check_cases([{"image": cases[1]["image"]}], LABELS, channels=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_voxel_that_is_not_finite(cases, value):
    voxels = np.zeros(SHAPE, dtype=np.float32)
    voxels[3, 4, 5] = value
    save(cases[1]["image"], voxels)
    assert refusal(cases).startswith("imagesTr/la_001.nii.gz holds NaN or infinite voxels")


@pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")
@pytest.mark.parametrize(("workflow", "name"), [("train", "train#preprocessing"), ("evaluate", "preprocessing")])
def test_a_label_may_have_a_fourth_axis_of_one_which_makes_no_difference_to_a_bundle(cases, workflow, name):
    config = ConfigParser(ConfigParser.load_config_file(ROOT / f"bundles/heart_fd/configs/{workflow}.json"))
    config["image_size"] = [8, 8, 8]
    prepare = config.get_parsed_content(name)
    label = np.asanyarray(nibabel.load(cases[0]["label"]).dataobj)
    longer = {**cases[0], "label": cases[0]["label"].replace(".nii.gz", "_4d.nii.gz")}
    save(longer["label"], label[..., None])
    check_cases([longer], LABELS)
    batch = next(iter(DataLoader(Dataset([cases[0], longer], prepare), batch_size=2)))
    for key in {"image", "label", "reference"} & batch.keys():
        assert batch[key].shape[:2] == (2, 1)
        assert batch[key].ndim == 5
        torch.testing.assert_close(batch[key][0], batch[key][1], rtol=0, atol=0)


def test_the_fourth_axis_of_a_label_may_accompany_that_of_its_image(cases):
    save(cases[0]["image"], np.zeros((*SHAPE, 1), dtype=np.float32))
    save(cases[0]["label"], np.zeros((*SHAPE, 1), dtype=np.uint8))
    check_cases(cases, LABELS, channels=1)


COLOURS = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize("part", ["image", "label"])
@pytest.mark.parametrize(("kind", "shown"), [(COLOURS, "RGB"), ("c8", "complex64"), ("c16", "complex128")])
@pytest.mark.parametrize("slope", [1, 2])
def test_voxels_that_are_not_real_numbers(cases, part, kind, shown, slope):
    save(cases[1][part], np.zeros(SHAPE, dtype=kind))
    content = bytearray(gzip.decompress(Path(cases[1][part]).read_bytes()))
    struct.pack_into("<2f", content, 112, slope, 0)
    Path(cases[1][part]).write_bytes(gzip.compress(content))
    message = refusal(cases)
    assert message.startswith(f"{part}sTr/la_001.nii.gz holds voxels of the type {shown}, which are not real numbers")
    assert "Export one channel" in message


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
def test_every_real_type_is_read(cases, kind):
    for part in ("image", "label"):
        save(cases[0][part], np.ones(SHAPE, dtype=kind))
    check_cases(cases, LABELS)


@pytest.mark.parametrize("shape", [(12, 10, 9), (10, 12, 8), (12, 10), (12, 10, 8, 2), (12, 10, 8, 1, 1)])
def test_a_label_of_another_shape(cases, shape):
    save(cases[1]["label"], np.zeros(shape, dtype=np.uint8))
    message = refusal(cases)
    assert message.startswith("labelsTr/la_001.nii.gz has the shape")
    assert str(SHAPE) in message


def test_affines_agree_to_a_thousandth(cases):
    nudged = AFFINE.copy()
    nudged[0, 3] += 5e-4
    save(cases[1]["label"], np.zeros(SHAPE, dtype=np.uint8), nudged)
    check_cases(cases, LABELS)
    nudged[0, 3] += 5e-3
    save(cases[1]["label"], np.zeros(SHAPE, dtype=np.uint8), nudged)
    message = refusal(cases)
    assert message.startswith("labelsTr/la_001.nii.gz has another affine than its image")
    assert "0.0055" in message


@pytest.mark.parametrize(
    ("values", "shown"), [([7], "values 7,"), ([7, -2], "values -2, 7,"), ([np.nan], "nan"), ([np.inf], "inf")]
)
def test_label_values_that_are_not_listed(cases, values, shown):
    voxels = np.zeros(SHAPE, dtype=np.float32)
    voxels.flat[: len(values)] = values
    save(cases[3]["label"], voxels)
    message = refusal(cases)
    assert message.startswith("labelsTr/la_003.nii.gz holds the label values")
    assert shown in message
    assert "which dataset.json does not list (0, 1)" in message


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0.5], "0.5"), ([1 + 1e-6, 2], "1.000001"), ([0.9999, 1], "0.9999"), ([np.nan, 0.5, 7.25], "0.5, 7.25")],
)
def test_label_values_that_are_not_whole_are_shown_with_every_digit(cases, values, shown):
    voxels = np.zeros(SHAPE)
    voxels.flat[: len(values)] = values
    save(cases[3]["label"], voxels)
    message = refusal(cases)
    assert message.startswith(f"labelsTr/la_003.nii.gz holds the label values {shown}, not whole numbers")
    assert "(0, 1 expected). Round them" in message


def test_many_unknown_values_are_shortened(cases):
    save(cases[0]["label"], np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16))
    assert "values 2, 3, 4, 5, 6, ..., which" in refusal(cases)


@pytest.mark.parametrize("num_workers", [1, 2, 8])
def test_the_first_in_the_list_is_named_and_the_others_are_counted(cases, num_workers):
    for i in (5, 2, 4):
        save(cases[i]["label"], np.full(SHAPE, 7, dtype=np.uint8))
    message = refusal(cases, num_workers=num_workers)
    assert message.startswith("labelsTr/la_002.nii.gz")
    assert "2 more of the 6 cases are faulty too" in message


def test_num_workers_is_at_least_one(cases):
    with pytest.raises(ValueError, match="'num_workers' must be at least 1, got 0"):
        check_cases(cases, LABELS, num_workers=0)


@pytest.mark.parametrize("name", ["la_000.nii", "la_000.nii.gz"])
def test_a_header_that_promises_more_than_the_file_holds_asks_for_no_memory(tmp_path, name):
    save(str(tmp_path / name), np.zeros(SHAPE, np.float32))
    content = (tmp_path / name).read_bytes()
    whole = bytearray(gzip.decompress(content) if name.endswith(".gz") else content)
    struct.pack_into("<4h", whole, 40, 3, 32767, 32767, 32767)  # 140 TB
    (tmp_path / name).write_bytes(gzip.compress(whole) if name.endswith(".gz") else whole)
    message = refusal([{"image": f"{tmp_path}/{name}"}])
    assert f"{name} cannot be read: it has {len(whole)} bytes, where its header promises 1407" in message
