"""Ignite handlers for MONAI's engines."""

from .case_report import CaseReport
from .checkpoints import Checkpoints
from .progress import RunProgress
from .psd_handler import PSDHandler
from .psd_history import PSDHistory
from .score_report import ScoreReport
from .slice_pictures import SlicePictures
from .validate_before import ValidateBefore

__all__ = [
    "CaseReport",
    "Checkpoints",
    "PSDHandler",
    "PSDHistory",
    "RunProgress",
    "ScoreReport",
    "SlicePictures",
    "ValidateBefore",
]
