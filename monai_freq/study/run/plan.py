"""Which runs a study of segmentations or a transfer study consists of."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from .spec import ARMS, RANDOM, Run

__all__ = ["Source", "parse_source", "plan", "plan_pretraining", "plan_transfers"]

_EDITINGS = ("none", "whiten", "lowpass")


def plan(
    bundles: Mapping[str, str],
    *,
    sizes: Sequence[int | None] = (None,),
    draws: int = 1,
    arms: Sequence[str] = ARMS,
    seeds: Sequence[int] = (0,),
    settings: Sequence[Mapping[str, Any]] = ({},),
    data: Mapping[str, str] | None = None,
) -> list[Run]:
    """All runs of a study: whoever stops it early has every bundle, size and fusion of the first draws.

    Args:
        bundles: name -> folder.
        sizes: numbers of training cases; None for all.
        draws: number of random subsets of each size.
        arms: fusions.
        seeds: seeds of the training.
        settings: further settings, one mapping for each variant.
        data: name of a bundle -> folder of the user's data set.

    Raises:
        UsageError: two runs would have the same name, or a variant has both ``steps`` and ``epochs``.

    Example:
        >>> runs = plan({"heart_fd": "bundles/heart_fd"}, sizes=[4, None], draws=2, arms=["none", "early"])
        >>> [run.name for run in runs[:4]]  # doctest: +NORMALIZE_WHITESPACE
        ['heart_fd/n4_draw0_none_seed0', 'heart_fd/n4_draw0_early_seed0',
         'heart_fd/nall_draw0_none_seed0', 'heart_fd/nall_draw0_early_seed0']
    """
    if any({"steps", "epochs"} <= variant.keys() for variant in settings):
        raise UsageError("'steps' and 'epochs' both say how long a training is.\nGive either --steps or epochs.")
    grid = itertools.product(dict.fromkeys(seeds), range(draws), settings, bundles, dict.fromkeys(sizes))
    runs = [
        Run(
            bundle=bundle,
            folder=bundles[bundle],
            settings={"fusion": arm, "train_size": size, "draw": draw, "seed": seed, **variant},
            dataset_dir=(data or {}).get(bundle),
        )
        for seed, draw, variant, bundle, size in grid
        for arm in dict.fromkeys(arms)
    ]
    _require_different((run.name for run in runs), "runs", "Ask for each value of a setting once.")
    return runs


def _require_different(names: Iterable[str], what: str, advice: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise UsageError(f"{count} {what} would be called {name}.\n{advice}")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the weights of a fine-tuning come from.

    Args:
        label: name of the source, and further words for what was done to it: ``"radimagenet whiten"``.
        given: settings of the bundle that pre-trains on it, as ``"source"`` and ``"editing"``; of weights that are
            there, or of none, those of the fine-tuning: ``"init"`` and, if it is known, ``"normalization"``.
        dataset_dir: folder of the user's data set; None for the phantom.

    Example:
        >>> Source(label="imagenet", given={"init": "/weights/resnet50.pth"}).pretrained
        False
    """

    label: str
    given: Mapping[str, Any]
    dataset_dir: str | None = None

    @property
    def pretrained(self) -> bool:
        """Whether the study has to pre-train it."""
        return "init" not in self.given


def parse_source(
    word: str,
    checkpoints: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    normalizations: Mapping[str, str] | None = None,
) -> Source:
    """Source from a command line: ``random``, ``imagenet``, ``radimagenet/whiten``, or the name of a checkpoint.

    Args:
        word: word of the command line.
        checkpoints: word of a source -> file of weights.
        data: name of a source -> folder of the user's data set.
        normalizations: word of a source -> name of the normalization, the intensities that its weights are trained
            with; else that which is recorded beside them, or the bundle's own.

    Raises:
        UsageError: there is no such editing, or a checkpoint for ``random``.

    Example:
        >>> parse_source("radimagenet/whiten").given
        {'source': 'radimagenet', 'editing': 'whiten'}
        >>> parse_source("radimagenet/blur")
        Traceback (most recent call last):
        monai_freq.errors.UsageError: There is no editing 'blur'.
        A source is as in imagenet, imagenet/lowpass or radimagenet/whiten.
    """
    name, slash, editing = word.partition("/")
    label = f"{name} {editing}" if slash and editing != "none" else name
    checkpoint = (checkpoints or {}).get(word)
    normalization = {"normalization": normalizations[word]} if normalizations and word in normalizations else {}
    if label == RANDOM and checkpoint:
        raise UsageError(
            f"--checkpoints {word}={checkpoint} is for a source that starts without weights.\n"
            "Call the source otherwise, as in --sources own --checkpoints own=weights.pt"
        )
    if label == RANDOM or checkpoint:
        return Source(label=label, given={"init": checkpoint or RANDOM} | normalization)
    if slash and editing not in _EDITINGS:
        raise UsageError(
            f"There is no editing '{editing}'.\nA source is as in imagenet, imagenet/lowpass or radimagenet/whiten."
        )
    given = {"source": name, "editing": editing or "none"} | normalization
    return Source(label=label, given=given, dataset_dir=(data or {}).get(name))


