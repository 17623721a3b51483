"""The command line: ``python -m monai_freq.study run`` makes the runs of a study, ``report`` says what they show.

``figures`` draws the data: their regions, and what the low and the high frequencies hold of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .plan import Run, combinations, parse_settings, plan
from .preflight import bundle_names

__all__ = ["main", "parser"]


def main(words: Sequence[str] | None = None) -> int:
    """Exit status of the command: 0, or 1 when a run failed.

    Args:
        words: of the command line; those of the program by default.
    """
    arguments = parser().parse_args(words)
    try:
        status: int = arguments.command(arguments)
    except KeyboardInterrupt:
        print("\nInterrupted. What has finished is kept: the same command does the rest.", file=sys.stderr)
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    """Parser of the command line.

    Example:
        >>> parser().parse_args(["run", "bundles/heart_fd", "--sizes", "4", "all", "--output_dir", "out"]).sizes
        [4, None]
    """
    top = argparse.ArgumentParser(prog="python -m monai_freq.study", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | report | figures")
    _add_run(commands.add_parser("run", help="make the runs of a study that are missing", description=_RUN))
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
    _add_bundles(which)
    which.add_argument(
        "--sizes",
        nargs="+",
        type=_size,
        default=[None],
        metavar="N",
        help="numbers of training cases, or all (default)",
    )
    which.add_argument("--draws", type=_count, default=1, metavar="N", help="random subsets of each size (default: 1)")
    which.add_argument(
        "--arms",
        nargs="+",
        choices=("none", "early", "late"),
        default=["none", "early", "late"],
        help="fusions (default: all three)",
    )
    which.add_argument(
        "--seeds", nargs="+", type=_seed, default=[0], metavar="SEED", help="of the training (default: 0)"
    )
    length = which.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=_count, metavar="N", help="of each training (default: the bundle's)")
    length.add_argument(
        "--steps", type=_count, metavar="N", help="optimiser steps of each training, whatever its size: epochs follow"
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
    _add_data(which)
    where = run.add_argument_group("where")
    where.add_argument("--output_dir", required=True, metavar="FOLDER", help="for runs and results")
    where.add_argument("--address", metavar="HOST:PORT", help="of a Ray cluster (default: this machine)")
    where.add_argument("--cpus", type=_amount, default=1, metavar="N", help="of a run (default: 1)")
    where.add_argument("--gpus", type=_share, default=0, metavar="N", help="of a run, as 1 or 0.5 (default: 0)")
    where.add_argument(
        "--retries", type=_seed, default=3, metavar="N", help="of a run that lost its worker or machine (default: 3)"
    )
    where.add_argument(
        "--at_once", type=_count, metavar="N", help="most runs at the same time (default: what the resources allow)"
    )
    run.set_defaults(command=_run)


_FIGURES = (
    "Draw a test case of each bundle in three planes, as its network sees it: with its regions (regions.png, .svg), "
    "and its low and high frequencies (bands.png, .svg). These are Figures 3 and 4 of Fu et al. 2024."
)


def _add_figures(figures: argparse.ArgumentParser) -> None:
    _add_bundles(figures)
    figures.add_argument("--case", type=_seed, default=0, metavar="N", help="which test case, from 0 (default: 0)")
    figures.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="a setting, as theta=0.2"
    )
    _add_data(figures)
    figures.add_argument("--output_dir", required=True, metavar="FOLDER", help="for the figures")
    figures.set_defaults(command=_figures)


def _add_bundles(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="folder of a bundle, as bundles/heart_fd")


def _add_data(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        default=[],
        metavar="BUNDLE=FOLDER",
        help="your data set for a bundle, as heart_fd=/data/Task02_Heart (default: its phantom)",
    )


def _run(arguments: argparse.Namespace) -> int:
    from .runner import run_study

    runs = _planned(arguments)
    where = {name: getattr(arguments, name) for name in ("address", "cpus", "gpus", "retries", "at_once")}
    results = run_study(runs, arguments.output_dir, **where)
    failed = [result.name for result in results if not result.finished]
    print(f"{len(runs) - len(failed)} of {len(runs)} runs are finished, {len(results)} of them attempted now.")
    if failed:
        print(f"Failed: {', '.join(failed)}\nThe same command tries them again.", file=sys.stderr)
    print(f"For tables and figures: python -m monai_freq.study report {arguments.output_dir}")
    return 1 if failed else 0


def _planned(arguments: argparse.Namespace) -> list[Run]:
    bundles = bundle_names(arguments.bundles)
    settings = parse_settings(arguments.set)
    for name in ("epochs", "steps", "overlay"):
        value = getattr(arguments, name)
        if value is not None and name in settings:
            raise SystemExit(f"'{name}' is set twice.\nGive either --{name} or --set {name}=...")
        settings |= {} if value is None else {name: [value]}
    return plan(
        bundles,
        sizes=arguments.sizes,
        draws=arguments.draws,
        arms=arguments.arms,
        seeds=arguments.seeds,
        overrides=combinations(settings),
        data=_data(arguments.data, bundles),
    )


def _data(words: Sequence[str], bundles: Any) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not equals or name not in bundles:
            raise SystemExit(f"--data {word} names none of {', '.join(bundles)}.\nAs in --data heart_fd=/data/heart")
        if not Path(folder).is_dir():
            raise SystemExit(f"There is no folder {folder}.\nLet --data {name}=... name the folder with dataset.json.")
        found[name] = str(Path(folder).resolve())
    return found


def _report(arguments: argparse.Namespace) -> int:
    from .report import write_report

    if not Path(arguments.folder).is_dir():
        raise SystemExit(f"There is no folder {arguments.folder}.\nGive the --output_dir of a study.")
    _print_written(write_report(arguments.folder))
    return 0


def _figures(arguments: argparse.Namespace) -> int:
    from .illustrations import illustrate

    bundles = bundle_names(arguments.bundles)
    variants = combinations(parse_settings(arguments.set))
    if len(variants) > 1:
        raise SystemExit("Figures are drawn with one value of each setting.\nAs in --set theta=0.2")
    data = _data(arguments.data, bundles)
    _print_written(illustrate(bundles, arguments.output_dir, case=arguments.case, data=data, overrides=variants[0]))
    return 0


def _print_written(files: Iterable[Path]) -> None:
    for file in files:
        print(f"wrote {file}")


def _size(word: str) -> int | None:
    return None if word == "all" else _count(word)


def _count(word: str) -> int:
    return _at_least(1, word)


def _seed(word: str) -> int:
    return _at_least(0, word)


def _at_least(least: int, word: str) -> int:
    try:
        if int(word) >= least:
            return int(word)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{word!r} is not a whole number of at least {least}")


def _share(word: str) -> float:
    try:
        if 0 <= float(word) < float("inf"):
            return float(word)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{word!r} is not a number of at least 0")


def _amount(word: str) -> float:
    if _share(word) > 0:
        return _share(word)
    raise argparse.ArgumentTypeError(f"{word!r} is not a number above 0")


if __name__ == "__main__":
    sys.exit(main())
