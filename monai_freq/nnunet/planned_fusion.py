"""Frequency fusion around a network that nnU-Net has planned."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from ..networks.frequency_fusion import FrequencyFusion
from ..spectral.bands import Convention
from ..spectral.theta import theta_along
from .settings import KEY, FusionSettings

__all__ = ["PlannedFusion"]

_CONVENTIONS = get_args(Convention)


class PlannedFusion(nn.Module):
    """Frequency fusion around a planned network, with what nnU-Net asks of a network.

    Deep supervision is switched in the ``decoder`` of the planned network, as nnU-Net does. In late fusion the head
    sees the full-size output; the smaller ones are those of the high frequencies alone.

    The bands are no weights, but the weights hold for them alone. They are kept in the buffer ``bands``, and weights
    that were trained with others are refused.

    Args:
        planned: network with ``features`` input channels, whose ``decoder`` has ``deep_supervision``.
        in_channels: number C of channels of the images.
        out_channels: number of outputs: classes, or regions.
        settings: settings of the fusion.
        spatial_dims: number of spatial axes, 2 or 3.

    Shape:
        ``(B, C, *spatial)`` -> what the planned network returns: ``(B, out_channels, *spatial)``, or a list of it and
        of smaller ones with deep supervision.

    Raises:
        ValueError: a setting is out of its range; loaded weights were trained with other bands.

    Reference:
        - G. Fu et al. (2024), "The intriguing effect of frequency disentangled learning on medical image segmentation",
          SPIE Medical Imaging. DOI 10.1117/12.2692286.
        - F. Isensee et al. (2021), "nnU-Net: a self-configuring method for deep learning-based biomedical image
          segmentation", Nature Methods 18, 203-211. DOI 10.1038/s41592-020-01008-z.

    Example:
        >>> planned = nn.Conv2d(8, 2, 3, padding=1)
        >>> network = PlannedFusion(planned, 1, 2, FusionSettings("early", axes=(0, 1)), spatial_dims=2)
        >>> network(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
        >>> other = PlannedFusion(planned, 1, 2, FusionSettings("early", axes=(0, 1), theta=0.3), spatial_dims=2)
        >>> other.load_state_dict(network.state_dict())
        Traceback (most recent call last):
        ValueError: the weights were trained with theta 0.1 along axes 0, 1 in convention figure2, and the plans say ...
    """

    bands: Tensor

    def __init__(
        self, planned: nn.Module, in_channels: int, out_channels: int, settings: FusionSettings, spatial_dims: int
    ) -> None:
        super().__init__()
        self.fusion = FrequencyFusion(
            planned,
            in_channels,
            out_channels,
            features=settings.features,
            theta=settings.theta,
            fusion=settings.fusion,
            convention=settings.convention,
            spatial_dims=spatial_dims,
            axes=settings.axes,
        )
        self.register_buffer("bands", _coded(settings, spatial_dims))
        self.register_load_state_dict_pre_hook(_check_bands)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Any:
        """Predict from a batch of images."""
        return self.fusion(images)

    @property
    def decoder(self) -> Any:
        """The planned network's decoder, in which nnU-Net switches deep supervision."""
        return self.fusion.backbone.decoder


def _coded(settings: FusionSettings, spatial_dims: int) -> Tensor:
    """Number of the convention, then theta along each spatial axis, 0 where it is not cut: one shape for all."""
    cut = {} if settings.fusion == "none" else theta_along(settings.theta, settings.axes)
    theta = [cut.get(axis, 0.0) for axis in range(spatial_dims)]
    return torch.tensor([_CONVENTIONS.index(settings.convention), *theta], dtype=torch.float32)


def _told(bands: Tensor) -> str:
    number, *theta = bands.tolist()
    cut = [axis for axis, width in enumerate(theta) if width]
    widths = dict.fromkeys(f"{theta[axis]:.4g}" for axis in cut)  # once, if they are all the same
    axes = ", ".join(map(str, cut))
    return f"theta {', '.join(widths)} along axes {axes} in convention {_CONVENTIONS[int(number)]}"


def _check_bands(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Refuse weights of other bands before any is loaded; without the entry, torch says that it is missing."""
    loaded, own = state.get(f"{prefix}bands"), module.bands
    if not isinstance(loaded, Tensor) or not isinstance(own, Tensor) or loaded.shape != own.shape:
        return
    if not torch.allclose(loaded.cpu(), own.cpu()):
        raise ValueError(
            f"the weights were trained with {_told(loaded)}, and the plans say {_told(own)}: "
            f"correct '{KEY}' in plans.json beside the folds."
        )