def plan_pretraining(
    sources: Sequence[Source],
    bundle: tuple[str, str],
    *,
    seeds: Sequence[int] = (0,),
    arm: str = "none",
    settings: Mapping[str, Any] | None = None,
) -> list[Run]:
    """The pre-trainings of a transfer study, one for each seed and source that has no weights yet.

    Args:
        sources: sources of the study.
        bundle: name and folder of the bundle that pre-trains.
        seeds: seeds of the trainings.
        arm: fusion around the network.
        settings: further settings of the bundle.

    Example:
        >>> runs = plan_pretraining([parse_source("imagenet/lowpass")], ("source_pretrain", "bundles/source_pretrain"))
        >>> [run.name for run in runs]
        ['source_pretrain/nall_draw0_none_source=imagenet-lowpass_seed0']
    """
    name, folder = bundle
    return [
        Run(
            bundle=name,
            folder=folder,
            settings={"fusion": arm, "seed": seed, "source": source.label, **_unsaid(source), **(settings or {})},
            given=source.given,
            dataset_dir=source.dataset_dir,
        )
        for seed in dict.fromkeys(seeds)
        for source in sources
        if source.pretrained
    ]


def _unsaid(source: Source) -> dict[str, Any]:
    """Settings of a source that its label does not say: they tell apart runs of other settings."""
    return {key: value for key, value in source.given.items() if key not in ("source", "editing")}


def plan_transfers(
    sources: Sequence[Source],
    pretraining: Sequence[Run],
    targets: Mapping[str, str],
    *,
    artifacts: Mapping[str, Sequence[str]],
    fractions: Sequence[float] = (0, 0.1, 0.25, 0.5, 0.75, 1),
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    arms: Sequence[str] = ("none",),
    settings: Sequence[Mapping[str, Any]] = ({},),
    data: Mapping[str, str] | None = None,
) -> list[Run]:
    """The fine-tunings of a transfer study, each after the pre-training of its source and seed.

    Whoever stops it early has every source and fraction of the first folds.

    Args:
        sources: sources to start from.
        pretraining: pre-trainings, from :func:`plan_pretraining`.
        targets: name -> folder of the bundles that are fine-tuned.
        artifacts: name of a target -> its artifacts.
        fractions: shares of the positive training images that have the artifact; 0, the control, is always among them.
        folds: number of folds.
        seeds: seeds of the trainings.
        arms: fusions around the network.
        settings: further settings, one mapping for each variant.
        data: name of a target -> folder of the user's data set.

    Raises:
        UsageError: a fraction is outside [0, 1], a source has neither weights nor a pre-training of each seed, or two
            runs would have the same name.

    Example:
        >>> runs = plan_transfers(
        ...     [parse_source("random")], [], {"lodopab_transfer": "bundles/lodopab_transfer"},
        ...     artifacts={"lodopab_transfer": ["photon_noise"]}, fractions=[0.5], folds=1,
        ... )
        >>> [run.name for run in runs]  # doctest: +NORMALIZE_WHITESPACE
        ['lodopab_transfer/nall_draw0_none_artifact=photon_noise_fraction=0.0_source=random_seed0',
         'lodopab_transfer/nall_draw0_none_artifact=photon_noise_fraction=0.5_source=random_seed0']
    """
    once = "Name each in --sources once: imagenet/none is imagenet."
    _require_different((source.label for source in sources), "sources", once)
    if wrong := [fraction for fraction in fractions if not 0 <= fraction <= 1]:
        raise UsageError(f"A fraction must be in [0, 1], got {wrong[0]}.\nAs in --fractions 0 0.25 0.5")
    wanted = list(dict.fromkeys((0.0, *(float(fraction) for fraction in fractions))))
    grid = itertools.product(dict.fromkeys(seeds), range(folds), settings, targets, dict.fromkeys(arms))
    runs = [
        Run(
            bundle=target,
            folder=targets[target],
            settings={
                **{"fusion": arm, "fold": fold, "seed": seed},
                **{"source": source.label, "artifact": artifact, "fraction": fraction},
                **variant,
            },
            **_start(source, seed, pretraining),
            dataset_dir=(data or {}).get(target),
        )
        for seed, fold, variant, target, arm in grid
        for artifact in dict.fromkeys(artifacts[target])
        for fraction in wanted
        for source in sources
    ]
    _require_different((run.name for run in runs), "runs", "Ask for each source and each value of a setting once.")
    return runs


def _start(source: Source, seed: int, pretraining: Sequence[Run]) -> dict[str, Any]:
    """Where a fine-tuning starts; weights that the study has pre-trained know their normalization themselves."""
    if not source.pretrained:
        return {"given": source.given}
    for run in pretraining:
        if (run.settings["source"], run.settings["seed"]) == (source.label, seed):
            return {"after": run}
    raise UsageError(f"'{source.label}' has no weights for seed {seed}.\nPlan its pre-training, or give a checkpoint.")
