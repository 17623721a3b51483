"""Learning priority: the spatial frequencies that a network's loss depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .precision import as_computed, check_numbers, class_indices, compute_dtype
from .psd import radial_psd

__all__ = ["input_gradient", "learning_priority"]

Loss = Callable[[Tensor, Tensor], Tensor]


def learning_priority(network: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    r"""Radial power spectrum density of each sample's input gradient, scaled to [0, 1].

    .. math:: \text{PSD}\Bigl( \sum_\text{channels} \frac{\partial L(g(x), y)}{\partial x} \Bigr),
              \quad \text{min-max normalised per sample}

    Network and loss are in evaluation mode during the call. Afterwards their modes, buffers, gradients and random
    states are as before.

    Args:
        network: classifier or segmenter; of several outputs the first tensor counts.
        loss: function of a batch of predictions and a batch of labels.
        images: input images.
        labels: labels in the form that the loss takes.

    Returns:
        Frequencies ``(K,)`` in cycles per voxel, and densities ``(B, K)``, for their mean and standard deviation over
        samples. A sample whose gradient is zero has the density 0.

    Shape:
        images ``(B, C, *spatial)``, labels ``(B, ...)``.

    Raises:
        TypeError: images are no tensor, or labels have no length.
        ValueError: images and labels differ in number; the images have no spatial axis, are sparse or complex, or have
            another type than the network; the network returns no tensor.

    Reference:
        Y. Lu et al. (2025), DOI 10.1117/12.3047670, after Z. Lin et al. (2022), "Investigating and explaining the
        frequency bias in image classification", arXiv 2205.03154.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> images, labels = torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 1])
        >>> frequencies, density = learning_priority(network, nn.CrossEntropyLoss(), images, labels)
        >>> density.shape, density.amin(1).tolist(), density.amax(1).tolist()
        (torch.Size([3, 5]), [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    """
    gradient = input_gradient(network, loss, images, labels).sum(1)
    frequencies, density = radial_psd(gradient, spatial_dims=images.ndim - 2)
    low, high = density.aminmax(dim=-1, keepdim=True)
    return frequencies, (density - low) / torch.where(high > low, high - low, torch.ones_like(high))


def input_gradient(network: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient of each sample's own loss with respect to the sample, with the network in evaluation mode.

    Args:
        network: classifier or segmenter; of several outputs the first tensor counts.
        loss: function of a batch of predictions and a batch of labels. It gets one sample at a time, so that its
            reduction over the batch does not matter.
        images: input images.
        labels: labels in the form that the loss takes.

    Shape:
        images ``(B, C, *spatial)``, labels ``(B, ...)`` -> ``(B, C, *spatial)`` in float32 or float64.

    Raises:
        TypeError: images are no tensor, or labels have no length.
        ValueError: images and labels differ in number; the images have no spatial axis, are sparse or complex, or have
            another type than the network; the network returns no tensor.

    Example:
        >>> weight = torch.arange(4.0).reshape(1, 1, 2, 2)
        >>> network = nn.Conv2d(1, 1, 2, bias=False)
        >>> network.weight.data.copy_(weight).shape
        torch.Size([1, 1, 2, 2])
        >>> input_gradient(network, lambda y, label: y.sum(), torch.rand(1, 1, 2, 2), torch.zeros(1)).flatten()
        tensor([0., 1., 2., 3.])
    """
    check_numbers(images, "images")
    if images.ndim < 3:
        raise ValueError(f"'images' must have the shape (B, C, *spatial), got {tuple(images.shape)}.")
    if not isinstance(labels, Sized) or (isinstance(labels, Tensor) and not labels.ndim):
        raise TypeError(f"'labels' must be one for each of {len(images)} images, got {type(labels).__name__}.")
    if len(images) != len(labels):
        raise ValueError(f"'images' and 'labels' must have the same length, got {len(images)} and {len(labels)}.")
    inputs = as_computed(images.detach(), "images").clone().requires_grad_()
    modules = [module for module in (network, loss) if isinstance(module, nn.Module)]  # a loss may have a state, too
    precise = torch.autocast(inputs.device.type, enabled=False)
    with _undisturbed(modules), torch.enable_grad(), precise:
        output = _first_tensor(_answer(network, inputs.to(_taken(network, images))))
        labels = class_indices(labels)
        total = torch.stack([loss(output[i : i + 1], labels[i : i + 1]) for i in range(len(inputs))]).sum()
        torch.autograd.backward(total)  # reentrant checkpointing does not support autograd.grad
    return torch.zeros_like(inputs) if inputs.grad is None else inputs.grad.detach()


def _taken(network: nn.Module, images: Tensor) -> torch.dtype:
    """Input type of a network: half precision only where its own weights have it, since autocast is off."""
    own = images.is_floating_point() and any(parameter.dtype == images.dtype for parameter in network.parameters())
    return images.dtype if own else compute_dtype(images)


def _answer(network: nn.Module, inputs: Tensor) -> Any:
    try:
        return network(inputs)
    except RuntimeError as error:
        own = {parameter.dtype for parameter in network.parameters() if parameter.is_floating_point()}
        if own and inputs.dtype not in own and "type" in str(error):
            types = " and ".join(sorted(map(str, own)))
            raise ValueError(
                f"'images' are computed in {inputs.dtype}, and the network is {types}: convert one to the other."
            ) from error
        raise


@contextmanager
def _undisturbed(modules: list[nn.Module]) -> Iterator[None]:
    """Evaluation mode without gradients of parameters; everything is as before afterwards."""
    parts = [part for module in modules for part in module.modules()]
    modes = [(part, part.training) for part in parts]
    buffers = [_Buffer(part, name, buffer) for part in parts for name, buffer in part.named_buffers(recurse=False)]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    devices = {p.device.index for p in parameters if p.device.type == "cuda" and p.device.index is not None}
    for module in modules:
        module.eval()
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        with torch.random.fork_rng(devices=sorted(devices)):
            yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        for part, training in modes:
            part.training = training
        for buffer in buffers:
            buffer.restore()


class _Buffer:
    """Buffer of a module: even in evaluation mode, a call can replace it or change it in place."""

    def __init__(self, part: nn.Module, name: str, buffer: Tensor) -> None:
        self.part, self.name, self.buffer, self.before = part, name, buffer, buffer.detach().clone()

    def restore(self) -> None:
        """Put the buffer back, without a write if it is unchanged: tensors that autograd has saved must not change."""
        if getattr(self.part, self.name) is not self.buffer:
            setattr(self.part, self.name, self.buffer)
        if not torch.equal(self.buffer, self.before):
            with torch.no_grad():
                self.buffer.copy_(self.before)


def _first_tensor(output: Any) -> Tensor:
    found = output
    while not isinstance(found, Tensor):
        parts = found.values() if isinstance(found, dict) else found
        found = next(iter(parts), None) if isinstance(parts, Iterable) and not isinstance(parts, str) else None
        if found is None:
            kind = type(output).__name__
            raise ValueError(f"the network must return a tensor, or a collection that starts with one, got {kind}.")
    return found
