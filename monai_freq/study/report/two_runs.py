"""Two evaluated runs on the same test cases, paired case by case."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from ...data.tables import read_rows
from ...errors import UsageError
from ...json_files import read_json
from ...places import evaluation_of
from ...quoting import named, reason_of
from ..run.evaluations import read_cases
from .long_table import METRICS, metrics_in
from .statistics import bootstrap_interval, paired_test

__all__ = ["Side", "TwoRuns", "compare_runs"]

Array = NDArray[np.float64]

_RESAMPLES = 2000
_DIFFERENCE = ["condition", "class", "metric", "unit", "A", "B", "difference", "low", "high", "p", "cases", "higher"]


class Side(NamedTuple):
    """One of the two runs.

    Example:
        >>> Side(Path("runs/early"), Path("runs/early/eval"), {"fusion": "early"}).settings["fusion"]
        'early'
    """

    folder: Path
    evaluation: Path
    settings: Mapping[str, Any]


class TwoRuns(NamedTuple):
    """Two runs, A and B, and their differences, B minus A.

    Args:
        a: the first run.
        b: the second run.
        values: long table, one row for each condition of the test set, test case, class and metric, with a column for
            each run. Of a classification, the metric is the probability of the sample's own class.
        differences: one row for each condition, class and metric: both means, the mean difference, its bootstrap 95%
            interval, the p-value, the number of cases, and that of the cases with a higher value in B.
        classification: whether the runs are of classifiers.

    Example:
        >>> a, b = (Side(Path("runs", name), Path("eval"), {"fusion": name}) for name in ("none", "early"))
        >>> found = TwoRuns(a, b, pd.DataFrame(), pd.DataFrame(), classification=False)
        >>> found.names, found.changed
        (('none', 'early'), ['fusion'])
    """

    a: Side
    b: Side
    values: pd.DataFrame
    differences: pd.DataFrame
    classification: bool

    @property
    def names(self) -> tuple[str, str]:
        """Shortest ends of the two folders' paths that differ."""
        parts = [one.folder.resolve().parts for one in (self.a, self.b)]
        length = next(n for n in range(1, 1 + max(map(len, parts))) if parts[0][-n:] != parts[1][-n:])
        first, second = ("/".join(one[-length:]) for one in parts)
        return first, second

    @property
    def changed(self) -> list[str]:
        """Settings that the two trainings have recorded differently."""
        keys = sorted(self.a.settings.keys() & self.b.settings.keys())
        return [key for key in keys if self.a.settings[key] != self.b.settings[key]]


