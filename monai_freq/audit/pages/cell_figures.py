"""Pictures of values of cells: along the bands, and by direction as the spectrum of an image shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...figures import legend_above, new_figure, tidy
from ...figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, REDDISH_PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WIDTH", "band_axis", "by_direction", "cell_map", "draw_cells", "frequency_axis", "named_cells", "number"]

#: width of a picture that stands beside another one, in inches
WIDTH = 4.8
_WHOLE = "all directions"
#: smallest range of an axis: smaller differences look small
_SPAN = 0.1
#: most numbers on an axis
_TICKS = 7
#: most rings whose frequency is written
_RINGS = 3
#: number of directions of a band
_DIRECTIONS = 4
#: parts of an arc, which is drawn as straight lines
_ARCS = 16
_LOOKS = [(BLUE, "o"), (VERMILLION, "s"), (BLUISH_GREEN, "^"), (REDDISH_PURPLE, "v"), (ORANGE, "D")]
#: centre of each direction in the plane, in degrees from axis 1 towards axis 0
_ANGLES = {"along axis 1": 0, "diagonal": 45, "along axis 0": 90, "antidiagonal": 135}


def number(value: Any) -> float:
    """A number of a record, NaN where it is unknown.

    Args:
        value: number or None.

    Example:
        >>> number(0.5), number(None)
        (0.5, nan)
    """
    return float("nan") if value is None else float(value)


def by_direction(cells: Sequence[str], values: Sequence[float]) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Values in a row for each direction.

    Args:
        cells: names of cells, see :meth:`monai_freq.spectral.band_grid.BandGrid.names`.
        values: value of each cell.

    Returns:
        Names of the bands, and direction -> value of each band, NaN where there is none.

    Example:
        >>> by_direction(["0 to 0.2", "0.2 to 0.5"], [0.5, 0.75])
        (['0 to 0.2', '0.2 to 0.5'], {'all directions': array([0.5 , 0.75])})
    """
    parts = [cell.partition(", ") for cell in cells]
    bands = list(dict.fromkeys(band for band, _, _ in parts))
    rows: dict[str, NDArray[np.float64]] = {}
    for (band, _, direction), value in zip(parts, values, strict=True):
        row = rows.setdefault(direction or _WHOLE, np.full(len(bands), np.nan))
        row[bands.index(band)] = value
    return bands, dict(sorted(rows.items()))


def named_cells(cells: Sequence[str]) -> list[str]:
    """Names of cells, a band with several directions once.

    Args:
        cells: names of cells.

    Example:
        >>> named_cells(["0 to 0.2, along axis 0", "0 to 0.2, diagonal", "0.2 to 0.5"])
        ['0 to 0.2 (along axis 0, diagonal)', '0.2 to 0.5']
        >>> from monai_freq.spectral.band_grid import BandGrid
        >>> named_cells(BandGrid((0, 0.2, 0.5), directional=True).names(3))
        ['0 to 0.2', '0.2 to 0.5']
    """
    bands: dict[str, list[str]] = {}
    for cell in cells:
        band, _, direction = cell.partition(", ")
        bands.setdefault(band, []).append(direction)
    return [
        band if directions == [""] or len(directions) == _DIRECTIONS else f"{band} ({', '.join(directions)})"
        for band, directions in bands.items()
    ]


def band_axis(axes: Axes, bands: Sequence[str], unit: str) -> None:
    """Give a panel one place for each band on its horizontal axis, with the edges of the bands as ticks.

    Args:
        axes: axes of the panel.
        bands: names of the bands.
        unit: unit of their edges.

    Example:
        >>> axes = new_figure(2, 2).subplots()
        >>> band_axis(axes, ["0 to 0.2", "0.2 to 0.5"], "cycles per voxel")
        >>> [text.get_text() for text in axes.get_xticklabels()]
        ['0', '0.2', '0.5']
    """
    places, texts = _edges(bands)
    axes.set_xticks([place - 0.5 for place in places], texts)
    axes.set_xlim(-0.6, len(bands) - 0.4)
    axes.set_xlabel(f"band ({unit})")
    tidy(axes)
    axes.grid(axis="x", color="0.9", linewidth=0.8)


