"""KneeMRI's exams: the middle of the region, healthy or injured, from pickles or from what was made of them."""

import json
import os
import pickle
import random
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from attacks import Runs
from refusals import refusal

from monai_freq.data import DataError, check_images, read_image, read_kneemri, read_pck
from monai_freq.data.kneemri import central_slices
from monai_freq.data.kneemri_nifti import convert_kneemri, verify_kneemri
from monai_freq.transforms import LoadSliced

HEADER = "examId,seriesNo,aclDiagnosis,kneeLR,roiX,roiY,roiZ,roiHeight,roiWidth,roiDepth,volumeFilename"
LINES = [
    "329637,8,0,1,5,6,3,7,8,4,329637-8.pck",
    "390116,9,1,0,5,6,2,7,8,3,390116-9.pck",
    "404663,8,2,1,5,6,4,7,8,6,404663-8.pck",
]


def volume(seed, low=0, high=900, dtype=np.uint16):
    return np.random.default_rng(seed).integers(low, high, (12, 16, 20)).astype(dtype)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "kneemri"
    for number, line in enumerate(LINES):
        path = root / f"vol{number + 1:02}" / line.split(",")[-1]
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(volume(number), number + 2))
    write(root, LINES)
    return root


def write(folder: Path, lines: list[str], header: str = HEADER) -> None:
    (folder / "metadata.csv").write_text("\n".join([header, *lines]) + "\n")


def test_one_slice_an_exam_in_the_middle_of_its_region(folder):
    assert read_kneemri(folder) == [
        {"image": f"{folder}/vol01/329637-8.pck#5", "label": 0, "exam": "329637", "diagnosis": 0},
        {"image": f"{folder}/vol02/390116-9.pck#3", "label": 1, "exam": "390116", "diagnosis": 1},
        {"image": f"{folder}/vol03/404663-8.pck#7", "label": 1, "exam": "404663", "diagnosis": 2},
    ]


def test_the_slice_that_is_listed_is_the_one_that_is_loaded(folder):
    load = LoadSliced("image")
    for number, item in enumerate(read_kneemri(folder)):
        index = int(item["image"].split("#")[1])
        np.testing.assert_array_equal(load(item)["image"].numpy(), volume(number)[index][None].astype(np.float32))
    check_images(read_kneemri(folder), size=(16, 20))


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [5]), (2, [4, 5]), (3, [4, 5, 6]), (4, [3, 4, 5, 6]), (9, [3, 4, 5, 6])]
)
def test_more_slices_lie_about_the_middle_and_in_the_region(folder, count, expected):
    found = [int(item["image"].split("#")[1]) for item in read_kneemri(folder, count) if item["exam"] == "329637"]
    assert found == expected


def test_central_slices_are_what_they_say():
    for start in range(3):
        for depth in range(1, 9):
            for count in range(1, 10):
                found = central_slices(start, depth, count)
                assert len(found) == len(set(found)) == min(count, depth)
                assert found == list(range(found[0], found[-1] + 1))
                assert start <= found[0]
                assert found[-1] < start + depth
                assert start + depth // 2 in found


