"""Spectral transforms for MONAI pipelines, as array and as dictionary transforms."""

from .fourier import FourierDisentangle, FourierDisentangled, FourierLowPass, FourierLowPassd
from .keyed import Keyed

__all__ = ["FourierDisentangle", "FourierDisentangled", "FourierLowPass", "FourierLowPassd", "Keyed"]
