"""RadImageNet's tables: one set of classes for three parts, and each picture once."""

import random
from functools import partial

import pytest
import refusals
from PIL import Image

from monai_freq.data import DataError, check_images, read_radimagenet

NAMES = ["liver_cyst", "abd_normal", "knee_tear"]


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 9), ("val", 3), ("test", 3)):
        lines = []
        for number in range(count):
            name = NAMES[number % 3]
            path = f"radiology_ai/CT/{part}/{name}/{number}.png"
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), number).save(tmp_path / path)
            lines.append(f"{path},{name}")
        write(tmp_path, part, lines)
    return tmp_path


def write(folder, part, lines, header="filename,label"):
    (folder / f"RadiologyAI_{part}.csv").write_text("\n".join([header, *lines]) + "\n")


def lines_of(folder, part):
    return (folder / f"RadiologyAI_{part}.csv").read_text().splitlines()[1:]


refusal = partial(refusals.refusal, read_radimagenet)


def test_parts_share_their_classes(folder):
    parts = read_radimagenet(folder)
    assert {part: len(items) for part, items in parts.items()} == {"train": 9, "val": 3, "test": 3}
    for items in parts.values():
        assert {item["name"]: item["label"] for item in items} == {"abd_normal": 0, "knee_tear": 1, "liver_cyst": 2}
    path = f"{folder}/radiology_ai/CT/val/liver_cyst/0.png"
    assert parts["val"][0] == {"image": path, "label": 2, "name": "liver_cyst"}
    check_images([item for items in parts.values() for item in items], size=(8, 8))


def test_numbers_are_sorted_as_numbers(folder):
    for part in ("train", "val", "test"):
        lines = [line.replace("liver_cyst,", "x,").rsplit(",", 1)[0] for line in lines_of(folder, part)]
        write(folder, part, [f"{line},{(2, 10, 9)[number % 3]}" for number, line in enumerate(lines)])
    found = {item["name"]: item["label"] for item in read_radimagenet(folder)["test"]}
    assert found == {"2": 0, "9": 1, "10": 2}


def test_classes_in_the_order_given(folder):
    found = read_radimagenet(folder, classes=[*NAMES, "other"])["val"]
    assert [item["label"] for item in found] == [0, 1, 2]


def test_a_label_outside_the_set(folder):
    write(folder, "val", [*lines_of(folder, "val")[:2], lines_of(folder, "val")[2].replace("knee_tear", "brain", 2)])
    assert "RadiologyAI_val.csv" in refusal(folder)
    assert "'label' in line 4" in refusal(folder)
    assert "must be one of the 3 classes" in refusal(folder)
    assert "'label' in line 3 of" in refusal(folder, classes=["liver_cyst"])


def test_labels_that_differ_in_case_alone_are_no_two_classes(folder):
    first, *others = lines_of(folder, "train")
    name = first.rpartition(",")[2]
    write(folder, "train", [f"{first.rpartition(',')[0]},{name.title()}", first.replace("train", "val"), *others])
    assert f"has the labels '{name.title()}' and '{name}', alike but for their case" in refusal(folder)


def test_more_classes_than_there_are(folder):
    lines = [f"radiology_ai/CT/train/liver_cyst/0.png,c{number}" for number in range(166)]
    write(folder, "train", lines)
    assert "RadiologyAI_train.csv has 166 different labels, RadImageNet 165" in refusal(folder)
    write(folder, "train", [])
    assert "RadiologyAI_train.csv has 0 different labels" in refusal(folder)
    for classes in ([str(number) for number in range(166)], ["a", "a"], ["a", "A"]):
        with pytest.raises(ValueError, match="'classes' must be at most 165 different names"):
            read_radimagenet(folder, classes=classes)


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("column", ["filename", "label"])
def test_a_missing_column_or_table(folder, part, column):
    write(folder, part, [], "filename,label".replace(column, "other"))
    assert f"RadiologyAI_{part}.csv has no column '{column}'" in refusal(folder)
    (folder / f"RadiologyAI_{part}.csv").unlink()
    assert f"RadiologyAI_{part}.csv is missing" in refusal(folder)


def test_a_listed_picture_that_is_missing(folder):
    (folder / "radiology_ai/CT/test/knee_tear/2.png").unlink()
    message = refusal(folder)
    assert "'filename' in line 4 of" in message
    assert "'radiology_ai/CT/test/knee_tear/2.png'" in message
    assert "It is missing" in message


@pytest.mark.parametrize("path", ["../x.png", "/etc/passwd", "radiology_ai/../../x.png", ".", "a\0b.png"])
def test_a_path_that_leaves_the_folder(folder, path):
    write(folder, "val", [f"{path},knee_tear"])
    assert "must be a path that stays inside" in refusal(folder)


def test_a_picture_in_two_parts_or_twice_in_one(folder):
    first = lines_of(folder, "train")[4]
    write(folder, "test", [*lines_of(folder, "test"), first])
    assert "must not be listed again: it is in line 6 of RadiologyAI_train.csv" in refusal(folder)
    write(folder, "train", [*lines_of(folder, "train"), first.replace("CT/", "CT/./")])
    assert "'filename' in line 11 of" in refusal(folder)


def test_an_image_that_is_no_image(folder):
    (folder / "radiology_ai/CT/val/knee_tear/2.png").write_text("no picture")
    with pytest.raises(DataError, match=r"val/knee_tear/2.png cannot be read as an image"):
        check_images(read_radimagenet(folder)["val"])


def test_mutated_tables_are_read_or_refused(folder):
    table, chance, refusals = folder / "RadiologyAI_val.csv", random.Random(0), []
    whole = table.read_bytes()
    for _ in range(400):
        mutated = bytearray(whole)
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        table.write_bytes(mutated)
        try:
            assert all(item["label"] in (0, 1, 2) for item in read_radimagenet(folder)["val"])
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    assert all(str(folder) in message for message in refusals)


def test_a_picture_under_another_path(folder):
    first = lines_of(folder, "train")[0].partition(",")[0]
    (folder / "linked").symlink_to(folder / "radiology_ai")
    (folder / "radiology_ai/CT/val/link.png").symlink_to(folder / first)
    for path in (first.replace("radiology_ai", "linked"), "radiology_ai/CT/val/link.png"):
        write(folder, "test", [f"{path},knee_tear"])
        assert "must not be listed again: it is in line 2 of RadiologyAI_train.csv" in refusal(folder)


@pytest.mark.parametrize("again", ["label", "Label ", "filename"])
def test_a_column_that_occurs_twice_is_refused(folder, again):
    write(
        folder, "val", [f"{line},{line.split(',')[1]}" for line in lines_of(folder, "val")], f"filename,label,{again}"
    )
    assert f"RadiologyAI_val.csv has 2 columns '{again.strip().lower()}'" in refusal(folder)


def test_pictures_beside_those_of_the_tables_are_counted(folder, caplog):
    caplog.set_level("INFO")
    read_radimagenet(folder)
    assert caplog.messages == []
    write(folder, "val", lines_of(folder, "val")[1:])
    for name in ("more.png", ".hidden.png"):
        (folder / "radiology_ai/CT/train/liver_cyst" / name).touch()
    (folder / "radiology_ai/CT/train/liver_cyst/folder").mkdir()
    read_radimagenet(folder)
    assert caplog.messages == [f"1 files beside the listed ones in {folder} are in no table: not used."]
