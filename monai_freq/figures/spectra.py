"""Power spectrum densities: one density as a curve, many as a heat map over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .canvas import new_figure
from .palette import BLUE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["density_curve", "density_map", "mark_bands"]

Array = NDArray[np.float64]

#: unit of frequencies without an attribute ``unit``
_UNIT = "cycles / voxel"
_TICKS = (0, 0.1, 0.2, 0.3, 0.4, 0.5)
#: ratio of a logarithmic axis' ends below which its ticks are 1, 2 and 5 times each power of ten
_FEW_DECADES = 100
#: name -> upper border in cycles per voxel; a copy of monai_freq.spectral.psd.BANDS, since figures import no torch
_BANDS = {"low": 1 / 6, "mid": 1 / 3, "high": 1 / 2}


def density_curve(
    frequencies: Array,
    mean: Array,
    sd: Array,
    *,
    unit: str,
    title: str = "",
    logarithmic: bool = False,
    others: Mapping[str, Array] | None = None,
) -> Figure:
    """Mean density over samples, with a band of one SD to either side and without DC.

    Args:
        frequencies: frequencies ``(K,)`` in cycles per voxel, or in the unit of their attribute ``unit``, as from
            :func:`monai_freq.spectral.psd.radial_psd` with a voxel size.
        mean: mean density ``(K,)``.
        sd: standard deviation ``(K,)``.
        unit: unit of the density, for the vertical axis.
        title: title above the figure.
        logarithmic: whether the vertical axis is logarithmic.
        others: name -> density ``(K,)``, drawn dashed and scaled to the same peak.

    Example:
        >>> k = np.linspace(0, 0.5, 17)
        >>> figure = density_curve(k, 1 - k, 0.1 * k, unit="share", others={"artifact": k})
        >>> figure.axes[0].get_xlabel(), len(figure.axes[0].lines)
        ('spatial frequency (cycles / voxel)', 4)
    """
    from matplotlib.ticker import LogLocator

    figure, axes = _panel(right=0.97)
    label, frequencies, end, banded = _axis(frequencies)
    shown = frequencies > 0
    k, mean, sd = frequencies[shown], mean[shown], sd[shown]
    axes.fill_between(k, mean - sd, mean + sd, color=BLUE, alpha=0.25, linewidth=0, label="± SD over samples")
    axes.plot(k, mean, color=BLUE, linewidth=2, label="mean")
    peak = float(mean.max(initial=0))
    for name, other in (others or {}).items():
        highest = float(other[shown].max(initial=0))
        scaled = other[shown] * (peak / highest if highest > 0 else 1)
        axes.plot(k, scaled, color=VERMILLION, linewidth=2, linestyle="--", label=f"{name}, scaled")
    if banded:
        mark_bands(axes)
        axes.set_xticks(_TICKS)
    if logarithmic and peak > 0:
        axes.set_yscale("log", nonpositive="clip")
        axes.minorticks_off()
        bottom, top = max(float(mean[mean > 0].min()) / 2, peak * 1e-8), 2 * float((mean + sd).max())
        axes.set_ylim(bottom, top)
        if top / bottom < _FEW_DECADES:  # there may be no power of ten between them
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(0, 1.1 * float((mean + sd).max(initial=0)) or 1)
        axes.locator_params(axis="y", nbins=5)
    axes.set(xlabel=label, ylabel=unit, xlim=(0, end))
    axes.set_title(title, y=1.08, fontsize="medium")
    axes.legend(frameon=False, fontsize="small", loc="best")
    return figure


def density_map(
    epochs: NDArray[np.integer],
    frequencies: Array,
    densities: Array,
    *,
    title: str = "",
    logarithmic: bool = False,
) -> Figure:
    """Densities over epochs as colours, each epoch scaled to its peak, without DC.

    Args:
        epochs: numbers of the epochs ``(E,)``, rising.
        frequencies: frequencies ``(K,)`` in cycles per voxel, or in the unit of their attribute ``unit``.
        densities: densities ``(E, K)``.
        title: title above the figure.
        logarithmic: whether the colours span three decades below the peak.

    Example:
        >>> figure = density_map(np.array([1, 5]), np.linspace(0, 0.5, 9), np.random.rand(2, 9))
        >>> figure.axes[0].get_xlabel()
        'epoch'
    """
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import MaxNLocator

    figure, axes = _panel(right=0.9)
    label, frequencies, end, banded = _axis(frequencies)
    shown = frequencies > 0
    rows = densities[:, shown]
    peak = rows.max(1, keepdims=True, initial=0)
    scaled = rows / np.where(peak > 0, peak, 1)
    norm = LogNorm(1e-3, 1, clip=True) if logarithmic else Normalize(0, 1)
    across, along = _edges(epochs.astype(np.float64)), np.clip(_edges(frequencies[shown]), 0, None)
    mesh = axes.pcolormesh(across, along, scaled.T, cmap="viridis", norm=norm, rasterized=True)
    figure.colorbar(mesh, ax=axes, label="peak of each epoch = 1").minorticks_off()
    axes.set(xlabel="epoch", ylabel=label, ylim=(0, end))
    if banded:
        axes.set_yticks(_TICKS)
    axes.set_title(title, y=1.02, fontsize="medium")
    axes.set_xticks(epochs) if len(epochs) < 5 else axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    return figure


def _axis(frequencies: Array) -> tuple[str, Array, float, bool]:
    """Label of the axis, frequencies as an array, end of the axis, and whether the bands can be marked on it."""
    unit, numbers = getattr(frequencies, "unit", _UNIT), np.asarray(frequencies)
    highest = float(numbers.max(initial=0))
    banded = unit == _UNIT and highest <= _TICKS[-1] * (1 + 1e-6)  # no corners
    return f"spatial frequency ({unit})", numbers, _TICKS[-1] if banded else highest or 1.0, banded


def _panel(right: float) -> tuple[Figure, Axes]:
    """One panel with fixed margins and few ticks, since text takes most of a figure's time within a training."""
    figure = new_figure(3.4, 2.8, layout=None)
    figure.subplots_adjust(left=0.2, right=right, bottom=0.18, top=0.85)
    return figure, figure.subplots()


def mark_bands(axes: Axes) -> None:
    """Draw the borders of the low, mid and high band, and their names above the panel.

    Args:
        axes: axes of a panel whose horizontal axis is the frequency in cycles per voxel, from 0 to 0.5.

    Example:
        >>> axes = new_figure(2, 2).subplots()
        >>> mark_bands(axes)
        >>> [text.get_text() for text in axes.texts]
        ['low', 'mid', 'high']
    """
    start = 0.0
    for name, border in _BANDS.items():
        if border < 1 / 2:  # the last one is the edge of the panel
            axes.axvline(border, color="0.6", linewidth=0.8, linestyle=":")
        middle = start + border  # as a share of the panel, which ends at 1/2: (start + border) / 2 / (1 / 2)
        axes.text(middle, 1.01, name, transform=axes.transAxes, color="0.45", fontsize="small", ha="center")
        start = border


def _edges(centers: Array) -> Array:
    """Borders half-way between the centres; the outer borders mirror the next inner ones."""
    if len(centers) == 0:
        return np.array([0.0])
    if len(centers) == 1:
        return np.array([centers[0] - 0.5, centers[0] + 0.5])
    inner = (centers[1:] + centers[:-1]) / 2
    return np.concatenate([[2 * centers[0] - inner[0]], inner, [2 * centers[-1] - inner[-1]]])