def compare_runs(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> TwoRuns:
    """Pair two evaluated runs of bundles, by test case or by sample.

    Segmentations are compared by a paired t-test and a bootstrap interval over cases. AUCs of classifications have a
    paired bootstrap over samples, within each class, and accuracies the exact test of McNemar.

    Args:
        a: folder of the first run, which ``evaluate.json`` of its bundle has evaluated.
        b: folder of the second run.

    Raises:
        UsageError: a folder is missing or holds no evaluation, or the two have other test cases or classes.

    Reference:
        Student 1908, https://doi.org/10.1093/biomet/6.1.1; McNemar 1947, https://doi.org/10.1007/BF02295996.

    Example:
        >>> import tempfile
        >>> folders = [Path(tempfile.mkdtemp(), name) for name in ("none", "early")]
        >>> for folder, gain in zip(folders, (0, 0.1), strict=True):
        ...     (folder / "eval").mkdir(parents=True)
        ...     rows = [f"la_00{case},{0.5 + 0.02 * case + gain * (1 + 0.1 * case)}" for case in range(3)]
        ...     _ = (folder / "eval" / "cases.csv").write_text("\\n".join(["case,dice_atrium", *rows]) + "\\n")
        >>> found = compare_runs(*folders)
        >>> found.differences[["class", "metric", "A", "B", "difference"]].round(2).to_dict("records")
        [{'class': 'atrium', 'metric': 'dice', 'A': 52.0, 'B': 63.0, 'difference': 11.0}]
    """
    sides = _side(Path(a)), _side(Path(b))
    if sides[0].folder.resolve() == sides[1].folder.resolve():
        raise UsageError(f"{named(a)} is given twice.\nGive the folders of two runs.")
    kinds = [(side.evaluation / "cases.csv").is_file() for side in sides]
    if kinds[0] != kinds[1]:
        other = sides[kinds[0]].folder
        raise UsageError(
            f"{named(other)} holds a classification, the other run a segmentation.\nGive two runs of a kind."
        )
    tables = [_cases(side) if kinds[0] else _samples(side) for side in sides]
    for side, table in zip(sides, tables, strict=True):
        if table.empty:
            raise UsageError(
                f"The evaluation of {named(side.folder)} has no metric of any test case.\nEvaluate it again."
            )
    _require_same(sides, tables, ["condition", "case"], "test cases", "the same data, split_seed and numbers of cases")
    _require_same(sides, tables, ["class", "metric"], "classes", "the same classes")
    if not kinds[0]:
        _require_same(sides, tables, ["case", "metric", "value"], "labels", "the same labels", metric="label")
    keys = ["condition", "case", "class", "metric"]
    values = tables[0].merge(tables[1], on=keys, suffixes=("_a", "_b"))
    values = values.rename(columns={"value_a": "A", "value_b": "B"})
    rows = list(_segmentations(values) if kinds[0] else _classifications(values))
    return TwoRuns(*sides, values, pd.DataFrame(rows, columns=_DIFFERENCE), not kinds[0])


def _side(folder: Path) -> Side:
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {named(folder)}.\n"
            "Give the folder of a run that its bundle has trained and evaluated, as bundles/heart_fd/runs/early."
        )
    evaluation = evaluation_of(folder)
    if not any((evaluation / name).is_file() for name in ("cases.csv", "scores.csv")):
        raise UsageError(
            f"{named(folder)} has not been evaluated: {evaluation.name} has neither cases.csv nor scores.csv.\n"
            f"Run evaluate.json of its bundle with --output_dir {named(folder)}, and compare again."
        )
    record = folder / "settings.json"
    try:
        settings = read_json(record) if record.is_file() else {}
    except ValueError as error:
        raise UsageError(f"{named(record)} cannot be read: {reason_of(error)}.") from error
    return Side(folder, evaluation, settings if isinstance(settings, Mapping) else {})


def _cases(side: Side) -> pd.DataFrame:
    try:
        found = read_cases(side.evaluation / "cases.csv")
    except ValueError as error:
        raise UsageError(str(error)) from error
    rows = [
        ("all", row["case"], label, metric.name, metric.scale * value)
        for row in found
        for label, metric, value in metrics_in(row)
    ]
    return pd.DataFrame(rows, columns=["condition", "case", "class", "metric", "value"])


def _samples(side: Side) -> pd.DataFrame:
    """Probability of each class, and whether the most probable one is the sample's own."""
    rows: list[tuple[str, str, str, str, float]] = []
    for row in read_rows(side.evaluation / "scores.csv", ["condition", "sample", "label"]):
        known = {key: row.number(key, 0, 1) for key in row.cells if key.startswith("score_")}
        scores = {key.removeprefix("score_"): value for key, value in known.items()}
        if "predicted" in row.cells:  # of more classes than have a column each
            label = row.integer("label", 0)
            right, own = row.integer("predicted", 0) == label, scores["label"]
        else:
            label = row.integer("label", 0, len(scores) - 1)
            right, own = max(scores, key=scores.__getitem__) == [*scores][label], [*scores.values()][label]
            place = row.text("condition"), row.text("sample")
            rows += [(*place, name, "score", value) for name, value in scores.items()]
        rows += [
            (row.text("condition"), row.text("sample"), "", metric, float(value))
            for metric, value in (("label", label), ("right", right), ("own", own))
        ]
    found = pd.DataFrame(rows, columns=["condition", "case", "class", "metric", "value"])
    if found.duplicated(["condition", "case", "class", "metric"]).any():
        raise UsageError(f"{named(side.evaluation / 'scores.csv')} has a sample twice.\nEvaluate the run again.")
    return found


