#!/usr/bin/env bash
# One would guess: monai.bundle.load(name) reads the network of a bundle with its weights, and touches nothing else.
# What happens: it looks the network up in train.json unless workflow_type says otherwise, and runs the "initialize" of
# that file, which is for the start of a training. The usual set_determinism(seed=...) there seeds Python, NumPy and
# PyTorch anew for all that follows in the caller's program, and keeps deterministic algorithms on; a folder of results
# that it prepares is made, or what is in it moved. With workflow_type="inference", inference.json does the same with its own.
# Version: monai 1.6.1, torch 2.13.0. Source: monai/bundle/scripts.py (load, _get_var_names of a workflow made by
# create_workflow, which ends with workflow_.initialize()).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet monai==1.6.1 numpy==2.4.6 fire==0.7.1 pytorch-ignite==0.5.5
cd "$folder"
venv/bin/python - <<'PYTHON'
import json
import logging
import random
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import monai
import numpy
import torch
from monai.bundle import load

logging.disable()
print("monai", monai.__version__, "torch", torch.__version__)
bundle = Path("small")
for part in ("configs", "models"):
    (bundle / part).mkdir(parents=True)
network = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}
begin = ["$monai.utils.set_determinism(seed=123)", "$Path('results').mkdir()"]
train = {"imports": ["$import monai", "$from pathlib import Path"], "network_def": network, "initialize": begin}
(bundle / "configs/train.json").write_text(json.dumps(train))
(bundle / "configs/inference.json").write_text(json.dumps({"network_def": network}))
(bundle / "configs/metadata.json").write_text(json.dumps({"version": "0.1.0"}))
torch.save(torch.nn.Linear(2, 2).state_dict(), bundle / "models/model.pt")


def after(**options):
    """The kind of what is loaded, the seed, whether two processes of other seeds now draw the same, and what is made."""
    draws = []
    for seed in (1, 2):
        for of_library in (random.seed, numpy.random.seed, torch.manual_seed):
            of_library(seed)
        if Path("results").is_dir():
            Path("results").rmdir()
        loaded = load("small", bundle_dir=".", source="monaihosting", **options)
        draws.append((random.random(), numpy.random.rand(), float(torch.rand(1))))
    return type(loaded).__name__, torch.initial_seed(), draws[0] == draws[1], Path("results").is_dir()


found = {
    "by default": after(),
    'workflow_type="inference"': after(workflow_type="inference"),
}
for how, (kind, seed, same, made) in found.items():
    print(f"{how}: a {kind}; the seed is {seed}; two seeds draw the same: {same}; a folder of results is made: {made}")
assert found['workflow_type="inference"'] == ("Linear", 2, False, False)
assert found["by default"] == ("Linear", 123, True, True), "the behaviour has changed"
PYTHON
