"""The runs of a transfer study: pre-trainings, and fine-tunings that differ in fold and seed alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from ...spectral.psd import centroid, overlap
from ..run.spec import RANDOM
from .densities import Density, density_of, mean_of
from .long_table import Study, as_texts, number
from .sources import in_order
from .statistics import Estimate, Key, estimate

__all__ = ["CONDITIONS", "NO_ARTIFACT", "Repeats", "Setting", "TransferStudy", "transfer_study_of"]

#: test sets, in which nobody has the artifact, those of the training, and all negatives
CONDITIONS = ("clean", "iid", "ood")
NO_ARTIFACT = "none"

#: what a run is placed by, and the checkpoint's path, which the source's name stands for
_PLACE = ("source", "artifact", "fraction", "init")


class Setting(NamedTuple):
    """Fine-tunings whose sources are compared: of one target, with one artifact, and alike in all else.

    Example:
        >>> Setting("lodopab_transfer", "photon_noise", (("lam", "0.01"),)).title
        'lodopab, photon noise, lam 0.01'
    """

    bundle: str
    artifact: str
    others: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """Setting in words."""
        artifact = "no artifact" if self.artifact == NO_ARTIFACT else self.artifact.replace("_", " ")
        others = [f"{key.replace('_', ' ')} {value}" for key, value in self.others]
        return ", ".join([self.bundle.removesuffix("_transfer").replace("_", " "), artifact, *others])


@dataclass(frozen=True, eq=False)
class Repeats:
    """Runs of classifiers that differ in fold and seed alone.

    Args:
        setting: setting of fine-tunings.
        source: source of the weights, or of the pre-training.
        fraction: fraction with the artifact; NaN of pre-trainings.
        runs: rows of the study's table, in the order of folds and seeds.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.long_table import study_of
        >>> one = transfer_study_of(study_of(phantom_transfer())).tunings[1]
        >>> one.place, one.values("ood")
        ('kneemri, photon noise, imagenet, p = 0.5', {(0, 0): 0.65, (1, 0): 0.64})
        >>> round(one.estimate("ood").mean, 3), round(one.centroid("before").mean, 3), one.overlap("before").mean
        (0.645, 0.372, 1.0)
    """

    setting: Setting
    source: str
    fraction: float
    runs: pd.DataFrame

    @property
    def place(self) -> str:
        """Setting, source and fraction in words."""
        return f"{self.setting.title}, {self.source}, p = {self.fraction:g}"

    @property
    def keys(self) -> list[Key]:
        """Fold and seed of each run."""
        return list(zip(self.runs["draw"], self.runs["seed"], strict=True))

    def measured(self, condition: str, metric: str = "auc") -> list[float]:
        """Metric of each run on one of ``CONDITIONS``, or ``"all"`` of a pre-training; NaN where there is none."""
        return [scores.get((condition, metric), math.nan) for scores in self.runs["scores"]]

    def values(self, condition: str, metric: str = "auc") -> dict[Key, float]:
        """Metric of each fold and seed that has one."""
        found = zip(self.keys, self.measured(condition, metric), strict=True)
        return {key: value for key, value in found if math.isfinite(value)}

    def estimate(self, condition: str, metric: str = "auc") -> Estimate:
        """Mean and interval of a metric over folds."""
        return estimate(self.values(condition, metric))

    def densities(self, name: str) -> dict[Key, Density]:
        """Density of each fold and seed that has measured one: ``"before"``, ``"after"`` or ``"artifact"``."""
        found = zip(self.keys, self.runs["densities"], strict=True)
        return {key: density for key, measured in found if (density := density_of(measured, name))}

    def centroid(self, name: str) -> Estimate:
        """Mean frequency of a learning priority, in cycles per voxel and without DC."""
        known = {key: one for key, one in self.densities(name).items() if one.values[one.frequencies > 0].any()}
        return estimate({key: float(centroid(*one.tensors())) for key, one in known.items()})

    def overlap(self, name: str) -> Estimate:
        """Overlap of a learning priority with the artifact's density."""
        artifacts = {key: one for key, one in self.densities("artifact").items() if one.values.any()}
        own = {key: one for key, one in self.densities(name).items() if key in artifacts and one.values.any()}
        return estimate({key: float(overlap(one.tensors(), artifacts[key].tensors())) for key, one in own.items()})


