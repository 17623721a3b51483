"""Weights that a training starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ..networks.pretrained import load_pretrained
from .data_folder import tell

__all__ = ["load_init"]


def load_init(network: nn.Module, init: str, may_differ: Sequence[str] = ("fc",)) -> None:
    """Load the weights that a training starts from, or leave those that chance has drawn.

    Args:
        network: a MONAI ResNet, or any network whose names the file has.
        init: ``"random"``, or the file: of this package, of torchvision's ResNets, of RadImageNet's.
        may_differ: first parts of names that may be missing, left over or of another shape in the file.

    Raises:
        SystemExit: there is no such file, or it is of another network; two readable lines say what differs.

    Example:
        >>> load_init(nn.Linear(2, 1), "no_such.pt")
        Traceback (most recent call last):
        SystemExit: There is no file no_such.pt to start from.
        Pass --init random, or --init <file of weights>.
    """
    if init == "random":
        return
    if not Path(init).is_file():
        raise SystemExit(f"There is no file {init} to start from.\nPass --init random, or --init <file of weights>.")
    try:
        kept = load_pretrained(network, init, may_differ=may_differ)
    except ValueError as error:
        raise SystemExit(f"{error}\nPass a file of this network, or as in --may_differ \"['fc']\".") from error
    tell(f"Weights from {init}" + (f", but for {', '.join(kept)}." if kept else "."))
