"""Generated data sets in the formats of the real ones, for tests and first runs; nothing is downloaded."""

from monai_freq.phantoms.heart import write_heart

__all__ = ["write_heart"]
