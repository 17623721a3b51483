"""What the bundles' configurations call: where the bundle lies, whether its settings hold, which data it uses."""

from ..lazy import lazy_names

#: module -> what it offers
_OFFERED = {
    "..known_warnings": ["silence_known_warnings"],
    ".artifact_density": ["shown_artifact"],
    ".backbone": ["check_backbone"],
    ".classification": ["class_names", "log_samples", "prepare_sources", "prepare_targets"],
    ".component_record": ["described", "trained_component"],
    ".data_folder": ["counted"],
    ".initial_weights": ["check_weights", "load_init"],
    ".intensity": ["check_window", "over_full_scale", "over_maximum", "scaled_intensity"],
    ".location": ["find_bundle"],
    ".normalization": ["check_normalization", "normalization_of"],
    ".run_folder": [
        "begin_run",
        "check_trained",
        "completed",
        "recorded_classes",
        "recorded_settings",
        "results_folder",
    ],
    ".scale_warning": ["warn_of_scale"],
    ".segmentation": ["Cases", "list_images", "log_cases", "log_images", "prepare_cases"],
    ".settings": ["check_choices", "check_ranges", "check_settings", "check_training"],
    ".slices": ["list_slices"],
}

__all__ = [*(name for names in _OFFERED.values() for name in names)]

__getattr__, __dir__ = lazy_names(__name__, _OFFERED)  # naming and copying bundles stays light
