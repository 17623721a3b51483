"""Figures of a segmentation study: learning curves, and paired differences with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...figures import legend_above, new_figure, tidy
from ...figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION, WINE
from .comparison import Comparison
from .conditions import Condition
from .long_table import DICE, HD95
from .statistics import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["segmentation_figures"]

Looks = dict[str, dict[str, Any]]

_COLORS = (BLUE, VERMILLION, BLUISH_GREEN, REDDISH_PURPLE, ORANGE, SKY_BLUE, GREY, WINE)
_MARKERS = "s^Dv<>PX"


def segmentation_figures(conditions: Sequence[Condition], comparisons: Sequence[Comparison]) -> dict[str, Figure]:
    """Figures of a study.

    ``learning_curves``: Dice against the number of training cases, a panel for each task: mean ± SEM over test cases.
    ``differences``: paired difference of every arm to no fusion with its bootstrap 95% interval, a row for each task.
    Marks are filled where a difference is concluded from, as figures are bold in the tables.

    Args:
        conditions: conditions of the study.
        comparisons: comparisons of the study; the ones without a test are left out.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.comparison import compare
        >>> from monai_freq.study.report.conditions import conditions_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> conditions = conditions_of(study_of(phantom_study()))
        >>> figures = segmentation_figures(conditions, compare(conditions))
        >>> [axes.get_title() for axes in figures["learning_curves"].axes]
        ['hippocampus']
        >>> [axes.get_xlabel() for axes in figures["differences"].axes]
        ['Dice, arm − none (points)', '95% Hausdorff distance, arm − none (mm)']
    """
    return {"learning_curves": _learning_curves(conditions), "differences": _paired_differences(comparisons)}


def _learning_curves(conditions: Sequence[Condition]) -> Figure:
    bundles = list(dict.fromkeys(one.bundle for one in conditions))
    columns, rows = min(3, len(bundles)), math.ceil(len(bundles) / 3)
    figure = new_figure(0.6 + 3.1 * max(1, columns), 0.4 + 2.6 * max(1, rows))
    looks = _looks([one.label for one in conditions])
    panels = list(figure.subplots(rows, columns, squeeze=False).flat) if bundles else []
    for bundle, axes in zip(bundles, panels, strict=False):
        _curves(axes, [one for one in conditions if one.bundle == bundle], looks)
    for axes in panels[len(bundles) :]:
        axes.remove()
    legend_above(figure, list(looks.items()))
    return figure


def _paired_differences(comparisons: Sequence[Comparison]) -> Figure:
    tested: dict[str, list[Comparison]] = {}
    for one in comparisons:
        if one.test:
            tested.setdefault(one.condition.bundle, []).append(one)
    heights = [sum(one.metric == DICE for one in own) for own in tested.values()]
    figure = new_figure(9, 0.6 + sum(0.6 + 0.24 * height for height in heights))
    if not tested:
        return figure
    looks = _looks([one.condition.label for own in tested.values() for one in own])
    panels = figure.subplots(len(tested), 2, squeeze=False, height_ratios=[1.2 + height for height in heights])
    for row, own in zip(panels, tested.values(), strict=True):
        row[0].sharex(panels[0, 0])  # points of Dice are the same everywhere, millimetres are not
        row[0].set_ylabel(own[0].condition.title)
        for axes, metric in zip(row, (DICE, HD95), strict=True):
            _differences(axes, [one for one in own if one.metric == metric], looks)
    for axes, metric in zip(panels[-1], (DICE, HD95), strict=True):
        axes.set_xlabel(f"{metric.title}, arm − none ({metric.points})")
    legend_above(figure, list(looks.items()))
    return figure


def _curves(axes: Axes, conditions: Sequence[Condition], looks: Looks) -> None:
    ordered = sorted(conditions, key=lambda one: one.size or math.inf)
    sizes, labels = list(dict.fromkeys(o.size_text for o in ordered)), list(dict.fromkeys(o.label for o in conditions))
    step = min(0.07, 0.4 / len(labels))
    for place, label in enumerate(labels):
        own = [one for one in conditions if one.label == label]
        found = [spread(one.scores(DICE).by_draw()) for one in own]
        across = [sizes.index(one.size_text) + step * (place - (len(labels) - 1) / 2) for one in own]
        sem = np.nan_to_num([one.sem for one in found])
        axes.errorbar(
            across, [one.mean for one in found], sem, **looks[label], markersize=5, capsize=2.5, linewidth=1.4
        )
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set(title=conditions[0].title, xlabel="training cases", ylabel="Dice (%)", xlim=(-0.5, len(sizes) - 0.5))
    tidy(axes)


def _differences(axes: Axes, comparisons: Sequence[Comparison], looks: Looks) -> None:
    rows: dict[str, list[int]] = {}
    for place, one in enumerate(comparisons):
        rows.setdefault(f"n = {one.condition.size_text}", []).append(place)
        look, middle = looks[one.condition.label], one.test.difference if one.test else math.nan
        ends = np.nan_to_num(one.interval, nan=middle)
        axes.plot(ends, [place, place], color=look["color"], linewidth=1.6)
        axes.plot(middle, place, **look, markersize=6, markerfacecolor=look["color"] if one.concluded else "white")
    axes.axvline(0, color="0.35", linewidth=1, zorder=0)
    for places in list(rows.values())[1:]:
        axes.axhline(places[0] - 0.5, color="0.9", linewidth=0.8)
    axes.set_yticks([sum(places) / len(places) for places in rows.values()], list(rows))
    axes.set_ylim(len(comparisons) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _looks(labels: Sequence[str]) -> Looks:
    """Colour and mark of each label: the baseline black and round, the others in turn."""
    known = list(dict.fromkeys(labels))
    others = [label for label in known if label.split(" ")[0] != "none"]
    turns = {label: (_COLORS[n % len(_COLORS)], _MARKERS[n % len(_MARKERS)]) for n, label in enumerate(others)}
    chosen = {label: turns.get(label, ("black", "o")) for label in known}
    return {label: {"color": color, "marker": marker} for label, (color, marker) in chosen.items()}
