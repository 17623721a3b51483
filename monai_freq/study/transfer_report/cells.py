"""The cells of a transfer study: fine-tunings that differ in fold and seed alone, and what they measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..results import Result
from ..source_labels import RANDOM, in_order

__all__ = [
    "CONDITIONS",
    "NO_ARTIFACT",
    "Cell",
    "Key",
    "Setting",
    "TransferStudy",
    "measure",
    "number",
    "study_of",
]

#: fold and seed
Key = tuple[int, int]

#: test sets: nobody has the artifact, as in training, all negatives have it
CONDITIONS = ("clean", "iid", "ood")
NO_ARTIFACT = "none"

#: what a run is placed by, and the checkpoint's path, which the source's name stands for
_PLACE = ("source", "artifact", "fraction", "init")


class Setting(NamedTuple):
    """Fine-tunings whose sources are compared: of one target, with one artifact, and alike in all else.

    Example:
        >>> Setting("lodopab_transfer", "photon_noise").title
        'lodopab, photon noise'
    """

    bundle: str
    artifact: str
    others: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """In words.

        Example:
            >>> Setting("lodopab_transfer", "photon_noise", (("lam", "0.01"),)).title
            'lodopab, photon noise, lam 0.01'
        """
        artifact = "no artifact" if self.artifact == NO_ARTIFACT else self.artifact.replace("_", " ")
        others = [f"{key.replace('_', ' ')} {value}" for key, value in self.others]
        return ", ".join([self.bundle.removesuffix("_transfer").replace("_", " "), artifact, *others])


@dataclass(frozen=True)
class Cell:
    """Fine-tunings from one source with one fraction of the artifact, of several folds and seeds.

    Example:
        >>> Cell(Setting("lodopab_transfer", "photon_noise"), "imagenet", 0.5, ()).fraction
        0.5
    """

    setting: Setting
    source: str
    fraction: float
    runs: tuple[Result, ...]

    def values(self, condition: str, metric: str = "auc") -> dict[Key, float]:
        """Metric of each fold and seed that has one.

        Args:
            condition: test set, one of ``CONDITIONS``.
            metric: ``"auc"``, ``"accuracy"`` or ``"calibration_error"``.

        Example:
            >>> from monai_freq.study.phantom_results import phantom_transfer
            >>> cell = study_of(phantom_transfer()).cells[1]
            >>> cell.source, cell.fraction, cell.values("ood")
            ('imagenet', 0.5, {(0, 0): 0.65, (1, 0): 0.64})
        """
        found = {(run.draw, run.seed): measure(run, condition, metric) for run in self.runs}
        return {key: value for key, value in found.items() if math.isfinite(value)}


@dataclass(frozen=True)
class TransferStudy:
    """All finished classifiers of a study.

    Args:
        cells: of the fine-tunings, by setting, source and fraction.
        pretrainings: source -> the runs that were pre-trained on it, one a seed.
        shared: settings that all fine-tunings have, which no :class:`Setting` repeats.
        unusable: a line for each finished run that has no place.

    Example:
        >>> run = Result(bundle="kneemri_transfer", status="finished", arm="none", size=None, draw=0, seed=0)
        >>> study_of([run]).unusable
        ('Without measures: kneemri_transfer/nall_draw0_none_seed0',)
    """

    cells: tuple[Cell, ...]
    pretrainings: Mapping[str, tuple[Result, ...]]
    shared: tuple[tuple[str, str], ...]
    unusable: tuple[str, ...]

    @property
    def settings(self) -> list[Setting]:
        """Those that there are cells of."""
        return list(dict.fromkeys(cell.setting for cell in self.cells))

    @property
    def sources(self) -> list[str]:
        """Those of the fine-tunings: originals, random, edited ones."""
        return in_order(cell.source for cell in self.cells)

    def of(self, setting: Setting, source: str | None = None) -> list[Cell]:
        """Cells of a setting, or of one of its sources, by rising fraction.

        Args:
            setting: of the study.
            source: all of them by default.

        Example:
            >>> from monai_freq.study.phantom_results import phantom_transfer
            >>> cells = study_of(phantom_transfer()).of(Setting("kneemri_transfer", "photon_noise"), "imagenet")
            >>> [(cell.source, cell.fraction) for cell in cells]
            [('imagenet', 0.0), ('imagenet', 0.5)]
        """
        return [cell for cell in self.cells if cell.setting == setting and source in (None, cell.source)]


def study_of(results: Iterable[Result]) -> TransferStudy:
    """Sort the runs of classifiers; failed runs and those of segmenters are left out.

    Args:
        results: of all runs.

    Example:
        >>> fraction = {"source": "imagenet", "artifact": "photon_noise", "fraction": 0.5}
        >>> run = Result(bundle="kneemri_transfer", status="finished", arm="none", size=None, draw=3, seed=0,
        ...              overrides=fraction, measures={"conditions": {"ood": {"auc": 0.8}}})
        >>> [cell] = study_of([run]).cells
        >>> cell.setting.title, cell.source, cell.fraction, cell.values("ood")
        ('kneemri, photon noise', 'imagenet', 0.5, {(3, 0): 0.8})
    """
    finished = sorted(
        (run for run in results if run.finished and not run.cases), key=lambda run: (run.draw, run.seed, run.name)
    )
    tuned = [run for run in finished if not _is_pretraining(run)]
    pretrained: dict[str, list[Result]] = {}
    for run in finished:
        if _is_pretraining(run) and run.measures:
            pretrained.setdefault(_source(run), []).append(run)
    usable = [run for run in tuned if run.measures and math.isfinite(_fraction(run))]
    shared = set.intersection(*(set(_others(run)) for run in usable)) if usable else set()
    return TransferStudy(
        cells=tuple(_cells(usable, shared)),
        pretrainings={source: tuple(pretrained[source]) for source in in_order(pretrained)},
        shared=tuple(sorted(shared)),
        unusable=tuple(_unusable(finished)),
    )


def measure(run: Result, condition: str, metric: str) -> float:
    """One measured number, NaN where there is none.

    Args:
        run: of a classifier.
        condition: test set.
        metric: of it.

    Example:
        >>> run = Result(bundle="source_pretrain", status="finished", arm="none", size=None, draw=0, seed=0,
        ...              measures={"conditions": {"all": {"accuracy": 0.8}}})
        >>> measure(run, "all", "accuracy"), measure(run, "ood", "auc")
        (0.8, nan)
    """
    conditions = run.measures.get("conditions")
    found = conditions.get(condition) if isinstance(conditions, Mapping) else None
    return number(found.get(metric)) if isinstance(found, Mapping) else math.nan


def number(value: Any) -> float:
    """Finite number of a result file, NaN for anything else.

    Args:
        value: whatever the file has.

    Example:
        >>> number(1), number(None), number("0.5"), number(float("inf"))
        (1.0, nan, nan, nan)
    """
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and math.isfinite(value) else math.nan


def _cells(runs: Sequence[Result], shared: set[tuple[str, str]]) -> Iterator[Cell]:
    found: dict[tuple[Setting, str, float], list[Result]] = {}
    for run in runs:
        setting = Setting(run.bundle, _artifact(run), tuple(one for one in _others(run) if one not in shared))
        found.setdefault((setting, _source(run), _fraction(run)), []).append(run)
    ranks = {source: rank for rank, source in enumerate(in_order(source for _, source, _ in found))}
    for key in sorted(found, key=lambda key: (key[0], ranks[key[1]], key[2])):
        yield Cell(*key, tuple(sorted(found[key], key=lambda run: (run.draw, run.seed))))


def _unusable(finished: Sequence[Result]) -> Iterator[str]:
    for run in finished:
        if not run.measures:
            yield f"Without measures: {run.name}"
        elif not _is_pretraining(run) and math.isnan(_fraction(run)):
            yield f"Without a fraction: {run.name}"


def _is_pretraining(run: Result) -> bool:
    """Whatever its bundle is called: only fine-tunings are planned with an artifact and its fraction."""
    return "source" in run.overrides and not {"artifact", "fraction"} & run.overrides.keys()


def _source(run: Result) -> str:
    return str(run.overrides.get("source", RANDOM))


def _artifact(run: Result) -> str:
    return str(run.overrides.get("artifact", NO_ARTIFACT))


def _fraction(run: Result) -> float:
    return number(run.overrides.get("fraction", 0.0 if _artifact(run) == NO_ARTIFACT else None))


def _others(run: Result) -> list[tuple[str, str]]:
    """What else tells runs apart: fusion, training cases, further settings."""
    given = {key: value for key, value in run.overrides.items() if key not in _PLACE}
    given |= {"fusion": run.arm} if run.arm != "none" else {}
    given |= {"training cases": run.size} if run.size is not None else {}
    return sorted((key, value if isinstance(value, str) else json.dumps(value)) for key, value in given.items())
