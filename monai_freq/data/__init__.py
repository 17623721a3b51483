"""Readers that check what they read, reproducible splits and shortcut plans."""

from monai_freq.data.cases import check_cases
from monai_freq.data.decathlon import Decathlon, read_decathlon
from monai_freq.data.errors import DataError
from monai_freq.data.shortcuts import plan_shortcut
from monai_freq.data.splits import split_cases

__all__ = ["DataError", "Decathlon", "check_cases", "plan_shortcut", "read_decathlon", "split_cases"]
