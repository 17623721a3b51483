"""The mathematics of spatial frequencies: torch tensors in, torch tensors out."""

from . import bands, basis

__all__ = ["bands", "basis"]
