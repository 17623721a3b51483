"""Submodules that are imported when they are first asked for, so that their package stays light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

__all__ = ["lazy_submodules"]


def lazy_submodules(package: str, public: Sequence[str]) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose submodules wait until they are asked for.

    Args:
        package: its ``__name__``.
        public: its ``__all__``: submodules, and names that the package has anyway.

    Example:
        >>> find, names = lazy_submodules("concurrent", ["futures"])
        >>> find("futures").__name__, names()
        ('concurrent.futures', ['futures'])
        >>> find("past")
        Traceback (most recent call last):
        AttributeError: module 'concurrent' has no attribute 'past'
    """

    def find(name: str) -> ModuleType:
        if name in public:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return find, lambda: sorted(public)
