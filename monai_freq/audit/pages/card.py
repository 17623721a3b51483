"""The card of an audit: one picture for a paper or a data sheet."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ...figures import literal, new_figure, tidy
from ...figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, VERMILLION
from .cell_figures import band_axis, by_direction, number
from .common_blocks import settings_line
from .data_figures import name_of, plot_spectra
from .model_figures import SHIFT, counterfactual_rows, loss_of, plot_cutoffs, plot_drops

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_card"]

Record = Mapping[str, Any]

_WIDTH, _HEIGHT = 9.0, 4.6
_SUBJECTS = {
    "data": "audit of data: does the spectrum give the label away?",
    "model": "audit of a network: which frequencies does it use?",
}
#: characters of a line, and lines
_COLUMNS, _LINES = 118, 3
#: most entries of a legend
_ENTRIES = 8
_COLORS = {
    "no leak found": BLUISH_GREEN,
    "leak found": VERMILLION,
    "leak and used": VERMILLION,
    "leak between groups": ORANGE,
    "leak, not seen to be used": ORANGE,
    "leak, followed in part": ORANGE,
    "leak, followed against the label": ORANGE,
}


def draw_card(audit: Record) -> Figure:
    """Verdict, spectra or counterfactual, what each band tells or is needed for, and the settings in one line.

    Args:
        audit: an audit, as in ``audit.json``.
    """
    from matplotlib.patches import Rectangle

    figure = new_figure(_WIDTH, _HEIGHT, layout=None)
    color = _COLORS.get(audit["verdict"], GREY)
    figure.add_artist(Rectangle((0, 0.98), 1, 0.02, color=color, transform=figure.transFigure))
    verdict = audit["verdict"][:1].upper() + audit["verdict"][1:]
    figure.text(0.02, 0.955, verdict, fontsize=17, weight="bold", va="top")
    figure.text(0.98, 0.94, _SUBJECTS[audit["kind"]], fontsize=9, color="0.35", va="top", ha="right")
    figure.text(0.02, 0.865, literal(_sentences(audit["summary"])), fontsize=9.5, va="top", linespacing=1.3)
    place = {"left": 0.085, "right": 0.985, "bottom": 0.27, "top": 0.66, "wspace": 0.24}
    left, right = figure.subplots(1, 2, gridspec_kw=place)
    if audit["kind"] == "data":
        _spectra(left, audit)
        _leak(right, audit)
    else:
        _counterfactual(left, audit)
        _reliance(right, audit)
    figure.text(0.02, 0.02, literal(_line(audit)), fontsize=7.5, color="0.35", va="bottom", linespacing=1.3)
    return figure


def _sentences(summary: Sequence[str]) -> str:
    """The first sentence, and further ones as far as there is room."""
    lines = textwrap.wrap((summary or [""])[0], _COLUMNS)
    for number_of_sentences in range(2, len(summary) + 1):
        more = textwrap.wrap(" ".join(summary[:number_of_sentences]), _COLUMNS)
        lines = more if len(more) <= _LINES else lines
    return "\n".join(lines[:_LINES])


def _spectra(axes: Axes, audit: Record) -> None:
    axes.set_title("mean spectra, less the mean of all", fontsize="medium")
    if not audit["spectra"]:
        axes.set_axis_off()
        return
    entries = plot_spectra(axes, audit["spectra"], audit["bands"]["unit"], relative=True)
    _legend(axes, entries, below=True)


def _leak(axes: Axes, audit: Record) -> None:
    """The highest AUC of the parts of each band: of the label within groups, if groups are known."""
    axes.set_title("what each band alone tells", fontsize="medium")
    leaks = sorted((one for one in audit["leaks"] if one["cells"]), key=lambda one: one["of"] != "label")
    if not leaks:
        axes.set_axis_off()
        return
    looks = [(BLUE, "o"), (VERMILLION, "s"), (GREY, "^")]
    entries: list[tuple[str, dict[str, Any]]] = []
    bands: list[str] = []
    for leak, (color, marker) in zip(leaks, looks, strict=False):
        values = [number(cell["auc_alone"]) for cell in leak["cells"]]
        bands, rows = by_direction([cell["name"] for cell in leak["cells"]], values)  # quiet parts as directions
        highest = np.nanmax(np.stack(list(rows.values())), axis=0)
        axes.plot(range(len(bands)), highest, marker=marker, color=color, linewidth=1, markersize=4.5)
        entries.append((name_of(leak), {"color": color, "marker": marker}))
    axes.axhline(0.5, color="0.4", linewidth=1)
    axes.set_ylim(min(0.45, axes.get_ylim()[0]), 1.02)
    axes.set_ylabel("highest AUC of a direction" if audit["bands"]["directional"] else "AUC")
    band_axis(axes, bands, audit["bands"]["unit"])
    _legend(axes, entries)


def _counterfactual(axes: Axes, audit: Record) -> None:
    found = audit["counterfactual"]
    if not found:
        _cutoffs(axes, audit)
        return
    axes.set_title(f"with the amplitudes of another {found['donors']}", fontsize="medium")
    for place, (_, value, low, high) in enumerate(counterfactual_rows(found)):
        axes.plot([number(low), number(high)], [place, place], color=BLUE, linewidth=2)
        axes.plot(number(value), place, "o", color=BLUE, markersize=7)
    names = [name for name, *_ in counterfactual_rows(found)]
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color="0.4", linewidth=1)
    axes.set_xlabel(SHIFT, fontsize=9)
    tidy(axes)
    box = axes.get_position()
    axes.set_position((0.15, box.y0, box.x1 - 0.15, box.height))


def _cutoffs(axes: Axes, audit: Record) -> None:
    reliance = audit["reliance"]
    entries = plot_cutoffs(axes, reliance) if reliance else []
    if not entries:
        axes.set_axis_off()
        return
    axes.set_title("with nothing but low, or high, frequencies", fontsize="medium")
    _legend(axes, entries, below=True)


def _reliance(axes: Axes, audit: Record) -> None:
    reliance = audit["reliance"]
    if not reliance:
        axes.set_axis_off()
        return
    axes.set_title(f"{loss_of(reliance)} by band", fontsize="medium")
    _legend(axes, plot_drops(axes, reliance), below=True)


def _legend(axes: Axes, entries: Sequence[tuple[str, dict[str, Any]]], *, below: bool = False) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], markersize=4, label=literal(text), **look) for text, look in entries[:_ENTRIES]]
    where: dict[str, Any] = {"loc": "best"}
    if below:
        where = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.24), "ncols": 2 + (len(lines) > 4), "borderpad": 0}
    axes.legend(handles=lines, fontsize=7.5, frameon=False, handlelength=2, **where)


def _line(audit: Record) -> str:
    data = audit["data"]
    patients = "patients unknown" if data["n_patients"] is None else f"{data['n_patients']} patients"
    what = f"{audit['model']['source']}; " if audit["kind"] == "model" else ""
    text = f"{what}{data['n_cases']} images, {patients}; {settings_line(audit)}. monai_freq {version('monai_freq')}"
    return "\n".join(textwrap.wrap(text, 165)[:2])
