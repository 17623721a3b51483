"""The bundles as people run them: rendered from their source, valid for MONAI's tools, run as commands."""

import csv
import importlib.util
import json
import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai import bundle
from monai.bundle import ConfigParser, verify_metadata, verify_net_in_out
from running import (
    ROOT,
    TASKS,
    files_below,
    root_for_other_tools,
    run,
    save_untrained,
    scalars_and_images,
    succeed,
    tasks_of,
    trained_by_two_processes,
    undisturbed_and_killed,
)

from monai_freq import phantoms

SEGMENTATION = tasks_of("segmentation")
SIZE = (32, 32, 16)
DIVISION = ["--val_cases", "4", "--test_cases", "4"]
GRID = ["--image_size", str(list(SIZE)), *DIVISION]
SMALL = [*GRID, "--epochs", "1"]

on_all_bundles = pytest.mark.parametrize("name", TASKS, indirect=True)

# What belongs to the template and not to a task is tried on one bundle: each command is a process of many seconds.
on_one_bundle = pytest.mark.parametrize("name", ["heart_fd"], indirect=True)

# MONAI's warnings about any configuration and any schema; a test that runs in this process hears them
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning", "ignore:No hash value:UserWarning")


@pytest.fixture(scope="module", params=SEGMENTATION)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def dataset(name, tmp_path_factory):
    """Small data set of the bundle, in its real format."""
    task = TASKS[name]["settings"]["phantom"]["task"]
    return phantoms.write_phantom(task, tmp_path_factory.mktemp(name), cases=11, test_cases=2, size=SIZE, seed=1)


@pytest.fixture
def elsewhere(name, tmp_path):
    """Copy of the bundle alone in another folder."""
    copy = tmp_path / "bundles" / name
    shutil.copytree(ROOT / "bundles" / name, copy, ignore=shutil.ignore_patterns(".cache", "runs"))
    return copy


def rendering():
    spec = importlib.util.spec_from_file_location("render", ROOT / "bundles/_source/render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rendered_files_are_in_step_with_their_source(tmp_path):
    rendering().main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(TASKS)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        committed = ROOT / "bundles" / path.relative_to(tmp_path)
        assert committed.is_file(), f"{committed} is missing: run python bundles/_source/render.py"
        assert committed.read_bytes() == path.read_bytes(), f"{committed} differs: run python bundles/_source/render.py"
    for task in TASKS:
        tracked = {p for p in files_below(ROOT / "bundles" / task) if p.split("/")[0] in ("configs", "docs")}
        assert tracked <= files_below(tmp_path / task)


#: keys that MONAI looks for, and those that the call in ``initialize`` reads besides
READ = {"imports", "bundle_root", "dataset_dir", "validate", "initialize", "run", "finalize"}
READ |= {"classes", "threads", "may_differ"}


@on_all_bundles
@pytest.mark.parametrize("workflow", ["train", "evaluate", "inference"])
def test_something_refers_to_every_key_and_the_settings_stand_first(name, workflow):
    config = json.loads((ROOT / "bundles" / name / f"configs/{workflow}.json").read_text())
    text = {key: json.dumps(value) for key, value in config.items()}
    for key in config.keys() - READ:
        assert any(re.search(rf"@{key}\b", value) for other, value in text.items() if other != key), key
    settings = list(config)[: list(config).index("imports")]
    components = {target for key in settings for target in re.findall(r'"_target_": "([\w.]+)"', text[key])}
    assert components <= {"monai_freq.bundle.completed"}
    assert {"fusion", "theta", "image_size", "device", "threads", "output_dir"} <= set(settings)
    assert config["initialize"] == [f"$bundle.begin_{'training' if workflow == 'train' else 'evaluation'}()"]


@on_all_bundles
def test_metadata_is_valid(name, tmp_path):
    schema = tmp_path / "schema.json"
    shutil.copy(ROOT / "tests/meta_schema.json", schema)  # already there, MONAI does not download it
    metadata = ROOT / "bundles" / name / "configs/metadata.json"
    verify_metadata(meta_file=str(metadata), filepath=schema)
    broken = tmp_path / "metadata.json"
    broken.write_text(metadata.read_text().replace('"num_channels": 1,', '"num_channels": "one",'))
    with pytest.raises(ValueError, match="Failed validating"):
        verify_metadata(meta_file=str(broken), filepath=schema)


@on_all_bundles
@pytest.mark.parametrize(
    ("workflow", "fusion"),
    [("train", "none"), ("train", "early"), ("train", "late"), ("evaluate", "late"), ("inference", "early")],
)
def test_network_fits_the_metadata(name, workflow, fusion):
    configs = ROOT / "bundles" / name / "configs"
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / f"{workflow}.json"),
        device="cpu",
        fusion=fusion,
    )


