#!/usr/bin/env bash
# One would guess: a random transform of MONAI within torchio.MonaiAdapter draws anew for each subject and each epoch, as
# TorchIO's own do in its SubjectsLoader, whose workers PyTorch seeds apart.
# What happens: with workers, each of them draws the same as the others, and all do so again in each epoch. MONAI's
# transforms draw from a NumPy state of their own, of which every worker gets a copy when it starts; MONAI's own
# DataLoader seeds it there, TorchIO's loader does not. Without workers the draws differ. With
# worker_init_fn=monai.data.utils.worker_init_fn they differ in workers, too.
# Version: torchio 1.2.1, monai 1.6.1, torch 2.13.0. Source: torchio/transforms/monai_adapter.py, torchio/data/loader.py,
# monai/data/dataloader.py (its worker_init_fn).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet monai==1.6.1 torchio==1.2.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import monai
import torch
import torchio
from monai.data.utils import worker_init_fn
from monai.transforms import RandGaussianNoised

print("torchio", torchio.__version__, "monai", monai.__version__, "torch", torch.__version__)
zeros = [torchio.Subject(t1=torchio.ScalarImage(tensor=torch.zeros(1, 8, 8, 4))) for _ in range(4)]


def different(transform, **loading):
    """How many of eight images differ: of four subjects in two epochs."""
    loader = torchio.SubjectsLoader(torchio.SubjectsDataset(zeros, transform=transform), batch_size=1, **loading)
    return len({float(batch["t1"][torchio.DATA].std()) for _ in range(2) for batch in loader})


adapted = torchio.MonaiAdapter(RandGaussianNoised("t1", prob=1.0, std=1.0))
found = {
    "TorchIO's own, two workers": different(torchio.RandomNoise(), num_workers=2),
    "MONAI's, no workers": different(adapted),
    "MONAI's, two workers": different(adapted, num_workers=2),
    "MONAI's, two workers with MONAI's worker_init_fn": different(adapted, num_workers=2, worker_init_fn=worker_init_fn),
}
for what, number in found.items():
    print(f"{what}: {number} of 8 images differ")
assert list(found.values()) == [8, 8, 2, 8], "the behaviour has changed"
PYTHON
