"""The command ``transfer``: which sources, targets and shortcuts a transfer study has."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from ..errors import UsageError
from ..json_files import read_json
from .options import (
    add_data,
    add_where,
    combinations,
    count,
    named_paths,
    parse_settings,
    seed,
    share,
    tell_ended,
    where,
)
from .run.checks import bundle_names
from .run.plan import parse_source, plan_pretraining, plan_transfers, require_different
from .run.runner import run_study
from .run.spec import ARMS, RANDOM, Run

__all__ = ["add_transfer"]

_ABOUT = (
    "Pre-train a classifier on each source, fine-tune it on each target with an artifact on a fraction of the positive "
    "training images, and test it where the artifact does not tell the label, after Lu et al. 2025. Started again, "
    "only what is missing or failed is run."
)
_SOURCES = ("random", "imagenet", "radimagenet", "imagenet/lowpass", "radimagenet/whiten")
_FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def add_transfer(commands: Any) -> None:
    """Add the command.

    Args:
        commands: commands of the command line.

    Example:
        >>> import argparse
        >>> parser = argparse.ArgumentParser()
        >>> add_transfer(parser.add_subparsers())
        >>> words = ["transfer", "bundles/kneemri_transfer", "--sources", "random", "--output_dir", "out"]
        >>> parser.parse_args(words).sources
        ['random']
    """
    command = commands.add_parser(
        "transfer", help="make the runs of a transfer study that are missing", description=_ABOUT
    )
    which = command.add_argument_group("which runs")
    which.add_argument("targets", nargs="+", metavar="TARGET", help="folder of a bundle, as bundles/lodopab_transfer")
    which.add_argument(
        "--sources",
        nargs="+",
        default=list(_SOURCES),
        metavar="SOURCE",
        help=f"random, imagenet or radimagenet, with /whiten or /lowpass (default: {' '.join(_SOURCES)})",
    )
    which.add_argument(
        "--checkpoints",
        nargs="+",
        default=[],
        metavar="SOURCE=FILE",
        help="weights that are there already, as imagenet=resnet50.pth: this source is not trained",
    )
    which.add_argument(
        "--normalizations",
        nargs="+",
        default=[],
        metavar="SOURCE=NAME",
        help="intensities that a source's weights are trained with, as radimagenet=radimagenet_pytorch (default: those "
        "recorded beside them, or the bundles' own)",
    )
    which.add_argument(
        "--artifacts", nargs="+", metavar="NAME", help="photon_noise, nonlocal_means, ... (default: each target's own)"
    )
    which.add_argument(
        "--fractions",
        nargs="+",
        type=share,
        default=list(_FRACTIONS),
        metavar="P",
        help="of the positive training images that have the artifact; 0, the control, always belongs to the study "
        "(default: 0 0.1 0.25 0.5 0.75 1)",
    )
    which.add_argument("--folds", type=count, default=5, metavar="N", help="number of folds (default: 5)")
    which.add_argument("--seeds", nargs="+", type=seed, default=[0], metavar="SEED", help="of all trainings")
    which.add_argument("--arms", nargs="+", choices=ARMS, default=["none"], help="fusions around the network")
    which.add_argument("--epochs", type=count, metavar="N", help="of each fine-tuning (default: the bundle's)")
    which.add_argument("--source_epochs", type=count, metavar="N", help="of each pre-training (default: the bundle's)")
    for name, whose in (("--set", "the targets"), ("--source_set", "the pre-training")):
        more = "; with several values, each is run" if name == "--set" else ""
        which.add_argument(
            name, nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=f"a setting of {whose}{more}"
        )
    which.add_argument("--overlay", metavar="NAME", help="a further file of each bundle's configs, as paper")
    which.add_argument(
        "--source_bundle", metavar="BUNDLE", help="that pre-trains (default: source_pretrain beside the first target)"
    )
    add_data(which, "your data set for a source or a target, as imagenet=/data/imagenet")
    add_where(command)
    command.set_defaults(command=_transfer)


def _transfer(arguments: argparse.Namespace) -> int:
    runs = _planned(arguments)
    return tell_ended(runs, run_study(runs, arguments.output_dir, **where(arguments)), arguments.output_dir)


def _planned(arguments: argparse.Namespace) -> list[Run]:
    targets = bundle_names(arguments.targets)
    own = {name: [_own_artifact(folder)] for name, folder in targets.items()}
    pretrainer = _pretrainer(arguments)
    words = list(dict.fromkeys(arguments.sources))
    named = dict.fromkeys(word.partition("/")[0] for word in words if word != RANDOM)
    data = named_paths("--data", arguments.data, [*targets, *named])
    checkpoints = named_paths("--checkpoints", arguments.checkpoints, words)
    normalizations = _normalizations(arguments.normalizations, words)
    sources = [parse_source(word, checkpoints, data, normalizations) for word in words]
    once = "Name each in --sources once: imagenet/none is imagenet."
    require_different((source.label for source in sources), "sources", once)
    overlay = {} if arguments.overlay is None else {"overlay": arguments.overlay}
    settings = combinations(_with_epochs("epochs", arguments.epochs, parse_settings(arguments.set)))
    of_source = combinations(
        _with_epochs("source_epochs", arguments.source_epochs, parse_settings(arguments.source_set))
    )
    if len(of_source) > 1:
        raise UsageError("A source is pre-trained with one value of each setting.\nAs in --source_set epochs=30")
    pretraining = plan_pretraining(sources, pretrainer, seeds=arguments.seeds, settings=of_source[0] | overlay)
    tunings = plan_transfers(
        sources,
        pretraining,
        targets,
        artifacts=dict.fromkeys(targets, arguments.artifacts) if arguments.artifacts else own,
        fractions=arguments.fractions,
        folds=arguments.folds,
        seeds=arguments.seeds,
        arms=arguments.arms,
        settings=[variant | overlay for variant in settings],
        data=data,
    )
    return [*pretraining, *tunings]


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


def _own_artifact(folder: str) -> str:
    settings: Mapping[str, Any] = read_json(Path(folder) / "configs/train.json")
    if "artifact" not in settings:
        raise UsageError(f"{folder} is no bundle of a transfer: it has no 'artifact'.\nAs in bundles/lodopab_transfer")
    return str(settings["artifact"])


def _with_epochs(option: str, epochs: int | None, settings: dict[str, list[Any]]) -> dict[str, list[Any]]:
    if epochs is None:
        return settings
    if "epochs" in settings:
        raise UsageError(f"'epochs' is set twice.\nGive --{option}, or epochs=... among the settings.")
    return settings | {"epochs": [epochs]}
