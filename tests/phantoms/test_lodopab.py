"""The phantom of LoDoPaB-CT goes through the reader of the real one, and only a nodule's margin tells its kind."""

import csv
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.stats import mannwhitneyu

from monai_freq.data import check_images, plan_folds, read_image, read_lodopab
from monai_freq.phantoms import lodopab, write_phantom
from monai_freq.phantoms.lodopab import FIELD_OF_VIEW
from monai_freq.phantoms.nodule import draw_nodule

SMALL = {"train": 140, "validation": 6, "test": 9, "size": 32}
WATER = 20 / 81.35858


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_phantom("lodopab", tmp_path_factory.mktemp("lodopab"), **SMALL)


def draw(seed: int, malignancy: int, size: int = 64, radius: float = 12) -> tuple[np.ndarray, np.ndarray]:
    look = lodopab._draw_lungs(np.random.default_rng([seed, 0]))
    rng = np.random.default_rng([seed, 1])
    place = (70.0, 10.0) if seed % 2 else (-70.0, -20.0)
    return lodopab._draw_slice(rng, look, malignancy, radius=radius, place=place, height=0.0, size=size)


def datasets(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.glob("*.hdf5")):
        with h5py.File(path) as file:
            found[path.name] = file["data"][:]
    return found


def test_the_folder_passes_the_reader_and_the_check(folder):
    items = read_lodopab(folder)
    assert folder.name == "LoDoPaB-CT"
    assert len(items) == 155
    check_images(items)
    parts = Counter(Path(item["image"]).name.split("_")[2] for item in items)
    assert parts == {"train": 140, "validation": 6, "test": 9}
    assert read_image(items[0]["image"]).size == 32 * 32


def test_the_files_are_like_the_real_ones(folder):
    shapes = {name: data.shape for name, data in datasets(folder).items()}
    assert shapes == {
        "ground_truth_train_000.hdf5": (128, 32, 32),
        "ground_truth_train_001.hdf5": (12, 32, 32),
        "ground_truth_validation_000.hdf5": (6, 32, 32),
        "ground_truth_test_000.hdf5": (9, 32, 32),
    }
    for data in datasets(folder).values():
        assert data.dtype == np.float32
        assert 0 <= data.min() < data.max() <= 1


def test_patients_are_the_same_in_all_tables(folder):
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "index", "patient", "malignancy"]
    patients = {}
    for part in ("train", "validation", "test"):
        ids = [int(line) for line in (folder / f"patient_ids_rand_{part}.csv").read_text().splitlines()]
        assert [int(row["patient"]) for row in rows if f"_{part}_" in row["file"]] == ids
        patients[part] = set(ids)
    assert len(set.union(*patients.values())) == sum(map(len, patients.values()))  # in one part each
    assert set.union(*patients.values()) == set(range(sum(map(len, patients.values()))))
    malignancies = {(row["patient"], row["malignancy"]) for row in rows}
    assert len(malignancies) == len({row["patient"] for row in rows})  # of one kind each
    assert Counter(row["malignancy"] for row in rows).keys() == {"1", "2", "4", "5"}
    slices = Counter(row["patient"] for row in rows)
    assert set(slices.values()) == {1, 2, 3, 4}


def test_both_kinds_are_as_many(folder):
    for part, counts in {"train": [70, 70], "validation": [3, 3], "test": [5, 4]}.items():
        labels = [item["label"] for item in read_lodopab(folder) if f"_{part}_" in Path(item["image"]).name]
        assert np.bincount(labels).tolist() == counts


def test_folds_of_whole_patients_can_be_drawn(folder):
    plan = plan_folds(read_lodopab(folder), train=60, val=20)
    assert [len(fold["train"]) for fold in plan["folds"]] == [60] * 5


