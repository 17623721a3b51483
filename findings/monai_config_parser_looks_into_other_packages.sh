#!/usr/bin/env bash
# One would guess: a ConfigParser of MONAI looks for the target of a configuration where its full name says, such as
# torch.nn.ReLU, and a package of another project is touched only if a target names it.
# What happens: the first component that is made, whatever its name, has MONAI read every attribute of every module in
# sys.modules whose name begins with the letters "monai". That takes in other projects, such as monailabel or
# monai_anything. A package of theirs that imports its submodules when they are first asked for thereby imports all.
# Version: monai 1.6.1, torch 2.13.0. Source: monai/bundle/config_item.py (ComponentLocator.MOD_START and
# _find_module_names; ConfigComponent.resolve_module_name asks for full names too).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet monai==1.6.1 numpy==2.4.6
for name in monai_neighbour other_neighbour; do
    mkdir "$folder/$name"
    cat > "$folder/$name/__init__.py" <<'PYTHON'
from importlib import import_module


def __getattr__(name):
    if name == "heavy":
        return import_module(f"{__name__}.heavy")
    raise AttributeError(name)


def __dir__():
    return ["heavy"]
PYTHON
    touch "$folder/$name/heavy.py"
done
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
import warnings

warnings.simplefilter("ignore")
import monai
import monai_neighbour
import other_neighbour
import torch
from monai.bundle import ConfigParser

print("monai", monai.__version__, "torch", torch.__version__)
heavy = ["monai_neighbour.heavy", "other_neighbour.heavy"]
before = {name: name in sys.modules for name in heavy}
layer = ConfigParser({"layer": {"_target_": "torch.nn.ReLU"}}).get_parsed_content("layer")
after = {name: name in sys.modules for name in heavy}
print(type(layer).__name__, "made; imported before:", before, "after:", after)
assert not any(before.values())
assert after == {"monai_neighbour.heavy": True, "other_neighbour.heavy": False}, "the behaviour has changed"
PYTHON
