"""Time to import monai_freq after MONAI.

python benchmarks/import_time.py
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable

from measure import Target, options, publish, table, targets_table

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
    times: dict[str, list[float]] = {name: [] for name in imports}
    for _ in range(rounds):
        for name, modules in imports.items():
            times[name].append(seconds_in_fork(modules))
    medians = {name: statistics.median(found) for name, found in times.items()}
    targets: list[Target] = [
        ("`import monai_freq` after `import monai`: seconds", medians["monai_freq"], 0.2, False),
        ("every part of it after `import monai`: seconds", medians[ALL], 0.2, False),
    ]
    rows = [[f"`{name}`" if name != ALL else name, 1000 * found, found / alone] for name, found in medians.items()]
    text = f"`import monai` takes {alone:.2f} s in a new process. Medians of {rounds} rounds, files in the page cache."
    body = [text, targets_table(targets), table(["imported after MONAI", "ms", "as a part of MONAI's"], rows)]
    publish("Import", body, arguments)


def seconds_of_monai() -> float:
    """Time to import MONAI in a new process."""
    code = "import time; start = time.perf_counter(); import monai; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def seconds_in_fork(modules: Iterable[str]) -> float:
    """Time to import modules in a copy of this process, which itself stays unchanged."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        start = time.perf_counter()
        for module in modules:
            importlib.import_module(module)
        os.write(writing, repr(time.perf_counter() - start).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    os.wait()
    return float(text)


def forget() -> None:
    """Make this process forget that it has imported monai_freq."""
    for name in [name for name in sys.modules if name.split(".")[0] == "monai_freq"]:
        del sys.modules[name]


if __name__ == "__main__":
    main()
