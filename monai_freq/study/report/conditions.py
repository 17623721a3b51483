"""Conditions of a segmentation study: runs that differ in their draw and seed alone, and their scores case by case."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..run.spec import ARMS
from .long_table import Metric, Study, as_texts
from .published import TASKS, task_of

__all__ = ["OF_BANDS", "Condition", "Scores", "baseline_of", "conditions_of"]

Array = NDArray[np.float64]
Settings = tuple[tuple[str, str], ...]
#: bundle, size, fusion and settings
Key = tuple[str, int | None, str, Settings]

#: settings of frequency bands, which a network without them does not have
OF_BANDS = ("theta", "convention")


class Scores(NamedTuple):
    """A metric of each run and case, ``(runs, cases)``, with NaN where there is none; a run is ``(draw, seed)``.

    Example:
        >>> scores = Scores([(0, 0), (0, 1), (1, 0)], ["la_001"], np.array([[80.0], [90.0], [70.0]]))
        >>> scores.by_draw().tolist()
        [[85.0], [70.0]]
    """

    runs: Sequence[tuple[int, int]]
    cases: Sequence[str]
    values: Array

    def by_draw(self) -> Array:
        """Mean over the seeds of each draw, ``(draws, cases)``."""
        draws = np.array([draw for draw, _ in self.runs])
        if len(set(draws)) == len(draws):  # most often, and for no runs at all
            return self.values
        means: Array = pd.DataFrame(self.values).groupby(draws).mean().to_numpy()
        return means


@dataclass(frozen=True, eq=False)
class Condition:
    """Finished runs of one bundle, size, fusion and set of further settings.

    Args:
        bundle: name of the bundle.
        size: number of training cases; None for all.
        fusion: kind of fusion, ``"none"``, ``"early"`` or ``"late"``.
        settings: name and value, as text.
        shared: settings that all runs of a task have, which labels do not repeat.
        runs: rows of the study's table, in the order of draws and seeds.
        rows: rows of the long table, by metric and class.

    Example:
        >>> Condition("heart_fd", 8, "early", (("theta", "0.2"),)).label
        'early (theta 0.2)'
    """

    bundle: str
    size: int | None
    fusion: str
    settings: Settings = ()
    shared: Settings = ()
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    rows: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Task as shown."""
        return task_of(self.bundle).replace("_", " ")

    @property
    def size_text(self) -> str:
        """Number of training cases as shown."""
        return "all" if self.size is None else str(self.size)

    @property
    def keys(self) -> list[tuple[int, int]]:
        """Draw and seed of each run."""
        return list(zip(self.runs["draw"], self.runs["seed"], strict=True))

    @property
    def label(self) -> str:
        """Fusion and settings, less those that all runs share."""
        own = [item for item in self.settings if item not in self.shared]
        texts = [value if key == "convention" else f"{key} {value}" for key, value in own]
        return f"{self.fusion} ({', '.join(texts)})" if own else self.fusion

    @property
    def place(self) -> str:
        """Task, size and label."""
        return f"{self.title}, n = {self.size_text}, {self.label}"

    def without(self, keys: Collection[str]) -> Settings:
        """Settings other than those."""
        return tuple(item for item in self.settings if item[0] not in keys)

    def classes(self) -> list[str]:
        """Names of the foreground classes."""
        return list(dict.fromkeys(name for names in self.runs["classes"] for name in names))

    @cached_property
    def cases(self) -> list[str]:
        """Names of the test cases."""
        return sorted({case for rows in self.rows.values() for case in rows["case"].tolist()})

    def scores(self, metric: Metric, label: str | None = None) -> Scores:
        """A metric of each run and case: the mean over its classes, or of one of them."""
        names = [label] if label else self.classes()
        run_at, case_at = ({one: place for place, one in enumerate(ones)} for ones in (self.runs.index, self.cases))
        values = np.full((len(self.runs), len(self.cases), max(1, len(names))), np.nan)
        for place, name in enumerate(names):
            rows = self.rows.get((metric.name, name.replace(" ", "_")))
            if rows is not None:
                at = [run_at[one] for one in rows["run"].tolist()], [case_at[one] for one in rows["case"].tolist()]
                values[(*at, place)] = rows["value"]
        return Scores(self.keys, self.cases, values.mean(2) * metric.scale)


