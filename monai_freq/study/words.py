"""What the words of a command line say: settings of bundles, each with one or several values, and paths by name."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bundle.setting_names import setting_of
from ..errors import UsageError
from ..json_files import parse_json, repeated_name

__all__ = ["combinations", "named_paths", "parse_settings", "parse_value"]

#: settings of a bundle that the study decides itself -> the option to use instead
_OWN = {
    "fusion": "--arms",
    "train_size": "--sizes",
    "draw": "--draws",
    "seed": "--seeds",
    "dataset_dir": "--data",
    "steps": "--steps",
    "overlay": "--overlay",
    "source": "--sources",
    "fold": "--folds",
    "fraction": "--fractions",
    "artifact": "--artifacts",
    "init": "--checkpoints",
    "editing": "--sources",
    **dict.fromkeys(("output_dir", "threads", "resume", "bundle_root", "checkpoint", "config_file", "name"), ""),
}


def parse_settings(words: Iterable[str]) -> dict[str, list[Any]]:
    """Settings from a command line: each ``key=value`` starts one, further words are more values for it.

    Args:
        words: words of the command line.

    Raises:
        UsageError: the first word is no ``key=value``, or the study decides this setting itself.

    Example:
        >>> parse_settings(["theta=0.1", "0.2", "convention=figure2"])
        {'theta': [0.1, 0.2], 'convention': ['figure2']}
    """
    settings: dict[str, list[Any]] = {}
    values: list[Any] | None = None
    for word in words:
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[A-Za-z_][\w#:]*", key):
            _refuse_own(setting_of(key))
            values = settings.setdefault(key, [])
            values.append(parse_value(value))
        elif values is None:
            raise UsageError(f"'{word}' is no setting.\nWrite it as in --set theta=0.1, with several values: 0.1 0.2")
        else:
            values.append(parse_value(word))
    return settings


def _refuse_own(name: str) -> None:
    if name in _OWN:
        instead = f"Use {_OWN[name]}." if _OWN[name] else "Leave it out."
        raise UsageError(f"'{name}' cannot be set: the study decides it for each run.\n{instead}")


def parse_value(text: str) -> Any:
    """Number, list, mapping or truth value that a text stands for, else the text itself.

    Args:
        text: text in the notation of JSON or Python.

    Raises:
        UsageError: a mapping has a name twice.

    Example:
        >>> [parse_value(text) for text in ("0.1", "[32, 32, 16]", "true", "None", "figure2")]
        [0.1, [32, 32, 16], True, None, 'figure2']
    """
    if (name := repeated_name(text)) is not None:
        raise UsageError(f"'{text[:80]}' has the name '{name}' twice.\nGive each name once.")
    for read in (parse_json, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError):
            continue
        return list(value) if isinstance(value, tuple) else value
    return text


def combinations(settings: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values of some settings.

    Args:
        settings: name -> values.

    Example:
        >>> combinations({"theta": [0.1, 0.2], "epochs": [5]})
        [{'theta': 0.1, 'epochs': 5}, {'theta': 0.2, 'epochs': 5}]
    """
    return [dict(zip(settings, values, strict=True)) for values in itertools.product(*settings.values())]


def named_paths(option: str, words: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """Name -> absolute path, from words ``name=path``.

    Args:
        option: option that has the words.
        words: words of the command line.
        names: names that there may be.

    Raises:
        UsageError: a name is none of these or there twice, or there is nothing at a path.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()).resolve()
        >>> named_paths("--data", [f"heart_fd={folder}"], ["heart_fd"]) == {"heart_fd": str(folder)}
        True
        >>> named_paths("--data", [f"spleen={folder}"], ["heart_fd"])
        Traceback (most recent call last):
        monai_freq.errors.UsageError: --data spleen=... names none of heart_fd.
        As in --data heart_fd=/data/folder
    """
    known, found = list(names), {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or name not in known:
            raise UsageError(
                f"{option} {word} names none of {', '.join(known)}.\nAs in {option} {known[0]}=/data/folder"
            )
        if name in found:
            raise UsageError(f"{option} names {name} twice.\nGive one path for each.")
        if not Path(path).exists():
            raise UsageError(f"There is no {path}.\nAs in {option} {name}=<a path that exists>")
        found[name] = str(Path(path).resolve())
    return found
