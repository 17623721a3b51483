"""Folders of DICOM series: the same voxels at the same places as GDCM's reader, and refusals that say why."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import nibabel
import numpy as np
import pytest
import SimpleITK
from dicom_files import write_series

from monai_freq.data import DataError, check_cases
from monai_freq.data.dicom_headers import read_header
from monai_freq.data.dicom_series import is_series, read_series
from monai_freq.transforms import LoadVolume

pydicom = pytest.importorskip("pydicom")

SHAPE = (12, 10, 7)
PLANES = {
    "axial": np.eye(3),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "oblique": nibabel.eulerangles.euler2mat(0.3, 0.2, 0.1),
    "turned": np.diag([-1.0, 1, -1]),
}
LPS_TO_RAS = np.diag([-1, -1, 1, 1])


def affine_of(plane="axial", zooms=(0.7, 0.9, 2.5), reverse=False):
    affine = nibabel.affines.from_matvec(PLANES[plane] @ np.diag(zooms), (-31, 12, 7))
    return affine @ nibabel.affines.from_matvec(np.diag([1, 1, -1]), (0, 0, SHAPE[2] - 1)) if reverse else affine


def voxels_of(seed=0):
    return np.random.default_rng(seed).integers(-500, 1500, SHAPE, np.int16)


@pytest.fixture
def folder(tmp_path):
    write_series(tmp_path / "case_01", voxels_of(), affine_of())
    return tmp_path / "case_01"


def by_gdcm(folder):
    """Voxels and affine in RAS, as GDCM sorts the series and ITK reads it."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    axes = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    return SimpleITK.GetArrayFromImage(image).T, LPS_TO_RAS @ nibabel.affines.from_matvec(axes, image.GetOrigin())


@pytest.mark.parametrize("reverse", [False, True], ids=["along", "against"])
@pytest.mark.parametrize("plane", PLANES)
def test_voxels_and_places_are_those_of_gdcm(tmp_path, plane, reverse):
    write_series(tmp_path / "a", voxels_of(), affine_of(plane, reverse=reverse), slope=2.5, intercept=-1024)
    volume, (voxels, affine) = LoadVolume()(tmp_path / "a"), by_gdcm(tmp_path / "a")
    np.testing.assert_array_equal(volume.numpy(), voxels.astype(np.float32))
    np.testing.assert_allclose(volume.affine, affine, atol=1e-8)
    series = read_series(tmp_path / "a")
    np.testing.assert_allclose(series.affine, affine, atol=1e-8)
    assert series.shape == SHAPE
    against = np.linalg.det(affine_of(plane, reverse=reverse)) < 0  # the normal of rows and columns
    planted = voxels_of()[..., ::-1] if against else voxels_of()
    np.testing.assert_array_equal(volume, planted * 2.5 - 1024)


def test_slices_of_a_tilted_gantry_lie_askew(tmp_path):
    affine = affine_of()
    affine[1, 2] = 0.8
    write_series(tmp_path / "a", voxels_of(), affine)
    np.testing.assert_allclose(LoadVolume()(tmp_path / "a").affine, LPS_TO_RAS @ affine, atol=1e-8)
    np.testing.assert_allclose(read_series(tmp_path / "a").affine, LPS_TO_RAS @ affine, atol=1e-8)


def test_each_slice_has_a_scale_of_its_own_as_in_pet(tmp_path):
    slopes = np.arange(1, SHAPE[2] + 1)
    write_series(tmp_path / "a", voxels_of(), affine_of(), RescaleSlope=lambda index: str(slopes[index]))
    np.testing.assert_array_equal(LoadVolume()(tmp_path / "a"), voxels_of() * slopes)


