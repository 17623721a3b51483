"""The phantom of RadImageNet goes through the reader of the real one."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_freq.data import check_images, read_radimagenet
from monai_freq.phantoms import write_radimagenet

SMALL = {"train": 12, "validation": 6, "test": 7, "size": 32}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def test_the_folder_passes_the_reader_and_the_check(tmp_path):
    folder = write_radimagenet(tmp_path, **SMALL)
    parts = read_radimagenet(folder)
    assert folder == tmp_path / "RadImageNet"
    assert {part: len(items) for part, items in parts.items()} == {"train": 12, "val": 6, "test": 7}
    for items in parts.values():
        check_images(items)
    assert np.bincount([item["label"] for item in parts["train"]]).tolist() == [2] * 6
    with Image.open(parts["train"][0]["image"]) as picture:
        assert (picture.mode, picture.size) == ("L", (32, 32))


def test_the_tables_are_like_the_real_ones(tmp_path):
    folder = write_radimagenet(tmp_path, **SMALL)
    listed = []
    for part in ("train", "val", "test"):
        with (folder / f"RadiologyAI_{part}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["filename", "label"]
        for row in rows:
            top, modality, anatomy, name, picture = row["filename"].split("/")
            assert (top, modality, anatomy, name) == ("radiology_ai", "CT", "abd", row["label"])
            assert picture.startswith(name)
            listed.append(row["filename"])
    assert len(set(listed)) == 25
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")} == set(listed)


def test_a_picture_depends_on_seed_part_and_number_alone(tmp_path):
    few = contents(write_radimagenet(tmp_path / "few", **SMALL | {"train": 6}))
    many = contents(write_radimagenet(tmp_path / "many", **SMALL))
    again = contents(write_radimagenet(tmp_path / "again", **SMALL))
    other = contents(write_radimagenet(tmp_path / "other", **SMALL | {"seed": 1}))
    assert many == again
    pictures = [name for name in many if name.endswith(".png")]
    assert len({many[name] for name in pictures}) == len(pictures)
    assert not {many[name] for name in pictures} & {other[name] for name in pictures}
    assert few["radiology_ai/CT/abd/ring/ring000003.png"] == many["radiology_ai/CT/abd/ring/ring000003.png"]
    assert sum(content in many.values() for name, content in few.items() if name.endswith(".png")) == 19


@pytest.mark.parametrize(("cue", "name"), [("texture", "stripes"), ("shape", "ring")])
def test_classes_are_named_after_their_cue(tmp_path, cue, name):
    parts = read_radimagenet(write_radimagenet(tmp_path, **SMALL, statistics="dead_leaves", cue=cue))
    names = {item["name"] for item in parts["train"]}
    assert len(names) == 6
    assert name in names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0}, "'train' must be at least 1, got 0"),
        ({"validation": 0}, "'validation' must be at least 1, got 0"),
        ({"size": 31}, "'size' must be at least 32, got 31"),
        ({"statistics": "rough"}, "'statistics' must be one of dead_leaves, smooth, got 'rough'"),
    ],
)
def test_settings_out_of_range(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_radimagenet(tmp_path, **change)
