"""Results of a study as tables: a row for each run, and the long table of all that was measured."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ...errors import UsageError
from ..run.results import Result, asked_for, read_results

__all__ = ["DICE", "HD95", "METRICS", "Metric", "Study", "as_texts", "metrics_in", "number", "read_study", "study_of"]

_RUN = ["name", "bundle", "finished", "error", "fusion", "size", "draw", "seed", "settings", "classes", "recorded"]
_RUN += ["versions", "commit", "seconds", "memory", "epochs", "curve", "densities", "measured", "segmented", "groups"]
_SCORE = ["run", "condition", "case", "class", "metric", "value"]


class Metric(NamedTuple):
    """What is measured of a case and class; ``better`` is 1 when more is better and -1 when less is.

    Example:
        >>> DICE.column, DICE.unit, HD95.better
        ('dice', '%', -1)
    """

    name: str
    title: str
    unit: str
    column: str
    scale: float
    better: int
    decimals: int = 2

    @property
    def points(self) -> str:
        """Unit of a difference."""
        return "points" if self.unit == "%" else self.unit


DICE = Metric("dice", "Dice", "%", "dice", 100, 1)
HD95 = Metric("hd95", "95% Hausdorff distance", "mm", "hd95_mm", 1, -1)
#: the two that are tested, and the same two on the grid that the network saw
METRICS = (
    DICE,
    HD95,
    Metric("grid_dice", "Dice on the network's grid", "%", "grid_dice", 100, 1),
    Metric("grid_hd95", "95% Hausdorff distance on the network's grid", "voxels", "grid_hd95_voxels", 1, -1),
)


class Study(NamedTuple):
    """All that the files of a study hold.

    Args:
        runs: one row for each run, numbered in the order of the files.
        scores: the long table, one row for each run, condition of the test set, test case, class and metric. A
            segmentation has the condition ``"all"``; a classifier has neither cases nor classes.
        problems: a line for each file that cannot be read.
        asked: names of the runs that the study was asked for, as far as that is known.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> study_of(phantom_study(draws=1, cases=1)).scores.iloc[0].to_dict()
        {'run': 0, 'condition': 'all', 'case': 'case_0', 'class': 'Anterior', 'metric': 'dice', 'value': 0.8}
    """

    runs: pd.DataFrame
    scores: pd.DataFrame
    problems: Sequence[str] = ()
    asked: Sequence[str] = ()


def read_study(folder: str | os.PathLike[str]) -> Study:
    """Read all results of a study.

    Args:
        folder: output folder of the study.

    Raises:
        UsageError: there is no such folder.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.run.results import write_result
        >>> folder = tempfile.mkdtemp()
        >>> for result in phantom_study(draws=2):
        ...     _ = write_result(folder, result)
        >>> read_study(folder).runs["fusion"].tolist()
        ['early', 'none', 'early', 'none']
    """
    if not Path(folder).is_dir():
        raise UsageError(f"'folder' must be the output folder of a study, got {folder}: there is no such folder.")
    results, problems = read_results(folder)
    return study_of(
        results, [problem.replace(f"{Path(folder)}{os.sep}", "") for problem in problems], asked_for(folder)
    )


def study_of(results: Iterable[Result], problems: Sequence[str] = (), asked: Sequence[str] = ()) -> Study:
    """Turn results into tables; nothing else of the reports knows what a result looks like.

    Args:
        results: results of the runs.
        problems: a line for each file that cannot be read.
        asked: names of the runs that the study was asked for, as far as that is known.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> study = study_of(phantom_transfer(folds=1))
        >>> study.runs.loc[3, "settings"]
        {'source': 'imagenet', 'artifact': 'photon_noise', 'fraction': 0.5}
        >>> study.scores[study.scores["run"] == 3].groupby("metric")["value"].max().round(3).to_dict()
        {'accuracy': 0.85, 'auc': 0.95, 'calibration_error': 0.05}
    """
    known = list(results)
    runs = pd.DataFrame([_run(result) for result in known], columns=_RUN, dtype=object)
    rows = [(place, *row) for place, result in enumerate(known) for row in _scores(result)]
    scores = pd.DataFrame(rows, columns=_SCORE).astype({"run": int, "value": float})
    return Study(runs, scores, list(problems), list(asked))


def metrics_in(row: Mapping[str, Any]) -> Iterator[tuple[str, Metric, Any]]:
    """Class, metric and value of each column of a test case that is one of ``METRICS``.

    Args:
        row: column -> value, as in ``cases.csv``.

    Example:
        >>> [(label, metric.name, value) for label, metric, value in metrics_in({"case": "la_003", "dice_atrium": 0.9})]
        [('atrium', 'dice', 0.9)]
    """
    for column, value in row.items():
        for metric in METRICS:
            if column.startswith(f"{metric.column}_"):
                yield column.removeprefix(f"{metric.column}_"), metric, value


def number(value: Any) -> float:
    """Finite number of a file, NaN for anything else.

    Args:
        value: content of the file.

    Example:
        >>> number(1), number(None), number("0.5"), number(float("inf"))
        (1.0, nan, nan, nan)
    """
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and math.isfinite(value) else math.nan


def as_texts(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Settings as sorted pairs of texts, by which runs are grouped.

    Args:
        settings: name -> value.

    Example:
        >>> as_texts({"theta": 0.2, "convention": "released"})
        (('convention', 'released'), ('theta', '0.2'))
    """
    return tuple(
        sorted((key, value if isinstance(value, str) else json.dumps(value)) for key, value in settings.items())
    )


def _run(result: Result) -> dict[str, object]:
    settings = dict(result.settings)
    fold, epochs, curve = settings.pop("fold", 0), *map(result.validation.get, ("epochs", "val_mean_dice"))
    last = number(epochs[-1]) if isinstance(epochs, list) and epochs else math.nan
    known = map(number, curve if isinstance(curve, list) else [])
    return {
        "name": result.name,
        "bundle": result.bundle,
        "finished": result.finished,
        "error": result.error,
        "fusion": settings.pop("fusion", "none"),
        "size": settings.pop("train_size", None),
        "draw": settings.pop("draw", fold),
        "seed": settings.pop("seed", 0),
        "settings": settings,
        "classes": [str(name) for name in result.classes.values()],
        "recorded": result.recorded,
        "versions": result.versions,
        "commit": result.git_commit,
        "seconds": result.seconds,
        "memory": result.peak_memory_bytes,
        "epochs": 0 if math.isnan(last) else int(last),
        "curve": [value for value in known if not math.isnan(value)],
        "densities": result.measures.get("densities"),
        "measured": bool(result.measures),
        "segmented": bool(result.cases),
        "groups": number(result.measures.get("overlapping_groups")),
    }


def _scores(result: Result) -> Iterator[tuple[str, str, str, str, float]]:
    for row in result.cases:
        if "case" in row:
            found = [(name, metric.name, number(value)) for name, metric, value in metrics_in(row)]
            for one in found or [("", "", math.nan)]:
                yield "all", str(row["case"]), *one
    conditions = result.measures.get("conditions")
    for condition, figures in conditions.items() if isinstance(conditions, Mapping) and not result.cases else ():
        for metric in ("auc", "accuracy", "calibration_error") if isinstance(figures, Mapping) else ():
            yield str(condition), "", "", metric, number(figures.get(metric))
