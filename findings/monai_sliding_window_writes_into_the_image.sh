#!/usr/bin/env bash
# One would guess: a SlidingWindowInferer reads an image and leaves it as it is, and gives back the image if its predictor
# gives back what it gets.
# What happens: with one window at a time, the default, a window is a view of the image, and the predictor's output is
# multiplied by the weights of the window in place. If the output shares memory with the window (an identity, one channel of
# the input, a Dropout in evaluation mode, a no-op .float()), the weights are multiplied into the image itself. Later windows
# read what is left, so that the result is wrong, too. Weights of 1 (mode="constant", sw_batch_size=1) hide it, and
# sw_batch_size=2 copies.
# Version: monai 1.6.1, torch 2.13.0. Source: monai/inferers/utils.py (sliding_window_inference: sw_device_buffer[ss] *= w_t).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet monai==1.6.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import monai
import torch
from monai.inferers import SlidingWindowInferer

print("monai", monai.__version__, "torch", torch.__version__)
predictors = {
    "the input": torch.nn.Identity(),
    "a Dropout in evaluation mode": torch.nn.Dropout(0.5).eval(),
    "a copy of the input": torch.clone,
}
found = {}
for name, predictor in predictors.items():
    for number in (1, 2):
        image = torch.ones(1, 1, 24, 24)
        inferer = SlidingWindowInferer(roi_size=(16, 16), sw_batch_size=number, overlap=0.5, mode="gaussian")
        result = inferer(image, predictor)
        found[name, number] = kept, right = bool((image == 1).all()), torch.allclose(result, torch.ones_like(result))
        print(f"{name}, {number} at a time: image {float(image.min()):.2g} to {float(image.max()):.2g}, "
              f"result {float(result.min()):.2g} to {float(result.max()):.2g}")
expected = {key: (True, True) for key in found}
for name in ("the input", "a Dropout in evaluation mode"):
    expected[name, 1] = (False, False)
assert found == expected, "the behaviour has changed"
PYTHON
