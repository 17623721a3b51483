"""Labelled LoDoPaB-CT slices: readers combined by rule, patients in one part, everything else refused by name."""

import random
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import refusals

from monai_freq.data import DataError, check_images, plan_shortcut, read_lodopab
from monai_freq.transforms import LoadSliced

HEADER = "file,index,patient,malignancy"
TRAIN, VALIDATION = "ground_truth_train_000.hdf5", "ground_truth_validation_000.hdf5"
LINES = [f"{TRAIN},0,P1,1", f"{TRAIN},0,P1,2", f"{TRAIN},3,P2,5", f"{VALIDATION},1,P3,4", f"{TRAIN},2,P1,3"]


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate((TRAIN, VALIDATION)):
        with h5py.File(tmp_path / name, "w") as file:
            file["data"] = np.random.default_rng(number).random((4, 24, 24), dtype=np.float32)
    write(tmp_path, LINES)
    return tmp_path


def write(folder: Path, lines: list[str], header: str = HEADER) -> None:
    (folder / "labels.csv").write_text("\n".join([header, *lines]) + "\n")


refusal = partial(refusals.refusal, read_lodopab)


def test_slices_come_in_order_with_their_label(folder):
    assert read_lodopab(folder) == [
        {"image": f"{folder}/{TRAIN}#0", "label": 0, "patient": "P1", "malignancy": 1.5},
        {"image": f"{folder}/{TRAIN}#3", "label": 1, "patient": "P2", "malignancy": 5},
        {"image": f"{folder}/{VALIDATION}#1", "label": 1, "patient": "P3", "malignancy": 4},
    ]


def test_the_slice_that_is_listed_is_the_one_that_is_loaded(folder):
    load = LoadSliced("image", spacing=0.71823)
    item = load(read_lodopab(folder)[1])
    with h5py.File(folder / TRAIN) as file:
        np.testing.assert_array_equal(item["image"].numpy(), file["data"][3][None])
    assert item["image"].meta["filename_or_obj"] == f"{folder}/{TRAIN}#3"
    np.testing.assert_allclose(item["image"].affine.diagonal(), [0.71823, 0.71823, 1, 1])
    check_images(read_lodopab(folder), size=(24, 24), limits=(0, 1))


@pytest.mark.parametrize(("undecided", "labels"), [("left_out", []), ("benign", [0]), ("malignant", [1])])
def test_the_middle_of_the_scale_is_decided_by_the_argument(folder, undecided, labels):
    write(folder, [f"{TRAIN},2,P1,3", f"{TRAIN},0,P2,5"])
    found = read_lodopab(folder, undecided=undecided)
    assert [item["label"] for item in found if item["patient"] == "P1"] == labels


@pytest.mark.parametrize(
    ("readers", "mean", "median"),
    [([1, 1, 5], 0, 0), ([2, 2, 5, 5], 1, 1), ([1, 4, 4], None, 1), ([2, 4], None, None), ([2, 2, 3, 5, 5], 1, None)],
)
def test_readers_are_combined_by_mean_or_median(folder, readers, mean, median):
    write(folder, [f"{TRAIN},2,P1,{reader}" for reader in readers] + [f"{TRAIN},0,P2,5"])
    for aggregate, expected in (("mean", mean), ("median", median)):
        found = {item["patient"]: item["label"] for item in read_lodopab(folder, aggregate=aggregate)}
        assert found.get("P1") == expected


def test_the_order_of_lines_and_columns_does_not_matter(folder):
    expected = read_lodopab(folder)
    for seed in range(5):
        lines = random.Random(seed).sample(LINES, len(LINES))
        cells = [line.split(",") for line in lines]
        text = [f"x, {malignancy} ,{patient},{index},{file}" for file, index, patient, malignancy in cells]
        write(folder, text, "sop_uid, malignancy,patient,index,file")
        assert read_lodopab(folder) == expected


def test_a_table_elsewhere_and_as_spreadsheets_save_it(folder, tmp_path_factory):
    table = tmp_path_factory.mktemp("tables") / "mine.csv"
    table.write_bytes(("\ufeff" + "\r\n".join([HEADER, *LINES, ",,,", ""])).replace(",,,", "").encode())
    assert read_lodopab(folder, table) == read_lodopab(folder)


