"""Many tubes at once are the union of single ones, near their surface and inside."""

import numpy as np
import pytest

from monai_freq.phantoms.canvas import Canvas
from monai_freq.phantoms.shapes import Tube
from monai_freq.phantoms.tubes import Tubes


def random_ends(number: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(-10, 10, (number, 6)), rng.uniform(0.5, 3, (number, 2))])


def open_grid(step: float = 0.7) -> list[np.ndarray]:
    axis = np.arange(-15, 15, step, dtype=np.float32)
    return np.meshgrid(axis, axis, axis[::2], indexing="ij", sparse=True)


@pytest.mark.parametrize("margin", [0.5, 2.0, 50.0])
def test_distances_up_to_the_margin_are_those_of_single_tubes(margin):
    ends, grid = random_ends(), open_grid()
    single = np.min([Tube(e[:3], e[3:6], e[6], e[7]).distance(grid) for e in ends], axis=0)
    many = Tubes(ends, margin).distance(grid)
    near = single < margin
    assert near.any()
    np.testing.assert_allclose(many[near], single[near], atol=1e-4)
    assert (many[~near] >= margin - 1e-4).all()


def test_painted_at_once_is_painted_one_by_one():
    ends = random_ends()
    canvases = [Canvas((30, 28, 26), (1, 1, 1), (-15, -14, -13)) for _ in range(2)]
    canvases[0].paint(Tubes(ends, margin=0.5), 1.0)
    for e in ends:
        single = Canvas((30, 28, 26), (1, 1, 1), (-15, -14, -13))
        single.paint(Tube(e[:3], e[3:6], e[6], e[7]), 1.0)
        np.maximum(canvases[1].layers, single.layers, out=canvases[1].layers)
    np.testing.assert_allclose(canvases[0].layers[0], canvases[1].layers[0], atol=1e-4)


def test_bounds_hold_the_shape():
    tubes, grid = Tubes(random_ends(), margin=1.0), open_grid(0.5)
    inside = tubes.distance(grid) < 0
    low, high = tubes.bounds()
    for axis, a, b in zip(grid, low, high, strict=True):
        seen = np.broadcast_to(axis, inside.shape)[inside]
        assert a <= seen.min() <= seen.max() <= b


def test_no_tubes_paint_nothing():
    canvas = Canvas((16, 16, 1), (1, 1, 1), (-8, -8, 0))
    canvas.paint(Tubes(np.zeros((0, 8)), margin=0.5), 1.0)
    assert not canvas.layers.any()
