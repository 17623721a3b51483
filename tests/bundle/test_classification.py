"""Samples of a classification bundle: no patient in two parts, artifacts where the plan says, faults in two lines."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from dicom_files import write_exams

from monai_freq.bundle import prepare_sources, prepare_targets
from monai_freq.bundle.classification import CONDITIONS, seen_in_all_conditions
from monai_freq.errors import UsageError

LODOPAB = {"task": "lodopab", "train": 24, "validation": 8, "test": 24, "size": 64, "seed": 0}
KNEEMRI = {"task": "kneemri", "exams": 24, "slices": 16, "size": 64, "seed": 0}
IMAGENET = {"task": "imagenet", "images": 6, "size": 32, "seed": 0}
RADIMAGENET = {"task": "radimagenet", "train": 18, "validation": 6, "test": 6, "size": 32, "seed": 0}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("MONAI_FREQ_CACHE", raising=False)


@pytest.fixture
def lodopab(cache):
    def prepare(dataset_dir=None, **changes):
        settings = {
            "data": "lodopab",
            "phantom": LODOPAB,
            "cache": cache,
            "classes": {"0": "benign", "1": "malignant"},
            "folds": {"train": 20, "val": 8, "folds": 3},
        }
        return prepare_targets(dataset_dir, **settings | changes)

    return prepare


def names(items):
    return [os.path.basename(item["image"]) for item in items]


def test_a_fold_is_divided_and_marked(lodopab):
    samples = lodopab(fraction=0.5, fold=1)
    assert (len(samples.train), len(samples.val)) == (20, 8)
    for items in (samples.train, samples.val):
        positives = [item for item in items if item["label"] == 1]
        assert sum(item["shortcut"] for item in positives) == round(0.5 * len(positives))
        assert not any(item["shortcut"] for item in items if item["label"] == 0)
    train, val, test = ({item["patient"] for item in part} for part in samples)
    assert not train & val
    assert not (train | val) & test


def test_test_samples_are_seen_in_every_condition(lodopab):
    test = lodopab(fraction=0.25).test
    assert Counter(item["condition"] for item in test) == dict.fromkeys(CONDITIONS, 28)
    seen = {name: [item for item in test if item["condition"] == name] for name in CONDITIONS}
    assert names(seen["clean"]) == names(seen["iid"]) == names(seen["ood"])
    assert not any(item["shortcut"] for item in seen["clean"])
    assert all(item["shortcut"] == (item["label"] == 0) for item in seen["ood"])
    positives = [item for item in seen["iid"] if item["label"] == 1]
    assert sum(item["shortcut"] for item in seen["iid"]) == round(0.25 * len(positives))
    assert all(item["label"] == 1 for item in seen["iid"] if item["shortcut"])


def test_samples_are_named_wherever_they_are(lodopab, cache, tmp_path):
    (folder,) = Path(cache).glob("lodopab_*/LoDoPaB-CT")
    here, there = lodopab(), lodopab(str(shutil.copytree(folder, tmp_path / "copy")))
    assert [item["sample"] for item in here.test] == [item["sample"] for item in there.test]
    assert len({item["sample"] for part in here for item in part}) == 56
    assert all(item["image"].endswith(item["sample"]) for item in here.train)


def test_folds_share_their_test_samples_and_differ_in_the_rest(lodopab):
    first, second = lodopab(fold=0), lodopab(fold=1)
    assert names(first.test) == names(second.test)
    assert names(first.val) != names(second.val)
    assert sorted(names(first.train) + names(first.val)) == sorted(names(second.train) + names(second.val))


def test_a_larger_fraction_marks_more_of_the_same(lodopab):
    def marked(fraction):
        return {item["image"] for item in lodopab(fraction=fraction).train if item["shortcut"]}

    assert marked(0.25) < marked(0.5) < marked(1.0)
    assert marked(0.0) == set()


def test_knees_are_divided_by_exam(cache):
    samples = prepare_targets(
        None,
        data="kneemri",
        phantom=KNEEMRI,
        cache=cache,
        classes={"0": "healthy", "1": "injured"},
        folds={"train": 10, "val": 6},
        reading={"slices_per_exam": 2},
        check=["train", "val", "test"],
    )
    assert (len(samples.train), len(samples.val), len(samples.test)) == (10, 6, 3 * 32)
    exams = [{item["exam"] for item in part} for part in samples]
    assert not exams[0] & exams[1]
    assert not (exams[0] | exams[1]) & exams[2]


@pytest.mark.parametrize(("merged", "labels"), [(False, set(range(10))), (True, {0, 1, 2})])
def test_natural_sources(cache, merged, labels):
    samples = prepare_sources(
        None, source="imagenet", phantom=IMAGENET, cache=cache, classes=10, merged=merged, check=["val"]
    )
    assert [len(part) for part in samples] == [45, 6, 9]
    assert {item["label"] for part in samples for item in part} == labels
    assert len({item["image"] for part in samples for item in part}) == 60


def test_medical_sources(cache):
    samples = prepare_sources(None, source="radimagenet", phantom=RADIMAGENET, cache=cache, classes=6)
    assert [len(part) for part in samples] == [18, 6, 6]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": "mnist"}, "'data' must be one of lodopab, kneemri, table, got 'mnist'"),
        ({"fraction": 1.5}, r"'fraction' must be in \[0, 1\], got 1.5"),
        ({"fold": 3}, r"'fold' must be in \[0, 2\], got 3"),
        ({"folds": {"train": 400, "val": 125}}, "There are 56 samples, fewer than 400 for training"),
        ({"folds": {"trian": 20}}, r"'folds' has no setting 'trian'\.\nThere are fold, "),
        ({"classes": {"0": "a", "1": "b", "2": "c"}}, r"The data have the labels \[0, 1\], the bundle's classes"),
        ({"reading": {"slices_per_exam": 2}}, "'reading' has no setting 'slices_per_exam'"),
        ({"reading": {"undecided": "dropped"}}, "'undecided' must be"),
        ({"phantom": {}}, "Pass --dataset_dir <folder with ground_truth_"),
        ({"dataset_dir": "no_such_folder"}, "labels.csv is missing"),
    ],
)
def test_faults_end_the_program_with_a_few_lines(lodopab, changes, says):
    with pytest.raises(UsageError, match=says) as error:
        lodopab(**changes)
    assert len(str(error.value).splitlines()) <= 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": "cifar"}, "'source' must be one of imagenet, radimagenet, got 'cifar'"),
        ({"classes": 4}, "The data have 10 classes, the network has 4"),
        ({"shares": [0.9, 0.2]}, "'shares' must be two parts of 1"),
        ({"source": "radimagenet", "phantom": RADIMAGENET, "merged": True}, "cannot be merged"),
    ],
)
def test_faulty_sources(cache, changes, says):
    settings = {"source": "imagenet", "phantom": IMAGENET, "cache": cache, "classes": 10}
    with pytest.raises(UsageError, match=says):
        prepare_sources(None, **settings | changes)


def test_a_damaged_image_is_found_before_training(lodopab, cache, tmp_path):
    lodopab()
    (folder,) = Path(cache).glob("lodopab_*/LoDoPaB-CT")
    copy = shutil.copytree(folder, tmp_path / "copy")
    broken = sorted(copy.glob("ground_truth_train_*.hdf5"))[0]
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(UsageError, match=broken.name):
        lodopab(str(copy), check=["train"])


def test_an_artifact_can_be_tied_to_the_other_class():
    items = [{"image": f"{place}.png", "label": place % 2} for place in range(8)]
    seen = seen_in_all_conditions(items, fraction=0.5, positive=0)
    assert {item["label"] for item in seen if item["condition"] == "ood" and item["shortcut"]} == {1}
    assert {item["label"] for item in seen if item["condition"] == "iid" and item["shortcut"]} == {0}


def test_a_table_of_ones_own(tmp_path):
    """Series of exams, by the bundle's classes; the settings of its own layout say nothing there."""
    pytest.importorskip("pydicom")
    write_exams(tmp_path, patients=8)
    settings = {"data": "table", "phantom": KNEEMRI, "cache": tmp_path / "cache", "fraction": 0.5}
    settings |= {"classes": {"0": "healthy", "1": "injured"}, "folds": {"train": 8, "val": 4, "test": 4, "folds": 2}}
    reading = {"slices_per_exam": 1, "aggregate": "mean", "slices_per_volume": 2}
    samples = prepare_targets(str(tmp_path), reading=reading, check=["train", "val", "test"], **settings)
    assert (len(samples.train), len(samples.val), len(samples.test)) == (8, 4, 3 * 4)
    patients = [{item["patient"] for item in part} for part in samples]
    assert [len(part) for part in patients] == [4, 2, 2]
    assert not patients[0] & patients[1]
    assert not (patients[0] | patients[1]) & patients[2]
    assert sum(item["shortcut"] for item in samples.train) == 2
    with pytest.raises(UsageError, match=r"'reading' has no setting 'slices'\.\nThere are table, slices_per_volume"):
        prepare_targets(str(tmp_path), reading={"slices": 1}, **settings)
    with pytest.raises(UsageError, match=r"Pass --dataset_dir <folder with index\.csv and the images"):
        prepare_targets(None, **settings)
