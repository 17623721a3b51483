"""A Decathlon folder is read as listed, and whatever is wrong with it is named."""

import dataclasses
import json
from pathlib import Path

import pytest
from documents import blocks

from monai_freq.data import DataError, Decathlon, read_decathlon


def _index() -> dict:
    cases = [{"image": f"./imagesTr/la_{i:03}.nii.gz", "label": f"./labelsTr/la_{i:03}.nii.gz"} for i in (7, 3, 10)]
    return {
        "name": "LeftAtrium",
        "description": "Left Atrium Segmentation",
        "reference": "King’s College London",
        "licence": "CC-BY-SA 4.0",
        "relase": "1.0 04/05/2018",
        "tensorImageSize": "3D",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "left atrium"},
        "numTraining": 3,
        "numTest": 1,
        "training": cases,
        "test": ["./imagesTs/la_001.nii.gz"],
    }


@pytest.fixture
def index() -> dict:
    return _index()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "Task02_Heart"
    content = _index()
    for entry in [path for case in content["training"] for path in case.values()] + content["test"]:
        path = root / entry
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write(root, content)
    return root


def write(root: Path, content: object) -> None:
    (root / "dataset.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_decathlon(root)
    message = str(caught.value)
    assert len(message.splitlines()) <= 3
    return message


def test_everything_is_read_in_the_order_listed(folder):
    found = read_decathlon(folder)
    assert found == Decathlon(
        root=folder,
        name="LeftAtrium",
        labels={0: "background", 1: "left atrium"},
        modality={0: "MRI"},
        training=tuple(
            {"image": f"{folder}/imagesTr/la_{i}.nii.gz", "label": f"{folder}/labelsTr/la_{i}.nii.gz"}
            for i in ("007", "003", "010")
        ),
        test=(f"{folder}/imagesTs/la_001.nii.gz",),
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.name = "other"


def test_relative_folders_give_absolute_paths(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert read_decathlon("Task02_Heart") == read_decathlon(folder)


def test_companions_of_macos_are_skipped(folder, index):
    expected = read_decathlon(folder)
    index["training"].insert(0, {"image": "./imagesTr/._la_007.nii.gz", "label": "./labelsTr/._la_007.nii.gz"})
    index["test"].insert(0, "./imagesTs/._la_001.nii.gz")
    write(folder, index)
    assert read_decathlon(folder) == expected


def test_a_byte_order_mark_is_no_obstacle(folder):
    expected = read_decathlon(folder)
    content = (folder / "dataset.json").read_bytes()
    (folder / "dataset.json").write_bytes(b"\xef\xbb\xbf" + content)
    assert read_decathlon(folder) == expected


def test_a_missing_test_list_is_empty(folder, index):
    del index["test"]
    write(folder, index)
    assert read_decathlon(folder).test == ()


def test_a_folder_that_does_not_exist(tmp_path):
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message
    assert "medicaldecathlon.com" in message
    assert "--dataset_dir" in message


def test_an_archive_instead_of_a_folder(tmp_path):
    (tmp_path / "Task02_Heart.tar").touch()
    message = refusal(tmp_path / "Task02_Heart.tar")
    assert "Task02_Heart.tar is a file" in message
    assert "Unpack" in message


def test_the_parent_of_a_task_names_the_task(folder):
    message = refusal(folder.parent)
    assert "holds no dataset.json" in message
    assert f"Did you mean {folder}?" in message


def test_a_folder_without_index_or_tasks(tmp_path):
    message = refusal(tmp_path)
    assert f"{tmp_path} holds no dataset.json" in message
    assert "Did you mean" not in message


def test_broken_json_names_line_and_column(folder):
    (folder / "dataset.json").write_text('{\n  "name": "LeftAtrium",\n  "labels": {"0" "background"}\n}')
    message = refusal(folder)
    assert str(folder / "dataset.json") in message
    assert "line 3, column 18" in message


def test_an_index_in_another_encoding(folder):
    (folder / "dataset.json").write_bytes('{"reference": "King’s"}'.encode("cp1252"))
    assert "dataset.json cannot be read" in refusal(folder)


def test_an_index_that_is_a_list(folder):
    write(folder, [1, 2])
    assert "dataset.json must be an object, got [1, 2]" in refusal(folder)


@pytest.mark.parametrize("key", ["name", "labels", "modality", "training"])
def test_a_missing_key_is_named(folder, index, key):
    del index[key]
    write(folder, index)
    assert f"The key '{key}' is missing in {folder / 'dataset.json'}" in refusal(folder)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("name", 3, "'name' in {file} must be a string, got 3"),
        ("labels", ["background", "left atrium"], "'labels' in {file} must be an object"),
        ("labels", {"background": 0}, "'labels' in {file} must be an object"),
        ("labels", {"0": 1}, "'labels' in {file} must be an object"),
        ("modality", {}, "'modality' in {file} must be an object"),
        ("training", {"image": "a"}, "'training' in {file} must be a list"),
        ("training", ["./imagesTr/la_007.nii.gz"], "An entry of 'training' in {file} must be an object"),
        ("training", [{"image": "./imagesTr/la_007.nii.gz"}], "An entry of 'training' in {file} must be an object"),
        ("training", [{"image": 1, "label": 2}], "An entry of 'training' in {file} must be an object"),
        ("test", "./imagesTs", "'test' in {file} must be a list"),
        ("test", [5], "An entry of 'test' in {file} must be a path, got 5"),
    ],
)
def test_a_value_of_another_type_is_named(folder, index, key, value, expected):
    write(folder, index | {key: value})
    assert expected.format(file=folder / "dataset.json") in refusal(folder)


def test_a_long_wrong_value_is_shortened(folder, index):
    write(folder, index | {"name": ["x" * 5000]})
    assert len(refusal(folder)) < 400


@pytest.mark.parametrize("companions", [[], [{"image": "imagesTr/._a.nii.gz", "label": "labelsTr/._a.nii.gz"}]])
def test_an_empty_training_list(folder, index, companions):
    write(folder, index | {"training": companions})
    assert f"The list 'training' in {folder / 'dataset.json'} is empty" in refusal(folder)


@pytest.mark.parametrize("escape", ["../other/la_001.nii.gz", "imagesTr/../../la_001.nii.gz", "/etc/hostname", "."])
@pytest.mark.parametrize("part", ["image", "label"])
def test_paths_may_not_leave_the_folder(folder, index, escape, part):
    index["training"][1][part] = escape
    write(folder, index)
    message = refusal(folder)
    assert repr(escape) in message
    assert "leaves the folder" in message


def test_test_images_may_not_leave_the_folder(folder, index):
    write(folder, index | {"test": ["../la_001.nii.gz"]})
    assert "leaves the folder" in refusal(folder)


def test_an_absolute_path_inside_the_folder_is_fine(folder, index):
    expected = read_decathlon(folder)
    index["test"] = [f"{folder}/imagesTs/la_001.nii.gz"]
    write(folder, index)
    assert read_decathlon(folder) == expected


def test_missing_files_are_counted_and_the_first_is_named(folder):
    (folder / "labelsTr/la_003.nii.gz").unlink()
    message = refusal(folder)
    assert message.startswith("labelsTr/la_003.nii.gz is listed in")
    (folder / "imagesTr/la_010.nii.gz").unlink()
    (folder / "imagesTs/la_001.nii.gz").unlink()
    assert "labelsTr/la_003.nii.gz (and 2 more) is listed in" in refusal(folder)


def test_a_missing_file_may_be_taken_out_of_the_list(folder):
    (folder / "labelsTr/la_003.nii.gz").unlink()
    assert refusal(folder).endswith("but missing. Unpack the archive again, or take it out of dataset.json.")


def test_the_script_of_the_documentation_lists_what_has_a_label(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = {
        "imagesTr": ["a.nii.gz", "b.nii", "c 1.nii", "d.nii.gz", "._a.nii.gz", "e.nii.gz", "a.nii.txt"],
        "labelsTr": ["a.nii.gz", "b.nii", "c 1.nii.gz", "._a.nii.gz", "._d.nii.gz"],
        "imagesTs": ["x.nii", "w.nii.gz", "._x.nii"],
    }
    for part, names in files.items():
        Path("MyAtria", part).mkdir(parents=True)
        for name in names:
            Path("MyAtria", part, name).touch()
    (script,) = blocks("docs/own_data.md", "python")
    exec(compile(script.text, "docs/own_data.md", "exec"), {})
    found = read_decathlon("MyAtria")
    listed = [[Path(case[part]).name for part in ("image", "label")] for case in found.training]
    assert listed == [["a.nii.gz"] * 2, ["b.nii"] * 2, ["c 1.nii", "c 1.nii.gz"]]
    assert [Path(path).name for path in found.test] == ["w.nii.gz", "x.nii"]
    left_out = capsys.readouterr().out.splitlines()
    assert [line.rpartition(": ")[2] for line in left_out] == ["./imagesTr/d.nii.gz", "./imagesTr/e.nii.gz"]


@pytest.mark.parametrize("again", ["imagesTr/la_003.nii.gz", "./imagesTr/../imagesTr/la_003.nii.gz"])
def test_an_image_listed_twice(folder, index, again):
    index["training"].append({"image": again, "label": "./labelsTr/la_010.nii.gz"})
    write(folder, index)
    assert "lists the image imagesTr/la_003.nii.gz more than once" in refusal(folder)


def test_a_training_image_among_the_test_images(folder, index):
    index["test"].append("./imagesTr/la_007.nii.gz")
    write(folder, index)
    assert "lists the image imagesTr/la_007.nii.gz more than once" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": ' + "9" * 5000 + "}", "cannot be read: Exceeds the limit"),
        (
            '{"training": [{"image": "dataset.json", "label": "dataset.json"}], "name": "", "labels": {"%s": ""}}'
            % ("9" * 5000),
            "'labels' in",
        ),
        ("[" * 100_000, "cannot be read: maximum recursion depth exceeded"),
        (
            '{"training": [{"image": "%s.nii", "label": "b.nii"}]}' % ("a" * 70_000),
            r"aaa\.\.\. \(and 1 more\) is listed in",
        ),
        (
            '{"training": [{"image": "a\\u001b[2J\\nb", "label": "b.nii"}]}',
            r"a\\x1b\[2J\\nb \(and 1 more\) is listed in",
        ),
        ('{"training": [{"image": "../%s", "label": "b"}]}' % ("a" * 70_000), r"aaa\.\.\.', which leaves the folder"),
    ],
)
def test_what_is_hostile_in_the_list_is_refused_in_a_short_message(tmp_path, text, says):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        read_decathlon(tmp_path)
    assert len(str(caught.value)) < 500
    assert str(caught.value).replace("\n", "").isprintable()
