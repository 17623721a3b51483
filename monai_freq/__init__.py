"""Spatial frequencies in MONAI: spectra, frequency shortcuts and frequency-disentangled networks."""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_SUBMODULES = (
    "bundle",
    "data",
    "figures",
    "files",
    "handlers",
    "losses",
    "networks",
    "phantoms",
    "setting_names",
    "shipped_bundles",
    "spectral",
    "study",
    "transforms",
)

__all__ = ["__version__", *_SUBMODULES]


def __getattr__(name: str) -> ModuleType:
    """Import a submodule when it is first asked for: ``import monai_freq`` alone stays light."""
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