def _edges(bands: Sequence[str]) -> tuple[list[int], list[str]]:
    """Places and texts of some edges of the bands, the last one among them."""
    edges = [bands[0].partition(" to ")[0], *(band.rpartition(" to ")[2] for band in bands)]
    places = list(range(len(edges) - 1, -1, -math.ceil(len(edges) / _TICKS)))[::-1]
    return places, [f"{float(edges[place]):.2g}" for place in places]


def frequency_axis(axes: Axes, frequencies: Sequence[float], unit: str) -> None:
    """Give a panel a logarithmic axis of frequencies, with few plain numbers.

    Args:
        axes: axes of the panel.
        frequencies: frequencies that are drawn.
        unit: unit of the frequencies.

    Example:
        >>> axes = new_figure(2, 2).subplots()
        >>> frequency_axis(axes, [0.01, 0.5], "cycles per voxel")
        >>> [text.get_text() for text in axes.get_xticklabels()]
        ['0.01', '0.02', '0.05', '0.1', '0.2', '0.5']
    """
    from matplotlib.ticker import NullLocator

    drawn = [one for one in frequencies if one > 0]
    lowest, highest = min(drawn, default=0.1), max(drawn, default=1.0)
    ticks = [m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5) if lowest <= 1.001 * m * 10.0**e <= 1.002 * highest]
    if len(ticks) > _TICKS:
        ticks = ticks[:: math.ceil(len(ticks) / _TICKS)]
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"frequency ({unit})")


def draw_cells(leak: Mapping[str, Any], unit: str) -> Figure:
    """How well each cell alone tells the classes, and how well the others do without it.

    Args:
        leak: a leak, as in ``audit.json``.
        unit: unit of the bands.

    Example:
        >>> cell = {"name": "0 to 0.5", "auc_alone": 0.8, "auc_without": 0.6, "p_alone": 0.01}
        >>> leak = {"auc": 0.8, "alpha": 0.05, "cells": [cell]}
        >>> [axes.get_ylabel() for axes in draw_cells(leak, "cycles per voxel").axes]
        ['AUC of it alone', 'AUC without it']
    """
    cells = leak["cells"]
    names = [cell["name"] for cell in cells]
    figure = new_figure(WIDTH, 4.6)
    alone, without = figure.subplots(2, 1, sharex=True, height_ratios=(1.7, 1))
    bands, told = by_direction(names, [number(cell["p_alone"]) for cell in cells])
    looks = dict(zip(told, _LOOKS, strict=False))
    for axes, field in ((alone, "auc_alone"), (without, "auc_without")):
        _, rows = by_direction(names, [number(cell[field]) for cell in cells])
        for place, (direction, row) in enumerate(rows.items()):
            color, marker = looks.get(direction, (GREY, "x"))
            across = np.arange(len(bands)) + 0.16 * (place - (len(rows) - 1) / 2)
            sure = told[direction] <= leak["alpha"] if field == "auc_alone" else np.full(len(bands), True)
            axes.plot(across[sure], row[sure], marker, color=color, markersize=5.5)
            axes.plot(across[~sure], row[~sure], marker, color=color, markersize=5.5, fillstyle="none")
    alone.axhline(0.5, color="0.4", linewidth=1)
    without.axhline(number(leak["auc"]), color="0.4", linewidth=1)
    alone.set_ylim(min(0.45, alone.get_ylim()[0]), max(0.75, alone.get_ylim()[1]))
    lowest, highest = without.get_ylim()
    middle, half = (lowest + highest) / 2, max(_SPAN, highest - lowest) / 2
    without.set_ylim(middle - half, min(1.01, middle + half))
    alone.set_ylabel("AUC of it alone")
    without.set_ylabel("AUC without it")
    tidy(alone)
    band_axis(without, bands, unit)
    if len(told) > 1:
        entries = [
            (name, {"color": color, "marker": marker, "linestyle": ""}) for name, (color, marker) in looks.items()
        ]
        legend_above(figure, entries)
    return figure