def test_tissues_have_their_attenuation():
    image, nodule = draw(1, 5, size=128)
    assert np.median(image[64:90, 60:68]) == pytest.approx(1.05 * WATER, rel=0.15)  # around the spine
    assert np.median(image[:4]) < 0.03 * WATER  # the air in front
    assert np.median(image[nodule > 0.95]) == pytest.approx(1.02 * WATER, rel=0.06)
    ring = (nodule < 0.01) & (np.roll(nodule, 9, 1) > 0.9)
    assert np.median(image[ring]) < 0.3 * WATER  # the lung about it


def test_the_scale_is_that_of_the_real_files(monkeypatch):
    monkeypatch.setattr(lodopab, "ramp_noise", lambda rng, shape, width: np.zeros(shape, dtype=np.float32))
    image, _ = draw(1, 5)
    assert image[0, 0] == pytest.approx(0.02 / 81.35858)  # air


@pytest.mark.parametrize("malignancy", [1, 2, 4, 5])
def test_nodules_have_the_area_asked_for_whatever_their_margin(malignancy):
    for seed in range(3):
        _, nodule = draw(seed, malignancy, size=128)
        area = nodule.sum() * (FIELD_OF_VIEW / 128) ** 2
        assert area == pytest.approx(np.pi * 12**2, rel=0.1)


def test_only_the_margin_differs():
    """Drawn alike but for the malignancy, slices are the same outside of the nodule, and have the same mean."""
    changes, spread = [], []
    for seed in range(8):
        (smooth, one), (spiculated, other) = (draw(seed, malignancy, size=128) for malignancy in (1, 5))
        apart = (one == 0) & (other == 0)
        np.testing.assert_array_equal(smooth[apart], spiculated[apart])
        assert not np.array_equal(smooth, spiculated)
        changes.append(spiculated.mean() - smooth.mean())
        spread.append(smooth.mean())
    assert abs(np.mean(changes)) < 0.02 * np.std(spread)


def test_mean_and_deviation_do_not_give_the_label_away():
    slices = {label: [draw(100 + 2 * i + label, (1, 2, 4, 5)[2 * label + i % 2])[0] for i in range(50)]
              for label in (0, 1)}  # fmt: skip
    for measure in (np.mean, np.std):
        values = [[measure(image) for image in slices[label]] for label in (0, 1)]
        assert mannwhitneyu(*values).pvalue > 0.05


def roughness(malignancy: int, seed: int) -> float:
    """Length of the edge over that of a disc's of the same area."""
    axis = np.arange(-40, 40, 0.25, dtype=np.float32)
    nodule = draw_nodule(np.random.default_rng(seed), malignancy, np.zeros(3), 12.0)
    level = nodule.distance([axis[:, None, None], axis[:, None], np.zeros(1, dtype=np.float32)])[..., 0]
    inside = level < 0
    edges = sum(np.count_nonzero(np.diff(inside.astype(int), axis=axis)) for axis in (0, 1))
    return 0.25 * edges * np.pi / 4 / np.sqrt(4 * np.pi * inside.sum() * 0.25**2)


def test_the_margin_tells():
    rough = {m: [roughness(m, seed) for seed in range(20)] for m in (1, 2, 4, 5)}
    assert max(rough[1] + rough[2]) < 1.1
    assert min(rough[4] + rough[5]) > 1.6
    assert np.mean(rough[5]) > np.mean(rough[4])
    assert np.mean(rough[2]) > np.mean(rough[1])


def test_nodules_lie_in_the_lungs_wherever_they_are_asked_for():
    places = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        look, place = lodopab._draw_lungs(rng), rng.uniform(-120, 120, 2)
        image, nodule = lodopab._draw_slice(rng, look, 1, radius=10, place=place, height=0, size=64)
        places.append(np.argwhere(nodule > 0.5).mean(0))
        around = binary_dilation(nodule > 0, iterations=1) & (nodule == 0)
        assert np.median(image[around]) < 0.4 * WATER
    assert np.std(places, axis=0).min() > 4