def test_where_the_lowest_is_white_more_is_brighter_here_too(tmp_path):
    write_series(tmp_path / "a", voxels_of(), affine_of(), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(LoadVolume()(tmp_path / "a"), -1 - voxels_of().astype(int))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"], ids=["RLE", "JPEG-LS"])
def test_compressed_slices_are_read(tmp_path, syntax):
    write_series(tmp_path / "a", voxels_of(), affine_of(), syntax=syntax)
    np.testing.assert_array_equal(LoadVolume()(tmp_path / "a"), voxels_of())


def test_threads_that_load_at_a_time_do_not_mix_their_series(tmp_path):
    """As in a CacheDataset, whose threads share the transform."""
    sizes = range(3, 11)
    for size in sizes:
        write_series(tmp_path / f"{size}", np.full((4, 5, size), size, np.int16), affine_of())
    load = LoadVolume()
    with ThreadPoolExecutor(4) as pool:
        for size, volume in zip(
            [*sizes] * 3, pool.map(load, [tmp_path / f"{size}" for size in sizes] * 3), strict=True
        ):
            assert volume.shape == (4, 5, size)
            assert (volume == size).all()


def test_what_lies_beside_the_slices_is_left_out_and_named(folder, caplog):
    header = pydicom.dcmread(next(folder.iterdir()), stop_before_pixels=True)
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"  # a segmentation of the series
    header.save_as(folder / "seg.dcm", enforce_file_format=True)
    del header.Rows, header.Columns
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"  # a structure set
    header.save_as(folder / "RS", enforce_file_format=True)
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (folder / ".DS_Store").touch()
    (folder / "notes.txt").write_text("Two nodules.")
    (folder / "sub").mkdir()
    assert [entry.name for entry in read_series(folder).others] == ["DICOMDIR", "RS", "notes.txt", "seg.dcm", "sub"]
    assert LoadVolume()(folder).shape == SHAPE
    with caplog.at_level("INFO", logger="monai_freq"):
        check_cases([{"image": str(folder)}], (), channels=1)
    said = [record.message for record in caplog.records if record.name.startswith("monai_freq")]
    assert said == [
        f"5 entries of {folder} left out, as they are no slice of its series: "
        "DICOMDIR (DICOM), RS (DICOM), notes.txt, seg.dcm (DICOM), sub/."
    ]


def test_names_may_end_as_they_like_and_content_decides(folder, tmp_path):
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / ["x.jpg", "x", "1.2.840", "x.dcm", "x.IMA", "x.txt", "x y"][number])
    np.testing.assert_array_equal(LoadVolume()(folder), voxels_of())
    assert is_series(folder)
    assert not is_series(tmp_path)
    assert not is_series(folder / "x")
    assert not is_series(tmp_path / "missing")


def test_old_files_without_the_signature_are_read_by_their_ending(folder):
    for file in sorted(folder.iterdir()):
        file.with_suffix(".ima").write_bytes(file.read_bytes()[132:])
        file.unlink()
    np.testing.assert_array_equal(LoadVolume()(folder), voxels_of())


def change(folder, change, *numbers):
    """Change the headers of slices, counted along space."""
    for number in numbers:
        file = read_files(folder)[number]
        header = pydicom.dcmread(file)
        change(header)
        header.save_as(file, enforce_file_format=True)


def read_files(folder):
    headers = [(pydicom.dcmread(file, stop_before_pixels=True), file) for file in folder.iterdir()]
    return [file for _, file in sorted(headers, key=lambda pair: float(pair[0].ImagePositionPatient[2]))]


def drop(number):
    return lambda folder: read_files(folder)[number].unlink()


def set_to(number, **tags):
    return lambda folder: change(folder, lambda header: [setattr(header, *tag) for tag in tags.items()], number)


def add(**tags):
    def copied(folder):
        header = pydicom.dcmread(read_files(folder)[2])
        for tag in tags.items():
            setattr(header, *tag)
        header.save_as(folder / "zz", enforce_file_format=True)

    return copied


