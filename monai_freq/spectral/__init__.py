"""The mathematics of spatial frequencies: torch tensors in, torch tensors out."""

from . import bands

__all__ = ["bands"]
