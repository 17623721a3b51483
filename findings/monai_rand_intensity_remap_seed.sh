#!/usr/bin/env bash
# One would guess: a random transform of MONAI, seeded with set_random_state (or after set_determinism), repeats itself.
# What happens: RandIntensityRemap does not. It makes a new IntensityRemap at each call, which draws from a random state
# that belongs to the class Randomizable, is seeded by the operating system and is reached by no seed; so each call, and
# each process, differs. IntensityRemap alone, and its other random transforms, do repeat.
# Version: monai 1.6.1, torch 2.13.0. Source: monai/transforms/intensity/array.py (RandIntensityRemap.__call__) and
# monai/transforms/transform.py (Randomizable.R, a class attribute).
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
from monai.transforms import IntensityRemap, RandGaussianNoise, RandIntensityRemap
from monai.utils import set_determinism

print("monai", monai.__version__, "torch", torch.__version__)
image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))


def repeats(transform):
    """Whether the same seed gives the same image."""
    results = []
    for _ in range(4):
        set_determinism(7)
        transform.set_random_state(7)
        results.append(torch.as_tensor(transform(image.clone())))
    set_determinism(None)
    return all(torch.equal(result, results[0]) for result in results)


found = {type(t).__name__: repeats(t) for t in (RandGaussianNoise(prob=1), IntensityRemap(), RandIntensityRemap(prob=1))}
print("repeats with a seed:", found)
assert found == {"RandGaussianNoise": True, "IntensityRemap": True, "RandIntensityRemap": False}, "the behaviour has changed"
PYTHON
