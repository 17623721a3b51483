"""The command that compares two runs."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_compare"]

_ABOUT = (
    "Compare two runs of bundles that evaluate.json has evaluated on the same test cases, case by case: differences "
    "with intervals and tests, the cases that differ most, and what cannot be concluded from one training each."
)


def add_compare(commands: Any) -> None:
    """Add the command to the parser's.

    Args:
        commands: subparsers of the command line.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_compare(parser.add_subparsers())
        >>> parser.parse_args(["compare", "runs/none", "runs/early"]).output_dir
        'out-compare'
    """
    compare = commands.add_parser("compare", help="two runs on the same test cases, case by case", description=_ABOUT)
    compare.add_argument("a", metavar="RUN_A", help="folder of a run, as bundles/heart_fd/runs/none")
    compare.add_argument("b", metavar="RUN_B", help="folder of the other one; differences are B minus A")
    compare.add_argument(
        "--output_dir", default="out-compare", metavar="FOLDER", help="for the report (default: %(default)s)"
    )
    compare.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from .report.two_runs_report import write_comparison

    for file in write_comparison(arguments.a, arguments.b, arguments.output_dir):
        print(f"wrote {file}")
    return 0
