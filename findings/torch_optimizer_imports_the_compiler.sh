#!/usr/bin/env bash
# One would guess: torch.compile's front end, torch._dynamo, is imported by those who compile. torch.optim.SGD is a few
# lines of arithmetic, and to make one costs nothing.
# What happens: the first optimizer that a process makes imports torch._dynamo, and with it sympy and some 800 modules, a
# second of CPU time or so. Programs that start many short trainings pay for it each time, and those that measure the
# start of a training find it in the optimizer.
# Version: torch 2.13.0. Source: torch/optim/optimizer.py (Optimizer.add_param_group is wrapped by
# torch._disable_dynamo, whose first call imports torch._dynamo; torch/_compile.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import torch

print("torch", torch.__version__)
weights = [torch.nn.Parameter(torch.zeros(1))]
before, names = "torch._dynamo" in sys.modules, set(sys.modules)
start = time.process_time()
torch.optim.SGD(weights, lr=0.1)
first = time.process_time() - start
new = set(sys.modules) - names
start = time.process_time()
torch.optim.SGD(weights, lr=0.1)
second = time.process_time() - start
print(f"torch._dynamo imported before: {before}, after: {'torch._dynamo' in new}; {len(new)} new modules, sympy: {'sympy' in new}")
print(f"CPU time of the first optimizer: {first:.2f} s, of the second: {second:.4f} s")
assert not before and {"torch._dynamo", "sympy"} <= new, "the behaviour has changed"
PYTHON
