"""Noise of equal energy in each cell, and networks that see one cell."""

import math

import numpy as np
import pytest
import torch

from monai_freq.audit import AuditModel, Cases
from monai_freq.audit.model.edits import SpectrumEdits, usual_bands
from monai_freq.audit.model.sensitivity import sensitivity
from monai_freq.spectral.band_grid import BandGrid


@pytest.mark.parametrize(
    ("shape", "directional"), [((1, 65, 47), True), ((2, 33, 64), False), ((1, 16, 20, 24), False)]
)
def test_the_noise_of_each_cell_has_the_same_energy_and_lies_in_the_cell(shape, directional):
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 50 + 100
    bands = usual_bands(len(shape) - 1, directional=directional)
    edits = SpectrumEdits(image, bands)
    white, places = edits.white(3), bands.cells(shape[1:])
    reached = 0
    for cell in range(bands.n_cells(len(shape) - 1)):
        noisy = edits.noisy(cell, white, 0.2)
        if noisy is None:
            assert not (places == cell).any()
            continue
        reached += 1
        noise = (noisy - image).double()
        wanted = 0.2 * float(image.std(correction=0)) * math.sqrt(image.numel())
        assert float(noise.norm()) == pytest.approx(wanted, rel=1e-5)
        power = np.abs(np.fft.rfftn(noise.numpy(), axes=range(1, len(shape)))) ** 2
        assert power[:, places.numpy() != cell].sum() < 1e-8 * power.sum()
    assert reached >= 3


def test_a_network_that_sees_one_direction_answers_to_its_noise():
    """A difference along axis 0 at the highest frequency."""
    wave = torch.cos(math.pi * torch.arange(32.0))[:, None]
    images = torch.randn(16, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    cases = Cases.of_arrays(images, labels=[0, 1] * 8)
    bands = BandGrid((0, 0.1, 0.25, 0.45, 0.75), directional=True)
    model = AuditModel(lambda x: 30 * (x * wave).mean((2, 3)))
    found = sensitivity(model, cases, bands, progress=False)
    moved = {each.cell: each.moved for each in found.experiments}
    assert found.strength == 0.2
    assert max(moved, key=moved.get) == "0.45 to 0.75, along axis 0"
    assert sorted(moved.values())[-2] < 1e-4
    assert sensitivity(model, cases, bands, progress=False) == found
    assert sensitivity(model, cases, bands, progress=False, seed=1) != found


def test_the_noise_of_a_case_is_its_own():
    images = torch.randn(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    cases = Cases.of_arrays(images, labels=[0, 1] * 3)
    seen = []
    model = AuditModel(lambda x: seen.append(x.clone()) or x.mean((2, 3)), activation="sigmoid")
    sensitivity(model, cases, BandGrid((0, 0.75)), progress=False)
    all_of_them = [each - image for each, image in zip(seen[1::2], images, strict=True)]
    seen.clear()
    sensitivity(model, cases[2:4], BandGrid((0, 0.75)), progress=False)
    torch.testing.assert_close(seen[1] - images[2], all_of_them[2])
    assert not torch.allclose(all_of_them[0], all_of_them[1])


def test_images_without_a_frequency_are_left_out():
    cases = Cases.of_arrays(torch.randn(4, 1, 16, 16), labels=[0, 1] * 2)
    found = sensitivity(AuditModel(lambda x: x.mean((2, 3))), cases, BandGrid((0, 0.01, 0.75)), progress=False)
    assert [(each.n_cases, each.value is None) for each in found.experiments] == [(0, True), (4, False)]


def test_strength_is_positive():
    with pytest.raises(ValueError, match="'strength' must be"):
        sensitivity(AuditModel(lambda x: x), Cases.of_arrays(torch.rand(1, 1, 8, 8)), strength=0)
