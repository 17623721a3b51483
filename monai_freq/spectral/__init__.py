"""The mathematics of spatial frequencies: torch tensors in, torch tensors out."""

from . import bands, basis, cache, learning_priority, precision, psd, whiten

__all__ = ["bands", "basis", "cache", "learning_priority", "precision", "psd", "whiten"]
