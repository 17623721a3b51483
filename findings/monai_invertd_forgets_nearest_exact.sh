#!/usr/bin/env bash
# One would guess: Invertd brings classes on a resized grid back with the mode that the resize recorded, and with
# nearest_interp=True, its default, to the nearest voxels.
# What happens: nearest_interp=True writes "nearest" over a recorded "nearest-exact". That mode is not centred: unless the
# size grows by a whole factor, the classes come back half a voxel off. nearest_interp=False, meant for scores, keeps the mode.
# Seen with monai 1.6.1 and torch 2.13.0. Source: monai/transforms/post/dictionary.py (Invertd.__call__) and
# monai/transforms/utils.py (convert_applied_interp_mode).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
venv/bin/pip install --quiet --disable-pip-version-check monai==1.6.1 numpy==2.4.6
venv/bin/python - 2> /dev/null <<'PYTHON'
import sys

import monai
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Resized

print("monai", monai.__version__, "torch", torch.__version__)
resize = Compose([Resized("image", (30, 30), mode="nearest-exact")])
item = resize({"image": MetaTensor(torch.zeros(1, 40, 40))})
square = torch.zeros(1, 30, 30)
square[0, 10:20, 10:20] = 1  # in the very middle
middle = {}
for nearest in (True, False):
    back = Invertd("pred", resize, orig_keys="image", nearest_interp=nearest)({**item, "pred": MetaTensor(square)})["pred"]
    middle[nearest] = back[0].nonzero().double().mean(0).tolist()
    print(f"nearest_interp={nearest}: centre {middle[nearest]}, of the image [19.5, 19.5]")
sys.exit(middle != {True: [20.0, 20.0], False: [19.5, 19.5]})
PYTHON
