"""DICOM slices: values and pixel sizes as the standard means them, and refusals that say why."""

import base64
import sys

import numpy as np
import pytest
from dicom_files import write_dicom

from monai_freq.data import DataError, read_image
from monai_freq.data.dicom_slices import (
    _by_pydicom,
    is_dicom,
    read_dicom_slice,
    read_dicom_with_affine,
    scan_dicom_files,
)

PIXELS = (np.mgrid[:16, :24][1] * 170 + np.mgrid[:16, :24][0] * 60) % 4096
JPEG_LS = "1.2.840.10008.1.2.4.80"
#: PIXELS in JPEG-LS, as CharLS packs them
PACKED = base64.b64decode(
    "/9j/9wALDAAQABgBAREA/9oACAEBAAAAAIFMFMFM0VPU1S1JUdRVDUFP09TtOU3TVM0xS9LUreHh2dHJwbmxqaGZkYmBeXFpYVlRSUE54eExKSEZEQkD989eO"
    "3Tly4bt2zZq1Ozto0Zs2TJkxYsWDBgwXr169cuedOjp11xxxtttppppplllllhhhg5OWGGF1111111llllllVVVVTvAcKqtYxjGMYxjGMWta1rOoKbda1rWtS"
    "lKUpSlKUpSjnAcGylKUpmVVVVVVVVU4wNzVVVVVVVVVVVVVVN4KjY0RESSSSSSSSNsEamaSSSSSSSVTXCaGSqqqqqqaTSmZiqqv/s8NkYP/37LDYl7/3+xqhsA"
    "/9k="
)
SLOPE = [(0x28, 0x1052, "DS", "-1024"), (0x28, 0x1053, "DS", "2")]
MONOCHROME1 = [(0x28, 0x04, "CS", "MONOCHROME1")]
SPACING = [(0x28, 0x30, "DS", "0.7\\0.4")]
DETECTOR = [
    (0x18, 0x1164, "DS", "0.2\\0.1"),
    (0x08, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.1.1"),
    (0x08, 0x60, "CS", "DX"),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.dcm"


@pytest.mark.parametrize("preamble", [True, False])
def test_values_are_rescaled(file, preamble):
    write_dicom(file, PIXELS, tags=SLOPE, preamble=preamble)
    np.testing.assert_array_equal(read_dicom_slice(file), PIXELS * 2 - 1024)
    np.testing.assert_array_equal(read_image(file), PIXELS * 2 - 1024)
    np.testing.assert_array_equal(read_image(file, 3), np.dstack([PIXELS * 2 - 1024] * 3))


@pytest.mark.parametrize("stored", [12, 16])
def test_where_the_lowest_is_white_more_is_brighter_here_too(file, stored):
    write_dicom(file, PIXELS, stored=stored, tags=MONOCHROME1)
    np.testing.assert_array_equal(read_dicom_slice(file), 2**stored - 1 - PIXELS)
    write_dicom(file, PIXELS - 2000, tags=MONOCHROME1 + SLOPE)  # signed: -32768 becomes 32767
    np.testing.assert_array_equal(read_dicom_slice(file), (-1 - (PIXELS - 2000)) * 2 - 1024)


@pytest.mark.parametrize("tags", [[], SLOPE, MONOCHROME1, MONOCHROME1 + SLOPE])
def test_jpeg_ls_is_read(file, tags):
    write_dicom(file, PIXELS, stored=12, tags=tags, encoded=PACKED, syntax=JPEG_LS)
    stored = 4095 - PIXELS if MONOCHROME1[0] in tags else PIXELS
    np.testing.assert_array_equal(read_dicom_slice(file), stored * 2 - 1024 if SLOPE[0] in tags else stored)


@pytest.mark.parametrize("tags", [[], SLOPE, MONOCHROME1, MONOCHROME1 + SLOPE])
@pytest.mark.parametrize("packed", [False, True])
def test_pydicom_reads_the_same(file, tags, packed):
    pytest.importorskip("pydicom")
    pytest.importorskip("jpeg_ls")
    form = {"encoded": PACKED, "syntax": JPEG_LS} if packed else {}
    for pixels in (PIXELS,) if packed else (PIXELS, PIXELS - 2000):
        write_dicom(file, pixels, stored=12, tags=tags, **form)
        np.testing.assert_array_equal(_by_pydicom(file, "it is not asked"), read_dicom_slice(file))


def test_what_is_not_read_says_what_it_needs(file, monkeypatch):
    write_dicom(file, PIXELS, stored=12, encoded=PACKED, syntax="1.2.840.10008.1.2.4.201")  # high-throughput JPEG 2000
    with pytest.raises(DataError, match=f"{file} cannot be read as DICOM: .*\n.*(compress|syntax)") as caught:
        read_dicom_slice(file)
    assert "0x" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        DataError, match=r'it is odd.\nIf it is compressed, pip install "monai_freq\[dicom\]" may read it'
    ):
        _by_pydicom(file, "it is odd")


def test_spacing_is_of_rows_and_then_of_columns(file):
    write_dicom(file, PIXELS, tags=SPACING)
    _, affine = read_dicom_with_affine(file)
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :2], axis=0), [0.7, 0.4])
    write_dicom(file, PIXELS, tags=SPACING + DETECTOR)  # calibrated, besides that of the detector
    np.testing.assert_allclose(np.linalg.norm(read_dicom_with_affine(file)[1][:3, :2], axis=0), [0.7, 0.4])
    write_dicom(file, PIXELS, tags=DETECTOR)
    np.testing.assert_allclose(np.linalg.norm(read_dicom_with_affine(file)[1][:3, :2], axis=0), [0.2, 0.1])
    write_dicom(file, PIXELS)
    assert read_dicom_with_affine(file)[1] is None


