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


def test_a_break_in_a_name_is_named_with_its_place(folder):
    (folder / "dataset.json").write_text('{"name": "a\nb"}')
    assert "is not valid JSON: Invalid control character at line 1, column 12." in refusal(folder)


def test_a_missing_file_may_be_taken_out_of_the_list(folder):
    (folder / "labelsTr/la_003.nii.gz").unlink()
    assert refusal(folder).endswith("but missing. Unpack the archive again, or take it out of dataset.json.")


def test_the_script_of_the_documentation_lists_what_has_a_label(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = {
        "imagesTr": ["a.nii.gz", "b.nii", "c 1.nii", "d.nii.gz", "._a.nii.gz", "e.nii.gz", "a.nii.txt", "G.NII.GZ"],
        "labelsTr": ["a.nii.gz", "b.nii", "c 1.nii.gz", "._a.nii.gz", "._d.nii.gz", "f.nii", "g.nii"],
        "imagesTs": ["x.nii", "w.nii.gz", "\x1b[2J.nii.txt"],
    }
    for part, names in files.items():
        Path("MyAtria", part).mkdir(parents=True)
        for name in names:
            Path("MyAtria", part, name).touch()
    Path("MyAtria/imagesTr/h.nii").mkdir()
    (script,) = blocks("docs/own_data.md", "python")
    write_index = compile(script.text, "docs/own_data.md", "exec")
    exec(write_index, {})
    found = read_decathlon("MyAtria")
    listed = [[Path(case[part]).name for part in ("image", "label")] for case in found.training]
    assert sorted(listed) == [["G.NII.GZ", "g.nii"], ["a.nii.gz"] * 2, ["b.nii"] * 2, ["c 1.nii", "c 1.nii.gz"]]
    assert [Path(path).name for path in found.test] == ["w.nii.gz", "x.nii"]
    others = "left out, as they are no NIfTI file or DICOM series"
    assert capsys.readouterr().out.splitlines() == [
        f"3 entries of MyAtria/imagesTr {others}, or hidden: ._a.nii.gz, a.nii.txt, h.nii/",
        f"2 entries of MyAtria/labelsTr {others}, or hidden: ._a.nii.gz, ._d.nii.gz",
        "1 entry of MyAtria/imagesTs left out, as it is no NIfTI file or DICOM series, or hidden: \\x1b[2J.nii.txt",
        "2 images without a label, left out: ./imagesTr/d.nii.gz, ./imagesTr/e.nii.gz",
        "1 labels without an image, left out: ./labelsTr/f.nii",
    ]
    before = Path("MyAtria/dataset.json").read_text()
    Path("MyAtria/imagesTr/b.nii.gz").touch()
    with pytest.raises(SystemExit, match=r"^\./imagesTr/b\.nii and b\.nii\.gz have one name: keep one of them\.$"):
        exec(write_index, {})
    assert Path("MyAtria/dataset.json").read_text() == before


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


def repeat(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, old + new)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"1": "left atrium"', ', "1": "tumour"', 'the name "1" occurs twice, with "left atrium" and with "tumour"'),
        ('"1": "left atrium"', ', "01": "tumour"', "'labels' in {file} has the number 1 twice"),
        ('"1": "left atrium"', ', "2": " Left atrium"', "'labels' in {file} calls both 1 and 2 ' Left atrium'"),
        ('"1": "left atrium"', ', "\u0662": "tumour"', "'labels' in {file} must be an object"),  # an Arabic 2
        ('"0": "MRI"', ', "0": "CT"', 'the name "0" occurs twice'),
        ('"name": "LeftAtrium"', ', "Name": "x"', 'the name "name" occurs twice, the other time as "Name"'),
        ('"numTest": 1', ', " test": []', 'the name " test" occurs twice, the other time as "test"'),
        ('"numTest": 1', ', "training": []', 'the name "training" occurs twice'),
        ('"label": "./labelsTr/la_003.nii.gz"', ', "label": "b"', 'the name "label" occurs twice'),
        ('"label": "./labelsTr/la_003.nii.gz"', ', "Image": "b"', 'the name "image" occurs twice'),
    ],
)
def test_a_name_that_occurs_twice_is_refused(folder, old, new, says):
    file = folder / "dataset.json"
    file.write_text(repeat(file.read_text(encoding="utf-8"), old, new), encoding="utf-8")
    assert says.format(file=file) in refusal(folder)


def link(folder: Path, name: str, to: str) -> str:
    (folder / name).symlink_to(folder / to)
    return f"./{name}"


def pair(image: str, label: str) -> dict[str, str]:
    return {"image": image, "label": label}