@pytest.mark.parametrize(("config", "kind"), [("train", "train"), ("evaluate", "infer"), ("inference", "infer")])
def test_properties_that_other_tools_need(name, dataset, config, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    small = {"image_size": list(SIZE), "val_cases": 4, "test_cases": 4}
    root = root_for_other_tools(name, config, kind, dataset_dir=str(dataset), output_dir=str(tmp_path), **small)
    assert root == ROOT / "bundles" / name


@pytest.mark.parametrize(
    ("name", "start"),
    [("heart_fd", "root"), pytest.param("hippocampus_fd", "folder", marks=pytest.mark.slow)],
    indirect=["name"],
)
def test_train_evaluate_infer(elsewhere, dataset, start, tmp_path):
    cwd = tmp_path if start == "root" else elsewhere
    configs = Path("bundles", elsewhere.name, "configs") if start == "root" else Path("configs")
    data = ["--dataset_dir", dataset]
    before = files_below(tmp_path)
    often = ["--val_interval", 1, "--validate#handlers#1#interval", 1]
    succeed(configs / "train.json", *SMALL, *data, *often, cwd=cwd)
    result = elsewhere / "runs/early"
    assert {"models/model.pt", "models/last.pt"} <= files_below(result)
    logged = scalars_and_images(result / "tensorboard")
    densities = {"curve", "epochs", "low share", "mid share", "high share", "centroid"}  # of the final weights
    densities = {f"psd {kind}/{name}" for kind in ("images", "input gradients") for name in densities}
    assert logged == {"train_loss", "val_mean_dice", "validation case", *densities}

    said = succeed(configs / "evaluate.json", cwd=cwd)
    rows = list(csv.DictReader((result / "eval/cases.csv").read_text().splitlines()))
    assert len(rows) == 4
    columns = {column for column in rows[0] if column != "case"}
    classes = [value.replace(" ", "_") for value in TASKS[elsewhere.name]["settings"]["classes"].values()][1:]
    assert columns == {f"{m}_{c}" for m in ("dice", "hd95_mm", "grid_dice", "grid_hd95_voxels") for c in classes}
    summary = json.loads((result / "eval/summary.json").read_text())["metrics"]
    for column in columns:
        assert summary[column]["mean"] == pytest.approx(np.mean([float(row[column]) for row in rows]), abs=1e-5)
        assert column in said
    assert {f"{row['case']}.png" for row in rows} == files_below(result / "eval/pictures")

    images = tmp_path / "images"
    images.mkdir()
    inputs = sorted((dataset / "imagesTs").glob("*.nii.gz"))
    for path in inputs:
        shutil.copy(path, images)
    turned = nibabel.load(inputs[0]).as_reoriented(nibabel.io_orientation(np.diag([-1.0, 1, 1, 1]))[[1, 0, 2]])
    nibabel.save(turned, images / "turned.nii.gz")  # the same patient, other axes and directions
    succeed(configs / "inference.json", "--input_dir", images, cwd=cwd)
    upright, reoriented = (
        nibabel.as_closest_canonical(nibabel.load(result / "segmentations" / f"{name}_seg.nii.gz"))
        for name in (inputs[0].name.split(".")[0], "turned")
    )
    np.testing.assert_array_equal(upright.dataobj, reoriented.dataobj)
    assert nibabel.aff2axcodes(nibabel.load(result / "segmentations/turned_seg.nii.gz").affine) != ("R", "A", "S")
    for path in inputs:
        saved = nibabel.load(result / "segmentations" / path.name.replace(".nii", "_seg.nii"))
        original = nibabel.load(path)
        assert saved.shape == original.shape
        np.testing.assert_allclose(saved.affine, original.affine, atol=1e-4)
        assert set(np.unique(saved.dataobj)) <= set(range(1 + len(classes)))

    new = {path for path in files_below(tmp_path) - before if not path.startswith("images/")}
    assert all(path.startswith(f"bundles/{elsewhere.name}/runs/early/") for path in new), new


@on_one_bundle
def test_without_a_data_set_a_phantom_is_generated_in_the_cache(elsewhere, tmp_path, monkeypatch):
    small = ["--phantom#cases", 9, "--phantom#size", str(list(SIZE))]
    said = succeed("configs/train.json", *SMALL, *small, cwd=elsewhere)
    assert "generated phantoms" in said
    assert "--dataset_dir" in said
    assert [path.name for path in (elsewhere / ".cache").rglob("dataset.json")] == ["dataset.json"]
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(elsewhere)
    settings = {"image_size": list(SIZE), "phantom#cases": 9, "phantom#size": list(SIZE), "epochs": 1, "threads": 1}
    bundle.run(config_file="configs/train.json", bundle_root=str(elsewhere), logging_file=False, **settings)
    assert [path.name for path in (tmp_path / "cache").rglob("dataset.json")] == ["dataset.json"]
    assert (elsewhere / "runs/early/previous/1/models/model.pt").is_file()  # nothing that was computed is lost


@pytest.mark.slow
@on_one_bundle
def test_two_processes(name, dataset, tmp_path):
    configs = ROOT / "bundles" / name / "configs"
    options = ["--dataset_dir", dataset, "--output_dir", tmp_path, "--fusion", "late"]
    state = trained_by_two_processes(configs, [*SMALL, *options, "--val_interval", 1], tmp_path)
    assert state["iteration"] == 1  # of the three cases each process has two, which are one batch
    events, densities = sorted(path.name for path in (tmp_path / "tensorboard").iterdir())  # one process writes
    assert (events.split(".")[0], densities) == ("events", "psd.npz")
    succeed(configs / "evaluate.json", *GRID, *options, cwd=tmp_path)


def test_paper_overlay_changes_sizes_and_epochs_only_where_it_says(name):
    configs = ROOT / "bundles" / name / "configs"
    plain = ConfigParser.load_config_files([str(configs / "train.json")])
    paper = ConfigParser.load_config_files([str(configs / "train.json"), str(configs / "paper.json")])
    assert list(paper) == list(plain)
    changed = {key for key in paper if paper[key] != plain[key]}
    of_the_template = {"epochs", "batch_size", "learning_rate", "val_interval", "psd_interval", "backbone"}
    assert changed - of_the_template <= {"image_size", "intensity_window", "val_cases", "test_cases"}
    assert paper["epochs"] == 300
    assert paper["learning_rate"] == 0.001
    assert paper["intensity_window"] is None


@pytest.mark.parametrize("overlay", [[], ["paper"]], ids=["default", "paper"])
def test_all_workflows_give_the_network_the_same_image(name, dataset, overlay, tmp_path):
    case = {part: str(next(dataset.glob(f"{part}sTr/*.nii.gz"))) for part in ("image", "label")}
    images, networks = [], []
    for workflow, key in (
        ("train", "train#preprocessing"),
        ("evaluate", "preprocessing"),
        ("inference", "preprocessing"),
    ):
        parser = ConfigParser()
        parser.read_config([str(ROOT / "bundles" / name / f"configs/{file}.json") for file in (workflow, *overlay)])
        parser["settings"] = {}  # of no training
        parser["bundle_root"] = str(tmp_path)
        network, size = parser.get_parsed_content("network_def"), parser.get_parsed_content("image_size")
        if workflow == "train":
            assert all(voxels % np.prod(parser["backbone"]["strides"]) == 0 for voxels in size)
        networks.append((str(network), size, parser.get_parsed_content("intensity_window")))
        parser["image_size"] = list(SIZE)
        images.append(parser.get_parsed_content(key)(case)["image"])
    assert networks[0] == networks[1] == networks[2]
    for image in images:
        torch.testing.assert_close(image, images[0], rtol=0, atol=0)
    np.testing.assert_allclose(images[0][0], scaled(case["image"], window=networks[0][-1]), atol=1e-6)


@on_one_bundle
@pytest.mark.parametrize(
    ("workflow", "key"),
    [("train", "train#preprocessing"), ("evaluate", "preprocessing"), ("inference", "preprocessing")],
)
def test_frequencies_that_the_grid_cannot_hold_are_not_folded_into_it(name, workflow, key, tmp_path):
    """Of 128 voxels, 8 cycles are still there on 32 voxels; 54 would come back as 10."""
    voxels = 2 * np.pi * np.arange(128) / 128
    wave = 100 * (np.cos(8 * voxels) + np.cos(54 * voxels))
    image = np.broadcast_to(wave[:, None, None], (128, 32, 16)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), tmp_path / "image.nii.gz")
    nibabel.save(nibabel.Nifti1Image((image > 0).astype(np.uint8), np.eye(4)), tmp_path / "label.nii.gz")
    parser = ConfigParser()
    parser.read_config(str(ROOT / "bundles" / name / f"configs/{workflow}.json"))
    parser["image_size"] = list(SIZE)
    item = {part: str(tmp_path / f"{part}.nii.gz") for part in ("image", "label")}
    seen = parser.get_parsed_content(key)(item)["image"]
    cycles = np.abs(np.fft.rfft(seen[0, :, 0, 0]))
    assert cycles[1:].argmax() == 7
    assert cycles[10] < 0.02 * cycles[8]