FAULTS = {
    "gap": (drop(3), r"case_01 has a gap: 5 mm between IM\d+ and IM\d+, where 2.5 mm are usual"),
    "gap at the end": (drop(-2), r"case_01 has a gap: 5 mm between"),
    "shifted": (set_to(3, ImagePositionPatient=[-31, 14, 14.5]), r"case_01 has slices that are not evenly spaced"),
    "uneven": (set_to(3, ImagePositionPatient=[-31, 12, 15.5]), r"not evenly spaced along one line: 1\.5 to 3\.5 mm"),
    "copy": (
        lambda folder: shutil.copy(read_files(folder)[2], folder / "zz"),
        r"one slice twice, as IM\d+ and zz",
    ),
    "two volumes": (
        add(SOPInstanceUID="1.2.3", EchoTime="80", AcquisitionNumber="2"),
        r"case_01 has two slices at one place, IM\d+ and zz\. They differ",
    ),
    "two series": (
        add(SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2", SeriesDescription="scout"),
        r"case_01 holds 2 series: 7 slices as IM\d+, 1 slice as zz \(scout\)\.\nGive each series a folder",
    ),
    "orientations": (
        set_to(4, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
        r"case_01 holds slices of several orientations, as IM\d+ and IM\d+",
    ),
    "sizes": (set_to(4, Rows=12, Columns=10), r"holds slices of several sizes: \(10, 12\) in IM\d+, \(12, 10\) in IM"),
    "pixel sizes": (set_to(4, PixelSpacing=[1, 1]), r"holds slices of several pixel sizes: \(0\.9, 0\.7\) mm in IM"),
    "frames": (set_to(4, NumberOfFrames=3), r"IM\d+ is a multi-frame file \(3 frames\), .*\n.*dcm2niix"),
    "colour": (set_to(4, SamplesPerPixel=3, PhotometricInterpretation="RGB"), r"IM\d+ is in colour \(RGB\)"),
    "bits": (set_to(4, HighBit=13), r"IM\d+ has High Bit 13 with 16 bits stored"),
    "no position": (
        set_to(4, ImagePositionPatient=None),
        r"IM\d+ does not say where it lies: it has no Image",
    ),
    "no spacing": (set_to(4, PixelSpacing=None), r"IM\d+ does not say where it lies: it has no Pixel Spacing"),
    "spacing of 0": (set_to(4, PixelSpacing=[0, 1]), r"IM\d+ has the Pixel Spacing \[0\.0, 1\.0\], which must be"),
    "askew": (set_to(4, ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0]), r"IM\d+ has rows and columns that are not at"),
    "size": (set_to(4, Rows=60000, Columns=60000), r"IM\d+ has the size \(60000, 60000\)\.\nAt most"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_complete_volume_is_refused_by_name(folder, fault):
    make, says = FAULTS[fault]
    make(folder)
    for read in (read_series, LoadVolume(), lambda path: check_cases([{"image": str(path)}], (), channels=1)):
        with pytest.raises(DataError, match=says) as caught:
            read(folder)
        assert len(str(caught.value).splitlines()) == 2


def test_a_folder_without_a_volume_says_what_there_is(folder, tmp_path):
    with pytest.raises(DataError, match=rf"{tmp_path} holds no DICOM slices\.\nName the folder .* {folder}\."):
        read_series(tmp_path)
    for file in read_files(folder)[1:]:
        file.unlink()
    with pytest.raises(DataError, match=r"case_01 holds one slice, IM\d+, and a volume has two or more"):
        read_series(folder)


def test_damaged_and_packed_files_are_refused(folder, tmp_path):
    damaged = folder / "zz.dcm"
    damaged.write_bytes(b"damaged" * 99)
    with pytest.raises(DataError, match=r"zz\.dcm cannot be read as DICOM: (it is no DICOM|seek)"):
        read_series(folder)
    damaged.unlink()
    cut = read_files(folder)[2]
    cut.write_bytes(cut.read_bytes()[:-20])
    read_series(folder)  # whose headers are whole
    with pytest.raises(DataError, match=rf"{cut} cannot be read as DICOM"):
        check_cases([{"image": str(folder)}], (), channels=1)
    header = pydicom.dcmread(read_files(folder)[0])
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    header.save_as(tmp_path / "packed.dcm", enforce_file_format=True)
    with pytest.raises(DataError, match=r"packed\.dcm is packed as a whole \(deflated\)"):
        read_header(tmp_path / "packed.dcm")


def test_the_extra_is_named_where_pydicom_is_missing(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for read in (read_series, LoadVolume(), lambda path: check_cases([{"image": str(path)}], (), channels=1)):
        with pytest.raises(DataError, match=r'which needs pydicom: pip install "monai_freq\[dicom\]"$'):
            read(folder)


def test_a_label_must_lie_on_the_grid_of_its_series(folder, tmp_path):
    affine = LPS_TO_RAS @ affine_of()
    label = np.zeros(SHAPE, np.uint8)
    nibabel.save(nibabel.Nifti1Image(label, affine), tmp_path / "a.nii.gz")
    check_cases([{"image": str(folder), "label": str(tmp_path / "a.nii.gz")}], {0, 1}, channels=1)
    turned = nibabel.Nifti1Image(label, affine).as_reoriented(np.array([[0, 1], [1, -1], [2, 1]]))  # as dcm2niix
    nibabel.save(turned, tmp_path / "b.nii.gz")
    with pytest.raises(DataError, match=r"b\.nii\.gz lies on the voxels of its image, but stores them along"):
        check_cases([{"image": str(folder), "label": str(tmp_path / "b.nii.gz")}], {0, 1}, channels=1)
