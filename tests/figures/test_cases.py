"""Cases side by side: the right planes of the right volumes, with outlines in the right places."""

import io
import itertools

import numpy as np
import pytest

from monai_freq.figures import PLANES, DrawnCase, center_of, show_bands, show_regions

SHAPE, SPACING = (14, 11, 8), (1.0, 1.0, 3.0)


def case(seed=0, title="heart_fd, la_003"):
    image, low, high = np.random.default_rng(seed).random((3, *SHAPE)).astype(np.float32)
    label = np.zeros(SHAPE, np.uint8)
    label[2:6, 3:7, 1:4], label[6:9, 3:7, 1:4] = 1, 2
    return DrawnCase(title, image, label, low, high - 0.5, SPACING, {1: "anterior", 2: "posterior"})


def planes(volume, label):
    return [np.take(volume, center_of(label)[axis], axis).T for axis in PLANES.values()]


def drawn(row):
    return [np.asarray(axes.images[0].get_array()) for axes in row.axes]


def texts(row):
    return [text.get_text() for text in row.texts]


def test_regions_are_drawn_beside_the_bare_image():
    cases = [case(0), case(1, "spleen_fd, spleen_001")]
    figure = show_regions(cases)
    for row, one in zip(figure.subfigs, cases, strict=True):
        for found, plane in zip(drawn(row), 2 * planes(one.image, one.label), strict=True):
            np.testing.assert_array_equal(found, plane)
        assert [len(axes.collections) for axes in row.axes[:3]] == [0, 0, 0]
        assert all(len(axes.collections) >= 1 for axes in row.axes[3:])
        assert sorted(texts(row)) == sorted([one.title, "anterior", "posterior"])
        assert len({text.get_color() for text in row.texts}) == 3


def test_bands_are_drawn_side_by_side():
    one = case()
    (row,) = show_bands([one]).subfigs
    for found, plane in zip(drawn(row), planes(one.low, one.label) + planes(one.high, one.label), strict=True):
        np.testing.assert_array_equal(found, plane)
    assert texts(row) == [one.title]
    low, high = row.axes[0].images[0], row.axes[3].images[0]
    np.testing.assert_allclose(low.get_clim(), np.percentile(one.image, [0.5, 99.5]), rtol=1e-6)
    assert high.get_clim()[0] == -high.get_clim()[1] < 0


def test_names_with_dollar_signs_are_drawn_as_they_are():
    name = r"$\frac 1$"  # a faulty formula, if it were one
    figure = show_regions([case(title=name)._replace(classes={1: name})])
    figure.savefig(io.BytesIO())
    assert texts(figure.subfigs[0]) == [r"\$\frac 1\$"] * 2


@pytest.mark.parametrize("size", [(14, 11, 8), (5, 30, 9)])
def test_planes_have_true_proportions_and_do_not_overlap(size):
    one = case()
    volume = np.zeros(size, np.float32)
    figure = show_bands([one._replace(image=volume, label=volume.astype(np.uint8), low=volume, high=volume)])
    figure.canvas.draw()
    boxes = [axes.get_window_extent() for axes in figure.subfigs[0].axes]
    millimetres = [n * step for n, step in zip(size, SPACING, strict=True)]
    for box, axis in zip(boxes, 2 * list(PLANES.values()), strict=True):
        width, height = (n for other, n in enumerate(millimetres) if other != axis)
        assert box.height / box.width == pytest.approx(height / width, rel=1e-3)
    for left, right in itertools.pairwise(boxes):
        assert left.x1 < right.x0
    assert max(box.y1 for box in boxes) - min(box.y1 for box in boxes) < 1
