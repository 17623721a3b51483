#!/usr/bin/env bash
# One would guess: a reader gives the values that a file holds. NaN, which registration and PET tools write outside the
# field of view, arrives as NaN, so that a check for it finds it; an overflow arrives as infinity.
# What happens: SimpleITK gives 0 for NaN and for both infinities in NIfTI files, without a word, and the values
# themselves in NRRD and MetaImage files. A copy written as NIfTI and read again has other values, too. TorchIO reads
# through it; nibabel gives the values.
# Version: SimpleITK 2.5.7, nibabel 5.4.2. Source: nifti_read_buffer of niftilib, which ITK brings, writes zero over
# values of floating point that are not finite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 nibabel==5.4.2 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import nibabel
import numpy as np
import SimpleITK

print("SimpleITK", SimpleITK.Version.VersionString(), "nibabel", nibabel.__version__)
folder = sys.argv[1]
values = np.arange(1, 61, dtype=np.float32).reshape(5, 4, 3)
values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -np.inf


def special(image):
    return [float(image[place]) for place in ((0, 0, 0), (1, 1, 1), (2, 2, 2))]


nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), f"{folder}/nibabel.nii.gz")
found = {"nii.gz of nibabel, by nibabel": special(np.asarray(nibabel.load(f"{folder}/nibabel.nii.gz").dataobj))}
found["nii.gz of nibabel"] = special(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(f"{folder}/nibabel.nii.gz")).T)
for ending in ("nii", "nrrd", "mha"):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values.T), f"{folder}/x.{ending}")
    found[ending] = special(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(f"{folder}/x.{ending}")).T)
for what, three in found.items():
    print(f"{what}: NaN, inf, -inf arrive as {three}")
kept = [what for what, three in found.items() if np.isnan(three[0]) and three[1:] == [np.inf, -np.inf]]
lost = [what for what, three in found.items() if three == [0, 0, 0]]
assert kept == ["nii.gz of nibabel, by nibabel", "nrrd", "mha"], "the behaviour has changed"
assert lost == ["nii.gz of nibabel", "nii"], "the behaviour has changed"
PYTHON
