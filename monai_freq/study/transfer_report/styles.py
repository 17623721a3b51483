"""How a source looks in every figure: a colour for its data, a line and a mark for what was done to it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...figures import literal
from .cells import RANDOM, data_of, in_order, is_original

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ARTIFACT", "Style", "legend", "styles_of", "tidy", "wrapped"]

#: green, as the paper draws artifacts
ARTIFACT = "#009E73"

#: of the palettes of Okabe and Ito and of Tol, which remain distinct under the common colour deficiencies
_KNOWN = {"imagenet": "#0072B2", "radimagenet": "#D55E00", RANDOM: "#595959"}
_COLORS = ("#CC79A7", "#E69F00", "#882255", "#56B4E9")
_PLAIN = {"imagenet": "o", "radimagenet": "s", RANDOM: "X"}
_MARKERS = "^Dv<>Ph*"
_JOINT = "\N{NO-BREAK SPACE}"
_DASHES = ((0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (4, 1.5)))


class Style(NamedTuple):
    """Of a source."""

    color: str
    marker: str
    line: Any

    @property
    def look(self) -> dict[str, Any]:
        """As arguments of a line.

        Example:
            >>> Style("black", "o", "-").look
            {'color': 'black', 'marker': 'o', 'linestyle': '-'}
        """
        return {"color": self.color, "marker": self.marker, "linestyle": self.line}


def styles_of(sources: Sequence[str]) -> dict[str, Style]:
    """Solid lines for originals, broken ones of the same colour for what is made from them.

    Args:
        sources: labels of all sources of the study.

    Example:
        >>> styles = styles_of(["imagenet", "imagenet lowpass", "random"])
        >>> [style.color for style in styles.values()]
        ['#0072B2', '#595959', '#0072B2']
        >>> styles["imagenet lowpass"].line
        (0, (1.2, 1.2))
    """
    ordered = in_order(sources)
    data = list(dict.fromkeys(data_of(source) for source in ordered))
    new = [name for name in data if name not in _KNOWN]
    colors = _KNOWN | {name: _COLORS[place % len(_COLORS)] for place, name in enumerate(new)}
    free = iter(_MARKERS[place % len(_MARKERS)] for place in range(len(ordered)))
    styles: dict[str, Style] = {}
    for source in ordered:
        name = data_of(source)
        before = sum(data_of(other) == name and not is_original(other) for other in styles)
        line = "-" if is_original(source) else _DASHES[before % len(_DASHES)]
        marker = _PLAIN[source] if source in _PLAIN else next(free)
        styles[source] = Style(colors[name], marker, line)
    return styles


def legend(figure: Figure, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Legend above a figure, which grows by its height.

    Args:
        figure: of panels.
        entries: text, and how its line looks.

    Example:
        >>> from monai_freq.figures import new_figure
        >>> figure = new_figure(4, 2)
        >>> legend(figure, [("imagenet", styles_of(["imagenet"])["imagenet"].look)])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['imagenet']
    """
    from matplotlib.lines import Line2D

    if not entries:
        return
    lines = [Line2D([], [], markersize=5, label=literal(text), **look) for text, look in entries]
    longest = 0.6 + 0.085 * max(len(text) for text, _ in entries)  # inches, about
    columns = max(1, min(len(lines), int(figure.get_figwidth() / longest)))
    figure.set_figheight(figure.get_figheight() + 0.1 + 0.2 * math.ceil(len(lines) / columns))
    figure.legend(handles=lines, loc="outside upper center", ncols=columns, frameon=False, handlelength=3)


def tidy(axes: Axes) -> None:
    """Light horizontal lines, no box.

    Args:
        axes: of a panel.

    Example:
        >>> from monai_freq.figures import new_figure
        >>> tidy(new_figure(2, 2).subplots())
    """
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def wrapped(text: str, width: int = 30) -> str:
    """Text in lines, for a figure; where it can, it breaks after commas.

    Args:
        text: to break.
        width: most characters in a line.

    Example:
        >>> wrapped("lodopab, photon noise, lam 0.01", 22)
        'lodopab, photon noise,\\nlam 0.01'
    """
    whole = ", ".join(part.replace(" ", _JOINT) if len(part) < width else part for part in text.split(", "))
    return literal("\n".join(textwrap.wrap(whole, width)).replace(_JOINT, " ") or text)
