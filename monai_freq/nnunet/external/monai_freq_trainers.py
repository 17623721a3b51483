"""The one module of this folder: nnU-Net imports it by its bare name, looks for a trainer in it, and forgets it again.

The classes themselves stay in their module, so that they are the same ones however often nnU-Net looks for them.
"""

from monai_freq.nnunet.trainers import (
    nnUNetTrainerEarlyFusion,
    nnUNetTrainerLateFusion,
    nnUNetTrainerNoFusion,
    nnUNetTrainerPSD,
)

__all__ = ["nnUNetTrainerEarlyFusion", "nnUNetTrainerLateFusion", "nnUNetTrainerNoFusion", "nnUNetTrainerPSD"]
