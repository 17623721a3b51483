"""A generated Decathlon folder is like a real one; its cases have grids of their own."""

import json
import multiprocessing
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_freq.data import DataError, check_cases, read_decathlon
from monai_freq.phantoms import write_phantom
from monai_freq.phantoms.scans import scan_phantom

SIZE = (16, 18, 20)
AFFINE = np.array([[1.5, 0, 0, -10], [0, 1.5, 0, 5], [0, 0, 2, 30], [0, 0, 0, 1.0]])


def draw(rng, size):
    image = rng.integers(0, 100, size).astype(np.int16)
    return image, (image > 50).astype(np.uint8), AFFINE


def draw_slowly(rng, size):
    time.sleep(0.1)
    return draw(rng, size)


def noise(draw_case=draw, version=1):
    return scan_phantom(
        draw_case,
        folder="Task00_Noise",
        stem="noise",
        name="Noise",
        description="Bright voxels",
        modality="MRI",
        labels=("bright",),
        cases=3,
        test_cases=2,
        size=SIZE,
        version=version,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return noise().write(tmp_path_factory.mktemp("noise") / "new" / "root")


def test_the_folder_passes_the_reader_and_the_check(folder):
    found = read_decathlon(folder)
    check_cases(found.training, found.labels)
    check_cases([{"image": image} for image in found.test], found.labels)
    assert (found.name, found.labels, found.modality) == ("Noise", {0: "background", 1: "bright"}, {0: "MRI"})
    assert [Path(case["image"]).name for case in found.training] == [f"noise_00{i}.nii.gz" for i in (1, 2, 3)]
    assert [Path(image).name for image in found.test] == ["noise_004.nii.gz", "noise_005.nii.gz"]


def test_each_file_has_the_stream_that_it_always_had(folder):
    """Users have folders of before, which must be those that are drawn today."""
    streams = {"imagesTr/noise_003": ((0, 2), ()), "imagesTs/noise_004": ((0, 0), (1,))}
    for name, (numbers, key) in streams.items():
        image, *_ = draw(np.random.default_rng(np.random.SeedSequence(numbers, spawn_key=key)), SIZE)
        np.testing.assert_array_equal(np.asanyarray(nibabel.load(folder / f"{name}.nii.gz").dataobj), image)


def test_files_hold_what_was_drawn(folder):
    image, label = (nibabel.load(folder / part / "noise_002.nii.gz") for part in ("imagesTr", "labelsTr"))
    assert (image.get_data_dtype(), label.get_data_dtype()) == (np.int16, np.uint8)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj) > 50, np.asanyarray(label.dataobj))
    np.testing.assert_allclose(image.affine, AFFINE)
    assert image.header.get_zooms() == pytest.approx((1.5, 1.5, 2))


def test_dataset_json_has_the_keys_of_the_real_ones(folder):
    index = json.loads((folder / "dataset.json").read_text())
    real = "name description reference licence release tensorImageSize modality labels numTraining numTest"
    assert set(index) == {*real.split(), "training", "test"}
    assert (index["numTraining"], index["numTest"]) == (3, 2)
    assert index["training"][0] == {"image": "./imagesTr/noise_001.nii.gz", "label": "./labelsTr/noise_001.nii.gz"}


def test_a_test_image_does_not_depend_on_the_number_of_labelled_cases(folder, tmp_path):
    few = noise().write(tmp_path, cases=1, test_cases=1)
    one, other = (
        nibabel.load(path) for path in (few / "imagesTs/noise_002.nii.gz", folder / "imagesTs/noise_004.nii.gz")
    )
    np.testing.assert_array_equal(np.asanyarray(one.dataobj), np.asanyarray(other.dataobj))


def test_an_older_version_is_refused(folder):
    with pytest.raises(DataError, match=r"'version': 1.* not the one asked for .*'version': 2"):
        noise(version=2).write(folder.parent)


def _write_and_report(root, barrier, results):
    barrier.wait()
    folder = noise(draw_slowly).write(root)
    check_cases(read_decathlon(folder).training, {0, 1})
    results.put(str(folder))


def test_two_processes_may_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    writers = [context.Process(target=_write_and_report, args=(tmp_path, barrier, results)) for _ in range(2)]
    for writer in writers:
        writer.start()
    found = [results.get(timeout=60) for _ in writers]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert found == [str(tmp_path / "Task00_Noise")] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["Task00_Noise"]


def test_sizes_are_drawn_within_their_ranges_ends_included(tmp_path):
    folder = noise().write(tmp_path, cases=60, test_cases=0, size=((16, 18), 20, (30, 31)))
    shapes = [nibabel.load(path).shape for path in folder.glob("imagesTr/*")]
    assert [set(axis) for axis in zip(*shapes, strict=True)] == [{16, 17, 18}, {20}, {30, 31}]


def test_a_tilt_turns_the_grid_about_its_middle(tmp_path):
    folder = noise().write(tmp_path, tilt=15)
    middle = [*((n - 1) / 2 for n in SIZE), 1]
    for path in folder.rglob("*.nii.gz"):
        turned = nibabel.load(path).affine
        np.testing.assert_allclose(turned @ middle, AFFINE @ middle, atol=1e-5)
        np.testing.assert_allclose(turned[:3, :3].T @ turned[:3, :3], np.diag([2.25, 2.25, 4]), atol=1e-6)
        assert np.abs(turned[:3, :3] - AFFINE[:3, :3]).max() > 0.1
        assert nibabel.aff2axcodes(turned) == ("R", "A", "S")


def test_cases_have_their_own_grids_spacings_and_tilts(tmp_path):
    folder = write_phantom("hippocampus", tmp_path, cases=3, test_cases=1, size=((20, 26), (24, 30), 18), tilt=15)
    images = [nibabel.load(path) for path in sorted(folder.glob("images*/*.nii.gz"))]
    assert len({image.shape for image in images}) > 1
    assert all(20 <= x <= 26 and 24 <= y <= 30 and z == 18 for x, y, z in (image.shape for image in images))
    for image in images:
        zooms = np.array(image.header.get_zooms())
        np.testing.assert_allclose(zooms * image.shape, (42, 56, 40), rtol=1e-5)  # the field of view stays
        assert np.abs(image.affine[:3, :3] - np.diag(zooms)).max() > 0.01
    label = nibabel.load(folder / "labelsTr" / "hippocampus_001.nii.gz")
    np.testing.assert_array_equal(label.affine, images[0].affine)
