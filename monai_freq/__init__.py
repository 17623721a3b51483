"""Spatial frequencies in MONAI: spectra, frequency shortcuts and frequency-disentangled networks."""

from .lazy import lazy_submodules

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "auto3dseg",
    "bundle",
    "data",
    "figures",
    "files",
    "handlers",
    "losses",
    "networks",
    "nnunet",
    "phantoms",
    "seeding",
    "spectral",
    "study",
    "transforms",
]

# Not listed: monai_freq.torchio. MONAI looks at all that is listed, and every bundle would import TorchIO.
__getattr__, __dir__ = lazy_submodules(__name__, __all__)  # keeps ``import monai_freq`` light
