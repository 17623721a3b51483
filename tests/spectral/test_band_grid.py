"""Bands that images of any size and spacing share, against plain NumPy."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from monai_freq.spectral.band_grid import BandGrid

SIZES = [(16, 16), (15, 24), (9, 8), (12, 10, 8), (9, 7, 11)]


def direction_of(vector, steps):
    """Number of the direction of a frequency by its angles; half a cycle per voxel has no sign."""
    length = math.hypot(*vector)
    cosine = [abs(part) / length for part in vector]
    nearest = math.cos(math.pi / 8) if len(vector) == 2 else 0.75
    along = [axis for axis, part in enumerate(cosine) if part >= nearest * (1 - 1e-6)]
    if along:
        return along[-1]
    unsigned = any(math.isclose(abs(part) * step, 0.5) for part, step in zip(vector, steps, strict=True))
    return 2 + (vector[0] * vector[1] < 0 and not unsigned) if len(vector) == 2 else 3


def numpy_cells(bands, sizes, steps):
    """Cell of each frequency of the full spectrum, one at a time."""
    axes = [np.fft.fftfreq(size, step) for size, step in zip(sizes, steps, strict=True)]
    table = np.full(sizes, -1)
    for place in np.ndindex(*sizes):
        vector = [axis[k] for axis, k in zip(axes, place, strict=True)]
        radius = math.hypot(*vector)
        for band, (low, high) in enumerate(pairwise(bands.edges)):
            if radius > 0 and low * (1 + 1e-6) < radius <= high * (1 + 1e-6):
                table[place] = 4 * band + direction_of(vector, steps) if bands.directional else band
    return table


def numpy_powers(bands, x, steps):
    windows = [np.hanning(size + 1)[:-1] if size >= 8 else np.ones(size) for size in x.shape]
    window = windows[0]
    for other in windows[1:]:
        window = np.multiply.outer(window, other)
    mean = (x * window).sum() / window.sum()
    power = np.abs(np.fft.fftn((x - mean) * window)) ** 2 / (window**2).sum()
    table = numpy_cells(bands, x.shape, steps)
    cells = range(bands.n_cells(x.ndim))
    return np.array([power[table == cell].mean() if (table == cell).any() else np.nan for cell in cells])


@pytest.mark.parametrize("directional", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("unit", ["voxel", "mm", "image"])
def test_powers_equal_their_definition(sizes, unit, directional):
    spacing = (0.5, 2.0, 0.8)[: len(sizes)]
    steps = {"voxel": (1.0,) * len(sizes), "mm": spacing, "image": tuple(1 / size for size in sizes)}[unit]
    edges = {"voxel": (0.0, 0.1, 0.25, 0.5), "mm": (0.0, 0.1, 0.3, 0.8), "image": (0.0, 1.0, 2.5, 4.0)}[unit]
    bands = BandGrid(edges, unit, directional)
    x = np.random.default_rng(0).standard_normal(sizes) + 3
    found = bands.powers(torch.from_numpy(x), spacing, spatial_dims=len(sizes))
    np.testing.assert_allclose(found.numpy(), numpy_powers(bands, x, steps), rtol=1e-9)


@pytest.mark.parametrize("sizes", SIZES)
def test_each_frequency_is_in_one_cell_and_its_twin_in_the_same(sizes):
    bands = BandGrid((0.0, 0.2, 1.0), directional=True)
    full = torch.from_numpy(numpy_cells(bands, sizes, (1.0,) * len(sizes)))
    assert torch.equal(bands.cells(sizes), full[..., : sizes[-1] // 2 + 1])
    assert int((full < 0).sum()) == 1  # DC


@pytest.mark.parametrize(("sizes", "names"), [((64, 64), 4), ((32, 32, 32), 4)])
def test_directions_have_equal_shares(sizes, names):
    table = BandGrid((0.1, 0.5), directional=True).cells(sizes).flatten()
    counts = torch.bincount(table[table >= 0], minlength=names).double()
    assert (counts / counts.mean() - 1).abs().max() < 0.12


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wave_along_an_axis_lies_in_the_cell_of_its_frequency_and_axis(axis):
    sizes = [24, 24, 24]
    wave = torch.cos(2 * torch.pi * 6 * torch.arange(24) / 24).view([-1 if k == axis else 1 for k in range(3)])
    bands = BandGrid((0.0, 0.15, 0.35, 0.5), directional=True)
    strongest = int(bands.powers(wave.expand(sizes), spatial_dims=3).nan_to_num(0).argmax())
    assert bands.names(3)[strongest] == f"0.15 to 0.35, along axis {axis}"


def test_oblique_waves_lie_on_their_diagonals():
    grid = torch.arange(32)
    bands = BandGrid((0.1, 0.5), directional=True)
    for sign, name in ((1, "diagonal"), (-1, "antidiagonal")):
        wave = torch.cos(2 * torch.pi * 5 / 32 * (grid[:, None] + sign * grid))
        assert bands.names(2)[int(bands.powers(wave, spatial_dims=2).argmax())].endswith(f", {name}")


def test_a_wave_of_a_length_in_mm_is_in_one_band_on_any_grid():
    bands = BandGrid((0.0, 0.1, 0.2, 0.4), "mm")
    for size, spacing in ((128, (0.5, 0.5)), (64, (1.0, 1.0)), (96, (0.7, 0.7))):
        wave = torch.cos(2 * torch.pi * 0.15 * spacing[0] * torch.arange(size)).expand(size, size)
        assert int(bands.powers(wave, spacing, spatial_dims=2).argmax()) == 1


@pytest.mark.parametrize("sizes", SIZES)
def test_gains_of_one_change_nothing_and_gains_compose(sizes):
    x = torch.randn(2, *sizes, dtype=torch.float64)
    bands = BandGrid((0.0, 0.2, 1.0), directional=True)
    dims, cells = len(sizes), bands.n_cells(len(sizes))
    torch.testing.assert_close(bands.scaled(x, torch.ones(cells), spatial_dims=dims), x)
    gains = torch.rand(2, cells, dtype=torch.float64)
    once = bands.scaled(bands.scaled(x, gains, spatial_dims=dims), gains, spatial_dims=dims)
    torch.testing.assert_close(once, bands.scaled(x, gains**2, spatial_dims=dims))


@pytest.mark.parametrize("sizes", SIZES)
def test_a_cell_is_removed_and_all_else_stays(sizes):
    x = torch.randn(*sizes, dtype=torch.float64)
    bands = BandGrid((0.0, 0.2, 1.0), directional=True)
    gains = torch.ones(bands.n_cells(len(sizes)))
    gains[1] = 0
    removed = bands.scaled(x, gains, spatial_dims=len(sizes))
    before, after = (np.fft.fftn(each.numpy()) for each in (x, removed))
    inside = numpy_cells(bands, sizes, (1.0,) * len(sizes)) == 1
    np.testing.assert_allclose(after[inside], 0, atol=1e-9)
    np.testing.assert_allclose(after[~inside], before[~inside], atol=1e-9)


def test_scaling_keeps_types_and_reaches_gradients():
    bands = BandGrid((0.0, 0.5))
    assert bands.scaled(torch.ones(8, 8, dtype=torch.float16), torch.ones(1), spatial_dims=2).dtype == torch.float16
    x = torch.randn(8, 8, requires_grad=True)
    bands.powers(x, spatial_dims=2).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_the_mean_of_the_image_is_in_no_cell():
    bands, noise = BandGrid((0.0, 0.25, 0.5)), torch.randn(32, 40, dtype=torch.float64)
    one, other = (bands.powers(noise + shift, spatial_dims=2) for shift in (0, 1000))
    torch.testing.assert_close(one, other)


def test_equal_widths_in_octaves():
    edges = np.array(BandGrid.spaced(6, 0.01, 0.5).edges)
    np.testing.assert_allclose(np.diff(np.log2(edges)), np.log2(50) / 6)
    assert (edges[0], edges[-1]) == (0.01, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BandGrid((0.5, 0.1)), "'edges' must be two or more rising frequencies"),
        (lambda: BandGrid((0.1,)), "'edges' must be two or more"),
        (lambda: BandGrid((-0.1, 0.1)), "'edges' must be two or more"),
        (lambda: BandGrid((0, math.nan)), "'edges' must be two or more"),
        (lambda: BandGrid((0, 0.5), "cm"), "'unit' must be"),
        (lambda: BandGrid((0, 0.5), "mm").cells((8, 8)), "'spacing' is needed"),
        (lambda: BandGrid((0, 0.5), "mm").cells((8, 8), (1.0,)), "'spacing' must be 2 positive numbers"),
        (lambda: BandGrid((0, 0.5), "mm").cells((8, 8), (1.0, 0.0)), "'spacing' must be 2 positive numbers"),
        (lambda: BandGrid((0, 0.5)).names(4), "'spatial_dims' must be 2 or 3, got 4"),
        (lambda: BandGrid.spaced(0, 0.1, 0.5), "'n_bands' must be a whole number"),
        (lambda: BandGrid.spaced(3, 0.5, 0.1), "'lowest' must be above 0 and below 'highest'"),
        (lambda: BandGrid((0, 0.5)).scaled(torch.ones(8, 8), torch.ones(2), spatial_dims=2), "'gains' must have"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
