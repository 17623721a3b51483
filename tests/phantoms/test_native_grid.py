"""Grids that differ from case to case and lie askew."""

import nibabel
import numpy as np
import pytest

from monai_freq.phantoms import write_hippocampus
from monai_freq.phantoms.native_grid import check_size, draw_size, tilted

RANGES = ((20, 26), (24, 30), 18)


def test_sizes_are_drawn_within_their_ranges_ends_included():
    drawn = [draw_size(np.random.default_rng(seed), ((16, 18), 20, (30, 31))) for seed in range(60)]
    assert [set(axis) for axis in zip(*drawn, strict=True)] == [{16, 17, 18}, {20}, {30, 31}]


def test_a_tilt_turns_the_grid_about_its_middle():
    affine, size = np.diag([1.0, 2.0, 3.0, 1.0]), (11, 21, 31)
    turned = tilted(np.random.default_rng(0), affine, size, tilt=15)
    middle = [5, 10, 15, 1]
    np.testing.assert_allclose(turned @ middle, affine @ middle)
    np.testing.assert_allclose(turned[:3, :3].T @ turned[:3, :3], np.diag([1.0, 4.0, 9.0]), atol=1e-12)
    assert np.abs(turned[:3, :3] - np.diag([1.0, 2.0, 3.0])).max() > 0.1
    assert nibabel.aff2axcodes(turned) == ("R", "A", "S")


@pytest.mark.parametrize("size", [(16, 16), ((20, 16), 16, 16), ((12, 16), 16, 16), ((16, 17, 18), 16, 16)])
def test_what_is_no_size(size):
    with pytest.raises(ValueError, match="'size' must be three numbers of voxels of at least 16, or pairs"):
        check_size(size)


def test_cases_have_their_own_grids_spacings_and_tilts(tmp_path):
    folder = write_hippocampus(tmp_path, cases=3, test_cases=1, size=RANGES, tilt=15)
    images = [nibabel.load(path) for path in sorted(folder.glob("images*/*.nii.gz"))]
    assert len({image.shape for image in images}) > 1
    assert all(20 <= x <= 26 and 24 <= y <= 30 and z == 18 for x, y, z in (image.shape for image in images))
    for image in images:
        zooms = np.array(image.header.get_zooms())
        np.testing.assert_allclose(zooms * image.shape, (42, 56, 40), rtol=1e-5)  # the field of view stays
        assert np.abs(image.affine[:3, :3] - np.diag(zooms)).max() > 0.01
    label = nibabel.load(folder / "labelsTr" / "hippocampus_001.nii.gz")
    np.testing.assert_array_equal(label.affine, images[0].affine)


def test_a_tilt_out_of_range(tmp_path):
    with pytest.raises(ValueError, match=r"'tilt' is in degrees and must be in \[0, 30\], got 45"):
        write_hippocampus(tmp_path, cases=1, tilt=45)
