"""What the bundles' configurations call: where the bundle lies, whether its settings hold, which data it uses."""

from .checkpoint import check_checkpoint
from .location import find_bundle
from .segmentation import Cases, list_images, log_cases, log_images, prepare_cases
from .settings import check_settings

__all__ = [
    "Cases",
    "check_checkpoint",
    "check_settings",
    "find_bundle",
    "list_images",
    "log_cases",
    "log_images",
    "prepare_cases",
]
