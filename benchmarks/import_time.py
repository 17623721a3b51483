"""Time to import monai_freq after MONAI.

python benchmarks/import_time.py
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable

from measure import Clocks, Target, Times, milliseconds, options, publish, table, targets_table, timed

import monai_freq

ALL = "all of them"


def main() -> None:
    """Time all imports in turn, each in a process that has imported MONAI alone."""
    arguments = options(__doc__ or "", rounds=11)
    rounds = 1 if arguments.quick else arguments.rounds
    alone = statistics.median(seconds_of_monai() for _ in range(1 if arguments.quick else 5))
    importlib.import_module("monai")  # for all forks of this process

    parts = sorted(f"monai_freq.{name}" for name in monai_freq.__all__ if name != "__version__")
    imports = {"monai_freq": ["monai_freq"], **{part: [part] for part in parts}, ALL: parts}
    forget()
    times: Times = {name: [] for name in imports}
    for _ in range(rounds):
        for name, modules in imports.items():
            times[name].append(seconds_in_fork(modules))
    medians = {name: milliseconds(times, name) / 1000 for name in times}
    targets: list[Target] = [
        ("`import monai_freq` after `import monai`: seconds", medians["monai_freq"], 0.2, False),
        ("every part of it after `import monai`: seconds", medians[ALL], 0.2, False),
    ]
    rows = [[f"`{name}`" if name != ALL else name, found * 1000, found.wall / alone] for name, found in medians.items()]
    text = f"`import monai` takes {alone:.2f} s in a new process. Medians of {rounds} rounds, files in the page cache."
    body = [text, targets_table(targets), table(["imported after MONAI", "ms", "as a part of MONAI's"], rows)]
    publish("Import", body, arguments)


def seconds_of_monai() -> float:
    """Time to import MONAI in a new process."""
    code = "import time; start = time.perf_counter(); import monai; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def seconds_in_fork(modules: Iterable[str]) -> Clocks:
    """Time to import modules in a copy of this process, which itself stays unchanged."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        spent = timed(lambda: [importlib.import_module(module) for module in modules])
        os.write(writing, json.dumps([spent.wall, spent.cpu]).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    os.wait()
    return Clocks(*json.loads(text))


def forget() -> None:
    """Make this process forget that it has imported monai_freq."""
    for name in [name for name in sys.modules if name.split(".")[0] == "monai_freq"]:
        del sys.modules[name]


if __name__ == "__main__":
    main()
