"""Which runs a study consists of, and which of them are still missing."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from ..bundle.setting_names import setting_of
from ..files import set_aside
from ..json_files import parse_json, repeated_name
from .cells import ARMS
from .evaluations import read_cases
from .results import OtherVersion, Result, read_result, result_file, run_name

__all__ = [
    "Run",
    "combinations",
    "fitted",
    "missing",
    "parse_settings",
    "parse_value",
    "plan",
    "require_different",
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
#: how often a training of a given number of steps is validated
_VALIDATIONS = 20


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training and its evaluation.

    Args:
        bundle: name of the bundle.
        folder: of the bundle.
        arm: ``"none"``, ``"early"`` or ``"late"`` fusion.
        size: number of training cases; None for all.
        draw: which random subset.
        seed: of the training.
        overrides: further settings, as they were asked for. Two are the study's own: ``steps``, the number of optimiser
            steps, and ``overlay``, the name of a further configuration file of the bundle.
        dataset_dir: folder of the user's data set; None for the bundle's phantom.
        changes: the overrides as settings of the bundle, see :func:`fitted`.
        classes: class number -> name, foreground only.

    Example:
        >>> Run(bundle="heart_fd", folder="bundles/heart_fd", arm="late", size=4, draw=1).name
        'heart_fd/n4_draw1_late_seed0'
    """

    bundle: str
    folder: str
    arm: str
    size: int | None = None
    draw: int = 0
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    dataset_dir: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)

    #: what picks the weights, and its name in the result
    key_metric: ClassVar[str] = "val_mean_dice"

    @property
    def name(self) -> str:
        """Of the run's folder and result."""
        return run_name(self.bundle, self.size, self.draw, self.arm, self.overrides, self.seed)

    @property
    def own_settings(self) -> dict[str, Any]:
        """What makes this one of the study's runs, as settings of the bundle."""
        return {"fusion": self.arm, "train_size": self.size, "draw": self.draw, "seed": self.seed}

    @property
    def asked_settings(self) -> dict[str, Any]:
        """The overrides as settings of the bundle, but for those that follow from its data."""
        return {key: value for key, value in self.overrides.items() if key not in ("steps", "overlay")}

    @property
    def data_settings(self) -> dict[str, Any]:
        """Settings with which the data of the bundle are looked into beforehand."""
        return self.asked_settings

    def measured(self, folder: Path) -> dict[str, Any]:
        """Entries of the result that the evaluation gives.

        Args:
            folder: of the run.

        Raises:
            OSError, ValueError: the evaluation has left nothing, or something else.
        """
        return {"cases": read_cases(folder / "evaluation" / "cases.csv")}

    def noting(self, looked: Mapping[str, Any]) -> Run:
        """The run with what its bundle says of the data.

        Args:
            looked: see :func:`fitted`.

        Raises:
            SystemExit: the data do not allow the run.
        """
        if self.size is not None and not 1 <= self.size <= looked["cases"]:
            raise SystemExit(
                f"{self.bundle} has {looked['cases']} training cases, not {self.size}.\n"
                "Ask for smaller --sizes, or set fewer val_cases or test_cases."
            )
        return replace(self, classes=looked["classes"])

    def configs(self, workflow: str) -> list[Path]:
        """Configuration files of ``"train"`` or ``"evaluate"``."""
        names = [workflow, *([self.overrides["overlay"]] if "overlay" in self.overrides else [])]
        return [Path(self.folder) / "configs" / f"{name}.json" for name in names]

    def fingerprint(self, *workflows: str) -> str:
        """Hash of the configuration files of workflows: another one when somebody has edited the bundle."""
        content = [file.read_bytes() for workflow in workflows for file in self.configs(workflow)]
        return sha256(b"\0".join(content)).hexdigest()


def plan(
    bundles: Mapping[str, str],
    *,
    sizes: Sequence[int | None] = (None,),
    draws: int = 1,
    arms: Sequence[str] = ARMS,
    seeds: Sequence[int] = (0,),
    overrides: Sequence[Mapping[str, Any]] = ({},),
    data: Mapping[str, str] | None = None,
) -> list[Run]:
    """All runs of a study: whoever stops it early has every bundle, size and arm of the first draws.

    Args:
        bundles: name -> folder.
        sizes: numbers of training cases; None for all.
        draws: number of random subsets of each size.
        arms: fusions.
        seeds: of the training.
        overrides: further settings, one mapping for each variant.
        data: name of a bundle -> folder of the user's data set.

    Raises:
        SystemExit: two runs would have the same name, or a variant has both ``steps`` and ``epochs``.

    Example:
        >>> runs = plan({"heart_fd": "bundles/heart_fd"}, sizes=[4, None], draws=2, arms=["none", "early"])
        >>> [run.name for run in runs[:4]]  # doctest: +NORMALIZE_WHITESPACE
        ['heart_fd/n4_draw0_none_seed0', 'heart_fd/n4_draw0_early_seed0',
         'heart_fd/nall_draw0_none_seed0', 'heart_fd/nall_draw0_early_seed0']
    """
    if any({"steps", "epochs"} <= variant.keys() for variant in overrides):
        raise SystemExit("'steps' and 'epochs' both say how long a training is.\nGive either --steps or epochs.")
    grid = itertools.product(dict.fromkeys(seeds), range(draws), overrides, bundles, dict.fromkeys(sizes))
    runs = [
        Run(
            bundle=bundle,
            folder=bundles[bundle],
            arm=arm,
            size=size,
            draw=draw,
            seed=seed,
            overrides=dict(variant),
            dataset_dir=(data or {}).get(bundle),
        )
        for seed, draw, variant, bundle, size in grid
        for arm in dict.fromkeys(arms)
    ]
    require_different((run.name for run in runs), "runs", "Ask for each value of a setting once.")
    return runs


