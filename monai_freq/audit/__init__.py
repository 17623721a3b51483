"""The audit: which frequencies tell the label, which the network uses, and what to do about it."""

from ..lazy import lazy_names

_OFFERED = {
    ".cases": ["Case", "Cases", "read_cases"],
    ".features": ["Features", "band_features"],
    ".leak": ["CellLeak", "Leak", "find_leak"],
}

__all__ = ["Case", "Cases", "CellLeak", "Features", "Leak", "band_features", "find_leak", "read_cases"]

__getattr__, __dir__ = lazy_names(__name__, _OFFERED)
