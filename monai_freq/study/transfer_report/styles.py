"""How a source looks in every figure: a colour for its data, a line and a mark for what was done to it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...figures import literal
from ...figures.palette import BLUE, BLUISH_GREEN, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION, WINE
from ..source_labels import RANDOM, data_of, in_order, is_original

__all__ = ["ARTIFACT", "Style", "styles_of", "wrapped"]

#: green, as the paper draws artifacts
ARTIFACT = BLUISH_GREEN

_KNOWN = {"imagenet": BLUE, "radimagenet": VERMILLION, RANDOM: "#595959"}
_COLORS = (REDDISH_PURPLE, ORANGE, WINE, SKY_BLUE)
_PLAIN = {"imagenet": "o", "radimagenet": "s", RANDOM: "X"}
_MARKERS = "^Dv<>Ph*"
_JOINT = "\N{NO-BREAK SPACE}"
_DASHES = ((0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (4, 1.5)))


class Style(NamedTuple):
    """Of a source.

    Example:
        >>> Style("black", "o", "-").marker
        'o'
    """

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
