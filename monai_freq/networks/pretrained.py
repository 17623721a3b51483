"""Weights from elsewhere: of this package, of torchvision's ResNets or of RadImageNet's, in MONAI's ResNets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..quoting import named, reason_of, shown
from ..spectral.precision import is_real

__all__ = ["load_pretrained", "not_finite", "read_weights", "unsound"]

#: what a ResNet is called where its parts are numbered, as in RadImageNet's files
_NUMBERED = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
#: where training programs put the weights within their checkpoints
_WITHIN = ("network", "model", "state_dict", "model_state_dict")
#: what MONAI's ResNets have and others do not; zero is the same as nothing there
_ZERO = re.compile(r"layer\d+\.\d+\.downsample\.0\.bias|.*\.num_batches_tracked")
_NOT_PLAIN = "sparse, nested, packed or without values"
_SHOWN = 5


def load_pretrained(network: nn.Module, path: str | os.PathLike[str], *, may_differ: Sequence[str] = ()) -> list[str]:
    """Load weights into a network, all of them, but for parts that are allowed to differ.

    Names are mapped to MONAI's, see :func:`read_weights`. Where the file's first layer sees three channels and the
    network's sees one, its weights are summed over the channels: the network then answers as the other one does to a
    grey image repeated in three.

    Args:
        network: a MONAI ResNet, or any network whose names the file has.
        path: file of the weights.
        may_differ: first parts of names that may be missing, left over or of another shape, as ``["fc"]`` for another
            number of classes; there the network keeps what it has.

    Returns:
        Names of what the network has kept.

    Raises:
        ValueError: the file cannot be read, or weights are missing, left over, of another shape, no plain real numbers,
            NaN or infinite, or negative where they are variances.

    Example:
        >>> import tempfile
        >>> file = os.path.join(tempfile.mkdtemp(), "model.pt")
        >>> torch.save(nn.Linear(4, 3).state_dict(), file)
        >>> load_pretrained(nn.Linear(4, 2), file, may_differ=["bias", "weight"])
        ['weight', 'bias']
    """
    own = network.state_dict()
    weights = _fitted(read_weights(path), own)
    free = tuple(may_differ)

    def differing(names: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
        return [name for name in names if name not in others and not _under(name, free)]

    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"
        for name in weights
        if name in own and weights[name].shape != own[name].shape and not _under(name, free)
    ]
    faults = {"missing": differing(own, weights), "left over": differing(weights, own), "of another shape": wrong}
    if any(faults.values()):
        listed = "; ".join(f"{what}: {_listed(names)}" for what, names in faults.items() if names)
        raise ValueError(
            f"{named(path)} is of another network. Its weights are {listed}. 'may_differ' names what may be."
        )
    used = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
    if fault := unsound(used, own):
        raise ValueError(
            f"{named(path)} has weights that are {fault[0]}: {_listed(fault[1])}. Take another checkpoint."
        )
    network.load_state_dict(own | used)
    return [name for name in own if name not in used]


def unsound(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[str, list[str]] | None:
    """What no weight of a network can be, and the names of those that are it; None where all can be used.

    Args:
        weights: weights by name.
        own: weights of the network by these names, whose types they get.

    Example:
        >>> unsound({"bn1.running_var": torch.tensor([1.0, -1.0])}, {"bn1.running_var": torch.ones(2)})
        ('negative, as no variance can be', ['bn1.running_var'])
    """
    if unread := [name for name, weight in weights.items() if not _is_plain(weight)]:
        return _NOT_PLAIN, unread
    if parted := [name for name, weight in weights.items() if weight.is_complex() and not own[name].is_complex()]:
        return "complex", parted
    if broken := not_finite({name: weight.to(own[name].dtype) for name, weight in weights.items()}):
        return "NaN or infinite", broken
    variances = [name for name in weights if name.rpartition(".")[2] == "running_var"]
    if negative := [name for name in variances if bool((weights[name].float() < 0).any())]:
        return "negative, as no variance can be", negative
    return None


def not_finite(weights: Mapping[str, Tensor]) -> list[str]:
    """Names of the weights that hold NaN or infinity.

    Args:
        weights: weights by name.

    Example:
        >>> not_finite({"conv1.weight": torch.ones(3), "bn1.running_var": torch.tensor([1.0, float("nan")])})
        ['bn1.running_var']
    """
    return [name for name, weight in weights.items() if not bool(torch.isfinite(weight).all())]


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Weights of a checkpoint, under the names that MONAI's ResNets have; no code in the file is run.

    Read are files of ``torch.save`` that hold a state dictionary, or one within a checkpoint of a training. ``module.``
    and ``backbone.`` in front of all names are taken off, and the numbers that the parts of a ResNet have in
    RadImageNet's files are replaced: ``backbone.4.0.conv1.weight`` becomes ``layer1.0.conv1.weight``.

    Args:
        path: path of the file.

    Raises:
        ValueError: there is no such file, it is truncated, it holds something else, or it would run code; a weight is
            sparse, nested, packed or without values.

    Example:
        >>> import tempfile
        >>> file = os.path.join(tempfile.mkdtemp(), "model.pt")
        >>> torch.save({"epoch": 9, "state_dict": {"module.fc.bias": torch.tensor([1.0, 2.0])}}, file)
        >>> read_weights(file)
        {'fc.bias': tensor([1., 2.])}
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of torch, pickle or zip, as the damage will have it
        raise ValueError(f"{named(path)} cannot be read as weights: {reason_of(error)}.") from error
    weights = _state_dict(content)
    if weights is None:
        raise ValueError(f"{named(path)} holds no weights by name, but a {type(content).__name__}.")
    if unread := [name for name, weight in weights.items() if not _is_plain(weight)]:
        raise ValueError(f"{named(path)} has weights that are {_NOT_PLAIN}: {_listed(unread)}. Save them dense.")
    for prefix in ("module.", "backbone."):
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return _renumbered(weights)


def _state_dict(content: Any) -> dict[str, Tensor] | None:
    """The mapping of names to tensors, wherever it is."""
    if not isinstance(content, Mapping):
        return None
    if content and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        return dict(content)
    return next((found for key in _WITHIN if (found := _state_dict(content.get(key))) is not None), None)


def _renumbered(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the parts of a ResNet by their names, if they are numbered."""
    if not {"0.weight", "1.weight", "4.0.conv1.weight"} <= set(weights):
        return weights
    renamed = {}
    for name, value in weights.items():
        first, dot, rest = name.partition(".")
        renamed[f"{_NUMBERED.get(first, first)}{dot}{rest}"] = value
    return renamed


def _fitted(weights: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Zeros where nothing is the same as zero, and a first layer for one channel."""
    zeros = {name: torch.zeros_like(own[name]) for name in own if name not in weights and _ZERO.fullmatch(name)}
    fitted = weights | zeros
    channels = [tensors["conv1.weight"].shape[1:2] for tensors in (fitted, own) if "conv1.weight" in tensors]
    if channels == [(3,), (1,)]:
        fitted["conv1.weight"] = fitted["conv1.weight"].sum(1, keepdim=True)
    return fitted


def _is_plain(weight: Tensor) -> bool:
    """Whether each of its numbers is in memory, one after another."""
    dense = weight.layout == torch.strided and not weight.is_nested and weight.device.type != "meta"
    return dense and (is_real(weight.dtype) or weight.is_complex())


def _under(name: str, parts: Sequence[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shown(name) for name in names[:_SHOWN]) + more
