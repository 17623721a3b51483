"""The audit: which frequencies tell the label, which the network uses, and what to do about it.

Steps that have the name of their module are imported from it, as in
``from monai_freq.audit.model.reliance import reliance``.
"""

from ..lazy import lazy_names

_OFFERED = {
    ".cases": ["Case", "Cases", "read_cases"],
    ".data.confounding": ["Confounding", "GroupCount", "leaks_of"],
    ".model.counterfactual": ["Counterfactual"],
    ".data_audit": ["DataAudit", "audit_data", "bands_for"],
    ".model.experiments": ["Experiment"],
    ".data.features": ["Features", "band_features"],
    ".data.image_facts": ["ImageFacts", "image_facts"],
    ".data.leak": ["CellLeak", "Leak", "find_leak"],
    ".data.mean_spectra": ["MeanSpectrum", "fine_bands"],
    ".model_audit": ["ModelAudit", "audit_model"],
    ".model.model_verdicts": ["ModelVerdict", "model_verdict", "try_leak"],
    ".model.models": ["AuditModel", "load_model"],
    ".data.nuisances": ["Nuisance"],
    ".model.preparing": ["scaled_to"],
    ".model.priority": ["Priority"],
    ".model.reliance": ["Reliance", "used_band"],
    ".remedies": ["Remedy"],
    ".pages.report": ["write_report"],
    ".model.sensitivity": ["Sensitivity"],
    ".trial": ["Trial"],
    ".model.where": ["Where", "band_maps"],
}

__all__ = [
    "AuditModel",
    "Case",
    "Cases",
    "CellLeak",
    "Confounding",
    "Counterfactual",
    "DataAudit",
    "Experiment",
    "Features",
    "GroupCount",
    "ImageFacts",
    "Leak",
    "MeanSpectrum",
    "ModelAudit",
    "ModelVerdict",
    "Nuisance",
    "Priority",
    "Reliance",
    "Remedy",
    "Sensitivity",
    "Trial",
    "Where",
    "audit_data",
    "audit_model",
    "band_features",
    "band_maps",
    "bands_for",
    "find_leak",
    "fine_bands",
    "image_facts",
    "leaks_of",
    "load_model",
    "model_verdict",
    "read_cases",
    "scaled_to",
    "try_leak",
    "used_band",
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _OFFERED)
