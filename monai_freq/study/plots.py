"""Pictures of a study: learning curves, and paired differences with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..figures import legend_above, new_figure, tidy
from ..figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION, WINE
from .cells import DICE, HD95, Cell, Metric
from .comparison import Comparison
from .published import task_of
from .statistics import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["learning_curves", "paired_differences"]

Shared = Sequence[tuple[str, str]]

_COLORS = (BLUE, VERMILLION, BLUISH_GREEN, REDDISH_PURPLE, ORANGE, SKY_BLUE, GREY, WINE)
_MARKERS = "s^Dv<>PX"


class _Style(NamedTuple):
    color: str
    marker: str


def learning_curves(cells: Sequence[Cell], shared: Shared = ()) -> Figure:
    """Dice against the number of training cases, a panel for each task: mean ± SEM over test cases.

    Args:
        cells: of the study.
        shared: overrides that all runs share, which the legend leaves out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> figure = learning_curves(cells_of(phantom_study()))
        >>> figure.axes[0].get_title(), [text.get_text() for text in figure.legends[0].get_texts()]
        ('hippocampus', ['none', 'early'])
    """
    bundles = list(dict.fromkeys(cell.bundle for cell in cells))
    columns = min(3, len(bundles))
    rows = math.ceil(len(bundles) / 3)
    figure = new_figure(0.6 + 3.1 * max(1, columns), 0.4 + 2.6 * max(1, rows))
    styles = _styles([cell.label(shared) for cell in cells])
    panels: Iterable[Axes] = figure.subplots(rows, columns, squeeze=False).flat if bundles else []
    for place, axes in enumerate(panels):
        if place < len(bundles):
            _curves(axes, [cell for cell in cells if cell.bundle == bundles[place]], styles, shared)
        else:
            axes.remove()
    legend_above(figure, [(label, style._asdict()) for label, style in styles.items()])
    return figure


def paired_differences(comparisons: Sequence[Comparison], shared: Shared = ()) -> Figure:
    """Paired difference of every arm to no fusion with its bootstrap 95% interval, a row for each task.

    Marks are filled where a difference is concluded from, as figures are bold in the tables.

    Args:
        comparisons: of the study; those without a test are left out.
        shared: overrides that all runs share, which the legend leaves out.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> from monai_freq.study.comparison import compare
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> figure = paired_differences(compare(cells_of(phantom_study())))
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['Dice, arm − none (points)', '95% Hausdorff distance, arm − none (mm)']
    """
    tested = [comparison for comparison in comparisons if comparison.test]
    bundles = list(dict.fromkeys(comparison.cell.bundle for comparison in tested))
    heights = [len([c for c in tested if c.cell.bundle == bundle and c.metric == DICE]) for bundle in bundles]
    figure = new_figure(9, 0.6 + sum(0.6 + 0.24 * height for height in heights))
    styles = _styles(["none", *(comparison.cell.label(shared) for comparison in tested)])
    del styles["none"]
    ratios = [1.2 + height for height in heights]
    panels: Sequence[Sequence[Axes]] = (
        figure.subplots(len(bundles), 2, squeeze=False, height_ratios=ratios).tolist() if bundles else []
    )
    for row in panels[1:]:
        row[0].sharex(panels[0][0])  # points of Dice are the same everywhere, millimetres are not
    for bundle, row in zip(bundles, panels, strict=True):
        for axes, metric in zip(row, (DICE, HD95), strict=True):
            chosen = [c for c in tested if c.cell.bundle == bundle and c.metric == metric]
            _differences(axes, chosen, metric, styles, shared)
        row[0].set_ylabel(_title(bundle))
    for axes, metric in zip(panels[-1] if bundles else (), (DICE, HD95), strict=False):
        axes.set_xlabel(f"{metric.title}, arm − none ({'points' if metric.unit == '%' else metric.unit})")
    legend_above(figure, [(label, style._asdict()) for label, style in styles.items()])
    return figure


def _curves(axes: Axes, cells: Sequence[Cell], styles: dict[str, _Style], shared: Shared) -> None:
    sizes = list(dict.fromkeys(cell.size_text for cell in sorted(cells, key=lambda cell: cell.size or math.inf)))
    labels = list(dict.fromkeys(cell.label(shared) for cell in cells))
    step = min(0.07, 0.4 / len(labels))
    for place, label in enumerate(labels):
        own = [cell for cell in cells if cell.label(shared) == label]
        found = {cell.size_text: spread(cell.scores(DICE).by_draw()) for cell in own}
        across = [sizes.index(size) + step * (place - (len(labels) - 1) / 2) for size in found]
        mean = [one.mean for one in found.values()]
        sem = np.nan_to_num([one.sem for one in found.values()])
        color, marker = styles[label]
        axes.errorbar(across, mean, sem, color=color, marker=marker, markersize=5, capsize=2.5, linewidth=1.4)
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set(title=_title(cells[0].bundle), xlabel="training cases", ylabel="Dice (%)", xlim=(-0.5, len(sizes) - 0.5))
    tidy(axes)


def _differences(
    axes: Axes, comparisons: Sequence[Comparison], metric: Metric, styles: dict[str, _Style], shared: Shared
) -> None:
    sizes = list(dict.fromkeys(comparison.cell.size_text for comparison in comparisons))
    rows: dict[str, list[int]] = {size: [] for size in sizes}
    for place, comparison in enumerate(comparisons):
        rows[comparison.cell.size_text].append(place)
        style, test = styles[comparison.cell.label(shared)], comparison.test
        middle = test.difference if test else math.nan
        low, high = np.nan_to_num(comparison.interval, nan=middle)
        face = style.color if comparison.concluded else "white"
        axes.plot([low, high], [place, place], color=style.color, linewidth=1.6)
        axes.plot(middle, place, color=style.color, marker=style.marker, markersize=6, markerfacecolor=face)
    axes.axvline(0, color="0.35", linewidth=1, zorder=0)
    for ends in list(rows.values())[1:]:
        axes.axhline(ends[0] - 0.5, color="0.9", linewidth=0.8)
    axes.set_yticks([sum(places) / len(places) for places in rows.values()], [f"n = {size}" for size in sizes])
    axes.set_ylim(len(comparisons) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _styles(labels: Sequence[str]) -> dict[str, _Style]:
    """The baseline black and round, the others in turn."""
    others = [label for label in dict.fromkeys(labels) if label.split(" ")[0] != "none"]
    styles = {label: _Style("black", "o") for label in dict.fromkeys(labels) if label not in others}
    turns = (_Style(_COLORS[n % len(_COLORS)], _MARKERS[n % len(_MARKERS)]) for n in range(len(others)))
    return styles | dict(zip(others, turns, strict=True))


def _title(bundle: str) -> str:
    return task_of(bundle).replace("_", " ")
