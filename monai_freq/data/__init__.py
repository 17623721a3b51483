"""Readers that check what they read, reproducible splits and folds, and shortcut plans."""

from ..errors import DataError
from .cases import check_cases
from .decathlon import Decathlon, read_decathlon
from .fold_files import compare_folds, read_folds, save_folds
from .folds import divide_folds, fold_items, plan_folds
from .image_checks import check_images
from .imagenet import read_imagenet
from .images import read_image, slice_address
from .kneemri import read_kneemri
from .labelled_images import read_labelled_images
from .lodopab import read_lodopab
from .pck import read_pck
from .radimagenet import read_radimagenet
from .shortcuts import plan_shortcut
from .splits import split_cases
from .wordnet import SUPERCLASSES, superclass_labels

__all__ = [
    "SUPERCLASSES",
    "DataError",
    "Decathlon",
    "check_cases",
    "check_images",
    "compare_folds",
    "divide_folds",
    "fold_items",
    "plan_folds",
    "plan_shortcut",
    "read_decathlon",
    "read_folds",
    "read_image",
    "read_imagenet",
    "read_kneemri",
    "read_labelled_images",
    "read_lodopab",
    "read_pck",
    "read_radimagenet",
    "save_folds",
    "slice_address",
    "split_cases",
    "superclass_labels",
]
