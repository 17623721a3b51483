"""The phantom of ImageNet goes through the reader of the real one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_freq.data import SUPERCLASSES, DataError, check_images, read_image, read_imagenet, superclass_labels
from monai_freq.phantoms import write_imagenet
from monai_freq.phantoms.imagenet import WNIDS


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def test_the_folder_passes_the_reader_and_the_check(tmp_path):
    folder = write_imagenet(tmp_path, images=2, size=32)
    items = read_imagenet(folder)
    assert folder == tmp_path / "ImageNet"
    assert len(items) == 20
    assert {item["wnid"]: item["label"] for item in items} == {wnid: i for i, wnid in enumerate(sorted(WNIDS))}
    check_images(items)
    assert read_image(items[0]["image"], channels=3).size == 32 * 32 * 3
    with Image.open(items[0]["image"]) as picture:
        assert (picture.mode, picture.size) == ("RGB", (32, 32))


def test_the_tree_merges_the_classes_to_three(tmp_path):
    folder = write_imagenet(tmp_path, images=1, size=32)
    labels = superclass_labels(WNIDS, folder / "wordnet.is_a.txt")
    assert [labels[wnid] for wnid in WNIDS] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(SUPERCLASSES) == 3
    merged = read_imagenet(folder, folder / "wordnet.is_a.txt")
    assert np.bincount([item["label"] for item in merged]).tolist() == [4, 3, 3]


def test_a_picture_depends_on_seed_class_and_number_alone(tmp_path):
    few = contents(write_imagenet(tmp_path / "few", images=1, size=32))
    many = contents(write_imagenet(tmp_path / "many", images=2, size=32))
    again = contents(write_imagenet(tmp_path / "again", images=2, size=32))
    other = contents(write_imagenet(tmp_path / "other", images=1, size=32, seed=1))
    pictures = {name for name in few if name.endswith(".png")}
    assert many == again
    assert len(pictures) == 10
    assert all(few[name] == many[name] != other[name] for name in pictures)
    assert len(set(many.values())) == len(many)


@pytest.mark.parametrize("statistics", ["dead_leaves", "smooth"])
@pytest.mark.parametrize("cue", ["texture", "shape"])
def test_the_four_of_the_control(tmp_path, statistics, cue):
    folder = write_imagenet(tmp_path, images=1, size=32, statistics=statistics, cue=cue)
    pixels = np.stack([read_image(item["image"], channels=3).astype(float) for item in read_imagenet(folder)])
    axis = pixels[0].shape.index(3)
    coloured = np.ptp(pixels, axis=1 + axis).mean() > 5
    assert coloured == (statistics == "dead_leaves")
    if (statistics, cue) != ("dead_leaves", "texture"):
        with pytest.raises(DataError, match="other settings"):
            write_imagenet(tmp_path, images=1, size=32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 0}, "'images' must be at least 1, got 0"),
        ({"seed": -1}, "'seed' must be at least 0, got -1"),
        ({"size": 16}, "'size' must be at least 32, got 16"),
        ({"statistics": "natural"}, "'statistics' must be one of dead_leaves, smooth, got 'natural'"),
        ({"cue": "colour"}, "'cue' must be one of texture, shape, got 'colour'"),
    ],
)
def test_settings_out_of_range(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_imagenet(tmp_path, **change)
    assert list(tmp_path.iterdir()) == []
