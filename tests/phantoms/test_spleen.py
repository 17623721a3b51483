"""The spleen phantom has the Hounsfield units, the volumes and the neighbours of a portal venous CT."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.ndimage import label as components

from monai_freq.phantoms import spleen as module
from monai_freq.phantoms.canvas import scan_canvas
from monai_freq.phantoms.spleen import AIR, FIELD_OF_VIEW


@pytest.fixture(scope="module")
def cases(draw_patients):
    return draw_patients("spleen", 6)


def test_the_spleen_is_one_piece_of_a_plausible_volume(cases):
    volumes = []
    for _, label, affine in cases:
        pieces, _ = components(label, np.ones((3, 3, 3)))
        assert np.bincount(pieces.ravel())[1:].max() > 0.97 * label.sum()
        volumes.append(label.sum() * abs(np.linalg.det(affine)) / 1000)
    # 100 to 400 ml are normal and moderately enlarged spleens.
    assert 100 < min(volumes) < max(volumes) < 450
    assert np.std(volumes) > 20


def test_it_lies_on_the_left_at_the_back_and_above_the_middle(cases):
    for _, label, affine in cases:
        x, y, _ = affine[:3, :3] @ np.argwhere(label).mean(0) + affine[:3, 3]
        assert -125 < x < -60
        assert -70 < y < 10


def test_tissues_have_their_hounsfield_units(cases):
    for image, label, _ in cases:
        air = image[:, -6:].astype(float)  # in front of the patient
        assert air.mean() == pytest.approx(AIR, abs=12)
        assert 90 < image[binary_erosion(label > 0)].mean() < 145  # away from partial volume
        assert 200 < np.percentile(image, 99.9) < 600  # bone, diluted in large voxels
        assert image.min() >= -1024
        fat = np.count_nonzero((image > -130) & (image < -70)) / np.count_nonzero(image > -200)
        assert fat > 0.1


def test_neighbours_are_as_bright(cases):
    """A shell around the spleen holds soft tissue within its own range of intensities: no edge there."""
    shares = []
    for image, label, _ in cases:
        shell = binary_dilation(label > 0, iterations=2) & (label == 0)
        low, high = np.percentile(image[label > 0], [5, 95])
        shares.append(np.mean((image[shell] >= low) & (image[shell] <= high)))
    assert np.mean(shares) > 0.1
    assert np.mean(shares) < 0.6


def test_noise_is_stronger_in_the_body_than_in_the_air(cases):
    for image, label, _ in cases:
        inside = binary_erosion(label > 0, iterations=2)
        if np.count_nonzero(inside) > 30:
            assert image[inside].std() > 1.2 * image[:, -6:].std()


def test_where_the_spleen_is_labelled_it_is_painted():
    canvas, _ = scan_canvas((64, 64, 32), FIELD_OF_VIEW)
    look = module._draw_abdomen(np.random.default_rng(0))
    module._paint_abdomen(canvas, look, np.random.default_rng(1))
    units, spleen = canvas.averaged()
    np.testing.assert_allclose(units[spleen > 0.999], look.spleen, atol=1)
