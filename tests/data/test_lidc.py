"""Slices of LoDoPaB-CT are found in the scans that they were made from, or not at all."""

import csv
import gzip
import locale
import random
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK
from refusals import refusal
from scipy.ndimage import gaussian_filter, zoom

from monai_freq.data import DataError, read_lodopab
from monai_freq.data.dicom_slices import DicomSlice, read_dicom_slice, scan_dicom_files
from monai_freq.data.lidc import attenuation, match_slices, write_labels
from monai_freq.data.lidc_folder import LidcFolder, read_malignancies

UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001"
FULL, CROP = 72, 48


def thorax(seed, slices=6):
    """Blobs in HU that change from slice to slice as anatomy does, with the scanner's noise: (slices, FULL, FULL)."""
    rng = np.random.default_rng(seed)
    volume = zoom(gaussian_filter(rng.standard_normal((slices, 18, 18)), (0.7, 1.5, 1.5)), (1, 4, 4), order=1)
    return np.round(volume / volume.std() * 400 - 300 + rng.normal(0, 20, volume.shape)).astype(np.int16)


def write_series(folder: Path, volume, patient: str, number: int) -> list[str]:
    folder.mkdir(parents=True)
    before = locale.setlocale(locale.LC_ALL)  # SimpleITK's writer leaves the process with another
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    uids = [f"{UID}.{number}.{index}" for index in range(len(volume))]
    for index, (pixels, uid) in enumerate(zip(volume, uids, strict=True)):
        image = SimpleITK.GetImageFromArray(pixels[None])
        tags = {"0008|0018": uid, "0010|0020": patient, "0020|000e": f"{UID}.{number}", "0008|0060": "CT"}
        tags |= {"0028|1052": "-1024", "0028|1053": "1", "0020|0032": f"0\\0\\{index}"}
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{index + 1:06}.dcm"))
        writer.Execute(image)
    locale.setlocale(locale.LC_ALL, before)
    return uids


def write_readings(file: Path, sessions) -> None:
    """Sessions of nodules of (malignancy or None, UIDs)."""
    text = '<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader/>'
    for nodules in sessions:
        text += "<readingSession>"
        for malignancy, uids in nodules:
            text += "<unblindedReadNodule><noduleID>n</noduleID>"
            text += f"<characteristics><malignancy>{malignancy}</malignancy></characteristics>" if malignancy else ""
            text += "".join(f"<roi><imageSOP_UID>{uid}</imageSOP_UID></roi>" for uid in uids) + "</unblindedReadNodule>"
        text += "</readingSession>"
    file.write_text(text + "</LidcReadMessage>")


