"""The audit: which frequencies tell the label, which the network uses, and what to do about it."""

from ..lazy import lazy_names

__all__ = ["AuditModel", "Case", "Cases", "load_model", "read_cases"]

__getattr__, __dir__ = lazy_names(
    __name__, {".cases": ["Case", "Cases", "read_cases"], ".models": ["AuditModel", "load_model"]}
)
