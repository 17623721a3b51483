"""Style of a figure of several panels: one legend above them, and light lines instead of boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .canvas import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["legend_above", "tidy"]


def legend_above(figure: Figure, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Put a legend above a figure, which grows by the height of the legend.

    Args:
        figure: figure of panels.
        entries: text of each entry, and the arguments of its line.

    Example:
        >>> from monai_freq.figures import new_figure
        >>> figure = new_figure(4, 2)
        >>> legend_above(figure, [("imagenet", {"color": "black", "marker": "o"})])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['imagenet']
    """
    from matplotlib.lines import Line2D

    if not entries:
        return
    lines = [Line2D([], [], markersize=5, label=literal(text), **look) for text, look in entries]
    longest = 0.6 + 0.085 * max(len(text) for text, _ in entries)  # about, in inches
    columns = max(1, min(len(lines), int(figure.get_figwidth() / longest)))
    figure.set_figheight(figure.get_figheight() + 0.1 + 0.2 * math.ceil(len(lines) / columns))
    figure.legend(handles=lines, loc="outside upper center", ncols=columns, frameon=False, handlelength=3)


def tidy(axes: Axes) -> None:
    """Give a panel light horizontal lines, and no box.

    Args:
        axes: axes of the panel.

    Example:
        >>> from monai_freq.figures import new_figure
        >>> axes = new_figure(2, 2).subplots()
        >>> tidy(axes)
        >>> {side: spine.get_visible() for side, spine in axes.spines.items()}
        {'left': True, 'right': False, 'bottom': True, 'top': False}
    """
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
