"""Spatial frequencies in MONAI: spectra, frequency shortcuts and frequency-disentangled networks."""

__version__ = "0.1.0"
__all__ = ["__version__"]
