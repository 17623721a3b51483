"""Whether other processes are there, and what they have reached."""

import os
import time
from pathlib import Path


def wait_until(reached, seconds=60.0):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def alive(pid):
    try:
        os.kill(pid, 0)
        if Path("/proc").is_dir():  # where nothing tells, one that nobody has waited for is alive
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
    return True
