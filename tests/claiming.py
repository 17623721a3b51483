"""A folder that another process claims."""

import subprocess
import sys
from contextlib import contextmanager

CLAIMS = """
import sys, time
from pathlib import Path
from monai_freq.files import claim
print(claim(Path(sys.argv[1])), flush=True)
time.sleep(60)
"""


@contextmanager
def claimed_elsewhere(folder):
    """Let another process claim a folder during the block; yields whether it has the claim."""
    process = subprocess.Popen([sys.executable, "-c", CLAIMS, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip() == "True"
    finally:
        process.kill()
        process.communicate()
