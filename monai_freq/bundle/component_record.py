"""Components of a training as settings: recorded with their arguments, and built from these again."""

from __future__ import annotations

import json
import pydoc
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from monai.bundle import ConfigComponent, ConfigParser
from monai.transforms import Transform
from torch import nn

from ..json_files import parse_json
from ..quoting import reason_of, written

__all__ = ["described", "trained_component"]

#: beside classes of networks and transforms, what these packages offer is built from a record
_LIBRARIES = ("monai.networks.", "torchio.transforms.")


def described(name: str) -> dict[str, Any] | None:
    """A component of the configuration that is being run, as settings: ``_target_`` and its arguments.

    MONAI hands an expression what a component has become, not what it was made of: this looks for its parser among
    the callers.

    Args:
        name: of a network or a transform in the configuration that has been built already.

    Returns:
        None where it cannot be built again from a file: an argument is no plain value, or the target is neither a
        network nor a transform.

    Example:
        >>> config = {"imports": ["$from monai_freq import bundle"], "net": {"_target_": "torch.nn.ReLU"}}
        >>> parser = ConfigParser(config | {"record": "$@net and bundle.described('net')"})
        >>> parser.get_parsed_content("record")
        {'_target_': 'torch.nn.ReLU'}
    """
    parser = _running_parser(sys._getframe(1))
    item = parser.ref_resolver.get_item(name) if parser is not None else None
    if not isinstance(item, ConfigComponent) or item.is_disabled():
        return None
    component: Any = item  # whose methods MONAI has not annotated
    target, arguments = component.resolve_module_name(), component.resolve_args()
    try:
        plain = parse_json(json.dumps(arguments, allow_nan=False))
    except (TypeError, ValueError):
        return None
    return {"_target_": target, **plain} if _builder(target) is not None else None


def trained_component(recorded: Mapping[str, Any] | None, default: Callable[..., Any], **given: Any) -> Any:
    """A component as a training recorded it, or the bundle's own.

    Networks and transforms alone are built from a record: a file of settings cannot call what it likes.

    Args:
        recorded: from :func:`described`; None for the bundle's own.
        default: builds the bundle's own.
        given: arguments that are given now.

    Raises:
        SystemExit: another value is given than the training's, or the component cannot be built.

    Example:
        >>> record = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}
        >>> trained_component(record, nn.Identity)
        Linear(in_features=2, out_features=1, bias=True)
        >>> trained_component(record, nn.Identity, in_features=3)
        Traceback (most recent call last):
        SystemExit: The training was made with Linear(in_features=2), not 3.
        Leave 'in_features' out, or name another checkpoint.
    """
    if recorded is None:
        return default(**given)
    arguments = {key: value for key, value in recorded.items() if key != "_target_"}
    target = str(recorded.get("_target_"))
    for key, value in given.items():
        if key in arguments and arguments[key] != parse_json(json.dumps(value, default=repr)):
            raise SystemExit(
                f"The training was made with {target.rpartition('.')[2]}({key}={written(arguments[key])}), "
                f"not {written(value)}.\n"
                f"Leave '{key}' out, or name another checkpoint."
            )
    build = _builder(target)
    try:
        if build is None:
            raise TypeError("there is no such network or transform here")
        return build(**arguments | given)
    except Exception as error:
        reason = reason_of(error)
        raise SystemExit(
            f"{target[:100]!r}, recorded by the training, cannot be built: {reason}.\n"
            "Give the --config_file list that it was trained with."
        ) from error


def _running_parser(frame: FrameType | None) -> ConfigParser | None:
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, ConfigParser):
            return owner
        frame = frame.f_back
    return None


def _builder(target: object) -> Callable[..., Any] | None:
    """The class of a network or a transform, or a function that builds one."""
    try:
        found: Any = pydoc.locate(target) if isinstance(target, str) else None
    except pydoc.ErrorDuringImport:
        return None
    if isinstance(found, type) and issubclass(found, (nn.Module, Transform)):
        return found
    of_library = str(getattr(found, "__module__", "")).startswith(_LIBRARIES)
    return found if of_library and callable(found) else None
