"""The command line: ``bundles`` lists the installed bundles, ``copy`` copies one, ``run`` runs one, ``audit`` audits.

``python -m monai_freq run`` takes the same arguments as ``python -m monai.bundle run``, and does the same. Studies of
many runs have their own command: ``python -m monai_freq.study --help``.
"""

from __future__ import annotations

import argparse
import runpy
import shlex
import sys
from collections.abc import Sequence

from .bundle.shipped_bundles import copy_bundle, describe_bundle, list_bundles
from .known_warnings import silence_known_warnings
from .quoting import harmless

__all__ = ["main", "parser"]


def main(words: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        words: words of the command line; by default those of the program.

    Raises:
        SystemExit: there is no such bundle, or the folder cannot be written.

    Example:
        >>> main(["bundles"])  # doctest: +ELLIPSIS
        dentate_nucleus_fd ...
    """
    given = sys.argv[1:] if words is None else list(words)
    if given[:1] == ["run"] and given[1:] not in ([], ["-h"], ["--help"]):
        _run(given)  # the configuration defines the options
        return
    arguments = parser().parse_args(given)
    try:
        arguments.command(arguments)
    except (ValueError, OSError) as error:
        raise SystemExit(harmless(str(error))) from error


def parser() -> argparse.ArgumentParser:
    """Parser of the command line.

    Example:
        >>> parser().parse_args(["copy", "heart_fd", "my_heart"]).folder
        'my_heart'
    """
    from .audit.command import (
        add_audit,
    )  # here, since MONAI imports all that a loaded package offers when a bundle runs

    top = argparse.ArgumentParser(prog="python -m monai_freq", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="audit | bundles | copy | run")
    add_audit(commands)
    listing = commands.add_parser("bundles", help="list the bundles")
    listing.set_defaults(command=_list)
    copying = commands.add_parser("copy", help="copy a bundle to a folder of its own")
    copying.add_argument("name", help="name of the bundle")
    copying.add_argument("folder", nargs="?", help="new folder (default: the bundle's name)")
    copying.set_defaults(command=_copy)
    running = commands.add_parser("run", help="train, evaluate or infer", description=_RUN, usage=_RUN_USAGE)
    running.set_defaults(command=lambda _: running.print_help())
    return top


_RUN_USAGE = "python -m monai_freq run --config_file FILE [--SETTING VALUE ...]"
_RUN = (
    "The same as python -m monai.bundle run, without MONAI's warnings about its own calls. A configuration is code: "
    "run only configurations that you trust. The settings are the first lines of the file."
)


def _list(_: argparse.Namespace) -> None:
    names = list_bundles()
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}}  {describe_bundle(name)}")


def _run(words: Sequence[str]) -> None:
    silence_known_warnings()
    sys.argv[1:] = words
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)


def _copy(arguments: argparse.Namespace) -> None:
    folder = copy_bundle(arguments.name, arguments.folder)
    config = shlex.quote(str(folder / "configs" / "train.json"))
    print(f"{folder}\nTo train it: python -m monai_freq run --config_file {config}")


if __name__ == "__main__":
    main()
