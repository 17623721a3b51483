"""Pictures of what a network uses: reliance, sensitivity, learning priority, counterfactual, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures import legend_above, literal, new_figure, tidy
from ..figures.palette import BLUE, BLUISH_GREEN, GREY, REDDISH_PURPLE, VERMILLION
from .cell_figures import WIDTH, band_axis, frequency_axis, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["counterfactual_rows", "draw_cutoffs", "draw_drops", "draw_priority", "draw_where", "plot_drops"]

Record = Mapping[str, Any]

_CUTOFFS = {
    "low-pass": ("high_edge", "only below the cutoff", BLUE),
    "high-pass": ("low_edge", "only above", VERMILLION),
}
_COUNTERFACTUAL = {
    "bands that leak": ("effect", "low", "high"),
    "control bands": ("control_effect", "control_low", "control_high"),
    "difference": ("difference", "difference_low", "difference_high"),
}
_DROPS = {
    "remove": ("band removed", BLUE, "o"),
    "amplitude": ("amplitudes of another image", VERMILLION, "s"),
    "phase": ("phases of another image", BLUISH_GREEN, "^"),
}


def counterfactual_rows(found: Record) -> list[tuple[str, Any, Any, Any]]:
    """Effect in the bands that leak, in the control, and their difference, each with its interval.

    Args:
        found: counterfactual, as in ``audit.json``.

    Example:
        >>> names = [f"{part}{end}" for part in ("", "control_", "difference_") for end in ("low", "high")]
        >>> found = dict.fromkeys(names, 0.5) | {"effect": 0.6, "control_effect": 0.1, "difference": 0.5}
        >>> [(name, value) for name, value, _, _ in counterfactual_rows(found)]
        [('bands that leak', 0.6), ('control bands', 0.1), ('difference', 0.5)]
    """
    return [(title, *(found[name] for name in names)) for title, names in _COUNTERFACTUAL.items()]


def _error_bars(axes: Axes, across: Any, rows: Sequence[Record], names: Sequence[str], **look: Any) -> None:
    """Values with their intervals; names are those of the value and of both ends."""
    value, low, high = (np.array([number(row[name]) for row in rows]) for name in names)
    axes.vlines(across, low, high, color=look["color"], linewidth=1.5)
    axes.plot(across, value, markersize=5, **look)


def draw_cutoffs(reliance: Record, unit: str) -> Figure | None:
    """Metric of images that keep only what is below, or only what is above, a cutoff.

    Args:
        reliance: reliance, as in ``audit.json``.
        unit: unit of the cutoffs.

    Returns:
        The figure; None if there is no such experiment.

    Example:
        >>> low = {"kind": "low-pass", "high_edge": 0.2, "value": 0.8, "low": 0.7, "high": 0.9, "untrained_value": None}
        >>> reliance = {"metric": "AUC", "reference": 0.9, "reference_low": 0.8, "reference_high": 1.0}
        >>> figure = draw_cutoffs(reliance | {"experiments": [low]}, "cycles per voxel")
        >>> figure.axes[0].get_ylabel()
        'AUC'
    """
    figure = new_figure(WIDTH, 3.4)
    axes = figure.subplots()
    entries: list[tuple[str, dict[str, Any]]] = []
    shown: list[float] = []
    for kind, (edge, title, color) in _CUTOFFS.items():
        rows = [one for one in reliance["experiments"] if one["kind"] == kind and one[edge]]
        rows.sort(key=lambda one: one[edge])
        if not rows:
            continue
        cutoffs = [number(one[edge]) for one in rows]
        low, high = ([number(one[name]) for one in rows] for name in ("low", "high"))
        axes.fill_between(cutoffs, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(cutoffs, [number(one["value"]) for one in rows], "o-", color=color, markersize=4)
        axes.plot(cutoffs, [number(one["untrained_value"]) for one in rows], "--", color=color, linewidth=1)
        entries.append((title, {"color": color, "marker": "o"}))
        shown += cutoffs
    if not shown:
        return None
    _reference(axes, reliance)
    frequency_axis(axes, shown, unit)
    axes.set(xlabel=f"cutoff ({unit})", ylabel=reliance["metric"])
    tidy(axes)
    entries += [("whole image", {"color": GREY}), ("untrained network", {"color": "0.3", "linestyle": "--"})]
    legend_above(figure, entries)
    return figure


def _reference(axes: Axes, reliance: Record) -> None:
    axes.axhspan(number(reliance["reference_low"]), number(reliance["reference_high"]), color=GREY, alpha=0.15)
    axes.axhline(number(reliance["reference"]), color=GREY)


def draw_drops(reliance: Record, unit: str) -> Figure | None:
    """How much the metric falls when a band is removed, or has the amplitudes or phases of another image.

    Args:
        reliance: reliance, as in ``audit.json``.
        unit: unit of the bands.

    Returns:
        The figure; None if there is no such experiment.

    Example:
        >>> one = {"kind": "remove", "cell": "0 to 0.5", "drop": 0.3, "drop_low": 0.2, "drop_high": 0.4}
        >>> one |= {"untrained_drop": 0.0}
        >>> draw_drops({"metric": "AUC", "experiments": [one]}, "cycles per voxel").axes[0].get_ylabel()
        'fall of AUC'
    """
    figure = new_figure(WIDTH, 3.4)
    entries = plot_drops(figure.subplots(), reliance, unit)
    if not entries:
        return None
    legend_above(figure, entries)
    return figure


def plot_drops(axes: Axes, reliance: Record, unit: str) -> list[tuple[str, dict[str, Any]]]:
    """Plot how much the metric falls without a band, or with that of another image, into a panel.

    Args:
        axes: axes of the panel.
        reliance: reliance, as in ``audit.json``.
        unit: unit of the bands.

    Returns:
        Entries of a legend.

    Example:
        >>> one = {"kind": "phase", "cell": "0 to 0.5", "drop": 0.3, "drop_low": 0.2, "drop_high": 0.4}
        >>> one |= {"untrained_drop": 0.0}
        >>> reliance = {"metric": "AUC", "experiments": [one]}
        >>> [text for text, _ in plot_drops(new_figure(2, 2).subplots(), reliance, "cycles per voxel")]
        ['phases of another image', 'untrained network']
    """
    rows = [one for one in reliance["experiments"] if one["kind"] in _DROPS and one["cell"]]
    bands = list(dict.fromkeys(one["cell"] for one in rows))
    entries: list[tuple[str, dict[str, Any]]] = []
    for place, (kind, (title, color, marker)) in enumerate(_DROPS.items()):
        of_kind = [one for one in rows if one["kind"] == kind]
        if not of_kind:
            continue
        across = np.array([bands.index(one["cell"]) for one in of_kind]) + 0.22 * (place - 1)
        look = {"color": color, "marker": marker, "linestyle": ""}
        _error_bars(axes, across, of_kind, ("drop", "drop_low", "drop_high"), **look)
        axes.plot(across, [number(one["untrained_drop"]) for one in of_kind], "_", color="0.3", markersize=7)
        entries.append((title, look))
    axes.axhline(0, color="0.4", linewidth=1)
    axes.set_ylabel(f"fall of {reliance['metric']}")
    band_axis(axes, bands, unit)
    if entries:
        entries.append(("untrained network", {"color": "0.3", "marker": "_", "linestyle": ""}))
    return entries


def draw_priority(priority: Record) -> Figure:
    """Learning priority of the network over the cases, beside that of an untrained one.

    Args:
        priority: learning priority, as in ``audit.json``.

    Example:
        >>> priority = {"frequencies": [0.1, 0.4], "mean": [1.0, 0.2], "low": [0.9, 0.1], "high": [1.0, 0.3]}
        >>> priority |= {"untrained": None, "unit": "cycles per voxel"}
        >>> draw_priority(priority).axes[0].get_xlabel()
        'frequency (cycles per voxel)'
    """
    figure = new_figure(WIDTH, 3.4)
    axes = figure.subplots()
    mean, low, high = ([number(value) for value in priority[name]] for name in ("mean", "low", "high"))
    axes.fill_between(priority["frequencies"], low, high, color=REDDISH_PURPLE, alpha=0.2, linewidth=0)
    axes.plot(priority["frequencies"], mean, color=REDDISH_PURPLE, linewidth=2)
    entries: list[tuple[str, dict[str, Any]]] = [("this network", {"color": REDDISH_PURPLE})]
    if priority["untrained"] is not None:
        axes.plot(priority["frequencies"], [number(one) for one in priority["untrained"]], "--", color="0.3")
        entries.append(("untrained network", {"color": "0.3", "linestyle": "--"}))
    axes.set(xlabel=f"frequency ({priority['unit']})", ylabel="gradient of the loss, scaled", xlim=(0, None))
    tidy(axes)
    legend_above(figure, entries)
    return figure


def draw_where(where: Record) -> Figure:
    """Where in the image each band matters.

    Args:
        where: maps, as in ``audit.json``.

    Example:
        >>> maps = [{"band": "0.2 to 0.5", "values": [[0.0, 1.0], [0.0, 0.0]], "image": None}]
        >>> [axes.get_title() for axes in draw_where({"maps": maps}).axes][:1]
        ['0.2 to 0.5']
    """
    maps = where["maps"]
    columns = min(3, len(maps))
    rows = -(-len(maps) // columns)
    figure = new_figure(3.2 * columns, 3.0 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    most = max((abs(number(value)) for one in maps for line in one["values"] for value in line), default=0) or 1.0
    mesh = None
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, maps, strict=False):
        values = np.array([[number(value) for value in line] for line in one["values"]])
        extent = (0, values.shape[1], values.shape[0], 0)
        if one["image"] is not None:
            axes.imshow(np.array(one["image"], dtype=float), cmap="gray", extent=extent, interpolation="nearest")
        strength = np.clip(np.abs(values) / most, 0, 1) if one["image"] is not None else None
        mesh = axes.imshow(values, cmap="inferno", vmin=0, vmax=most, alpha=strength, extent=extent)
        axes.set_title(literal(one["band"]), fontsize="medium")
    if mesh is not None:
        figure.colorbar(mesh, ax=figure.axes[: rows * columns], label="change without the band", shrink=0.8)
    return figure
