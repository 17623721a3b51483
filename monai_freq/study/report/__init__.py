"""Reports on studies and on single trainings: tables, figures, and what can be concluded from them."""

from .segmentation import write_report
from .transfer import write_transfer_report

__all__ = ["write_report", "write_transfer_report"]
