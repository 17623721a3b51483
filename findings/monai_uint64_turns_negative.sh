#!/usr/bin/env bash
# One would guess: MONAI takes a NumPy array of unsigned integers as it is, as torch.as_tensor does, or refuses it.
# What happens: it casts uint16 to int32, uint32 to int64 and uint64 to int64 before it makes a tensor, so that values
# from 2**63 on turn negative without a word. Of a torch tensor, all three types and their values are kept.
# Version: monai 1.6.1, torch 2.13.0, numpy 2.4.6. Source: monai/utils/type_conversion.py (UNSUPPORTED_TYPES).
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
import numpy as np
import torch
from monai.transforms import EnsureType

print("monai", monai.__version__, "torch", torch.__version__, "numpy", np.__version__)


def first(tensor):
    return int(tensor.numpy().flat[0])


array = np.full((1, 2, 2), 2**63 + 5, dtype=np.uint64)
of_torch = torch.as_tensor(array)
of_monai = EnsureType(track_meta=False)(array)
of_monai_from_tensor = EnsureType(track_meta=False)(of_torch)
for name, tensor in (("torch", of_torch), ("MONAI", of_monai), ("MONAI, of a tensor", of_monai_from_tensor)):
    print(f"{name}: {tensor.dtype}, {first(tensor)}")
assert (of_torch.dtype, first(of_torch)) == (torch.uint64, 2**63 + 5)
assert of_monai_from_tensor.dtype == torch.uint64
assert (of_monai.dtype, first(of_monai)) == (torch.int64, 5 - 2**63), "the behaviour has changed"
PYTHON
