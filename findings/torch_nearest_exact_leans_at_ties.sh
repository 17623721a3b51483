#!/usr/bin/env bash
# One would guess: interpolate(mode="nearest-exact"), made to mend the half voxel by which "nearest" is off, leaves the
# centre of an object where it is.
# What happens: where the middle of a new voxel lies between two old ones, the upper one is taken every time. When the
# number of voxels is halved that is so for all of them, and everything moves by a quarter of a new voxel against the
# same image resized with mode="trilinear". With 320 to 64 voxels there is no such tie, and nothing moves.
# Seen with torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip torch==2.13.0
pip numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys

import torch
from torch.nn.functional import interpolate

print("torch", torch.__version__)


def centre(given, wanted, mode):
    """Mean centre of many discs after the resize, beside the middle of the image, in new voxels."""
    axis = torch.arange(given) + 0.5 - given / 2
    discs = [((axis - a)[:, None] ** 2 + (axis - a) ** 2 < (0.3 * given) ** 2).float() for a in torch.linspace(-8, 8, 65)]
    small = interpolate(torch.stack(discs)[:, None], (wanted, wanted), mode=mode)[:, 0]
    weights = small.sum(1)
    places = (weights * (torch.arange(wanted) + 0.5 - wanted / 2)).sum(1) / weights.sum(1)
    return float(places.mean())


found = {(g, w, m): centre(g, w, m) for g, w in ((128, 64), (320, 64)) for m in ("bilinear", "nearest", "nearest-exact")}
for (given, wanted, mode), place in found.items():
    print(f"{given} to {wanted}, {mode:13}: {place:+.3f}")
leans = -0.3 < found[128, 64, "nearest-exact"] < -0.2
sys.exit(not (leans and abs(found[320, 64, "nearest-exact"]) < 0.02 and abs(found[128, 64, "bilinear"]) < 0.02))
PY
