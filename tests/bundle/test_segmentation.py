"""Cases come from a phantom or from the user's folder, and whatever is wrong ends the program with a few lines."""

import json
import logging
import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_freq import phantoms
from monai_freq.bundle import list_images, prepare_cases
from monai_freq.bundle.segmentation import Cases
from monai_freq.errors import UsageError

PHANTOM = {"task": "heart", "cases": 4, "size": [32, 32, 16], "seed": 0}
CLASSES = {"0": "background", "1": "left atrium"}
SIZES = {"val_cases": 1, "test_cases": 1}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cache that holds the phantom."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MONAI_FREQ_CACHE", raising=False)
        prepare_cases(None, phantom=PHANTOM, cache=folder, classes=CLASSES, **SIZES)
    return folder


@pytest.fixture(autouse=True)
def environment(monkeypatch, cache):
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(cache))


@pytest.fixture
def no_generator(monkeypatch):
    def refuse(*args: object, **settings: object) -> None:
        raise AssertionError("a phantom was asked for")

    monkeypatch.setattr(phantoms, "write_phantom", refuse)


def prepare(dataset_dir: Path | str | None = None, **settings: object) -> Cases:
    standard = {"phantom": PHANTOM, "cache": "/dev/null/nowhere", "classes": CLASSES, **SIZES}
    return prepare_cases(None if dataset_dir is None else str(dataset_dir), **standard | settings)


def names(part: list[dict[str, str]]) -> set[str]:
    return {Path(case["image"]).name for case in part}


def test_the_parts_are_disjoint_and_complete(cache):
    cases = prepare(check=("train", "val", "test"))
    parts = [names(part) for part in (cases.train, cases.val, cases.test)]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert set.union(*parts) == {f"la_{number:03}.nii.gz" for number in range(1, 5)}
    for case in (*cases.train, *cases.val, *cases.test):
        assert all(Path(path).is_file() and Path(path).is_relative_to(cache) for path in case.values())
        assert Path(case["image"]).name == Path(case["label"]).name


@pytest.mark.parametrize("variable", ["", None])
def test_without_the_environment_the_cache_is_used(monkeypatch, cache, variable):
    expected = prepare()
    if variable is None:
        monkeypatch.delenv("MONAI_FREQ_CACHE")
    else:
        monkeypatch.setenv("MONAI_FREQ_CACHE", variable)
    assert prepare(cache=cache) == expected


def test_the_phantom_is_found_again_and_not_drawn_anew(cache):
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in cache.rglob("*")}

    before = times()
    prepare()
    assert times() == before


@pytest.mark.parametrize("size", [1, 2])
def test_training_subsets(size):
    everything, draws = prepare(), [prepare(train_size=size, draw=draw) for draw in range(6)]
    for cases in draws:
        assert len(cases.train) == size
        assert names(cases.train) <= names(everything.train)
        assert (cases.val, cases.test) == (everything.val, everything.test)
    assert len({frozenset(names(cases.train)) for cases in draws}) == (2 if size == 1 else 1)
    assert draws[3] == prepare(train_size=size, draw=3)


def test_the_seed_divides():
    divisions = [prepare(split_seed=seed) for seed in range(6)]
    assert len({frozenset(names(cases.test)) for cases in divisions}) > 1
    assert divisions[2] == prepare(split_seed=2)


def test_other_phantoms_do_not_meet_in_the_cache(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(tmp_path))

    def note(task: str, root: Path, **settings: object) -> Path:
        asked.append((root, settings))
        raise ValueError("enough\nnoted")

    monkeypatch.setattr(phantoms, "write_phantom", note)
    for change in ({}, {"cases": 5}, {"size": [32, 16, 16]}, {"size": [16, 32, 16]}, {"seed": 1}):
        with pytest.raises(UsageError, match="enough"):
            prepare(phantom=PHANTOM | change)
    assert len({root for root, _ in asked}) == len(asked) == 5
    assert all(root.parent == tmp_path for root, _ in asked)
    assert asked[1][1] == {"cases": 5, "size": [32, 32, 16], "seed": 0}
    assert PHANTOM["task"] == "heart"  # the configuration is left as it was


def test_the_log_says_that_these_are_phantoms(caplog):
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        prepare()
    (record,) = caplog.records
    assert "phantoms" in record.message
    assert "--dataset_dir" in record.message
    assert "\n" not in record.message


@pytest.fixture
def dataset(tmp_path, cache) -> Path:
    """A user's folder, which a test may damage."""
    folder = tmp_path / "Task02_Heart"
    shutil.copytree(next(cache.rglob("dataset.json")).parent, folder)
    return folder


