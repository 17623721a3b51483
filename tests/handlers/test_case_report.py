"""Metrics against brute force, tables against numpy, native space against the grid through MONAI's transforms."""

import csv
import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import (
    AsDiscreted,
    Compose,
    CopyItemsd,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    Orientationd,
    Resized,
    ScaleIntensityd,
)
from PIL import Image

from monai_freq.handlers import CaseReport, case_report
from monai_freq.handlers.case_report import dice, hausdorff95

CLASSES = {"0": "background", "1": "left atrium"}
SPACING = (0.75, 1.5, 2.0)


def surface(mask: np.ndarray) -> np.ndarray:
    """Indices of the voxels of a mask with a face on the background or on the edge of the image."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis in range(mask.ndim):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)[(slice(1, -1),) * mask.ndim]
    return np.argwhere(mask & ~inside)


def brute_hausdorff95(first: np.ndarray, second: np.ndarray, spacing: list[float]) -> float:
    """From all pairs of surface voxels: the larger of the two directed 95th percentiles."""
    difference = (surface(first)[:, None] - surface(second)[None]) * np.asarray(spacing)
    distance = np.sqrt((difference**2).sum(-1))
    return max(np.percentile(distance.min(1), 95), np.percentile(distance.min(0), 95))


def blobs(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping masks with rough surfaces, some voxels on the edge of the image."""
    rng = np.random.default_rng(seed)
    place = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    masks = []
    for _ in range(2):
        center = rng.uniform(-0.3, 0.3, (len(shape), *[1] * len(shape)))
        masks.append(((place - center) ** 2).sum(0) + rng.normal(0, 0.15, shape) < rng.uniform(0.2, 0.6))
    return masks[0], masks[1]


@pytest.mark.parametrize("spacing", [[1.0, 1.0, 1.0], [0.7, 1.25, 4.0]])
@pytest.mark.parametrize("seed", range(6))
def test_hausdorff95_agrees_with_all_pairs_of_surface_voxels(seed, spacing):
    first, second = blobs(seed, (11, 9, 7))
    expected = brute_hausdorff95(first, second, spacing)
    assert expected > 0
    for pair in ((first, second), (second, first)):
        assert hausdorff95(*map(torch.from_numpy, pair), spacing) == pytest.approx(expected, rel=1e-5)


def test_hausdorff95_of_a_plane():
    first, second = blobs(1, (20, 17))
    expected = brute_hausdorff95(first, second, [0.5, 2.0])
    assert hausdorff95(torch.from_numpy(first), torch.from_numpy(second), [0.5, 2.0]) == pytest.approx(expected)


def test_hausdorff95_is_in_the_unit_of_the_spacing():
    first, second = map(torch.from_numpy, blobs(2, (11, 9, 7)))
    once, thrice = (hausdorff95(first, second, [factor * step for step in (1.0, 2.0, 0.5)]) for factor in (1, 3))
    assert thrice == pytest.approx(3 * once)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_hausdorff95_of_a_moved_box_is_the_way_it_moved(axis):
    box = torch.zeros(12, 12, 12, dtype=torch.bool)
    box[3:8, 3:8, 3:8] = True
    spacing = [1.0, 2.5, 0.5]
    assert hausdorff95(box, box.roll(2, axis), spacing) == pytest.approx(2 * spacing[axis])


