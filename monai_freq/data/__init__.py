"""Readers that check what they read, reproducible splits and folds, and shortcut plans."""

from monai_freq.data.cases import check_cases
from monai_freq.data.decathlon import Decathlon, read_decathlon
from monai_freq.data.errors import DataError
from monai_freq.data.fold_files import compare_folds, read_folds, save_folds
from monai_freq.data.folds import divide_folds, fold_items, plan_folds
from monai_freq.data.image_checks import check_images
from monai_freq.data.imagenet import read_imagenet
from monai_freq.data.images import read_image, slice_address
from monai_freq.data.kneemri import read_kneemri
from monai_freq.data.lodopab import read_lodopab
from monai_freq.data.pck import read_pck
from monai_freq.data.radimagenet import read_radimagenet
from monai_freq.data.shortcuts import plan_shortcut
from monai_freq.data.splits import split_cases
from monai_freq.data.wordnet import SUPERCLASSES, superclass_labels

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
    "read_lodopab",
    "read_pck",
    "read_radimagenet",
    "save_folds",
    "slice_address",
    "split_cases",
    "superclass_labels",
]
