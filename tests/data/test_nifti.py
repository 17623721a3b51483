"""NIfTI files: their names (their damages are in tests/reliability/fuzz.py)."""

import pytest

from monai_freq.data.nifti import case_name


@pytest.mark.parametrize(
    ("file", "name"),
    [("a/la_003.nii.gz", "la_003"), ("b/la_004.nii", "la_004"), ("la.1.nii.gz", "la.1"), ("x.mha", "x.mha")],
)
def test_cases_are_named_after_their_file(file, name):
    assert case_name(file) == name
