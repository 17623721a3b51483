"""Curves and heat maps show any numbers in the right place."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import LogNorm

from monai_freq.figures import density_curve, density_map, new_figure, three_planes
from monai_freq.spectral.psd import BANDS, radial_psd

K = np.linspace(0, 0.5, 17)


def lines(figure):
    """Name -> (x, y) of the curves; the borders of the bands have no name of their own."""
    found = figure.axes[0].lines
    return {line.get_label(): line.get_data() for line in found if not line.get_label().startswith("_")}


def mesh(figure):
    """Borders of a heat map along x and y, and the values of its colours (K, E)."""
    (quads,) = figure.axes[0].collections
    corners = quads.get_coordinates()
    return corners[0, :, 0], corners[:, 0, 1], np.asarray(quads.get_array()).reshape(len(corners) - 1, -1)


def test_the_curve_is_the_mean_and_the_band_one_sd_to_either_side():
    mean, sd = 2 + np.sin(9 * K), 0.1 + K
    figure = density_curve(K, mean, sd, unit="mean |F|", title="images, epoch 3")
    assert list(lines(figure)) == ["mean"]
    np.testing.assert_allclose(lines(figure)["mean"], (K[1:], mean[1:]))  # DC is left out
    (band,) = figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    for k, m, s in zip(K[1:], mean[1:], sd[1:], strict=True):
        height = corners[np.isclose(corners[:, 0], k), 1]
        assert (height.min(), height.max()) == pytest.approx((m - s, m + s))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("spatial frequency (cycles / voxel)", "mean |F|")
    assert axes.get_title() == "images, epoch 3"
    assert axes.get_xlim() == (0, 0.5)
    assert axes.get_ylim()[1] > (mean + sd)[1:].max()


@pytest.mark.parametrize("height", [0.3, 1.4, 3, 70])
def test_a_logarithmic_axis_has_numbers_for_a_flat_spectrum_too(height):
    """White noise, whose densities are all between two powers of ten."""
    figure = density_curve(K, height * np.ones(17), 0.05 * height * np.ones(17), unit="", logarithmic=True)
    figure.canvas.draw()
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    assert sum(low <= place <= high and bool(label.get_text()) for place, label in ticks) >= 2


def test_the_borders_of_the_bands_are_marked_and_named():
    axes = density_curve(K, K, K, unit="").axes[0]
    borders = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert borders == [high for _, high in BANDS.values()][:-1]
    assert [text.get_text() for text in axes.texts] == list(BANDS)
    middles = [(low + high) / 2 for low, high in BANDS.values()]
    assert [text.get_position()[0] / 2 for text in axes.texts] == pytest.approx(middles)


def test_others_are_scaled_to_the_same_peak():
    other = 50 * K[::-1] ** 2
    drawn = lines(density_curve(K, K, 0 * K, unit="", others={"artifact": other, "nothing": 0 * K}))
    assert list(drawn) == ["mean", "artifact, scaled", "nothing, scaled"]
    np.testing.assert_allclose(drawn["artifact, scaled"][1], other[1:] * K.max() / other[1:].max())
    assert (drawn["nothing, scaled"][1] == 0).all()


def test_a_logarithmic_axis_holds_the_whole_curve():
    mean = 10.0 ** (-8 * K)
    axes = density_curve(K, mean, mean / 3, unit="", logarithmic=True).axes[0]
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert 0 < low < mean[1:].min()
    assert high > (4 / 3 * mean[1:]).max()
    with_zeros = np.where(K > 0.25, 0, mean)
    low, high = density_curve(K, with_zeros, 0 * K, unit="", logarithmic=True).axes[0].get_ylim()
    assert 0 < low < high
    assert density_curve(K, 0 * K, 0 * K, unit="", logarithmic=True).axes[0].get_yscale() == "linear"


def test_a_heat_map_shows_each_epoch_scaled_to_its_peak():
    epochs, rows = np.array([1, 2, 3, 4, 5, 6]), np.random.default_rng(0).random((6, 17))
    rows[:, 0] = 100  # DC, which is left out
    across, along, values = mesh(density_map(epochs, K, rows, title="images"))
    np.testing.assert_allclose(values.T, rows[:, 1:] / rows[:, 1:].max(1, keepdims=True))
    np.testing.assert_allclose(across, np.arange(0.5, 7))
    assert len(along) == 17
    for k, low, high in zip(K[1:], along[:-1], along[1:], strict=True):
        assert low < k < high


def test_epochs_are_where_they_belong_on_the_axis():
    across, _, _ = mesh(density_map(np.array([1, 2, 10]), K, np.ones((3, 17))))
    np.testing.assert_allclose(across, [0.5, 1.5, 6, 14])
    for epochs in ([7], [5, 10], list(range(0, 500, 5))):
        figure = density_map(np.array(epochs), K, np.ones((len(epochs), 17)))
        across = mesh(figure)[0]
        assert all(low < epoch < high for low, epoch, high in zip(across[:-1], epochs, across[1:], strict=True))
        assert len(figure.axes[0].get_xticks()) <= 8


def test_a_logarithmic_heat_map_spans_three_decades():
    rows = np.stack([10.0 ** (-12 * K), 0 * K])
    figure = density_map(np.array([1, 2]), K, rows, logarithmic=True)
    (quads,) = figure.axes[0].collections
    assert isinstance(quads.norm, LogNorm)
    assert (quads.norm.vmin, quads.norm.vmax) == (1e-3, 1)
    assert not np.ma.is_masked(quads.norm(quads.get_array()))


def of_frequencies(*frequencies):
    """Ordinary densities of a number of frequencies."""
    k = np.array(frequencies, dtype=np.float64)
    return k, 1 + k, 0.1 + k


def flat(value):
    return K, np.full_like(K, value), 0 * K


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(
    "densities",
    [
        pytest.param(of_frequencies(0), id="1 pixel"),
        pytest.param(of_frequencies(0, 0.5), id="2 pixels"),
        pytest.param(of_frequencies(0, 1 / 3), id="3 pixels"),
        pytest.param(of_frequencies(0, 0.1, 0.35, 0.5), id="empty rings"),
        pytest.param(flat(0), id="zeros"),
        pytest.param(flat(3), id="constant"),
        pytest.param(flat(1e-30), id="tiny"),
        pytest.param(flat(1e30), id="huge"),
    ],
)
def test_anything_is_drawn_without_a_warning(densities, logarithmic):
    k, mean, sd = densities
    curve = density_curve(k, mean, sd, unit="", logarithmic=logarithmic, others={"artifact": mean})
    curve.canvas.draw()
    for epochs in ([3], [1, 2, 9]):
        figure = density_map(np.array(epochs), k, np.stack([mean] * len(epochs)), logarithmic=logarithmic)
        figure.canvas.draw()


def test_the_pixels_of_a_heat_map():
    """High frequencies are at the top, later epochs at the right."""
    rows = np.zeros((4, 17))
    rows[:2, 1:9], rows[2:, 9:] = 1, 1
    figure = density_map(np.arange(1, 5), K, rows)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(float)
    (left, bottom), (right, top) = figure.axes[0].get_window_extent().get_points()
    height = pixels.shape[0]

    def color(across, up):
        return pixels[int(height - bottom - up * (top - bottom)), int(left + across * (right - left))]

    bright, dark = color(0.2, 0.2), color(0.2, 0.8)
    assert bright[1] > dark[1] + 100
    np.testing.assert_array_equal(color(0.8, 0.8), bright)
    np.testing.assert_array_equal(color(0.8, 0.2), dark)


def test_figures_are_not_kept_by_matplotlib():
    before = pyplot.get_fignums()
    density_curve(K, K, K, unit="")
    density_map(np.array([1]), K, K[None])
    three_planes(np.zeros((4, 5, 6)), {})
    new_figure(2, 2)
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (3.0, 3.0), (0.5, 0.5)])
def test_cycles_per_mm_have_an_axis_of_their_own_without_bands(spacing):
    frequencies, density = radial_psd(torch.rand(2, 32, 32), spacing, spatial_dims=2)
    mean = density.mean(0).numpy()
    axes = density_curve(frequencies, mean, 0 * mean, unit="").axes[0]
    assert axes.get_xlabel() == "spatial frequency (cycles / mm)"
    assert axes.get_xlim() == pytest.approx((0, 0.5 / spacing[0]))
    assert [text.get_text() for text in axes.texts] == []
    axes = density_map(np.array([1, 2]), frequencies, np.stack([mean, mean])).axes[0]
    assert axes.get_ylabel() == "spatial frequency (cycles / mm)"
    assert axes.get_ylim() == pytest.approx((0, 0.5 / spacing[0]))


def test_corners_are_within_the_panel():
    frequencies, density = radial_psd(torch.rand(32, 32), spatial_dims=2, corners=True)
    axes = density_curve(frequencies.numpy(), density.numpy(), 0 * density.numpy(), unit="").axes[0]
    assert axes.get_xlim() == pytest.approx((0, 23 / 32))
    assert axes.get_xlabel() == "spatial frequency (cycles / voxel)"
