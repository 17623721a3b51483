"""Dead leaves and smooth shapes have the spectra of natural and medical images, and only the cue tells the class."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scipy.stats import kruskal

from monai_freq.phantoms import dead_leaves, source_folders
from monai_freq.phantoms.source_images import CUES, STATISTICS, draw_source_image

LUMA = np.array([0.299, 0.587, 0.114])
CELLS = [(statistics, cue) for statistics in STATISTICS for cue in CUES]


def draw(seed, label=0, classes=10, size=96, statistics="dead_leaves", cue="texture"):
    rng = np.random.default_rng(seed)
    return draw_source_image(rng, label=label, classes=classes, size=size, statistics=statistics, cue=cue)


def slope(images: list[np.ndarray], low: float = 0.04, high: float = 0.3) -> float:
    """Exponent of the mean power spectrum, from a straight line through its logarithms."""
    size = len(images[0])
    window = np.hanning(size)[:, None] * np.hanning(size)
    power = np.mean([np.abs(np.fft.fft2((i - i.mean()) * window)) ** 2 for i in images], axis=0)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    ring = np.round(frequency * size).astype(int).ravel()
    radial = np.bincount(ring, power.ravel()) / np.bincount(ring)
    axis = np.arange(len(radial)) / size
    some = (axis >= low) & (axis <= high)
    return float(np.polyfit(np.log(axis[some]), np.log(radial[some]), 1)[0])


@pytest.mark.parametrize("cue", CUES)
def test_the_power_of_dead_leaves_falls_with_the_square_of_frequency(cue):
    images = [draw([1, i], label=i % 10, cue=cue) @ LUMA for i in range(40)]
    assert slope(images) == pytest.approx(-2, abs=0.3)
    assert slope(images, 0.04, 0.12) == pytest.approx(-2, abs=0.4)
    assert slope(images, 0.12, 0.3) == pytest.approx(-2, abs=0.4)


@pytest.mark.parametrize("cue", CUES)
def test_the_power_of_smooth_shapes_falls_far_faster(cue):
    images = [draw([1, i], label=i % 6, classes=6, statistics="smooth", cue=cue) @ LUMA for i in range(40)]
    assert -4.6 < slope(images) < -3


def test_the_slope_is_measured_right():
    rng = np.random.default_rng(0)
    assert slope([rng.standard_normal((96, 96)) for _ in range(10)]) == pytest.approx(0, abs=0.1)
    walks = [np.cumsum(np.cumsum(rng.standard_normal((96, 96)), 0), 1)[48:, 48:] for _ in range(10)]
    assert slope(walks) < -2


@pytest.mark.parametrize(("statistics", "cue"), CELLS)
def test_mean_and_deviation_do_not_give_the_class_away(statistics, cue):
    classes = 5
    images = [
        draw([2, i], label=i % classes, classes=classes, size=48, statistics=statistics, cue=cue) @ LUMA
        for i in range(40 * classes)
    ]
    for measure in (np.mean, np.std):
        values = [measure(image) for image in images]
        assert kruskal(*(values[label::classes] for label in range(classes))).pvalue > 0.01


@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_cues_differ_in_the_labels_alone(statistics):
    """With as many draws of either cue, the pictures have one distribution: the other property is drawn at random."""
    values = [
        [draw([3, i], label=i % 6, classes=6, size=48, statistics=statistics, cue=cue).std() for i in range(90)]
        for cue in CUES
    ]
    assert kruskal(*values).pvalue > 0.01


def test_each_cue_ties_its_own_property_to_the_class():
    """All else being drawn alike, another class changes the texture with one cue and the outlines with the other."""
    for statistics, cue in CELLS:
        same, other = (draw(7, label=label, statistics=statistics, cue=cue) for label in (4, 5))
        again = draw(7, label=4, statistics=statistics, cue=cue)
        np.testing.assert_array_equal(same, again)
        assert (same != other).any()


def test_only_dead_leaves_have_colours():
    for seed in range(3):
        grey = draw(seed, statistics="smooth").astype(int)
        assert np.ptp(grey, axis=2).max() == 0
        assert np.ptp(draw(seed).astype(int), axis=2).mean() > 5


def test_little_is_clipped():
    for statistics, cue in CELLS:
        images = np.stack([draw([4, i], label=i, statistics=statistics, cue=cue) @ LUMA for i in range(10)])
        assert (images > 254.9).mean() < 0.01
        assert (images < 0.1).mean() < (0.01 if statistics == "dead_leaves" else 0.25)  # outside of the body


def test_leaves_have_radii_distributed_as_the_inverse_cube():
    """Then each octave of radii covers as much as any other, so what is seen looks alike at all scales."""
    leaves = dead_leaves._scatter_leaves(np.random.default_rng(0), 600, 2, 64)
    areas = np.bincount(leaves.ravel())[1:]
    radius = np.sqrt(areas[areas > 0] / np.pi)
    counts = [((radius > r) & (radius <= 2 * r)).sum() for r in (4, 8, 16)]
    for more, fewer in pairwise(counts):
        assert 2.5 < more / fewer < 6.5  # 4 for whole discs


def test_leaves_cover_the_picture_and_hide_one_another():
    for seed in range(3):
        leaves = dead_leaves._scatter_leaves(np.random.default_rng(seed), 128, 2, 40)
        assert leaves.shape == (128, 128)
        assert (leaves == 0).mean() < 0.1
        assert len(np.unique(leaves)) > 100


def test_pictures_survive_their_file():
    image = draw(0, size=32)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(source_folders._png(image)))), image)
    grey = np.asarray(Image.open(io.BytesIO(source_folders._png(image, "L"))))
    assert grey.shape == (32, 32)
    assert np.abs(grey - image @ LUMA).max() < 1
