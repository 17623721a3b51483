"""Components of a training as settings: recorded with their arguments, and built from these again."""

from __future__ import annotations

import json
import pydoc
from collections.abc import Callable, Mapping
from typing import Any

from monai.bundle import ConfigComponent, ConfigParser
from monai.transforms import Transform
from torch import nn

from ..errors import UsageError, ending_readably
from ..json_files import parse_json
from ..quoting import reason_of, written

__all__ = ["described", "trained_component"]

#: beside classes of networks and transforms, what these packages offer is built from a record
_LIBRARIES = ("monai.networks.", "torchio.transforms.")


def described(parser: ConfigParser, name: str) -> dict[str, Any] | None:
    """A component of a configuration as settings: ``_target_`` and its arguments.

    Args:
        parser: parser of the configuration; it builds the component.
        name: name of a network or a transform.

    Returns:
        None where it cannot be built again from a file: an argument is no plain value, or the target is neither a
        network nor a transform.

    Example:
        >>> parser = ConfigParser({"slope": 0.2, "net": {"_target_": "torch.nn.LeakyReLU", "negative_slope": "@slope"}})
        >>> described(parser, "net")
        {'_target_': 'torch.nn.LeakyReLU', 'negative_slope': 0.2}
    """
    parser.get_parsed_content(name)
    item = parser.ref_resolver.get_item(name)
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
        recorded: record of the training, see
            :func:`monai_freq.bundle.component_record.described`; None for the bundle's own component.
        default: function that builds the bundle's own component.
        given: arguments from the command line.

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
    with ending_readably():  # as a configuration asks for it outside of 'initialize' too
        built = _built(recorded, given)
    return built


def _built(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    arguments = {key: value for key, value in recorded.items() if key != "_target_"}
    target = str(recorded.get("_target_"))
    for key, value in given.items():
        if key in arguments and arguments[key] != parse_json(json.dumps(value, default=repr)):
            raise UsageError(
                f"The training was made with {target.rpartition('.')[2]}({key}={written(arguments[key])}), "
                f"not {written(value)}.\n"
                f"Leave '{key}' out, or name another checkpoint."
            )
    build = _builder(target)
    try:
        if build is None:
            raise TypeError("there is no such network or transform here")
        return build(**{**arguments, **given})
    except Exception as error:
        raise UsageError(
            f"{target[:100]!r}, recorded by the training, cannot be built: {reason_of(error)}.\n"
            "Give the --config_file list that it was trained with."
        ) from error


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