def test_columns_in_any_order(folder):
    expected = read_kneemri(folder)
    names = HEADER.split(",")
    order = random.Random(0).sample(range(len(names)), len(names))
    lines = [",".join(line.split(",")[i] for i in order) for line in LINES]
    write(folder, lines, ",".join(names[i] for i in order))
    assert read_kneemri(folder) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,8,3,1,5,6,3,7,8,4,329637-8.pck", r"'aclDiagnosis' in line 2 .* must be an integer in \[0, 2\], got '3'"),
        ("1,8,torn,1,5,6,3,7,8,4,329637-8.pck", "'aclDiagnosis' in line 2 .* got 'torn'"),
        ("1,8,0,1,5,6,-3,7,8,4,329637-8.pck", "'roiZ' in line 2 .* got '-3'"),
        ("1,8,0,1,5,6,3,7,8,0,329637-8.pck", "'roiDepth' in line 2 .* got '0'"),
        ("1,8,0,1,5,6,3,7,8,99999999999,329637-8.pck", "'roiDepth' in line 2"),
        (",8,0,1,5,6,3,7,8,4,329637-8.pck", "'examId' in line 2 .* must not be empty"),
        ("1,8,0,1,5,6,3,7,8,4,nowhere.pck", "'volumeFilename' in line 2 .* must be a volume in the folders vol01"),
        ("1,8,0,1,5,6,3,7,8,4,../../etc/passwd", "'volumeFilename' in line 2"),
        ("1,8,0,1,5,6,3,7,8,4,390116-9.pck", "'volumeFilename' in line 4 .* must not be listed twice"),
        (
            "390116,8,0,1,5,6,3,7,8,4,329637-8.pck",
            "'aclDiagnosis' in line 4 .* must be 0, as in another line of the exam",
        ),
    ],
)
def test_a_faulty_line_is_refused(folder, line, message):
    write(
        folder, [line, *LINES[1:2]] if "listed" not in message and "exam" not in message else [line, LINES[2], LINES[1]]
    )
    with pytest.raises(DataError, match=message):
        read_kneemri(folder)


@pytest.mark.parametrize("column", ["examId", "aclDiagnosis", "roiZ", "roiDepth", "volumeFilename"])
def test_a_missing_column_is_named(folder, column):
    write(folder, LINES, HEADER.replace(column, "other"))
    assert f"metadata.csv has no column '{column}'" in refusal(read_kneemri, folder)


def test_an_empty_table_and_two_volumes_of_one_name(folder):
    (folder / "vol09").mkdir()
    (folder / "vol09" / "329637-8.pck").write_bytes(b"")
    assert "have one name" in refusal(read_kneemri, folder)
    (folder / "vol09" / "329637-8.pck").unlink()
    write(folder, [])
    assert "lists no exam" in refusal(read_kneemri, folder)


@pytest.mark.parametrize("ending", [".pck", ".nii", ""])
def test_of_two_volumes_of_one_stem_the_one_that_the_table_names_is_read(folder, tmp_path, ending, caplog):
    caplog.set_level("INFO")
    target = convert_kneemri(folder, tmp_path / "nifti")
    for volume in target.rglob("*.nii"):
        shutil.copy(volume, folder / volume.relative_to(target))
    table = folder / "metadata.csv"
    table.write_text(table.read_text().replace(".pck", ending))
    if ending:
        assert {Path(item["image"].partition("#")[0]).suffix for item in read_kneemri(folder)} == {ending}
        assert "of the volumes there" in caplog.text
    else:
        message = refusal(read_kneemri, folder)
        assert message.startswith("'volumeFilename' in line 2 of ")
        assert "must say which is meant, 329637-8.nii or 329637-8.pck, got '329637-8'" in message


def test_a_region_beyond_its_volume_is_refused_before_training(folder):
    write(folder, ["329637,8,0,1,5,6,11,7,8,4,329637-8.pck"])
    assert "329637-8.pck has no slice 13: it holds 12" in refusal(check_images, read_kneemri(folder))


def test_a_pickle_that_calls_the_system_is_refused_by_name_and_nothing_runs(folder, tmp_path):
    attacked = folder / "vol02" / "390116-9.pck"
    attacked.write_bytes(pickle.dumps(Runs(os.system, f"touch {tmp_path}/pwned")))
    items = read_kneemri(folder)
    for function, argument in ((read_pck, attacked), (check_images, items), (read_image, items[1]["image"])):
        message = refusal(function, argument)
        assert f"{attacked} is refused: it asks for posix.system" in message
    assert f"{attacked} is refused" in refusal(convert_kneemri, folder, tmp_path / "nifti")
    assert not (tmp_path / "pwned").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kneemri"]  # nor anything half converted


