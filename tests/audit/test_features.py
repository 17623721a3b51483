"""Log powers of images of variance 1, against plain NumPy."""

import numpy as np
import pytest
import torch

from monai_freq.audit import Case, Cases, Features, band_features
from monai_freq.audit.data.features import grids_features, standard_powers
from monai_freq.errors import DataError
from monai_freq.spectral.band_grid import BandGrid

BANDS = BandGrid((0.0, 0.1, 0.3, 0.5))


def numpy_features(image):
    """Of one channel, with full spectra and masks."""
    x = image.astype(np.float64)
    x = (x - x.mean()) / x.std()
    window = np.multiply.outer(*(np.hanning(size + 1)[:-1] for size in x.shape))
    spectrum = np.fft.fft2((x - (x * window).sum() / window.sum()) * window)
    radius = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, x.shape), indexing="ij"))
    power = np.abs(spectrum) ** 2 / (window**2).sum()
    rings = zip(BANDS.edges, BANDS.edges[1:], strict=False)
    return [np.log10(power[(radius > low + 1e-9) & (radius <= high + 1e-9)].mean()) for low, high in rings]


def test_equals_the_definition():
    images = torch.rand(3, 1, 24, 31, generator=torch.Generator().manual_seed(0))
    found = band_features(Cases.of_arrays(images), BANDS)
    np.testing.assert_allclose(found.values, [numpy_features(image[0].numpy()) for image in images], atol=1e-4)
    assert found.cells == (0, 1, 2)


def test_brightness_contrast_and_bit_depth_change_nothing():
    image = torch.randint(0, 256, (1, 32, 32), generator=torch.Generator().manual_seed(0)).float()
    values = band_features(Cases.of_arrays([image, 257 * image, -3 * image + 1000]), BANDS).values
    np.testing.assert_allclose(values, values[[0, 0, 0]], atol=1e-4)


def test_channels_are_averaged():
    image = torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(0))
    image = (image - image.mean()) / image.std(correction=0)
    single = [BANDS.powers(channel, spatial_dims=2) for channel in image]
    np.testing.assert_allclose(standard_powers(image, None, BANDS), (single[0] + single[1]) / 2, rtol=1e-4)


def test_cells_that_some_image_has_not_are_left_out():
    bands = BandGrid((0.01, 0.03, 0.25, 0.5))
    images = [torch.rand(1, 64, 64), torch.rand(1, 16, 16)]
    found = band_features(Cases.of_arrays(images), bands)
    assert found.names == ("0.03 to 0.25", "0.25 to 0.5")
    assert found.cells == (1, 2)
    assert found.left_out == ("0.01 to 0.03",)
    with pytest.raises(DataError, match="No band holds a frequency of every image"):
        band_features(Cases.of_arrays(images), BandGrid((0.01, 0.03)))


def test_several_grids_are_measured_at_once():
    cases = Cases.of_arrays(torch.rand(2, 1, 20, 20))
    fine = BandGrid((0.0, 0.25, 0.5), directional=True)
    for found, grid in zip(grids_features(cases, [BANDS, fine]), (BANDS, fine), strict=True):
        np.testing.assert_array_equal(found.values, band_features(cases, grid).values)


def test_an_empty_cell_has_a_floor():
    wave = torch.cos(2 * torch.pi * torch.arange(64) / 8).expand(1, 64, 64)
    values = band_features(Cases([Case(wave.double().float())]), BandGrid((0.0, 0.2, 0.5))).values
    assert values[0, 0] > 0
    assert -10 <= values[0, 1] < -5


def test_faults_name_the_image():
    with pytest.raises(DataError, match=r"case 1 cannot be compared. It is constant"):
        band_features(Cases.of_arrays([torch.rand(1, 8, 8), torch.ones(1, 8, 8)]), BANDS)
    with pytest.raises(DataError, match="Some images are in 2D and others in 3D"):
        band_features(Cases.of_arrays([torch.rand(1, 8, 8), torch.rand(1, 8, 8, 8)]), BANDS)


def test_features_are_checked():
    with pytest.raises(ValueError, match=r"'values' must have shape \(images, 1\), got \(2, 2\)"):
        Features(np.zeros((2, 2)), ("a",))
    with pytest.raises(ValueError, match="finite"):
        Features(np.full((2, 1), np.nan), ("a",))
    some = Features(np.arange(6.0).reshape(3, 2), ("a", "b"), (4, 5)).some(np.array([True, False, True]))
    np.testing.assert_array_equal(some.values, [[0, 1], [4, 5]])
    assert some.cells == (4, 5)
