"""The audit: which frequencies tell the label, which the network uses, and what to do about it."""

from ..lazy import lazy_names

_OFFERED = {
    ".cases": ["Case", "Cases", "read_cases"],
    ".confounding": ["Confounding", "GroupCount", "leaks_of"],
    ".data_audit": ["DataAudit", "audit_data", "bands_for"],
    ".features": ["Features", "band_features"],
    ".image_facts": ["ImageFacts"],
    ".leak": ["CellLeak", "Leak", "find_leak"],
    ".mean_spectra": ["MeanSpectrum", "fine_bands"],
    ".nuisances": ["Nuisance"],
}

__getattr__, __dir__ = lazy_names(
    __name__, {".cases": ["Case", "Cases", "read_cases"], ".models": ["AuditModel", "load_model"]}
)
