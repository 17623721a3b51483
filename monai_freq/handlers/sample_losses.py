"""Network and loss as an engine calls them, for the gradient of each sample's own loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["InferredNetwork", "SampleLosses"]


class InferredNetwork(nn.Module):
    """Network as its engine calls it, through an inferer such as a sliding window.

    Args:
        network: network of the engine.
        inferer: function of images and network; None for the network itself.

    Example:
        >>> network = InferredNetwork(nn.Identity(), lambda images, network: network(images[:, :1]))
        >>> network(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 1, 4, 4])
    """

    def __init__(self, network: nn.Module, inferer: Callable[..., Any] | None) -> None:
        super().__init__()
        self.network = network
        self.inferer = inferer

    def forward(self, images: Tensor) -> Any:
        """What the engine would get."""
        return self.network(images) if self.inferer is None else self.inferer(images, self.network)


class SampleLosses(nn.Module):
    """Loss of each sample, of everything that the network returns, as in a training.

    Args:
        network: network with one or several outputs.
        loss: loss of all outputs for one sample, and its label.
        labels: labels of all samples, ``(B, ...)``.

    Example:
        >>> losses = SampleLosses(nn.Flatten(), nn.CrossEntropyLoss(), torch.tensor([0, 1]))
        >>> losses(torch.tensor([[[9.0, 0.0]], [[0.0, 9.0]]])).round(decimals=3)
        tensor([0., 0.])
    """

    def __init__(self, network: nn.Module, loss: Callable[..., Any], labels: Tensor) -> None:
        super().__init__()
        self.network = network
        self.loss = loss  # as a module's module, it is in evaluation mode meanwhile
        self.labels = labels

    def forward(self, images: Tensor) -> Tensor:
        """Losses ``(B,)`` of images ``(B, C, *spatial)``."""
        output, size = self.network(images), len(images)
        each = (slice(place, place + 1) for place in range(size))
        return torch.stack([self.loss(_of_sample(output, one, size), self.labels[one]).mean() for one in each])


def _of_sample(output: Any, one: slice, size: int) -> Any:
    """One sample of an output that may be nested; what is not of the batch's size is for all samples."""
    if isinstance(output, dict):
        return {key: _of_sample(value, one, size) for key, value in output.items()}
    if isinstance(output, (list, tuple)):
        parts = [_of_sample(value, one, size) for value in output]
        return output._make(parts) if hasattr(output, "_make") else type(output)(parts)  # named, or not
    return output[one] if isinstance(output, Tensor) and output.ndim and len(output) == size else output
