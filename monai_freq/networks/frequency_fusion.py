"""Frequency-disentangled learning around any network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any, Literal, get_args

import torch
from monai.networks.layers import Conv
from torch import Tensor, nn

from ..spectral.bands import Convention, check_bands, coarse_low, fuse, split

__all__ = ["FrequencyFusion", "Fusion", "check_fusion"]

Fusion = Literal["early", "late", "none"]
Task = Literal["segmentation", "classification"]


def check_fusion(fusion: str) -> None:
    """Refuse the name of a fusion that does not exist.

    Args:
        fusion: ``"early"``, ``"late"`` or ``"none"``.

    Raises:
        ValueError: another name.

    Example:
        >>> check_fusion("middle")
        Traceback (most recent call last):
        ValueError: 'fusion' must be one of early, late, none, got 'middle'.
    """
    if fusion not in get_args(Fusion):
        raise ValueError(f"'fusion' must be one of {', '.join(get_args(Fusion))}, got {fusion!r}.")


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
        in_channels: channels C of the image.
        out_channels: classes.
        features: channels of the stems.
        theta: width of the low block, a fraction of each cut axis' frequencies, in (0, 1).
        fusion: ``"early"``, ``"late"`` or ``"none"``.
        convention: which band is called low, see :func:`monai_freq.spectral.bands.split`. With ``"figure2"`` the low
            branch works on the coarse grid that holds the band.
        spatial_dims: 2 or 3.
        task: ``"segmentation"`` or ``"classification"``.
        presplit: the input is already ``(B, 2C, *spatial)`` from
            :class:`~monai_freq.transforms.FourierDisentangle` with the same theta, axes and convention.
        axes: spatial axes that are cut.

    Shape:
        ``(B, C, *spatial)`` -> what the backbone returns. In late fusion, every full-size segmentation of its list,
        tuple or stacked tensor goes through one shared head; the others (deep supervision, losses) pass unchanged.
        ``torch.export`` and ONNX take the network; TorchScript takes it traced (``torch.jit.trace``, ``monai.bundle
        ckpt_export --use_trace True``), not scripted, and right only at the spatial size that it was traced at.

    Raises:
        ValueError: an argument is outside its range, the image has other channels than announced, or the channels of
            the backbone do not fit.

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
        theta: float = 0.1,
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
            raise ValueError(f"'spatial_dims' must be 2 or 3, got {spatial_dims!r}.")
        if task not in get_args(Task):
            raise ValueError(f"'task' must be one of {', '.join(get_args(Task))}, got {task!r}.")
        check_bands(theta, convention, axes, spatial_dims)
        self.in_channels, self.out_channels, self.features = in_channels, out_channels, features
        self.theta, self.fusion, self.convention = theta, fusion, convention
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
        self._check_input(x)
        if self.fusion == "none":
            return self._results(self._through_backbone(self.stem(self._whole(x))), x.shape[2:], lambda result: result)
        low, high = self._parts(x)
        low, high = self.low_stem(low), self.high_stem(high)
        if self.fusion == "early":
            return self._results(self._through_backbone(self.fuse(low, high)), x.shape[2:], lambda result: result)
        return self._results(
            self._through_backbone(high), x.shape[2:], lambda result: self.head(low, result, self.fuse)
        )

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
        return fuse(low, high, self.theta, spatial_dims=self.spatial_dims, axes=self.axes, convention=self.convention)

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

    def _check_input(self, x: Tensor) -> None:
        channels = self.in_channels * (2 if self.presplit else 1)
        if x.ndim != self.spatial_dims + 2 or x.shape[1] != channels:
            wanted = f"(B, {channels}, *spatial) with {self.spatial_dims} spatial axes"
            fits = x.ndim in (4, 5) and x.shape[1] == channels
            remedy = f"pass spatial_dims={x.ndim - 2}" if fits else "see 'in_channels', 'presplit', 'spatial_dims'"
            raise ValueError(f"the input must be {wanted}, got {tuple(x.shape)}: {remedy}.")

    def _through_backbone(self, features: Tensor) -> Any:
        try:
            return self.backbone(features)
        except RuntimeError as error:
            wanted = re.search(r"to have (\d+) channels, but got (\d+) channels", str(error))
            if wanted is None or int(wanted[2]) != self.features:
                error.add_note(f"FrequencyFusion gave the backbone {tuple(features.shape)}: features={self.features}.")
                raise
            raise ValueError(
                f"the backbone takes {wanted[1]} channels and gets {self.features}: "
                f"build it with in_channels={self.features}, or pass features={wanted[1]}."
            ) from error

    def _results(self, output: Any, spatial: torch.Size, finish: Callable[[Tensor], Any]) -> Any:
        """The structure of the backbone's output, each full-size prediction in it passed through ``finish``."""
        found: list[Tensor] = []

        def visit(item: Any) -> Any:
            if isinstance(item, (list, tuple)):
                return type(item)(visit(part) for part in item)
            if not isinstance(item, Tensor):
                return item
            if self._is_prediction(item, spatial):
                found.append(item)
                return finish(item)
            if self._is_stack(item, spatial):
                found.append(item)
                return torch.stack([finish(part) for part in item.unbind(1)], dim=1)
            return item

        finished = visit(output)
        if not found:
            shape = f"(B, {self.out_channels}{', *spatial' if self.task == 'segmentation' else ''})"
            raise ValueError(
                f"the backbone returned {_shapes(output)} and nothing of shape {shape}: "
                f"{self._remedy(output, spatial)}."
            )
        return finished

    def _remedy(self, output: Any, spatial: torch.Size) -> str:
        other: Task = "classification" if self.task == "segmentation" else "segmentation"
        if any(self._is_prediction(item, spatial, other) for item in _tensors(output)):
            return f'pass task="{other}"'
        return f"build it with out_channels={self.out_channels}, or change 'out_channels' or 'task'"

    def _is_prediction(self, item: Tensor, spatial: torch.Size, task: Task | None = None) -> bool:
        if (task or self.task) == "classification":
            return item.ndim == 2 and item.shape[1] == self.out_channels
        return item.ndim == self.spatial_dims + 2 and item.shape[1] == self.out_channels and item.shape[2:] == spatial

    def _is_stack(self, item: Tensor, spatial: torch.Size) -> bool:
        """Deep supervision as DynUNet returns it: ``(B, heads, out_channels, *spatial)``."""
        if self.task == "classification" or item.ndim != self.spatial_dims + 3:
            return False
        return item.shape[2] == self.out_channels and item.shape[3:] == spatial


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
            raise ValueError(f"'{name}' must be a positive integer, got {number!r}.")


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)
    elif isinstance(output, Tensor):
        yield output


def _shapes(output: Any) -> str:
    if isinstance(output, (list, tuple)):
        return f"[{', '.join(_shapes(part) for part in output)}]"
    return str(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
