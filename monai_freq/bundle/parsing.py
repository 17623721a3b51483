"""MONAI's parser of a configuration: the one that is running, a copy of it, and the errors of what it builds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from monai.bundle import ConfigParser

from ..errors import UsageError

__all__ = ["copied", "readably", "running_parser"]


def running_parser() -> ConfigParser:
    """The parser of the configuration whose expression calls this, which MONAI does not hand to it.

    Raises:
        RuntimeError: no configuration is running.

    Example:
        >>> config = {"imports": ["$from monai_freq.bundle.parsing import running_parser"], "epochs": 60}
        >>> parser = ConfigParser(config | {"number": "$running_parser()['epochs']"})
        >>> parser.get_parsed_content("number")
        60
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if isinstance(owner := frame.f_locals.get("self"), ConfigParser):
            return owner
        frame = frame.f_back
    raise RuntimeError("No configuration is running: this is for the 'initialize' section of a bundle.")


def copied(parser: ConfigParser) -> ConfigParser:
    """The same configuration in another parser, in which nothing is built yet.

    Args:
        parser: parser to copy; it stays as it is.

    Example:
        >>> parser = ConfigParser({"epochs": 60, "twice": "$2 * @epochs"})
        >>> copied(parser).get_parsed_content("twice")
        120
    """
    return ConfigParser(_copied(parser.get()))


def _copied(value: Any) -> Any:
    """Of mappings and lists alone: what else is in a configuration may not be there twice."""
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value


@contextmanager
def readably() -> Iterator[None]:
    """Raise the error of ours that MONAI has wrapped into its own, if there is one.

    Raises:
        UsageError: the block raised an error that this one had led to.

    Example:
        >>> parser = ConfigParser({"fail": {"_target_": "monai_freq.errors.UsageError", "message": "'epochs' is 0."}})
        >>> with readably():
        ...     raise RuntimeError("Failed to evaluate ConfigExpression") from parser.get_parsed_content("fail")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'epochs' is 0.
    """
    try:
        yield
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UsageError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from None
