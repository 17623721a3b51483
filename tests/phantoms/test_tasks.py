"""Every phantom is repeatable, holds no image twice, and is refused where its settings cannot be."""

import json
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import torch
from random_states import global_states

from monai_freq.data import DataError, check_cases, read_decathlon
from monai_freq.errors import UsageError
from monai_freq.phantoms import TASKS, write_phantom
from monai_freq.phantoms.complete_folder import RECORD

SCANS = ("heart", "spleen", "hippocampus", "red_nucleus", "dentate_nucleus")
#: task -> small settings
SMALL = {
    **{task: {"cases": 2, "test_cases": 1, "size": (24, 24, 16)} for task in SCANS},
    "kneemri": {"exams": 4, "slices": 16, "size": 64},
    "lodopab": {"train": 14, "validation": 2, "test": 4, "size": 32},
    "imagenet": {"images": 2, "size": 32},
    "radimagenet": {"train": 12, "validation": 6, "test": 7, "size": 32},
}
#: task -> what makes its number of images smaller
FEWER = {
    **{task: {"cases": 1} for task in SCANS},
    "kneemri": {"exams": 2},
    "lodopab": {"train": 8},
    "imagenet": {"images": 1},
    "radimagenet": {"train": 6},
}
#: task -> how the default data set has been recorded since its version
RECORDED = {
    "heart": {"version": 1, "cases": 20, "test_cases": 2, "size": [64, 64, 32], "seed": 0},
    "spleen": {"version": 1, "cases": 20, "test_cases": 2, "size": [64, 64, 32], "seed": 0},
    "hippocampus": {"version": 2, "cases": 60, "test_cases": 4, "size": [56, 56, 40], "seed": 0},
    "red_nucleus": {"version": 1, "cases": 24, "test_cases": 2, "size": [64, 64, 48], "seed": 0},
    "dentate_nucleus": {"version": 1, "cases": 24, "test_cases": 2, "size": [64, 64, 48], "seed": 0},
    "kneemri": {"name": "kneemri", "version": 1, "exams": 120, "slices": 24, "size": 128, "seed": 0},
    "lodopab": {"name": "lodopab", "version": 2, "train": 240, "validation": 80, "test": 480, "size": 128, "seed": 0},
    "imagenet": {
        **{"name": "imagenet", "version": 1, "images": 100, "size": 96, "seed": 0},
        **{"statistics": "dead_leaves", "cue": "texture"},
    },
    "radimagenet": {
        **{"name": "radimagenet", "version": 1, "train": 750, "val": 100, "test": 150, "size": 96, "seed": 0},
        **{"statistics": "smooth", "cue": "shape"},
    },
}
FOLDERS = {
    "heart": "Task02_Heart",
    "spleen": "Task09_Spleen",
    "hippocampus": "Task04_Hippocampus",
    "red_nucleus": "RedNucleus",
    "dentate_nucleus": "DentateNucleus",
    "kneemri": "KneeMRI",
    "lodopab": "LoDoPaB-CT",
    "imagenet": "ImageNet",
    "radimagenet": "RadImageNet",
}
LABELS = {
    "heart": ("MRI", "left atrium"),
    "spleen": ("CT", "spleen"),
    "hippocampus": ("MRI", "Anterior", "Posterior"),
    "red_nucleus": ("QSM", "red nucleus"),
    "dentate_nucleus": ("QSM", "dentate nucleus"),
}


@pytest.fixture(scope="module", params=FOLDERS)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def folder(task, tmp_path_factory):
    return write_phantom(task, tmp_path_factory.mktemp(task), **SMALL[task])


