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


def as_drawn(values: Any, name: str = "image") -> NDArray[Any]:
    """Numbers in float32, or in float64 if they are, as matplotlib and percentiles take them; of any type of NumPy's.

    Args:
        values: array, or tensor.
        name: of the argument.

    Raises:
        ValueError: they are no real numbers.

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
    r"""Text for a figure as it is: users' names are no mathematics.

    Args:
        text: that may have dollar signs.

    Example:
        >>> literal("5$ and 6$")
        '5\\$ and 6\\$'
    """
    return text.replace("$", r"\$")
