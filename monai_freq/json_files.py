"""JSON without repeated names: of two values, Python's own reader would keep the last without a word."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

__all__ = ["parse_json", "read_json", "repeated_name"]

_MOST = 40  # largest number of characters of a name or a value in a message


def read_json(file: str | os.PathLike[str], *, alike: Callable[[str], Hashable] = str) -> Any:
    """Read a JSON file in UTF-8, with or without a byte order mark.

    Args:
        file: path of the file.
        alike: key by which names of one object are compared, see :func:`parse_json`.

    Raises:
        OSError: the file does not exist, or cannot be opened.
        ValueError: the file is no JSON, has another encoding, is nested too deeply, or an object has a name twice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "dataset.json")
        >>> _ = file.write_text('{"labels": {"0": "background", "1": "kidney"}}')
        >>> read_json(file)["labels"]["1"]
        'kidney'
    """
    return parse_json(Path(file).read_text(encoding="utf-8-sig"), alike=alike)


def parse_json(text: str, *, alike: Callable[[str], Hashable] = str) -> Any:
    """Parse JSON, and refuse an object that has a name twice.

    Args:
        text: JSON text.
        alike: key by which names of one object are compared; by default the whole name, so that names of files may
            differ in case alone.

    Raises:
        ValueError: the text is no JSON, is nested too deeply, or an object has a name twice.

    Example:
        >>> parse_json('{"0": "background", "1": "kidney", "1": "tumour"}')
        Traceback (most recent call last):
        ValueError: the name "1" occurs twice, with "kidney" and with "tumour"
        >>> parse_json('{"test": [], "Test ": ["a.nii"]}', alike=lambda name: name.strip().lower())
        Traceback (most recent call last):
        ValueError: the name "test" occurs twice, the other time as "Test ", with [] and with ["a.nii"]
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[Hashable, tuple[str, Any]] = {}
        for name, value in pairs:
            if (key := alike(name)) in found:
                first, other = found[key]
                also = "" if first == name else f", the other time as {_shown(name)}"
                raise ValueError(
                    f"the name {_shown(first)} occurs twice{also}, with {_shown(other)} and with {_shown(value)}"
                )
            found[key] = name, value
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError as error:
        raise ValueError(str(error)) from error


def repeated_name(text: str) -> str | None:
    """Find a repeated name in a mapping on a command line, in the notation of Python or JSON.

    Args:
        text: value on the command line.

    Returns:
        The name; None if no name is repeated, or if the text is no mapping.

    Example:
        >>> repeated_name("{'0': 'background', '1': 'kidney', '1': 'tumour'}")
        '1'
        >>> repeated_name('{"task": "heart", "cases": 20}') is repeated_name("figure2") is None
        True
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        names = [key.value for key in node.keys if isinstance(key, ast.Constant)] if isinstance(node, ast.Dict) else []
        for position, name in enumerate(names):
            if name in names[:position]:
                return str(name)
    return None


def _shown(value: Any) -> str:
    text = json.dumps(value)  # escapes characters that control a terminal
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
