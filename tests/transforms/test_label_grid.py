"""Class numbers on another grid: where they are, and which structures they keep."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Resized

from monai_freq.transforms import AlignedResized
from monai_freq.transforms.label_grid import nearest_voxels, resize_label


@pytest.mark.parametrize("wanted", [5, 8, 12, 40, 41])
@pytest.mark.parametrize("given", [5, 8, 16, 32, 40, 57, 64])
def test_the_nearest_voxels_are_nearest_and_lean_to_neither_side(wanted, given):
    voxels = nearest_voxels(wanted, given)
    middles = (np.arange(wanted) + 0.5) * given / wanted  # in voxels of the line, from its end
    distance = voxels + 0.5 - middles
    assert (np.abs(distance) <= 0.5 + 1e-9).all()
    assert (np.diff(voxels) >= 0).all()
    assert abs(distance.mean()) <= 0.5 / wanted + 1e-9  # torch's: up to .5 where all are ties


@pytest.mark.parametrize(("wanted", "given"), [(8, 8), (3, 9), (6, 3), (7, 35), (56, 35), (40, 44)])
def test_they_are_those_of_torch_where_there_is_no_tie(wanted, given):
    line = torch.arange(given, dtype=torch.float64)[None, None]
    expected = torch.nn.functional.interpolate(line, wanted, mode="nearest-exact")[0, 0].long().tolist()
    found = nearest_voxels(wanted, given).tolist()
    ties = [(2 * g + 1) * given % (2 * wanted) == 0 for g in range(wanted)]
    assert [a for a, tie in zip(found, ties, strict=True) if not tie] == [
        a for a, tie in zip(expected, ties, strict=True) if not tie
    ]


@pytest.mark.parametrize(("wanted", "given"), [(24, 48), (40, 32), (30, 40), (24, 96), (20, 27)])
def test_the_centre_of_a_ball_stays_wherever_it_is(wanted, given):
    """Mean over many places: a single place has the voxels' own coarseness."""
    rng = np.random.default_rng(0)
    axes = np.meshgrid(*[np.arange(given) + 0.5] * 2, indexing="ij")
    off = []
    for centre in rng.uniform(0.35, 0.65, (400, 2)) * given:
        ball = sum((x - c) ** 2 for x, c in zip(axes, centre, strict=True)) < (0.3 * given) ** 2
        here = (np.argwhere(ball) + 0.5).mean(0) * wanted / given
        off.append((np.argwhere(resize_label(ball.astype(int), (wanted, wanted))[0]) + 0.5).mean(0) - here)
    assert np.abs(np.mean(off, axis=0)).max() < 0.02


@pytest.mark.parametrize("given", [(20, 27), (8, 19), (17, 6)])
def test_a_structure_of_one_voxel_survives_wherever_it_is(given):
    grid = np.array((8, 8))
    for place in np.ndindex(*given):
        label = np.zeros(given, int)
        label[place] = 2
        small, _, lost = resize_label(label, grid)
        assert set(small[small > 0].tolist()) == {2}
        assert not lost
        middle = (np.array(place) + 0.5) * grid / given
        assert (np.abs(np.argwhere(small).mean(0) + 0.5 - middle) <= 0.5 + 1e-9).all()  # in no other cell


def test_no_worse_than_any_mode_of_monai_for_one_voxel():
    """Dice of what is resized and inverted, over every place that the voxel can have."""
    given, grid, total = (11, 13), (8, 8), {}
    steps = {mode: Resized("label", grid, mode=mode) for mode in ("nearest", "nearest-exact", "area", "bilinear")}
    for mode, step in {**steps, "ours": AlignedResized("label", grid, "nearest-exact")}.items():
        for place in np.ndindex(*given):
            label = torch.zeros(1, *given)
            label[0][place] = 1
            back = step.inverse(step({"label": MetaTensor(label)}))["label"] > 0.5
            total[mode] = total.get(mode, 0) + float(2 * (back * label).sum() / (back.sum() + 1))
    assert total["ours"] > 1.3 * max(total[mode] for mode in steps)


def test_a_sheet_between_the_voxels_stays_a_sheet():
    label = np.zeros((64, 64), int)
    label[8:40, 20] = 1
    assert 20 not in nearest_voxels(16, 64)
    small, kept, lost = resize_label(label, (16, 16))
    assert np.argwhere(small).tolist() == [[row, 5] for row in range(2, 10)]
    assert [(structure.number, len(structure.voxels)) for structure in kept] == [(1, 32)]
    assert not lost