def scaled(path, window):
    """What the network should see of an image that has the network's size already."""
    voxels = np.asarray(nibabel.load(path).dataobj, dtype=np.float64)
    low, high = (voxels.min(), voxels.max()) if window is None else window
    return np.clip((voxels - low) / (high - low), 0, 1)


def test_every_bundle_trains_evaluates_and_infers(name, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    common = {"image_size": list(SIZE), "dataset_dir": str(dataset), "output_dir": str(tmp_path), "threads": 1}
    for workflow, more in (("train", {"epochs": 1, "val_interval": 1}), ("evaluate", {}), ("inference", {})):
        division = {} if workflow == "inference" else {"val_cases": 4, "test_cases": 4}
        config = str(ROOT / "bundles" / name / f"configs/{workflow}.json")
        bundle.run(config_file=config, logging_file=False, **common, **division, **more)
    assert len(list((tmp_path / "eval/pictures").iterdir())) == 4
    assert len(list((tmp_path / "segmentations").iterdir())) == 2


NEW_TASK = {
    "family": ["segmentation"],
    "settings": {"image_size": [32, 32, 16], "classes": {"0": "background", "1": "lesion"}},
    "metadata": {"task": "Segmentation of lesions", "data_source": "ours"},
    "docs": {"title": "lesions", "dataset": "Lesions", "regions": "lesions", "modality": "MR", "data_license": "ours"},
}


def test_a_new_task_is_one_small_file(tmp_path, monkeypatch):
    source = tmp_path / "lesions.json"
    source.write_text(json.dumps(NEW_TASK))
    rendering().render(source, tmp_path / "lesions")
    shutil.copy(ROOT / "tests/meta_schema.json", tmp_path / "schema.json")
    verify_metadata(meta_file=str(tmp_path / "lesions/configs/metadata.json"), filepath=tmp_path / "schema.json")
    monkeypatch.chdir(tmp_path / "lesions")
    options = {"config_file": "configs/train.json", "logging_file": False, "threads": 1, "epochs": 1}
    with pytest.raises(SystemExit, match="--dataset_dir"):  # it has no phantom
        bundle.run(**options)
    data = phantoms.write_phantom("heart", tmp_path, cases=4, test_cases=0, size=SIZE)
    bundle.run(**options, dataset_dir=str(data), val_cases=1, test_cases=1)
    assert (tmp_path / "lesions/runs/early/models/model.pt").is_file()


def test_a_task_with_another_scaling_keeps_its_settings(tmp_path):
    own = {"intensity": {"_target_": "monai.transforms.NormalizeIntensityd", "keys": "image"}}
    source = tmp_path / "lesions.json"
    source.write_text(json.dumps(NEW_TASK | {"settings": NEW_TASK["settings"] | own}))
    rendering().render(source, tmp_path / "lesions")
    config = json.loads((tmp_path / "lesions/configs/train.json").read_text())
    assert (config["intensity"], config["intensity_window"]) == (own["intensity"], None)


@pytest.mark.slow
@on_one_bundle
def test_a_killed_run_resumes_to_the_same_weights(name, dataset, tmp_path):
    config = ROOT / "bundles" / name / "configs/train.json"
    options = ["--image_size", str(list(SIZE)), "--epochs", "12", "--dataset_dir", str(dataset), "--threads", "1"]
    options += ["--val_cases", "2", "--test_cases", "1", "--val_interval", "1"]
    undisturbed_and_killed(config, options, tmp_path)


@on_one_bundle
def test_the_same_seed_gives_the_same_dice(name, dataset, tmp_path, monkeypatch):
    configs = ROOT / "bundles" / name / "configs"
    options = {"image_size": list(SIZE), "dataset_dir": str(dataset), "threads": 1}
    monkeypatch.chdir(ROOT)
    results = []
    for folder, seed in (("one", 3), ("two", 3), ("other", 4)):
        torch.rand(seed + len(results))  # what was drawn before must not matter
        for config, more in (("train", {"epochs": 3, "seed": seed}), ("evaluate", {})):
            file = str(configs / f"{config}.json")
            bundle.run(config_file=file, output_dir=str(tmp_path / folder), logging_file=False, **options, **more)
        results.append((tmp_path / folder / "eval/cases.csv").read_text())
    assert results[0] == results[1]
    assert results[0] != results[2]


def damage_missing(folder):
    shutil.rmtree(folder)


def damage_index(folder):
    (folder / "dataset.json").unlink()


def damage_json(folder):
    (folder / "dataset.json").write_text('{"name": "heart", ')


def damage_lost_image(folder):
    (folder / "imagesTr/la_003.nii.gz").unlink()


def damage_truncated(folder):
    for path in (folder / "imagesTr").iterdir():
        path.write_bytes(path.read_bytes()[:-2000])


def damage_shape(folder):
    for path in (folder / "labelsTr").iterdir():
        label = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.asarray(label.dataobj)[:-1], label.affine), path)


