"""The command line: ``python -m monai_freq.study run`` makes the runs of a study, ``report`` says what they show.

``transfer`` makes those of a transfer study. ``figures`` draws the data of segmentations: their regions, and what the
low and the high frequencies hold of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import UsageError, ending_readably
from .options import (
    add_bundles,
    add_data,
    add_where,
    combinations,
    count,
    named_paths,
    parse_settings,
    seed,
    size,
    tell_ended,
    where,
)
from .run.checks import bundle_names
from .run.missing import is_transfer
from .run.plan import plan
from .run.results import asked_for, read_results
from .run.runner import run_study
from .run.spec import ARMS, Run
from .transfer_command import add_transfer

__all__ = ["main", "parser"]


def main(words: Sequence[str] | None = None) -> int:
    """Exit status of the command: 0, or 1 when a run failed.

    Args:
        words: words of the command line; those of the program by default.

    Raises:
        SystemExit: something is wrong that the user can put right.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.run.results import write_result
        >>> folder = tempfile.mkdtemp()
        >>> _ = [write_result(folder, result) for result in phantom_study()]
        >>> main(["report", folder])
        wrote .../report/report.html
        wrote .../report/report.md
        ...
        0
    """
    arguments = parser().parse_args(words)
    try:
        with ending_readably():
            return int(arguments.command(arguments))
    except KeyboardInterrupt:
        print("\nInterrupted. What has finished is kept: the same command does the rest.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Parser of the command line.

    Example:
        >>> parser().parse_args(["run", "bundles/heart_fd", "--sizes", "4", "all", "--output_dir", "out"]).sizes
        [4, None]
    """
    top = argparse.ArgumentParser(prog="python -m monai_freq.study", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | transfer | report | figures")
    _add_run(commands.add_parser("run", help="make the runs of a study that are missing", description=_RUN))
    add_transfer(commands)
    report = commands.add_parser("report", help="tables, figures and a page from the results of a study")
    report.add_argument("folder", help="the --output_dir of the study")
    report.set_defaults(command=_report)
    _add_figures(commands.add_parser("figures", help="draw a case of each bundle", description=_FIGURES))
    return top


_RUN = (
    "Train and evaluate bundles for every combination of sizes, draws, arms, seeds and settings. Started again, only "
    "what is missing or failed is run, and a half-finished training is continued."
)


def _add_run(run: argparse.ArgumentParser) -> None:
    which = run.add_argument_group("which runs")
    add_bundles(which)
    which.add_argument(
        "--sizes",
        nargs="+",
        type=size,
        default=[None],
        metavar="N",
        help="numbers of training cases, or all (default)",
    )
    which.add_argument("--draws", type=count, default=1, metavar="N", help="random subsets of each size (default: 1)")
    which.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=list(ARMS),
        help="fusions (default: all three)",
    )
    which.add_argument(
        "--seeds", nargs="+", type=seed, default=[0], metavar="SEED", help="of the training (default: 0)"
    )
    length = which.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=count, metavar="N", help="of each training (default: the bundle's)")
    length.add_argument(
        "--steps", type=count, metavar="N", help="optimiser steps of each training, whatever its size: epochs follow"
    )
    which.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the bundles, as theta=0.1; with several values, as theta=0.1 0.2 0.4, each is run",
    )
    which.add_argument("--overlay", metavar="NAME", help="a further file of each bundle's configs, as paper")
    add_data(which)
    add_where(run)
    run.set_defaults(command=_run)


_FIGURES = (
    "Draw a test case of each bundle in three planes, as its network sees it: with its regions (regions.png, .svg), "
    "and its low and high frequencies (bands.png, .svg). These are Figures 3 and 4 of Fu et al. 2024."
)


def _add_figures(figures: argparse.ArgumentParser) -> None:
    add_bundles(figures)
    figures.add_argument("--case", type=seed, default=0, metavar="N", help="which test case, from 0 (default: 0)")
    figures.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="a setting, as theta=0.2"
    )
    add_data(figures)
    figures.add_argument("--output_dir", required=True, metavar="FOLDER", help="for the figures")
    figures.set_defaults(command=_figures)


def _run(arguments: argparse.Namespace) -> int:
    runs = _planned(arguments)
    return tell_ended(runs, run_study(runs, arguments.output_dir, **where(arguments)), arguments.output_dir)


def _planned(arguments: argparse.Namespace) -> list[Run]:
    bundles = bundle_names(arguments.bundles)
    settings = parse_settings(arguments.set)
    for name in ("epochs", "steps", "overlay"):
        value = getattr(arguments, name)
        if value is not None and name in settings:
            raise UsageError(f"'{name}' is set twice.\nGive either --{name} or --set {name}=...")
        settings |= {} if value is None else {name: [value]}
    return plan(
        bundles,
        sizes=arguments.sizes,
        draws=arguments.draws,
        arms=arguments.arms,
        seeds=arguments.seeds,
        settings=combinations(settings),
        data=named_paths("--data", arguments.data, bundles),
    )


def _report(arguments: argparse.Namespace) -> int:
    from .report import write_report, write_transfer_report

    if not Path(arguments.folder).is_dir():
        raise UsageError(f"There is no folder {arguments.folder}.\nGive the --output_dir of a study.")
    results, unreadable = read_results(arguments.folder)
    if not (results or unreadable or asked_for(arguments.folder)):
        raise UsageError(f"{arguments.folder} holds no study.\nGive the --output_dir of one.")
    others = sum(bool(result.cases) for result in results)
    # one whose runs have all failed has no measures, and nothing else of its kind but its sources
    transfers = any(result.measures for result in results) or (is_transfer(Path(arguments.folder)) and not others)
    if transfers and others:
        print(f"{others} segmentations are left out: have each study write to a folder of its own.", file=sys.stderr)
    _print_written(write_transfer_report(arguments.folder) if transfers else write_report(arguments.folder))
    return 0


def _figures(arguments: argparse.Namespace) -> int:
    from .illustrations import illustrate

    bundles = bundle_names(arguments.bundles)
    variants = combinations(parse_settings(arguments.set))
    if len(variants) > 1:
        raise UsageError("Figures are drawn with one value of each setting.\nAs in --set theta=0.2")
    data = named_paths("--data", arguments.data, bundles)
    _print_written(illustrate(bundles, arguments.output_dir, case=arguments.case, data=data, settings=variants[0]))
    return 0


def _print_written(files: Iterable[Path]) -> None:
    for file in files:
        print(f"wrote {file}")


if __name__ == "__main__":
    sys.exit(main())