def conditions_of(study: Study) -> list[Condition]:
    """Gather the finished runs of a study by their conditions, in the order of the paper's tables.

    Args:
        study: tables of the study; failed runs are left out.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> [(one.fusion, len(one.runs)) for one in conditions_of(study_of(phantom_study(draws=2)))]
        [('none', 2), ('early', 2)]
    """
    found: dict[Key, dict[tuple[int, int], int]] = {}
    for run in study.runs[study.runs["finished"].astype(bool)].itertuples():
        found.setdefault((run.bundle, run.size, run.fusion, as_texts(run.settings)), {})[run.draw, run.seed] = run.Index
    keys = sorted(found, key=_order)
    members: dict[int, int] = {}
    for place, key in enumerate(keys):
        members |= dict.fromkeys(found[key].values(), place)
    places = study.scores["run"].map(members)
    groups = study.scores.groupby([places, "metric", "class"]).indices
    rows: list[dict[tuple[str, str], pd.DataFrame]] = [{} for _ in keys]
    for (place, metric, label), own in groups.items():
        rows[int(place)][metric, label] = study.scores.iloc[own]
    chosen = [[found[key][run] for run in sorted(found[key])] for key in keys]
    shared = _shared(keys)
    return [
        Condition(*key, shared, study.runs.loc[runs], own) for key, runs, own in zip(keys, chosen, rows, strict=True)
    ]


def baseline_of(condition: Condition, conditions: Sequence[Condition]) -> Condition | None:
    """Runs without fusion that a condition is compared with.

    They share bundle, size and all settings but ``theta`` and ``convention``, which a network without frequency bands
    does not have. Where several such runs share a draw and seed, the one with the most settings in common counts.

    Args:
        condition: condition of another arm.
        conditions: conditions of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> none, early = conditions_of(study_of(phantom_study()))
        >>> baseline_of(early, [none, early]) is none
        True
    """
    rest = condition.without(OF_BANDS)
    wanted = condition.bundle, condition.size, "none", rest
    alike = [
        other
        for other in reversed(conditions)
        if (other.bundle, other.size, other.fusion, other.without(OF_BANDS)) == wanted
    ]
    if len(alike) < 2:
        return alike[0] if alike else None
    # the most alike first, as later ones fill in what it lacks
    alike.sort(key=lambda other: (-len(set(other.settings) & set(condition.settings)), len(other.settings)))
    runs = pd.concat([other.runs for other in alike]).drop_duplicates(["draw", "seed"]).sort_values(["draw", "seed"])
    columns = {column for other in alike for column in other.rows}
    own = {c: pd.concat([other.rows[c] for other in alike if c in other.rows]) for c in columns}
    rows = {column: every[every["run"].isin(runs.index)] for column, every in own.items()}
    return replace(alike[0], settings=rest, runs=runs, rows=rows)


def _shared(keys: Sequence[Key]) -> Settings:
    """Settings that tell no two runs of a task apart."""
    of_task: dict[str, list[set[tuple[str, str]]]] = {}
    for bundle, *_, settings in keys:
        of_task.setdefault(bundle, []).append(set(settings))
    varying = {item for own in of_task.values() for one in own for item in set().union(*own) - one}
    return tuple(sorted({item for key in keys for item in key[-1]} - varying))


def _order(key: Key) -> tuple[Any, ...]:
    bundle, size, fusion, settings = key
    task = task_of(bundle)
    place = TASKS.index(task) if task in TASKS else len(TASKS)
    arm = ARMS.index(fusion) if fusion in ARMS else len(ARMS)
    return place, bundle, math.inf if size is None else size, arm, fusion, settings
