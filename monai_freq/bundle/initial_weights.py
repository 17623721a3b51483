"""Weights that a network starts from: those of a training, and those that it is evaluated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..networks.pretrained import load_pretrained, unsound
from ..quoting import named, reason_of, shown
from .data_folder import tell

__all__ = ["check_weights", "load_init"]


def load_init(network: nn.Module, init: str, may_differ: Sequence[str] = ("fc",)) -> None:
    """Load the weights that a training starts from, or leave those that chance has drawn.

    Args:
        network: a MONAI ResNet, or any network whose names the file has.
        init: ``"random"``, or a file of weights: of this package, of torchvision's or RadImageNet's ResNets.
        may_differ: first parts of the names that the file may lack, have besides or have in another shape.

    Raises:
        UsageError: there is no such file, or it is of another network.

    Example:
        >>> import tempfile
        >>> file = f"{tempfile.mkdtemp()}/model.pt"
        >>> torch.save({"weight": torch.tensor([[3.0, 4.0]]), "bias": torch.zeros(1)}, file)
        >>> network = nn.Linear(2, 1)
        >>> load_init(network, file)
        >>> network.weight.tolist()
        [[3.0, 4.0]]
    """
    if init == "random":
        return
    if not Path(init).is_file():
        raise UsageError(
            f"There is no file {named(init)} to start from.\nPass --init random, or --init <file of weights>."
        )
    try:
        kept = load_pretrained(network, init, may_differ=may_differ)
    except ValueError as error:
        raise UsageError(f"{error}\nPass a file of this network, or as in --may_differ \"['fc']\".") from error
    tell(f"Weights from {init}" + (f", but for {', '.join(kept)}." if kept else "."))


def check_weights(network: nn.Module, checkpoint: str) -> None:
    """Refuse a checkpoint of another network.

    Args:
        network: network for the weights.
        checkpoint: file of weights.

    Raises:
        UsageError: the file cannot be read, or a weight is missing, left over, of another shape, or can be no weight.

    Example:
        >>> import tempfile
        >>> file = f"{tempfile.mkdtemp()}/model.pt"
        >>> torch.save(nn.Linear(3, 1).state_dict(), file)
        >>> check_weights(nn.Linear(2, 1), file)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: ... is of another network: weight is missing, left over or of another shape.
        Give the --config_file list and the settings that it was trained with.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = content.get("model", content)
        weights = _shapes(state)
    except Exception as error:
        raise UsageError(
            f"{named(checkpoint)} holds no weights: {reason_of(error)}.\nTrain again, or pass --checkpoint <file>."
        ) from error
    here = _shapes(network.state_dict())
    other = sorted(name for name in weights | here if weights.get(name) != here.get(name))
    if other:
        names = f"{shown(other[0])} and {len(other) - 1} more are" if other[1:] else f"{shown(other[0])} is"
        raise UsageError(
            f"{named(checkpoint)} is of another network: {names} missing, left over or of another shape.\n"
            "Give the --config_file list and the settings that it was trained with."
        )
    own = network.state_dict()
    if fault := unsound(state, own):
        what, broken = fault
        names = f"{broken[0]} and {len(broken) - 1} more are" if broken[1:] else f"{broken[0]} is"
        raise UsageError(f"{named(checkpoint)}: {names} {what}.\nTrain again, with a lower --learning_rate.")


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in state.items()}
