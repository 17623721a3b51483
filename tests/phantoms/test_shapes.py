"""Shapes have the volumes and distances of geometry, and a canvas keeps them."""

import numpy as np
import pytest

from monai_freq.phantoms.canvas import Canvas, block_mean, centred_affine, fine_canvas
from monai_freq.phantoms.shapes import Cut, Ellipsoid, Inside, SoftUnion, Tube, polyline, rotation

TURN = rotation((20, -35, 50))
SHAPES = [
    Ellipsoid((1, -2, 3), (9, 6, 7), TURN),
    Ellipsoid((1, -2, 3), (9, 6, 7), TURN, exponent=4),
    Tube((-6, 2, -5), (7, -3, 6), 4, 2),
    SoftUnion([Tube((-6, 0, 0), (6, 0, 0), 4), Ellipsoid((0, 4, 0), (5, 5, 5))], softness=2),
    polyline([(-8, 0, 0), (0, 0, 0), (0, 8, 3)], radius=3),
    Cut(Ellipsoid((1, -2, 3), (9, 6, 7), TURN), (1, -2, 4), (0.3, 0, 2)),
    Inside(Ellipsoid((1, -2, 3), (9, 6, 7), TURN), Ellipsoid((5, -2, 3), (8, 8, 8))),
]


def grid(half: float = 16, step: float = 0.5) -> list[np.ndarray]:
    axis = np.arange(-half + step / 2, half, step, dtype=np.float32)
    return np.meshgrid(axis, axis, axis, indexing="ij")


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (Ellipsoid((1, 2, 0), (9, 6, 7), TURN), 4 / 3 * np.pi * 9 * 6 * 7),
        (Tube((0.1, 0.2, -6), (0.1, 0.2, 6), 4), np.pi * 4**2 * 12 + 4 / 3 * np.pi * 4**3),
        (Cut(Ellipsoid((0, 0, 0), (8, 8, 8)), (0, 0, 0), (0, 3, 0)), 2 / 3 * np.pi * 8**3),
        (Inside(Ellipsoid((-4, 0, 0), (8, 8, 8)), Ellipsoid((4, 0, 0), (8, 8, 8))), 2 * np.pi * 4**2 * (3 * 8 - 4) / 3),
    ],
)
def test_volumes_are_those_of_geometry(shape, volume):
    inside = (shape.distance(grid()) < 0).sum() * 0.5**3
    assert inside == pytest.approx(volume, rel=0.02)
    canvas = Canvas((32, 32, 32), (1, 1, 1), (-15.5, -15.5, -15.5))
    canvas.paint(shape, 2.0, label=1)
    assert canvas.layers[1].sum() == pytest.approx(volume, rel=0.02)
    np.testing.assert_allclose(canvas.layers[0], 2 * canvas.layers[1], atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_bounds_hold_the_shape(shape):
    points = grid()
    inside = shape.distance(points) < 0
    low, high = shape.bounds()
    assert inside.any()
    for axis, a, b in zip(points, low, high, strict=True):
        assert a <= axis[inside].min() <= axis[inside].max() <= b


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_distances_grow_by_a_millimetre_a_millimetre_at_the_surface(shape):
    distance = shape.distance(grid())
    slope = np.sqrt(sum(g**2 for g in np.gradient(distance, 0.5)))
    surface = np.abs(distance) < 0.4
    assert 0.8 < np.median(slope[surface]) < 1.2


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_an_open_grid_gives_what_the_full_grid_gives(shape):
    axes = [np.arange(-10, 10, size, dtype=np.float32) for size in (1.0, 1.3, 2.0)]
    full = shape.distance(np.meshgrid(*axes, indexing="ij"))
    np.testing.assert_allclose(shape.distance(np.meshgrid(*axes, indexing="ij", sparse=True)), full, atol=1e-4)


def test_rotations_are_orthonormal_and_keep_handedness():
    np.testing.assert_allclose(TURN @ TURN.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(TURN) == pytest.approx(1)


def test_what_is_painted_later_hides_what_is_there():
    canvas = Canvas((32, 32, 32), (1, 1, 1), (-15.5, -15.5, -15.5), labels=2)
    canvas.paint(Ellipsoid((0, 0, 0), (10, 10, 10)), 1.0, label=1)
    canvas.paint(Ellipsoid((0, 0, 0), (6, 6, 6)), 0.5, label=2)
    assert canvas.layers[1:].sum(0).max() <= 1 + 1e-6
    assert canvas.layers[1, 16, 16, 16] == 0
    assert canvas.layers[2].sum() == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    assert canvas.layers[1].sum() == pytest.approx(4 / 3 * np.pi * (10**3 - 6**3), rel=0.02)


def test_opacity_tints():
    canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5))
    canvas.paint(Ellipsoid((0, 0, 0), (50, 50, 50)), 1.0)
    canvas.paint(Ellipsoid((0, 0, 0), (50, 50, 50)), 0.0, opacity=0.25)
    np.testing.assert_allclose(canvas.layers[0], 0.75, atol=1e-6)


@pytest.mark.parametrize("centre", [(100, 0, 0), (0, -100, 0), (0, 0, 60)])
def test_a_shape_outside_the_canvas_changes_nothing(centre):
    canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5))
    canvas.paint(Ellipsoid(centre, (8, 8, 8)), 1.0, label=1)
    assert not canvas.layers.any()


def test_block_means_keep_the_mean():
    layers = np.random.default_rng(0).random((2, 8, 6, 4), dtype=np.float32)
    means = block_mean(layers, 2)
    assert means.shape == (2, 4, 3, 2)
    assert means[1, 2, 1, 0] == pytest.approx(layers[1, 4:6, 2:4, 0:2].mean())


def test_the_two_sides_of_a_cut_make_the_whole():
    ball = Ellipsoid((0, 0, 0), (9, 9, 9))
    sides = [Cut(ball, (1, 2, 0), normal) for normal in ((1, 2, 3), (-1, -2, -3))]
    one, other = (side.distance(grid()) for side in sides)
    assert not ((one < 0) & (other < 0)).any()
    np.testing.assert_array_equal((one <= 0) | (other <= 0), ball.distance(grid()) <= 0)


def test_an_affine_puts_the_middle_of_the_field_of_view_where_it_is_asked_for():
    size, field = np.array([20, 30, 16]), np.array([100, 120, 64])
    affine = centred_affine(size, field, shift=(3, -2, 5))
    corners = [affine @ [*corner, 1] for corner in (np.full(3, -0.5), size - 0.5)]
    np.testing.assert_allclose(0.5 * (corners[0] + corners[1]), [3, -2, 5, 1])
    np.testing.assert_allclose((corners[1] - corners[0])[:3], field)


@pytest.mark.parametrize(("field", "factor"), [((80, 80, 60), 2), ((32, 32, 24), 1)])
def test_a_fine_canvas_covers_the_image_whatever_its_grid(field, factor):
    size = (16, 16, 12)
    affine = centred_affine(size, field)
    canvas, found = fine_canvas(size, affine)
    assert found == factor
    radius = 0.3 * min(field)
    canvas.paint(Ellipsoid((0, 0, 0), (radius,) * 3), 1.0, label=1)
    image = block_mean(canvas.layers, found)[1]
    assert image.shape == size
    assert image.sum() * np.linalg.det(affine) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    centre = affine[:3, :3] @ [np.average(axis, weights=image) for axis in np.indices(size)] + affine[:3, 3]
    np.testing.assert_allclose(centre, 0, atol=1e-3)
