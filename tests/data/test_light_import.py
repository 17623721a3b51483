"""Importing the readers or the phantoms loads no heavy library: those wait for the first use."""

import subprocess
import sys

import pytest

HEAVY = {"torchio", "nibabel", "scipy", "monai", "SimpleITK", "h5py", "matplotlib"}


@pytest.mark.parametrize("module", ["monai_freq.data", "monai_freq.phantoms"])
def test_imports_are_light(module):
    code = f"import sys, {module}; print(*sorted({HEAVY} & set(sys.modules)), '{module}' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["True"]