@pytest.mark.parametrize("seed", range(6))
def test_dice_agrees_with_counted_voxels(seed):
    first, second = blobs(seed, (11, 9, 7))
    places = [set(map(tuple, np.argwhere(mask))) for mask in (first, second)]
    expected = 2 * len(places[0] & places[1]) / (len(places[0]) + len(places[1]))
    assert dice(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(expected)


def test_metrics_of_empty_masks():
    empty = torch.zeros(6, 8, 5, dtype=torch.bool)
    some = empty.clone()
    some[2:4, 3:5, 1:3] = True
    spacing = [1.0, 1.5, 4.0]
    diagonal = np.linalg.norm([6 * 1.0, 8 * 1.5, 5 * 4.0])
    assert (dice(empty, empty), hausdorff95(empty, empty, spacing)) == (1.0, 0.0)
    assert (dice(some, some), hausdorff95(some, some, spacing)) == (1.0, 0.0)
    for pair in ((empty, some), (some, empty)):
        assert dice(*pair) == 0.0
        assert hausdorff95(*pair, spacing) == pytest.approx(diagonal)


def affine_of(axcodes: str, spacing: tuple[float, ...]) -> np.ndarray:
    orientation = nibabel.orientations.axcodes2ornt(axcodes)
    affine = np.zeros((4, 4))
    for column, (row, sign) in enumerate(orientation):
        affine[int(row), column] = sign * spacing[column]
    affine[:, 3] = [20, -35, 10, 1]
    return affine


def made_up(name: str, seed: int, classes: int = 1, affine: np.ndarray | None = None) -> dict[str, MetaTensor]:
    """A case with random class numbers in native space and, of another shape, on the grid."""
    rng = np.random.default_rng(seed)
    affine = np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine

    def numbers(shape: tuple[int, ...]) -> MetaTensor:
        return MetaTensor(torch.from_numpy(rng.integers(0, classes + 1, (1, *shape))), affine=affine)

    native, grid = (7, 6, 5), (4, 4, 4)
    return {
        "pred": numbers(native),
        "reference": numbers(native),
        "grid_pred": numbers(grid),
        "label": numbers(grid),
        "native_image": MetaTensor(
            torch.from_numpy(rng.random((1, *native))), affine=affine, meta={"filename_or_obj": f"{name}.nii.gz"}
        ),
    }


def report(folder: Path, cases: list[dict], classes: dict = CLASSES, pictures: bool = False) -> CaseReport:
    """Run the handler on an evaluator that yields batches of two."""
    evaluator = Engine(lambda engine, batch: [{key: case[key] for key in ("pred", "grid_pred")} for case in batch])
    handler = CaseReport(folder, classes, pictures=pictures)
    handler.attach(evaluator)
    evaluator.run([cases[start : start + 2] for start in range(0, len(cases), 2)])
    return handler


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "cases.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_line_per_case_and_four_columns_per_class(tmp_path):
    classes = {"0": "background", "1": "left atrium", 2: "wall"}
    cases = [made_up(f"la_{number:03}", number, classes=2) for number in (3, 1, 2)]
    report(tmp_path, cases, classes)
    rows = rows_of(tmp_path)
    assert [row["case"] for row in rows] == ["la_001", "la_002", "la_003"]
    metrics = ("dice", "hd95_mm", "grid_dice", "grid_hd95_voxels")
    assert list(rows[0]) == ["case", *(f"{metric}_{name}" for name in ("left_atrium", "wall") for metric in metrics)]
    for row, number in zip(rows, (1, 2, 3), strict=True):
        case = {key: value[0].numpy() for key, value in made_up("", number, classes=2).items()}
        for klass, name in ((1, "left_atrium"), (2, "wall")):
            expected = {
                f"hd95_mm_{name}": brute_hausdorff95(case["pred"] == klass, case["reference"] == klass, [1, 2, 3]),
                f"grid_hd95_voxels_{name}": brute_hausdorff95(
                    case["grid_pred"] == klass, case["label"] == klass, [1, 1, 1]
                ),
            }
            for column, value in expected.items():
                assert float(row[column]) == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_a_class_that_is_never_found_is_named(tmp_path, caplog):
    cases = [made_up(f"la_{number}", number, classes=2) for number in (1, 2)]
    classes = {"0": "background", "1": "atrium", "2": "small vein"}
    report(tmp_path, cases, classes)
    assert "Nothing of" not in caplog.text
    for case in cases:
        case["pred"][case["pred"] == 2] = 0
    report(tmp_path, cases, classes)
    assert "Nothing of small vein was found in any case. " in caplog.text


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_summary_agrees_with_numpy(tmp_path, count):
    report(tmp_path, [made_up(f"la_{number}", number) for number in range(count)])
    summary = json.loads((tmp_path / "summary.json").read_text())
    rows = rows_of(tmp_path)
    assert summary["cases"] == len(rows) == count
    assert list(summary["metrics"]) == list(rows[0])[1:]
    for name, found in summary["metrics"].items():
        values = np.array([float(row[name]) for row in rows])
        spread = values.std(ddof=1) if count > 1 else 0.0
        expected = {"mean": values.mean(), "sd": spread, "sem": spread / np.sqrt(count)}
        assert found == pytest.approx(expected, rel=1e-4, abs=2e-6)  # the table has six decimals


def test_a_second_evaluation_starts_over(tmp_path):
    handler = report(tmp_path, [made_up("a", 0)])
    evaluator = Engine(lambda engine, batch: batch)
    handler.attach(evaluator)
    evaluator.run([[made_up("b", 1)]])
    assert [row["case"] for row in rows_of(tmp_path)] == ["b"]


def test_an_evaluation_of_nothing_writes_nothing(tmp_path):
    evaluator = Engine(lambda engine, batch: [])
    CaseReport(tmp_path / "new", CLASSES).attach(evaluator)
    evaluator.run([[]])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("broken", ["cases.csv", "summary.json"])
def test_a_failing_write_leaves_the_old_files(tmp_path, monkeypatch, broken):
    report(tmp_path, [made_up("a", 0)])
    before = {name: (tmp_path / name).read_text() for name in ("cases.csv", "summary.json")}

    def full(*args: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    if broken == "cases.csv":
        monkeypatch.setattr(csv.DictWriter, "writerow", full)
    else:
        monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        report(tmp_path, [made_up("b", 1)])
    assert (tmp_path / broken).read_text() == before[broken]


def test_files_appear_whole(tmp_path, monkeypatch):
    seen = {}
    replace = os.replace

    def watch(source: Path, target: Path) -> None:
        seen[target.name] = Path(source).read_bytes()
        assert not target.exists()
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    report(tmp_path, [made_up("a", 0)], pictures=True)
    assert sorted(seen) == ["a.png", "cases.csv", "summary.json"]
    for path in (*(tmp_path / name for name in ("cases.csv", "summary.json")), tmp_path / "pictures" / "a.png"):
        assert path.read_bytes() == seen[path.name]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "cases.csv", "pictures", "summary.json"]


def test_cases_that_several_processes_saw_are_counted_once(tmp_path, monkeypatch):
    def gather(found: list, rows: list) -> None:  # the other process had one case more, and one the same
        found[:] = [rows, [rows[0], {**rows[0], "case": "z"}]]

    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("torch.distributed.all_gather_object", gather)
    report(tmp_path, [made_up("b", 0), made_up("a", 1)])
    assert [row["case"] for row in rows_of(tmp_path)] == ["a", "b", "z"]


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    report(tmp_path, [made_up("a", 0)])
    assert list(tmp_path.iterdir()) == []


def test_pictures_show_the_case(tmp_path):
    first, other = made_up("a", 0), made_up("b", 0)
    other["pred"] = MetaTensor(torch.zeros(other["pred"].shape), affine=other["pred"].affine)
    report(tmp_path, [first, other], pictures=True)
    pictures = []
    for name in ("a", "b"):
        with Image.open(tmp_path / "pictures" / f"{name}.png") as picture:
            assert picture.format == "PNG"
            pictures.append(np.asarray(picture.convert("RGB")).astype(float))
    assert all(picture.std() > 5 for picture in pictures)
    colorful = [(np.ptp(picture, axis=-1) > 30).sum() for picture in pictures]  # outlines and the legend
    assert colorful[0] > colorful[1] > 0


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "PIR"])
def test_pictures_are_drawn_upright(tmp_path, monkeypatch, axcodes):
    """Against nibabel's canonical orientation."""
    calls = []
    draw = case_report.three_planes

    def watch(image: np.ndarray, masks: dict[str, np.ndarray], **settings: object) -> object:
        calls.append({"image": image, **masks, **settings})
        return draw(image, masks, **settings)

    monkeypatch.setattr(case_report, "three_planes", watch)
    case = made_up("a", 0, affine=affine_of(axcodes, SPACING))
    report(tmp_path, [case], pictures=True)
    (call,) = calls
    for found, key in (("image", "native_image"), ("reference", "reference"), ("prediction", "pred")):
        voxels = case[key][0].numpy().astype(np.float32)
        canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels, affine_of(axcodes, SPACING)))
        np.testing.assert_array_equal(call[found], canonical.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(call["spacing"], canonical.header.get_zooms(), rtol=1e-6)
    assert call["classes"] == {1: "left atrium"}


class Threshold(torch.nn.Module):
    """Stands for a trained network: the bright part, moved by some voxels of the grid."""

    def __init__(self, shift: int = 0, axis: int = 0) -> None:
        super().__init__()
        self.shift, self.axis = shift, axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        moved = x.roll(self.shift, self.axis + 2)
        return torch.cat([0.5 - moved, moved - 0.5], dim=1)


def write_case(folder: Path, mask: np.ndarray, affine: np.ndarray) -> dict[str, str]:
    case = {"image": str(folder / "la_007.nii.gz"), "label": str(folder / "label_la_007.nii.gz")}
    nibabel.save(nibabel.Nifti1Image((200 * mask + 40).astype(np.int16), affine), case["image"])
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), case["label"])
    return case