def test_items_serve_for_plans_of_shortcuts(folder):
    plan = plan_shortcut(read_lodopab(folder), "label", 1, fraction=0.5)
    assert sum(item["shortcut"] for item in plan) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"{TRAIN},4,P1,1"], r"'index' in line 2 of .*labels.csv must be an integer in \[0, 3\], got '4'"),
        ([f"{TRAIN},-1,P1,1"], "'index' in line 2 .* got '-1'"),
        ([f"{TRAIN},one,P1,1"], "'index' in line 2 .* got 'one'"),
        ([f"{TRAIN},1.0,P1,1"], "'index' in line 2 .* got '1.0'"),
        ([f"{TRAIN},{'9' * 5000},P1,1"], "'index' in line 2"),
        ([f"{TRAIN},1,P1,0"], r"'malignancy' in line 2 .* must be a number in \[1, 5\], got '0'"),
        ([f"{TRAIN},1,P1,6"], "'malignancy' .* got '6'"),
        ([f"{TRAIN},1,P1,nan"], "'malignancy' .* got 'nan'"),
        ([f"{TRAIN},1,P1,"], "'malignancy' .* got ''"),
        ([f"{TRAIN},1,,3"], "'patient' in line 2 .* must not be empty"),
        (["ground_truth_train_007.hdf5,1,P1,3"], "ground_truth_train_007.hdf5 cannot be read"),
        (["observation_train_000.hdf5,1,P1,3"], r"'file' .* must be ground_truth_"),
        (["../ground_truth_train_000.hdf5,1,P1,3"], "'file' .* must be a path that stays inside"),
        (["/etc/ground_truth_train_000.hdf5,1,P1,3"], "'file' .* must be a path that stays inside"),
        ([f"{TRAIN},1,P1,3,9"], "Line 2 of .*labels.csv has 5 cells, its header 4"),
        ([f"{TRAIN},1,P1"], "Line 2 of .*labels.csv has 3 cells"),
        (
            [*LINES, f"{TRAIN},0,P9,4"],
            "'patient' in line 7 .* must be 'P1', as in another line of this slice, got 'P9'",
        ),
        ([*LINES, f"{VALIDATION},0,P1,4"], "The patient 'P1' is in two parts of .*labels.csv: train and validation"),
        ([], "labels.csv lists no slice"),
    ],
)
def test_a_faulty_line_is_refused(folder, lines, message):
    write(folder, lines)
    with pytest.raises(DataError, match=message):
        read_lodopab(folder)


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_missing_column_is_named(folder, column):
    write(folder, [], HEADER.replace(column, "other"))
    message = refusal(folder)
    assert f"labels.csv has no column '{column}'" in message
    assert "It must have the columns file, index, patient, malignancy." in message


def test_a_truncated_file_is_refused(folder):
    whole = (folder / TRAIN).read_bytes()
    (folder / TRAIN).write_bytes(whole[: len(whole) // 2])
    assert f"{TRAIN} cannot be read" in refusal(folder)


def test_files_of_two_sizes_are_refused(folder):
    with h5py.File(folder / VALIDATION, "w") as file:
        file["data"] = np.zeros((4, 16, 24), np.float32)
    assert f"{VALIDATION} holds slices of [16, 24]" in refusal(folder)


def test_published_ids_that_agree_or_not(folder):
    ids = folder / "patient_ids_rand_train.csv"
    ids.write_text("7\n7\n7\n9\n")
    assert len(read_lodopab(folder)) == 3
    ids.write_text("7\n8\n8\n9\n")  # slices 0 and 2 are said to be of P1
    assert "Slice 2 of" in refusal(folder)
    assert "is matched wrongly" in refusal(folder)
    ids.write_text("7\n7\n7\n7\n")  # P1 and P2 are one
    assert "belongs to the patient 7" in refusal(folder)
    ids.write_text("7\n7\n")
    assert "has no line for slice" in refusal(folder)
    ids.write_text("seven\n")
    assert "must hold one integer a line" in refusal(folder)


@pytest.mark.parametrize(("name", "value"), [("aggregate", "max"), ("undecided", 3)])
def test_settings_are_refused_by_name(folder, name, value):
    with pytest.raises(ValueError, match=f"'{name}' must be .*, got {value!r}"):
        read_lodopab(folder, **{name: value})


def test_no_folder_no_table(tmp_path):
    assert "labels.csv is missing" in refusal(tmp_path / "nowhere")


def test_mutated_tables_are_read_or_refused(folder):
    table, chance = folder / "labels.csv", random.Random(0)
    whole, refusals = table.read_bytes(), []
    for _ in range(400):
        mutated = bytearray(whole)
        for _ in range(chance.choice([1, 2, 10])):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        table.write_bytes(mutated)
        try:
            assert all(item["label"] in (0, 1) for item in read_lodopab(folder))
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    assert all(str(folder) in message for message in refusals)


@pytest.mark.parametrize("again", ["malignancy", "Malignancy", " patient", "index"])
def test_a_column_that_occurs_twice_is_refused(folder, again):
    write(folder, [f"{line},{6 - int(line.split(',')[3])}" for line in LINES], f"{HEADER},{again}")
    assert f"labels.csv has 2 columns '{again.strip().lower()}'" in refusal(folder)


def test_one_file_under_two_names(folder):
    (folder / VALIDATION).unlink()
    (folder / VALIDATION).symlink_to(TRAIN)
    assert f"{folder}/{TRAIN} and {folder}/{VALIDATION} are one file, by a link" in refusal(folder)
