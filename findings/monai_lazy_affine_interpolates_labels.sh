#!/usr/bin/env bash
# One would guess: RandAffined(mode=["bilinear", "nearest"]) turns a label to whole class numbers, lazily as eagerly.
# What happens: executed lazily, it forgets the modes: the label is interpolated linearly, and holds fractions of classes. The
# Compose must repeat them: Compose(..., lazy=True, overrides={"label": {"mode": "nearest"}}).
# Seen with monai 1.6.1 and torch 2.13.0. Source: monai/transforms/lazy/functional.py (apply_pending).
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
from monai.transforms import Compose, RandAffined

print("monai", monai.__version__, "torch", torch.__version__)
label = torch.zeros(1, 24, 24, 24)
label[0, 8:16, 8:16, 8:16] = 2
turn = {"prob": 1.0, "rotate_range": (0.3, 0.3, 0.3), "mode": ["bilinear", "nearest"]}
found = {}
for name, settings in {
    "eager": {"lazy": False},
    "lazy": {"lazy": True},
    "lazy, told again": {"lazy": True, "overrides": {"label": {"mode": "nearest"}}},
}.items():
    step = Compose([RandAffined(["image", "label"], **turn)], **settings).set_random_state(seed=0)
    classes = step({"image": MetaTensor(label), "label": MetaTensor(label)})["label"].unique()
    found[name] = bool((classes == classes.round()).all())
    print(f"{name}: {len(classes)} values, {'whole numbers' if found[name] else 'not whole numbers'}")
sys.exit(found != {"eager": True, "lazy": False, "lazy, told again": True})
PYTHON
