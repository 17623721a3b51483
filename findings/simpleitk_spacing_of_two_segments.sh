#!/usr/bin/env bash
# One would guess: SimpleITK reads the Pixel Measures of a DICOM SEG whatever the number of its segments.
# What happens: with one segment the spacing is right; with two, each with a frame at every place, it is 1 mm along every
# axis, the pixels of a slice included, and nothing is said. Distances and volumes measured on the image are wrong.
# Seen with SimpleITK 2.5.7, highdicom 0.28.2 and pydicom 3.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check SimpleITK==2.5.7 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import highdicom
import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

print("SimpleITK", SimpleITK.__version__, "highdicom", highdicom.__version__, "pydicom", pydicom.__version__)
study, series, frame = generate_uid(), generate_uid(), generate_uid()
slices = []
for number in range(5):
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
    header.Modality, header.PatientID, header.PatientName, header.StudyID = "CT", "P1", "Phantom^One", "1"
    header.PatientBirthDate = header.PatientSex = header.AccessionNumber = header.StudyDate = header.StudyTime = ""
    header.InstanceNumber, header.Rows, header.Columns = number + 1, 6, 8
    header.PixelSpacing, header.SliceThickness, header.SpacingBetweenSlices = [0.7, 0.7], 2.5, 2.5
    header.ImageOrientationPatient, header.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-20, 10, 2.5 * number]
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    slices.append(header)
found = []
for count in (1, 2):
    segments = [
        highdicom.seg.SegmentDescription(number, name, codes.SCT.AnatomicalStructure, code, "MANUAL")
        for number, name, code in [(1, "spleen", codes.SCT.Spleen), (2, "liver", codes.SCT.Liver)][:count]
    ]
    classes = np.ones((5, 6, 8), np.uint8)
    classes[:, :, 4:] = count
    place = (generate_uid(), 2, generate_uid(), 1, "maker", "model", "1", "1")
    highdicom.seg.Segmentation(slices, classes, "BINARY", segments, *place).save_as("seg.dcm")
    measures = pydicom.dcmread("seg.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    spacing = SimpleITK.ReadImage("seg.dcm").GetSpacing()
    found.append(tuple(round(step, 6) for step in spacing))
    print(f"{count} segments: in the file {list(measures.PixelSpacing)} and {measures.SpacingBetweenSlices}, read as {spacing}")
sys.exit(found != [(0.7, 0.7, 2.5), (1, 1, 1)])
PYTHON
