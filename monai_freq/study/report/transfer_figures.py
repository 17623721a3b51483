"""Figures of a transfer study: the AUC, its drop against the overlap, and the learning priorities."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np

from ...figures import legend_above, literal, mark_bands, new_figure, tidy
from ...figures.palette import BLUE, BLUISH_GREEN, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION, WINE
from ...spectral.frequency_axis import on_one_axis
from ..run.spec import RANDOM
from .densities import Density, mean_of
from .effects import WHEN, AucDrop, Control, Effects
from .sources import data_of, in_order, is_original
from .transfer_study import NO_ARTIFACT, Setting, TransferStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

__all__ = ["ARTIFACT", "PRIORITIES_ACROSS", "transfer_figures", "wrapped"]

#: source -> how its line looks
Looks = Mapping[str, dict[str, Any]]
Rows = Sequence[Sequence["Axes"]]

#: green, as the paper draws artifacts
ARTIFACT = BLUISH_GREEN

_KNOWN = {"imagenet": BLUE, "radimagenet": VERMILLION, RANDOM: "#595959"}
_COLORS = (REDDISH_PURPLE, ORANGE, WINE, SKY_BLUE)
_PLAIN = {"imagenet": "o", "radimagenet": "s", RANDOM: "X"}
_MARKERS = "^Dv<>Ph*"
_JOINT = "\N{NO-BREAK SPACE}"
_DASHES = ((0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (4, 1.5)))


_AUCS = {"ood": "O.O.D. AUC", "iid": "I.I.D. AUC"}
_WHEN = {"before": "before fine-tuning", "after": "after it, p = 0"}
#: most settings side by side, of AUCs and of learning priorities, and most fractions
_COLUMNS, PRIORITIES_ACROSS, _FRACTIONS = 4, 3, 5
#: of the letter from its point, in points, so that those of two settings with alike values do not meet
_ASIDE = ((4, 2), (-9, 2), (4, -8), (-9, -8))


def transfer_figures(study: TransferStudy, effects: Effects) -> dict[str, Figure]:
    """Figures of what the study has: those without a panel are left out, and marks of what does not count are hollow.

    ``auc``: O.O.D. and I.I.D. AUC of the unedited sources, mean and SD over folds, a column for each setting.
    ``editing``: O.O.D. AUC of the edited sources (broken lines) and of their originals (solid).
    ``learning_priorities`` and ``learning_priorities_2``...: pre-trained networks and the artifact above, a heat map of
    each source's fine-tuned networks below. ``overlap``: delta_ood against the overlap, a column for each fraction, the
    learning priority before and after fine-tuning in rows.

    Args:
        study: transfer study.
        effects: controls, AUC drops, differences and rank correlations of the study.

    Reference:
        Y. Lu et al. (2025), Figures 2 to 4, DOI 10.1117/12.3047670.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.effects import effects_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> from monai_freq.study.report.transfer_study import transfer_study_of
        >>> study = transfer_study_of(study_of(phantom_transfer()))
        >>> figures = transfer_figures(study, effects_of(study))
        >>> list(figures), [axes.get_ylabel() for axes in figures["auc"].axes]
        (['auc', 'editing', 'learning_priorities', 'overlap'], ['O.O.D. AUC', 'I.I.D. AUC'])
    """
    return {name: figure for name, figure in _figures(study, effects) if figure.axes}


def _figures(study: TransferStudy, effects: Effects) -> Iterator[tuple[str, Figure]]:
    originals = [source for source in study.sources if is_original(source)]
    edited = {data_of(source) for source in study.sources if not is_original(source)}
    with_edited = [source for source in study.sources if data_of(source) in edited and source != RANDOM]
    yield "auc", _auc_figure(study, effects.controls, originals, ("ood", "iid"))
    yield "editing", _auc_figure(study, effects.controls, with_edited, ("ood",))
    for part, start in enumerate(range(0, len(study.with_priorities), PRIORITIES_ACROSS), start=1):
        name = "learning_priorities" if part == 1 else f"learning_priorities_{part}"
        yield name, _priority_figure(study, study.with_priorities[start:][:PRIORITIES_ACROSS])
    yield "overlap", _overlap_figure(study, effects.drops)


def wrapped(text: str, width: int = 30) -> str:
    """Text in lines, for a figure; where it can, it breaks after commas.

    Args:
        text: words of a label or title.
        width: highest number of characters in a line.

    Example:
        >>> wrapped("lodopab, photon noise, lam 0.01", 22)
        'lodopab, photon noise,\\nlam 0.01'
    """
    whole = ", ".join(part.replace(" ", _JOINT) if len(part) < width else part for part in text.split(", "))
    return literal("\n".join(textwrap.wrap(whole, width)).replace(_JOINT, " ") or text)


def _auc_figure(
    study: TransferStudy, controls: Sequence[Control], sources: Sequence[str], conditions: Sequence[str]
) -> Figure:
    """Panels in bands of a row for each condition."""
    shown = [one for one in study.settings if one.artifact != NO_ARTIFACT and {*sources} & {*study.sources_of(one)}]
    bands = math.ceil(len(shown) / _COLUMNS)
    columns = math.ceil(len(shown) / max(1, bands))
    figure = new_figure(max(5.2, 0.6 + min(4.2, 11 / max(1, columns)) * columns), 0.2 + bands * 2.6 * len(conditions))
    if not shown:
        return figure
    styles = {source: style for source, style in _looks(study.sources).items() if source in sources}
    rows: Rows = figure.subplots(bands * len(conditions), columns, squeeze=False).tolist()
    for place, row in enumerate(rows):
        condition = conditions[place % len(conditions)]
        own = shown[columns * (place // len(conditions)) :][:columns]
        row[0].set_ylabel(_AUCS[condition])
        for axes in row[len(own) :]:
            axes.remove()
        for axes, setting in zip(row, own, strict=False):
            hollow = {one.source for one in controls if one.setting == setting and not one.counts}
            _panel(axes, study, setting, condition, styles, hollow)
            if condition == conditions[0]:
                axes.set_title(wrapped(setting.title), fontsize="medium")
            if condition == conditions[-1]:
                axes.set_xlabel("fraction p with the artifact")
    for place in range(len(conditions)):
        _share_height([axes for row in rows[place :: len(conditions)] for axes in row if axes.figure is not None])
    legend_above(figure, list(styles.items()))
    return figure


def _panel(axes: Axes, study: TransferStudy, setting: Setting, condition: str, styles: Looks, hollow: set[str]) -> None:
    for place, (source, style) in enumerate(styles.items()):
        found = [(one.fraction, one.estimate(condition)) for one in study.of(setting, source)]
        shown = [(fraction, auc.mean, auc.sd) for fraction, auc in found if auc.folds]
        if not shown:
            continue
        fraction, mean, sd = np.array(shown).T
        aside = 0.011 * (place - (len(styles) - 1) / 2)  # so that bars do not hide each other
        bars = axes.errorbar(fraction + aside, mean, np.nan_to_num(sd), **style, markersize=5)
        bars.lines[0].set(markerfacecolor="white" if source in hollow else style["color"], linewidth=1.5)
        for bar in bars.lines[2]:
            bar.set(linewidth=0.9, alpha=0.6)
    axes.axhline(0.5, color="0.6", linewidth=0.8, linestyle=":")
    ticks: list[float] = []
    fractions = sorted({one.fraction for one in study.of(setting)})
    for fraction in fractions:  # those left out that would touch
        ticks += [fraction] if not ticks or fraction - ticks[-1] >= 0.09 else []
    axes.set_xticks(ticks, [f"{fraction:g}" for fraction in ticks])
    axes.set_xlim(-0.06, (max(fractions, default=0) or 1) + 0.06)
    tidy(axes)


def _share_height(panels: Sequence[Axes]) -> None:
    """One vertical axis for all panels, within what an AUC can be."""
    lows, highs = zip(*(axes.get_ylim() for axes in panels), strict=True)
    for axes in panels:
        axes.set_ylim(max(-0.02, min(lows)), min(1.02, max(highs)))


def _scatter(axes: Axes, drops: Sequence[AucDrop], when: str, styles: Looks, letters: Mapping[Setting, int]) -> None:
    for drop in drops:
        style, place = styles[drop.control.source], (drop.overlaps[when], drop.estimate.mean)
        face = style["color"] if drop.control.counts else "white"
        axes.plot(*place, **style | {"linestyle": ""}, markersize=6, markerfacecolor=face)
        if letters:
            letter = letters[drop.control.setting]
            aside = _ASIDE[letter % len(_ASIDE)]
            axes.annotate(ascii_lowercase[letter], place, aside, textcoords="offset points", fontsize=7)
    axes.axhline(0, color="0.35", linewidth=0.8, zorder=0)
    axes.locator_params(nbins=4)
    axes.margins(0.15)
    tidy(axes)


def _overlap_figure(study: TransferStudy, drops: Sequence[AucDrop]) -> Figure:
    points = {when: [drop for drop in drops if math.isfinite(drop.overlaps[when])] for when in WHEN}
    every = [drop for own in points.values() for drop in own]
    fractions = sorted({drop.fraction for drop in every})[-_FRACTIONS:]
    figure = new_figure(max(5.2, 0.6 + 2.15 * len(fractions)), 4.6)
    if not fractions:
        return figure
    styles, settings = _looks(study.sources), list(dict.fromkeys(drop.control.setting for drop in every))
    letters = {setting: place % 26 for place, setting in enumerate(settings)} if len(settings) > 1 else {}
    rows = figure.subplots(len(WHEN), len(fractions), squeeze=False, sharex=True, sharey=True)
    for when, row in zip(WHEN, rows, strict=True):
        for fraction, axes in zip(fractions, row, strict=True):
            _scatter(axes, [drop for drop in points[when] if drop.fraction == fraction], when, styles, letters)
        row[0].set_ylabel(f"{_WHEN[when]}\ndelta_ood")
    for fraction, top, bottom in zip(fractions, rows[0], rows[-1], strict=True):
        top.set_title(f"p = {fraction:g}", fontsize="medium")
        bottom.set_xlabel("overlap")
    legend_above(figure, [(source, style | {"linestyle": ""}) for source, style in styles.items()])
    if letters:
        named = "; ".join(f"{ascii_lowercase[letter]}: {setting.title}" for setting, letter in letters.items())
        figure.supxlabel(wrapped(named, int(13 * figure.get_figwidth())), fontsize="small")
    return figure


def _priority_figure(study: TransferStudy, settings: Sequence[Setting]) -> Figure:
    sources = [s for s in study.sources if any(study.of(setting, s) for setting in settings)]
    columns = len(settings)
    fractions = len({one.fraction for setting in settings for one in study.of(setting)})
    heights = [max(0.6, 0.35 + 0.12 * fractions)] * len(sources)
    figure = new_figure(1.6 + min(4.0, 10 / max(1, columns)) * max(1, columns), 2.6 + sum(heights))
    if not settings:
        return figure
    styles = _looks(study.sources)
    rows = figure.subplots(1 + len(sources), columns, squeeze=False, height_ratios=[2.2, *heights])
    meshes = []
    for setting, column in zip(settings, rows.T, strict=True):
        _curves(column[0], study, setting, styles)
        column[0].set_title(wrapped(setting.title, 36), fontsize="medium", pad=16)
        meshes += [_heat(axes, study, setting, source) for axes, source in zip(column[1:], sources, strict=True)]
        for axes in column[:-1]:
            axes.tick_params(labelbottom=False)
        column[-1].set_xlabel("spatial frequency (cycles / voxel)")
    rows[0, 0].set_ylabel("scaled to 0 … 1")
    for axes, source in zip(rows[1:, 0], sources, strict=True):
        axes.set_ylabel(wrapped(source, 12), rotation=0, ha="right", va="center")
    drawn = [mesh for mesh in meshes if mesh is not None]
    if drawn:
        figure.colorbar(drawn[0], ax=rows[1:, :].ravel().tolist(), label="learning priority", aspect=40, pad=0.02)
    looks = [(source, styles[source] | {"marker": ""}) for source in sources if source != RANDOM]
    legend_above(figure, [*looks, ("artifact", {"color": ARTIFACT, "linewidth": 2.4})])
    return figure


def _curves(axes: Axes, study: TransferStudy, setting: Setting, styles: Looks) -> None:
    found = {source: density.scaled() for source, density in study.priorities(setting)[0].items()}
    artifact = study.artifact(setting)
    if artifact:
        axes.plot(*artifact.scaled(), color=ARTIFACT, linewidth=2.4)
    for source, density in found.items():
        axes.plot(*density, color=styles[source]["color"], linestyle=styles[source]["linestyle"], linewidth=1.6)
    taken: list[float] = []
    for source, density in found.items():
        if not is_original(source) and data_of(source) in found:
            taken.append(_arrow(axes, found[data_of(source)], density, styles[source]["color"], taken))
    mark_bands(axes)
    axes.set(xlim=(0, 0.5), ylim=(-0.03, 1.06))
    tidy(axes)


def _arrow(axes: Axes, original: Density, edited: Density, color: str, taken: Sequence[float]) -> float:
    """From the one curve to the other, where they are furthest apart and no arrow is yet; returns the frequency."""
    moved = np.interp(original.frequencies, *edited)
    free = np.array([all(abs(one - other) > 0.04 for other in taken) for one in original.frequencies])
    place = int((np.abs(moved - original.values) * free).argmax())
    x, start, end = original.frequencies[place], original.values[place], moved[place]
    if abs(end - start) > 0.05:
        look = {"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(x, end), xytext=(x, start), arrowprops=look)
    return float(x)


def _heat(axes: Axes, study: TransferStudy, setting: Setting, source: str) -> QuadMesh | None:
    """Fractions from below to above; what there is no run of is left blank."""
    found = [(one.fraction, mean_of([*one.densities("after").values()])) for one in study.of(setting, source)]
    known = [(fraction, density) for fraction, density in found if density]
    axes.set(xlim=(0, 0.5), facecolor="0.93")
    if not known:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no run", transform=axes.transAxes, color="0.45", ha="center", va="center")
        return None
    frequencies, rows = on_one_axis(density.tensors() for _, density in known)
    kept = frequencies.numpy() > 0
    values = rows.numpy()[:, kept]
    middles = frequencies.numpy()[kept]
    edges = np.concatenate([[middles[0] / 2], (middles[1:] + middles[:-1]) / 2, [middles[-1]]])
    mesh = axes.pcolormesh(
        edges, np.arange(len(known) + 1) - 0.5, values, cmap="viridis", vmin=0, vmax=1, rasterized=True
    )
    names = [f"{fraction:g}" if place else f"p = {fraction:g}" for place, (fraction, _) in enumerate(known)]
    axes.set_yticks(range(len(known)), names, fontsize=7)
    return mesh


def _looks(sources: Sequence[str]) -> Looks:
    """Solid lines for originals, broken ones of the same colour for what is made from them."""
    ordered = in_order(sources)
    data = list(dict.fromkeys(data_of(source) for source in ordered))
    new = [name for name in data if name not in _KNOWN]
    colors = _KNOWN | {name: _COLORS[place % len(_COLORS)] for place, name in enumerate(new)}
    free = iter(_MARKERS[place % len(_MARKERS)] for place in range(len(ordered)))
    looks: dict[str, dict[str, Any]] = {}
    for source in ordered:
        name = data_of(source)
        before = sum(data_of(other) == name and not is_original(other) for other in looks)
        line = "-" if is_original(source) else _DASHES[before % len(_DASHES)]
        marker = _PLAIN[source] if source in _PLAIN else next(free)
        looks[source] = {"color": colors[name], "marker": marker, "linestyle": line}
    return looks