@dataclass(frozen=True, eq=False)
class TransferStudy:
    """All finished classifiers of a study.

    Args:
        tunings: fine-tunings, by setting, source and fraction.
        pretrainings: source -> runs that were pre-trained on it, one a seed.
        shared: settings that all fine-tunings have, which no :class:`Setting` repeats.
        unusable: a line for each finished run that has no place.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.long_table import study_of
        >>> study = transfer_study_of(study_of(phantom_transfer()))
        >>> study.accuracy("imagenet"), study.accuracy("random"), study.sources[:3]
        (0.8, nan, ['imagenet', 'radimagenet', 'random'])
        >>> [(one.source, one.fraction) for one in study.of(study.settings[0], "imagenet")]
        [('imagenet', 0.0), ('imagenet', 0.5)]
    """

    tunings: Sequence[Repeats]
    pretrainings: Mapping[str, Repeats]
    shared: Sequence[tuple[str, str]]
    unusable: Sequence[str]

    @property
    def settings(self) -> list[Setting]:
        """Settings of the fine-tunings."""
        return list(dict.fromkeys(one.setting for one in self.tunings))

    @property
    def sources(self) -> list[str]:
        """Sources of the fine-tunings, in the order of originals, random and edited ones."""
        return in_order(one.source for one in self.tunings)

    def of(self, setting: Setting, source: str | None = None) -> list[Repeats]:
        """Fine-tunings of a setting, or of one of its sources, by rising fraction."""
        return [one for one in self.tunings if one.setting == setting and source in (None, one.source)]

    def sources_of(self, setting: Setting) -> list[str]:
        """Sources of a setting."""
        return in_order(one.source for one in self.of(setting))

    def accuracy(self, source: str) -> float:
        """Mean accuracy of the networks that are pre-trained on a source; NaN without any."""
        runs = self.pretrainings.get(source)
        return float(pd.Series(runs.measured("all", "accuracy")).mean()) if runs else math.nan

    @property
    def with_priorities(self) -> list[Setting]:
        """Settings with an artifact whose runs have measured a learning priority."""
        measured = {one.setting for one in self.tunings if one.densities("after")}
        return [setting for setting in self.settings if setting.artifact != NO_ARTIFACT and setting in measured]

    def priorities(self, setting: Setting) -> tuple[dict[str, Density], list[str]]:
        """Learning priority of each pre-trained network, and the sources whose priority is that on the target's images.

        Those are the sources of which the study has no pre-training: checkpoints from elsewhere.
        """
        found: dict[str, Density] = {}
        elsewhere = []
        for source in self.sources:
            runs = self.pretrainings.get(source)
            own = mean_of([*runs.densities("after").values()]) if runs else None
            if own is None and source != RANDOM:
                own = next((mean_of([*one.densities("before").values()]) for one in self.of(setting, source)), None)
                elsewhere += [source] if own else []
            if own:
                found[source] = own
        return found, elsewhere

    def artifact(self, setting: Setting) -> Density | None:
        """Form of the artifact's density: each run's has a mean of 1, as it depends on the unit of the images."""
        every = [one for repeats in self.of(setting) for one in repeats.densities("artifact").values()]
        return mean_of([one.relative() for one in every])


def transfer_study_of(study: Study) -> TransferStudy:
    """Sort the runs of classifiers; failed runs and those of segmentations are left out.

    Args:
        study: tables of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.long_table import study_of
        >>> [setting.title for setting in transfer_study_of(study_of(phantom_transfer())).settings]
        ['kneemri, photon noise']
    """
    scores: dict[int, dict[tuple[str, str], float]] = {}
    for run, condition, _, _, metric, value in study.scores.itertuples(index=False):
        scores.setdefault(run, {})[condition, metric] = value
    runs = study.runs.assign(scores=[scores.get(run, {}) for run in study.runs.index])
    finished = runs[runs["finished"].astype(bool) & ~runs["segmented"].astype(bool)].sort_values(
        ["draw", "seed", "name"]
    )
    pretrains = finished["settings"].map(_is_pretraining).astype(bool)
    tuned, pretrained = finished[~pretrains], finished[pretrains]
    usable = [run for run in tuned.itertuples() if run.measured and math.isfinite(_fraction(run.settings))]
    shared = set.intersection(*(set(_others(run)) for run in usable)) if usable else set()
    sources = pretrained[pretrained["measured"].astype(bool)].groupby(pretrained["settings"].map(_source))
    nowhere = Setting("", NO_ARTIFACT)
    found = {str(source): Repeats(nowhere, str(source), math.nan, own) for source, own in sources}
    return TransferStudy(
        tunings=list(_tunings(runs, usable, shared)),
        pretrainings={source: found[source] for source in in_order(found)},
        shared=sorted(shared),
        unusable=list(_unusable(finished)),
    )


def _tunings(runs: pd.DataFrame, usable: Iterable[Any], shared: set[tuple[str, str]]) -> Iterator[Repeats]:
    found: dict[tuple[Setting, str, float], list[int]] = {}
    for run in usable:
        setting = Setting(run.bundle, _artifact(run.settings), tuple(one for one in _others(run) if one not in shared))
        found.setdefault((setting, _source(run.settings), _fraction(run.settings)), []).append(run.Index)
    ranks = {source: rank for rank, source in enumerate(in_order(source for _, source, _ in found))}
    for setting, source, fraction in sorted(found, key=lambda key: (key[0], ranks[key[1]], key[2])):
        yield Repeats(setting, source, fraction, runs.loc[found[setting, source, fraction]])


def _unusable(finished: pd.DataFrame) -> Iterator[str]:
    for run in finished.itertuples():
        if not run.measured:
            yield f"Without measures: {run.name}"
        elif not _is_pretraining(run.settings) and math.isnan(_fraction(run.settings)):
            yield f"Without a fraction: {run.name}"


def _is_pretraining(settings: Mapping[str, Any]) -> bool:
    """Whatever its bundle is called: only fine-tunings are planned with an artifact and its fraction."""
    return "source" in settings and not {"artifact", "fraction"} & settings.keys()


def _source(settings: Mapping[str, Any]) -> str:
    return str(settings.get("source", RANDOM))


def _artifact(settings: Mapping[str, Any]) -> str:
    return str(settings.get("artifact", NO_ARTIFACT))


def _fraction(settings: Mapping[str, Any]) -> float:
    return number(settings.get("fraction", 0.0 if _artifact(settings) == NO_ARTIFACT else None))


def _others(run: Any) -> tuple[tuple[str, str], ...]:
    """What else tells runs apart: fusion, training cases, further settings."""
    given = {key: value for key, value in run.settings.items() if key not in _PLACE}
    given |= {"fusion": run.fusion} if run.fusion != "none" else {}
    return as_texts(given | ({"training cases": run.size} if run.size is not None else {}))
