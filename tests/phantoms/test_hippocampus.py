"""The hippocampus phantom has two parts of plausible volumes, one before the other, and little contrast."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.ndimage import label as components

from monai_freq.phantoms import hippocampus


@pytest.fixture(scope="module")
def cases(draw_patients):
    return draw_patients("hippocampus", 6)


def place(label, part, affine):
    return affine[:3, :3] @ np.argwhere(label == part).mean(0) + affine[:3, 3]


def test_each_part_is_one_piece_of_a_plausible_volume(cases):
    volumes = []
    for _, label, affine in cases:
        for part in (1, 2):
            pieces, _ = components(label == part, np.ones((3, 3, 3)))
            assert np.bincount(pieces.ravel())[1:].max() > 0.97 * np.count_nonzero(label == part)
        volumes.append([np.count_nonzero(label == part) * abs(np.linalg.det(affine)) / 1000 for part in (1, 2)])
    # In adults a hippocampus measures 2.2 to 4.5 ml, about half of it the head.
    assert 2 < np.sum(volumes, 1).min() < np.sum(volumes, 1).max() < 5
    assert 0.3 < np.mean(volumes, 0)[0] / np.mean(np.sum(volumes, 1)) < 0.6
    assert np.std(volumes, 0).min() > 0.1


def test_the_parts_touch_one_before_the_other(cases):
    for _, label, affine in cases:
        anterior, posterior = place(label, 1, affine), place(label, 2, affine)
        assert 10 < anterior[1] - posterior[1] < 25  # mm forwards
        assert anterior[2] < posterior[2]  # the tail rises
        assert (binary_dilation(label == 1) & (label == 2)).any()


def test_it_is_long_and_curved(cases):
    for _, label, affine in cases:
        points = np.argwhere(label) @ affine[:3, :3].T
        assert 30 < np.ptp(points[:, 1]) < 50
        middle = [points[np.abs(points[:, 1] - y) < 1].mean(0) for y in np.quantile(points[:, 1], [0.05, 0.5, 0.95])]
        chord = middle[2] - middle[0]
        bow = np.linalg.norm(np.cross(chord, middle[1] - middle[0])) / np.linalg.norm(chord)
        assert bow > 0.5


def test_left_and_right_are_mirrored():
    sides = [hippocampus._draw_temporal_lobe(np.random.default_rng(seed)).side for seed in range(60)]
    assert 15 < sides.count(1) < 45


def test_it_is_grey_matter_that_no_window_of_intensities_finds(cases):
    for image, label, _ in cases:
        inside = image[binary_erosion(label > 0, iterations=2)]
        assert 0.55 < inside.mean() / np.percentile(image, 90) < 0.9  # grey against white matter
        bounds = np.percentile(inside, [0, 2, 5, 10, 25, 75, 90, 95, 98, 100])
        windows = [(image >= low) & (image <= high) for low in bounds[:5] for high in bounds[5:]]
        dice = [2 * np.sum(found & (label > 0)) / (np.sum(found) + np.sum(label > 0)) for found in windows]
        assert max(dice) < 0.5


def test_nothing_in_the_image_tells_the_parts_apart_but_the_place(cases):
    ratios = [image[label == 1].mean() / image[label == 2].mean() for image, label, _ in cases]
    assert np.abs(np.log(ratios)).max() < 0.25  # the bias field alone
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def density(image, spacing, edges):
    """Power per cycle, in variances of the image: under a Hann window, mean over shells."""
    x = image / image.std()
    window = np.ones(x.shape)
    for axis, n in enumerate(x.shape):
        window *= np.hanning(n + 2)[1:-1].reshape([n if k == axis else 1 for k in range(3)])
    x = (x - np.average(x, weights=window)) * window
    power = np.abs(np.fft.fftn(x)) ** 2 / np.sum(window**2) * np.prod(spacing)
    axes = [np.fft.fftfreq(n, step) for n, step in zip(x.shape, spacing, strict=True)]
    shell = np.digitize(np.sqrt(sum(f**2 for f in np.meshgrid(*axes, indexing="ij"))), edges)
    return np.array([power[shell == k].mean() for k in range(1, len(edges))])


def test_its_spectrum_has_the_slope_and_the_noise_of_real_ones():
    # Medical Segmentation Decathlon, Task04 (Antonelli et al. 2022), all 260 images, 1 mm: mean of the logarithms
    slope, noise = -3.53, -1.013
    edges = np.linspace(0, 0.5, 26)  # cycles per mm
    middle = (edges[1:] + edges[:-1]) / 2
    images = [hippocampus.draw_hippocampus_case(np.random.default_rng(seed), (42, 56, 40))[0] for seed in range(12)]
    mean = np.mean([np.log10(density(image.astype(float), (1, 1, 1), edges)) for image in images], 0)
    part = slice(2, 15)  # 0.04 to 0.3 cycles per mm
    assert np.polyfit(np.log10(middle[part]), mean[part], 1)[0] == pytest.approx(slope, rel=0.1)
    assert 10 ** (mean[20:].mean() - noise) == pytest.approx(1, abs=0.1)  # 0.4 to 0.5 cycles per mm
