"""Generated data sets in the formats of the real ones, for tests and first runs; nothing is downloaded."""

from .heart import write_heart
from .hippocampus import write_hippocampus
from .imagenet import write_imagenet
from .kneemri import write_kneemri
from .lodopab import write_lodopab
from .nuclei import write_dentate_nucleus, write_red_nucleus
from .radimagenet import write_radimagenet
from .spleen import write_spleen

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
