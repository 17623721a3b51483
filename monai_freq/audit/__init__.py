"""The audit: which frequencies tell the label, which the network uses, and what to do about it."""

from ..lazy import lazy_names

_OFFERED = {
    ".cases": ["Case", "Cases", "read_cases"],
    ".counterfactual": ["Counterfactual"],
    ".exchange": ["Exchange"],
    ".features": ["Features", "band_features"],
    ".image_facts": ["ImageFacts"],
    ".leak": ["CellLeak", "Leak", "find_leak"],
    ".mean_spectra": ["MeanSpectrum", "fine_bands"],
    ".model_audit": ["ModelAudit", "audit_model"],
    ".model_verdicts": ["ModelVerdict", "model_verdict", "try_leak"],
    ".models": ["AuditModel", "load_model"],
    ".nuisances": ["Nuisance"],
}

__all__ = [
    "AuditModel",
    "Case",
    "Cases",
    "CellLeak",
    "Counterfactual",
    "Exchange",
    "Features",
    "Leak",
    "MeanSpectrum",
    "ModelAudit",
    "ModelVerdict",
    "Nuisance",
    "Priority",
    "Reliance",
    "Remedy",
    "Sensitivity",
    "Where",
    "audit_data",
    "audit_model",
    "band_features",
    "find_leak",
    "load_model",
    "model_verdict",
    "read_cases",
    "scaled_to",
    "try_leak",
    "used_band",
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _OFFERED)
