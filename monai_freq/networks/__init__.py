"""Network wrappers."""

from .frequency_fusion import FrequencyFusion

__all__ = ["FrequencyFusion"]
