#!/usr/bin/env bash
# One would guess: where a radiograph's DICOM header has a calibrated Pixel Spacing (0028,0030) besides the Imager Pixel
# Spacing (0018,1164) of the detector, a reader takes the calibrated one, which is in the patient (DICOM PS3.3, 10.7).
# What happens: SimpleITK gives the detector's for computed and digital radiographs, and the calibrated one for CT, though
# the tags are the same; sizes measured on a calibrated radiograph are too large by its magnification.
# Version: SimpleITK 2.5.7 (GDCM), pydicom 3.0.2. Source: gdcm::ImageHelper::GetSpacingTagFromMediaStorage chooses the tag
# by the SOP class alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/x.dcm" <<'PYTHON'
import sys

import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

print("SimpleITK", SimpleITK.Version.VersionString(), "pydicom", pydicom.__version__)
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "computed radiograph": "1.2.840.10008.5.1.4.1.1.1",
    "digital radiograph": "1.2.840.10008.5.1.4.1.1.1.1",
}


def spacing(sop_class):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = sop_class
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 4, 6, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PixelSpacing = [0.14, 0.14]  # at the patient, by a marker of known length
    data.PixelSpacingCalibrationType = "FIDUCIAL"
    data.ImagerPixelSpacing = [0.2, 0.2]  # at the detector
    data.PixelData = np.zeros((4, 6), "<u2").tobytes()
    data.save_as(sys.argv[1], enforce_file_format=True)
    return SimpleITK.ReadImage(sys.argv[1]).GetSpacing()[:2]


found = {name: spacing(sop_class) for name, sop_class in CLASSES.items()}
for name, steps in found.items():
    print(f"{name}: {steps} mm")
assert found == {"CT": (0.14, 0.14), "computed radiograph": (0.2, 0.2), "digital radiograph": (0.2, 0.2)}, found
PYTHON
