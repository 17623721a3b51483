"""The command line of ``python -m monai.bundle``, as far as the bundles look at it themselves."""

from __future__ import annotations

import ast
import itertools
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from ..json_files import read_json, repeated_name
from ..quoting import shown
from .setting_names import require_setting

__all__ = ["check_options", "config_files", "overridden"]

#: options of ``monai.bundle run`` itself
_OWN = ("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file")


def check_options() -> None:
    """Refuse options of a ``monai.bundle run`` that would not do what they seem to do.

    Of an option that it does not know, a mistyped one, MONAI makes a new setting; ``None`` it leaves out; an option
    without a value it takes for True; of two it takes the last, as of a name that a configuration has twice.

    Raises:
        UsageError: there is such an option, or such a configuration file.

    Example:
        >>> import tempfile
        >>> from unittest.mock import patch
        >>> config = Path(tempfile.mkdtemp(), "train.json")
        >>> _ = config.write_text('{"theta": 0.1, "epochs": 60}')
        >>> with patch("sys.argv", ["monai/bundle/__main__.py", "run", "--config_file", str(config), "--epoch", "2"]):
        ...     check_options()
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: There is no setting '--epoch'. Did you mean '--epochs'?
        The settings are the first lines of ...train.json.
    """
    from monai.bundle import ConfigParser

    files = config_files()
    if not files:
        return
    names = [name for name, _ in _pairs()]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UsageError(f"'--{shown(name)}' is given twice, and MONAI would take the last.\nGive it once.")
    _require_once(files)
    config = ConfigParser.load_config_files(files)
    for option, value in overridden().items():
        require_setting(option, [*config, *_OWN, "_meta_"], files[0], option="--")
        if value == "None" and config.get(option, "") is not None:
            raise UsageError(
                f"'--{option} None' would change nothing: MONAI takes it for an option that is not given.\n"
                f"Give a value, or, where nothing is meant, --{option} '$None'"
            )
        if value == "" and option in config and not isinstance(config[option], bool):
            raise UsageError(
                f"'--{option}' has no value, and MONAI would take it for True.\nWrite one behind it: --{option} VALUE"
            )


def config_files() -> list[str]:
    """Files given with ``--config_file``, alone or as a list.

    Example:
        >>> from unittest.mock import patch
        >>> words = ["monai/bundle/__main__.py", "run", "--config_file", "['train.json', 'overlay.json']"]
        >>> with patch("sys.argv", words):
        ...     config_files()
        ['train.json', 'overlay.json']
    """
    value = overridden().get("config_file")
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


def _require_once(files: list[str]) -> None:
    """Of a name that occurs twice in one mapping, MONAI and Python would take the last."""
    from monai.bundle import ConfigParser

    for file in files:
        try:
            if Path(file).suffix == ".json":
                read_json(file)
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "Duplicate key")  # MONAI's, of YAML too
                ConfigParser.load_config_file(file)
        except (OSError, ValueError, UserWarning) as error:
            raise UsageError(f"{file} cannot be read as a configuration: {error}.\nCorrect it.") from error
    for option, value in overridden().items():
        if (name := repeated_name(value)) is not None:
            raise UsageError(f"'--{option}' has the name '{name}' twice.\nGive each name once.")
