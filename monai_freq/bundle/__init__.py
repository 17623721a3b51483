"""What the bundles' configurations call: where the bundle lies, whether its settings hold, which data it uses."""

from ..known_warnings import silence_known_warnings
from .artifact_density import shown_artifact
from .backbone import check_backbone
from .classification import class_names, log_samples, prepare_sources, prepare_targets
from .component_record import described, trained_component
from .data_folder import counted
from .initial_weights import check_weights, load_init
from .intensity import check_window, over_full_scale, over_maximum, scaled_intensity
from .location import find_bundle
from .normalization import check_normalization, normalization_of
from .run_folder import (
    begin_run,
    check_trained,
    completed,
    recorded_classes,
    recorded_settings,
    results_folder,
)
from .scale_warning import warn_of_scale
from .segmentation import Cases, list_images, log_cases, log_images, prepare_cases
from .settings import check_choices, check_ranges, check_settings, check_training
from .slices import list_slices

__all__ = [
    "Cases",
    "begin_run",
    "check_backbone",
    "check_choices",
    "check_normalization",
    "check_ranges",
    "check_settings",
    "check_trained",
    "check_training",
    "check_weights",
    "check_window",
    "class_names",
    "completed",
    "counted",
    "described",
    "find_bundle",
    "list_images",
    "list_slices",
    "load_init",
    "log_cases",
    "log_images",
    "log_samples",
    "normalization_of",
    "over_full_scale",
    "over_maximum",
    "prepare_cases",
    "prepare_sources",
    "prepare_targets",
    "recorded_classes",
    "recorded_settings",
    "results_folder",
    "scaled_intensity",
    "shown_artifact",
    "silence_known_warnings",
    "trained_component",
    "warn_of_scale",
]
