"""Pictures of what the data show: mean spectra, and how well a spectrum tells labels and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...figures import legend_above, literal, new_figure, tidy
from ...figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION, WINE
from .cell_figures import WIDTH, frequency_axis, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_intervals", "draw_leaks", "draw_spectra", "name_of", "plot_spectra"]

Record = Mapping[str, Any]

_COLORS = (BLUE, VERMILLION, BLUISH_GREEN, REDDISH_PURPLE, ORANGE, SKY_BLUE, WINE, GREY)
_LINES = ("-", "--", ":", "-.")
_MOST = 8  # most curves of labels in groups
_BAND = ("mean", "low", "high")


def name_of(leak: Record) -> str:
    """What a leak is of, in words.

    Args:
        leak: a leak, as in ``audit.json``.

    Example:
        >>> name_of({"of": "label", "within": "group"}), name_of({"of": "group", "within": None})
        ('label, within each group', 'group')
    """
    return f"{leak['of']}, within each {leak['within']}" if leak["within"] else str(leak["of"])


def draw_leaks(leaks: Sequence[Record]) -> Figure:
    """AUC of each leak with its interval, beside chance and the smallest AUC that would have been found.

    Args:
        leaks: leaks, as in ``audit.json``.

    Example:
        >>> leak = {"of": "label", "within": None, "auc": 0.8, "low": 0.7, "high": 0.9, "smallest_auc": 0.6}
        >>> [text.get_text() for text in draw_leaks([leak]).axes[0].get_yticklabels()]
        ['label']
    """
    rows = [(name_of(leak), leak["auc"], leak["low"], leak["high"]) for leak in leaks]
    figure = draw_intervals(rows, "AUC of the spectrum alone", chance=0.5)
    axes = figure.axes[0]
    for place, leak in enumerate(leaks):
        axes.plot([number(leak["smallest_auc"])] * 2, [place - 0.28, place + 0.28], color=VERMILLION, linewidth=2)
    axes.set_xlim(min(0.4, axes.get_xlim()[0]), 1.01)
    legend_above(
        figure,
        [
            ("AUC, 95% interval", {"color": BLUE, "marker": "o"}),
            ("smallest that would be found", {"color": VERMILLION, "marker": "|", "linestyle": ""}),
        ],
    )
    return figure


def draw_intervals(rows: Sequence[tuple[str, Any, Any, Any]], label: str, chance: float) -> Figure:
    """Values with their intervals, one below the other.

    Args:
        rows: name, value, and both ends of the interval.
        label: what the values are.
        chance: value that says nothing.

    Example:
        >>> figure = draw_intervals([("leaking band", 0.6, 0.5, 0.7)], "effect", chance=0)
        >>> figure.axes[0].get_xlabel()
        'effect'
    """
    figure = new_figure(WIDTH, 0.95 + 0.42 * len(rows))
    axes = figure.subplots()
    for place, (_, value, low, high) in enumerate(rows):
        axes.plot([number(low), number(high)], [place, place], color=BLUE, linewidth=2)
        axes.plot(number(value), place, "o", color=BLUE, markersize=7)
    axes.axvline(chance, color="0.4", linewidth=1)
    axes.set_yticks(range(len(rows)), [literal(name) for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(label)
    tidy(axes)
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    return figure


def draw_spectra(spectra: Sequence[Record], unit: str, *, relative: bool) -> Figure:
    """Mean spectra of each label and group with their intervals, or their differences from the mean of all of them.

    Args:
        spectra: mean spectra, as in ``audit.json``.
        unit: unit of the frequencies.
        relative: whether the differences are drawn.

    Example:
        >>> spectrum = {"label": "a", "group": None, "n_cases": 4, "n_patients": 4, "frequencies": [0.1, 0.2]}
        >>> spectrum |= {"mean": [1.0, 0.0], "low": [0.9, -0.1], "high": [1.1, 0.1]}
        >>> draw_spectra([spectrum], "cycles per voxel", relative=False).axes[0].get_ylabel()
        'log10 power density'
    """
    figure = new_figure(WIDTH, 3.4)
    legend_above(figure, plot_spectra(figure.subplots(), spectra, unit, relative=relative))
    return figure


def plot_spectra(
    axes: Axes, spectra: Sequence[Record], unit: str, *, relative: bool
) -> list[tuple[str, dict[str, Any]]]:
    """Plot mean spectra of each label in each group into a panel; of each label alone, if these are too many.

    Args:
        axes: axes of the panel.
        spectra: mean spectra, as in ``audit.json``.
        unit: unit of the frequencies.
        relative: whether their differences from the mean of all of them are drawn.

    Returns:
        Entries of a legend.

    Example:
        >>> spectrum = {"label": "a", "group": "b", "n_cases": 4, "n_patients": 4, "frequencies": [0.1, 0.2]}
        >>> spectrum |= {"mean": [1.0, 0.0], "low": [0.9, -0.1], "high": [1.1, 0.1]}
        >>> [text for text, _ in plot_spectra(new_figure(2, 2).subplots(), [spectrum], "cycles", relative=True)]
        ['a, b']
    """
    in_groups = [one for one in spectra if one["group"] is not None]
    spectra = in_groups if 0 < len(in_groups) <= _MOST else [one for one in spectra if one["group"] is None] or spectra
    labels = list(dict.fromkeys(one["label"] for one in spectra))
    groups = list(dict.fromkeys(one["group"] for one in spectra))
    base = np.nanmean([[number(value) for value in one["mean"]] for one in spectra], axis=0) if relative else 0.0
    entries = []
    for one in spectra:
        color = _COLORS[labels.index(one["label"]) % len(_COLORS)]
        line = _LINES[groups.index(one["group"]) % len(_LINES)]
        mean, low, high = (np.array(list(map(number, one[name] or one["mean"]))) - base for name in _BAND)
        axes.fill_between(one["frequencies"], low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(one["frequencies"], mean, line, color=color, linewidth=1.8)
        text = ", ".join(str(name) for name in (one["label"], one["group"]) if name is not None) or "all images"
        entries.append((text, {"color": color, "linestyle": line}))
    if relative:
        axes.axhline(0, color="0.4", linewidth=1)
    frequency_axis(axes, [one for spectrum in spectra for one in spectrum["frequencies"]], unit)
    axes.set_ylabel("difference (log10)" if relative else "log10 power density")
    tidy(axes)
    return entries
