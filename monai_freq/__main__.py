"""The command line: ``python -m monai_freq bundles`` names the bundles that are installed, ``copy`` copies one.

A copy is run with ``python -m monai.bundle run --config_file FOLDER/configs/train.json``. Studies of many runs have a
command of their own: ``python -m monai_freq.study --help``.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from .quoting import harmless
from .shipped_bundles import copy_bundle, describe_bundle, list_bundles

__all__ = ["main", "parser"]


def main(words: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        words: of the command line; those of the program by default.

    Raises:
        SystemExit: the bundle or its folder cannot be had.

    Example:
        >>> main(["bundles"])  # doctest: +ELLIPSIS
        dentate_nucleus_fd ...
    """
    arguments = parser().parse_args(words)
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
    top = argparse.ArgumentParser(prog="python -m monai_freq", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="bundles | copy")
    listing = commands.add_parser("bundles", help="name the bundles")
    listing.set_defaults(command=_list)
    copying = commands.add_parser("copy", help="copy a bundle to a folder of its own")
    copying.add_argument("name", help="of the bundle")
    copying.add_argument("folder", nargs="?", help="to be made (default: the bundle's name)")
    copying.set_defaults(command=_copy)
    return top


def _list(_: argparse.Namespace) -> None:
    names = list_bundles()
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}}  {describe_bundle(name)}")


def _copy(arguments: argparse.Namespace) -> None:
    folder = copy_bundle(arguments.name, arguments.folder)
    config = shlex.quote(str(folder / "configs" / "train.json"))
    print(f"{folder}\nTo train it: python -m monai.bundle run --config_file {config}")


if __name__ == "__main__":
    main()
