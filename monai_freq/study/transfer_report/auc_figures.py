"""AUC against the fraction of positives that have the artifact in training: the paper's Figures 2 and 4."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...figures import legend_above, new_figure, tidy
from ..source_labels import RANDOM, data_of, is_original
from .cells import NO_ARTIFACT, Setting, TransferStudy
from .effects import Control
from .statistics import estimate
from .styles import Style, styles_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["baseline_figure", "editing_figure"]

_NAMES = {"ood": "O.O.D. AUC", "iid": "I.I.D. AUC"}
_COLUMNS = 4


def baseline_figure(study: TransferStudy, controls: Sequence[Control]) -> Figure:
    """O.O.D. and I.I.D. AUC of the unedited sources: mean and SD over folds, a column for each setting.

    Args:
        study: the runs.
        controls: of the study; the marks of those that do not count are hollow.

    Reference:
        Y. Lu et al. (2025), Figure 2.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of
        >>> study = study_of(phantom_transfer())
        >>> figure = baseline_figure(study, controls_of(study))
        >>> [axes.get_ylabel() for axes in figure.axes], [text.get_text() for text in figure.legends[0].get_texts()]
        (['O.O.D. AUC', 'I.I.D. AUC'], ['imagenet', 'radimagenet', 'random'])
    """
    return _figure(study, controls, [source for source in study.sources if is_original(source)], ("ood", "iid"))


def editing_figure(study: TransferStudy, controls: Sequence[Control]) -> Figure:
    """O.O.D. AUC of the edited sources (broken lines) and of their originals (solid): mean and SD over folds.

    Args:
        study: the runs.
        controls: of the study; the marks of those that do not count are hollow.

    Reference:
        Y. Lu et al. (2025), Figure 4.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of
        >>> study = study_of(phantom_transfer())
        >>> figure = editing_figure(study, controls_of(study))
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['imagenet', 'radimagenet', 'imagenet lowpass', 'radimagenet whiten']
    """
    return _figure(study, controls, _edited_and_their_originals(study), ("ood",))


def _edited_and_their_originals(study: TransferStudy) -> list[str]:
    edited = {data_of(source) for source in study.sources if not is_original(source)}
    return [source for source in study.sources if data_of(source) in edited and source != RANDOM]


def _figure(
    study: TransferStudy, controls: Sequence[Control], sources: Sequence[str], conditions: Sequence[str]
) -> Figure:
    settings = [
        setting
        for setting in study.settings
        if setting.artifact != NO_ARTIFACT and any(cell.source in sources for cell in study.of(setting))
    ]
    bands = math.ceil(len(settings) / _COLUMNS)
    columns = math.ceil(len(settings) / max(1, bands))
    figure = new_figure(max(5.2, 0.6 + min(4.2, 11 / max(1, columns)) * columns), 0.2 + bands * 2.6 * len(conditions))
    styles = {source: style for source, style in styles_of(study.sources).items() if source in sources}
    rows: Sequence[Sequence[Axes]] = (
        figure.subplots(bands * len(conditions), columns, squeeze=False).tolist() if settings else []
    )
    for place, row in enumerate(rows):
        condition = conditions[place % len(conditions)]
        own = settings[columns * (place // len(conditions)) :][:columns]
        for axes in row[len(own) :]:
            axes.remove()
        for axes, setting in zip(row, own, strict=False):
            _panel(axes, study, setting, condition, styles, controls)
            if condition == conditions[0]:
                axes.set_title(wrapped(setting.title), fontsize="medium")
            if condition == conditions[-1]:
                axes.set_xlabel("fraction p with the artifact")
        row[0].set_ylabel(_NAMES[condition])
    _share_heights(rows, len(conditions))
    legend_above(figure, [(source, style.look) for source, style in styles.items()] if settings else [])
    return figure


def _panel(
    axes: Axes,
    study: TransferStudy,
    setting: Setting,
    condition: str,
    styles: dict[str, Style],
    controls: Sequence[Control],
) -> None:
    hollow = {one.source for one in controls if one.setting == setting and not one.counts}
    fractions = sorted({cell.fraction for cell in study.of(setting)})
    for place, (source, style) in enumerate(styles.items()):
        cells = study.of(setting, source)
        found = [(cell.fraction, estimate(cell.values(condition))) for cell in cells]
        shown = [(fraction, one.mean, one.sd) for fraction, one in found if one.folds]
        if not shown:
            continue
        fraction, mean, sd = np.array(shown).T
        aside = 0.011 * (place - (len(styles) - 1) / 2)  # so that bars do not hide each other
        face = "white" if source in hollow else style.color
        bars = axes.errorbar(fraction + aside, mean, np.nan_to_num(sd), **style.look, markersize=5)
        bars.lines[0].set(markerfacecolor=face, linewidth=1.5)
        for bar in bars.lines[2]:
            bar.set(linewidth=0.9, alpha=0.6)
    axes.axhline(0.5, color="0.6", linewidth=0.8, linestyle=":")
    _fractions_below(axes, fractions)
    tidy(axes)


def _fractions_below(axes: Axes, fractions: Sequence[float]) -> None:
    """Ticks at the fractions, those left out that would touch."""
    shown: list[float] = []
    for fraction in fractions:
        if not shown or fraction - shown[-1] >= 0.09:
            shown.append(fraction)
    axes.set_xticks(shown, [f"{fraction:g}" for fraction in shown])
    axes.set_xlim(-0.06, (max(fractions, default=0) or 1) + 0.06)


def _share_heights(rows: Sequence[Sequence[Axes]], conditions: int) -> None:
    """One vertical axis for all panels of a condition, within what an AUC can be."""
    for place in range(conditions):
        panels = [axes for row in rows[place::conditions] for axes in row if axes.figure is not None]
        limits = [axes.get_ylim() for axes in panels]
        for axes in panels:
            axes.set_ylim(max(-0.02, min(low for low, _ in limits)), min(1.02, max(high for _, high in limits)))
