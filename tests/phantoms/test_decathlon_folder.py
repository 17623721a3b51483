"""A generated Decathlon folder reads like a real one, and is taken for nothing else."""

import json
import multiprocessing
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_freq.data import DataError, check_cases, read_decathlon
from monai_freq.phantoms.decathlon_folder import PhantomTask, write_decathlon_folder

SIZE = (16, 18, 20)
AFFINE = np.array([[1.5, 0, 0, -10], [0, 1.5, 0, 5], [0, 0, 2, 30], [0, 0, 0, 1.0]])
SETTINGS = {"cases": 3, "test_cases": 2, "size": SIZE, "seed": 0}


def draw(rng, size):
    image = rng.integers(0, 100, size).astype(np.int16)
    return image, (image > 50).astype(np.uint8), AFFINE


def draw_slowly(rng, size):
    time.sleep(0.1)
    return draw(rng, size)


def task(draw_case=draw, version=1):
    return PhantomTask("Task00_Noise", "noise", "Noise", "Bright voxels", "MRI", ("dark", "bright"), version, draw_case)


def voxels(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): np.asanyarray(nibabel.load(path).dataobj).tobytes()
        for path in sorted(folder.rglob("*.nii.gz"))
    }


def never(rng, size):
    raise AssertionError("a folder that is there must not be drawn again")


def test_the_folder_passes_the_reader_and_the_check(tmp_path):
    found = read_decathlon(write_decathlon_folder(tmp_path / "new" / "root", task(), **SETTINGS))
    check_cases(found.training, found.labels)
    check_cases([{"image": image} for image in found.test], found.labels)
    assert found.root == tmp_path / "new" / "root" / "Task00_Noise"
    assert (found.name, found.labels, found.modality) == ("Noise", {0: "dark", 1: "bright"}, {0: "MRI"})
    assert [Path(case["image"]).name for case in found.training] == [f"noise_00{i}.nii.gz" for i in (1, 2, 3)]
    assert [Path(image).name for image in found.test] == ["noise_004.nii.gz", "noise_005.nii.gz"]


def test_each_file_has_the_stream_that_it_always_had(tmp_path):
    """Users have folders of before, which must be those that are drawn today."""
    folder = write_decathlon_folder(tmp_path, task(), **SETTINGS)
    streams = {"imagesTr/noise_003": ((0, 2), ()), "imagesTs/noise_004": ((0, 0), (1,))}
    for name, (numbers, key) in streams.items():
        image, *_ = draw(np.random.default_rng(np.random.SeedSequence(numbers, spawn_key=key)), SIZE)
        np.testing.assert_array_equal(np.asanyarray(nibabel.load(folder / f"{name}.nii.gz").dataobj), image)


def test_files_hold_what_was_drawn(tmp_path):
    folder = write_decathlon_folder(tmp_path, task(), **SETTINGS)
    image, label = (nibabel.load(folder / part / "noise_002.nii.gz") for part in ("imagesTr", "labelsTr"))
    assert (image.get_data_dtype(), label.get_data_dtype()) == (np.int16, np.uint8)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj) > 50, np.asanyarray(label.dataobj))
    np.testing.assert_allclose(image.affine, AFFINE)
    assert image.header.get_zooms() == pytest.approx((1.5, 1.5, 2))


def test_dataset_json_has_the_keys_of_the_real_ones(tmp_path):
    index = json.loads((write_decathlon_folder(tmp_path, task(), **SETTINGS) / "dataset.json").read_text())
    real = "name description reference licence release tensorImageSize modality labels numTraining numTest"
    assert set(index) == {*real.split(), "training", "test"}
    assert (index["numTraining"], index["numTest"]) == (3, 2)
    assert index["training"][0] == {"image": "./imagesTr/noise_001.nii.gz", "label": "./labelsTr/noise_001.nii.gz"}


def test_a_case_depends_on_seed_and_number_alone(tmp_path):
    few = voxels(write_decathlon_folder(tmp_path / "few", task(), **SETTINGS | {"cases": 1, "test_cases": 1}))
    many = voxels(write_decathlon_folder(tmp_path / "many", task(), **SETTINGS))
    other = voxels(write_decathlon_folder(tmp_path / "other", task(), **SETTINGS | {"seed": 1}))
    assert few["imagesTr/noise_001.nii.gz"] == many["imagesTr/noise_001.nii.gz"]
    assert few["imagesTs/noise_002.nii.gz"] == many["imagesTs/noise_004.nii.gz"]
    assert len(set(many.values())) == len(many) == 8
    assert not set(many.values()) & set(other.values())


def test_a_folder_that_is_there_is_used(tmp_path):
    folder = write_decathlon_folder(tmp_path, task(), **SETTINGS)
    assert write_decathlon_folder(tmp_path, task(never), **SETTINGS) == folder


@pytest.mark.parametrize("change", [{"cases": 4}, {"test_cases": 0}, {"size": (16, 16, 16)}, {"seed": 1}])
def test_other_settings_are_refused_and_nothing_is_touched(tmp_path, change):
    folder = write_decathlon_folder(tmp_path, task(), **SETTINGS)
    before = voxels(folder)
    with pytest.raises(DataError) as caught:
        write_decathlon_folder(tmp_path, task(), **SETTINGS | change)
    message = str(caught.value)
    assert message.startswith(f"{folder} holds a phantom with other settings")
    assert "Delete or move that folder" in message
    assert len(message.splitlines()) == 2
    assert voxels(folder) == before


def test_an_older_version_is_refused(tmp_path):
    write_decathlon_folder(tmp_path, task(), **SETTINGS)
    with pytest.raises(DataError, match=r"'version': 1.* not the one asked for .*'version': 2"):
        write_decathlon_folder(tmp_path, task(version=2), **SETTINGS)


def test_a_phantom_with_a_file_deleted_is_refused(tmp_path):
    folder = write_decathlon_folder(tmp_path, task(), **SETTINGS)
    (folder / "labelsTr" / "noise_003.nii.gz").unlink()
    with pytest.raises(DataError, match=r"labelsTr/noise_003.nii.gz is missing .*\nDelete that folder"):
        write_decathlon_folder(tmp_path, task(), **SETTINGS)


def _write_and_report(root, barrier, results):
    barrier.wait()
    folder = write_decathlon_folder(root, task(draw_slowly), **SETTINGS)
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


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nibabel, "save", full)
    with pytest.raises(DataError, match=r"No space left on device.\n.*\$MONAI_FREQ_CACHE"):
        write_decathlon_folder(tmp_path, task(), **SETTINGS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cases": 0}, "'cases' must be at least 1, got 0"),
        ({"test_cases": -1}, "'test_cases' must be at least 0, got -1"),
        ({"seed": -1}, "'seed' must be at least 0, got -1"),
        ({"size": (64, 64)}, r"'size' must be three numbers .* got \(64, 64\)"),
        ({"size": (64, 64, 8)}, r"'size' must be three numbers .* at least 16, .* got \(64, 64, 8\)"),
    ],
)
def test_settings_out_of_range(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_decathlon_folder(tmp_path, task(never), **SETTINGS | change)
