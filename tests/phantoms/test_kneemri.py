"""The phantom of KneeMRI goes through the reader of the real one, and only the ligament tells the diagnosis."""

import csv
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kruskal

from monai_freq.data import check_images, plan_folds, read_image, read_kneemri, read_pck
from monai_freq.phantoms import kneemri, write_phantom
from monai_freq.phantoms.canvas import Canvas
from monai_freq.phantoms.kneemri import draw_knee_case

SMALL = {"exams": 24, "slices": 16, "size": 64}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_phantom("kneemri", tmp_path_factory.mktemp("knee"), **SMALL)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def draw(seed: int, diagnosis: int, left: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A volume and the middle slice of its region of interest."""
    volume, roi = draw_knee_case(np.random.default_rng(seed), diagnosis, left=left, slices=16, size=64)
    return volume, volume[roi["roiZ"] + roi["roiDepth"] // 2]


def test_the_folder_passes_the_reader_and_the_check(folder):
    items = read_kneemri(folder)
    assert folder.name == "KneeMRI"
    assert len({item["exam"] for item in items}) == len(items) == 24
    check_images(items)
    assert Counter(item["diagnosis"] for item in items) == {0: 12, 1: 6, 2: 6}
    assert Counter(item["label"] for item in items) == {0: 12, 1: 12}
    assert read_image(items[0]["image"]).size == 64 * 64
    assert len(read_kneemri(folder, slices_per_exam=3)) == 72


def test_folds_of_whole_exams_can_be_drawn(folder):
    plan = plan_folds(read_kneemri(folder), train=8, val=4, group_key="exam")
    assert [len(fold["val"]) for fold in plan["folds"]] == [4] * 5


def test_the_volumes_are_plain_pickles_of_integers(folder):
    files = sorted(folder.glob("vol*/*.pck"))
    assert [path.parent.name for path in files] == sorted(path.parent.name for path in files)
    assert {path.parent.name for path in files} <= {f"vol{number:02}" for number in range(1, 11)}
    for path in files[:3]:
        volume = pickle.loads(path.read_bytes())
        assert (type(volume), volume.shape, volume.dtype) == (np.ndarray, (16, 64, 64), np.int16)
        assert volume.min() >= 0
        np.testing.assert_array_equal(read_pck(path), volume)


def test_the_table_is_like_the_real_one(folder):
    rows = table(folder)
    region = ["roiX", "roiY", "roiZ", "roiHeight", "roiWidth", "roiDepth"]
    assert list(rows[0]) == ["examId", "seriesNo", "aclDiagnosis", "kneeLR", *region, "volumeFilename"]
    for row in rows:
        assert row["volumeFilename"] == f"{row['examId']}-{row['seriesNo']}.pck"
        x, y, z, height, width, depth = (int(row[name]) for name in region)
        assert 0 <= x < x + width <= 64
        assert 0 <= y < y + height <= 64
        assert 0 <= z < z + depth <= 16
    assert {row["kneeLR"] for row in rows} == {"0", "1"}


def test_the_fibula_is_on_the_outer_side():
    """Which comes first in right knees and last in left ones; its compact bone is dark."""
    for left, outer, inner in ((False, slice(1, 3), slice(13, 15)), (True, slice(13, 15), slice(1, 3))):
        ratios = []
        for seed in range(8):
            volume = draw(seed, 0, left)[0].astype(float)
            ratios.append(volume[outer, 48:, 36:46].mean() / volume[inner, 48:, 36:46].mean())
        assert np.mean(ratios) < 0.9


def test_air_has_the_noise_of_magnitude_images():
    rng = np.random.default_rng(0)
    air = draw_knee_case(rng, 0, left=False, slices=16, size=128)[0][:2, 54:74, :8].astype(
        float
    )  # in front of the knee
    assert air.std() / air.mean() == pytest.approx(np.sqrt(4 / np.pi - 1), rel=0.1)  # Rayleigh


def test_mean_and_deviation_do_not_give_the_diagnosis_away():
    knees = [[draw(100 * d + i, d) for i in range(30)] for d in (0, 1, 2)]
    for region in (0, 1):  # the volume, and the slice through the ligament
        for measure in (np.mean, np.std):
            assert kruskal(*([measure(knee[region]) for knee in some] for some in knees)).pvalue > 0.05


def along_the_ligament(seed: int, diagnosis: int) -> np.ndarray:
    """Noise-free signal between the ligament's ends, relative to the ligament's own."""
    rng = np.random.default_rng(seed)
    look = kneemri._draw_knee(rng)
    canvas = Canvas((24, 128, 128), (3.75, 1.17, 1.17), (-43.1, -74.3, -74.3), labels=0)
    canvas.edge = 1.5
    start, end = kneemri._paint_knee(canvas, look, rng, diagnosis)
    course = start + np.linspace(0.1, 0.9, 30)[:, None] * (end - start)
    index = np.rint((course - canvas.origin) / canvas.spacing).astype(int)
    # The darkest within 1.6 mm, as the ligament sags.
    signal = [canvas.layers[0, x, y - 1 : y + 2, z - 1 : z + 2].min() for x, y, z in index]
    return np.array(signal) - look.ligament


def test_torn_ligaments_are_interrupted_and_others_not():
    for seed in range(6):
        whole, thin, torn = (along_the_ligament(seed, diagnosis) for diagnosis in (0, 1, 2))
        assert whole.max() < 0.12
        assert thin.max() < 0.25
        assert torn.max() > 0.3
        assert np.mean(torn < 0.12) > 0.15  # its ends are there
