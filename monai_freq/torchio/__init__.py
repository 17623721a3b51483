"""Our transforms as TorchIO's own: on the images of a subject, never on its label maps, and replayed by its history."""

from .forms import (
    FourierDisentangleTio,
    FourierLowPassTio,
    NonLocalMeansTio,
    PhotonNoiseTio,
    RandNonLocalMeansTio,
    RandPhotonNoiseTio,
    RandSpectrumMatchTio,
    SpectrumMatchTio,
    SpectrumWhitenTio,
)
from .native import RandTio, Tio
from .shortcut import ApplyShortcutTio

__all__ = [
    "ApplyShortcutTio",
    "FourierDisentangleTio",
    "FourierLowPassTio",
    "NonLocalMeansTio",
    "PhotonNoiseTio",
    "RandNonLocalMeansTio",
    "RandPhotonNoiseTio",
    "RandSpectrumMatchTio",
    "RandTio",
    "SpectrumMatchTio",
    "SpectrumWhitenTio",
    "Tio",
]