@pytest.mark.usefixtures("no_generator")
def test_given_a_folder_the_generator_never_runs(dataset, caplog):
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        cases = prepare(dataset, check=("train", "val", "test"))
    assert all(Path(case["image"]).is_relative_to(dataset) for case in (*cases.train, *cases.val, *cases.test))
    assert caplog.text == ""


@pytest.mark.usefixtures("no_generator")
def test_a_copied_folder_is_divided_alike(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    for part, other in zip(prepare(dataset, train_size=1, draw=2), prepare(copy, train_size=1, draw=2), strict=True):
        assert names(part) == names(other)


def change_index(folder: Path, **changes: object) -> None:
    index = json.loads((folder / "dataset.json").read_text()) | changes
    (folder / "dataset.json").write_text(json.dumps({key: value for key, value in index.items() if value is not None}))


def change_voxels(folder: Path, part: str, change) -> None:
    for path in (folder / part).glob("*.nii.gz"):
        volume = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(change(np.asarray(volume.dataobj)), volume.affine), path)


def truncate(folder: Path, part: str) -> None:
    for path in (folder / part).glob("*.nii.gz"):
        path.write_bytes(path.read_bytes()[:-100])


def entries(folder: Path) -> list[dict[str, str]]:
    return json.loads((folder / "dataset.json").read_text())["training"]


