"""Figures show the right planes, upright and in true proportions; no test depends on the layout."""

import io

import numpy as np
import pytest

from monai_freq.figures import PLANES, center_of, new_figure, show_plane, three_planes

SHAPE = (14, 11, 8)


def volume(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE).astype(np.float32)


def block(*corner: int, size: int = 3) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(slice(start, start + size) for start in corner)] = 1
    return mask


def drawn(figure) -> list[np.ndarray]:
    """Arrays of all images in a figure."""
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def outlines(axes) -> list[np.ndarray]:
    """Corners of every contour in ``axes``, as (x, y) in pixels of its image."""
    paths = [path for collection in axes.collections for path in collection.get_paths()]
    return [path.vertices for path in paths if len(path.vertices)]


@pytest.mark.parametrize("titles", [(), ("reference",), ("reference", "prediction")])
def test_every_plane_is_drawn_bare_and_with_each_mask(titles):
    figure = three_planes(volume(), {title: block(5, 4, 3) for title in titles}, title="la_003")
    shapes = [image.shape for image in drawn(figure)]
    for axis in PLANES.values():
        plane = tuple(n for other, n in enumerate(SHAPE) if other != axis)[::-1]
        assert shapes.count(plane) == 1 + len(titles)
    assert len(shapes) == 3 * (1 + len(titles))
    assert sum(bool(outlines(axes)) for axes in figure.axes) == 3 * len(titles)


@pytest.mark.parametrize("corner", [(1, 7, 4), (10, 2, 1)])
def test_planes_go_through_the_centre_of_the_first_mask(corner):
    image, mask = volume(), block(*corner)
    center = center_of(mask)
    assert center == tuple(start + 1 for start in corner)
    figure = three_planes(image, {"reference": mask, "prediction": block(5, 5, 5)})
    for axis in PLANES.values():
        plane = np.take(image, center[axis], axis).T
        assert sum(found.shape == plane.shape and np.array_equal(found, plane) for found in drawn(figure)) == 3


def test_without_masks_planes_go_through_the_middle():
    image = volume()
    for found, axis in zip(drawn(three_planes(image, {})), PLANES.values(), strict=True):
        np.testing.assert_array_equal(found, np.take(image, SHAPE[axis] // 2, axis).T)


def test_an_empty_mask_has_no_outline():
    empty = np.zeros(SHAPE, np.uint8)
    assert center_of(empty) == tuple(n // 2 for n in SHAPE)
    figure = three_planes(volume(), {"reference": block(5, 4, 3), "prediction": empty})
    assert sum(bool(outlines(axes)) for axes in figure.axes) == 3


@pytest.mark.parametrize("axis", PLANES.values())
def test_outlines_enclose_the_mask(axis):
    mask = block(2, 5, 3)
    axes = new_figure(3, 3).subplots()
    show_plane(axes, volume(), axis, center_of(mask)[axis], mask=mask)
    corners = np.concatenate(outlines(axes))
    first = [start for other, start in enumerate((2, 5, 3)) if other != axis]
    np.testing.assert_allclose(corners.min(0), np.array(first) - 0.5)  # half a voxel around the voxels' centres
    np.testing.assert_allclose(corners.max(0), np.array(first) + 2.5)


def test_every_class_has_an_outline_and_a_color_of_its_own():
    mask = block(1, 1, 3)
    mask[8:12, 5:9, 3:6] = 2
    axes = new_figure(3, 3).subplots()
    show_plane(axes, volume(), 2, 4, mask=mask)
    colors = {tuple(collection.get_edgecolor()[0]) for collection in axes.collections}
    assert len(outlines(axes)) == len(colors) == 2


def test_the_legend_names_the_classes_but_not_the_background():
    classes = {0: "background", 1: "left atrium", 2: "wall"}
    figure = three_planes(volume(), {"reference": block(5, 4, 3)}, classes=classes)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["left atrium", "wall"]
    assert not three_planes(volume(), {"reference": block(5, 4, 3)}).legends


def test_names_with_dollar_signs_are_drawn_as_they_are():
    name = r"$\frac 1$"  # a faulty formula, if it were one
    figure = three_planes(volume(), {name: block(5, 4, 3)}, classes={1: name}, title=name)
    figure.savefig(io.BytesIO())
    assert figure.legends[0].get_texts()[0].get_text() == r"\$\frac 1\$"


def brightest(axis: int, voxel: tuple[int, int, int]) -> tuple[float, float]:
    """Position of one bright voxel of a RAS volume: fractions of the picture from the left and from the bottom."""
    image = np.zeros(SHAPE, np.float32)
    image[voxel] = 1
    figure = new_figure(4, 4)
    show_plane(figure.subplots(), image, axis, voxel[axis])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].min(-1).astype(float)
    (left, bottom), (right, top) = figure.axes[0].get_window_extent().get_points()
    height = pixels.shape[0]
    inside = pixels[int(height - top) + 2 : int(height - bottom) - 1, int(left) + 2 : int(right) - 1]
    row, column = np.argwhere(inside > 200).mean(0)
    return column / inside.shape[1], 1 - row / inside.shape[0]


RIGHT, ANTERIOR, SUPERIOR = (12, 5, 4), (7, 10, 4), (7, 5, 7)  # voxels far out along each axis of a RAS volume


@pytest.mark.parametrize(
    ("plane", "voxel", "side"),
    [
        ("axial", RIGHT, "left"),  # the radiological convention
        ("axial", ANTERIOR, "top"),
        ("coronal", RIGHT, "left"),
        ("coronal", SUPERIOR, "top"),
        ("sagittal", ANTERIOR, "right"),
        ("sagittal", SUPERIOR, "top"),
    ],
)
def test_orientation(plane, voxel, side):
    across, up = brightest(PLANES[plane], voxel)
    position = {"left": 1 - across, "right": across, "top": up}[side]
    assert position > 0.8
    other = across if side == "top" else up
    assert other == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("axis", PLANES.values())
def test_proportions_are_those_of_the_body(axis):
    spacing = (0.8, 1.5, 4.0)
    figure = new_figure(5, 5)
    axes = figure.subplots()
    show_plane(axes, volume(), axis, 2, spacing)
    figure.canvas.draw()
    extent = axes.get_window_extent()
    width, height = (n * step for other, (n, step) in enumerate(zip(SHAPE, spacing, strict=True)) if other != axis)
    assert extent.height / extent.width == pytest.approx(height / width, rel=0.02)


@pytest.mark.parametrize("shape", [(14, 11, 7), (11, 14, 8), (14, 11)])
def test_a_mask_of_another_shape_is_refused(shape):
    masks = {"reference": block(5, 4, 3), "prediction": np.zeros(shape, np.uint8)}
    with pytest.raises(ValueError, match="'prediction' has") as caught:
        three_planes(volume(), masks)
    assert str(SHAPE) in str(caught.value)
    assert str(shape) in str(caught.value)
