"""Every segmentation phantom is a readable folder of scans, repeatable, and differs from patient to patient."""

from collections.abc import Callable
from typing import NamedTuple

import nibabel
import numpy as np
import pytest
import torch
from random_states import global_states

from monai_freq.data import check_cases, read_decathlon
from monai_freq.phantoms import write_heart, write_hippocampus, write_spleen
from monai_freq.phantoms.heart import draw_heart_case
from monai_freq.phantoms.hippocampus import draw_hippocampus_case
from monai_freq.phantoms.spleen import draw_spleen_case


class Task(NamedTuple):
    write: Callable
    draw: Callable
    folder: str
    modality: str
    labels: tuple[str, ...]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]


HEART = Task(write_heart, draw_heart_case, "Task02_Heart", "MRI", ("left atrium",), (64, 64, 32), (5.125, 5.125, 4.5))
SPLEEN = Task(write_spleen, draw_spleen_case, "Task09_Spleen", "CT", ("spleen",), (64, 64, 32), (5.75, 5.75, 6))
HIPPOCAMPUS = Task(
    write_hippocampus,
    draw_hippocampus_case,
    "Task04_Hippocampus",
    "MRI",
    ("Anterior", "Posterior"),
    (56, 56, 40),
    (0.75, 1, 1),
)


@pytest.fixture(scope="module", params=[HEART, SPLEEN, HIPPOCAMPUS], ids=lambda task: task.folder)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def cases(task):
    return [task.draw(np.random.default_rng(seed), task.size) for seed in range(5)]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_the_folder_passes_the_reader_and_the_check(task, tmp_path):
    found = read_decathlon(task.write(tmp_path, cases=3, test_cases=1, size=(32, 32, 16)))
    check_cases(found.training, found.labels)
    assert found.root == tmp_path / task.folder
    assert (len(found.training), len(found.test)) == (3, 1)
    assert found.labels == dict(enumerate(("background", *task.labels)))
    assert found.modality == {0: task.modality}


def test_the_same_seed_writes_the_same_voxels(task, tmp_path):
    folders = [task.write(tmp_path / name, cases=2, test_cases=1, size=(24, 24, 16)) for name in "ab"]
    paths = [sorted(path.relative_to(folder) for path in folder.rglob("*.nii.gz")) for folder in folders]
    assert paths[0] == paths[1]
    assert len(paths[0]) == 5
    for path in paths[0]:
        first, second = (nibabel.load(folder / path) for folder in folders)
        assert np.asanyarray(first.dataobj).tobytes() == np.asanyarray(second.dataobj).tobytes()
        np.testing.assert_array_equal(first.affine, second.affine)


def test_global_random_states_neither_matter_nor_change(task, cases):
    torch.manual_seed(1)
    before = global_states()
    image, label, _ = task.draw(np.random.default_rng(0), task.size)
    assert global_states() == before
    np.testing.assert_array_equal(image, cases[0][0])
    np.testing.assert_array_equal(label, cases[0][1])


def test_types_and_affines_are_those_of_a_scan(task, cases):
    for image, label, affine in cases:
        assert (image.shape, image.dtype, label.shape, label.dtype) == (task.size, np.int16, task.size, np.uint8)
        assert nibabel.aff2axcodes(affine) == ("R", "A", "S")
        np.testing.assert_allclose(affine.diagonal(), [*task.spacing, 1])
    assert len({tuple(affine[:3, 3]) for _, _, affine in cases}) == len(cases)


def test_the_labels_lie_inside_the_volume(task, cases):
    border = np.ones(task.size, dtype=bool)
    border[1:-1, 1:-1, 1:-1] = False
    for _, label, _ in cases:
        assert set(np.unique(label)) == set(range(1 + len(task.labels)))
        assert not label[border].any()


def test_patients_differ(cases):
    overlaps = [dice(a[1] > 0, b[1] > 0) for i, a in enumerate(cases) for b in cases[:i]]
    assert max(overlaps) < 0.9
    assert min(overlaps) > 0.3  # but it is the same organ in the same place


def test_no_threshold_finds_the_organ(cases):
    best = []
    for image, label, _ in cases:
        levels = np.percentile(image[label > 0], np.arange(0, 100, 5))
        bands = [(low, high) for low in levels for high in (*levels[levels > low], np.inf)]
        best.append(max(dice((image >= low) & (image <= high), label > 0) for low, high in bands))
    assert np.mean(best) < 0.55  # though each case's best band is known
