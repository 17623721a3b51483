"""Spectral transforms for MONAI pipelines, as array and as dictionary transforms."""

from .artifact import artifact_psd
from .fourier import FourierDisentangle, FourierDisentangled, FourierLowPass, FourierLowPassd
from .keyed import Keyed, RandKeyed
from .shortcut import ApplyShortcutd
from .whiten import SpectrumWhiten, SpectrumWhitend

__all__ = [
    "ApplyShortcutd",
    "FourierDisentangle",
    "FourierDisentangled",
    "FourierLowPass",
    "FourierLowPassd",
    "Keyed",
    "RandKeyed",
    "SpectrumWhiten",
    "SpectrumWhitend",
    "artifact_psd",
]
