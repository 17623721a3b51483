"""The susceptibility phantoms are repeatable, have the measures of brains and the artefacts of their reconstruction."""

import nibabel
import numpy as np
import pytest
import torch
from random_states import global_states
from scipy.ndimage import label as components

from monai_freq.data import check_cases, read_decathlon
from monai_freq.phantoms import write_dentate_nucleus, write_red_nucleus
from monai_freq.phantoms.brain import Crenated
from monai_freq.phantoms.canvas import Canvas
from monai_freq.phantoms.nuclei import NUCLEI, Without, draw_nucleus_case
from monai_freq.phantoms.shapes import Ellipsoid

SIZE = (64, 64, 48)
SEEDS = range(4)
WRITERS = {"red": write_red_nucleus, "dentate": write_dentate_nucleus}
# Both sides together in mm^3, and mean susceptibility found in ppm: a wide frame round what is published.
VOLUMES = {"red": (350, 800), "dentate": (1500, 3500)}
FOUND = {"red": (0.05, 0.14), "dentate": (0.03, 0.12)}


@pytest.fixture(scope="module")
def drawn():
    return {
        nucleus: [draw_nucleus_case(np.random.default_rng(seed), SIZE, nucleus=nucleus) for seed in SEEDS]
        for nucleus in WRITERS
    }


@pytest.fixture(params=WRITERS)
def nucleus(request):
    return request.param


@pytest.fixture
def cases(drawn, nucleus):
    return drawn[nucleus]


def positions(label, affine):
    """Voxels of the label in mm."""
    return np.argwhere(label) @ affine[:3, :3].T + affine[:3, 3]


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_the_folder_passes_the_reader_and_the_check(tmp_path, nucleus):
    found = read_decathlon(WRITERS[nucleus](tmp_path, cases=2, test_cases=1, size=(32, 32, 24)))
    check_cases(found.training, found.labels, channels=1)
    assert found.root == tmp_path / f"{nucleus.capitalize()}Nucleus"
    assert (len(found.training), len(found.test)) == (2, 1)
    assert found.labels == {0: "background", 1: f"{nucleus} nucleus"}
    assert found.modality == {0: "QSM"}


def test_no_label_is_empty_however_coarse_the_grid(tmp_path, nucleus):
    for seed in SEEDS:
        _, label, _ = draw_nucleus_case(np.random.default_rng(seed), (16, 16, 16), nucleus=nucleus)
        assert label.any()


def test_the_same_seed_writes_the_same_voxels(tmp_path, nucleus):
    folders = [WRITERS[nucleus](tmp_path / name, cases=2, test_cases=1, size=(24, 24, 16)) for name in "ab"]
    paths = [sorted(path.relative_to(folder) for path in folder.rglob("*.nii.gz")) for folder in folders]
    assert paths[0] == paths[1]
    assert len(paths[0]) == 5
    for path in paths[0]:
        first, second = (nibabel.load(folder / path) for folder in folders)
        assert np.asanyarray(first.dataobj).tobytes() == np.asanyarray(second.dataobj).tobytes()
        np.testing.assert_array_equal(first.affine, second.affine)


def test_global_random_states_neither_matter_nor_change(drawn):
    torch.manual_seed(1)
    before = global_states()
    image, label, _ = draw_nucleus_case(np.random.default_rng(0), SIZE, nucleus="red")
    assert global_states() == before
    np.testing.assert_array_equal(image, drawn["red"][0][0])
    np.testing.assert_array_equal(label, drawn["red"][0][1])


def test_both_tasks_see_the_same_brains(drawn):
    for (image, red, _), (other, dentate, _) in zip(drawn["red"], drawn["dentate"], strict=True):
        np.testing.assert_array_equal(image, other)
        assert not (red & dentate).any()


def test_types_and_affines_are_those_of_a_map(cases):
    for image, label, affine in cases:
        assert (image.shape, image.dtype, label.shape, label.dtype) == (SIZE, np.float32, SIZE, np.uint8)
        assert nibabel.aff2axcodes(affine) == ("R", "A", "S")
        np.testing.assert_allclose(affine.diagonal(), [2.5, 2.5, 128 / 48, 1])


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


