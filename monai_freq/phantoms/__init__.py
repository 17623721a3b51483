"""Generated data sets in the formats of the real ones, for tests and first runs; nothing is downloaded."""

from monai_freq.phantoms.heart import write_heart
from monai_freq.phantoms.hippocampus import write_hippocampus
from monai_freq.phantoms.imagenet import write_imagenet
from monai_freq.phantoms.kneemri import write_kneemri
from monai_freq.phantoms.lodopab import write_lodopab
from monai_freq.phantoms.nuclei import write_dentate_nucleus, write_red_nucleus
from monai_freq.phantoms.radimagenet import write_radimagenet
from monai_freq.phantoms.spleen import write_spleen

__all__ = [
    "write_dentate_nucleus",
    "write_heart",
    "write_hippocampus",
    "write_imagenet",
    "write_kneemri",
    "write_lodopab",
    "write_radimagenet",
    "write_red_nucleus",
    "write_spleen",
]
