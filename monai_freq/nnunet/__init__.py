"""Frequency fusion around the networks that nnU-Net plans: settings, network, trainers.

The trainers are in ``monai_freq.nnunet.trainers``, which needs nnU-Net (extra ``nnunet``). The rest does not.
``python -m monai_freq.nnunet`` prints the folder in which nnU-Net finds them.
"""

from ..lazy import lazy_names

__all__ = ["FusionSettings", "PlannedFusion", "fusion_settings"]

_OFFERED = {".planned_fusion": ["PlannedFusion"], ".settings": ["FusionSettings", "fusion_settings"]}

__getattr__, __dir__ = lazy_names(__name__, _OFFERED)  # a shell asks for the folder at each start
