"""The cases of every phantom for segmentation are scans that differ from patient to patient."""

import nibabel
import numpy as np
import pytest
from overlaps import dice

#: task -> size, voxel edges in mm, number of labels, type of the image
TASKS = {
    "heart": ((64, 64, 32), (5.125, 5.125, 4.5), 1, np.int16),
    "spleen": ((64, 64, 32), (5.75, 5.75, 6), 1, np.int16),
    "hippocampus": ((56, 56, 40), (0.75, 1, 1), 2, np.int16),
    "red": ((64, 64, 48), (2.5, 2.5, 128 / 48), 1, np.float32),
    "dentate": ((64, 64, 48), (2.5, 2.5, 128 / 48), 1, np.float32),
}
ORGANS = ("heart", "spleen", "hippocampus")


@pytest.fixture(scope="module", params=TASKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def cases(name, draw_patients):
    return draw_patients(name, 5)


def test_types_and_affines_are_those_of_a_scan(name, cases):
    size, spacing, _, kind = TASKS[name]
    for image, label, affine in cases:
        assert (image.shape, image.dtype, label.shape, label.dtype) == (size, kind, size, np.uint8)
        assert nibabel.aff2axcodes(affine) == ("R", "A", "S")
        np.testing.assert_allclose(affine.diagonal(), [*spacing, 1])


@pytest.mark.parametrize("name", ORGANS, indirect=True)
def test_patients_do_not_lie_at_one_place(cases):
    assert len({tuple(affine[:3, 3]) for _, _, affine in cases}) == len(cases)


def test_the_labels_lie_inside_the_volume(name, cases):
    size, _, labels, _ = TASKS[name]
    border = np.ones(size, dtype=bool)
    border[1:-1, 1:-1, 1:-1] = False
    for _, label, _ in cases:
        assert set(np.unique(label)) == set(range(1 + labels))
        assert not label[border].any()


def test_patients_differ(name, cases):
    overlaps = [dice(a[1] > 0, b[1] > 0) for i, a in enumerate(cases) for b in cases[:i]]
    assert max(overlaps) < (0.9 if name in ORGANS else 0.85)
    if name in ORGANS:
        assert min(overlaps) > 0.3  # but it is the same organ in the same place


@pytest.mark.parametrize("name", ORGANS, indirect=True)
def test_no_window_of_intensities_finds_the_organ(cases):
    best = []
    for image, label, _ in cases:
        levels = np.percentile(image[label > 0], np.arange(0, 100, 5))
        bands = [(low, high) for low in levels for high in (*levels[levels > low], np.inf)]
        best.append(max(dice((image >= low) & (image <= high), label > 0) for low, high in bands))
    assert np.mean(best) < 0.55  # though each case's best window is known
