"""Ignite handlers for MONAI's engines, and a logger for any other loop."""

from .case_report import CaseReport
from .checkpoints import Checkpoints
from .progress import RunProgress
from .psd_handler import PSDHandler
from .psd_history import PSDHistory
from .psd_logger import PSDLogger
from .score_report import ScoreReport
from .slice_pictures import SlicePictures
from .validate_before import ValidateBefore

__all__ = [
    "CaseReport",
    "Checkpoints",
    "PSDHandler",
    "PSDHistory",
    "PSDLogger",
    "RunProgress",
    "ScoreReport",
    "SlicePictures",
    "ValidateBefore",
]
