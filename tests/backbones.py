"""MONAI's networks, as small as possible, and a wrapper around one of them."""

import pytest
from monai.networks import nets

from monai_freq.networks import FrequencyFusion

FEATURES, CLASSES = 4, 3
ARMS = ("none", "early", "late")


def unet(dims, **settings):
    return nets.UNet(**channels(dims), channels=(4, 8), strides=(2,), **settings)


def channels(dims):
    return {"spatial_dims": dims, "in_channels": FEATURES, "out_channels": CLASSES}


def dynunet(dims, **supervision):
    kernels = {"kernel_size": [3, 3, 3, 3], "strides": [1, 2, 2, 2], "upsample_kernel_size": [2, 2, 2]}
    return nets.DynUNet(**channels(dims), **kernels, filters=[4, 4, 8, 8], **supervision)


#: name -> (dims -> network, spatial sizes that are tried, dimensions)
SEGMENTERS = {
    "UNet": (unet, 16, (2, 3)),
    "BasicUNet": (lambda d: nets.BasicUNet(**channels(d), features=(4, 4, 4, 4, 4, 4)), 32, (2, 3)),
    "BasicUNetPlusPlus": (lambda d: nets.BasicUNetPlusPlus(**channels(d), features=(4, 4, 4, 4, 4, 4)), 32, (2, 3)),
    "BasicUNetPlusPlus supervised": (
        lambda d: nets.BasicUNetPlusPlus(**channels(d), features=(4, 4, 4, 4, 4, 4), deep_supervision=True),
        32,
        (2, 3),
    ),
    "AttentionUnet": (lambda d: nets.AttentionUnet(**channels(d), channels=(4, 8), strides=(2,)), 16, (2, 3)),
    "SegResNet": (lambda d: nets.SegResNet(**channels(d), init_filters=8), 16, (2, 3)),
    "SegResNetDS": (lambda d: nets.SegResNetDS(**channels(d), init_filters=4, dsdepth=3), 32, (2, 3)),
    "SegResNetVAE": (
        lambda d: nets.SegResNetVAE(**channels(d), input_image_size=(16,) * d, init_filters=8, vae_nz=8),
        16,
        (2, 3),
    ),
    "DynUNet": (dynunet, 16, (2, 3)),
    "DynUNet supervised": (lambda d: dynunet(d, deep_supervision=True, deep_supr_num=2), 16, (2, 3)),
    "VNet": (lambda d: nets.VNet(**channels(d), act="relu"), 16, (2, 3)),
    "HighResNet": (lambda d: nets.HighResNet(**channels(d)), 16, (2, 3)),
    "AHNet": (
        lambda d: nets.AHNet(**channels(d), layers=(1, 1, 1, 1), upsample_mode="nearest", psp_block_num=2),
        32,
        (2, 3),
    ),
    "UNETR": (
        lambda d: nets.UNETR(
            FEATURES, CLASSES, 32, spatial_dims=d, feature_size=4, hidden_size=24, mlp_dim=24, num_heads=2
        ),
        32,
        (2, 3),
    ),
    "SwinUNETR": (
        lambda d: nets.SwinUNETR(FEATURES, CLASSES, spatial_dims=d, feature_size=12, depths=(2, 1, 1, 1)),
        (64, 32, 32),
        (2, 3),
    ),
    "FlexibleUNet": (
        lambda d: nets.FlexibleUNet(FEATURES, CLASSES, "efficientnet-b0", spatial_dims=d, decoder_channels=(8,) * 5),
        32,
        (2, 3),
    ),
    "MedNeXt": (lambda d: nets.MedNeXt(**channels(d), init_filters=4), 16, (2, 3)),
}

#: what takes seconds as small as it can be
SLOW = {("SwinUNETR", 3)}

CLASSIFIERS = {
    "DenseNet121": (lambda d: nets.DenseNet121(**channels(d), init_features=8, growth_rate=4), 32, (2, 3)),
    "resnet18": (lambda d: resnet(nets.resnet18, d), 32, (2, 3)),
    "resnet50": (lambda d: resnet(nets.resnet50, d), 32, (2, 3)),
    "SEResNet50": (lambda d: nets.SEResNet50(spatial_dims=d, in_channels=FEATURES, num_classes=CLASSES), 32, (2, 3)),
    "EfficientNetBN": (
        lambda d: nets.EfficientNetBN(
            "efficientnet-b0", False, spatial_dims=d, in_channels=FEATURES, num_classes=CLASSES
        ),
        32,
        (2, 3),
    ),
    "ViT": (
        lambda d: nets.ViT(
            FEATURES, (16,) * d, 8, 24, 24, 2, 2, classification=True, num_classes=CLASSES, spatial_dims=d
        ),
        16,
        (2, 3),
    ),
}


def resnet(build, dims):
    return build(spatial_dims=dims, n_input_channels=FEATURES, num_classes=CLASSES, widen_factor=0.25)


def cases(table):
    return [
        pytest.param(build, size, dims, id=f"{name}-{dims}d", marks=[pytest.mark.slow] * ((name, dims) in SLOW))
        for name, (build, size, dimensions) in table.items()
        for dims in dimensions
    ]


def wrap(backbone, dims, fusion="early", **settings):
    settings = {"in_channels": 2, "out_channels": CLASSES, "features": FEATURES} | settings
    return FrequencyFusion(backbone, fusion=fusion, spatial_dims=dims, **settings)
