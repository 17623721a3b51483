"""Spectral transforms for MONAI pipelines, as array and as dictionary transforms."""

from .aligned_resize import AlignedResize, AlignedResized
from .artifact import artifact_psd
from .fourier import FourierDisentangle, FourierDisentangled, FourierLowPass, FourierLowPassd
from .keyed import Keyed, RandKeyed
from .load_slice import LoadSlice, LoadSliced
from .load_volume import LoadVolume, LoadVolumed
from .nonlocal_means import NonLocalMeans, NonLocalMeansd, RandNonLocalMeans, RandNonLocalMeansd
from .photon_noise import PhotonNoise, PhotonNoised, RandPhotonNoise, RandPhotonNoised
from .shortcut import ApplyShortcutd, StaticShortcutd
from .spectrum_match import RandSpectrumMatch, RandSpectrumMatchd, SpectrumMatch, SpectrumMatchd
from .whiten import SpectrumWhiten, SpectrumWhitend

__all__ = [
    "AlignedResize",
    "AlignedResized",
    "ApplyShortcutd",
    "FourierDisentangle",
    "FourierDisentangled",
    "FourierLowPass",
    "FourierLowPassd",
    "Keyed",
    "LoadSlice",
    "LoadSliced",
    "LoadVolume",
    "LoadVolumed",
    "NonLocalMeans",
    "NonLocalMeansd",
    "PhotonNoise",
    "PhotonNoised",
    "RandKeyed",
    "RandNonLocalMeans",
    "RandNonLocalMeansd",
    "RandPhotonNoise",
    "RandPhotonNoised",
    "RandSpectrumMatch",
    "RandSpectrumMatchd",
    "SpectrumMatch",
    "SpectrumMatchd",
    "SpectrumWhiten",
    "SpectrumWhitend",
    "StaticShortcutd",
    "artifact_psd",
]
