#!/usr/bin/env bash
# One would guess: Resize(anti_aliasing=True) leaves a constant image constant, as scikit-image's resize does, on which its
# documentation models it.
# What happens: MONAI smooths with a filter that takes zeros beyond the border. The faces and corners of the image get
# darker, the more the smaller the image becomes.
# Seen with monai 1.6.1, torch 2.13.0 and scikit-image 0.26.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip torch==2.13.0
pip monai==1.6.1 numpy==2.4.6 scikit-image==0.26.0
"$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import torch
from monai.transforms import Resize
from skimage.transform import resize

print({name: version(name) for name in ("monai", "torch", "scikit-image")})
size = (64, 64, 32)
ours = Resize(size, mode="trilinear", anti_aliasing=True)(torch.ones(1, 320, 320, 110))[0]
theirs = resize(np.ones((320, 320, 110), "f4"), size, order=1, anti_aliasing=True)
middle, face, corner = (float(ours[place]) for place in ((32, 32, 16), (0, 32, 16), (0, 0, 0)))
print(f"monai: middle {middle:.3f}, face {face:.3f}, corner {corner:.3f}; scikit-image: lowest {theirs.min():.3f}")
sys.exit(not (middle > 0.999 and face < 0.95 and corner < 0.8 and theirs.min() > 0.999))
PY
