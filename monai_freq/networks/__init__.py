"""Network wrappers, and weights from elsewhere."""

from .frequency_fusion import FrequencyFusion
from .pretrained import load_pretrained, read_weights

__all__ = ["FrequencyFusion", "load_pretrained", "read_weights"]
