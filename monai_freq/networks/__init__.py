"""Network wrappers, their export, and weights from elsewhere."""

from .export import export_onnx, export_program
from .first_statistics import first_misfit
from .frequency_fusion import FrequencyFusion
from .normalization import normalized
from .pretrained import load_pretrained, read_weights

__all__ = [
    "FrequencyFusion",
    "export_onnx",
    "export_program",
    "first_misfit",
    "load_pretrained",
    "normalized",
    "read_weights",
]
