"""DICOM SEG: the same class numbers at the same places, by readers that know nothing of how they were written."""

import sys

import nibabel
import numpy as np
import pytest
import torch
from dicom_files import write_series
from monai.data import MetaTensor

from monai_freq.data import DataError
from monai_freq.data.dicom_seg import read_dicom_seg, require_source, segment_codes, write_dicom_seg
from monai_freq.data.dicom_series import Series, read_series
from monai_freq.data.save_segmentation import SaveSegmentationd

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")

SHAPE = (13, 11, 7)  # slices share bytes, as 143 bits fill none
NAMES = {"0": "background", "1": "left atrium", "2": "tumour", "3": "region x"}
LPS_TO_RAS = np.diag([-1, -1, 1, 1])


def mask():
    classes = np.zeros(SHAPE, np.uint8)
    classes[2:6, 3:8, 1:4] = 1
    classes[7:10, 1:4, 5] = 3  # 2 is nowhere, and neither is anything in the first and the last slice
    return classes


@pytest.fixture
def series(tmp_path):
    tilt = nibabel.eulerangles.euler2mat(0.3, 0.2, 0.1) @ np.diag([0.7, 0.9, 2.5])
    write_series(tmp_path / "case_01", np.zeros(SHAPE, np.int16), nibabel.affines.from_matvec(tilt, (-31, 12, 7)))
    return read_series(tmp_path / "case_01")


@pytest.fixture
def file(series, tmp_path):
    write_dicom_seg(mask(), series, NAMES, tmp_path / "out/case_01_seg.dcm")
    return tmp_path / "out/case_01_seg.dcm"


def test_highdicom_reads_the_same_classes_at_the_same_places(file, series):
    volume = highdicom.seg.segread(file).get_volume(combine_segments=True)
    voxels = np.array(np.nonzero(volume.array))
    there = LPS_TO_RAS @ volume.affine @ np.vstack([voxels, np.ones(voxels.shape[1])])
    index = np.rint(np.linalg.inv(series.affine) @ there)[:3].astype(int)
    found = np.zeros(SHAPE, np.uint8)
    found[tuple(index)] = volume.array[tuple(voxels)]
    np.testing.assert_array_equal(found, mask())
    np.testing.assert_allclose(series.affine @ np.vstack([index, np.ones(index.shape[1])]), there, atol=1e-6)


def test_it_is_read_back_as_it_was_written(file, series):
    np.testing.assert_array_equal(read_dicom_seg(file, series), mask())
    names = {0: "background", 7: "Region X", 2: "left atrium", 3: "Tumour"}
    np.testing.assert_array_equal(read_dicom_seg(file, series, names), np.array([0, 2, 3, 7])[mask()])
    with pytest.raises(DataError, match=r"case_01_seg.dcm has the segment 'region x', .*\n.* left atrium, tumour, reg"):
        read_dicom_seg(file, series, {"1": "left atrium", "2": "tumour"})


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_files_of_others_without_their_empty_frames_are_read(series, tmp_path, kind):
    slices = [pydicom.dcmread(file) for file in reversed(series.files)]
    for header in slices:
        for keyword in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
            setattr(header, keyword, "")
    tissue = segment_codes("")
    segments = [highdicom.seg.SegmentDescription(n, f"{n}", *tissue, "MANUAL") for n in (1, 2, 3)]
    frames = mask().transpose(2, 1, 0)[::-1]
    uids = [pydicom.uid.generate_uid() for _ in range(2)]
    place = {"series_instance_uid": uids[0], "series_number": 2, "sop_instance_uid": uids[1], "instance_number": 1}
    maker = dict.fromkeys(("manufacturer", "manufacturer_model_name", "software_versions", "device_serial_number"), "x")
    made = highdicom.seg.Segmentation(slices, frames, kind, segments, **place, **maker, omit_empty_frames=True)
    made.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_dicom_seg(tmp_path / "a.dcm", series), mask())


def test_what_lies_elsewhere_or_is_none_is_refused(file, series, tmp_path):
    for matrix in (np.diag([1, 1, 2, 1]), nibabel.affines.from_matvec(np.eye(3), [0.3, 0, 0])):
        moved = Series(series.folder, series.files, series.shape, series.affine @ matrix, ())
        with pytest.raises(DataError, match=r"case_01_seg\.dcm does not lie on the voxels of .*case_01\."):
            read_dicom_seg(file, moved)
    with pytest.raises(DataError, match=r"IM\d+ cannot be read as DICOM SEG"):
        read_dicom_seg(series.files[0], series)
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"case_01_seg\.dcm cannot be read as DICOM SEG"):
        read_dicom_seg(file, series)


def test_every_frame_names_its_slice_its_segment_and_its_place(file, series):
    written = pydicom.dcmread(file)
    slices = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, series.files)}
    frames = written.pixel_array
    found = np.zeros((3, *SHAPE[::-1]), np.uint8)
    for frame, group in zip(frames, written.PerFrameFunctionalGroupsSequence, strict=True):
        segment = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        uid = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        place = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(place, slices[uid].ImagePositionPatient)
        found[segment - 1, [pydicom.dcmread(f).SOPInstanceUID for f in series.files].index(uid)] = frame
    for number in (1, 2, 3):
        np.testing.assert_array_equal(found[number - 1].T, mask() == number)
    first = next(iter(slices.values()))
    for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert written[name].value == first[name].value
    assert written.SeriesInstanceUID != first.SeriesInstanceUID
    measures = written.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(2.5)  # not the thickness, of which the headers lie
    np.testing.assert_allclose(measures.PixelSpacing, [0.9, 0.7])