def evaluate(
    folder: Path, case: dict[str, str], grid: tuple[int, ...], network: torch.nn.Module, device: str = "cpu"
) -> dict[str, float]:
    """The row of a case after the steps of the segmentation bundles' evaluation."""
    both = ["image", "label"]
    preprocessing = Compose(
        [
            LoadImaged(both),
            EnsureChannelFirstd(both),
            CopyItemsd(both, names=["native_image", "reference"]),
            Orientationd(both, axcodes="RAS", labels=None),
            Resized(both, grid, mode=["trilinear", "nearest"]),
            ScaleIntensityd("image"),
        ]
    )
    postprocessing = Compose(
        [
            CopyItemsd("pred", names="grid_pred"),
            Invertd("pred", preprocessing, orig_keys="image", nearest_interp=False),
            AsDiscreted(["pred", "grid_pred"], argmax=True),
        ]
    )
    SupervisedEvaluator(
        device=torch.device(device),
        val_data_loader=DataLoader(Dataset([case], preprocessing), batch_size=1),
        network=network,
        postprocessing=postprocessing,
        val_handlers=[CaseReport(folder, CLASSES)],
    ).run()
    (row,) = rows_of(folder)
    assert row.pop("case") == "la_007"
    return {name.removesuffix("_left_atrium"): float(value) for name, value in row.items()}