def require_different(names: Iterable[str], what: str, advice: str) -> None:
    """Refuse two things of one name.

    Args:
        names: of the things.
        what: the things, as a word of the message.
        advice: second line of the message.

    Raises:
        SystemExit: a name is there twice.

    Example:
        >>> require_different(["imagenet", "imagenet"], "sources", "Give each in --sources once.")
        Traceback (most recent call last):
        SystemExit: 2 sources would be called imagenet.
        Give each in --sources once.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise SystemExit(f"{count} {what} would be called {name}.\n{advice}")


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
        words: of the command line.

    Raises:
        SystemExit: the first word is no ``key=value``, or the study decides this setting itself.

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
            raise SystemExit(f"'{word}' is no setting.\nWrite it as in --set theta=0.1, with several values: 0.1 0.2")
        else:
            values.append(parse_value(word))
    return settings


def _refuse_own(key: str) -> None:
    name = setting_of(key)
    if name in _OWN:
        instead = f"Use {_OWN[name]}." if _OWN[name] else "Leave it out."
        raise SystemExit(f"'{name}' cannot be set: the study decides it for each run.\n{instead}")


def parse_value(text: str) -> Any:
    """Number, list, mapping or truth value that a text stands for, else the text itself.

    Args:
        text: in the notation of JSON or Python.

    Raises:
        SystemExit: a mapping has a name twice.

    Example:
        >>> [parse_value(text) for text in ("0.1", "[32, 32, 16]", "true", "None", "figure2")]
        [0.1, [32, 32, 16], True, None, 'figure2']
    """
    if (name := repeated_name(text)) is not None:
        raise SystemExit(f"'{text[:80]}' has the name '{name}' twice.\nGive each name once.")
    for read in (parse_json, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError):
            continue
        return list(value) if isinstance(value, tuple) else value
    return text


def fitted(run: Run, looked: Mapping[str, Any]) -> Run:
    """The run as its bundle has to be called.

    ``steps`` become epochs of as many batches as the training cases give, rounded up, and, unless ``val_interval`` is
    asked for, 20 validations, so that a small training set is neither trained less nor chosen from more often.

    Args:
        run: as planned.
        looked: what the bundle says: ``cases`` for training, ``batch_size``, ``classes``.

    Raises:
        SystemExit: there are fewer training cases than the run takes.

    Example:
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", arm="none", size=4, overrides={"steps": 100})
        >>> fitted(run, {"cases": 12, "batch_size": 2, "classes": {}}).changes
        {'epochs': 50, 'val_interval': 2}
    """
    changes = run.asked_settings
    if "steps" in run.overrides:
        batches = math.ceil((run.size or looked["cases"]) / looked["batch_size"])
        epochs = math.ceil(run.overrides["steps"] / batches)
        changes = {"epochs": epochs, "val_interval": max(1, epochs // _VALIDATIONS)} | changes
    return replace(run.noting(looked), changes=changes)


def missing(runs: Iterable[Run], folder: Path) -> Iterator[Run]:
    """Runs that have no finished result yet; a result that cannot be read is put aside.

    Args:
        runs: as planned.
        folder: of the study.

    Raises:
        SystemExit: a result was written in another version of the format, or with other data.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.results import Result, write_result
        >>> folder = Path(tempfile.mkdtemp())
        >>> made = Result(bundle="heart_fd", status="finished", arm="none", size=4, draw=0, seed=0)
        >>> _ = write_result(folder, made)
        >>> runs = plan({"heart_fd": "bundles/heart_fd"}, sizes=[4], arms=["none", "early"])
        >>> [run.name for run in missing(runs, folder)]
        ['heart_fd/n4_draw0_early_seed0']
    """
    for run in runs:
        file = result_file(folder, run.name)
        if not file.exists():
            yield run
            continue
        try:
            result = read_result(file)
        except OtherVersion as error:
            raise SystemExit(f"{error}\nChoose another --output_dir.") from error
        except ValueError as error:
            set_aside(file.parent, [file.name])
            print(f"{error} It is now in {file.parent / 'previous'}, and the run is made again.")
            yield run
            continue
        if not result.finished:
            yield run
        else:
            _require_same(run, result, file)


def _require_same(run: Run, result: Result, file: Path) -> None:
    made_with = result.settings.get("dataset_dir")
    wanted = run.dataset_dir and str(Path(run.dataset_dir).resolve())
    for what, one, other in (
        ("the data set", made_with, wanted),
        ("the settings", dict(result.overrides), dict(run.overrides)),
    ):
        if one != other:
            raise SystemExit(f"{file} was made with {what} {one}, not {other}.\nChoose another --output_dir.")
    if result.configs and result.configs != run.fingerprint("train", "evaluate"):
        raise SystemExit(
            f"{file} was made with other files than those in {run.folder}/configs.\n"
            "Restore them, or choose another --output_dir: one table is of one network."
        )
