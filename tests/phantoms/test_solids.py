"""Solids have the volumes and distances of geometry, and a canvas keeps them."""

import numpy as np
import pytest

from monai_freq.phantoms.canvas import Canvas, draw_look, scan_canvas
from monai_freq.phantoms.solids import (
    Frame,
    chain,
    crenated,
    ellipsoid,
    half_space,
    polyline,
    rotation,
    soft_union,
    tube,
    tubes,
)

TURN = rotation((20, -35, 50))
SHAPES = {
    "ellipsoid": ellipsoid((1, -2, 3), (9, 6, 7), TURN),
    "superellipsoid": ellipsoid((1, -2, 3), (9, 6, 7), TURN, exponent=4),
    "tube": tube((-6, 2, -5), (7, -3, 6), 4, 2),
    "union": soft_union([tube((-6, 0, 0), (6, 0, 0), 4), ellipsoid((0, 4, 0), (5, 5, 5))], softness=2),
    "polyline": polyline([(-8, 0, 0), (0, 0, 0), (0, 8, 3)], radius=3),
    "chain": soft_union(chain([(-8, 0, 0), (0, 0, 0), (0, 8, 3)], radius=[2, 4, 3]), softness=1),
    "cut": ellipsoid((1, -2, 3), (9, 6, 7), TURN) & half_space((1, -2, 4), (0.3, 0, 2)),
    "lens": ellipsoid((1, -2, 3), (9, 6, 7), TURN) & ellipsoid((5, -2, 3), (8, 8, 8)),
    "hollow": ellipsoid((1, 2, 0), (12, 9, 10)) - ellipsoid((8, 2, 0), (8, 5, 5)),
    "crenated": crenated(ellipsoid((1, 2, 0), (12, 9, 10)), 1.5, (20, 9, 7), (1, 2, 3)),
    "sheet": crenated(ellipsoid((1, 2, 0), (12, 9, 10)), 1.5, 8, (1, 2, 3), offset=2, thickness=2.5),
    "framed": Frame(np.array([2, 1, -1]), TURN, 1.2).vessel([(-6, 0, 0), (0, 1, 0), (0, 6, 3)], 2.5),
}
on_all_shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def grid(half: float = 16, step: float = 0.5) -> list[np.ndarray]:
    axis = np.arange(-half + step / 2, half, step, dtype=np.float32)
    return np.meshgrid(axis, axis, axis, indexing="ij")


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (ellipsoid((1, 2, 0), (9, 6, 7), TURN), 4 / 3 * np.pi * 9 * 6 * 7),
        (tube((0.1, 0.2, -6), (0.1, 0.2, 6), 4), np.pi * 4**2 * 12 + 4 / 3 * np.pi * 4**3),
        (ellipsoid((0, 0, 0), (8, 8, 8)) & half_space((0, 0, 0), (0, 3, 0)), 2 / 3 * np.pi * 8**3),
        (ellipsoid((-4, 0, 0), (8, 8, 8)) & ellipsoid((4, 0, 0), (8, 8, 8)), 2 * np.pi * 4**2 * (3 * 8 - 4) / 3),
    ],
)
def test_volumes_are_those_of_geometry(shape, volume):
    inside = (shape.distance(grid()) < 0).sum() * 0.5**3
    assert inside == pytest.approx(volume, rel=0.02)
    canvas = Canvas((32, 32, 32), (1, 1, 1), (-15.5, -15.5, -15.5))
    canvas.paint(shape, 2.0, label=1)
    assert canvas.layers[1].sum() == pytest.approx(volume, rel=0.02)
    np.testing.assert_allclose(canvas.layers[0], 2 * canvas.layers[1], atol=1e-6)


@on_all_shapes
def test_bounds_hold_the_shape(shape):
    points = grid()
    inside = shape.distance(points) < 0
    low, high = shape.low, shape.high
    assert inside.any()
    for axis, a, b in zip(points, low, high, strict=True):
        assert a <= axis[inside].min() <= axis[inside].max() <= b


@on_all_shapes
def test_distances_grow_by_a_millimetre_a_millimetre_at_the_surface(shape):
    distance = shape.distance(grid())
    slope = np.sqrt(sum(g**2 for g in np.gradient(distance, 0.5)))
    surface = np.abs(distance) < 0.4
    assert 0.7 < np.median(slope[surface]) < 1.3  # that of crenated ones is a mean alone


@on_all_shapes
def test_an_open_grid_gives_what_the_full_grid_gives(shape):
    axes = [np.arange(-10, 10, size, dtype=np.float32) for size in (1.0, 1.3, 2.0)]
    full = shape.distance(np.meshgrid(*axes, indexing="ij"))
    np.testing.assert_allclose(shape.distance(np.meshgrid(*axes, indexing="ij", sparse=True)), full, atol=1e-4)


