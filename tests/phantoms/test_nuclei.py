"""The susceptibility phantoms have the measures of brains and the artefacts of their reconstruction."""

import numpy as np
import pytest
from overlaps import dice
from scipy.ndimage import label as components

from monai_freq.phantoms.nuclei import NUCLEI, draw_nucleus_case

SIZE = (64, 64, 48)
SEEDS = range(4)
# Both sides together in mm^3, and mean susceptibility found in ppm: a wide frame round what is published.
VOLUMES = {"red": (350, 800), "dentate": (1500, 3500)}
FOUND = {"red": (0.05, 0.14), "dentate": (0.03, 0.12)}


@pytest.fixture(scope="module")
def drawn(draw_patients):
    return {nucleus: draw_patients(nucleus, len(SEEDS)) for nucleus in VOLUMES}


@pytest.fixture(params=VOLUMES)
def nucleus(request):
    return request.param


@pytest.fixture
def cases(drawn, nucleus):
    return drawn[nucleus]


def positions(label, affine):
    """Voxels of the label in mm."""
    return np.argwhere(label) @ affine[:3, :3].T + affine[:3, 3]


def test_no_label_is_empty_however_coarse_the_grid(nucleus):
    for seed in SEEDS:
        _, label, _ = draw_nucleus_case(np.random.default_rng(seed), (16, 16, 16), nucleus=nucleus)
        assert label.any()


def test_both_tasks_see_the_same_brains(drawn):
    for (image, red, _), (other, dentate, _) in zip(drawn["red"], drawn["dentate"], strict=True):
        np.testing.assert_array_equal(image, other)
        assert not (red & dentate).any()


def test_there_is_one_nucleus_a_side_of_a_plausible_volume(cases, nucleus):
    volumes = []
    for _, label, affine in cases:
        x = positions(label, affine)[:, 0]
        left = (x < x.mean()).mean()
        assert 0.35 < left < 0.65
        _, pieces = components(label, np.ones((3, 3, 3)))
        assert pieces <= 2  # they may touch, but do not fall apart
        volumes.append(len(x) * abs(np.linalg.det(affine)))
    least, most = VOLUMES[nucleus]
    assert least < min(volumes) < max(volumes) < most
    assert np.std(volumes) > 0.03 * np.mean(volumes)


def test_the_nuclei_lie_where_they_do_in_brains(drawn):
    for (image, red, affine), (_, dentate, _) in zip(drawn["red"], drawn["dentate"], strict=True):
        brain = positions(image != 0, affine)
        midbrain, cerebellum = positions(red, affine), positions(dentate, affine)
        assert abs(midbrain[:, 0].mean() - np.median(brain[:, 0])) < 5
        apart = [
            np.ptp([p[p[:, 0] < p[:, 0].mean(), 0].mean(), p[p[:, 0] > p[:, 0].mean(), 0].mean()])
            for p in (midbrain, cerebellum)
        ]
        assert 7 < apart[0] < 14
        assert 22 < apart[1] < 36
        _, behind, below = midbrain.mean(0) - cerebellum.mean(0)
        assert 25 < behind < 45
        assert 12 < below < 35
        assert np.quantile(brain[:, 2], 0.02) < cerebellum[:, 2].mean() < np.median(brain[:, 2])


def test_the_label_covers_what_is_rich_in_iron(cases):
    for image, label, _ in cases:
        moved = [image[np.roll(label, step, axis) > 0].mean() for axis in range(3) for step in (-2, 2)]
        assert image[label > 0].mean() > 1.4 * max(moved)


def test_susceptibilities_are_those_of_tissue_in_ppm(cases, nucleus):
    least, most = FOUND[nucleus]
    for image, label, _ in cases:
        inside = image != 0
        assert 0.25 < inside.mean() < 0.45  # of 3.3 litres
        assert image[inside].mean() == pytest.approx(0, abs=1e-5)
        assert least < image[label > 0].mean() < most
        assert 0.01 < image[inside].std() < 0.05
        assert -0.3 < image.min() < -0.04  # myelin, calcification, streaks
        assert 0.15 < image.max() < 0.6  # veins


def test_the_map_lacks_what_the_field_does_not_tell(drawn):
    """Power around the zero cone of the dipole kernel, relative to directions beside it."""
    for image, _, affine in drawn["red"]:
        kx, ky, kz = np.meshgrid(*map(np.fft.fftfreq, SIZE, affine.diagonal()[:3]), indexing="ij")
        k = np.sqrt(kx**2 + ky**2 + kz**2)
        kernel = np.abs(1 / 3 - (kz / np.maximum(k, 1e-9)) ** 2)
        power = np.abs(np.fft.fftn(image)) ** 2
        middle = (k > 0.05) & (k < 0.15)  # cycles per mm: of structures, and above the cone's width set by the outline
        lost, kept = middle & (kernel < 0.03), middle & (kernel > 0.15) & (kernel < 0.25)
        assert power[lost].mean() < 0.5 * power[kept].mean()


def test_volume_and_place_do_not_depend_on_the_grid(drawn, nucleus):
    image, label, affine = drawn[nucleus][1]
    finer, fine_label, fine_affine = draw_nucleus_case(np.random.default_rng(1), (128, 128, 96), nucleus=nucleus)
    volumes = label.sum() * np.linalg.det(affine), fine_label.sum() * np.linalg.det(fine_affine)
    assert volumes[0] == pytest.approx(volumes[1], rel=0.15)  # a voxel more or less all round counts in small nuclei
    np.testing.assert_allclose(positions(label, affine).mean(0), positions(fine_label, fine_affine).mean(0), atol=1.0)
    assert image[label > 0].mean() == pytest.approx(finer[fine_label > 0].mean(), rel=0.25)  # partial volume


def test_no_threshold_finds_the_nuclei(cases):
    for image, label, _ in cases:
        best = max(dice(image > level, label > 0) for level in np.arange(0.01, 0.3, 0.005))
        assert best < 0.4


def test_other_nuclei_and_veins_are_as_bright(cases):
    for image, label, _ in cases:
        assert (image[label == 0] > np.median(image[label > 0])).sum() > 2 * label.sum()


def test_patients_lie_at_different_places(cases):
    centres = np.array([positions(label, affine).mean(0) for _, label, affine in cases])
    assert (centres.std(0) > (0.3, 1.0, 1.0)).all()
    assert np.ptp(centres, axis=0).max() < 25


def test_iron_is_ordered_as_in_brains():
    means = {name: np.mean(nucleus.iron) for name, nucleus in NUCLEI.items()}
    assert means["pallidum"] > means["red"] > means["putamen"] > means["thalamus"] > 0
    assert means["nigra"] > means["red"]