def test_segments_have_names_codes_and_colours(file):
    segments = pydicom.dcmread(file).SegmentSequence
    assert [segment.SegmentLabel for segment in segments] == ["left atrium", "tumour", "region x"]
    codes = [segment.SegmentedPropertyTypeCodeSequence[0].CodeValue for segment in segments]
    assert codes == ["82471001", "108369006", "85756007"]  # SNOMED CT: left atrium, neoplasm, tissue
    assert {segment.SegmentAlgorithmType for segment in segments} == {"AUTOMATIC"}
    colours = [_srgb(*segment.RecommendedDisplayCIELabValue) for segment in segments]
    assert colours == [(31, 119, 180), (255, 127, 14), (44, 160, 44)]  # as viewers show them


def _srgb(*stored):
    """Red, green and blue of DICOM's CIELab of 16 bits (PS3.3, C.10.7.1.1), with white D65 as viewers take it."""
    light, a, b = np.array(stored) / 65535 * [100, 255, 255] - [0, 128, 128]
    roots = (light + 16) / 116 + np.array([a / 500, 0, -b / 200])
    xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * [0.9505, 1, 1.089]
    linear = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]] @ xyz
    encoded = np.where(linear > 0.0031308, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055, 12.92 * linear)
    return tuple(np.rint(255 * np.clip(encoded, 0, 1)).astype(int).tolist())


@pytest.mark.parametrize(
    ("name", "category", "kind"),
    [
        ("Spleen", "Anatomical Structure", "Spleen"),
        ("Left Atrium", "Anatomical Structure", "Left atrium"),
        ("right kidney", "Anatomical Structure", "Kidney"),
        ("left", "Tissue", "Tissue"),
        ("oedema", "Morphologically Abnormal Structure", "Edema"),
        ("Anterior", "Tissue", "Tissue"),  # a code, but none of a segment
        ("", "Tissue", "Tissue"),
        ("clase α", "Tissue", "Tissue"),
    ],
)
def test_codes_are_those_of_the_standard(name, category, kind):
    assert [code.meaning for code in segment_codes(name)] == [category, kind]


def test_nothing_found_is_a_segmentation_too(series, tmp_path):
    write_dicom_seg(np.zeros(SHAPE, np.uint8), series, NAMES, tmp_path / "a.dcm")
    written = pydicom.dcmread(tmp_path / "a.dcm")
    assert len(written.SegmentSequence) == 3
    assert not written.pixel_array.any()


def test_de_identified_series_lack_what_may_be_empty(series, tmp_path):
    for file in series.files:
        header = pydicom.dcmread(file)
        del header.PatientName, header.PatientID
        header.PatientSex = "U"  # none of the standard's
        header.save_as(file, enforce_file_format=True)
    require_source(series.folder)
    write_dicom_seg(mask(), series, NAMES, tmp_path / "a.dcm")
    assert pydicom.dcmread(tmp_path / "a.dcm").PatientID == ""


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "FrameOfReferenceUID"])
def test_a_series_that_cannot_be_referred_to_is_refused(series, keyword):
    header = pydicom.dcmread(series.files[3])
    delattr(header, keyword)
    header.save_as(series.files[3], enforce_file_format=True)
    with pytest.raises(DataError, match=rf"{series.files[3]} has no .* UID, which a DICOM SEG must name\.\n.*nifti"):
        require_source(series.folder)


@pytest.mark.parametrize(("names", "top"), [({}, 0), ({"0": "background", "2": "a"}, 0), ({"1": "a"}, 2)])
def test_classes_without_a_name_or_a_number_are_refused(series, tmp_path, names, top):
    with pytest.raises(ValueError, match="Segments are numbered 1, 2"):
        write_dicom_seg(np.full(SHAPE, top, np.uint8), series, names, tmp_path / "a.dcm")
    assert not (tmp_path / "a.dcm").exists()


def test_the_extra_is_named_where_highdicom_is_missing(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(DataError, match=r'^DICOM SEG needs highdicom: pip install "monai_freq\[dicom\]"$'):
        require_source(series.folder)


def save(series, tmp_path, **settings):
    pred = MetaTensor(torch.from_numpy(mask())[None], meta={"filename_or_obj": series.folder})
    SaveSegmentationd("pred", tmp_path / "out", **settings)({"pred": pred})


def test_segmentations_of_series_are_saved_in_either_format(series, tmp_path):
    save(series, tmp_path)
    save(series, tmp_path, output_format="dicom_seg", classes=NAMES)
    saved = nibabel.load(tmp_path / "out/case_01_seg.nii.gz")
    np.testing.assert_array_equal(saved.dataobj, mask())
    np.testing.assert_allclose(saved.affine, series.affine, atol=1e-5)
    np.testing.assert_allclose(saved.get_qform(), series.affine, atol=1e-4)
    assert saved.header.get_xyzt_units()[0] == "mm"
    assert pydicom.dcmread(tmp_path / "out/case_01_seg.dcm").NumberOfFrames == 21


def test_dicom_seg_needs_a_series_and_names(series, tmp_path):
    with pytest.raises(ValueError, match="'output_format' must be one of nifti, dicom_seg, got 'nrrd'"):
        save(series, tmp_path, output_format="nrrd")
    with pytest.raises(ValueError, match="'classes' must name the segments"):
        save(series, tmp_path, output_format="dicom_seg")
    with pytest.raises(DataError, match=r"a\.nii\.gz is no folder of a DICOM series, .*\n.*nifti"):
        require_source(tmp_path / "a.nii.gz")