@pytest.mark.parametrize("shape", [(4,), (4, 5), (2, 3, 4, 5), (0, 4, 5), ()])
def test_another_shape_is_refused(tmp_path, shape):
    path = tmp_path / "x.pck"
    path.write_bytes(pickle.dumps(np.zeros(shape, np.int16)))
    assert str(path) in refusal(read_pck, path)
    assert "not (slices, height, width)" in refusal(read_pck, path)


def test_sizes_pipes_and_folders(tmp_path):
    path = tmp_path / "x.pck"
    path.write_bytes(pickle.dumps(volume(0)))
    size = path.stat().st_size
    assert read_pck(path, max_bytes=size).shape == (12, 16, 20)
    assert f"larger than {size - 1} bytes" in refusal(read_pck, path, max_bytes=size - 1)
    os.mkfifo(tmp_path / "pipe.pck")
    for other in (tmp_path / "pipe.pck", tmp_path, tmp_path / "none.pck"):
        assert f"{other} is missing or not a file" in refusal(read_pck, other)


def test_truncated_volumes_are_refused(folder):
    path = folder / "vol01" / "329637-8.pck"
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert f"{path} is refused" in refusal(read_pck, path)


@pytest.mark.parametrize(
    ("low", "high", "dtype", "kept"),
    [
        (0, 900, "i8", "i2"),
        (-5, 900, "i4", "i2"),
        (0, 60000, "i4", "u2"),
        (-5, 60000, "i8", "i4"),
        (0, 2**40, "u8", "i8"),
    ],
)
def test_conversion_keeps_every_value(folder, tmp_path, low, high, dtype, kept):
    wide = volume(7, low, high, dtype)
    wide.flat[:2] = low, high - 1
    (folder / "vol01" / "329637-8.pck").write_bytes(pickle.dumps(wide))
    found = nibabel.load(convert_kneemri(folder, tmp_path / "nifti") / "vol01" / "329637-8.nii")
    assert found.get_data_dtype() == np.dtype(kept)
    np.testing.assert_array_equal(np.asanyarray(found.dataobj), wide.transpose(2, 1, 0))


def test_a_converted_folder_gives_the_same_samples(folder, tmp_path):
    (folder / "vol01" / "._329637-8.pck").write_bytes(b"of macOS")
    target = convert_kneemri(folder, tmp_path / "nifti")
    for before, after in zip(read_kneemri(folder, 3), read_kneemri(target, 3), strict=True):
        assert after == {**before, "image": before["image"].replace(str(folder), str(target)).replace(".pck", ".nii")}
        np.testing.assert_array_equal(read_image(after["image"]), read_image(before["image"]))
    check_images(read_kneemri(target), size=(16, 20))
    assert sorted(path.name for path in target.iterdir()) == [
        "checksums.json",
        "metadata.csv",
        "vol01",
        "vol02",
        "vol03",
    ]


def test_conversion_is_once_and_elsewhere(folder, tmp_path):
    target = convert_kneemri(folder, tmp_path / "nifti")
    assert "exists already" in refusal(convert_kneemri, folder, target)
    assert "holds converted volumes already" in refusal(convert_kneemri, target, tmp_path / "again")
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refusal(convert_kneemri, folder, tmp_path / "file" / "nifti")


def test_checksums_tell_a_changed_volume(folder, tmp_path):
    target = convert_kneemri(folder, tmp_path / "nifti")
    assert verify_kneemri(target) == 3
    changed = target / "vol02" / "390116-9.nii"
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert f"{changed} is missing or has changed" in refusal(verify_kneemri, target)
    changed.unlink()
    assert f"{changed} is missing or has changed" in refusal(verify_kneemri, target)
    for content in ("{", "[]", '{"a": 1}', json.dumps({"a": {"sha": 1}})):
        (target / "checksums.json").write_text(content)
        assert "checksums.json cannot be read" in refusal(verify_kneemri, target)


