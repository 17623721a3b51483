"""Do the sources whose learning priority overlaps with the artifact fall deepest?"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING

from ...figures import legend_above, new_figure, tidy
from .cells import Setting, TransferStudy
from .effects import Fall
from .priorities import WHEN, Point, points_of
from .styles import Style, styles_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["overlap_figure"]

_NAMES = {"before": "before fine-tuning", "after": "after it, p = 0"}
_PANELS = 5
#: of the letter from its point, in points, so that those of two settings with alike values do not meet
_ASIDE = ((4, 2), (-9, 2), (4, -8), (-9, -8))


def overlap_figure(study: TransferStudy, falls: Sequence[Fall]) -> Figure:
    r"""delta_ood against the overlap, a column for each fraction, the learning priority before and after in rows.

    Args:
        study: the runs.
        falls: of the study; the marks of sources that do not count are hollow.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of, falls_of
        >>> study = study_of(phantom_transfer())
        >>> figure = overlap_figure(study, falls_of(study, controls_of(study)))
        >>> [axes.get_title() for axes in figure.axes], [axes.get_ylabel() for axes in figure.axes]
        (['p = 0.5', ''], ['before fine-tuning\ndelta_ood', 'after it, p = 0\ndelta_ood'])
    """
    points = {when: points_of(study, falls, when) for when in WHEN}
    fractions = sorted({point.fall.fraction for ones in points.values() for point in ones})[-_PANELS:]
    figure = new_figure(max(5.2, 0.6 + 2.15 * len(fractions)), 4.6)
    if not fractions:
        return figure
    styles = styles_of(study.sources)
    settings = list(dict.fromkeys(point.fall.control.setting for ones in points.values() for point in ones))
    letters = {setting: ascii_lowercase[place % 26] for place, setting in enumerate(settings)}
    rows = figure.subplots(len(WHEN), len(fractions), squeeze=False, sharex=True, sharey=True)
    for when, row in zip(WHEN, rows, strict=True):
        for fraction, axes in zip(fractions, row, strict=True):
            own = [point for point in points[when] if point.fall.fraction == fraction]
            _scatter(axes, own, styles, letters if len(settings) > 1 else {})
        row[0].set_ylabel(f"{_NAMES[when]}\ndelta_ood")
    for fraction, axes in zip(fractions, rows[0], strict=True):
        axes.set_title(f"p = {fraction:g}", fontsize="medium")
    for axes in rows[-1]:
        axes.set_xlabel("overlap")
    looks = [(source, style.look | {"linestyle": ""}) for source, style in styles.items()]
    legend_above(figure, looks)
    if len(settings) > 1:
        named = [f"{letter}: {setting.title}" for setting, letter in letters.items()]
        figure.supxlabel(wrapped("; ".join(named), int(13 * figure.get_figwidth())), fontsize="small")
    return figure


def _scatter(axes: Axes, points: Sequence[Point], styles: dict[str, Style], letters: dict[Setting, str]) -> None:
    for point in points:
        control = point.fall.control
        style = styles[control.source]
        face = style.color if control.counts else "white"
        axes.plot(point.overlap, point.delta, **style.look | {"linestyle": ""}, markersize=6, markerfacecolor=face)
        if letters:
            letter = letters[control.setting]
            aside = _ASIDE[ascii_lowercase.index(letter) % len(_ASIDE)]
            axes.annotate(letter, (point.overlap, point.delta), aside, textcoords="offset points", fontsize=7)
    axes.axhline(0, color="0.35", linewidth=0.8, zorder=0)
    axes.locator_params(nbins=4)
    axes.margins(0.15)
    tidy(axes)