DAMAGES = {
    "no folder": (shutil.rmtree, "does not exist"),
    "no dataset.json": (lambda folder: (folder / "dataset.json").unlink(), "holds no dataset.json"),
    "not JSON": (lambda folder: (folder / "dataset.json").write_text("{'name': "), "is not valid JSON"),
    "not an object": (lambda folder: (folder / "dataset.json").write_text("[1]"), "must be an object"),
    "not text": (lambda folder: (folder / "dataset.json").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "no training": (lambda folder: change_index(folder, training=None), "'training' is missing"),
    "empty training": (lambda folder: change_index(folder, training=[]), "is empty"),
    "bad entry": (lambda folder: change_index(folder, training=[{"image": 3}]), "An entry of 'training'"),
    "bad labels": (lambda folder: change_index(folder, labels={"atrium": 1}), "'labels' in"),
    "case twice": (lambda folder: change_index(folder, training=2 * entries(folder)), "more than once"),
    "outside": (lambda folder: change_index(folder, test=["../secret.nii.gz"]), "leaves the folder"),
    "missing file": (lambda folder: (folder / "labelsTr" / "la_002.nii.gz").unlink(), "la_002.nii.gz is listed"),
    "other classes": (lambda folder: change_index(folder, labels={"0": "background"}), "lists the classes [0]"),
    "truncated image": (lambda folder: truncate(folder, "imagesTr"), "cannot be read"),
    "truncated label": (lambda folder: truncate(folder, "labelsTr"), "cannot be read"),
    "NaN": (
        lambda folder: change_voxels(folder, "imagesTr", lambda image: np.where(image > 5, np.nan, image)),
        "NaN or infinite",
    ),
    "unknown label": (
        lambda folder: change_voxels(folder, "labelsTr", lambda label: (3 * label).astype(np.uint8)),
        "label values 3",
    ),
    "other shape": (lambda folder: change_voxels(folder, "labelsTr", lambda label: label[:-1]), "has the shape"),
}


@pytest.mark.usefixtures("no_generator")
@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_data_end_with_a_few_lines(dataset, damage, message):
    damage(dataset)
    with pytest.raises(UsageError) as caught:
        prepare(dataset, check=("train", "val", "test"))
    lines = str(caught.value).splitlines()
    assert message in str(caught.value)
    assert 1 <= len(lines) <= 3
    assert all(len(line.replace(str(dataset), "")) < 200 for line in lines)


@pytest.mark.usefixtures("no_generator")
def test_a_file_instead_of_a_folder(dataset):
    with pytest.raises(UsageError, match="is a file"):
        prepare(dataset / "dataset.json")


@pytest.mark.usefixtures("no_generator")
def test_only_the_parts_that_are_asked_for_are_read(dataset):
    (broken,) = prepare(dataset).val
    Path(broken["image"]).write_bytes(b"")
    prepare(dataset, check=("train", "test"))
    with pytest.raises(UsageError, match=Path(broken["image"]).name):
        prepare(dataset, check=("train", "val"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val_cases": 2, "test_cases": 2}, "There are 4 cases"),
        ({"val_cases": -1}, "'val' must be at least 0"),
        ({"test_cases": -1}, "'test' must be at least 0"),
        ({"train_size": 3}, r"'train_size' must be in \[1, 2\], got 3"),
        ({"train_size": 0}, "'train_size' must be in"),
        ({"draw": -1}, "'draw' must be at least 0"),
        ({"classes": {"0": "background", "1": "liver", "2": "tumour"}}, r"lists the classes \[0, 1\]"),
        ({"phantom": PHANTOM | {"cases": 0}}, "'cases' must be at least 1"),
        ({"phantom": PHANTOM | {"size": [32, 32]}}, "'size' must be three numbers"),
    ],
)
def test_impossible_settings_end_with_a_few_lines(settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        prepare(**settings)
    assert len(str(caught.value).splitlines()) <= 3


def test_other_classes_are_shown_side_by_side():
    with pytest.raises(UsageError) as caught:
        prepare(classes={"0": "background", "1": "anterior", "2": "posterior"})
    first, second = str(caught.value).splitlines()
    assert "[0, 1]" in first
    assert "[0, 1, 2]" in first
    assert "'classes'" in second


def test_classes_with_gaps_are_refused(dataset):
    change_index(dataset, labels={"0": "background", "255": "left atrium"})
    with pytest.raises(UsageError, match=r"lists the classes \[0, 255\]; a network's are numbered 0, 1, 2") as caught:
        prepare(dataset, classes={"0": "background", "255": "left atrium"})
    assert len(str(caught.value).splitlines()) == 2


def test_errors_of_the_program_are_not_dressed_up(monkeypatch):
    def broken(*args: object, **settings: object) -> None:
        raise TypeError("a mistake of ours")

    monkeypatch.setattr(phantoms, "write_phantom", broken)
    with pytest.raises(TypeError, match="a mistake of ours"):
        prepare()


def unlabelled(dataset_dir: Path) -> list[dict[str, str]]:
    return images(dataset_dir=str(dataset_dir))


def images(input_dir: str | None = None, **settings: object) -> list[dict[str, str]]:
    standard = {"dataset_dir": None, "phantom": PHANTOM, "cache": "/dev/null/nowhere"}
    return list_images(input_dir, **standard | settings)


@pytest.mark.usefixtures("no_generator")
def test_images_of_a_folder_in_the_order_of_their_names(tmp_path):
    for name in ("b.nii.gz", "a.nii", "c.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / name)
    for name in ("._a.nii", "notes.txt", "d.nii.gz.part"):
        (tmp_path / name).touch()
    found = images(str(tmp_path))
    assert found == [{"image": str(tmp_path / name)} for name in ("a.nii", "b.nii.gz", "c.nii.gz")]


@pytest.mark.usefixtures("no_generator")
def test_what_else_is_in_a_folder_is_counted_and_named(tmp_path, caplog):
    for name in ("A.NII.GZ", "b.nii", "scan.nii"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / name)
    (tmp_path / "scan.nii").rename(tmp_path / "scan")
    nibabel.save(nibabel.MGHImage(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / "c.mgz")
    (tmp_path / "d.IMA").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "sub").mkdir()
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        found = images(str(tmp_path))
    assert found == [{"image": str(tmp_path / name)} for name in ("A.NII.GZ", "b.nii")]
    assert caplog.messages == [
        f"4 entries of {tmp_path} left out, as they are no NIfTI file or DICOM series: "
        "c.mgz (MGH), d.IMA (DICOM), scan (NIfTI), sub/."
    ]


@pytest.mark.usefixtures("no_generator")
def test_a_folder_of_other_formats_says_which(tmp_path):
    nibabel.save(nibabel.MGHImage(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / "c.mgz")
    with pytest.raises(UsageError, match=r"holds no NIfTI file or DICOM series\. 1 entry of .*: c\.mgz \(MGH\)\.\n"):
        images(str(tmp_path))


def test_a_relative_folder_gives_absolute_paths(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / "in" / "a.nii")
    monkeypatch.chdir(tmp_path)
    assert images("in") == [{"image": str(tmp_path / "in" / "a.nii")}]


def test_without_a_folder_the_images_are_the_phantoms_unlabelled_ones(cache):
    found = images()
    assert names(found) == {"la_005.nii.gz", "la_006.nii.gz"}
    assert all(list(case) == ["image"] and Path(case["image"]).is_relative_to(cache) for case in found)
    labelled = prepare()
    assert not names(found) & names([*labelled.train, *labelled.val, *labelled.test])


@pytest.mark.usefixtures("no_generator")
def test_without_a_folder_the_images_are_the_data_sets_unlabelled_ones(dataset):
    found = images(dataset_dir=str(dataset))
    assert found == [{"image": str(dataset / "imagesTs" / f"la_{number:03}.nii.gz")} for number in (5, 6)]


@pytest.mark.usefixtures("no_generator")
def test_a_damaged_data_set_without_a_folder_ends_with_a_few_lines(dataset):
    (dataset / "imagesTs" / "la_006.nii.gz").unlink()
    with pytest.raises(UsageError, match=r"la_006\.nii\.gz is listed") as caught:
        images(dataset_dir=str(dataset))
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.usefixtures("no_generator")
@pytest.mark.parametrize("content", [None, (), ("._a.nii", "a.txt")])
def test_a_folder_without_images_ends_with_two_lines(tmp_path, content):
    folder = tmp_path / "in"
    if content is not None:
        folder.mkdir()
        for name in content:
            (folder / name).touch()
    with pytest.raises(UsageError) as caught:
        images(str(folder))
    first, second = str(caught.value).splitlines()
    assert str(folder) in first
    assert "--input_dir" in second


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "lung"}, "There is no phantom 'lung'.\nChoose --phantom#task from dentate_nucleus, heart, "),
        ({"size": 32}, "must be a list"),
    ],
)
def test_impossible_phantoms(tmp_path, change, says):
    phantom = {"task": "heart", "cases": 3, "size": [32, 32, 16], "seed": 0} | change
    with pytest.raises(UsageError, match=says):
        list_images(None, dataset_dir=None, phantom=phantom, cache=tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_data_set_without_unlabelled_images_leaves_nothing_to_segment(tmp_path):
    folder = phantoms.write_phantom("heart", tmp_path, cases=1, test_cases=0, size=(32, 32, 16))
    with pytest.raises(UsageError, match="lists no images without labels"):
        list_images(None, dataset_dir=str(folder), phantom={}, cache=tmp_path)


def test_each_phantom_has_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(tmp_path))
    for test_cases in (1, 2):
        assert len(images(phantom=PHANTOM | {"test_cases": test_cases})) == test_cases
    assert len(list(tmp_path.iterdir())) == 2


