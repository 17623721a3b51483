"""Figures without a display."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["as_bytes", "literal", "new_figure"]


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Figure that belongs to no window and to no global list, so that a long run does not pile them up.

    Args:
        width: in inches.
        height: in inches.
        layout: fit the margins to what is drawn, which takes most of the time of a small figure, or leave them.

    Example:
        >>> new_figure(3, 2).get_size_inches().tolist()
        [3.0, 2.0]
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def as_bytes(figure: Figure, kind: str) -> bytes:
    """Figure as a file, the same for the same figure.

    Args:
        figure: to write.
        kind: ``"png"`` or ``"svg"``.

    Example:
        >>> as_bytes(new_figure(1, 1), "png")[1:4]
        b'PNG'
    """
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "monai_freq"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def literal(text: str) -> str:
    r"""Text for a figure as it is: users' names are no mathematics.

    Args:
        text: that may have dollar signs.

    Example:
        >>> literal("5$ and 6$")
        '5\\$ and 6\\$'
    """
    return text.replace("$", r"\$")
