"""Figures without a display."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["as_bytes", "as_drawn", "literal", "new_figure"]


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Figure without a window and outside matplotlib's global list, so that a long run does not pile figures up.

    Args:
        width: width in inches.
        height: height in inches.
        layout: layout engine: ``"constrained"`` to fit the margins, which takes most of the time of a small figure;
            None for fixed margins.

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
    """Content of a figure's file; the same figure gives the same bytes.

    Args:
        figure: figure to write.
        kind: file format, ``"png"`` or ``"svg"``.

    Example:
        >>> as_bytes(new_figure(1, 1), "png")[1:4]
        b'PNG'
    """
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "monai_freq"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def as_drawn(values: Any, name: str = "image") -> NDArray[Any]:
    """Numbers in a type that matplotlib and percentiles take: float64 if they have it, else float32.

    Args:
        values: array or tensor of any type.
        name: name of the argument.

    Raises:
        ValueError: the values are not real numbers.

    Example:
        >>> as_drawn(np.array([True, False])), as_drawn(np.array([3], ">u2")).dtype
        (array([1., 0.], dtype=float32), dtype('float32'))
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values if "float64" in str(values.dtype) or values.is_complex() else values.float()).numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"'{name}' must be of real numbers, got {array.dtype}.")
    wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    return array.astype(np.float64 if wide else np.float32, copy=False)


def literal(text: str) -> str:
    r"""Text for a figure without mathematics: dollar signs in users' names are escaped.

    Args:
        text: text that may have dollar signs.

    Example:
        >>> literal("5$ and 6$")
        '5\\$ and 6\\$'
    """
    return text.replace("$", r"\$")
