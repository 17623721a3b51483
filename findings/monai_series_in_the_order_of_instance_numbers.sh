#!/usr/bin/env bash
# One would guess: LoadImage of a folder with a DICOM series stacks the slices by where they lie, as ITK and dcm2niix do.
# What happens: the reader sorts by Instance Number, which the standard does not tie to space. Where it follows another
# order, such as that of the acquisition (odd slices first), the volume is scrambled. Its affine goes from the slice of
# the lowest number to that of the highest in even steps, so that the geometry is wrong too, and nothing is said.
# Seen with monai 1.6.1, pydicom 3.0.2 and SimpleITK 2.5.7. Source: monai/data/image_reader.py
# (PydicomReader._combine_dicom_series).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
venv/bin/pip install --quiet --disable-pip-version-check monai==1.6.1 pydicom==3.0.2 SimpleITK==2.5.7 numpy==2.4.6
venv/bin/python - 2> /dev/null <<'PYTHON'
import sys
import warnings
from pathlib import Path

import monai
import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

print("monai", monai.__version__, "pydicom", pydicom.__version__, "SimpleITK", SimpleITK.__version__)
Path("series").mkdir()
study, series, frame = generate_uid(), generate_uid(), generate_uid()
for slice_number in range(6):  # 3 mm apart, acquired in the order 1 3 5 0 2 4
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
    header.Modality, header.PatientID, header.PatientName = "CT", "P1", "Phantom^One"
    header.InstanceNumber = [1, 3, 5, 0, 2, 4].index(slice_number) + 1
    header.Rows = header.Columns = 4
    header.PixelSpacing, header.SliceThickness = [1, 1], 3
    header.ImageOrientationPatient, header.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 3 * slice_number]
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelData = np.full((4, 4), slice_number, "<u2").tobytes()
    header.save_as(f"series/{slice_number}.dcm", enforce_file_format=True)

with warnings.catch_warnings(record=True, action="always") as heard:
    load = monai.transforms.LoadImage(reader="PydicomReader")
    heard.clear()  # those of other readers
    volume = load("series")
order, step = [int(value) for value in volume[0, 0]], float(volume.affine[2, 2])
print("LoadImage: slices", order, "in steps of", step, "mm; warnings:", len(heard))
reader = SimpleITK.ImageSeriesReader()
reader.SetFileNames(reader.GetGDCMSeriesFileNames("series"))
image = reader.Execute()
places = [int(value) for value in SimpleITK.GetArrayFromImage(image)[:, 0, 0]]
print("SimpleITK: slices", places, "in steps of", image.GetSpacing()[2], "mm")
sys.exit((order, round(step, 6), len(heard), places) != ([1, 3, 5, 0, 2, 4], 1.8, 0, [0, 1, 2, 3, 4, 5]))
PYTHON