def test_what_is_seen_stays_as_it_is():
    label = np.zeros((64, 64), int)
    label[10:30, 12:40] = 1
    label[40:44, 40:44] = 2
    small, kept, lost = resize_label(label, (16, 16))
    voxels = nearest_voxels(16, 64)
    np.testing.assert_array_equal(small, label[np.ix_(voxels, voxels)])
    assert (kept, lost) == ([], [])


def test_a_structure_goes_beside_another_class_rather_than_over_it():
    rows = nearest_voxels(4, 16).tolist()
    assert rows == [1, 6, 9, 14]  # of the cells 0-3, 4-7, 8-11, 12-15
    label = np.zeros((16, 16), int)
    label[:7] = 1
    label[7:9, 7] = 2  # in the cells 1, whose voxel is of class 1, and 2, whose voxel is of none
    assert np.argwhere(resize_label(label, (4, 4))[0] == 2).tolist() == [[2, 1]]
    label[8, 7] = 0  # in no cell but that of class 1
    assert np.argwhere(resize_label(label, (4, 4))[0] == 2).tolist() == [[1, 1]]


def test_the_smaller_of_two_in_one_cell_is_kept():
    label = np.zeros((16, 16), int)
    label[4, 4:6] = 1
    label[7, 7] = 2
    small, kept, lost = resize_label(label, (4, 4))
    assert small[small > 0].tolist() == [2]
    assert [structure.number for structure in kept] == [2]
    assert [(structure.number, structure.voxels.tolist()) for structure in lost] == [(1, [[4, 4], [4, 5]])]


@pytest.mark.parametrize("shape", [(20, 31), (12, 40), (12, 17)])
def test_what_grows_comes_back_as_it_was(shape):
    label = np.random.default_rng(0).integers(0, 3, (12, 17))  # no two voxels alike: the hardest
    grown, kept, lost = resize_label(label, shape)
    back = grown[np.ix_(*[nearest_voxels(old, new) for new, old in zip(shape, label.shape, strict=True)])]
    np.testing.assert_array_equal(back, label)
    assert (kept, lost) == ([], [])


def test_borders_lie_where_those_of_the_image_do():
    """Nearest voxels give an edge of whole voxels; of the interpolated disc, half the height is the edge."""
    x = np.arange(20) - 9.5
    disc = (x[:, None] ** 2 + x**2 < 40).astype(int)
    wanted = (32, 32)
    edge = torch.nn.functional.interpolate(torch.tensor(disc)[None, None].double(), wanted, mode="bilinear")[0, 0] > 0.5
    nearest = disc[np.ix_(*[nearest_voxels(32, 20)] * 2)]
    differ = [(edge.numpy() != label).sum() for label in (resize_label(disc, wanted)[0], nearest)]
    assert differ[0] < 0.5 * differ[1]


def test_a_thin_line_stays_whole_where_it_grows():
    label = np.zeros((15, 15, 15), int)
    label[7, 4, 2:13] = 1  # most of the linear interpolation is the background's, on either side
    grown, _, _ = resize_label(label, (24, 24, 24))
    found = np.unique(np.argwhere(grown)[:, 2]).tolist()
    assert found in (list(range(3, 20)), list(range(3, 21)))  # of the line's 3.2 to 20.8


@pytest.mark.parametrize("shape", [(3, 3), (4, 7), (5, 12), (14, 6)])
def test_no_structure_is_lost_without_being_named(shape):
    """Each that a voxel of the grid looks at keeps one; each other is kept, or named as lost."""
    rng = np.random.default_rng(0)
    looked_at = np.ix_(*[nearest_voxels(new, 12) for new in shape])
    for _ in range(100):
        label = rng.integers(1, 4, (12, 12)) * (rng.random((12, 12)) < rng.choice([0.05, 0.2, 0.6]))
        small, kept, lost = resize_label(label, shape)
        assert set(np.unique(label[looked_at])) - {0} <= set(np.unique(small))
        named = {structure.number for structure in lost}
        assert set(np.unique(label)) - {0} <= set(np.unique(small)) | named
        assert {structure.number for structure in kept} <= set(np.unique(small))


def test_the_only_voxel_of_a_class_that_is_looked_at_stays():
    label = np.zeros((9, 9), int)
    label[4, 4:6] = 1, 2
    small, kept, lost = resize_label(label, (3, 3))
    assert small.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert (kept, [structure.number for structure in lost]) == ([], [2])


def test_two_that_lie_in_the_same_cells_both_stay():
    label = np.zeros((8, 32), int)
    label[2], label[3] = 1, 2
    small, kept, lost = resize_label(label, (2, 32))
    assert set(np.unique(small)) == {0, 1, 2}
    assert (len(kept), lost) == (2, [])