def test_pixels_lie_where_the_header_says(file):
    sagittal = [(0x20, 0x32, "DS", "10\\-20\\30"), (0x20, 0x37, "DS", "0\\1\\0\\0\\0\\-1")]
    write_dicom(file, PIXELS, tags=SPACING + sagittal)
    _, affine = read_dicom_with_affine(file)
    row, column = 3, 5
    lps = np.array([10, -20, 30]) + column * 0.4 * np.array([0, 1, 0]) + row * 0.7 * np.array([0, 0, -1])
    np.testing.assert_allclose((affine @ [row, column, 0, 1])[:3], lps * [-1, -1, 1])


@pytest.mark.parametrize(
    ("pixels", "tags", "reason"),
    [
        (np.stack([PIXELS] * 3), [(0x08, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.7.3")], "has 3 frames, and one is read"),
        (PIXELS, [(0x28, 0x02, "US", 3), (0x28, 0x04, "CS", "RGB"), (0x28, 0x06, "US", 0)], r"is in colour \(RGB\)"),
    ],
)
def test_frames_and_colour_are_refused_for_what_they_are(file, pixels, tags, reason):
    write_dicom(file, np.repeat(pixels, 3, axis=1) if "RGB" in str(tags) else pixels, tags=tags)
    with pytest.raises(DataError, match=reason) as caught:
        read_dicom_slice(file)
    assert "again" not in str(caught.value)


@pytest.mark.parametrize(("stored", "high"), [(12, 15), (12, 13), (10, 15)])
def test_bits_that_do_not_begin_at_the_lowest_are_refused(file, stored, high):
    write_dicom(file, PIXELS, stored=stored, tags=[(0x28, 0x102, "US", high)])
    with pytest.raises(
        DataError, match=rf"x\.dcm has High Bit {high} with {stored} bits stored, where {stored - 1} is"
    ):
        read_dicom_slice(file)


@pytest.mark.parametrize("name", ["a.dcm", "A.DCM", "b.IMA", "IM0001", "1.2.840.113"])
def test_any_name_will_do(tmp_path, name):
    write_dicom(tmp_path / name, PIXELS)
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    assert [file.name for file in tmp_path.iterdir() if is_dicom(file)] == [name]
    assert [found.file.name for found in scan_dicom_files([tmp_path / name])] == [name]
    np.testing.assert_array_equal(read_image(tmp_path / name), PIXELS)


def test_old_files_are_told_by_their_ending_and_others_are_damaged(tmp_path):
    write_dicom(tmp_path / "a.ima", PIXELS, preamble=False)
    write_dicom(tmp_path / "b", PIXELS, preamble=False)
    (tmp_path / "c.dcm").write_bytes(b"\xffdamaged")
    assert [is_dicom(tmp_path / name) for name in ("a.ima", "b", "c.dcm")] == [True, False, True]
    with pytest.raises(DataError, match=r"c\.dcm cannot be read as DICOM: Cannot read requested file"):
        list(scan_dicom_files([tmp_path / "c.dcm"]))