def test_one_file_in_two_places(folder, index):
    images, labels = (sorted(f"./{part}/{path.name}" for path in (folder / part).iterdir()) for part in PARTS)
    linked = link(folder, "imagesTr/x.nii.gz", images[0]), link(folder, "labelsTr/x.nii.gz", labels[0])
    (folder / "labelsTr/y.nii.gz").touch()
    (folder / "imagesTr/z.nii.gz").touch()
    for training, test, says in (
        ([pair("./imagesTr/z.nii.gz", labels[0])], [], "the label labelsTr/la_003.nii.gz for more than one image"),
        (
            [pair("./imagesTr/z.nii.gz", f"labelsTr/../{labels[0]}")],
            [],
            "the label labelsTr/la_003.nii.gz for more than",
        ),
        ([pair("./imagesTr/z.nii.gz", "./imagesTr/z.nii.gz")], [], "imagesTr/z.nii.gz as an image and as a label"),
        (
            [pair("./imagesTr/z.nii.gz", linked[1])],
            [],
            "labelsTr/la_003.nii.gz and labelsTr/x.nii.gz, which are one file",
        ),
        (
            [pair(linked[0], "./labelsTr/y.nii.gz")],
            [],
            "imagesTr/la_003.nii.gz and imagesTr/x.nii.gz, which are one file",
        ),
        ([], [linked[0]], "imagesTr/la_003.nii.gz and imagesTr/x.nii.gz, which are one file"),
    ):
        write(folder, index | {"training": index["training"] + training, "test": test})
        assert says in refusal(folder)


PARTS = ("imagesTr", "labelsTr")


def test_labels_of_other_images_by_their_names(folder, index):
    first, second = index["training"][:2]
    first["label"], second["label"] = second["label"], first["label"]
    write(folder, index)
    assert refusal(folder).startswith(
        f"{folder}/dataset.json pairs imagesTr/la_007.nii.gz with labelsTr/la_003.nii.gz, the label of another image"
    )
    index["training"] = [first]  # whose label has the name of an image without a label
    index["test"].append("./imagesTr/la_003.nii.gz")
    write(folder, index)
    assert "pairs imagesTr/la_007.nii.gz with labelsTr/la_003.nii.gz" in refusal(folder)


@pytest.mark.parametrize("name", ["c.nii", "C.NII.GZ", "c.Nii.gz"])
def test_what_lies_beside_the_list_counts_in_letters_of_either_case(folder, index, name):
    (folder / name).touch()
    (folder / "c.nii.gz.txt").touch()
    (folder / "listed.nii").touch()
    index["test"].append("./listed.nii")
    write(folder, index)
    assert read_decathlon(folder).unlisted == (f"{folder}/{name}",)


def test_what_is_there_and_not_listed_is_counted_and_named(folder, index):
    assert read_decathlon(folder).remarks == ()
    for name in ("imagesTr/._la_007.nii.gz", "imagesTr/.DS_Store", "README.txt", "licence/x.nii.gz", "notes/a.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert read_decathlon(folder).unlisted == ()
    added = ["imagesTr/b.nii.gz", "imagesTr/d.mha", "imagesTr/e.nii", "imagesTr/f.nii", "labelsTr/a.nii.gz", "c.nii"]
    for name in added:
        (folder / name).touch()
    index["training"].append(pair("./c.nii", "./labelsTr/a.nii.gz"))
    write(folder, index)
    found = read_decathlon(folder)
    assert found.unlisted == tuple(f"{folder}/{name}" for name in added[:4])
    assert found.remarks == (
        f"{folder}/dataset.json does not list 4 files of imagesTr (b.nii.gz, d.mha, e.nii, ...): not used.",
        "The names of 1 of 4 pairs differ, as c.nii and labelsTr/a.nii.gz do: is each label that of its image?",
    )
    write(folder, index | {"training": index["training"][1:3], "test": []})
    assert read_decathlon(folder).remarks == (
        f"{folder}/dataset.json does not list 5 files of imagesTr (b.nii.gz, d.mha, e.nii, ...), "
        "1 file of imagesTs (la_001.nii.gz), 2 files of labelsTr (a.nii.gz, la_007.nii.gz): not used.",
    )


@pytest.mark.parametrize(
    ("image", "label", "differ"),
    [
        ("la_003_0000.nii.gz", "la_003.nii.gz", False),
        ("la_003.nii.gz", "la_003-seg.nii", False),
        ("la_003.nii.gz", "la_0031.nii.gz", True),
        ("image_003.nii.gz", "label_003.nii.gz", True),
    ],
)
def test_names_of_a_pair(folder, index, image, label, differ):
    for name in (f"imagesTr/{image}", f"labelsTr/{label}"):
        (folder / name).touch()
    write(folder, index | {"training": [pair(f"imagesTr/{image}", f"labelsTr/{label}")]})
    said = [remark for remark in read_decathlon(folder).remarks if "differ" in remark]
    assert said == (
        [
            f"The names of 1 of 1 pairs differ, as imagesTr/{image} and labelsTr/{label} do: "
            "is each label that of its image?"
        ]
        if differ
        else []
    )
