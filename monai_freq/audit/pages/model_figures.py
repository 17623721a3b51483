"""Pictures of what a network uses: reliance, sensitivity, learning priority, counterfactual, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...figures import legend_above, literal, new_figure, tidy
from ...figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, REDDISH_PURPLE, VERMILLION
from .cell_figures import WIDTH, band_axis, cell_map, frequency_axis, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "SHIFT",
    "counterfactual_rows",
    "draw_cutoffs",
    "draw_drops",
    "draw_priority",
    "draw_sensitivity",
    "draw_where",
    "loss_of",
    "metric_name",
    "plot_cutoffs",
    "plot_drops",
]

Record = Mapping[str, Any]

#: what a counterfactual measures
SHIFT = "shift to the donors' class (1: all the way)"
_METRICS = {"auc": "AUC", "accuracy": "accuracy", "dice": "Dice", "hd95": "HD95"}
#: kind of a cut -> the edge of what is edited that is its frequency
_CUTOFFS = {
    "low-pass": ("low_edge", "only below the cutoff", BLUE),
    "high-pass": ("high_edge", "only above the cutoff", VERMILLION),
}
_DROPS = {
    "remove": ("band removed", BLUE, "o"),
    "amplitude": ("amplitudes of another image", VERMILLION, "s"),
    "phase": ("phases of another image", BLUISH_GREEN, "^"),
    "noise": ("noise", ORANGE, "D"),
}
#: cases whose maps are drawn, and bands
_CASES, _BANDS = 3, 6


def counterfactual_rows(found: Record) -> list[tuple[str, Any, Any, Any]]:
    """Shift of the answers in the bands that leak, in the control, and their difference, each with its interval.

    Args:
        found: counterfactual, as in ``audit.json``.

    Example:
        >>> leaking = {"share": 0.5, "low": 0.4, "high": 0.6}
        >>> found = {"leaking": leaking, "control": None, "difference": 0.5, "low": 0.4, "high": 0.6}
        >>> counterfactual_rows(found)
        [('bands that leak', 0.5, 0.4, 0.6)]
    """
    parts = {"bands that leak": found["leaking"], "control bands": found["control"]}
    rows = [(title, one["share"], one["low"], one["high"]) for title, one in parts.items() if one]
    if found["control"]:
        rows.append(("difference", found["difference"], found["low"], found["high"]))
    return rows


def metric_name(found: Record) -> str:
    """Name of a metric in texts.

    Args:
        found: reliance or sensitivity, as in ``audit.json``.

    Example:
        >>> metric_name({"metric": "auc"}), metric_name({"metric": "kappa"})
        ('AUC', 'kappa')
    """
    return _METRICS.get(found["metric"], str(found["metric"]))


def loss_of(found: Record) -> str:
    """What a drop of the metric is, in words.

    Args:
        found: reliance or sensitivity, as in ``audit.json``.

    Example:
        >>> loss_of({"metric": "hd95", "higher_is_better": False})
        'rise of HD95'
    """
    return f"{'fall' if found['higher_is_better'] else 'rise'} of {metric_name(found)}"


def draw_cutoffs(reliance: Record) -> Figure | None:
    """Metric of images that keep only what is below, or only what is above, a cutoff.

    Args:
        reliance: reliance, as in ``audit.json``.

    Returns:
        The figure; None if there is no such experiment.

    Example:
        >>> low = {"kind": "low-pass", "low_edge": 0.2, "high_edge": None, "value": 0.8, "low": 0.7, "high": 0.9}
        >>> reliance = {"metric": "auc", "unit": "cycles per voxel", "untrained_reference": 0.5, "reference": 0.9}
        >>> reliance |= {"reference_low": 0.8, "reference_high": 1.0, "experiments": [low]}
        >>> draw_cutoffs(reliance).axes[0].get_ylabel()
        'AUC'
    """
    figure = new_figure(WIDTH, 3.4)
    entries = plot_cutoffs(figure.subplots(), reliance)
    if not entries:
        return None
    legend_above(figure, entries)
    return figure


def plot_cutoffs(axes: Axes, reliance: Record) -> list[tuple[str, dict[str, Any]]]:
    """Plot what :func:`draw_cutoffs` shows into axes.

    Args:
        axes: the axes.
        reliance: reliance, as in ``audit.json``.

    Returns:
        Entries of the legend; empty if there is no such experiment.
    """
    entries: list[tuple[str, dict[str, Any]]] = []
    shown: list[float] = []
    for kind, (edge, title, color) in _CUTOFFS.items():
        rows = sorted((one for one in reliance["experiments"] if one["kind"] == kind), key=lambda one: one[edge])
        rows = [one for one in rows if one[edge] > 0]
        if not rows:
            continue
        cutoffs, values, low, high = ([number(one[name]) for one in rows] for name in (edge, "value", "low", "high"))
        axes.fill_between(cutoffs, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(cutoffs, values, "o-", color=color, markersize=4)
        entries.append((title, {"color": color, "marker": "o"}))
        shown += cutoffs
    if not shown:
        return []
    axes.axhspan(number(reliance["reference_low"]), number(reliance["reference_high"]), color=GREY, alpha=0.15)
    axes.axhline(number(reliance["reference"]), color=GREY)
    entries.append(("whole image", {"color": GREY}))
    if reliance["untrained_reference"] is not None:
        axes.axhline(reliance["untrained_reference"], color="0.3", linestyle="--", linewidth=1)
        entries.append(("untrained network", {"color": "0.3", "linestyle": "--"}))
    frequency_axis(axes, shown, reliance["unit"])
    axes.set(xlabel=f"cutoff ({reliance['unit']})", ylabel=metric_name(reliance))
    tidy(axes)
    return entries


def draw_drops(reliance: Record) -> Figure | None:
    """How much worse the metric gets when a band is removed, or has the amplitudes or phases of another image.

    Args:
        reliance: reliance, as in ``audit.json``.

    Returns:
        The figure; None if there is no such experiment.

    Example:
        >>> one = {"kind": "remove", "cell": "0 to 0.5", "drop": 0.3, "drop_low": 0.2, "drop_high": 0.4}
        >>> one |= {"untrained_drop": 0.0}
        >>> reliance = {"metric": "auc", "higher_is_better": True, "unit": "cycles per voxel", "experiments": [one]}
        >>> draw_drops(reliance).axes[0].get_ylabel()
        'fall of AUC'
    """
    figure = new_figure(WIDTH, 3.4)
    entries = plot_drops(figure.subplots(), reliance)
    if not entries:
        return None
    legend_above(figure, entries)
    return figure


def plot_drops(axes: Axes, found: Record) -> list[tuple[str, dict[str, Any]]]:
    """Plot how much worse the metric gets by band into a panel.

    Args:
        axes: axes of the panel.
        found: reliance or sensitivity, as in ``audit.json``.

    Returns:
        Entries of a legend; none if no band is edited.

    Example:
        >>> one = {"kind": "phase", "cell": "0 to 0.5", "drop": 0.3, "drop_low": 0.2, "drop_high": 0.4}
        >>> one |= {"untrained_drop": None}
        >>> reliance = {"metric": "auc", "higher_is_better": True, "unit": "cycles per voxel", "experiments": [one]}
        >>> [text for text, _ in plot_drops(new_figure(2, 2).subplots(), reliance)]
        ['phases of another image']
    """
    rows = [one for one in found["experiments"] if one["kind"] in _DROPS]
    if not rows:
        return []
    bands = list(dict.fromkeys(_band(one) for one in rows))
    kinds = [kind for kind in _DROPS if any(one["kind"] == kind for one in rows)]
    entries: list[tuple[str, dict[str, Any]]] = []
    control = False
    for place, kind in enumerate(kinds):
        title, color, marker = _DROPS[kind]
        of_kind = [one for one in rows if one["kind"] == kind]
        across = np.array([bands.index(_band(one)) for one in of_kind]) + 0.22 * (place - (len(kinds) - 1) / 2)
        drop, low, high = (np.array([number(one[name]) for one in of_kind]) for name in _INTERVAL)
        look: dict[str, Any] = {"color": color, "marker": marker, "linestyle": ""}
        axes.vlines(across, low, high, color=color, linewidth=1.5)
        axes.plot(across, drop, markersize=5, **look)
        entries.append((title, look))
        if any(one["untrained_drop"] is not None for one in of_kind):
            untrained = [number(one["untrained_drop"]) for one in of_kind]
            axes.plot(across, untrained, "_", color="0.2", markersize=9, markeredgewidth=1.5)
            control = True
    axes.axhline(0, color="0.4", linewidth=1)
    axes.set_ylabel(loss_of(found))
    band_axis(axes, bands, found["unit"])
    if control:
        entries.append(("untrained network", {"color": "0.2", "marker": "_", "linestyle": ""}))
    return entries


_INTERVAL = ("drop", "drop_low", "drop_high")


def _band(experiment: Record) -> str:
    return str(experiment["cell"].partition(", ")[0])


def draw_sensitivity(sensitivity: Record) -> Figure | None:
    """How much worse the metric gets with noise in each cell: by direction as a map of colours, else by band.

    Args:
        sensitivity: sensitivity, as in ``audit.json``.

    Returns:
        The figure; None if nothing was tried.

    Example:
        >>> one = {"kind": "noise", "cell": "0 to 0.5", "drop": 0.3, "drop_low": 0.2, "drop_high": 0.4}
        >>> one |= {"untrained_drop": None}
        >>> found = {"metric": "auc", "higher_is_better": True, "unit": "cycles per voxel", "experiments": [one]}
        >>> draw_sensitivity(found).axes[0].get_ylabel()
        'fall of AUC'
    """
    names = [one["cell"] for one in sensitivity["experiments"]]
    drops = [number(one["drop"]) for one in sensitivity["experiments"]]
    most = max((drop for drop in drops if drop == drop), default=0.0)
    drawn = cell_map(names, drops, loss_of(sensitivity), sensitivity["unit"], (0, max(0.05, most)))
    return drawn if drawn is not None else draw_drops(sensitivity)


def draw_priority(priority: Record) -> Figure:
    """Learning priority of the network over the cases.

    Args:
        priority: learning priority, as in ``audit.json``.

    Example:
        >>> priority = {"frequencies": [0.1, 0.4], "mean": [1.0, 0.2], "low": [0.9, 0.1], "high": [1.0, 0.3]}
        >>> draw_priority(priority).axes[0].get_ylabel()
        'gradient of the loss, scaled'
    """
    figure = new_figure(WIDTH, 3.2)
    axes = figure.subplots()
    mean, low, high = ([number(value) for value in priority[name]] for name in ("mean", "low", "high"))
    axes.fill_between(priority["frequencies"], low, high, color=REDDISH_PURPLE, alpha=0.2, linewidth=0)
    axes.plot(priority["frequencies"], mean, color=REDDISH_PURPLE, linewidth=2)
    axes.set(xlabel="frequency (cycles per voxel of the network's input)", ylabel="gradient of the loss, scaled")
    axes.set(xlim=(0, 0.5), ylim=(0, None))
    tidy(axes)
    return figure


def draw_where(where: Record) -> Figure | None:
    """Where in the image each band matters: a row for each of the first cases, a column for each band.

    Args:
        where: maps, as in ``audit.json``.

    Returns:
        The figure; None if there is no map.

    Example:
        >>> where = {"cells": ["0.2 to 0.5"], "cases": ["a.png"], "maps": [[[[0.0, 1.0], [0.0, 0.0]]]], "shares": [1.0]}
        >>> draw_where(where).axes[0].get_title()
        '0.2 to 0.5\\n100%'
    """
    chosen = sorted(np.argsort([-number(share) for share in where["shares"]])[:_BANDS])
    cases = where["cases"][:_CASES]
    if not cases or not chosen:
        return None
    figure = new_figure(0.5 + 1.5 * len(chosen), 0.45 + 1.55 * len(cases))
    panels = figure.subplots(len(cases), len(chosen), squeeze=False)
    for row, case, maps in zip(panels, cases, where["maps"], strict=False):
        most = max((number(value) for line in np.asarray(maps).ravel() for value in [line]), default=0) or 1.0
        for axes, band in zip(row, chosen, strict=True):
            axes.imshow(np.array(maps[band], dtype=float), cmap="viridis", vmin=0, vmax=most, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        file = case.replace("\\", "/").rstrip("/").rpartition("/")[2] or case  # a path says too much
        row[0].set_ylabel(literal(file if len(file) < _NAME else f"…{file[1 - _NAME :]}"), fontsize=8)
    for axes, band in zip(panels[0], chosen, strict=True):
        axes.set_title(f"{where['cells'][band]}\n{number(where['shares'][band]):.0%}", fontsize=9)
    return figure


_NAME = 22  # most characters of a case's name