def test_damaged_nifti_volumes_are_read_or_refused(folder, tmp_path):
    path = convert_kneemri(folder, tmp_path / "nifti") / "vol01" / "329637-8.nii"
    whole, chance, refusals = path.read_bytes(), random.Random(0), {}
    for trial in range(200):
        mutated = bytearray(whole[:400])
        mutated[chance.randrange(352)] = chance.randrange(256)
        other = tmp_path / f"{trial}.nii"
        other.write_bytes(bytes(mutated) + whole[400 : len(whole) - 100 * (trial % 2)])
        try:
            assert read_image(f"{other}#5").ndim == 2
        except DataError as error:
            refusals[str(other)] = str(error)
    assert len(refusals) >= 100  # all that are truncated
    assert all(name in message for name, message in refusals.items())


def test_slices_per_exam_is_refused_by_name(folder):
    with pytest.raises(ValueError, match="'slices_per_exam' must be at least 1, got 0"):
        read_kneemri(folder, 0)


@pytest.mark.parametrize("name", ["x" * 5000, "a\x00b", "..", "\x1b[2J"])
def test_any_name_may_stand_in_the_list_of_checksums(tmp_path, name):
    (tmp_path / "checksums.json").write_text(json.dumps({name: {"sha256": "0"}}))
    message = refusal(verify_kneemri, tmp_path)
    assert "is missing or has changed" in message
    assert message.replace("\n", "").isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    ("again", "column"),
    [("aclDiagnosis", "aclDiagnosis"), (" ACLDiagnosis", "aclDiagnosis"), ("roiZ", "roiZ"), ("\ufeffexamId", "examId")],
)
def test_a_column_that_occurs_twice_is_refused(folder, again, column):
    """The last would win: injured knees would be healthy ones."""
    write(folder, [f"{line},{2 - int(line.split(',')[2])}" for line in LINES], f"{HEADER},{again}")
    assert f"metadata.csv has 2 columns '{column}'" in refusal(read_kneemri, folder)


def test_a_series_or_a_volume_that_is_listed_twice(folder):
    write(folder, [*LINES, LINES[0]])
    assert "'volumeFilename' in line 5 of" in refusal(read_kneemri, folder)
    (folder / "vol01/329637-9.pck").symlink_to(folder / "vol03/404663-8.pck")
    for exam, series, says in (
        ("329637", "9", "must not be listed twice, as 404663-8.pck is the same file by a link"),
        ("329637", "8", "'seriesNo' in line 5 of"),
    ):
        write(folder, [*LINES, f"{exam},{series},0,1,5,6,3,7,8,4,329637-9.pck"])
        assert says in refusal(read_kneemri, folder)
        (folder / "vol01/329637-9.pck").unlink()
        (folder / "vol01/329637-9.pck").write_bytes(pickle.dumps(volume(9)))
    write(folder, [*LINES, "329637,9,0,1,5,6,3,7,8,4,329637-9.pck"])
    assert len(read_kneemri(folder)) == 4


def test_volumes_that_the_table_does_not_list_are_counted(folder, caplog):
    caplog.set_level("INFO")
    read_kneemri(folder)
    assert caplog.messages == []
    write(folder, LINES[:1])
    read_kneemri(folder)
    assert caplog.messages == [
        f"{folder}/metadata.csv does not list 2 of the volumes there (vol02/390116-9.pck, ...): not used."
    ]


def test_a_checksum_that_occurs_twice(folder, tmp_path):
    target = convert_kneemri(folder, tmp_path / "nifti")
    text = (target / "checksums.json").read_text()
    (target / "checksums.json").write_text(text.rstrip("}\n ") + '}, "vol02/390116-9.nii": {}}')
    assert 'the name "vol02/390116-9.nii" occurs twice' in refusal(verify_kneemri, target)