def _require_same(
    sides: Sequence[Side],
    tables: Sequence[pd.DataFrame],
    columns: list[str],
    what: str,
    remedy: str,
    metric: str | None = None,
) -> None:
    chosen = [table[table["metric"] == metric] if metric else table for table in tables]
    first, second = (set(table[columns].itertuples(index=False, name=None)) for table in chosen)
    if first != second:
        lacking, other = (0, second - first) if second - first else (1, first - second)
        example = " ".join(str(part) for part in min(other) if part not in ("all", ""))
        raise UsageError(
            f"{named(sides[0].folder)} and {named(sides[1].folder)} have other {what}: {named(sides[lacking].folder)} "
            f"lacks {example}.\nEvaluate both with {remedy}, and compare again."
        )


def _segmentations(values: pd.DataFrame) -> Iterator[list[object]]:
    for metric in METRICS:
        own = values[values["metric"] == metric.name]
        classes = list(dict.fromkeys(own["class"]))
        tables = {side: own.pivot(index="case", columns="class", values=side) for side in ("A", "B")}
        for label in [*(["all"] if len(classes) > 1 else []), *classes]:
            names = classes if label == "all" else [label]
            first, second = (tables[side][names].mean(axis=1, skipna=False).to_numpy() for side in ("A", "B"))
            known = ~np.isnan(second - first)
            if known.any():
                first, second = first[known], second[known]
                test, ends = paired_test(second[None], first[None]), bootstrap_interval(second - first)
                means = [first.mean(), second.mean(), test.difference, *ends, test.p_cases]
                yield ["all", label, metric.name, metric.unit, *means, test.cases, int((second > first).sum())]


def _classifications(values: pd.DataFrame) -> Iterator[list[object]]:
    for condition in dict.fromkeys(values["condition"]):
        own = values[values["condition"] == condition]
        at = {metric: own[own["metric"] == metric].set_index("case") for metric in ("label", "right", "own")}
        labels, right = at["label"]["A"].to_numpy(dtype=int), at["right"][["A", "B"]].to_numpy()
        higher = int((at["own"]["B"] > at["own"]["A"]).sum())
        scores = own[own["metric"] == "score"].pivot(index="case", columns="class", values=["A", "B"])
        names = list(dict.fromkeys(own.loc[own["metric"] == "score", "class"]))
        if names:
            both = [scores[side][names].loc[at["label"].index].to_numpy() for side in ("A", "B")]
            yield [condition, "", "auc", "", *_auc_difference(both[0], both[1], labels), np.nan, len(labels), higher]
        gained = int((right[:, 1] > right[:, 0]).sum())
        changed = int((right[:, 1] != right[:, 0]).sum())
        p = float(binomtest(gained, changed).pvalue) if changed else 1.0
        difference = right[:, 1] - right[:, 0]
        means = [*right.mean(0), difference.mean(), *bootstrap_interval(difference, resamples=_RESAMPLES)]
        yield [condition, "", "accuracy", "", *means, p, len(labels), gained]


def _auc_difference(first: Array, second: Array, labels: NDArray[np.int_]) -> list[float]:
    """AUC of each, their difference, and its interval: samples are drawn anew within each class, alike for both."""
    rng = np.random.default_rng(0)
    drawn = np.empty((_RESAMPLES, len(labels)), dtype=int)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        drawn[:, own] = rng.choice(own, (_RESAMPLES, len(own)))
    a, b = (float(_auc(scores[None], labels[None])[0]) for scores in (first, second))
    parts = np.array_split(drawn, 20)  # so that not all of them are in memory
    many_a, many_b = (np.concatenate([_auc(one[rows], labels[rows]) for rows in parts]) for one in (first, second))
    low, high = np.quantile(many_b - many_a, [0.025, 0.975])
    return [a, b, b - a, float(low), float(high)]


def _auc(scores: Array, labels: NDArray[np.int_]) -> Array:
    """AUC of each row of samples, ``(R, N, K)``: of the second of two classes, or the mean of each against the rest."""
    areas = []
    for number in [1] if scores.shape[2] == 2 else range(scores.shape[2]):
        positive = labels == number
        count = positive.sum(1)
        if 0 < count[0] < labels.shape[1]:
            ranks = np.where(positive, rankdata(scores[..., number], axis=1), 0).sum(1)
            areas.append((ranks - count * (count + 1) / 2) / (count * (labels.shape[1] - count)))
    return np.mean(areas, axis=0) if areas else np.full(len(labels), np.nan)
