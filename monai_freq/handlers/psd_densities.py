"""Power spectrum densities of a few samples, of their input gradients, and of what an artifact changes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from ..seeding.generators import seeded
from ..spectral.frequency_axis import on_axis
from ..spectral.learning_priority import Loss, learning_priority
from ..spectral.psd import radial_psd
from ..transforms.artifact import artifact_residual
from ..transforms.foreign import dictionary_keys
from .kept_samples import Batch
from .psd_history import as_float64, axis_per_voxel
from .sample_losses import SampleLosses

__all__ = ["NORM", "Densities", "as_density", "sample_densities"]

#: frequencies, and by kind the densities of samples
Densities = tuple[Tensor, dict[str, Tensor]]

#: by which the images' size drops out of a density: white noise has one level on any grid
NORM = "ortho"


def sample_densities(
    network: nn.Module,
    loss: Loss,
    batches: Sequence[Batch],
    artifact: Callable[..., Any] | None = None,
    *,
    of_all_outputs: bool = True,
    caller: str = "sample_densities",
) -> list[Densities]:
    """Densities of each batch, without the samples that have NaN or infinity in the image or in a density.

    Network, loss and random states are as before afterwards.

    Args:
        network: network to differentiate.
        loss: loss of a batch of predictions and labels.
        batches: images and labels, on any device.
        artifact: any transform of MONAI or TorchIO; its draws are those of
            :func:`monai_freq.transforms.artifact_psd` on all images.
        of_all_outputs: whether the loss takes all that the network returns, or the first tensor of it.
        caller: name of what takes ``network`` and ``loss``, for the note at an error of theirs.

    Shape:
        images ``(B, C, *spatial)``, labels ``(B, ...)`` -> of each batch, frequencies ``(K,)`` in cycles per voxel, and
        by kind, as in :data:`monai_freq.handlers.psd_history.KINDS`, densities ``(n, K)`` of n samples at most.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> batch = torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 1])
        >>> [(frequencies, found)] = sample_densities(network, nn.CrossEntropyLoss(), [batch])
        >>> frequencies.shape, {kind: tuple(density.shape) for kind, density in found.items()}
        (torch.Size([5]), {'images': (3, 5), 'gradients': (3, 5)})
    """
    with torch.inference_mode(False):  # within it, nothing could be differentiated
        sound = [batch for batch in map(_finite, batches) if len(batch[0])]
        if not sound:
            return []
        places = accumulate((len(images) for images, _ in sound), initial=0)
        device = next(network.parameters(), sound[0][0]).device
        priority = partial(_priority, network, loss, of_all_outputs=of_all_outputs, caller=caller)
        with seeded(0, device):
            return [
                _densities(images.to(device), labels.to(device), priority, artifact, place)
                for (images, labels), place in zip(sound, places, strict=False)
            ]


def _densities(
    images: Tensor,
    labels: Tensor,
    priority: Callable[[Tensor, Tensor], Tensor],
    artifact: Callable[..., Any] | None,
    place: int,
) -> Densities:
    frequencies, of_images = _psd(images)
    found = {"images": of_images, "gradients": priority(images, labels)}
    if artifact is not None:
        found["artifact"] = _psd(_residuals(artifact, images, place))[1]
    sound = torch.stack([density.isfinite().all(1) for density in found.values()]).all(0)
    return frequencies.cpu().double(), {kind: density[sound].cpu().double() for kind, density in found.items()}


def _finite(batch: Batch) -> Batch:
    """The samples without NaN or infinity."""
    images, labels = batch
    finite = images.flatten(1).isfinite().all(1)
    return images[finite], labels[finite.to(labels.device)]


def _psd(images: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies, and densities ``(B, K)`` that are means over the channels."""
    frequencies, of_channels = radial_psd(images, spatial_dims=images.ndim - 2, norm=NORM)
    return frequencies, of_channels.mean(1)


def _residuals(artifact: Callable[..., Any], images: Tensor, place: int) -> Tensor:
    key = min(dictionary_keys(artifact) or {"image"}, key=str)
    return torch.stack([artifact_residual(artifact, image, key, seed=seed) for seed, image in enumerate(images, place)])


def _priority(
    network: nn.Module, loss: Loss, images: Tensor, labels: Tensor, *, of_all_outputs: bool, caller: str
) -> Tensor:
    weight = next(network.parameters(), images)
    if images.is_floating_point() and weight.is_floating_point():
        images = images.to(weight.dtype)  # autocast, which is off here, would have cast them
    try:
        if of_all_outputs:
            return learning_priority(SampleLosses(network, loss, labels), _itself, images, labels)[1]
        return learning_priority(network, loss, images, labels)[1]
    except Exception as error:
        error.add_note(
            f"{caller} calls the network in evaluation mode and the loss with one sample at a time: "
            f"where that differs too much from the training, use {caller}(network=..., loss=...)."
        )
        raise


def _itself(value: Tensor, label: Tensor) -> Tensor:
    return value


def as_density(artifact: object) -> tuple[Tensor, Tensor] | None:
    """Frequencies and density, where that is what was given as an artifact.

    Args:
        artifact: what was given.

    Raises:
        ValueError: it is a tuple of something else, or the frequencies are not in cycles per voxel.

    Example:
        >>> as_density(print) is None
        True
        >>> as_density((torch.tensor([0.0, 0.5]), torch.tensor([1.0])))
        Traceback (most recent call last):
        ValueError: 'artifact' must be frequencies and a density of one length, got the shapes [(2,), (1,)].
    """
    if not isinstance(artifact, tuple):
        return None
    parts = [torch.from_numpy(as_float64("artifact", part)) for part in artifact]
    shapes = [tuple(part.shape) for part in parts]
    if len(parts) != 2 or shapes[0] != shapes[1] or len(shapes[0]) != 1 or shapes[0] == (0,):
        raise ValueError(f"'artifact' must be frequencies and a density of one length, got the shapes {shapes}.")
    frequencies, density = parts
    if not (bool((frequencies.diff() > 0).all()) and bool((density.isfinite() & (density >= 0)).all())):
        given = f"{frequencies.tolist()} and {density.tolist()}"
        raise ValueError(f"'artifact' must be rising frequencies and a density of at least 0, got {given}.")
    axis_per_voxel("artifact", artifact[0])
    on_axis(torch.tensor([0.0, 0.5]), frequencies, density)  # as far as those of images go
    return frequencies, density
