"""A few hundred damaged files of all formats; docs/reliability.md has the command for many."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz.py"


def fuzz(*options):
    return subprocess.run([sys.executable, str(FUZZ), *options], capture_output=True, text=True, timeout=300)


def test_damaged_files_are_read_or_refused():
    done = fuzz("--files", "312", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    total = next(line for line in done.stdout.splitlines() if line.startswith("all"))
    assert total.split() == ["all", "312", "0", "faults"]


SICK_READERS = """
import os, sys, time
sys.argv = ["fuzz.py"] + sys.argv[1:]
sys.path.insert(0, {folder!r})
import fuzz, targets

def sick(root, calls=[0]):
    calls[0] += 1
    if calls[0] == 1:
        return  # the valid file
    what = (root / "dataset.json").stat().st_size % 4
    {fault}

targets.TARGETS[:] = [targets.Target("dataset.json", "json", sick)]
fuzz.__file__ = __file__
fuzz.SECONDS = 3
fuzz.main()
"""
FAULTS = {
    "crash": "os.abort()",
    "hang": "time.sleep(60)",
    "MemoryError": "bytearray(1 << 33)",
    "ValueError": "int('x')",
    "violation": "os.system('true')",
    "unclear": "from monai_freq.data import DataError; raise DataError('wrong')",
}


@pytest.mark.slow
def test_each_kind_of_fault_is_seen(tmp_path):
    """Readers that are sick on purpose: what the fuzzer is for would otherwise be untested."""
    for name, fault in FAULTS.items():
        program = tmp_path / f"{name}.py"
        program.write_text(SICK_READERS.format(folder=str(FUZZ.parent), fault=fault))
        done = subprocess.run(
            [sys.executable, str(program), "--files", "2"], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"(dataset.json): {name}" in done.stdout
        assert "2 faults" in done.stdout
