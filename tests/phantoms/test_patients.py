"""The cases of every phantom for segmentation are scans that differ from patient to patient."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import nibabel
import numpy as np
import pytest

from monai_freq.phantoms.heart import draw_heart_case
from monai_freq.phantoms.hippocampus import draw_hippocampus_case
from monai_freq.phantoms.nuclei import draw_nucleus_case
from monai_freq.phantoms.spleen import draw_spleen_case


class Task(NamedTuple):
    draw: Callable
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    labels: int = 1
    kind: type = np.int16


TASKS = {
    "heart": Task(draw_heart_case, (64, 64, 32), (5.125, 5.125, 4.5)),
    "spleen": Task(draw_spleen_case, (64, 64, 32), (5.75, 5.75, 6)),
    "hippocampus": Task(draw_hippocampus_case, (56, 56, 40), (0.75, 1, 1), labels=2),
    **{
        name: Task(partial(draw_nucleus_case, nucleus=name), (64, 64, 48), (2.5, 2.5, 128 / 48), kind=np.float32)
        for name in ("red", "dentate")
    },
}
ORGANS = ("heart", "spleen", "hippocampus")


@pytest.fixture(scope="module", params=TASKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def task(name):
    return TASKS[name]


@pytest.fixture(scope="module")
def cases(task):
    return [task.draw(np.random.default_rng(seed), task.size) for seed in range(5)]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_types_and_affines_are_those_of_a_scan(task, cases):
    for image, label, affine in cases:
        assert (image.shape, image.dtype, label.shape, label.dtype) == (task.size, task.kind, task.size, np.uint8)
        assert nibabel.aff2axcodes(affine) == ("R", "A", "S")
        np.testing.assert_allclose(affine.diagonal(), [*task.spacing, 1])


@pytest.mark.parametrize("name", ORGANS, indirect=True)
def test_patients_do_not_lie_at_one_place(cases):
    assert len({tuple(affine[:3, 3]) for _, _, affine in cases}) == len(cases)


def test_the_labels_lie_inside_the_volume(task, cases):
    border = np.ones(task.size, dtype=bool)
    border[1:-1, 1:-1, 1:-1] = False
    for _, label, _ in cases:
        assert set(np.unique(label)) == set(range(1 + task.labels))
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