def images(folder: Path) -> list[bytes]:
    """Content of every image and label of a data set."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".gz", ".hdf5", ".pck", ".png")):
        if path.suffix == ".gz":
            image = nibabel.load(path)
            found.append(np.asanyarray(image.dataobj).tobytes() + image.affine.tobytes())
        elif path.suffix == ".hdf5":
            with h5py.File(path) as file:
                found += [image.tobytes() for image in file["data"]]
        else:
            found.append(path.read_bytes())
    return found


def test_all_tasks_are_tested():
    assert TASKS.keys() == SMALL.keys() == FEWER.keys() == RECORDED.keys() == FOLDERS.keys()


def test_the_folder_has_the_name_of_the_real_one(task, folder):
    assert folder.name == TASKS[task].folder == FOLDERS[task]
    assert folder.is_absolute()


def test_no_image_is_there_twice(folder):
    found = images(folder)
    assert len(set(found)) == len(found) >= 4


def test_only_the_settings_matter_and_no_global_state_changes(task, folder, tmp_path):
    torch.manual_seed(99)
    before = global_states()
    again = write_phantom(task, tmp_path, **SMALL[task])
    assert global_states() == before
    assert images(again) == images(folder)
    assert {path.relative_to(again) for path in again.rglob("*")} == {
        path.relative_to(folder) for path in folder.rglob("*")
    }


def test_another_seed_draws_other_images(task, folder, tmp_path):
    other = write_phantom(task, tmp_path, **SMALL[task], seed=1)
    assert not set(images(other)) & set(images(folder))


def test_an_image_does_not_depend_on_the_number_of_images(task, folder, tmp_path):
    many, few = images(folder), images(write_phantom(task, tmp_path, **SMALL[task] | FEWER[task]))
    same = set(few) & set(many)
    # A part of LoDoPaB-CT ends with the patient that fills it, who may have fewer slices.
    assert len(same) == len(few) or (task == "lodopab" and len(same) > 0.7 * len(few))
    assert len(few) < len(many)


def test_a_folder_that_is_there_is_used_and_one_of_other_settings_refused(task, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_phantom(task, folder.parent, **SMALL[task]) == folder
    with pytest.raises(DataError, match="holds a phantom with other settings"):
        write_phantom(task, folder.parent, **SMALL[task], seed=1)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_folders_of_before_are_found(task, tmp_path):
    """Users have folders that an older release has written: drawing them again would cost hours of training."""
    folder = tmp_path / FOLDERS[task]
    folder.mkdir()
    (folder / RECORD).write_text(json.dumps({"phantom": RECORDED[task], "files": []}))
    assert write_phantom(task, tmp_path) == folder
    assert [path.name for path in folder.iterdir()] == [RECORD]


@pytest.mark.parametrize("name", TASKS)
def test_the_settings_and_their_defaults_are_documented(name):
    text = write_phantom.__doc__
    row = text[text.index(f"``{name}``") :]
    for setting, default in TASKS[name].defaults.items():
        shown = default if isinstance(default, (str, tuple)) else f"{default:g}"
        shown = f'{setting}="{shown}"' if isinstance(default, str) else f"{setting}={shown}"
        assert setting == "seed" or shown in row[:400]


OUT_OF_RANGE = [
    ("heart", {"cases": 0}, r"'cases' must be at least 1, got 0"),
    ("heart", {"test_cases": -1}, r"'test_cases' must be at least 0, got -1"),
    ("heart", {"tilt": 45}, r"'tilt' is in degrees and must be in \[0, 30\], got 45"),
    ("heart", {"size": (64, 64)}, r"'size' must be three numbers of voxels .* got \(64, 64\)"),
    ("heart", {"size": (64, 64, 8)}, r"'size' must be three numbers .* at least 16, or pairs.* got \(64, 64, 8\)"),
    ("heart", {"size": ((20, 16), 16, 16)}, "'size' must be three numbers .* or pairs of the lowest and highest"),
    ("heart", {"size": ((12, 16), 16, 16)}, "'size' must be three numbers .* or pairs"),
    ("heart", {"size": ((16, 17, 18), 16, 16)}, "'size' must be three numbers .* or pairs"),
    ("kneemri", {"exams": 0}, "'exams' must be at least 1, got 0"),
    ("kneemri", {"slices": 8}, "'slices' must be at least 16, got 8"),
    ("kneemri", {"size": 32}, "'size' must be at least 64, got 32"),
    ("lodopab", {"train": 0}, "'train' must be at least 1, got 0"),
    ("lodopab", {"validation": 0}, "'validation' must be at least 1, got 0"),
    ("lodopab", {"test": -1}, "'test' must be at least 1, got -1"),
    ("lodopab", {"size": 16}, "'size' must be at least 32, got 16"),
    ("imagenet", {"images": 0}, "'images' must be at least 1, got 0"),
    ("imagenet", {"size": 16}, "'size' must be at least 32, got 16"),
    ("imagenet", {"statistics": "natural"}, "'statistics' must be one of dead_leaves, smooth, got 'natural'"),
    ("imagenet", {"cue": "colour"}, "'cue' must be one of texture, shape, got 'colour'"),
    ("radimagenet", {"train": 0}, "'train' must be at least 1, got 0"),
    ("radimagenet", {"validation": 0}, "'validation' must be at least 1, got 0"),
    ("radimagenet", {"size": 31}, "'size' must be at least 32, got 31"),
    ("radimagenet", {"statistics": "rough"}, "'statistics' must be one of dead_leaves, smooth, got 'rough'"),
    ("lung", {}, "There is no phantom 'lung'; there are heart, spleen, "),
    ("heart", {"exams": 3}, "Task02_Heart has no setting 'exams', but cases, test_cases, size, seed, tilt"),
    *((task, {"seed": -1}, "'seed' must be at least 0, got -1") for task in TASKS),
]


@pytest.mark.parametrize(("task", "change", "message"), OUT_OF_RANGE)
def test_settings_out_of_range(tmp_path, task, change, message):
    with pytest.raises(UsageError, match=message):
        write_phantom(task, tmp_path, **change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", LABELS, indirect=True)
def test_scans_pass_the_reader_and_the_check(task, folder):
    found = read_decathlon(folder)
    check_cases(found.training, found.labels, channels=1)
    assert (len(found.training), len(found.test)) == (2, 1)
    modality, *labels = LABELS[task]
    assert found.labels == dict(enumerate(("background", *labels)))
    assert found.modality == {0: modality}
