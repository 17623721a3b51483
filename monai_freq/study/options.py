"""Options that several commands of a study share, and what their values may be."""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bundle.setting_names import setting_of
from ..errors import UsageError
from ..json_files import parse_json, repeated_name
from .run.results import Result
from .run.spec import Run

__all__ = [
    "add_bundles",
    "add_data",
    "add_where",
    "amount",
    "combinations",
    "count",
    "named_paths",
    "parse_settings",
    "parse_value",
    "seed",
    "share",
    "size",
    "tell_ended",
    "where",
]

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


def add_bundles(parser: argparse._ActionsContainer) -> None:
    """Add the folders of bundles.

    Args:
        parser: parser of a command.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_bundles(parser)
        >>> parser.parse_args(["bundles/heart_fd", "bundles/spleen_fd"]).bundles
        ['bundles/heart_fd', 'bundles/spleen_fd']
    """
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="folder of a bundle, as bundles/heart_fd")


def add_data(
    parser: argparse._ActionsContainer, what: str = "your data set for a bundle, as heart_fd=/data/heart"
) -> None:
    """Add the folders of the user's data sets.

    Args:
        parser: parser of a command.
        what: help of the option.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_data(parser)
        >>> parser.parse_args(["--data", "heart_fd=/data/heart"]).data
        ['heart_fd=/data/heart']
    """
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help=f"{what} (default: its phantom)",
    )


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add the output folder, the cluster and the resources of a run.

    Args:
        parser: parser of a command.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_where(parser)
        >>> parser.parse_args(["--output_dir", "out", "--cpus", "2"]).cpus
        2.0
    """
    group = parser.add_argument_group("where")
    group.add_argument("--output_dir", required=True, metavar="FOLDER", help="folder for runs and results")
    group.add_argument("--address", metavar="HOST:PORT", help="address of a Ray cluster (default: this machine)")
    group.add_argument("--cpus", type=amount, default=1, metavar="N", help="number of cores of a run (default: 1)")
    group.add_argument(
        "--gpus", type=share, default=0, metavar="N", help="number of GPUs of a run, as 1 or 0.5 (default: 0)"
    )
    group.add_argument(
        "--retries",
        type=seed,
        default=3,
        metavar="N",
        help="number of new starts of a run that lost its worker or machine (default: 3)",
    )
    group.add_argument(
        "--at_once", type=count, metavar="N", help="number of runs at the same time (default: what the resources allow)"
    )


def where(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_where` has added, but for the folder, as arguments of ``run_study``.

    Args:
        arguments: arguments of the command line.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_where(parser)
        >>> where(parser.parse_args(["--output_dir", "out", "--cpus", "2"]))
        {'address': None, 'cpus': 2.0, 'gpus': 0, 'retries': 3, 'at_once': None}
    """
    return {name: getattr(arguments, name) for name in ("address", "cpus", "gpus", "retries", "at_once")}


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


def combinations(settings: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values of some settings.

    Args:
        settings: name -> values.

    Example:
        >>> combinations({"theta": [0.1, 0.2], "epochs": [5]})
        [{'theta': 0.1, 'epochs': 5}, {'theta': 0.2, 'epochs': 5}]
    """
    return [dict(zip(settings, values, strict=True)) for values in itertools.product(*settings.values())]


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
            _refuse_own(key)
            values = settings.setdefault(key, [])
            values.append(parse_value(value))
        elif values is None:
            raise UsageError(f"'{word}' is no setting.\nWrite it as in --set theta=0.1, with several values: 0.1 0.2")
        else:
            values.append(parse_value(word))
    return settings


def _refuse_own(key: str) -> None:
    name = setting_of(key)
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


def tell_ended(runs: Sequence[Run], results: Sequence[Result], output_dir: str) -> int:
    """Print how many runs have finished, and what comes next; the exit status.

    Args:
        runs: runs that were asked for.
        results: results of those that had none.
        output_dir: folder of the study.

    Example:
        >>> settings = {"fusion": "none", "train_size": 4, "seed": 0}
        >>> runs = [Run(bundle="heart_fd", folder="", settings=settings | {"draw": draw}) for draw in (0, 1)]
        >>> tell_ended(runs, [Result(bundle="heart_fd", status="finished", settings=runs[0].settings)], "out")
        2 of 2 runs are finished, 1 of them attempted now.
        For tables and figures: python -m monai_freq.study report out
        0
    """
    failed = [result.name for result in results if not result.finished]
    held_up = {run.name for run in runs if run.name in failed and run.held_up(failed)}
    finished, attempted = len(runs) - len(failed), len(results) - len(held_up)
    print(f"{finished} of {len(runs)} runs are finished, {attempted} of them attempted now.")
    if held_up:
        print(f"{len(held_up)} wait for a pre-training that failed.")
    if failed:
        own = ", ".join(name for name in failed if name not in held_up)
        print(f"Failed: {own}\nThe same command tries them again.", file=sys.stderr)
    print(f"For tables and figures: python -m monai_freq.study report {output_dir}")
    return 1 if failed else 0


def size(word: str) -> int | None:
    """Number of training cases, None for ``all``.

    Args:
        word: word of the command line.

    Example:
        >>> size("4"), size("all")
        (4, None)
    """
    return None if word == "all" else count(word)


def count(word: str) -> int:
    """Whole number of at least 1.

    Args:
        word: word of the command line.

    Example:
        >>> count("4")
        4
    """
    return _at_least(1, word)


def seed(word: str) -> int:
    """Whole number of at least 0.

    Args:
        word: word of the command line.

    Example:
        >>> seed("0")
        0
    """
    return _at_least(0, word)


def share(word: str) -> float:
    """Number of at least 0.

    Args:
        word: word of the command line.

    Example:
        >>> share("0.5")
        0.5
    """
    try:
        if 0 <= float(word) < float("inf"):
            return float(word)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{word!r} is not a number of at least 0")


def amount(word: str) -> float:
    """Number above 0.

    Args:
        word: word of the command line.

    Example:
        >>> amount("2")
        2.0
    """
    if share(word) > 0:
        return share(word)
    raise argparse.ArgumentTypeError(f"{word!r} is not a number above 0")


def _at_least(least: int, word: str) -> int:
    try:
        if int(word) >= least:
            return int(word)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{word!r} is not a whole number of at least {least}")