def damage_values(folder):
    for path in (folder / "labelsTr").iterdir():
        label = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.asarray(label.dataobj) * 7, label.affine), path)


def damage_nan(folder):
    for path in (folder / "imagesTr").iterdir():
        image = nibabel.load(path)
        voxels = np.asarray(image.dataobj).astype(np.float32)
        voxels[3, 4, 5] = np.nan
        nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)


@on_one_bundle
@pytest.mark.parametrize(
    ("damage", "options", "says"),
    [
        (damage_missing, {}, ["does not exist", "--dataset_dir"]),
        (damage_index, {}, ["dataset.json"]),
        (damage_json, {}, ["dataset.json", "line 1"]),
        (damage_lost_image, {}, ["la_003.nii.gz"]),
        (damage_truncated, {}, ["la_003.nii.gz cannot be read"]),
        (damage_shape, {}, ["labelsTr/", "shape"]),
        (damage_values, {}, ["labelsTr/", "7"]),
        (damage_nan, {}, ["imagesTr/", "NaN"]),
        (None, {"val_cases": 9}, ["11 cases", "--val_cases"]),
        (None, {"train_size": 8}, ["'train_size'", "8"]),
        (None, {"theta": 1.5}, ["'theta' must be in (0, 1), got 1.5"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_errors_are_a_few_lines_that_name_the_culprit(name, dataset, tmp_path, monkeypatch, damage, options, says):
    monkeypatch.chdir(ROOT)
    copy = tmp_path / "data"
    shutil.copytree(dataset, copy)
    if damage is not None:
        damage(copy)
    config = str(ROOT / "bundles" / name / "configs/train.json")
    folders = {"dataset_dir": str(copy), "output_dir": str(tmp_path / "out")}
    with pytest.raises(SystemExit) as stop:
        bundle.run(config_file=config, logging_file=False, threads=1, **folders, **options)
    message = str(stop.value)
    assert 1 <= len(message.splitlines()) <= 3, message
    for part in says:
        assert part in message
    assert not (tmp_path / "out").exists()  # nothing was started


@on_one_bundle
def test_errors_reach_the_command_line_without_a_trace(name):
    done = run(ROOT / "bundles" / name / "configs/train.json", "--theta", "2", cwd=ROOT)
    assert done.returncode != 0
    assert "'theta' must be in (0, 1)" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


@on_one_bundle
def test_other_settings_than_those_of_the_training_are_refused(name, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    common = {"image_size": list(SIZE), "dataset_dir": str(dataset), "output_dir": str(tmp_path), "threads": 1}
    common["logging_file"] = False
    files = {c: str(ROOT / "bundles" / name / f"configs/{c}.json") for c in ("train", "evaluate", "inference")}
    bundle.run(config_file=files["train"], epochs=1, theta=0.3, split_seed=3, **common)
    for config, other, says in (
        ("evaluate", {"theta": 0.1}, "theta=0.3, not 0.1"),
        ("evaluate", {"theta": 0.3, "split_seed": 0}, "split_seed=3, not 0"),
        ("evaluate", {"fusion": "late"}, "fusion=early, not late"),
        ("evaluate", {"train_size": 1}, "train_size=None, not 1"),
        ("evaluate", {"intensity_window": [0, 9]}, "intensity_window=None, not [0, 9]"),
        ("evaluate", {"classes#1": "kidney"}, "not {'0': 'background', '1': 'kidney'}"),
        ("evaluate", {"backbone#num_res_units": 2}, "UNet(num_res_units=0), not 2"),
        ("inference", {"theta": 0.1}, "theta=0.3, not 0.1"),
        (
            "train",
            {"resume": "true", "theta": 0.3, "split_seed": 3, "learning_rate": 0.5},
            "learning_rate=0.004, not 0.5",
        ),
    ):
        with pytest.raises(SystemExit, match=re.escape(says)):
            bundle.run(config_file=files[config], **other, **common)
    bundle.run(config_file=files["evaluate"], theta=0.3, split_seed=3, **common)  # as they were: given or not
    assert (tmp_path / "eval/cases.csv").is_file()


@on_one_bundle
@pytest.mark.parametrize(
    ("config", "options", "says"),
    [
        ("evaluate", {"val_cases": "two"}, "'val_cases' must be a whole number of at least 0, got 'two'"),
        ("evaluate", {"image_size": [30, 32, 16]}, "'image_size' must be one that the backbone (UNet) takes"),
        ("evaluate", {"backbone#out_channels": 9}, "'backbone' (UNet) does not fit an image of shape (8, 64"),
        ("inference", {"backbone#in_channels": 3}, "'backbone' (UNet) does not fit an image of shape (8, 64"),
        ("inference", {"image_size": [32, 32]}, "'image_size' must be 3 whole numbers of at least 1, got [32, 32]"),
    ],
)
def test_settings_are_checked_where_no_record_is_beside_the_checkpoint(
    name, dataset, config, options, says, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    torch.save({}, tmp_path / "model.pt")
    path = str(ROOT / "bundles" / name / f"configs/{config}.json")
    common = {"dataset_dir": str(dataset), "output_dir": str(tmp_path), "logging_file": False, "threads": 1}
    with pytest.raises(SystemExit, match=re.escape(says)) as stop:
        bundle.run(config_file=path, **common, **options)
    assert len(str(stop.value).splitlines()) == 2


@on_one_bundle
@pytest.mark.parametrize("damage", ["nan", "truncated", "two channels"])
def test_bad_images_are_refused_before_inference(name, dataset, damage, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    save_untrained(name, tmp_path / "model.pt")
    images = tmp_path / "images"
    images.mkdir()
    path = images / "patient.nii.gz"
    voxels = np.random.default_rng(0).random(SIZE, dtype=np.float32)
    if damage == "nan":
        voxels[1, 2, 3] = np.nan
    nibabel.save(
        nibabel.Nifti1Image(np.stack([voxels, voxels], -1) if damage == "two channels" else voxels, None), path
    )
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(SystemExit, match=r"patient\.nii\.gz"):
        bundle.run(
            config_file=str(ROOT / "bundles" / name / "configs/inference.json"),
            input_dir=str(images),
            output_dir=str(tmp_path),
            logging_file=False,
            threads=1,
        )


@on_one_bundle
@pytest.mark.parametrize("config", ["evaluate", "inference"])
def test_weights_of_another_backbone_are_refused(name, dataset, config, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    save_untrained(name, tmp_path / "model.pt")
    options = {"dataset_dir": str(dataset), "output_dir": str(tmp_path), "logging_file": False, "threads": 1}
    path = str(ROOT / "bundles" / name / f"configs/{config}.json")
    with pytest.raises(
        SystemExit, match=r"model\.pt is of another network: backbone\..* and \d+ more are missing"
    ) as stop:
        bundle.run(config_file=path, **options, **{"backbone#num_res_units": 2})
    assert len(str(stop.value).splitlines()) == 2


@on_one_bundle
@pytest.mark.parametrize("config", ["evaluate", "inference"])
def test_without_a_checkpoint(name, dataset, config, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = str(ROOT / "bundles" / name / f"configs/{config}.json")
    with pytest.raises(SystemExit, match=r"There is no checkpoint .*models/model\.pt"):
        bundle.run(config_file=path, dataset_dir=str(dataset), output_dir=str(tmp_path), logging_file=False, threads=1)
