"""What the bundles' configurations call: where the bundle lies, whether its settings hold, which data it uses."""

from .classification import log_samples, prepare_sources, prepare_targets
from .intensity import check_window
from .location import find_bundle
from .run_folder import begin_run, check_trained
from .segmentation import Cases, list_images, log_cases, log_images, prepare_cases
from .settings import check_settings

__all__ = [
    "Cases",
    "begin_run",
    "check_settings",
    "check_trained",
    "check_window",
    "find_bundle",
    "list_images",
    "log_cases",
    "log_images",
    "log_samples",
    "prepare_cases",
    "prepare_sources",
    "prepare_targets",
]