def test_rotations_are_orthonormal_and_keep_handedness():
    np.testing.assert_allclose(TURN @ TURN.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(TURN) == pytest.approx(1)


def test_what_is_painted_later_hides_what_is_there():
    canvas = Canvas((32, 32, 32), (1, 1, 1), (-15.5, -15.5, -15.5), labels=2)
    canvas.paint(ellipsoid((0, 0, 0), (10, 10, 10)), 1.0, label=1)
    canvas.paint(ellipsoid((0, 0, 0), (6, 6, 6)), 0.5, label=2)
    assert canvas.layers[1:].sum(0).max() <= 1 + 1e-6
    assert canvas.layers[1, 16, 16, 16] == 0
    assert canvas.layers[2].sum() == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    assert canvas.layers[1].sum() == pytest.approx(4 / 3 * np.pi * (10**3 - 6**3), rel=0.02)


def test_opacity_tints():
    canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5))
    canvas.paint(ellipsoid((0, 0, 0), (50, 50, 50)), 1.0)
    canvas.paint(ellipsoid((0, 0, 0), (50, 50, 50)), 0.0, opacity=0.25)
    np.testing.assert_allclose(canvas.layers[0], 0.75, atol=1e-6)


@pytest.mark.parametrize("centre", [(100, 0, 0), (0, -100, 0), (0, 0, 60)])
def test_a_shape_outside_the_canvas_changes_nothing(centre):
    canvas = Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5))
    canvas.paint(ellipsoid(centre, (8, 8, 8)), 1.0, label=1)
    assert not canvas.layers.any()


def test_block_means_keep_the_mean():
    layers = np.random.default_rng(0).random((2, 8, 6, 4), dtype=np.float32)
    means = Canvas((8, 6, 4), (1, 1, 1), (0, 0, 0), factor=2).averaged(layers)
    assert means.shape == (2, 4, 3, 2)
    assert means[1, 2, 1, 0] == pytest.approx(layers[1, 4:6, 2:4, 0:2].mean())


def test_the_two_sides_of_a_cut_make_the_whole():
    ball = ellipsoid((0, 0, 0), (9, 9, 9))
    sides = [ball & half_space((1, 2, 0), normal) for normal in ((1, 2, 3), (-1, -2, -3))]
    one, other = (side.distance(grid()) for side in sides)
    assert not ((one < 0) & (other < 0)).any()
    np.testing.assert_array_equal((one <= 0) | (other <= 0), ball.distance(grid()) <= 0)


def test_an_affine_puts_the_middle_of_the_field_of_view_where_it_is_asked_for():
    size, field = np.array([20, 30, 16]), np.array([100, 120, 64])
    _, affine = scan_canvas(size, field, shift=(3, -2, 5))
    corners = [affine @ [*corner, 1] for corner in (np.full(3, -0.5), size - 0.5)]
    np.testing.assert_allclose(0.5 * (corners[0] + corners[1]), [3, -2, 5, 1])
    np.testing.assert_allclose((corners[1] - corners[0])[:3], field)


@pytest.mark.parametrize(("field", "factor"), [((80, 80, 60), 2), ((32, 32, 24), 1)])
def test_a_fine_canvas_covers_the_image_whatever_its_grid(field, factor):
    size = (16, 16, 12)
    canvas, affine = scan_canvas(size, field)
    assert canvas.factor == factor
    radius = 0.3 * min(field)
    canvas.paint(ellipsoid((0, 0, 0), (radius,) * 3), 1.0, label=1)
    image = canvas.averaged()[1]
    assert image.shape == size
    assert image.sum() * np.linalg.det(affine) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    centre = affine[:3, :3] @ [np.average(axis, weights=image) for axis in np.indices(size)] + affine[:3, 3]
    np.testing.assert_allclose(centre, 0, atol=1e-3)


def random_ends(number: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(-10, 10, (number, 6)), rng.uniform(0.5, 3, (number, 2))])


def open_grid(step: float = 0.7) -> list[np.ndarray]:
    axis = np.arange(-15, 15, step, dtype=np.float32)
    return np.meshgrid(axis, axis, axis[::2], indexing="ij", sparse=True)


