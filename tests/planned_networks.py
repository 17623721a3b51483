"""A network as nnU-Net plans it: an encoder, and a decoder with deep supervision that is switched from outside."""

from torch import nn

from monai_freq.nnunet import FusionSettings, PlannedFusion


class Planned(nn.Module):
    """Full and half size, each from one convolution."""

    def __init__(self, features, classes, spatial_dims):
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[spatial_dims]
        self.encoder = conv(features, 4, 3, padding=1)
        self.decoder = nn.ModuleList([conv(4, classes, 1), conv(4, classes, 1, stride=2)])
        self.decoder.deep_supervision = True

    def forward(self, x):
        full, half = (layer(self.encoder(x)) for layer in self.decoder)
        return [full, half] if self.decoder.deep_supervision else full


def planned_fusion(fusion="early", axes=(1, 2), spatial_dims=3, channels=1, classes=3, **settings):
    """A small network of this kind with its fusion."""
    chosen = FusionSettings(fusion, axes, **settings)
    return PlannedFusion(Planned(chosen.features, classes, spatial_dims), channels, classes, chosen, spatial_dims)
