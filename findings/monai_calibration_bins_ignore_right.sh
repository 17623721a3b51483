#!/usr/bin/env bash
# One would guess: with right=False, the default, a probability on the edge between two bins of MONAI's calibration metrics
# belongs to the upper one, and with right=True to the lower one, as their documentation says.
# What happens: it belongs to the lower one with either. torch.bucketize names its sides the other way round, and edges that
# are stretched by a float32 epsilon, to hold 1.0, lie above the round numbers, so that right=True does not matter either.
# A classifier whose confidences are round (votes of 4 models, say) has another calibration error than one expects.
# Seen with monai 1.6.1 and torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip torch==2.13.0
pip monai==1.6.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import torch
from monai.metrics import CalibrationErrorMetric
from monai.metrics.calibration import calibration_binning

print({name: version(name) for name in ("monai", "torch")})
edges = torch.tensor([[[0.25, 0.5, 0.75]]])
counts = {right: calibration_binning(edges, torch.ones(1, 1, 3), 4, right)[2][0, 0].tolist() for right in (False, True)}
print("0.25, 0.5 and 0.75 in four bins, documented for right=False: [0, 1, 1, 1], for right=True: [1, 1, 1, 0]")
print("counted:", counts)
# right where it says 0.5, wrong where it says 0.3: one bin or two, by the side of the edge
confidence, right = torch.tensor([[[0.5, 0.3]]]), torch.tensor([[[1.0, 0.0]]])
metric = CalibrationErrorMetric(num_bins=4)
metric(y_pred=confidence, y=right)
print(f"calibration error: {float(metric.aggregate()):.2f}; documented, with 0.5 in a bin of its own: 0.40")
sys.exit(counts != {False: [1, 1, 1, 0], True: [1, 1, 1, 0]} or abs(float(metric.aggregate()) - 0.1) > 1e-6)
PY
