"""Options that several commands of a study share, and what their values may be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .results import Result

__all__ = [
    "add_bundles",
    "add_data",
    "add_where",
    "amount",
    "count",
    "named_paths",
    "seed",
    "share",
    "size",
    "tell_ended",
    "where",
]


def add_bundles(parser: argparse._ActionsContainer) -> None:
    """Add the folders of bundles.

    Args:
        parser: of a command.

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
        parser: of a command.
        what: the help of the option.

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
        parser: of a command.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_where(parser)
        >>> parser.parse_args(["--output_dir", "out", "--cpus", "2"]).cpus
        2.0
    """
    group = parser.add_argument_group("where")
    group.add_argument("--output_dir", required=True, metavar="FOLDER", help="for runs and results")
    group.add_argument("--address", metavar="HOST:PORT", help="of a Ray cluster (default: this machine)")
    group.add_argument("--cpus", type=amount, default=1, metavar="N", help="of a run (default: 1)")
    group.add_argument("--gpus", type=share, default=0, metavar="N", help="of a run, as 1 or 0.5 (default: 0)")
    group.add_argument(
        "--retries", type=seed, default=3, metavar="N", help="of a run that lost its worker or machine (default: 3)"
    )
    group.add_argument(
        "--at_once", type=count, metavar="N", help="most runs at the same time (default: what the resources allow)"
    )


def where(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_where` has added, but for the folder, as arguments of ``run_study``.

    Args:
        arguments: of the command line.

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
        option: that has the words.
        words: of the command line.
        names: that there may be.

    Raises:
        SystemExit: a name is none of these or there twice, or there is nothing at a path.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()).resolve()
        >>> named_paths("--data", [f"heart_fd={folder}"], ["heart_fd"]) == {"heart_fd": str(folder)}
        True
        >>> named_paths("--data", [f"spleen={folder}"], ["heart_fd"])
        Traceback (most recent call last):
        SystemExit: --data spleen=... names none of heart_fd.
        As in --data heart_fd=/data/folder
    """
    known, found = list(names), {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or name not in known:
            raise SystemExit(
                f"{option} {word} names none of {', '.join(known)}.\nAs in {option} {known[0]}=/data/folder"
            )
        if name in found:
            raise SystemExit(f"{option} names {name} twice.\nGive one path for each.")
        if not Path(path).exists():
            raise SystemExit(f"There is no {path}.\nAs in {option} {name}=<a path that exists>")
        found[name] = str(Path(path).resolve())
    return found


def tell_ended(asked: int, results: Sequence[Result], output_dir: str, waiting: int = 0) -> int:
    """Print how many runs have finished, and what comes next; the exit status.

    Args:
        asked: number of runs that were asked for.
        results: of those that were attempted now.
        output_dir: of the study.
        waiting: number of runs that cannot start before others have finished.

    Example:
        >>> result = Result(bundle="heart_fd", status="finished", arm="none", size=4, draw=0, seed=0)
        >>> tell_ended(2, [result], "out")
        2 of 2 runs are finished, 1 of them attempted now.
        For tables and figures: python -m monai_freq.study report out
        0
    """
    failed = [result.name for result in results if not result.finished]
    finished = asked - len(failed) - waiting
    print(f"{finished} of {asked} runs are finished, {len(results)} of them attempted now.")
    if waiting:
        print(f"{waiting} wait for a pre-training that failed.")
    if failed:
        print(f"Failed: {', '.join(failed)}\nThe same command tries them again.", file=sys.stderr)
    print(f"For tables and figures: python -m monai_freq.study report {output_dir}")
    return 1 if failed else 0


def size(word: str) -> int | None:
    """Number of training cases, None for ``all``.

    Args:
        word: of the command line.

    Example:
        >>> size("4"), size("all")
        (4, None)
    """
    return None if word == "all" else count(word)


def count(word: str) -> int:
    """Whole number of at least 1.

    Args:
        word: of the command line.

    Example:
        >>> count("4")
        4
    """
    return _at_least(1, word)


def seed(word: str) -> int:
    """Whole number of at least 0.

    Args:
        word: of the command line.

    Example:
        >>> seed("0")
        0
    """
    return _at_least(0, word)


def share(word: str) -> float:
    """Number of at least 0.

    Args:
        word: of the command line.

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
        word: of the command line.

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
