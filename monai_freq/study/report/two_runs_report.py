"""What the comparison of two runs shows, and what it cannot show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...documents import Block, Heading, Notes, Paragraph, Picture, Table, write_document
from ...documents.texts import as_csv, counted, p_value, plain, signed
from ...figures import legend_above, literal, new_figure, tidy
from ...figures.palette import BLUE, VERMILLION
from .how_to_read import how_to_read
from .long_table import DICE, HD95
from .two_runs import TwoRuns, compare_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["two_runs_document", "write_comparison"]

#: most cases that are listed, that are shown, and that are named in a figure
_LISTED, _SHOWN, _NAMED = 10, 3, 40
#: most characters of a run's name in a title; those of a study tell all settings
_NAME = 40
#: fewest cases whose interval covers about what it says
_FEW = 8
_ALPHA = 0.05
_METRICS = {DICE.name: DICE.title, HD95.name: HD95.title, "auc": "AUC", "accuracy": "accuracy"}
_CONDITIONS = {"all": "", "clean": "clean test images", "iid": "I.I.D.", "ood": "O.O.D."}
_PAIRS, _PICTURES = "cases", "pictures"


def write_comparison(
    a: str | os.PathLike[str], b: str | os.PathLike[str], output_dir: str | os.PathLike[str]
) -> list[Path]:
    r"""Compare two evaluated runs: ``report.html``, ``report.md``, ``differences.csv``, ``cases.csv`` and figures.

    Args:
        a: folder of the first run.
        b: folder of the second run.
        output_dir: folder to write to.

    Returns:
        The files, ``report.html`` first.

    Raises:
        UsageError: a folder is missing or holds no evaluation, or the two have other test cases or classes.

    Example:
        >>> import tempfile
        >>> folders = [Path(tempfile.mkdtemp(), name) for name in ("none", "early")]
        >>> for folder, dice in zip(folders, (0.5, 0.6), strict=True):
        ...     (folder / "eval").mkdir(parents=True)
        ...     _ = (folder / "eval" / "cases.csv").write_text(f"case,dice_atrium\nla_003,{dice}\nla_007,0.7\n")
        >>> files = write_comparison(*folders, tempfile.mkdtemp())
        >>> [path.name for path in files if path.suffix != ".svg"]
        ['report.html', 'report.md', 'differences.csv', 'cases.csv', 'cases.png']
    """
    found = compare_runs(a, b)
    figures = {_PAIRS: _pairs(found)}
    if pictures := _pictures(found):
        figures[_PICTURES] = pictures
    tables = {"differences": found.differences, "cases": found.values}
    texts = {name: as_csv(table.columns, table.itertuples(index=False)) for name, table in tables.items()}
    return write_document(output_dir, list(two_runs_document(found, pictures is not None)), figures, texts)


def two_runs_document(found: TwoRuns, pictures: bool) -> Iterator[Block]:
    """Everything that the comparison says, in its order.

    Args:
        found: the two runs.
        pictures: whether both runs have pictures of their cases.

    Example:
        >>> from monai_freq.study.report.two_runs import Side
        >>> sides = [Side(Path("runs", name), Path("eval"), {}) for name in ("none", "early")]
        >>> value = {"condition": "all", "case": "la_003", "class": "atrium", "metric": "dice", "A": 80.0, "B": 82.0}
        >>> line = {"condition": "all", "class": "atrium", "metric": "dice", "unit": "%", "A": 80.0, "B": 82.0}
        >>> line |= {"difference": 2.0, "low": 1.0, "high": 3.0, "p": 0.01, "cases": 9, "higher": 8}
        >>> runs = TwoRuns(*sides, pd.DataFrame([value]), pd.DataFrame([line]), classification=False)
        >>> print([block.text for block in two_runs_document(runs, pictures=False) if hasattr(block, "text")][1])
        B minus A on 9 test cases: Dice +2.00 points (95% interval +1.00 to +3.00, p = 0.010). ...
    """
    short = max(map(len, found.names)) <= _NAME
    yield Heading(f"{found.names[0]} and {found.names[1]}" if short else "Two runs on the same test cases")
    yield Paragraph(_summary(found))
    yield Notes(list(_warnings(found)), warning=True)
    folders = [f"{letter}: {side.folder}" for letter, side in (("A", found.a), ("B", found.b))]
    yield Notes(
        [*folders, *(f"{key}: {found.a.settings[key]} in A, {found.b.settings[key]} in B" for key in found.changed)]
    )
    yield Heading("Differences")
    yield _table(found)
    yield Picture(
        _PAIRS, "Each case in both runs", "Each case in A and in B, joined by a line, sorted by the difference."
    )
    yield Heading("What differs most")
    yield _cases_table(found)
    if pictures:
        caption = (
            "Image, reference and segmentation of the cases whose Dice differs most: A on the left, B on the right."
        )
        yield Picture(_PICTURES, "Cases that differ most", caption)
    elif not found.classification:
        yield Paragraph("Not both folders hold pictures of these cases: evaluate.json draws them with --pictures True.")
    yield from how_to_read("two_runs", cases=_FEW)


def _summary(found: TwoRuns) -> str:
    """Difference of each metric, of all classes together, and what can be told from it."""
    head = [row for _, row in _corrected(found).groupby(["condition", "metric"], sort=False).head(1).iterrows()]
    parts = []
    for row in head:
        unit = {"%": " points", "": ""}.get(row["unit"], f" {row['unit']}")
        difference, low, high = _signed(row, "difference", "low", "high")
        p = "" if np.isnan(row["p"]) else f", p = {p_value(row['p'])}".replace("= <", "< ")
        parts.append(f"{_title(row)} {difference}{unit} (95% interval {low} to {high}{p})")
    count = counted(
        max((row["cases"] for row in head), default=0), f"test {'sample' if found.classification else 'case'}"
    )
    told = [_title(row) for row in head if _told(row)]
    verdict = f"differ in {', '.join(told)}" if told else "show no difference that can be told from chance"
    return f"B minus A on {count}: {'; '.join(parts)}. On these cases, the two networks {verdict}."


def _warnings(found: TwoRuns) -> Iterator[str]:
    yield (
        "One training each: how much another training with the same settings would differ is neither in the interval "
        "nor in p. That one setting is better than another takes several draws or seeds of both: a study."
    )
    few = int(found.differences["cases"].min()) if len(found.differences) else 0
    if few < _FEW:
        yield f"Few test cases: {few}. The interval covers less than 95%, and p assumes a normal distribution."
    data = [key for key in ("dataset_dir", "phantom", "split_seed", "folds") if key in found.changed]
    if data:
        yield (
            f"The trainings have recorded other data ({', '.join(data)}): cases of one name may be other images, and a "
            "test case of one run may have been a training case of the other."
        )


def _corrected(found: TwoRuns) -> pd.DataFrame:
    """Differences in the image's own space, with the p-value after Bonferroni's correction over them."""
    shown = found.differences[found.differences["metric"].isin(_METRICS)]
    return shown.assign(corrected=(shown["p"] * shown["p"].notna().sum()).clip(upper=1))


def _told(row: pd.Series) -> bool:
    """Whether a difference is significant after the correction; of an AUC, whether the interval leaves out 0."""
    return bool(row["low"] > 0 or row["high"] < 0 if np.isnan(row["p"]) else row["corrected"] < _ALPHA)


def _title(row: pd.Series) -> str:
    """Metric and condition in words."""
    where = _CONDITIONS.get(row["condition"], row["condition"])
    return f"{_METRICS[row['metric']]} ({where})" if where else _METRICS[row["metric"]]


def _signed(row: pd.Series, *names: str) -> list[str]:
    return [signed(row[name], 2 if row["unit"] else 3) for name in names]


def _table(found: TwoRuns) -> Table:
    rows = []
    for _, row in _corrected(found).iterrows():
        means = [plain(row[side], 2 if row["unit"] else 3) for side in ("A", "B")]
        difference, low, high = _signed(row, "difference", "low", "high")
        tests = [p_value(row["p"]), p_value(row["corrected"]), f"{row['higher']} of {row['cases']}"]
        title = f"{_title(row)} ({row['unit']})" if row["unit"] else _title(row)
        rows.append([title, row["class"] or "all", *means, difference, f"{low} to {high}", *tests])
    header = ["metric", "class", "A", "B", "B − A", "95% interval", "p", "p × tests", "higher in B"]
    return Table(header, rows, groups=1, texts=2)


def _cases_table(found: TwoRuns) -> Table:
    title, decimals = _measure(found)
    rows = []
    for case, row in _by_case(found).head(_LISTED).iterrows():
        figures = [plain(row["A"], decimals), plain(row["B"], decimals), signed(row["B"] - row["A"], decimals)]
        rows.append([str(case), *figures])
    return Table(["case", f"A: {title}", f"B: {title}", "B − A"], rows)


def _measure(found: TwoRuns) -> tuple[str, int]:
    """What cases are sorted by, and its decimals."""
    return ("probability of its class", 3) if found.classification else ("Dice (%)", DICE.decimals)


def _by_case(found: TwoRuns) -> pd.DataFrame:
    """Both values of each case, the mean of its classes; those that differ most first."""
    own = found.values[found.values["metric"] == ("own" if found.classification else DICE.name)]
    if own["condition"].nunique() > 1:
        own = own.assign(case=own["case"] + " (" + own["condition"].map(lambda one: _CONDITIONS.get(one, one)) + ")")
    cases = own.groupby("case", sort=False)[["A", "B"]].mean()
    return cases.loc[(cases["B"] - cases["A"]).abs().sort_values(ascending=False, kind="stable").index]


def _pairs(found: TwoRuns) -> Figure:
    """Both values of each case, joined by a line, in the order of their differences."""
    cases = _by_case(found)
    cases = cases.loc[(cases["B"] - cases["A"]).sort_values(kind="stable").index]
    figure = new_figure(max(5.2, min(11, 1.6 + 0.22 * len(cases))), 3.2)
    axes = figure.subplots()
    places = range(len(cases))
    axes.vlines(places, cases["A"], cases["B"], color="0.6", linewidth=1)
    looks: dict[str, dict[str, Any]] = {"A": {"color": BLUE, "marker": "o"}, "B": {"color": VERMILLION, "marker": "s"}}
    for side, look in looks.items():
        axes.plot(places, cases[side], **look, linestyle="", markersize=4.5)
    names = [literal(str(case)) for case in cases.index] if len(cases) <= _NAMED else []
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set(ylabel=_measure(found)[0], xlabel="" if names else f"{len(cases)} cases")
    tidy(axes)
    entries = [(f"{side}: {name}", name, looks[side]) for side, name in zip(looks, found.names, strict=True)]
    shown = [(text if len(name) <= _NAME else text[0], {**look, "linestyle": ""}) for text, name, look in entries]
    legend_above(figure, shown)
    return figure


def _pictures(found: TwoRuns) -> Figure | None:
    """Pictures that the evaluations have drawn of the cases that differ most, where both have them."""
    from PIL import Image

    cases, rows = _by_case(found), []
    for case in map(str, cases.index[:_SHOWN]):
        files = [side.evaluation / "pictures" / f"{case}.png" for side in (found.a, found.b)]
        if all(file.is_file() for file in files):
            rows.append((case, [np.asarray(Image.open(file).convert("RGB")) for file in files]))
    if not rows:
        return None
    ratios = [max(pixels.shape[0] / pixels.shape[1] for pixels in pair) for _, pair in rows]
    figure = new_figure(9.6, sum(0.35 + 4.6 * ratio for ratio in ratios))
    panels = figure.subplots(len(rows), 2, squeeze=False, height_ratios=ratios)
    for row, (case, pair) in zip(panels, rows, strict=True):
        for axes, pixels, side in zip(row, pair, ("A", "B"), strict=True):
            axes.imshow(pixels, interpolation="antialiased")
            axes.set_axis_off()
            axes.set_title(literal(f"{side}: {case}, Dice {cases.loc[case, side]:.1f}%"), fontsize="medium")
    return figure