def lodopab_slice(hounsfield, rng):
    """As the data set was made: dequantised by uniform noise, cropped, scaled, clipped."""
    edge = (FULL - CROP) // 2
    mu = (hounsfield[edge:-edge, edge:-edge] + rng.random((CROP, CROP))) * (20 - 0.02) / 1000 + 20
    return np.clip(mu / 81.35858, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three scans, and slices of the first two, turned, in two files."""
    root = tmp_path_factory.mktemp("lidc")
    rng = np.random.default_rng(9)
    volumes = {number: thorax(number) for number in range(3)}
    for number, volume in volumes.items():
        folder = root / "LIDC-IDRI" / f"LIDC-IDRI-{number:04}" / "study" / "series"
        uids = write_series(folder, volume, f"LIDC-IDRI-{number:04}", number)
        write_readings(folder / "069.xml", [[(5, uids[1:4])], [(2, uids[2:3]), (4, uids[2:5])], [(None, uids)]])
    (root / "LIDC-IDRI" / "LIDC-IDRI-0000" / "notes").mkdir()
    (root / "lodopab").mkdir()
    truth = {"train": [(0, 3), (0, 1), (0, 0)], "test": [(1, 2), (1, 4)]}
    for part, slices in truth.items():
        with h5py.File(root / "lodopab" / f"ground_truth_{part}_000.hdf5", "w") as file:
            file["data"] = np.stack([np.rot90(lodopab_slice(volumes[n][i], rng).T, 1) for n, i in slices])
    return root


def test_attenuation_is_that_of_water_and_air_and_is_clipped():
    found = attenuation(np.array([0, -1000, 3071, -2000, 9999, 1000]))
    np.testing.assert_allclose(found, [20 / 81.35858, 0.02 / 81.35858, 1, 0, 1, 39.98 / 81.35858], rtol=1e-6)


def test_matched_slices_carry_their_readings(data, tmp_path):
    table = tmp_path / "labels.csv"
    assert write_labels(data / "LIDC-IDRI", data / "lodopab", table) == 4
    with table.open() as stream:
        rows = [tuple(row[key] for key in ("file", "index", "patient", "malignancy")) for row in csv.DictReader(stream)]
    train, test = "ground_truth_train_000.hdf5", "ground_truth_test_000.hdf5"
    assert rows == [  # slice 3 was outlined by two readers; slice 0 of the scan by none
        (train, "0", "LIDC-IDRI-0000", "5"),
        (train, "0", "LIDC-IDRI-0000", "4"),
        (train, "1", "LIDC-IDRI-0000", "5"),
        (test, "0", "LIDC-IDRI-0001", "5"),
        (test, "0", "LIDC-IDRI-0001", "4"),
        (test, "1", "LIDC-IDRI-0001", "4"),
    ]
    items = read_lodopab(data / "lodopab", table)
    assert [item["malignancy"] for item in items if item["patient"] == "LIDC-IDRI-0000"] == [4.5, 5]
    assert len(items) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def slices_of(data, number):
    return list(
        scan_dicom_files(sorted((data / "LIDC-IDRI" / f"LIDC-IDRI-{number:04}" / "study" / "series").glob("*.dcm")))
    )


def test_matches_are_exact_and_clear(data):
    files = sorted((data / "lodopab").glob("*.hdf5"))
    matches = match_slices([slice_ for number in range(3) for slice_ in slices_of(data, number)], files)
    found = [(match.file.name[13:17], match.index, match.source.uid.removeprefix(UID)) for match in matches]
    expected = [("test", 0, ".1.2"), ("test", 1, ".1.4"), ("trai", 0, ".0.3"), ("trai", 1, ".0.1"), ("trai", 2, ".0.0")]
    assert found == expected
    assert min(match.correlation for match in matches) > 0.9999
    assert min(match.margin for match in matches) > 0.01


def test_a_scan_that_is_not_there_matches_nothing(data):
    files = sorted((data / "lodopab").glob("*.hdf5"))
    assert match_slices(slices_of(data, 2), files) == []


def write_gallery(path, slices):
    with h5py.File(path, "w") as file:
        file["data"] = np.stack(slices)
    return [path]


def test_slices_that_cannot_be_told_apart_are_left_out(data, tmp_path):
    sources, rng = slices_of(data, 0), np.random.default_rng(0)
    pixels = read_dicom_slice(sources[2].file)
    twice = write_gallery(tmp_path / "ground_truth_train_000.hdf5", [lodopab_slice(pixels, rng) for _ in range(2)])
    assert match_slices(sources[2:3], twice) == []
    assert len(match_slices(sources[2:3], twice, min_margin=0)) == 1
    once = write_gallery(tmp_path / "ground_truth_train_001.hdf5", [lodopab_slice(pixels, rng)])
    assert len(match_slices(sources[2:3], once)) == 1
    copy = DicomSlice(sources[2].file, "another", "patient")
    assert match_slices([sources[2], copy], once) == []  # two scans claim one slice


def test_a_noisy_copy_stays_below_the_threshold(data, tmp_path):
    source, rng = slices_of(data, 0)[2], np.random.default_rng(0)
    image = lodopab_slice(read_dicom_slice(source.file), rng)
    for correlation, matches in ((0.995, 1), (0.985, 0)):
        noise = rng.standard_normal(image.shape) * image.std() * np.sqrt(1 / correlation**2 - 1)
        files = write_gallery(tmp_path / f"ground_truth_train_{matches:03}.hdf5", [(image + noise).astype(np.float32)])
        assert len(match_slices([source], files)) == matches


def test_a_constant_slice_matches_nothing(data, tmp_path):
    files = write_gallery(tmp_path / "ground_truth_train_000.hdf5", [np.full((CROP, CROP), 0.3, np.float32)])
    assert match_slices(slices_of(data, 0), files) == []


def test_dicom_values_are_in_hounsfield_units(data):
    before = locale.setlocale(locale.LC_ALL)
    sources = slices_of(data, 1)
    assert [source.patient for source in sources] == ["LIDC-IDRI-0001"] * 6
    np.testing.assert_array_equal(np.stack([read_dicom_slice(source.file) for source in sources]), thorax(1))
    assert locale.setlocale(locale.LC_ALL) == before


def test_a_reader_counts_once_for_a_slice_with_the_highest(tmp_path):
    file = tmp_path / "069.xml"
    write_readings(file, [[(2, "ab"), (4, "b"), (3, "b")], [(5, "b")], [(None, "abc"), (0, "c"), (6, "c")], []])
    assert read_malignancies(file) == {"a": [2], "b": [4, 5]}


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "'
    + "x" * 1000
    + '"><!ENTITY c "'
    + "&b;" * 100
    + '">]><LidcReadMessage>&c;</LidcReadMessage>'
)


@pytest.mark.parametrize(
    "content", ["", "<a/>", "<LidcReadMessage>", "PK\3\4", BOMB, '<?xml version="1.0" encoding="x"?><a/>']
)
def test_readings_that_are_none(tmp_path, content):
    (tmp_path / "069.xml").write_text(content)
    assert str(tmp_path / "069.xml") in refusal(read_malignancies, tmp_path / "069.xml")


def test_files_that_are_no_dicom(data, tmp_path):
    source = slices_of(data, 0)[0].file
    (tmp_path / "000001.dcm").write_bytes(source.read_bytes()[:300])
    assert "000001.dcm cannot be read as DICOM" in refusal(read_dicom_slice, tmp_path / "000001.dcm")
    (tmp_path / "000001.dcm").write_text("no picture")
    assert "000001.dcm cannot be read as DICOM" in refusal(lambda: list(scan_dicom_files([tmp_path / "000001.dcm"])))


def test_a_scan_smaller_than_the_crop(data, tmp_path):
    files = write_gallery(tmp_path / "ground_truth_train_000.hdf5", [np.zeros((96, 96), np.float32)])
    assert "less than the (96, 96) of LoDoPaB-CT" in refusal(match_slices, slices_of(data, 0), files)
    other = write_gallery(tmp_path / "ground_truth_train_001.hdf5", [np.zeros((48, 96), np.float32)])
    assert "ground_truth_train_001.hdf5 holds slices of (48, 96)" in refusal(match_slices, [], [*files, *other])


@pytest.mark.parametrize("ending", [".dcm", ".DCM", ".IMA", ""])
@pytest.mark.parametrize("apart", [False, True])
def test_any_layout_of_the_copy_gives_the_same_table(data, tmp_path, ending, apart, caplog):
    caplog.set_level("INFO")
    copy = tmp_path / "LIDC-IDRI"
    shutil.copytree(data / "LIDC-IDRI", copy)
    (copy / "LICENSE").touch()
    for number, file in enumerate(sorted(copy.rglob("*.dcm"))):
        file.rename(file.with_suffix(ending))
        if number == 3:
            shutil.copy(file.with_suffix(ending), file.parent.parent / "again")  # a slice that is there twice
    for number, file in enumerate(sorted(copy.rglob("*.xml"))):
        target = copy / "tcia-lidc-xml" / str(number) / file.with_suffix(".XML").name if apart else file
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    assert write_labels(copy, data / "lodopab", tmp_path / "labels.csv") == 4
    write_labels(data / "LIDC-IDRI", data / "lodopab", tmp_path / "expected.csv")
    assert (tmp_path / "labels.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    assert f"1 entry of {copy} left out, as it is neither DICOM nor XML: LICENSE" in caplog.messages


@pytest.mark.parametrize("name", ["000003 (copy).dcm", "0.dcm", "again/000003.dcm"])
def test_a_slice_that_is_there_twice_counts_once(data, tmp_path, name):
    shutil.copytree(data / "LIDC-IDRI", tmp_path / "LIDC-IDRI")
    [series] = tmp_path.glob("LIDC-IDRI/*-0000/study/series")
    (series / name).parent.mkdir(exist_ok=True)
    shutil.copy(series / "000003.dcm", series / name)
    assert write_labels(tmp_path / "LIDC-IDRI", data / "lodopab", tmp_path / "labels.csv") == 4
    folder = LidcFolder(tmp_path / "LIDC-IDRI")
    uids = [scan.uid for scan in folder.rated_slices()]
    assert len(uids) == len(set(uids)) == 12


@pytest.mark.parametrize("name", ["069", "069.xml.gz", "readings.txt", "069.XML"])
def test_readings_are_found_by_their_content(data, tmp_path, name):
    content = (data / "LIDC-IDRI/LIDC-IDRI-0000/study/series/069.xml").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (tmp_path / "other").write_text('<?xml version="1.0"?><svg/>')
    expected = LidcFolder(data / "LIDC-IDRI/LIDC-IDRI-0000").readings
    assert LidcFolder(tmp_path).readings == expected
    if name.endswith(".gz"):
        (tmp_path / "069.xml").write_bytes(gzip.compress(content)[:-9])
        assert "069.xml cannot be read" in refusal(LidcFolder, tmp_path)


def test_hidden_files_are_left_out_and_named(data, tmp_path, caplog):
    caplog.set_level("INFO")
    series = shutil.copytree(data / "LIDC-IDRI/LIDC-IDRI-0000/study/series", tmp_path / "series")
    shutil.copy(series / "000001.dcm", series / ".0.dcm")
    shutil.copy(series / "069.xml", series / "._069.xml")
    (series / ".DS_Store").touch()
    assert len(list(LidcFolder(series).rated_slices())) == 4
    assert (
        f"3 entries of {series} left out, as they are hidden: .0.dcm (DICOM), .DS_Store, ._069.xml" in caplog.messages
    )
    assert f"{series}, 1 of 1: 4 slices with rated nodules." in caplog.messages


@pytest.mark.parametrize("malignancy", ["9", "high", "", None])
def test_ratings_outside_the_scale_are_the_reason_when_there_are_no_others(data, tmp_path, malignancy):
    source = slices_of(data, 2)[1]
    shutil.copy(source.file, tmp_path)
    write_readings(tmp_path / "069.xml", [[(malignancy, [source.uid])]])
    message = refusal(write_labels, tmp_path, data / "lodopab", tmp_path / "x.csv")
    assert message.startswith(f"No nodule of the 1 XML file in {tmp_path} has a malignancy from 1 to 5.\n")


def test_what_is_missing_of_a_copy_is_named(data, tmp_path):
    series = data / "LIDC-IDRI" / "LIDC-IDRI-0002" / "study" / "series"
    for name in ("neither", "no_xml", "no_dicom", "other_uids", "other_scans"):
        (tmp_path / name).mkdir()
    for name in ("no_xml", "other_uids", "other_scans"):
        shutil.copy(series / "000002.dcm", tmp_path / name)
    for name in ("no_dicom", "other_scans"):
        shutil.copy(series / "069.xml", tmp_path / name)
    write_readings(tmp_path / "other_uids" / "069.xml", [[(5, "1.2.3")]])
    for name, says in {
        "missing": "There is no folder",
        "neither": "holds no XML file",
        "no_xml": "holds no XML file",
        "no_dicom": "holds 1 XML file and no DICOM file",
        "other_uids": "None of the 1 DICOM slice in .* is rated in its 1 XML file",
        "other_scans": "None of the 1 rated slice in .* is found in .*lodopab",
    }.items():
        message = refusal(write_labels, tmp_path / name, data / "lodopab", tmp_path / "x.csv")
        assert re.search(says, message)
        assert name in message


def test_nothing_found_and_no_room(data, tmp_path):
    assert "holds no file of LoDoPaB-CT" in refusal(write_labels, data / "LIDC-IDRI", tmp_path, tmp_path / "x.csv")
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "x.csv"
    assert "cannot be written" in refusal(write_labels, data / "LIDC-IDRI", data / "lodopab", output)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["min_correlation", "min_margin"])
@pytest.mark.parametrize("value", [-0.1, 1, float("nan")])
def test_thresholds_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"'{name}' must be in \[0, 1\), got {value}"):
        match_slices([], [], **{name: value})


def test_mutated_readings_and_slices_are_read_or_refused(data, tmp_path):
    source = slices_of(data, 0)[0].file
    chance, refusals = random.Random(1), {}
    for whole, name, read in (
        ((source.parent / "069.xml").read_bytes(), "069.xml", read_malignancies),
        (source.read_bytes(), "000001.dcm", read_dicom_slice),
    ):
        # GDCM reserves what a length in the file says, up to 4 GB, before it sees that the file is shorter.
        for trial in range(150 if name == "069.xml" else 40):
            mutated, path = bytearray(whole), tmp_path / f"{trial}_{name}"
            for _ in range(chance.choice([1, 5])):
                mutated[chance.randrange(min(len(mutated), 2000))] = chance.randrange(256)
            path.write_bytes(mutated)
            try:
                read(path)
            except DataError as error:
                refusals[str(path)] = str(error)
    assert len(refusals) > 60
    assert all(name in message for name, message in refusals.items())


def test_a_nodule_of_two_malignancies_is_refused(tmp_path):
    file = tmp_path / "069.xml"
    write_readings(file, [[(2, "a"), (4, "b")]])
    text = file.read_text()
    for other, passes in (("2", True), ("5", False)):
        file.write_text(text.replace("<malignancy>2", f"<malignancy>{other}</malignancy><malignancy>2"))
        if passes:
            assert read_malignancies(file) == {"a": [2], "b": [4]}
        else:
            assert "has a nodule of 2 malignancies by one reader" in refusal(read_malignancies, file)


def test_two_files_that_rate_one_slice(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write_readings(tmp_path / "a/069.xml", [[(2, "x")], [(4, "xy")]])
    write_readings(tmp_path / "b/copy.xml", [[(4, "xy")], [(2, "x")]])
    assert LidcFolder(tmp_path).readings == {"x": [2, 4], "y": [4]}
    write_readings(tmp_path / "b/copy.xml", [[(4, "x")]])
    message = refusal(LidcFolder, tmp_path)
    assert message.startswith(f"{tmp_path}/b/copy.xml rates the slice x otherwise than an XML file before it.")
