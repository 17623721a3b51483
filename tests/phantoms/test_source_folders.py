"""The phantoms of ImageNet and RadImageNet go through the readers of the real ones."""

import csv

import numpy as np
import pytest
from PIL import Image

from monai_freq.data import (
    SUPERCLASSES,
    check_images,
    read_image,
    read_imagenet,
    read_radimagenet,
    superclass_labels,
)
from monai_freq.phantoms import write_phantom
from monai_freq.phantoms.source_folders import WNIDS

SMALL = {"train": 12, "validation": 6, "test": 7, "size": 32}


def test_imagenet_passes_the_reader_and_the_check(tmp_path):
    folder = write_phantom("imagenet", tmp_path, images=2, size=32)
    items = read_imagenet(folder)
    assert folder == tmp_path / "ImageNet"
    assert len(items) == 20
    assert {item["wnid"]: item["label"] for item in items} == {wnid: i for i, wnid in enumerate(sorted(WNIDS))}
    check_images(items)
    assert read_image(items[0]["image"], channels=3).size == 32 * 32 * 3
    with Image.open(items[0]["image"]) as picture:
        assert (picture.mode, picture.size) == ("RGB", (32, 32))


def test_the_tree_merges_the_classes_to_three(tmp_path):
    folder = write_phantom("imagenet", tmp_path, images=1, size=32)
    labels = superclass_labels(WNIDS, folder / "wordnet.is_a.txt")
    assert [labels[wnid] for wnid in WNIDS] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(SUPERCLASSES) == 3
    merged = read_imagenet(folder, folder / "wordnet.is_a.txt")
    assert np.bincount([item["label"] for item in merged]).tolist() == [4, 3, 3]


@pytest.mark.parametrize("statistics", ["dead_leaves", "smooth"])
@pytest.mark.parametrize("cue", ["texture", "shape"])
def test_the_four_of_the_control(tmp_path, statistics, cue):
    folder = write_phantom("imagenet", tmp_path, images=1, size=32, statistics=statistics, cue=cue)
    pixels = np.stack([read_image(item["image"], channels=3).astype(float) for item in read_imagenet(folder)])
    axis = pixels[0].shape.index(3)
    coloured = np.ptp(pixels, axis=1 + axis).mean() > 5
    assert coloured == (statistics == "dead_leaves")


def test_radimagenet_passes_the_reader_and_the_check(tmp_path):
    folder = write_phantom("radimagenet", tmp_path, **SMALL)
    parts = read_radimagenet(folder)
    assert folder == tmp_path / "RadImageNet"
    assert {part: len(items) for part, items in parts.items()} == {"train": 12, "val": 6, "test": 7}
    for items in parts.values():
        check_images(items)
    assert np.bincount([item["label"] for item in parts["train"]]).tolist() == [2] * 6
    with Image.open(parts["train"][0]["image"]) as picture:
        assert (picture.mode, picture.size) == ("L", (32, 32))


def test_the_tables_are_like_the_real_ones(tmp_path):
    folder = write_phantom("radimagenet", tmp_path, **SMALL)
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


@pytest.mark.parametrize(("cue", "name"), [("texture", "stripes"), ("shape", "ring")])
def test_classes_are_named_after_their_cue(tmp_path, cue, name):
    parts = read_radimagenet(write_phantom("radimagenet", tmp_path, **SMALL, statistics="dead_leaves", cue=cue))
    names = {item["name"] for item in parts["train"]}
    assert len(names) == 6
    assert name in names
