"""Volumes in three planes, with the outlines of segmentations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .canvas import as_drawn, literal, new_figure
from .palette import BLUISH_GREEN, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION, YELLOW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PLANES", "center_of", "color_of", "show_plane", "three_planes"]

#: name of a plane -> axis of a volume in RAS orientation that is normal to it
PLANES = {"axial": 2, "coronal": 1, "sagittal": 0}

_COLORS = (ORANGE, SKY_BLUE, BLUISH_GREEN, YELLOW, REDDISH_PURPLE, VERMILLION)


def three_planes(
    image: NDArray[np.float32],
    masks: Mapping[str, NDArray[np.integer]],
    *,
    spacing: Sequence[float] = (1, 1, 1),
    classes: Mapping[int, str] | None = None,
    title: str = "",
) -> Figure:
    """Volume in three planes, without and with the outlines of each segmentation.

    Each plane has a row. The bare image and each segmentation have a column. The planes go through the centre of the
    first segmentation.

    Args:
        image: image ``(X, Y, Z)`` in RAS orientation.
        masks: title -> class numbers ``(X, Y, Z)``, 0 for the background.
        spacing: voxel size along each axis, in mm.
        classes: class number -> name, for the legend.
        title: title above the figure.

    Raises:
        ValueError: image and masks differ in shape.

    Example:
        >>> figure = three_planes(np.zeros((8, 9, 7), "f4"), {"reference": np.ones((8, 9, 7), "u1")})
        >>> len(figure.axes)
        6
    """
    for name, mask in masks.items():
        if mask.shape != image.shape:
            raise ValueError(f"'masks' must have the shape {image.shape} of the image, '{name}' has {mask.shape}.")
    center = center_of(next(iter(masks.values()))) if masks else tuple(n // 2 for n in image.shape)
    heights = [_height_to_width(image.shape, spacing, axis) for axis in PLANES.values()]
    columns = ["image", *masks]
    figure = new_figure(0.4 + 2.1 * len(columns), 0.9 + 2.0 * sum(heights))
    axes = figure.subplots(len(PLANES), len(columns), squeeze=False, height_ratios=heights)
    image, masks = as_drawn(image), {name: as_drawn(mask, "masks") for name, mask in masks.items()}
    limits = [float(limit) for limit in np.percentile(image, [0.5, 99.5])]
    for row, (plane, axis) in zip(axes, PLANES.items(), strict=True):
        row[0].set_ylabel(plane)
        for cell, name in zip(row, columns, strict=True):
            show_plane(cell, image, axis, center[axis], spacing, limits=limits, mask=masks.get(name))
    for cell, name in zip(axes[0], columns, strict=True):
        cell.set_title(literal(name), fontsize="medium")
    _legend(figure, classes or {})
    if title:
        figure.suptitle(literal(title))
    return figure


def show_plane(
    axes: Axes,
    image: NDArray[np.float32],
    axis: int,
    index: int,
    spacing: Sequence[float] = (1, 1, 1),
    *,
    limits: Sequence[float] | None = None,
    mask: NDArray[np.integer] | None = None,
) -> None:
    """Draw one plane of a volume, upright and in its true proportions.

    The plane is in the radiological convention: the patient's right is on the left of axial and coronal planes.

    Args:
        axes: axes to draw on.
        image: image ``(X, Y, Z)`` in RAS orientation.
        axis: axis of the volume that is normal to the plane.
        index: index of the plane along that axis.
        spacing: voxel size along each axis, in mm.
        limits: intensities of black and white; by default those of the plane.
        mask: class numbers ``(X, Y, Z)``, whose outlines are drawn.

    Example:
        >>> axes = new_figure(2, 2).subplots()
        >>> image = np.arange(120.0, dtype="f4").reshape(4, 5, 6)
        >>> show_plane(axes, image, axis=2, index=3, spacing=(1, 2, 5))
        >>> axes.images[0].get_array().shape, float(axes.get_aspect()), bool(axes.xaxis_inverted())  # rows are along Y
        ((5, 4), 2.0, True)
    """
    aspect = [step for other, step in enumerate(spacing) if other != axis]
    low, high = (None, None) if limits is None else limits
    plane = np.take(as_drawn(image), index, axis).T
    axes.imshow(plane, cmap="gray", origin="lower", aspect=aspect[1] / aspect[0], vmin=low, vmax=high)
    axes.set_xticks([])
    axes.set_yticks([])
    if axis != 0:
        axes.invert_xaxis()
    if mask is None or min(plane.shape) < 2:  # a plane one voxel thick has no outline
        return
    outline = np.take(as_drawn(mask, "mask"), index, axis).T
    for number in np.unique(outline[outline > 0]):
        axes.contour(outline == number, levels=[0.5], colors=[color_of(int(number))], linewidths=1.4)


def center_of(mask: NDArray[np.integer]) -> tuple[int, ...]:
    """Voxel nearest to the centre of the foreground; without a foreground, the middle of the volume.

    Args:
        mask: class numbers ``(X, Y, Z)``, 0 for the background.

    Example:
        >>> center_of(np.eye(3, dtype=int)[:, :, None])
        (1, 1, 0)
    """
    found = np.argwhere(as_drawn(mask, "mask") > 0)
    if not len(found):
        return tuple(n // 2 for n in mask.shape)
    return tuple(round(float(value)) for value in found.mean(0))


def _height_to_width(shape: Sequence[int], spacing: Sequence[float], axis: int) -> float:
    width, height = (n * step for other, (n, step) in enumerate(zip(shape, spacing, strict=True)) if other != axis)
    return height / width


def color_of(number: int) -> str:
    """Colour of the outline of a class.

    Args:
        number: number of the class, from 1.

    Example:
        >>> color_of(1)
        '#E69F00'
    """
    return _COLORS[(number - 1) % len(_COLORS)]


def _legend(figure: Figure, classes: Mapping[int, str]) -> None:
    from matplotlib.lines import Line2D

    shown = [(color_of(number), literal(name)) for number, name in classes.items() if number > 0]
    lines = [Line2D([], [], color=color, label=text) for color, text in shown]
    if lines:
        figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)
