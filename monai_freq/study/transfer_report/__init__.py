"""The report of a transfer study: does the source of pre-training decide which shortcut a network takes?

Reference:
    Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
    DOI 10.1117/12.3047670.
"""

from .report import write_transfer_report

__all__ = ["write_transfer_report"]
