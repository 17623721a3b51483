#!/usr/bin/env bash
# One would guess: in the report of Auto3DSeg's DataAnalyzer with hist_bins, each case has the histogram of its own image, and
# the summary their sum.
# What happens: the sum is made in the report of the first case. Its histogram is that of the whole data set, in the by-case
# file, too; those of all other cases are their own.
# Seen with monai 1.6.1. Source: monai/auto3dseg/analyzer.py (ImageHistogramSumm.__call__).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
venv/bin/pip install --quiet --disable-pip-version-check "monai[nibabel,pyyaml,tqdm]==1.6.1" numpy==2.4.6
venv/bin/python - 2> /dev/null <<'PYTHON'
import sys

import monai
import nibabel
import numpy as np
from monai.apps.auto3dseg import DataAnalyzer

print("monai", monai.__version__)
for name in "abc":
    for folder, dtype in (("image", np.float32), ("label", np.uint8)):
        nibabel.save(nibabel.Nifti1Image(np.ones((10, 10, 10), dtype), np.eye(4)), f"{folder}_{name}.nii.gz")
cases = {"training": [{"image": f"image_{name}.nii.gz", "label": f"label_{name}.nii.gz"} for name in "abc"]}
settings = {"device": "cpu", "worker": 0, "hist_bins": [4], "hist_range": [0, 4]}
report = DataAnalyzer(cases, ".", "stats.yaml", **settings).get_all_case_stats()
counts = [case["image_histogram"][0]["counts"] for case in report["stats_by_cases"]]
print("voxels of an image: 1000; counts of the cases:", counts)
sys.exit(counts != [[0, 3000, 0, 0], [0, 1000, 0, 0], [0, 1000, 0, 0]])
PYTHON
