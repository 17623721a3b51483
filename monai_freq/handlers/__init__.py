"""Ignite handlers for MONAI's engines."""

from .case_report import CaseReport
from .checkpoints import Checkpoints
from .epoch_seed import EpochSeed
from .progress import RunProgress
from .slice_pictures import SlicePictures

__all__ = ["CaseReport", "Checkpoints", "EpochSeed", "RunProgress", "SlicePictures"]
