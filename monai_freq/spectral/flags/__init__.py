"""Traces of how an image was made: zero filling, resampling, JPEG, padding, rounding, line patterns, smoothing."""

from .flag import FLAGS, Flag
from .image_flags import spectrum_flags

__all__ = ["FLAGS", "Flag", "spectrum_flags"]
