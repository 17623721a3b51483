"""Pickles that run something when they are read."""

from collections.abc import Callable
from typing import Any


class Runs:
    """Object whose pickle calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call
