"""Spectra moved to references of any kind, in the pipelines that people have."""

import inspect
import json
import pickle

import numpy as np
import pytest
import torch
from meta_images import meta_image
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, ScaleIntensityd
from PIL import Image

from monai_freq.spectral.band_grid import BandGrid
from monai_freq.spectral.band_match import band_densities, match_bands
from monai_freq.transforms import RandSpectrumMatch, RandSpectrumMatchd, SpectrumMatch, SpectrumMatchd
from monai_freq.transforms.spectrum_match import HALF_OCTAVES, reference_densities

BANDS = BandGrid(HALF_OCTAVES)


def smooth(*shape, seed=0):
    noise = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return sum(noise.roll(shift, -1) for shift in range(3)) / 3


def test_an_image_a_path_densities_and_several_images_are_references(tmp_path):
    image, sharp = smooth(1, 48, 40, seed=1), torch.rand(1, 64, 64)
    pixels = (255 * sharp[0]).to(torch.uint8)
    Image.fromarray(pixels.numpy()).save(tmp_path / "sharp.png")
    rows = reference_densities([pixels[None]], BANDS)
    expected = match_bands(image, torch.tensor(rows, dtype=torch.float64), BANDS, spatial_dims=2)
    (row,) = json.loads(json.dumps(rows))
    transposed = pixels.T if not np.array_equal(reference_densities([tmp_path / "sharp.png"], BANDS), rows) else pixels
    for reference in (transposed[None], str(tmp_path / "sharp.png"), tmp_path / "sharp.png", [pixels[None]], row, rows):
        torch.testing.assert_close(SpectrumMatch(reference)(image).as_tensor(), expected, rtol=1e-4, atol=1e-5)


def test_the_mean_of_several_is_geometric():
    images = [torch.rand(1, 48, 48), smooth(1, 64, 40), 5 * smooth(1, 48, 48, seed=3)]
    found = np.array(reference_densities(images, BANDS), dtype=float)
    logs = [band_densities(image.double(), BANDS, spatial_dims=2).log().numpy() for image in images]
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found, np.exp(np.nanmean(logs, 0)), rtol=1e-6)


def test_channels_have_references_of_their_own_or_one():
    image, reference = smooth(3, 40, 40), torch.cat([torch.rand(2, 40, 40), smooth(1, 40, 40, seed=9)])
    result = SpectrumMatch(reference)(image)
    for channel in range(3):
        alone = SpectrumMatch(reference[channel : channel + 1])(image[channel : channel + 1])
        torch.testing.assert_close(result[channel : channel + 1], alone)
    rows = reference_densities([reference], BANDS)
    mean = [None if None in each else float(np.exp(np.log(each).mean())) for each in zip(*rows, strict=True)]
    expected = SpectrumMatch(mean)(image[:2])
    torch.testing.assert_close(SpectrumMatch(reference)(image[:2]), expected)


def test_bands_per_mm_take_the_voxel_size_of_the_image():
    image = MetaTensor(smooth(1, 20, 24, 16), affine=np.diag([0.5, 0.5, 2.0, 1.0]))
    settings = {"edges": (0.0, 0.2, 0.5, 2.0), "unit": "mm"}
    reference = [0.2, 0.1, 0.05]
    expected = match_bands(
        image.as_tensor(), torch.tensor(reference), BandGrid(**settings), (0.5, 0.5, 2.0), spatial_dims=3
    )
    assert torch.equal(SpectrumMatch(reference, **settings)(image).as_tensor(), expected)
    told = SpectrumMatch(reference, **settings, spacing=(0.5, 0.5, 2.0))(image.numpy())
    assert np.array_equal(told, expected.numpy())


def test_metadata_are_kept_and_the_input_is_left_alone():
    image = meta_image(1, 16, 16, 8)
    before = image.clone()
    result = SpectrumMatch(torch.rand(1, 16, 16, 8))(image)
    assert isinstance(result, MetaTensor)
    assert result.meta["filename_or_obj"] == "la_003.nii.gz"
    assert torch.equal(image, before)
    assert not torch.equal(result.as_tensor(), image.as_tensor())


def test_draws_are_uniform_in_reference_and_strength():
    rows = [[float(k)] * 11 for k in (1, 2, 3)]
    augment = RandSpectrumMatch(rows, prob=0.4, strength=(0.2, 0.6)).set_random_state(0)
    references, strengths, acted = [], [], 0
    for _ in range(2000):
        augment.randomize()
        references.append(augment.drawn["reference"][0][0])
        strengths.append(augment.drawn["strength"])
        acted += augment._do_transform
    assert 740 <= acted <= 860
    assert all(600 <= references.count(k) <= 733 for k in (1.0, 2.0, 3.0))
    np.testing.assert_allclose(np.quantile(strengths, [0, 0.25, 0.5, 0.75, 1]), [0.2, 0.3, 0.4, 0.5, 0.6], atol=0.02)


def test_what_was_drawn_is_what_the_fixed_one_does():
    image = smooth(1, 32, 32)
    augment = RandSpectrumMatch([torch.rand(1, 32, 32), torch.rand(1, 40, 40)], prob=1.0).set_random_state(5)
    for _ in range(3):
        result = augment(image)
        assert torch.equal(SpectrumMatch(**augment.drawn)(image), result)
        assert torch.equal(augment(image, randomize=False), result)


def test_as_dictionary_transforms_in_a_configuration():
    rows = reference_densities([torch.rand(1, 32, 32)], BANDS)
    config = [
        {"_target_": "ScaleIntensityd", "keys": "image"},
        {"_target_": "monai_freq.transforms.SpectrumMatchd", "keys": "image", "reference": rows, "strength": 0.5},
        {"_target_": "monai_freq.transforms.RandSpectrumMatchd", "keys": "image", "references": [rows], "prob": 1.0},
    ]
    parsed = ConfigParser(json.loads(json.dumps({"all": {"_target_": "Compose", "transforms": config}})))
    item = {"image": smooth(1, 32, 32), "label": 3}
    chain = parsed.get_parsed_content("all").set_random_state(1)
    fixed = Compose([ScaleIntensityd("image"), SpectrumMatchd("image", rows, strength=0.5)])
    last = RandSpectrumMatchd("image", [rows], prob=1.0)
    last.set_random_state(state=np.random.RandomState(chain.transforms[2].R.get_state()[1][0]))
    result = pickle.loads(pickle.dumps(chain))(item)
    assert torch.equal(chain(item)["image"], result["image"])
    assert result["label"] == 3
    assert not torch.equal(result["image"], fixed(item)["image"])
    assert list(inspect.signature(SpectrumMatchd).parameters)[:3] == ["keys", "reference", "edges"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SpectrumMatch("nowhere.png"), "nowhere.png"),
        (lambda: SpectrumMatch([1.0] * 10), r"'reference' .* for each of 11 cells, got 1 row\(s\) of \[10\]"),
        (lambda: SpectrumMatch([1.0] * 11, strength=1.2), r"'strength' must be in \[0, 1\], got 1.2"),
        (lambda: RandSpectrumMatch([]), "'references' must be a list of at least one reference"),
        (lambda: SpectrumMatch([1.0] * 11)(torch.rand(1, 8)), "2 or 3 spatial axes"),
        (lambda: reference_densities([], BANDS), "at least one image"),
    ],
)
def test_what_is_refused(make, says):
    with pytest.raises(Exception, match=says):
        make()
