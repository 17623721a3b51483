"""Frequency-disentangled learning around any network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Literal, get_args

import torch
from monai.networks.layers import Conv
from torch import Tensor, nn

from ..quoting import written
from ..spectral.bands import Convention, check_bands, coarse_low, fuse, split
from ..spectral.cache import is_traced
from ..spectral.precision import check_dense
from ..spectral.scalars import check_choice
from ..spectral.theta import Theta, theta_as_kept
from .image_sizes import by
from .misfit import why_refused, why_unfit
from .predictions import Task, Wanted, replaced

__all__ = ["FrequencyFusion", "Fusion", "check_fusion"]

Fusion = Literal["early", "late", "none"]


def check_fusion(fusion: str) -> None:
    """Refuse the name of a fusion that does not exist.

    Args:
        fusion: kind of fusion, ``"early"``, ``"late"`` or ``"none"``.

    Raises:
        ValueError: another name.

    Example:
        >>> check_fusion("middle")
        Traceback (most recent call last):
        ValueError: 'fusion' must be one of early, late, none, got 'middle'.
    """
    check_choice("fusion", fusion, get_args(Fusion))


class FrequencyFusion(nn.Module):
    r"""Let a network learn the low and the high frequencies of an image separately, then fuse the features.

    With stems :math:`s` (one convolution each), backbone :math:`g` and
    :math:`\text{fuse}(l, h) = P_\text{low}\, l + (I - P_\text{low})\, h`:

    .. math::
        \text{none:}\quad  & g(s(x)) \\
        \text{early:}\quad & g(\text{fuse}(s_L(\text{low}), s_H(\text{high}))) \\
        \text{late:}\quad  & S + \text{head}(\text{fuse}(s_L(\text{low}), W S) + W S),
                             \quad S = g(s_H(\text{high}))

    where W, a 1x1 convolution, lifts the segmentation S to ``features`` channels. A classifier's late fusion joins its
    scores with the mean low features before one linear layer. In every arm the backbone maps ``features`` channels to
    ``out_channels``, so that one backbone definition serves all three, ``none`` being the matched baseline.

    Args:
        backbone: any segmenter or classifier built with ``in_channels=features, out_channels=out_channels``.
        in_channels: number C of channels of the image.
        out_channels: number of classes.
        features: number of channels of the stems.
        theta: width of the low block, a fraction of each cut axis' frequencies, in (0, 1): one number, or one for each
            axis. :func:`~monai_freq.spectral.frequency_unit.theta_of` gives that of a cutoff in cycles per mm.
        fusion: kind of fusion, ``"early"``, ``"late"`` or ``"none"``.
        convention: name of the low band, see :func:`monai_freq.spectral.bands.split`. With ``"figure2"`` the low branch
            works on the coarse grid that holds the band.
        spatial_dims: number of spatial axes, 2 or 3.
        task: kind of task, ``"segmentation"`` or ``"classification"``.
        presplit: whether the input is already ``(B, 2C, *spatial)`` from
            :class:`~monai_freq.transforms.FourierDisentangle` with the same theta, axes and convention.
        axes: spatial axes that are cut.

    Shape:
        ``(B, C, *spatial)`` -> what the backbone returns. In late fusion, every full-size segmentation of its list,
        tuple or stacked tensor goes through one shared head; the others (deep supervision, losses) pass unchanged.
        Dictionaries are looked through as well. :func:`~monai_freq.networks.export_onnx` and
        :func:`~monai_freq.networks.export_program` export the network for images of any size, as tracing by TorchScript
        does (``torch.jit.trace``, ``monai.bundle ckpt_export --use_trace True``); it cannot be scripted.

    Raises:
        TypeError: the input is no tensor.
        ValueError: an argument is outside its range; the input is sparse, or has other channels, dimensions, another
            type or device than the network; or the backbone takes other channels, dimensions or sizes, or returns
            something else.

    Reference:
        G. Fu et al. (2024), "The intriguing effect of frequency disentangled learning on medical image segmentation",
        SPIE Medical Imaging. DOI 10.1117/12.2692286.

    Example:
        >>> from monai.networks.nets import UNet
        >>> backbone = UNet(spatial_dims=2, in_channels=8, out_channels=2, channels=(8, 16), strides=(2,))
        >>> network = FrequencyFusion(backbone, in_channels=1, out_channels=2, fusion="early", spatial_dims=2)
        >>> network(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(
        self,
        backbone: nn.Module,
        in_channels: int,
        out_channels: int,
        features: int = 8,
        theta: Theta = 0.1,
        fusion: Fusion = "early",
        convention: Convention = "figure2",
        spatial_dims: int = 3,
        task: Task = "segmentation",
        presplit: bool = False,
        axes: Sequence[int] = (0, 1),
    ) -> None:
        super().__init__()
        check_fusion(fusion)
        _check_numbers(in_channels=in_channels, out_channels=out_channels, features=features)
        if spatial_dims not in (2, 3):
            raise ValueError(f"'spatial_dims' must be 2 or 3, got {written(spatial_dims)}.")
        check_choice("task", task, get_args(Task))
        check_bands(theta, convention, axes, spatial_dims)
        self.in_channels, self.out_channels, self.features = in_channels, out_channels, features
        self.theta, self.fusion, self.convention = theta_as_kept(theta), fusion, convention
        self.spatial_dims, self.task, self.presplit, self.axes = spatial_dims, task, presplit, tuple(axes)
        if fusion == "none":
            self.stem = self._stem()
        else:
            self.low_stem, self.high_stem = self._stem(), self._stem()
        self.backbone = backbone
        if fusion == "late":
            self.head = _Scores(self) if task == "classification" else _Segmentation(self)

    def forward(self, x: Tensor) -> Any:
        """Predict from a batch of images, in the structure that the backbone returns."""
        x = self._checked(x)
        if self.fusion == "none":
            return self._results(self.stem(self._whole(x)), lambda result: result)
        low, high = self._parts(x)
        low, high = self.low_stem(low), self.high_stem(high)
        if self.fusion == "early":
            return self._results(self.fuse(low, high), lambda result: result)
        return self._results(high, lambda result: self.head(low, result, self.fuse))

    @property
    def _wanted(self) -> Wanted:
        """What the backbone is to return."""
        return Wanted(self.out_channels, self.spatial_dims, self.task)

    def fuse(self, low: Tensor, high: Tensor) -> Tensor:
        """Features with the low band of ``low`` and the rest of ``high``.

        Args:
            low: features of the low branch, on the coarse grid with ``convention="figure2"``.
            high: features at full size.

        Example:
            >>> network = FrequencyFusion(nn.Identity(), 1, 8, spatial_dims=2)
            >>> network.fuse(torch.rand(1, 8, 3, 3), torch.rand(1, 8, 32, 32)).shape
            torch.Size([1, 8, 32, 32])
        """
        coarse = self.convention == "figure2"
        return fuse(
            low,
            high,
            self.theta,
            spatial_dims=self.spatial_dims,
            axes=self.axes,
            convention=self.convention,
            coarse=coarse,
        )

    def _stem(self) -> nn.Module:
        convolution: nn.Module = Conv[Conv.CONV, self.spatial_dims](
            self.in_channels, self.features, kernel_size=3, padding=1, bias=False
        )
        return convolution

    def _whole(self, x: Tensor) -> Tensor:
        return x[:, : self.in_channels] + x[:, self.in_channels :] if self.presplit else x

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.presplit:
            low, high = x[:, : self.in_channels], x[:, self.in_channels :]
        else:
            low, high = split(x, self.theta, spatial_dims=self.spatial_dims, axes=self.axes, convention=self.convention)
        if self.convention == "figure2":
            low = coarse_low(low, self.theta, spatial_dims=self.spatial_dims, axes=self.axes)
        return low, high

    def _checked(self, x: Tensor) -> Tensor:
        """The images, in floating point; refused where the network does not take their shape, type or device."""
        if not isinstance(x, Tensor):
            raise TypeError(f"the input must be a torch.Tensor, got {type(x).__name__}: pass torch.as_tensor(x).")
        check_dense(x, "input")
        channels = self.in_channels * (2 if self.presplit else 1)
        if x.ndim != self.spatial_dims + 2 or x.shape[1] != channels:
            wanted = f"(B, {channels}, *spatial) with {self.spatial_dims} spatial axes"
            raise ValueError(f"the input must be {wanted}, got {tuple(x.shape)}: {self._remedy(x)}.")
        if self.fusion == "late" and self.task == "segmentation" and not is_traced() and math.prod(x.shape[2:]) == 1:
            raise ValueError(
                f"late fusion normalises features over each image, got images of {by(x.shape[2:])}: pass larger ones."
            )
        if x.is_complex():
            raise ValueError(
                f"the input must be real, got {x.dtype}: take its magnitude, or its parts as two channels."
            )
        x = x if x.is_floating_point() else x.to(torch.float32)
        weight = next(self.parameters())
        if x.device != weight.device:
            raise ValueError(f"the input is on {x.device} and the network on {weight.device}: move one to the other.")
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"the input is {x.dtype} and the network {weight.dtype}: convert one to the other.")
        return x

    def _remedy(self, x: Tensor) -> str:
        """Which argument would make the network take images of a shape."""
        parts = 2 if self.presplit else 1
        channels = self.in_channels * parts
        if x.ndim == self.spatial_dims + 2:
            if x.shape[1] == self.in_channels * (3 - parts):
                return f"pass presplit={not self.presplit}"
            return f"pass in_channels={x.shape[1] // parts}" if x.shape[1] % parts == 0 else "see 'presplit'"
        if x.ndim == self.spatial_dims + 1 and x.shape[0] == channels:
            return "pass a batch, as x[None] is of one image"
        if x.ndim in (4, 5) and x.shape[1] == channels:
            return f"pass spatial_dims={x.ndim - 2}"
        return "see 'in_channels', 'presplit', 'spatial_dims'"

    def _results(self, features: Tensor, finish: Callable[[Tensor], Any]) -> Any:
        """What the backbone returns for features, each full-size prediction in it passed through ``finish``."""
        wanted, spatial = self._wanted, features.shape[2:]
        try:
            output = self.backbone(features)
        except Exception as error:
            reason = why_refused(self.backbone, features.shape, wanted, error)
            if reason is not None:
                raise ValueError(reason) from error
            given = f"features of {by(spatial)} images, {tuple(features.shape)}"
            error.add_note(f"FrequencyFusion gave the backbone {given}: features={self.features}.")
            raise

        def sized(item: Tensor) -> Tensor:
            """A graph has no checks of ours, and fails here at a size of which the backbone returns another."""
            checked = self.task == "segmentation" and is_traced()
            return item.reshape(*item.shape[: -len(spatial)], *spatial) if checked else item

        def finished(item: Tensor) -> Any:
            if wanted.is_prediction(item, spatial):
                return finish(sized(item))
            if wanted.is_stack(item, spatial):
                return torch.stack([finish(part) for part in sized(item).unbind(1)], dim=1)
            return item

        if not wanted.is_in(output, spatial):
            raise ValueError(why_unfit(self.backbone, features.shape, wanted, output))
        return replaced(output, finished)


