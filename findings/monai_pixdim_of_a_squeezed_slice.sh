#!/usr/bin/env bash
# One would guess: a slice that MONAI's SqueezeDim cuts out of a volume keeps the sizes of its pixels, which `pixdim` gives.
# What happens: SqueezeDim deletes the row and the column of the axis from the affine matrix. Of a tilted volume (most MR
# is) that takes what the columns that are left had in this row: 0.43 mm instead of 0.5 at 30 degrees, without a warning.
# Of a volume whose first axis is the slices', a column becomes zero: SqueezeDim warns of an ill-posed matrix, and `pixdim`
# gives 1 mm. Resampling by the slice's matrix (Spacing) then works with these sizes.
# Version: MONAI 1.6.1. Source: monai.transforms.SqueezeDim, monai.data.utils.affine_to_spacing (suppress_zeros).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet monai==1.6.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import monai
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Spacing, SqueezeDim

print("MONAI", monai.__version__, "torch", torch.__version__)
turn = math.radians(30)
tilt = np.eye(4)
tilt[1:3, 1:3] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
tilted = MetaTensor(torch.zeros(1, 32, 32, 9), tilt @ np.diag([0.5, 0.5, 5, 1]))
first = MetaTensor(torch.zeros(1, 9, 32, 32), np.array([[0, 0.5, 0, 0], [0, 0, 0.5, 0], [5, 0, 0, 0], [0, 0, 0, 1.0]]))
print("volume, tilted by 30 degrees about x:", tilted.pixdim.tolist())
slices = {"tilted": SqueezeDim(3)(tilted[..., 4:5]), "slices first": SqueezeDim(1)(first[:, 4:5])}
found = {name: [round(size, 3) for size in image.pixdim.tolist()] for name, image in slices.items()}
for name, sizes in found.items():
    print(f"{name}: {sizes} mm instead of [0.5, 0.5]")
shape = tuple(Spacing((0.25, 0.25))(slices["tilted"]).shape[1:])
print(f"the tilted slice, 32 x 32 pixels of 0.5 mm, at 0.25 mm: {shape} pixels instead of (63, 63)")
assert found == {"tilted": [0.5, 0.433], "slices first": [1.0, 0.5]}, found
assert shape[0] == 63 and shape[1] < 60, shape
PYTHON
