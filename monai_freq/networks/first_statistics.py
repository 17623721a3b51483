"""Whether inputs are scaled as those that a network was trained with: its first BatchNorm remembers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

__all__ = ["first_misfit"]

_ALIVE = 1e-3  # of the median variance; less is a filter that training has switched off
_BEGINNING = 0.001  # most that the first values of the statistics may still weigh
_SHARE = 4  # one of so many filters answers to a constant


def first_misfit(network: nn.Module, images: Tensor) -> float | None:
    r"""How far the statistics of a network's first BatchNorm are from what images give there.

    .. math:: \operatorname{median}_c \; \frac{1}{2} \left( r_c + z_c^2 - 1 - \ln r_c \right), \quad
        r_c = \frac{v_c}{\sigma_c^2}, \quad z_c = \frac{m_c - \mu_c}{\sigma_c}

    the Kullback-Leibler divergence of two normal distributions: mean m and variance v of channel c over the images, and
    the running ones. The median is over the quarter of the filters that answer most to a constant: they tell the scale
    of the images, the others their spectrum too.

    Args:
        network: network whose first BatchNorm stands behind its first convolution.
        images: images as the network is given them, ``(B, C, *spatial)``.

    Returns:
        Nats, 0 for a perfect fit; None where no BatchNorm with statistics of more than a few batches is reached.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, momentum=None))
        >>> images = torch.rand(16, 1, 32, 32)
        >>> first_misfit(network, images) is None
        True
        >>> _ = network(images)  # a training of one batch
        >>> first_misfit(network, images) < 0.001, first_misfit(network, 255 * images) > 1000
        (True, True)
    """
    reached = _at_first_norm(network, images)
    if reached is None:
        return None
    norm, values, convolution = reached
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None or _is_young(norm):
        return None
    axes = [axis for axis in range(values.ndim) if axis != 1]
    ratio = values.var(axes, correction=0) / variance
    shift = (values.mean(axes) - mean) / variance.sqrt()
    # a constant image has no variance at all: the logarithm stays finite
    nats = 0.5 * (ratio + shift.square() - 1 - ratio.clamp_min(torch.finfo(ratio.dtype).tiny).log())
    alive = variance > _ALIVE * variance.median()
    return float(nats[_answering(convolution, alive)].median())


def _is_young(norm: _BatchNorm) -> bool:
    """Whether the running statistics are still more or less those that they begin with, 0 and 1."""
    batches = int(norm.num_batches_tracked or 0)  # some files do not count them
    if batches and norm.momentum is not None:
        return bool((1 - norm.momentum) ** batches > _BEGINNING)
    return not bool(norm.running_mean.any()) and bool((norm.running_var == 1).all())  # type: ignore[union-attr]


def _answering(convolution: nn.Module | None, alive: Tensor) -> Tensor:
    """Numbers of the filters that answer to a constant."""
    weight = getattr(convolution, "weight", None)
    if not isinstance(weight, Tensor) or len(weight) != len(alive):
        return alive.nonzero().flatten()
    weight = weight.detach().flatten(1)
    gain = weight.sum(1).abs() / weight.abs().sum(1).clamp_min(torch.finfo(weight.dtype).tiny)
    most = max(1, int(alive.sum()) // _SHARE)
    return gain.masked_fill(~alive, -1).topk(most).indices


class _Reached(Exception):
    """No error: the rest of the network is not needed."""


def _at_first_norm(network: nn.Module, images: Tensor) -> tuple[_BatchNorm, Tensor, nn.Module | None] | None:
    """The first BatchNorm, what it is given, and the last convolution before it."""
    convolutions: list[nn.Module] = []
    found: list[tuple[_BatchNorm, Tensor]] = []

    def stop(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append((norm, inputs[0].float()))  # type: ignore[arg-type]
        raise _Reached

    def note(convolution: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        convolutions.append(convolution)

    hooks = [
        part.register_forward_pre_hook(stop if isinstance(part, _BatchNorm) else note)
        for part in network.modules()
        if isinstance(part, (_BatchNorm, _ConvNd))
    ]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(images)
    except _Reached:
        return (*found[0], convolutions[-1] if convolutions else None)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return None
