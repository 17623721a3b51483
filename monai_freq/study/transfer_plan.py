"""The runs of a transfer study: pre-training on each source, and fine-tuning from it under each shortcut."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from .evaluations import read_measures
from .plan import Run, require_different
from .source_labels import RANDOM

__all__ = ["ClassifierRun", "Source", "parse_source", "plan_pretraining", "plan_transfers"]

_EDITINGS = ("none", "whiten", "lowpass")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the weights of a fine-tuning come from.

    Args:
        label: the source's name, and further words for what was done to it: ``"radimagenet whiten"``.
        settings: of the bundle that pre-trains; empty where nothing is to be trained.
        checkpoint: file of weights that are there already.
        dataset_dir: folder of the user's data set; None for the phantom.
        normalization: intensities that its weights are trained with; None for what is recorded beside them, or the
            bundle's own.

    Example:
        >>> Source(label="imagenet", checkpoint="/weights/resnet50.pth").pretrained
        False
    """

    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None
    dataset_dir: str | None = None
    normalization: str | None = None

    @property
    def pretrained(self) -> bool:
        """Whether the study has to pre-train it."""
        return self.label != RANDOM and self.checkpoint is None


def parse_source(
    word: str,
    checkpoints: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    normalizations: Mapping[str, str] | None = None,
) -> Source:
    """Source from a command line: ``random``, ``imagenet``, ``radimagenet/whiten``, or the name of a checkpoint.

    Args:
        word: of the command line.
        checkpoints: label -> file of weights.
        data: name of a source -> folder of the user's data set.
        normalizations: label -> name of the normalization.

    Raises:
        SystemExit: there is no such editing, or a checkpoint for ``random``.

    Example:
        >>> parse_source("radimagenet/whiten").settings
        {'source': 'radimagenet', 'editing': 'whiten'}
        >>> parse_source("radimagenet/blur")
        Traceback (most recent call last):
        SystemExit: There is no editing 'blur'.
        A source is as in imagenet, imagenet/lowpass or radimagenet/whiten.
    """
    name, slash, editing = word.partition("/")
    label = f"{name} {editing}" if slash and editing != "none" else name
    checkpoint = (checkpoints or {}).get(word)
    normalization = (normalizations or {}).get(word)
    if label == RANDOM and checkpoint:
        raise SystemExit(
            f"--checkpoints {word}={checkpoint} is for a source that starts without weights.\n"
            "Call the source otherwise, as in --sources own --checkpoints own=weights.pt"
        )
    if label == RANDOM or checkpoint:
        return Source(label=label, checkpoint=checkpoint, normalization=normalization)
    if slash and editing not in _EDITINGS:
        raise SystemExit(
            f"There is no editing '{editing}'.\nA source is as in imagenet, imagenet/lowpass or radimagenet/whiten."
        )
    settings = {"source": name, "editing": editing or "none"}
    settings |= {} if normalization is None else {"normalization": normalization}
    return Source(label=label, settings=settings, dataset_dir=(data or {}).get(name), normalization=normalization)


@dataclass(frozen=True, kw_only=True)
class ClassifierRun(Run):
    """One pre-training or fine-tuning, and its evaluation; of a fine-tuning, ``draw`` is the fold.

    Args:
        given: settings of the bundle in place of the override ``source``, which is a label.
        folded: whether the bundle divides its data into folds.
        noted: entries of the result's measures that are known beforehand.

    Example:
        >>> run = ClassifierRun(
        ...     bundle="lodopab_transfer", folder="", arm="none", draw=2, folded=True,
        ...     overrides={"source": "imagenet", "fraction": 0.5}, given={"init": "model.pt"},
        ... )
        >>> run.asked_settings
        {'fraction': 0.5, 'init': 'model.pt'}
        >>> run.own_settings
        {'fusion': 'none', 'seed': 0, 'fold': 2}
        >>> run.data_settings
        {'fraction': 0.5, 'init': 'random', 'fold': 2}
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    folded: bool = False
    noted: Mapping[str, Any] = field(default_factory=dict)

    key_metric: ClassVar[str] = "val_auc"

    @property
    def own_settings(self) -> dict[str, Any]:
        """What makes this one of the study's runs, as settings of the bundle."""
        return {"fusion": self.arm, "seed": self.seed, **self._fold}

    @property
    def asked_settings(self) -> dict[str, Any]:
        """The overrides as settings of the bundle."""
        own = ("overlay", "source")
        asked = {key: value for key, value in self.overrides.items() if key not in own} | dict(self.given)
        return (_logged_at_the_end(**asked) if "epochs" in asked else {}) | asked

    @property
    def data_settings(self) -> dict[str, Any]:
        """Settings with which the data of the bundle are looked into beforehand, the fold among them."""
        init = {"init": RANDOM} if "init" in self.given else {}
        return self.asked_settings | init | self._fold

    @property
    def _fold(self) -> dict[str, int]:
        return {"fold": self.draw} if self.folded else {}

    def measured(self, folder: Path) -> dict[str, Any]:
        """Entries of the result that the evaluation gives.

        Args:
            folder: of the run.

        Raises:
            OSError, ValueError: the evaluation has left nothing, or something else.
        """
        return {"measures": {**read_measures(folder), **self.noted}}

    def noting(self, looked: Mapping[str, Any]) -> ClassifierRun:
        """The run with what its bundle says of the data.

        Args:
            looked: see :func:`monai_freq.study.plan.fitted`.
        """
        return replace(self, classes=looked["classes"], noted={"overlapping_groups": looked["overlapping_groups"]})