def ball(shape: tuple[int, ...], radius: float) -> np.ndarray:
    place = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    return (place**2).sum(0) < radius**2


def box(shape: tuple[int, ...]) -> np.ndarray:
    """A box with even corners, off the centre, whose faces halving and doubling the grid keep in place."""
    mask = np.zeros(shape, bool)
    mask[6:16, 8:18, 4:14] = True
    return mask


ORIENTATIONS = ["RAS", "LAS", "PIR"]


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_a_perfect_prediction_on_the_images_own_grid(tmp_path, axcodes):
    mask = ball((16, 20, 12), 0.7)
    ras = tuple(mask.shape["RAS".index(letter)] for letter in "RAS")
    order = nibabel.orientations.axcodes2ornt(axcodes)[:, 0].astype(int)
    native = np.transpose(mask, order)
    row = evaluate(tmp_path, write_case(tmp_path, native, affine_of(axcodes, SPACING)), ras, Threshold())
    assert row == {"dice": 1.0, "hd95_mm": 0.0, "grid_dice": 1.0, "grid_hd95_voxels": 0.0}


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_a_perfect_prediction_on_a_resized_grid(tmp_path, axcodes):
    case = write_case(tmp_path, ball((21, 26, 15), 0.7), affine_of(axcodes, SPACING))
    row = evaluate(tmp_path, case, (16, 16, 16), Threshold())
    assert row["dice"] > 0.93
    assert row["hd95_mm"] <= np.linalg.norm(SPACING)  # within a voxel


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_native_distances_are_in_mm_and_grid_distances_in_voxels(tmp_path, axcodes, axis):
    """One voxel off on half the grid is two voxels off in the image, along whichever axis that is there."""
    mask = box((24, 24, 20))
    affine = affine_of(axcodes, SPACING)
    direction = [int(row) for row in nibabel.orientations.axcodes2ornt(axcodes)[:, 0]]
    native_axis = direction.index(axis)
    grid = tuple(mask.shape[direction.index(world)] // 2 for world in range(3))
    row = evaluate(tmp_path, write_case(tmp_path, mask, affine), grid, Threshold(shift=1, axis=axis))
    assert row["grid_hd95_voxels"] == pytest.approx(1.0)
    assert row["hd95_mm"] == pytest.approx(2 * SPACING[native_axis], rel=1e-5)
    assert row["grid_dice"] == pytest.approx(0.8)
    assert row["dice"] == pytest.approx(0.8, abs=0.002)  # interpolation rounds off the eight corners


@pytest.mark.cuda
def test_a_network_on_a_gpu_is_measured_alike(tmp_path):
    case = write_case(tmp_path, ball((21, 26, 15), 0.7), affine_of("LAS", SPACING))
    rows = [evaluate(tmp_path / device, case, (16, 16, 16), Threshold(shift=1), device) for device in ("cpu", "cuda")]
    assert rows[1] == pytest.approx(rows[0], abs=0.01)


def test_a_prediction_of_nothing(tmp_path):
    mask = box((24, 24, 20))
    case = write_case(tmp_path, mask, affine_of("LAS", SPACING))
    row = evaluate(tmp_path, case, (12, 12, 10), Nothing())
    assert (row["dice"], row["grid_dice"]) == (0.0, 0.0)
    assert row["hd95_mm"] == pytest.approx(np.linalg.norm(np.multiply(mask.shape, SPACING)), rel=1e-5)
    assert row["grid_hd95_voxels"] == pytest.approx(np.linalg.norm([12, 12, 10]), rel=1e-5)


class Nothing(torch.nn.Module):
    """Calls everything background."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x * 0 + 1, x * 0], dim=1)
