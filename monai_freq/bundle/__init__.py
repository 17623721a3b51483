"""What the bundles' configurations call: where the bundle lies, whether its settings hold, which data it uses."""

import sys
from typing import Any

from ..errors import UsageError, ending_readably
from ..lazy import lazy_names

#: module -> what it offers
_OFFERED = {
    "..places": ["weights_of"],
    ".artifact_density": ["shown_artifact"],
    ".begin": ["begin_evaluation", "begin_training"],
    ".classification": ["class_names", "prepare_sources", "prepare_targets"],
    ".component_record": ["trained_component"],
    ".intensity": ["over_full_scale", "over_maximum", "scaled_intensity"],
    ".location": ["find_bundle"],
    ".normalization": ["normalization_of"],
    ".parsing": ["readably"],
    ".patches": ["inferer_for", "theta_at", "training_spacing"],
    ".run_folder": ["completed", "recorded_settings", "results_folder"],
    ".segmentation": ["list_images", "prepare_cases"],
    ".settings": ["check_config"],
    ".slices": ["list_slices"],
}
#: what the ``initialize`` section of bundles of earlier versions calls first
_EARLIER = ("silence_known_warnings", "check_settings")

__all__ = [*(name for names in _OFFERED.values() for name in names)]

_find, __dir__ = lazy_names(__name__, _OFFERED)  # naming and copying bundles stays light


def __getattr__(name: str) -> Any:
    if name in _EARLIER and "monai.bundle" in sys.modules:
        _refuse_earlier(name)
    return _find(name)


def _refuse_earlier(name: str) -> None:
    """End a run of a copied bundle that this version does not know; elsewhere it is a name that is not there."""
    from .parsing import running_parser

    try:
        bundle = running_parser().get().get("name", "NAME")
    except RuntimeError:
        return
    with ending_readably():
        raise UsageError(
            f"This bundle, {bundle}, is of an earlier version of monai_freq, which had 'bundle.{name}'.\n"
            f"Copy it anew, with python -m monai_freq copy {bundle} FOLDER, and change what you had changed.\n"
            "What it has trained is found: name the folder of a run with --output_dir."
        )