def test_patients_differ(cases):
    centres = np.array([positions(label, affine).mean(0) for _, label, affine in cases])
    assert (centres.std(0) > (0.3, 1.0, 1.0)).all()
    assert np.ptp(centres, axis=0).max() < 25
    overlaps = [dice(a[1] > 0, b[1] > 0) for i, a in enumerate(cases) for b in cases[:i]]
    assert max(overlaps) < 0.85


def test_iron_is_ordered_as_in_brains():
    means = {name: np.mean(nucleus.iron) for name, nucleus in NUCLEI.items()}
    assert means["pallidum"] > means["red"] > means["putamen"] > means["thalamus"] > 0
    assert means["nigra"] > means["red"]


def test_crenation_folds_a_surface_about_its_base():
    ball = Ellipsoid((0, 0, 0), (20, 20, 20))
    plain, folded = Canvas((64, 64, 64), (1, 1, 1), (-31.5,) * 3), Canvas((64, 64, 64), (1, 1, 1), (-31.5,) * 3)
    plain.paint(ball, 1, label=1)
    folded.paint(Crenated(ball, amplitude=2, wavelength=9), 1, label=1)
    volume = 4 / 3 * np.pi * 20**3
    assert folded.layers[1].sum() == pytest.approx(volume, rel=0.05)

    def surface(layer):
        return sum(np.abs(np.diff(layer, axis=axis)).sum() for axis in range(3))

    assert surface(folded.layers[1]) > 1.3 * surface(plain.layers[1])


def test_a_crenated_sheet_is_as_thick_as_asked_for():
    ball = Ellipsoid((0, 0, 0), (20, 20, 20))
    canvas = Canvas((64, 64, 64), (1, 1, 1), (-31.5,) * 3)
    canvas.paint(Crenated(ball, amplitude=0, wavelength=9, thickness=3), 1, label=1)
    shell = 4 / 3 * np.pi * (21.5**3 - 18.5**3)
    assert canvas.layers[1].sum() == pytest.approx(shell, rel=0.02)
    assert canvas.layers[1][32, 32, 32] == 0


@pytest.mark.parametrize(
    "shape",
    [
        Crenated(Ellipsoid((1, 2, 0), (12, 9, 10)), 1.5, (20, 9, 7), (1, 2, 3)),
        Crenated(Ellipsoid((1, 2, 0), (12, 9, 10)), 1.5, 8, (1, 2, 3), offset=2, thickness=2.5),
        Without(Ellipsoid((1, 2, 0), (12, 9, 10)), Ellipsoid((8, 2, 0), (8, 5, 5))),
    ],
    ids=["crenated", "sheet", "without"],
)
def test_bounds_hold_the_shape_and_distances_are_about_millimetres(shape):
    axis = np.arange(-17.75, 18, 0.5, dtype=np.float32)
    points = np.meshgrid(axis, axis, axis, indexing="ij")
    distance = shape.distance(points)
    inside = distance < 0
    assert inside.any()
    low, high = shape.bounds()
    for coordinates, a, b in zip(points, low, high, strict=True):
        assert a <= coordinates[inside].min() <= coordinates[inside].max() <= b
    slope = np.sqrt(sum(g**2 for g in np.gradient(distance, 0.5)))
    assert 0.7 < np.median(slope[np.abs(distance) < 0.4]) < 1.3


def test_a_hole_is_cut_out():
    ball, hole = Ellipsoid((0, 0, 0), (10, 10, 10)), Ellipsoid((0, 0, 0), (6, 6, 6))
    canvas = Canvas((32, 32, 32), (1, 1, 1), (-15.5,) * 3)
    canvas.paint(Without(ball, hole), 1, label=1)
    assert canvas.layers[1].sum() == pytest.approx(4 / 3 * np.pi * (10**3 - 6**3), rel=0.02)
