"""Trainers of nnU-Net with frequency fusion, and with logs of power spectrum densities.

nnU-Net finds them by name where ``nnUNet_extTrainer`` names the folder that ``python -m monai_freq.nnunet`` prints.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..handlers import PSDLogger
from ..networks.frequency_fusion import Fusion
from .planned_fusion import PlannedFusion
from .settings import KEY, FusionSettings, fusion_settings

try:
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] != "nnunetv2":
        raise  # of what nnU-Net needs
    raise ModuleNotFoundError('These trainers need nnU-Net: pip install "monai_freq[nnunet]"') from error

__all__ = ["nnUNetTrainerEarlyFusion", "nnUNetTrainerLateFusion", "nnUNetTrainerNoFusion", "nnUNetTrainerPSD"]


class _Trainer(nnUNetTrainer):  # type: ignore[misc]  # nnU-Net is not installed where types are checked
    """What all trainers share; their classes name the fusion."""

    fusion: ClassVar[Fusion | None] = None

    # nnU-Net reads the arguments from this signature
    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008 - as in nnU-Net
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.psd_interval = 10
        self.psd_samples = 4
        self.psd_artifact: Any = None
        self._psd: PSDLogger | None = None

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: Any,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The planned network, with its fusion; nnU-Net calls it for training and for prediction."""
        settings = cls._settings(plans_manager, configuration_manager)
        inputs = num_input_channels if settings is None else settings.features
        planned: nn.Module = super().build_network_architecture(
            plans_manager, configuration_manager, inputs, num_output_channels, enable_deep_supervision
        )
        if settings is None:
            return planned
        spatial_dims = len(configuration_manager.patch_size)
        return PlannedFusion(planned, num_input_channels, num_output_channels, settings, spatial_dims)

    @classmethod
    def _settings(cls, plans_manager: Any, configuration_manager: Any) -> FusionSettings | None:
        if cls.fusion is None:
            return None
        return fusion_settings(configuration_manager.configuration, cls.fusion, plans_manager.transpose_forward)

    def initialize(self) -> None:
        """Build all parts, and note the settings of the fusion in the plans, which every checkpoint holds."""
        super().initialize()
        settings = self._settings(self.plans_manager, self.configuration_manager)
        if settings is None:
            return
        self.plans_manager.plans["configurations"][self.configuration_name][KEY] = settings.entry
        spacing, patch_size = self.configuration_manager.spacing, self.configuration_manager.patch_size
        self.print_to_log_file(f"Frequency fusion: {settings.described(spacing, patch_size)}")

    def on_train_start(self) -> None:
        """Prepare the training, and the logs in the fold's folder."""
        super().on_train_start()
        if self.local_rank == 0:
            self._psd = PSDLogger(
                self.network,
                _FirstOutput(self._full_size_loss()),
                log_dir=self.output_folder,
                interval=self.psd_interval,
                max_samples=self.psd_samples,
                artifact=self.psd_artifact,
            )

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Train on a batch, of which the logs keep the first samples of an epoch."""
        if self._psd is not None:
            images, labels = batch["data"], batch["target"]
            labels = labels[0] if isinstance(labels, list) else labels
            # one by one, so that the logs need no more memory than the training
            for image, label in zip(images.split(1), labels.split(1), strict=True):
                self._psd.batch(image, label)
        result: dict[str, Any] = super().train_step(batch)
        return result

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """End an epoch of training, and log what its weights depend on."""
        super().on_train_epoch_end(train_outputs)
        if self._psd is not None:
            number = self.current_epoch + 1
            self._psd.epoch(number, last=number == self.num_epochs)

    def _full_size_loss(self) -> nn.Module:
        """Loss of the full-size output alone, of this process alone: it waits for no other one."""
        alone = copy.copy(self)
        alone.is_ddp, alone.enable_deep_supervision = False, False
        alone._do_i_compile = lambda: False
        loss: nn.Module = alone._build_loss()
        return loss


class _FirstOutput(nn.Module):
    """Loss of the first output, the full-size one, of deep supervision."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output: Any, label: Tensor) -> Any:
        return self.loss(output[0] if isinstance(output, (list, tuple)) else output, label)


class nnUNetTrainerPSD(_Trainer):
    """nnU-Net's own network and training, with logs of power spectrum densities.

    The logs are those of :class:`monai_freq.handlers.PSDLogger`, in the fold's folder: of the images and of the
    gradient of the full-size output's loss, for TensorBoard and in ``psd.npz``. The training stays the same bit for
    bit. A subclass may set, after ``super().__init__``, ``psd_interval`` (epochs from one log to the next, 10),
    ``psd_samples`` (largest number of patches, 4) and ``psd_artifact`` (any transform, None).

    Args:
        plans: content of the plans file; nnU-Net passes this and all other arguments.
        configuration: name of the configuration in the plans.
        fold: number of the fold, or ``"all"``.
        dataset_json: content of ``dataset.json``.
        device: device of the training.

    Reference:
        - F. Isensee et al. (2021), "nnU-Net: a self-configuring method for deep learning-based biomedical image
          segmentation", Nature Methods 18, 203-211. DOI 10.1038/s41592-020-01008-z.
        - Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
          SPIE Medical Imaging. DOI 10.1117/12.3047670.

    Example:
        >>> nnUNetTrainerPSD.__mro__[2].__name__, nnUNetTrainerPSD.fusion
        ('nnUNetTrainer', None)
    """


class nnUNetTrainerNoFusion(_Trainer):
    """The matched baseline of both fusions: one stem convolution in front of the planned network, and no bands.

    Arguments, logs and settings are those of :class:`nnUNetTrainerEarlyFusion`.

    Example:
        >>> nnUNetTrainerNoFusion.fusion
        'none'
    """

    fusion = "none"


class nnUNetTrainerEarlyFusion(_Trainer):
    """Early fusion: a stem each for low and high frequencies in front of the planned network.

    The entry ``frequency_fusion`` of the configuration in the plans may change ``theta``, ``convention``, ``axes`` and
    ``features``, see :func:`monai_freq.nnunet.fusion_settings`. What was used is written into the plans beside the
    folds, into every checkpoint, and beside its weights. Logs are those of :class:`nnUNetTrainerPSD`.

    Args:
        plans: content of the plans file; nnU-Net passes this and all other arguments.
        configuration: name of the configuration in the plans.
        fold: number of the fold, or ``"all"``.
        dataset_json: content of ``dataset.json``.
        device: device of the training.

    Reference:
        G. Fu et al. (2024), "The intriguing effect of frequency disentangled learning on medical image segmentation",
        SPIE Medical Imaging. DOI 10.1117/12.2692286.

    Example:
        >>> nnUNetTrainerEarlyFusion.fusion
        'early'
    """

    fusion = "early"


class nnUNetTrainerLateFusion(_Trainer):
    """Late fusion: the planned network sees the high frequencies; its output is fused with the features of the low.

    With deep supervision, the smaller outputs are those of the planned network, from the high frequencies alone.
    Arguments, logs and settings are those of :class:`nnUNetTrainerEarlyFusion`.

    Reference:
        G. Fu et al. (2024), DOI 10.1117/12.2692286.

    Example:
        >>> nnUNetTrainerLateFusion.fusion
        'late'
    """

    fusion = "late"
