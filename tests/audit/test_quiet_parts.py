"""Spectra of quiet parts, against patches that are cut one by one."""

import numpy as np
import pytest
import torch

from monai_freq.audit import Cases, band_features, find_leak
from monai_freq.audit.data.quiet_parts import quiet_powers
from monai_freq.spectral.band_grid import BandGrid

BANDS = BandGrid((0.1, 0.3, 0.5))


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_equals_the_quartile_of_patches():
    image = noise(1, 80, 64).double() * torch.linspace(0.1, 3, 64)
    patches = [image[0, y : y + 32, x : x + 32] for y in range(0, 49, 16) for x in range(0, 33, 16)]
    powers = torch.stack([BANDS.powers(patch, spatial_dims=2) for patch in patches])
    expected = np.quantile(powers.numpy(), 0.25, axis=0)
    np.testing.assert_allclose(quiet_powers(image, None, BANDS, spatial_dims=2)[0].numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(96, 96), (48, 48, 16), (40, 40, 5)])
def test_noise_is_seen_beside_edges(shape):
    image = 0.1 * noise(1, *shape)
    image[:, 20:30] += 100
    found = quiet_powers(image, None, BANDS, spatial_dims=len(shape))
    np.testing.assert_allclose(found[0].numpy(), 0.01, rtol=0.3)


def test_constant_patches_do_not_count():
    image = torch.zeros(1, 128, 128)
    image[:, :40, :40] = noise(40, 40)
    assert quiet_powers(image, None, BANDS, spatial_dims=2).min() > 1e-6
    assert quiet_powers(torch.zeros(1, 64, 64), None, BANDS, spatial_dims=2).isnan().all()


def test_units():
    image = noise(1, 64, 96)
    per_voxel = quiet_powers(image, None, BandGrid((0.1, 0.3)), spatial_dims=2)
    torch.testing.assert_close(quiet_powers(image, (2, 2), BandGrid((0.05, 0.15), "mm"), spatial_dims=2), per_voxel)
    square = image[..., :64]
    per_image = quiet_powers(square, None, BandGrid((6.4, 19.2), "image"), spatial_dims=2)
    torch.testing.assert_close(per_image, quiet_powers(square, None, BandGrid((0.1, 0.3)), spatial_dims=2))


def test_a_leak_that_edges_hide_is_found_in_quiet_parts():
    images, labels = 0.05 * noise(60, 1, 64, 64), ["a", "b"] * 30
    images[1::2] *= 1.3
    for seed, image in enumerate(images):
        image[0, :, 8 + seed % 9] += 3 + 0.3 * noise(1, seed=seed)
    cases = Cases.of_arrays(images, labels=labels)
    whole, both = (find_leak(band_features(cases, BANDS, quiet=quiet), labels) for quiet in (False, True))
    assert both.found
    assert both.auc > whole.auc + 0.1
    assert [cell.quiet for cell in both.cells] == [False, False, True, True]
    assert [cell.cell for cell in both.cells] == [0, 1, 0, 1]
    assert both.cells[2].name == "0.1 to 0.3, in quiet parts"