def _logged_at_the_end(epochs: int, val_interval: int = 2, **_: Any) -> dict[str, int]:
    """Densities of the last epoch that is validated, and of a few before, for the report."""
    last = max(epochs - epochs % val_interval, val_interval)
    intervals = [interval for interval in range(val_interval, last + 1, val_interval) if last % interval == 0]
    return {"psd_interval": next(interval for interval in intervals if 4 * interval >= last)}


def plan_pretraining(
    sources: Sequence[Source],
    bundle: tuple[str, str],
    *,
    seeds: Sequence[int] = (0,),
    arm: str = "none",
    overrides: Mapping[str, Any] | None = None,
) -> dict[tuple[str, int], ClassifierRun]:
    """The pre-trainings of a study, by the label of the source and the seed.

    Args:
        sources: of which those that have to be pre-trained.
        bundle: name and folder of the bundle that does so.
        seeds: of the trainings.
        arm: fusion around the network.
        overrides: further settings of the bundle.

    Example:
        >>> runs = plan_pretraining([parse_source("imagenet/lowpass")], ("source_pretrain", "bundles/source_pretrain"))
        >>> [run.name for run in runs.values()]
        ['source_pretrain/nall_draw0_none_source=imagenet-lowpass_seed0']
    """
    name, folder = bundle
    return {
        (source.label, seed): ClassifierRun(
            bundle=name,
            folder=folder,
            arm=arm,
            seed=seed,
            overrides={"source": source.label, **_beyond_label(source), **(overrides or {})},
            given=source.settings,
            dataset_dir=source.dataset_dir,
        )
        for seed in dict.fromkeys(seeds)
        for source in sources
        if source.pretrained
    }


def _beyond_label(source: Source) -> dict[str, Any]:
    """Settings of a source that its label does not spell out: they tell apart runs of other settings."""
    return {key: value for key, value in source.settings.items() if key not in ("source", "editing")}


def plan_transfers(
    sources: Sequence[Source],
    targets: Mapping[str, str],
    checkpoints: Mapping[tuple[str, int], str],
    *,
    artifacts: Mapping[str, Sequence[str]],
    fractions: Sequence[float] = (0, 0.1, 0.25, 0.5, 0.75, 1),
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    arms: Sequence[str] = ("none",),
    overrides: Sequence[Mapping[str, Any]] = ({},),
    data: Mapping[str, str] | None = None,
) -> list[ClassifierRun]:
    """The fine-tunings of a study: whoever stops it early has every source and fraction of the first folds.

    Args:
        sources: to start from; those without weights are left out.
        targets: name -> folder of the bundles.
        checkpoints: label and seed -> file of the weights that a pre-training gave.
        artifacts: name of a target -> its artifacts.
        fractions: of the positive training images that have the artifact; 0, the control, is always among them.
        folds: number of folds.
        seeds: of the trainings.
        arms: fusions around the network.
        overrides: further settings, one mapping for each variant.
        data: name of a target -> folder of the user's data set.

    Raises:
        SystemExit: a fraction is outside [0, 1], or two runs would have the same name.

    Example:
        >>> runs = plan_transfers(
        ...     [parse_source("random")], {"lodopab_transfer": "bundles/lodopab_transfer"}, {},
        ...     artifacts={"lodopab_transfer": ["photon_noise"]}, fractions=[0.5], folds=1,
        ... )
        >>> [run.name for run in runs]  # doctest: +NORMALIZE_WHITESPACE
        ['lodopab_transfer/nall_draw0_none_artifact=photon_noise_fraction=0.0_source=random_seed0',
         'lodopab_transfer/nall_draw0_none_artifact=photon_noise_fraction=0.5_source=random_seed0']
    """
    if wrong := [fraction for fraction in fractions if not 0 <= fraction <= 1]:
        raise SystemExit(f"A fraction must be in [0, 1], got {wrong[0]}.\nAs in --fractions 0 0.25 0.5")
    wanted = list(dict.fromkeys((0.0, *(float(fraction) for fraction in fractions))))
    grid = itertools.product(dict.fromkeys(seeds), range(folds), overrides, targets, dict.fromkeys(arms))
    runs = [
        ClassifierRun(
            bundle=target,
            folder=targets[target],
            arm=arm,
            draw=fold,
            seed=seed,
            overrides={"source": source.label, "artifact": artifact, "fraction": fraction, **variant},
            given={"init": init} | _normalization(source),
            folded=True,
            dataset_dir=(data or {}).get(target),
        )
        for seed, fold, variant, target, arm in grid
        for artifact in dict.fromkeys(artifacts[target])
        for fraction in wanted
        for source in sources
        if (init := _init(source, seed, checkpoints)) is not None
    ]
    require_different((run.name for run in runs), "runs", "Ask for each source and each value of a setting once.")
    return runs


def _normalization(source: Source) -> dict[str, str]:
    """What a fine-tuning is told; weights that the study has pre-trained know it themselves."""
    return {} if source.pretrained or source.normalization is None else {"normalization": source.normalization}


def _init(source: Source, seed: int, checkpoints: Mapping[tuple[str, int], str]) -> str | None:
    if source.label == RANDOM:
        return RANDOM
    return source.checkpoint or checkpoints.get((source.label, seed))
