"""The command line: ``python -m monai_freq.study run`` makes the runs of a study, ``report`` says what they show.

``transfer`` makes those of a transfer study. ``compare`` compares two runs. ``figures`` draws the data of
segmentations: their regions, and what the low and the high frequencies hold of them.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

from ..errors import UsageError, ending_readably
from ..json_files import read_json
from ..quoting import shown
from .compare_command import add_compare
from .run.checks import bundle_names
from .run.missing import is_transfer
from .run.plan import parse_source, plan, plan_pretraining, plan_transfers
from .run.results import asked_for, read_results
from .run.runner import run_study
from .run.spec import ARMS, RANDOM, Run
from .words import combinations, named_paths, parse_settings

__all__ = ["main", "parser"]

_RUN = (
    "Train and evaluate bundles for every combination of sizes, draws, arms, seeds and settings. Started again, only "
    "what is missing or failed is run, and a half-finished training is continued."
)
_TRANSFER = (
    "Pre-train a classifier on each source, fine-tune it on each target with an artifact on a fraction of the positive "
    "training images, and test it where the artifact does not tell the label, after Lu et al. 2025. Started again, "
    "only what is missing or failed is run."
)
_FIGURES = (
    "Draw a test case of each bundle in three planes, as its network sees it: with its regions (regions.png, .svg), "
    "and its low and high frequencies (bands.png, .svg). These are Figures 3 and 4 of Fu et al. 2024."
)
_SOURCES = ("random", "imagenet", "radimagenet", "imagenet/lowpass", "radimagenet/whiten")
#: what a report needs besides the package's own requirements
_EXTRA = ("jinja2", "pandas")
_FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


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
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise SystemExit(f'A study needs {shown(error.name)}: pip install "monai_freq[study]"') from error
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
    commands = top.add_subparsers(required=True, metavar="run | transfer | report | compare | figures")
    _add_run(commands.add_parser("run", help="make the runs of a study that are missing", description=_RUN))
    transfer = "make the runs of a transfer study that are missing"
    _add_transfer(commands.add_parser("transfer", help=transfer, description=_TRANSFER))
    report = commands.add_parser("report", help="tables, figures and a page from the results of a study")
    report.add_argument("folder", help="the --output_dir of the study")
    report.set_defaults(command=_report)
    add_compare(commands)
    _add_figures(commands.add_parser("figures", help="draw a case of each bundle", description=_FIGURES))
    return top


def _add_run(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("which runs")
    which.add_argument("bundles", nargs="+", metavar="BUNDLE", help=_BUNDLE)
    _several(which, "--sizes", "numbers of training cases, or all (default)", type=_size, default=[None], metavar="N")
    which.add_argument("--draws", type=_count, default=1, metavar="N", help="random subsets of each size (default: 1)")
    _several(which, "--arms", "fusions (default: all three)", choices=ARMS, default=list(ARMS))
    _several(which, "--seeds", "seeds of the training (default: 0)", type=_seed, default=[0], metavar="SEED")
    length = which.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=_count, metavar="N", help="epochs of each training (default: the bundle's)")
    steps = "optimiser steps of each training, whatever its size: epochs follow"
    length.add_argument("--steps", type=_count, metavar="N", help=steps)
    _pairs(which, "--set", "setting of the bundles, as theta=0.1; with several values, as theta=0.1 0.2, each is run")
    which.add_argument("--overlay", metavar="NAME", help=_OVERLAY)
    _pairs(which, "--data", _DATA.format("a bundle, as heart_fd=/data/heart"), metavar="NAME=FOLDER")
    _add_where(command)
    command.set_defaults(command=_run, planned=_planned_run)


def _add_transfer(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("which runs")
    which.add_argument("targets", nargs="+", metavar="TARGET", help="folder of a bundle, as bundles/lodopab_transfer")
    sources = f"random, imagenet or radimagenet, with /whiten or /lowpass (default: {' '.join(_SOURCES)})"
    _several(which, "--sources", sources, default=list(_SOURCES), metavar="SOURCE")
    there = "weights that are there already, as imagenet=resnet50.pth: this source is not trained"
    _several(which, "--checkpoints", there, default=[], metavar="SOURCE=FILE")
    scales = "intensities that a source's weights are trained with, as radimagenet=radimagenet_pytorch (default: those "
    scales += "recorded beside them, or the bundles' own)"
    _several(which, "--normalizations", scales, default=[], metavar="SOURCE=NAME")
    artifacts = "photon_noise, nonlocal_means, ... (default: each target's own)"
    _several(which, "--artifacts", artifacts, metavar="NAME")
    shares = "shares of the positive training images that have the artifact; 0, the control, always belongs to the "
    shares += "study (default: 0 0.1 0.25 0.5 0.75 1)"
    _several(which, "--fractions", shares, type=_share, default=list(_FRACTIONS), metavar="P")
    which.add_argument("--folds", type=_count, default=5, metavar="N", help="number of folds (default: 5)")
    _several(which, "--seeds", "seeds of all trainings", type=_seed, default=[0], metavar="SEED")
    _several(which, "--arms", "fusions around the network", choices=ARMS, default=["none"])
    for name, whose in (("--epochs", "fine-tuning"), ("--source_epochs", "pre-training")):
        which.add_argument(name, type=_count, metavar="N", help=f"epochs of each {whose} (default: the bundle's)")
    _pairs(which, "--set", "setting of the targets; with several values, each is run")
    _pairs(which, "--source_set", "setting of the pre-training")
    which.add_argument("--overlay", metavar="NAME", help=_OVERLAY)
    pretrainer = "bundle that pre-trains (default: source_pretrain beside the first target)"
    which.add_argument("--source_bundle", metavar="BUNDLE", help=pretrainer)
    data = _DATA.format("a source or a target, as imagenet=/data/imagenet")
    _pairs(which, "--data", data, metavar="NAME=FOLDER")
    _add_where(command)
    command.set_defaults(command=_run, planned=_planned_transfer)


def _add_figures(command: argparse.ArgumentParser) -> None:
    command.add_argument("bundles", nargs="+", metavar="BUNDLE", help=_BUNDLE)
    number = "number of the test case, from 0 (default: 0)"
    command.add_argument("--case", type=_seed, default=0, metavar="N", help=number)
    _pairs(command, "--set", "setting, as theta=0.2")
    _pairs(command, "--data", _DATA.format("a bundle, as heart_fd=/data/heart"), metavar="NAME=FOLDER")
    command.add_argument("--output_dir", required=True, metavar="FOLDER", help="folder for the figures")
    command.set_defaults(command=_figures)


def _add_where(command: argparse.ArgumentParser) -> None:
    where = command.add_argument_group("where")
    where.add_argument("--output_dir", required=True, metavar="FOLDER", help="folder for runs and results")
    where.add_argument("--address", metavar="HOST:PORT", help="address of a Ray cluster (default: this machine)")
    where.add_argument("--cpus", type=_amount, default=1, metavar="N", help="cores of a run (default: 1)")
    gpus = "GPUs of a run, as 1 or 0.5 (default: 0)"
    where.add_argument("--gpus", type=_share, default=0, metavar="N", help=gpus)
    retries = "new starts of a run that lost its worker or machine (default: 3)"
    where.add_argument("--retries", type=_seed, default=3, metavar="N", help=retries)
    at_once = "number of runs at the same time (default: what the resources allow)"
    where.add_argument("--at_once", type=_count, metavar="N", help=at_once)


_BUNDLE = "folder of a bundle, as bundles/heart_fd"
_OVERLAY = "name of a further file of each bundle's configs, as paper"
_DATA = "your data set for {} (default: its phantom)"


def _several(group: Any, name: str, what: str, **more: Any) -> None:
    group.add_argument(name, nargs="+", help=what, **more)


def _pairs(group: Any, name: str, what: str, metavar: str = "KEY=VALUE") -> None:
    group.add_argument(name, nargs="+", action="extend", default=[], metavar=metavar, help=what)


def _number(kind: Callable[[str], Any], fits: Callable[[Any], bool], what: str) -> Callable[[str], Any]:
    def read(word: str) -> Any:
        with suppress(ValueError):
            if fits(value := kind(word)):
                return value
        raise argparse.ArgumentTypeError(f"{word!r} is not {what}")

    return read


_count = _number(int, lambda value: value >= 1, "a whole number of at least 1")
_seed = _number(int, lambda value: value >= 0, "a whole number of at least 0")
_share = _number(float, lambda value: 0 <= value < math.inf, "a number of at least 0")
_amount = _number(float, lambda value: 0 < value < math.inf, "a number above 0")


def _size(word: str) -> int | None:
    return None if word == "all" else _count(word)


def _run(arguments: argparse.Namespace) -> int:
    """Make the missing runs, and say how many have finished and what comes next."""
    runs: list[Run] = arguments.planned(arguments)
    where = {name: getattr(arguments, name) for name in ("address", "cpus", "gpus", "retries", "at_once")}
    results = run_study(runs, arguments.output_dir, **where)
    failed = [result.name for result in results if not result.finished]
    held_up = {run.name for run in runs if run.name in failed and run.held_up(failed)}
    finished, attempted = len(runs) - len(failed), len(results) - len(held_up)
    print(f"{finished} of {len(runs)} runs are finished, {attempted} of them attempted now.")
    if held_up:
        print(f"{len(held_up)} wait for a pre-training that failed.")
    if failed:
        own = ", ".join(name for name in failed if name not in held_up)
        print(f"Failed: {own}\nThe same command tries them again.", file=sys.stderr)
    print(f"For tables and figures: python -m monai_freq.study report {arguments.output_dir}")
    return 1 if failed else 0


def _planned_run(arguments: argparse.Namespace) -> list[Run]:
    bundles = bundle_names(arguments.bundles)
    settings = parse_settings(arguments.set)
    for name in ("epochs", "steps", "overlay"):
        settings |= _alone(settings, name, getattr(arguments, name))
    return plan(
        bundles,
        sizes=arguments.sizes,
        draws=arguments.draws,
        arms=arguments.arms,
        seeds=arguments.seeds,
        settings=combinations(settings),
        data=named_paths("--data", arguments.data, bundles),
    )


def _planned_transfer(arguments: argparse.Namespace) -> list[Run]:
    targets = bundle_names(arguments.targets)
    own = {name: [_own_artifact(folder)] for name, folder in targets.items()}
    pretrainer = _pretrainer(arguments)
    words = list(dict.fromkeys(arguments.sources))
    named = dict.fromkeys(word.partition("/")[0] for word in words if word != RANDOM)
    data = named_paths("--data", arguments.data, [*targets, *named])
    checkpoints = named_paths("--checkpoints", arguments.checkpoints, words)
    normalizations = _normalizations(arguments.normalizations, words)
    sources = [parse_source(word, checkpoints, data, normalizations) for word in words]
    settings, of_source = parse_settings(arguments.set), parse_settings(arguments.source_set)
    settings |= _alone(settings, "epochs", arguments.epochs) | _alone({}, "overlay", arguments.overlay)
    of_source |= _alone(of_source, "epochs", arguments.source_epochs) | _alone({}, "overlay", arguments.overlay)
    (once,) = _only(combinations(of_source), "A source is pre-trained", "--source_set epochs=30")
    pretraining = plan_pretraining(sources, pretrainer, seeds=arguments.seeds, settings=once)
    tunings = plan_transfers(
        sources,
        pretraining,
        targets,
        artifacts=dict.fromkeys(targets, arguments.artifacts) if arguments.artifacts else own,
        fractions=arguments.fractions,
        folds=arguments.folds,
        seeds=arguments.seeds,
        arms=arguments.arms,
        settings=combinations(settings),
        data=data,
    )
    return [*pretraining, *tunings]


def _alone(settings: Collection[str], name: str, value: Any) -> dict[str, list[Any]]:
    """A setting that has an option of its own, if that is given."""
    if value is not None and name in settings:
        raise UsageError(f"'{name}' is set twice.\nGive it once: by its own option or among the settings.")
    return {} if value is None else {name: [value]}


def _only(variants: list[dict[str, Any]], what: str, example: str) -> list[dict[str, Any]]:
    if len(variants) > 1:
        raise UsageError(f"{what} with one value of each setting.\nAs in {example}")
    return variants


def _own_artifact(folder: str) -> str:
    settings = read_json(Path(folder) / "configs/train.json")
    if "artifact" not in settings:
        raise UsageError(f"{folder} is no bundle of a transfer: it has no 'artifact'.\nAs in bundles/lodopab_transfer")
    return str(settings["artifact"])


def _pretrainer(arguments: argparse.Namespace) -> tuple[str, str]:
    beside = Path(arguments.targets[0]).resolve().parent / "source_pretrain"
    if arguments.source_bundle is None and not beside.is_dir():
        raise UsageError(
            f"There is no {beside}, which pre-trains: a study takes it from beside its first target.\n"
            f"Name one with --source_bundle, or: python -m monai_freq copy source_pretrain {quote(str(beside))}"
        )
    ((name, folder),) = bundle_names([arguments.source_bundle or str(beside)]).items()
    return name, folder


def _normalizations(words: Sequence[str], sources: Collection[str]) -> dict[str, str]:
    from ..networks.normalization import NORMALIZATIONS  # slow to import, and seldom asked for

    found: dict[str, str] = {}
    for word in words:
        source, _, name = word.partition("=")
        if source not in sources or name not in NORMALIZATIONS or source in found:
            raise UsageError(
                f"--normalizations {word}: give each of {', '.join(sources)} one of {', '.join(NORMALIZATIONS)}.\n"
                "As in --normalizations radimagenet=radimagenet_pytorch"
            )
        found[source] = name
    return found


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
    return _print_written(write_transfer_report(arguments.folder) if transfers else write_report(arguments.folder))


def _figures(arguments: argparse.Namespace) -> int:
    from .illustrations import illustrate

    bundles = bundle_names(arguments.bundles)
    (once,) = _only(combinations(parse_settings(arguments.set)), "Figures are drawn", "--set theta=0.2")
    data = named_paths("--data", arguments.data, bundles)
    runs = [
        Run(bundle=name, folder=folder, settings=once, dataset_dir=data.get(name)) for name, folder in bundles.items()
    ]
    return _print_written(illustrate(runs, arguments.output_dir, case=arguments.case))


def _print_written(files: Iterable[Path]) -> int:
    for file in files:
        print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
