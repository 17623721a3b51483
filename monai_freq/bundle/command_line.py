"""The command line of ``python -m monai.bundle``, as far as the bundles look at it themselves."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator

__all__ = ["config_files", "overridden", "repeated_option"]


def config_files() -> list[str]:
    """Files given with ``--config_file``, alone or as a list.

    Example:
        >>> from unittest.mock import patch
        >>> words = ["monai/bundle/__main__.py", "run", "--config_file", "['train.json', 'overlay.json']"]
        >>> with patch("sys.argv", words):
        ...     config_files()
        ['train.json', 'overlay.json']
    """
    value = _options().get("config_file")
    if value is None:
        return []
    if value.lstrip().startswith(("[", "(")):
        try:
            return [str(file) for file in ast.literal_eval(value)]
        except (SyntaxError, ValueError):
            return [file.strip(" '\"") for file in value.strip("[]() ").split(",")]
    return [value]


def overridden() -> dict[str, str]:
    """All options of a ``monai.bundle`` command line by their names, with their values as written; ``""`` for none.

    Example:
        >>> from unittest.mock import patch
        >>> with patch("sys.argv", ["monai/bundle/__main__.py", "run", "--theta", "0.2", "--resume"]):
        ...     overridden()
        {'theta': '0.2', 'resume': ''}
    """
    return _options()


def repeated_option() -> str | None:
    """An option that a ``monai.bundle`` command line has twice, in any spelling, of which fire would take the last.

    Example:
        >>> from unittest.mock import patch
        >>> with patch("sys.argv", ["monai/bundle/__main__.py", "run", "--epochs", "2", "--epochs=3"]):
        ...     repeated_option()
        'epochs'
    """
    names = [name for name, _ in _pairs()]
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def _options() -> dict[str, str]:
    return dict(_pairs())


def _pairs() -> Iterator[tuple[str, str]]:
    """Name and value in every spelling of fire: ``--a_name value``, ``--a_name=value``, ``--a-name``, ``-a_name``.

    Empty when another program is running.
    """
    if not any(part in sys.argv[0] for part in ("monai/bundle", "monai\\bundle")):
        return
    for word, following in itertools.pairwise([*sys.argv[1:], ""]):
        if _is_option(word):
            name, equals, value = word.lstrip("-").partition("=")
            yield name.replace("-", "_"), value if equals or _is_option(following) else following


def _is_option(word: str) -> bool:
    return re.match("--|-[a-zA-Z]", word) is not None