@pytest.mark.parametrize("margin", [0.5, 2.0, 50.0])
def test_distances_up_to_the_margin_are_those_of_single_tubes(margin):
    ends, grid = random_ends(), open_grid()
    single = np.min([tube(e[:3], e[3:6], e[6], e[7]).distance(grid) for e in ends], axis=0)
    many = tubes(ends, margin).distance(grid)
    near = single < margin
    assert near.any()
    np.testing.assert_allclose(many[near], single[near], atol=1e-4)
    assert (many[~near] >= margin - 1e-4).all()


def test_painted_at_once_is_painted_one_by_one():
    ends = random_ends()
    canvases = [Canvas((30, 28, 26), (1, 1, 1), (-15, -14, -13)) for _ in range(2)]
    canvases[0].paint(tubes(ends, margin=0.5), 1.0)
    for e in ends:
        single = Canvas((30, 28, 26), (1, 1, 1), (-15, -14, -13))
        single.paint(tube(e[:3], e[3:6], e[6], e[7]), 1.0)
        np.maximum(canvases[1].layers, single.layers, out=canvases[1].layers)
    np.testing.assert_allclose(canvases[0].layers[0], canvases[1].layers[0], atol=1e-4)


def test_bounds_hold_all_tubes():
    many, grid = tubes(random_ends(), margin=1.0), open_grid(0.5)
    inside = many.distance(grid) < 0
    low, high = many.low, many.high
    for axis, a, b in zip(grid, low, high, strict=True):
        seen = np.broadcast_to(axis, inside.shape)[inside]
        assert a <= seen.min() <= seen.max() <= b


def test_no_tubes_paint_nothing():
    canvas = Canvas((16, 16, 1), (1, 1, 1), (-8, -8, 0))
    canvas.paint(tubes(np.zeros((0, 8)), margin=0.5), 1.0)
    assert not canvas.layers.any()


def test_crenation_folds_a_surface_about_its_base():
    ball = ellipsoid((0, 0, 0), (20, 20, 20))
    plain, folded = Canvas((64, 64, 64), (1, 1, 1), (-31.5,) * 3), Canvas((64, 64, 64), (1, 1, 1), (-31.5,) * 3)
    plain.paint(ball, 1, label=1)
    folded.paint(crenated(ball, amplitude=2, wavelength=9), 1, label=1)
    volume = 4 / 3 * np.pi * 20**3
    assert folded.layers[1].sum() == pytest.approx(volume, rel=0.05)

    def surface(layer):
        return sum(np.abs(np.diff(layer, axis=axis)).sum() for axis in range(3))

    assert surface(folded.layers[1]) > 1.3 * surface(plain.layers[1])


def test_a_crenated_sheet_is_as_thick_as_asked_for():
    ball = ellipsoid((0, 0, 0), (20, 20, 20))
    canvas = Canvas((64, 64, 64), (1, 1, 1), (-31.5,) * 3)
    canvas.paint(crenated(ball, amplitude=0, wavelength=9, thickness=3), 1, label=1)
    shell = 4 / 3 * np.pi * (21.5**3 - 18.5**3)
    assert canvas.layers[1].sum() == pytest.approx(shell, rel=0.02)
    assert canvas.layers[1][32, 32, 32] == 0


def test_a_hole_is_cut_out():
    ball, hole = ellipsoid((0, 0, 0), (10, 10, 10)), ellipsoid((0, 0, 0), (6, 6, 6))
    canvas = Canvas((32, 32, 32), (1, 1, 1), (-15.5,) * 3)
    canvas.paint(ball - hole, 1, label=1)
    assert canvas.layers[1].sum() == pytest.approx(4 / 3 * np.pi * (10**3 - 6**3), rel=0.02)


def test_rows_of_a_table_are_painted_in_their_order():
    ball = ellipsoid((0, 0, 0), (6, 6, 6))
    canvases = [Canvas((16, 16, 16), (1, 1, 1), (-7.5, -7.5, -7.5)) for _ in range(2)]
    canvases[0].paint_all([(ball, 0.4, 1), (ellipsoid((3, 0, 0), (4, 4, 4)), 0.9, 0, 0.5)])
    canvases[1].paint(ball, 0.4, label=1)
    canvases[1].paint(ellipsoid((3, 0, 0), (4, 4, 4)), 0.9, opacity=0.5)
    np.testing.assert_array_equal(canvases[0].layers, canvases[1].layers)


def test_looks_are_uniform_in_their_ranges():
    ranges = {"muscle": (50, 66), "fat": (-112, -92)}
    looks = [vars(draw_look(np.random.default_rng(seed), ranges)) for seed in range(200)]
    for name, (low, high) in ranges.items():
        values = np.array([look[name] for look in looks])
        assert low <= values.min() < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
        assert values.std() == pytest.approx((high - low) / np.sqrt(12), rel=0.15)
