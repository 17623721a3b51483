"""The mathematics of spatial frequencies: torch tensors in, torch tensors out."""

from . import bands, basis, precision, whiten

__all__ = ["bands", "basis", "precision", "whiten"]
