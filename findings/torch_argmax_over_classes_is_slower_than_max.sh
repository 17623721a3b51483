#!/usr/bin/env bash
# One would guess: scores.argmax(dim), which returns places alone, costs no more than scores.max(dim), which returns
# values and places.
# What happens: over the class axis of a volume, the axis of few entries far apart in memory, argmax takes several times
# the time of max on the CPU, for the same places. NumPy's argmax of the same memory is fast, and so is torch's where the
# classes are the last axis. What turns the scores of a segmenter into labels pays for it in each volume.
# Seen with torch 2.13.0, one thread, processor time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip torch==2.13.0
pip numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys
import time

import torch

torch.set_num_threads(1)
print("torch", torch.__version__)
scores = torch.rand(3, 128, 128, 128, generator=torch.Generator().manual_seed(0))
last, array = scores.movedim(0, -1).contiguous(), scores.numpy()


def seconds(function):
    """Median processor time."""
    taken = []
    for _ in range(7):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return sorted(taken)[3]


ways = {
    "torch argmax, classes first": lambda: scores.argmax(0),
    "torch max, classes first": lambda: scores.max(0).indices,
    "numpy argmax, classes first": lambda: array.argmax(0),
    "torch argmax, classes last": lambda: last.argmax(-1),
}
found = {name: seconds(way) for name, way in ways.items()}
for name, taken in found.items():
    print(f"{name:28}: {taken:.3f} s")
same = torch.equal(scores.argmax(0), scores.max(0).indices)
print("the same places:", same)
first, *others = found.values()
sys.exit(not (same and all(first > 2.5 * other for other in others)))
PY
