"""Cases in three planes, one row each: with their regions, or split into low and high frequencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .canvas import as_drawn, literal, new_figure
from .planes import PLANES, center_of, color_of, show_plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["DrawnCase", "show_bands", "show_regions"]

Volume = NDArray[np.float32]

_WIDTH, _HEAD = 9.0, 0.42  # width of a row and height of its heading, in inches
_GAP = 0.08  # gap between the two halves of a row, as a share of a half


class DrawnCase(NamedTuple):
    """A case to draw.

    Args:
        title: title above the row of the case.
        image: image ``(X, Y, Z)`` in RAS orientation.
        label: class numbers ``(X, Y, Z)``, 0 for the background.
        low: low frequencies of the image.
        high: high frequencies of the image.
        spacing: voxel size along each axis, in mm.
        classes: class number -> name, foreground only.

    Example:
        >>> volume = np.random.rand(8, 9, 7).astype("f4")
        >>> case = DrawnCase("phantom", volume, volume > 0.9, volume, volume - 0.5, (1, 1, 2), {1: "spots"})
        >>> case.image.shape == case.label.shape
        True
    """

    title: str
    image: Volume
    label: NDArray[np.integer]
    low: Volume
    high: Volume
    spacing: Sequence[float]
    classes: Mapping[int, str]


class _Half(NamedTuple):
    """Three planes of one volume."""

    name: str
    volume: Volume
    limits: Sequence[float]
    mask: NDArray[np.integer] | None = None


def show_regions(cases: Sequence[DrawnCase]) -> Figure:
    """Each case in three planes through the centre of its regions, without and with the outlines of the regions.

    Args:
        cases: cases, one for each row.

    Reference:
        G. Fu et al. (2024), Figure 3, https://doi.org/10.1117/12.2692286.

    Example:
        >>> volume = np.random.rand(8, 9, 7).astype("f4")
        >>> case = DrawnCase("phantom", volume, volume > 0.9, volume, volume, (1, 1, 2), {1: "spots"})
        >>> len(show_regions([case]).subfigs[0].axes)
        6
    """
    return _rows(cases, lambda case: (_grey("image", case.image), _grey("regions", case.image, case.label)), True)


def show_bands(cases: Sequence[DrawnCase]) -> Figure:
    """Low and high frequencies of each case in three planes through the centre of its regions.

    The low frequencies have the grey levels of the image. The high ones have their own, with zero as the middle grey.

    Args:
        cases: cases, one for each row.

    Reference:
        G. Fu et al. (2024), Figure 4, https://doi.org/10.1117/12.2692286.

    Example:
        >>> volume = np.random.rand(8, 9, 7).astype("f4")
        >>> case = DrawnCase("phantom", volume, volume > 0.9, volume, volume - 0.5, (1, 1, 2), {1: "spots"})
        >>> [axes.get_title() for axes in show_bands([case]).subfigs[0].axes][1::3]
        ['low frequencies', 'high frequencies']
    """
    return _rows(cases, lambda case: (_low(case), _high(case)), False)


def _grey(name: str, image: Volume, mask: NDArray[np.integer] | None = None) -> _Half:
    return _Half(name, image, [float(limit) for limit in np.percentile(as_drawn(image), [0.5, 99.5])], mask)


def _low(case: DrawnCase) -> _Half:
    return _Half("low frequencies", case.low, _grey("", case.image).limits)


def _high(case: DrawnCase) -> _Half:
    most = float(np.percentile(np.abs(as_drawn(case.high)), 99.5)) or 1.0
    return _Half("high frequencies", case.high, (-most, most))


def _rows(cases: Sequence[DrawnCase], halves: Callable[[DrawnCase], tuple[_Half, _Half]], legend: bool) -> Figure:
    heights = [_HEAD + _WIDTH * _height(case) for case in cases]
    figure = new_figure(_WIDTH, sum(heights), layout=None)
    rows = figure.subfigures(len(cases), 1, height_ratios=heights, squeeze=False)[:, 0]
    for row, case, height in zip(rows, cases, heights, strict=True):
        _row(row, case, halves(case), _HEAD / height)
        row.text(0.01, 1 - 0.5 * _HEAD / height, literal(case.title), weight="bold", va="center")
        if legend:
            _legend(row, case.classes, 1 - 0.5 * _HEAD / height)
    return figure


def _widths(case: DrawnCase) -> list[float]:
    """Widths of the planes in mm, in the order of ``PLANES``."""
    size = [n * step for n, step in zip(case.image.shape, case.spacing, strict=True)]
    return [size[0] if axis else size[1] for axis in PLANES.values()]


def _height(case: DrawnCase) -> float:
    """Height of the tallest plane, as a share of the width of a row."""
    size = [n * step for n, step in zip(case.image.shape, case.spacing, strict=True)]
    return float(max(size[1:]) / (sum(_widths(case)) * (2 + _GAP)))


def _row(row: SubFigure, case: DrawnCase, halves: Sequence[_Half], head: float) -> None:
    widths, center = _widths(case), center_of(case.label)
    grid = row.add_gridspec(
        1, 7, width_ratios=[*widths, _GAP * sum(widths), *widths], wspace=0.02, left=0, right=1, bottom=0, top=1 - head
    )
    for half, first in zip(halves, (0, 4), strict=True):
        for column, axis in enumerate(PLANES.values(), start=first):
            axes = row.add_subplot(grid[column])
            show_plane(axes, half.volume, axis, center[axis], case.spacing, limits=half.limits, mask=half.mask)
            axes.set_anchor("N")
            axes.set_axis_off()
            if column == first + 1:
                axes.set_title(half.name, fontsize="small", pad=3)


def _legend(row: SubFigure, classes: Mapping[int, str], height: float) -> None:
    names = sorted(classes.items(), reverse=True)
    for place, (number, name) in enumerate(names):
        text, color = literal(name), color_of(number)
        row.text(0.99 - 0.17 * place, height, text, color=color, weight="bold", ha="right", va="center")
