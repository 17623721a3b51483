"""DICOM files of one slice, written byte by byte after the standard (explicit VR, little endian); series by pydicom."""

import json
import struct
from pathlib import Path

import nibabel
import numpy as np

__all__ = ["write_dicom", "write_exams", "write_series", "write_series_dataset"]

CT, IMPLICIT_PARTS = "1.2.840.10008.5.1.4.1.1.2", ("OB", "OW", "SQ")


def _element(group, element, vr, value):
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode() + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    long = vr in IMPLICIT_PARTS
    length = struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<HH2s", group, element, vr.encode()) + length + value


def write_dicom(path, pixels, *, stored=16, tags=(), encoded=None, syntax="1.2.840.10008.1.2.1", preamble=True):
    """A slice (rows, columns), or a stack of frames; ``tags`` are (group, element, VR, value), and replace others.

    ``encoded`` is a frame of pixels in another transfer syntax, which goes into the file instead.
    """
    signed = int(pixels.min() < 0)
    data = pixels.astype("<i2" if signed else "<u2").tobytes()
    if encoded is not None:
        padded = encoded + b"\0" * (len(encoded) % 2)
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, len(padded)) + padded
        data = item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    meta = _element(2, 2, "UI", CT) + _element(2, 3, "UI", "1.2.3") + _element(2, 0x10, "UI", syntax)
    elements = {
        (0x08, 0x16): ("UI", CT),
        (0x08, 0x18): ("UI", "1.2.3"),
        (0x08, 0x60): ("CS", "CT"),
        (0x10, 0x20): ("LO", "LIDC-IDRI-0001"),
        (0x28, 0x02): ("US", 1),
        (0x28, 0x04): ("CS", "MONOCHROME2"),
        (0x28, 0x10): ("US", pixels.shape[-2]),
        (0x28, 0x11): ("US", pixels.shape[-1]),
        (0x28, 0x100): ("US", 16),
        (0x28, 0x101): ("US", stored),
        (0x28, 0x102): ("US", stored - 1),
        (0x28, 0x103): ("US", signed),
    }
    if pixels.ndim == 3:
        elements[0x28, 0x08] = ("IS", str(len(pixels)))
    elements |= {(group, element): (vr, value) for group, element, vr, value in tags}
    body = b"".join(_element(*tag, *elements[tag]) for tag in sorted(elements))
    if encoded is None:
        body += _element(0x7FE0, 0x10, "OW", data)
    else:
        body += struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + data
    start = bytes(128) + b"DICM" + _element(2, 0, "UL", struct.pack("<I", len(meta))) + meta
    Path(path).write_bytes((start if preamble else b"") + body)


def write_series(folder, voxels, affine, *, slope=1, intercept=0, syntax=None, seed=0, **tags):
    """A CT series of voxels (columns, rows, slices) with an affine in LPS; its numbers and names follow no order.

    Headers lie about the thickness of a slice. ``tags`` are further attributes, or functions of the slice's number.
    Returns the files, in the order of the slices.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    across, down = (affine[:3, :3] / spacing).T[:2]
    numbers = np.random.default_rng(seed).permutation(voxels.shape[2])
    study, series, frame = (generate_uid(entropy_srcs=[str(folder), part]) for part in ("study", "series", "frame"))
    files = []
    for index, number in enumerate(numbers):
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.SOPClassUID = CTImageStorage
        header.SOPInstanceUID = generate_uid(entropy_srcs=[series, str(index)])
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
        header.Modality, header.PatientID, header.PatientName = "CT", "P1", "Phantom^One"
        header.InstanceNumber, header.SliceThickness = int(number) + 1, "99"
        header.Rows, header.Columns = voxels.shape[1], voxels.shape[0]
        header.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
        header.ImageOrientationPatient = [_decimal(value) for value in (*across, *down)]
        header.ImagePositionPatient = [_decimal(value) for value in (affine @ [0, 0, index, 1])[:3]]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
        header.RescaleSlope, header.RescaleIntercept = _decimal(slope), _decimal(intercept)
        header.PixelData = voxels[:, :, index].T.astype("<i2").tobytes()
        for keyword, value in tags.items():
            setattr(header, keyword, value(index) if callable(value) else value)
        files.append(folder / f"IM{number:04}")
        if syntax is not None:
            header.compress(syntax, generate_instance_uid=False)
        header.save_as(files[-1], enforce_file_format=True)
    return files


def write_series_dataset(dataset, folder):
    """A Decathlon folder of NIfTI files as one of DICOM series: labelled cases 1, 2, ..., and images 90, 91, ...."""
    index = json.loads((dataset / "dataset.json").read_text())
    (folder / "labelsTr").mkdir(parents=True)
    index["training"] = [
        {key: _as_series(dataset / path, folder, key, number) for key, path in case.items()}
        for number, case in enumerate(index["training"], 1)
    ]
    index["test"] = [
        _as_series(dataset / path, folder, "test", number) for number, path in enumerate(index["test"], 90)
    ]
    (folder / "dataset.json").write_text(json.dumps(index))


def _as_series(file, folder, key, number):
    volume = nibabel.load(file)
    if np.linalg.det(volume.affine) < 0:  # slices go along the normal of rows and columns
        volume = volume.slicer[:, :, ::-1]
    voxels = np.asarray(volume.dataobj)
    name = f"{'imagesTs' if key == 'test' else f'{key}sTr'}/case_{number:02}"
    if key == "label":
        nibabel.save(volume, folder / f"{name}.nii.gz")
        return f"./{name}.nii.gz"
    write_series(folder / name, np.rint(voxels).astype(np.int16), np.diag([-1, -1, 1, 1]) @ volume.affine)
    return f"./{name}"


def _decimal(value):
    """A number in the sixteen characters that DICOM allows."""
    return f"{value:.10f}"[:16]


def write_exams(root, patients, shape=(48, 40, 6), classes=("healthy", "injured")):
    """A table of series, one of each patient: those of the second class have a bright disk in the middle."""
    lines = ["image,label,patient"]
    for patient in range(patients):
        rng = np.random.default_rng(patient)
        voxels = rng.integers(20, 80, shape).astype(np.int16)
        row, column = np.ogrid[: shape[0], : shape[1]]
        disk = np.hypot(row - shape[0] / 2, column - shape[1] / 2) < 6 + patient % 3
        voxels += (patient % 2 * 200 * disk[..., None]).astype(np.int16)
        write_series(Path(root) / f"exams/{patient:04}", voxels, np.diag([0.8, 0.8, 3, 1]))
        lines.append(f"exams/{patient:04},{classes[patient % 2]},p{patient}")
    (Path(root) / "index.csv").write_text("\n".join(lines) + "\n")
