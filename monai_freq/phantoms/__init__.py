"""Generated data sets in the formats of the real ones, for tests and first runs; nothing is downloaded."""

from monai_freq.phantoms.heart import write_heart
from monai_freq.phantoms.hippocampus import write_hippocampus
from monai_freq.phantoms.nuclei import write_dentate_nucleus, write_red_nucleus
from monai_freq.phantoms.spleen import write_spleen

__all__ = ["write_dentate_nucleus", "write_heart", "write_hippocampus", "write_red_nucleus", "write_spleen"]
