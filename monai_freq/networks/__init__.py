"""Network wrappers, and weights from elsewhere."""

from .first_statistics import first_misfit
from .frequency_fusion import FrequencyFusion
from .normalization import normalized
from .pretrained import load_pretrained, read_weights

__all__ = ["FrequencyFusion", "first_misfit", "load_pretrained", "normalized", "read_weights"]