class _Segmentation(nn.Module):
    """Late fusion of a segmenter: a residual correction of its scores, made from both bands.

    Its convolutions are pointwise: one of 3x3x3 voxels at full size would cost more than a small backbone.
    """

    def __init__(self, owner: FrequencyFusion) -> None:
        super().__init__()
        conv = Conv[Conv.CONV, owner.spatial_dims]
        features, classes = owner.features, owner.out_channels
        self.lift = conv(classes, features, kernel_size=1)
        self.correct = nn.Sequential(
            nn.GroupNorm(features, features),
            nn.LeakyReLU(0.01, inplace=True),
            conv(features, features, kernel_size=1),
            nn.GroupNorm(features, features),
            nn.LeakyReLU(0.01, inplace=True),
            conv(features, classes, kernel_size=1),
        )

    def forward(self, low: Tensor, scores: Tensor, fuse: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        lifted = self.lift(scores)
        corrected: Tensor = scores + self.correct(fuse(low, lifted) + lifted)
        return corrected


class _Scores(nn.Module):
    """Late fusion of a classifier: its scores and the mean low features, before a linear layer.

    It is called as :class:`_Segmentation` is, but scores have no frequencies to fuse.
    """

    def __init__(self, owner: FrequencyFusion) -> None:
        super().__init__()
        self.linear = nn.Linear(owner.out_channels + owner.features, owner.out_channels)

    def forward(self, low: Tensor, scores: Tensor, fuse: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        joined = torch.cat([scores, low.mean(dim=tuple(range(2, low.ndim)))], dim=1)
        result: Tensor = self.linear(joined)
        return result


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
            raise ValueError(f"'{name}' must be a positive integer, got {written(number)}.")
