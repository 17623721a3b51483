#!/usr/bin/env bash
# One would guess: nnUNetv2_convert_MSD_dataset converts the cases that the data set's dataset.json lists under "training",
# as MONAI's load_decathlon_datalist reads them.
# What happens: it copies every .nii.gz file of imagesTr and labelsTr, and deletes the list. A case that was taken out of
# the list, for instance to hold it out for a test, is trained on. What remains is numTraining, the length of the list,
# which --verify_dataset_integrity alone compares with the files.
# Version: nnunetv2 2.8.1, batchgenerators 0.25.5, SimpleITK 2.5.7. Source: nnunetv2/dataset_conversion/convert_MSD_dataset.py.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet --no-deps nnunetv2==2.8.1 batchgenerators==0.25.5  # the converter needs no more
cd "$folder"
cat > convert.py <<'PYTHON'
import json
import os
from importlib.metadata import version
from pathlib import Path

for name in ("raw", "preprocessed", "results"):
    os.environ[f"nnUNet_{name}"] = name
import numpy
import SimpleITK
from nnunetv2.dataset_conversion.convert_MSD_dataset import convert_msd_dataset
from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

if __name__ == "__main__":
    print("nnunetv2", version("nnunetv2"), "SimpleITK", version("SimpleITK"))
    task = Path("Task02_Heart")
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (task / part).mkdir(parents=True)
    for number in range(4):
        for part, kind in (("imagesTr", numpy.float32), ("labelsTr", numpy.uint8)):
            volume = SimpleITK.GetImageFromArray(numpy.ones((4, 4, 4), kind))
            SimpleITK.WriteImage(volume, str(task / part / f"la_{number}.nii.gz"))
    listed = [{"image": f"./imagesTr/la_{n}.nii.gz", "label": f"./labelsTr/la_{n}.nii.gz"} for n in (0, 1)]
    described = {"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "left atrium"}, "numTraining": 2}
    (task / "dataset.json").write_text(json.dumps({**described, "training": listed, "test": []}))
    convert_msd_dataset(str(task), num_processes=1)
    converted = Path("raw/Dataset002_Heart")
    left = json.loads((converted / "dataset.json").read_text())
    trained_on = sorted(map(str, get_filenames_of_train_images_and_targets(str(converted))))
    print("listed:", ["la_0", "la_1"], "trained on:", trained_on, "keys that are left:", sorted(left))
    assert left["numTraining"] == 2
    assert "training" not in left
    assert trained_on == ["la_0", "la_1", "la_2", "la_3"], "the behaviour has changed"
PYTHON
venv/bin/python convert.py