def test_images_whose_results_would_have_one_name_are_refused(tmp_path):
    for name in ("a.nii", "a.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / name)
    with pytest.raises(UsageError, match=r"a\.nii and .*a\.nii\.gz have one name\.\nRename one"):
        images(str(tmp_path))


@pytest.mark.usefixtures("no_generator")
@pytest.mark.parametrize("part", ["training", "test"])
def test_cases_whose_results_would_have_one_name_are_refused(dataset, part):
    index = json.loads((dataset / "dataset.json").read_text())
    first = index[part][0]
    twin = json.loads(re.sub(r"\./(\w+)/", r"./sub-02/\1/", json.dumps(first)))
    index[part].append(twin)
    for old, new in zip(*([[each] if part == "test" else each.values() for each in (first, twin)]), strict=True):
        (dataset / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(dataset / old, dataset / new)
    (dataset / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(UsageError, match=r"imagesT.*sub-02.* have one name\.\nRename one"):
        (prepare if part == "training" else unlabelled)(dataset)


@pytest.mark.usefixtures("no_generator")
def test_the_data_sets_unlabelled_images_are_read_too(dataset):
    (dataset / "imagesTs" / "la_006.nii.gz").write_bytes(b"")
    with pytest.raises(UsageError, match=r"la_006\.nii\.gz cannot be read"):
        images(dataset_dir=str(dataset))


@pytest.mark.usefixtures("no_generator")
def test_files_that_are_not_listed_and_pairs_of_two_names_are_said(dataset, caplog):
    index = json.loads((dataset / "dataset.json").read_text())
    left = index["training"].pop()
    (dataset / left["label"]).unlink()
    renamed = index["training"][0]["label"].replace("la_", "mask_")
    (dataset / index["training"][0]["label"]).rename(dataset / renamed)
    index["training"][0]["label"] = renamed
    (dataset / "dataset.json").write_text(json.dumps(index))
    image, pair = (Path(case["image"]).name for case in (left, index["training"][0]))
    for call in (prepare, unlabelled):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="monai_freq"):
            call(dataset)
        assert caplog.messages[:2] == [
            f"{dataset}/dataset.json does not list 1 file of imagesTr ({image}): not used.",
            f"The names of 1 of {len(index['training'])} pairs differ, as imagesTr/{pair} and labelsTr/"
            f"{Path(renamed).name} do: is each label that of its image?",
        ]


def test_two_classes_of_one_name_are_refused(dataset):
    with pytest.raises(UsageError, match=r"'classes' has two of the name 'atrium'\.\nGive each class its own"):
        prepare(dataset, classes={"0": "background", "1": "atrium", "2": "atrium"})
