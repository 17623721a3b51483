"""Losses against frequency shortcuts."""

from .spectral_decoupling import SpectralDecouplingLoss

__all__ = ["SpectralDecouplingLoss"]
