"""Submodules and names imported on first use, so that their package stays light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["lazy_names", "lazy_submodules"]


def lazy_submodules(package: str, public: Sequence[str]) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that imports its submodules on first use.

    Args:
        package: ``__name__`` of the package.
        public: ``__all__`` of the package: submodules, and names that the package itself defines.

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


def lazy_names(
    package: str, offered: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that imports names of its modules on first use.

    Args:
        package: ``__name__`` of the package.
        offered: relative name of a module -> names that the package offers from it.

    Example:
        >>> find, names = lazy_names("collections", {".abc": ["Mapping"]})
        >>> find("Mapping").__name__, names()
        ('Mapping', ['Mapping'])
    """
    place = {name: module for module, names in offered.items() for name in names}

    def find(name: str) -> Any:
        if name in place:
            return getattr(import_module(place[name], package), name)
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return find, lambda: sorted(place)
