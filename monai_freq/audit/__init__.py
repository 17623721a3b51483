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
    "band_features",
    "find_leak",
    "load_model",
    "read_cases",
]

__getattr__, __dir__ = lazy_names(__name__, _OFFERED)