def cell_map(
    cells: Sequence[str], values: Sequence[float], label: str, unit: str, limits: tuple[float, float]
) -> Figure | None:
    """Values by band and direction: for images in 2D as rings, as in a centred spectrum; in 3D as a table of colours.

    Args:
        cells: names of the cells.
        values: value of each cell.
        label: what the values are.
        unit: unit of the bands.
        limits: values of the first and the last colour.

    Returns:
        The figure; None if the bands have no directions.

    Example:
        >>> from monai_freq.spectral.band_grid import BandGrid
        >>> names = BandGrid((0, 0.2, 0.5), directional=True).names(2)
        >>> figure = cell_map(names, range(8), "AUC", "cycles per voxel", (0, 8))
        >>> figure.axes[0].name
        'polar'
    """
    bands, rows = by_direction(cells, values)
    rows.pop(_WHOLE, None)
    if not rows:
        return None
    figure = new_figure(WIDTH, 3.9)
    if set(rows) == set(_ANGLES):
        mesh = _rings(figure, bands, rows, limits)
    else:
        axes = figure.subplots()
        mesh = axes.pcolormesh(np.stack(list(rows.values())), cmap="viridis", vmin=limits[0], vmax=limits[1])
        places, texts = _edges(bands)
        axes.set_xticks(places, texts)
        axes.set_yticks(np.arange(len(rows)) + 0.5, list(rows))
        axes.tick_params(labelsize=8, length=0)
        axes.set_xlabel(f"band ({unit})")
    bar = figure.colorbar(mesh, ax=figure.axes[0], label=label, shrink=0.8, pad=0.12)
    bar.ax.tick_params(labelsize=8)
    return figure


def _rings(
    figure: Figure, bands: Sequence[str], rows: Mapping[str, NDArray[np.float64]], limits: tuple[float, float]
) -> Any:
    """Each band a ring of one width, each direction twice, axis 1 to the right and axis 0 down."""
    axes: Any = figure.subplots(subplot_kw={"projection": "polar"})
    axes.set_theta_direction(-1)
    order = sorted(rows, key=_ANGLES.__getitem__)
    values = np.stack([rows[name] for name in order] * 2, axis=1).repeat(_ARCS, axis=1)
    edges = np.deg2rad(np.linspace(-22.5, 337.5, values.shape[1] + 1))
    mesh = axes.pcolormesh(
        edges, np.arange(len(bands) + 1), values, cmap="viridis", vmin=limits[0], vmax=limits[1], rasterized=True
    )
    axes.grid(False)
    axes.vlines(edges[::_ARCS], 0, len(bands), color="white", linewidth=1.2)
    for radius in range(1, len(bands)):
        axes.plot(np.append(edges, edges[0]), np.full(len(edges) + 1, radius), color="white", linewidth=1.2)
    axes.spines["polar"].set_visible(False)
    axes.set_axisbelow(False)  # frequencies over lines
    marked = range(len(bands) - 1, -1, -math.ceil(len(bands) / _RINGS))  # with the outermost
    upper = [f"{float(bands[place].rpartition(' to ')[2]):.2g}" for place in marked]
    axes.set_rgrids(np.array(marked) + 1, upper, angle=-8, fontsize=7, color="0.15")
    for text in axes.get_yticklabels():
        text.set_bbox({"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6})
    axes.set_thetagrids([0, 90, 180, 270], ["axis 1", "axis 0", "", ""], fontsize=8)
    return mesh
