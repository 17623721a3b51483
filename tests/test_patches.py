"""Segmentation bundles on patches: patches.json in front of a training, and nothing after it."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai import bundle
from monai.bundle import ConfigParser, verify_net_in_out
from monai.data import decollate_batch, list_data_collate
from running import (
    ROOT,
    environment,
    files_below,
    root_for_other_tools,
    save_untrained,
    scalars_and_images,
    succeed,
    tasks_of,
    trained_by_two_processes,
    undisturbed_and_killed,
)
from sameness import assert_same

from monai_freq import phantoms
from monai_freq.handlers import PSDHistory
from monai_freq.study.run.results import read_results

SEGMENTATION = tasks_of("segmentation")
PATCH = [16, 16, 16]
SIZES = {"patch_size": PATCH, "backbone#channels": [8, 8, 16, 16], "val_cases": 1, "test_cases": 2}
TINY = SIZES | {"patches_per_case": 1, "epochs": 1, "val_interval": 1, "psd_interval": 1, "margin": 4}

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning", "ignore:No hash value:UserWarning")


def configs(name, *files):
    return [str(ROOT / f"bundles/{name}/configs/{file}.json") for file in files]


def call(name, *files, **options):
    bundle.run(config_file=configs(name, *files), logging_file=False, threads=1, **options)


def parser_of(name, *files, **settings):
    parser = ConfigParser(ConfigParser.load_config_files(configs(name, *files)))
    for key, value in settings.items():
        parser[key] = value
    return parser


@pytest.fixture(scope="module")
def hearts(tmp_path_factory):
    return phantoms.write_phantom("heart", tmp_path_factory.mktemp("hearts"), cases=6, test_cases=1, size=(36, 28, 16))


def as_stored(folder, zooms):
    """Two scans of which the axes lie otherwise in the file: from foot to head, to the back, to the right."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    names = [f"la_{number:03}" for number in range(len(zooms))]
    for name, (x, y, z) in zip(names, zooms, strict=True):
        affine = np.array([[0, 0, x, 0], [0, -y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1.0]])
        label = np.zeros((24, 20, 18), np.uint8)
        label[6:12, 8:14, 5:12] = 1
        image = np.random.default_rng(0).normal(100 * label, 10).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(image, affine), folder / f"imagesTr/{name}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(label, affine), folder / f"labelsTr/{name}.nii.gz")
    cases = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    index = {"name": "t", "modality": {"0": "MR"}, "labels": {"0": "background", "1": "left atrium"}}
    (folder / "dataset.json").write_text(
        json.dumps(index | {"numTraining": len(cases), "training": cases, "numTest": 0, "test": []})
    )
    return folder


def test_the_voxel_size_is_the_median_of_the_training_images_and_kept(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(ROOT)
    zooms = [(1.0, 1.5, 2.0), (1.2, 1.5, 4.0), (1.1, 1.25, 2.5), (0.9, 1.25, 3.0), (2.0, 2.0, 2.0)]
    data, out = as_stored(tmp_path / "data", zooms), tmp_path / "out"
    with caplog.at_level("INFO"):
        theta = "$bundle.theta_at(0.02, @spacing)"
        call("heart_fd", "train", "patches", dataset_dir=str(data), output_dir=str(out), theta=theta, **TINY)
    parser = parser_of("heart_fd", "train", dataset_dir=str(data), bundle_root=str(tmp_path), **{"cases#check": []})
    for key in ("val_cases", "test_cases"):
        parser[key] = TINY[key]
    used = [zooms[int(Path(case["image"]).name[3:6])] for case in parser.get_parsed_content("cases").train]
    expected = np.median(used, axis=0).tolist()
    assert len(used) == 2
    recorded = json.loads((out / "settings.json").read_text())
    assert recorded["spacing"] == pytest.approx(expected)
    assert recorded["patch_size"] == PATCH
    assert recorded["theta"] == pytest.approx([2 * 0.02 * step for step in expected[:2]])
    size = "x".join(f"{step:g}" for step in expected)
    assert f"Patches of 16x16x16 voxels. A voxel has {size} mm: images are resampled to that." in caplog.messages
    # the data of an evaluation may have any voxel size: it takes the training's
    other = as_stored(tmp_path / "other", [(3.0, 3.0, 3.0)] * 4)
    evaluation = parser_of("heart_fd", "evaluate", output_dir=str(out), bundle_root=str(tmp_path))
    assert evaluation.get_parsed_content("spacing") == recorded["spacing"]
    assert evaluation.get_parsed_content("theta") == recorded["theta"]
    evaluation.get_parsed_content("network_def")
    case = {part: str(other / f"{part}sTr/la_000.nii.gz") for part in ("image", "label")}
    seen = evaluation.get_parsed_content("preprocessing")(case)
    shape = [round(n * 3 / step) for n, step in zip((18, 20, 24), expected, strict=True)]
    assert list(seen["image"].shape[1:]) == list(seen["label"].shape[1:]) == shape


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "spleen_fd" else pytest.mark.slow) for n in SEGMENTATION]
)
def test_after_a_training_on_patches_nothing_need_be_said(name, tmp_path, monkeypatch):
    """Evaluation and inference take patches and voxel size from the record, with the overlay in their list or not."""
    monkeypatch.chdir(ROOT)
    task = ConfigParser.load_config_file(configs(name, "train")[0])["phantom"]["task"]
    data = phantoms.write_phantom(task, tmp_path, cases=6, test_cases=1, size=(28, 24, 20))
    places = {"dataset_dir": str(data), "output_dir": str(tmp_path / "out")}
    call(name, "train", "patches", **TINY, **places)
    out = tmp_path / "out"
    assert {"train_loss", "val_mean_dice"} <= scalars_and_images(out / "tensorboard")
    history = PSDHistory.load(out / "tensorboard/psd.npz")
    assert len(history.frequencies) == PATCH[0] // 2 + 1  # of a patch, as the network sees them
    call(name, "evaluate", "patches", pictures=False, **SIZES, **places)
    first = (out / "eval/cases.csv").read_text()
    assert len(list(csv.DictReader(first.splitlines()))) == 2
    shutil.rmtree(out / "eval")
    call(name, "evaluate", pictures=False, output_dir=str(out), dataset_dir=str(data))
    assert (out / "eval/cases.csv").read_text() == first
    call(name, "inference", checkpoint=str(out / "models/model.pt"), dataset_dir=str(data))
    (image,), (saved,) = (sorted(folder.glob("*.nii.gz")) for folder in (data / "imagesTs", out / "segmentations"))
    image, saved = nibabel.load(image), nibabel.load(saved)
    assert saved.shape == image.shape
    np.testing.assert_array_equal(saved.affine, image.affine)


def test_a_network_of_patches_is_never_given_whole_volumes_nor_the_other_way_round(hearts, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    common = {"dataset_dir": str(hearts), "val_cases": 1, "test_cases": 2}
    save_untrained("heart_fd", tmp_path / "model.pt")
    own = {"fusion": "early", "dataset_dir": str(hearts), "val_cases": 1, "test_cases": 2}
    for recorded, given, says in (
        ({"patch_size": PATCH, "spacing": [5, 5, 4]}, {"patch_size": [32, 32, 16]}, "patch_size=[16, 16, 16], not [32"),
        ({"patch_size": PATCH, "spacing": [5, 5, 4]}, {"patch_size": "$None"}, "patch_size=[16, 16, 16], not None"),
        ({"patch_size": PATCH, "spacing": [5, 5, 4]}, {"spacing": [1, 1, 1]}, "spacing=[5, 5, 4], not [1, 1, 1]"),
        ({"patch_size": None}, {"patch_size": PATCH, "spacing": [1, 1, 1]}, "patch_size=None, not [16, 16, 16]"),
        ({}, {"patch_size": PATCH, "spacing": [1, 1, 1]}, "patch_size=None, not [16, 16, 16]"),  # of earlier versions
    ):
        (tmp_path / "settings.json").write_text(json.dumps(own | recorded))
        for workflow in ("evaluate", "inference"):
            options = common if workflow == "evaluate" else {"dataset_dir": str(hearts)}
            with pytest.raises(SystemExit, match=re.escape(says)):
                call("heart_fd", workflow, output_dir=str(tmp_path), **options, **given)
    (tmp_path / "settings.json").unlink()  # weights from elsewhere: the voxel size is not known
    with pytest.raises(SystemExit, match=r"'spacing' is not known of these weights(.|\n)*--spacing \[1"):
        call("heart_fd", "evaluate", output_dir=str(tmp_path), patch_size=PATCH, **common)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"patch_size": [20, 16, 16]}, "'patch_size' must be one that the backbone (UNet) takes, got [20, 16, 16]"),
        ({"patch_size": [16, 16]}, "'patch_size' must be 3 whole numbers of at least 1, got [16, 16]"),
        ({"patch_size": "$None", "theta": "$bundle.theta_at(0.05, @spacing)"}, "needs one voxel size"),
        ({"theta": "$bundle.theta_at(5, @spacing)"}, "'cutoff_per_mm' must be below"),
        ({"spacing": [1, 1]}, "'spacing' must be three positive numbers of mm, got [1, 1]"),
        ({"spacing": [1, 0, 1]}, "'spacing' must be three positive numbers of mm, got [1, 0, 1]"),
    ],
)
def test_settings_that_cannot_be(options, says, hearts, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = TINY | {"dataset_dir": str(hearts), "output_dir": str(tmp_path / "out")} | options
    with pytest.raises(SystemExit, match=re.escape(says)):
        call("heart_fd", "train", "patches", **settings)
    assert not (tmp_path / "out").exists()


def lesion_case(folder, shape=(60, 52, 30), zooms=(1.0, 1.0, 2.0), where=((29, 27, 16), (30, 27, 16), (30, 28, 16))):
    """One lesion of three voxels."""
    label = np.zeros(shape, np.uint8)
    label[tuple(np.transpose(where))] = 1
    image = np.random.default_rng(1).normal(5 * label, 1).astype(np.float32)
    paths = {}
    for key, voxels in (("image", image), ("label", label)):
        paths[key] = str(folder / f"{key}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([*zooms, 1.0])), paths[key])
    return paths


@pytest.mark.parametrize("spacing", [[1.0, 1.0, 2.0], [2.0, 2.0, 2.0], [3.1, 2.7, 4.0]])
@pytest.mark.parametrize(("workflow", "key"), [("train", "train#preprocessing"), ("evaluate", "preprocessing")])
def test_a_lesion_of_three_voxels_is_in_the_label_at_validation_and_evaluation(workflow, key, spacing, tmp_path):
    case = lesion_case(tmp_path)
    parser = parser_of("heart_fd", workflow, patch_size=PATCH, spacing=spacing, bundle_root=str(tmp_path))
    label = parser.get_parsed_content(key)(case)["label"]
    assert list(label.shape[1:]) == [
        round(n * own / new) for n, own, new in zip((60, 52, 30), (1, 1, 2), spacing, strict=True)
    ]
    assert 1 <= int((label == 1).sum()) <= 3
    if spacing == [1.0, 1.0, 2.0]:
        assert int((label == 1).sum()) == 3


@pytest.mark.parametrize("corner", [False, True])
def test_a_lesion_of_three_voxels_is_in_every_other_patch(corner, tmp_path):
    where = ((0, 0, 29), (1, 0, 29), (0, 1, 29)) if corner else ((29, 27, 16), (30, 27, 16), (30, 28, 16))
    case = lesion_case(tmp_path, where=where)
    parser = parser_of("heart_fd", "train", "patches", patch_size=PATCH, patches_per_case=60, spacing=[1.0, 1.0, 2.0])
    parser["cases"] = {"_target_": "monai_freq.bundle.segmentation.Cases", "train": [case], "val": [], "test": []}
    parser["bundle_root"], parser["seed"] = str(tmp_path), 3
    (patches,) = parser.get_parsed_content("train#dataloader")
    assert patches["image"].shape == patches["label"].shape == (60, 1, *PATCH)
    assert set(patches["label"].unique().tolist()) == {0, 1}
    with_lesion = int((patches["label"] == 1).flatten(1).any(1).sum())
    assert 18 <= with_lesion <= 50  # half of them are drawn at the lesion, and a turn can miss it


def patches_of(image, label, tmp_path, **settings):
    """What a training sees of one image, which is not scaled."""
    paths = {"image": str(tmp_path / "image.nii"), "label": str(tmp_path / "label.nii")}
    for key, voxels in (("image", image), ("label", label)):
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), paths[key])
    parser = parser_of("heart_fd", "train", "patches", patch_size=PATCH, spacing=[1.0, 1.0, 1.0], **settings)
    parser["cases"] = {"_target_": "monai_freq.bundle.segmentation.Cases", "train": [paths], "val": [], "test": []}
    parser["intensity"] = {"_target_": "monai.transforms.Identityd", "keys": "image"}
    parser["bundle_root"] = str(tmp_path)
    kept = ("SpatialPadd", "BorderPadd", "RandCropByLabelClassesd", "RandAffined")
    parser["augmentation"] = [step for step in parser["augmentation"] if step["_target_"].endswith(kept)]
    for step in parser["augmentation"]:
        if step["_target_"].endswith("RandAffined"):
            step["prob"] = settings.get("turned", 0.0)
    (patches,) = parser.get_parsed_content("train#dataloader")
    return patches


def test_a_patch_that_is_not_turned_is_a_part_of_the_image(tmp_path):
    x, y, z = np.meshgrid(*(np.arange(n) for n in (40, 36, 30)), indexing="ij")
    image, label = (1 + x + 100 * y + 10000 * z).astype(np.float32), np.zeros(x.shape, np.uint8)
    label[::7, ::5, ::3] = 1
    patches = patches_of(image, label, tmp_path, patches_per_case=40)
    starts = []
    for part, classes in zip(patches["image"][:, 0].double().round(), patches["label"][:, 0], strict=True):
        number = int(part[0, 0, 0]) - 1
        i, j, k = number % 100, number // 100 % 100, number // 10000
        box = tuple(slice(start, start + n) for start, n in zip((i, j, k), PATCH, strict=True))
        assert torch.equal(part, torch.from_numpy(image[box]).double())
        assert torch.equal(classes.double(), torch.from_numpy(label[box]).double())
        starts.append((i, j, k))
    # from one end of the image to the other, and not beyond
    assert np.min(starts, axis=0).tolist() == [0, 0, 0]
    assert np.max(starts, axis=0).tolist() == [24, 20, 14]


def test_a_turned_patch_has_no_empty_corners(tmp_path):
    label = np.zeros((60, 60, 60), np.uint8)
    label[30, 30, 30] = 1
    settings = {"patches_per_case": 60, "turned": 1.0, "margin": 8}
    patches = patches_of(np.ones((60, 60, 60), np.float32), label, tmp_path, **settings)
    filled = (patches["image"] > 0.999).flatten(1).all(1)
    inside = patches["label"].flatten(1).any(1)  # and far from the image's faces
    assert int(inside.sum()) > 15
    assert bool(filled[inside].all())


def test_an_image_smaller_than_a_patch_is_padded_as_a_window_pads_it(tmp_path):
    image = np.full((10, 20, 12), 7.0, np.float32)
    label = (np.arange(12) > 5).astype(np.uint8) + np.zeros(image.shape, np.uint8)
    patches = patches_of(image, label, tmp_path, patches_per_case=8)["image"]
    inferer = parser_of("heart_fd", "train", "patches", patch_size=PATCH).get_parsed_content("validate#inferer")
    seen = []
    inferer(torch.from_numpy(image)[None, None], lambda window: seen.append(window.clone()) or window)
    assert {window.shape for window in seen} == {(1, 1, *PATCH)}
    for patch in patches:
        torch.testing.assert_close(patch[:, :, 0], seen[0][0, :, :, 0], atol=1e-5, rtol=0)  # the axis that is longer


def test_patches_do_not_depend_on_the_workers_but_on_epoch_and_seed(hearts, tmp_path):
    def batches(seed, workers, epoch=0, fusion="early"):
        settings = TINY | {"dataset_dir": str(hearts), "bundle_root": str(tmp_path), "fusion": fusion, "seed": seed}
        parser = parser_of("heart_fd", "train", "patches", **settings, **{"cases#check": []})
        parser["train#dataloader#num_workers"], parser["train#dataloader#shuffle"] = workers, False
        loader = parser.get_parsed_content("train#dataloader")
        loader.dataset.set_epoch(epoch)
        torch.rand(workers + 1)  # what was drawn before must not matter
        return torch.cat([batch["image"] for batch in loader])

    first = batches(3, 0)
    assert torch.equal(batches(3, 2), first)
    assert torch.equal(batches(3, 0, fusion="none"), first)
    assert not torch.equal(batches(3, 0, epoch=1), first)
    assert not torch.equal(batches(4, 0), first)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_with_any_number_of_workers(hearts, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    common = TINY | {"dataset_dir": str(hearts), "epochs": 2, "psd_interval": 2}
    runs = {"one": {}, "two": {"train#dataloader#num_workers": 2}, "other": {"seed": 4}}
    for folder, more in runs.items():
        call("heart_fd", "train", "patches", output_dir=str(tmp_path / folder), **common, **more)
    one, two, other = (torch.load(tmp_path / folder / "models/last.pt", weights_only=True) for folder in runs)
    assert_same(one, two)
    assert "lr_scheduler" in one
    first = next(iter(one["network"]))
    assert not torch.equal(one["network"][first], other["network"][first])


def test_three_arms_are_one_override_apart():
    plain = ConfigParser.load_config_files(configs("heart_fd", "train", "patches"))
    for name in SEGMENTATION:
        assert "fusion" not in json.loads(Path(*configs(name, "patches")).read_text())
    assert {key for key, value in plain.items() if re.search(r"@fusion\b", json.dumps(value))} == {
        "output_dir",
        "network_def",
    }


def test_paper_and_patches_go_together(tmp_path):
    for name in SEGMENTATION:
        parser = parser_of(name, "train", "paper", "patches", spacing=[1.0, 1.0, 1.0], bundle_root=str(tmp_path))
        network = parser.get_parsed_content("network_def")
        size = parser.get_parsed_content("patch_size")
        with torch.no_grad():
            assert network(torch.zeros(1, 1, *size)).shape[2:] == tuple(size)


@pytest.mark.parametrize("workflow", ["train", "evaluate", "inference"])
def test_checks_of_monai_pass(workflow, hearts, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    own = {"patch_size": PATCH, "val_cases": 1, "test_cases": 2}
    own |= {} if workflow == "train" else {"spacing": [5.0, 5.0, 4.0]}
    own |= {"backbone#channels": [8, 16, 32, 64]}  # of the untrained weights
    kind = "train" if workflow == "train" else "infer"
    files = (workflow, "patches")
    root_for_other_tools("heart_fd", files, kind, dataset_dir=str(hearts), output_dir=str(tmp_path), **own)
    folder = ROOT / "bundles/heart_fd/configs"
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(folder / "metadata.json"),
        config_file=configs("heart_fd", workflow, "patches"),
        device="cpu",
    )


def test_results_are_in_the_images_own_space_whatever_its_axes(tmp_path):
    """A network that marks what is bright finds it again in every file, of whichever size and orientation."""
    for codes, zooms in (("RAS", (1, 1, 1)), ("PIL", (0.7, 0.9, 2.5)), ("SLA", (2.2, 1.4, 1.1))):
        label = np.zeros((30, 34, 24), np.uint8)
        label[8:20, 10:22, 6:15] = 1
        image = nibabel.Nifti1Image(900 * label.astype("i2"), np.diag([*zooms, 1.0]))
        start, end = nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(codes)
        turned = image.as_reoriented(nibabel.orientations.ornt_transform(start, end))
        nibabel.save(turned, tmp_path / f"{codes}.nii")
        settings = {"patch_size": PATCH, "spacing": [1.0, 1.0, 1.0], "output_dir": str(tmp_path)}
        parser = parser_of("heart_fd", "inference", bundle_root=str(tmp_path), **settings)
        names = ("preprocessing", "postprocessing", "inferer")
        before, after, inferer = (parser.get_parsed_content(name) for name in names)
        batch = list_data_collate([before({"image": str(tmp_path / f"{codes}.nii")})])
        batch["pred"] = inferer(batch["image"], lambda window: torch.cat([0.5 - window, window - 0.5], dim=1))
        for item in decollate_batch(batch):
            after(item)
        saved = nibabel.load(tmp_path / f"segmentations/{codes}_seg.nii.gz")
        assert nibabel.aff2axcodes(saved.affine) == tuple(codes)
        found, expected = np.asarray(saved.dataobj) > 0, np.asarray(turned.dataobj) > 0
        assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.97, codes


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(hearts, tmp_path):
    options = {**TINY, "dataset_dir": hearts, "epochs": 8, "threads": 1, "psd_interval": 4}
    words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
    undisturbed_and_killed(configs("heart_fd", "train", "patches"), words, tmp_path)


@pytest.mark.slow
def test_two_processes(hearts, tmp_path):
    options = {**TINY, "dataset_dir": hearts, "output_dir": tmp_path, "fusion": "late"}
    words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
    state = trained_by_two_processes(ROOT / "bundles/heart_fd/configs", words, tmp_path, "patches")
    assert state["iteration"] == 1  # of three cases two for each process, a batch
    assert {"models/model.pt", "tensorboard/psd.npz"} <= files_below(tmp_path)
    succeed(*configs("heart_fd", "evaluate"), "--output_dir", tmp_path, cwd=tmp_path)


@pytest.mark.slow
def test_a_study_on_patches_and_its_report(hearts, tmp_path):
    small = {**TINY, "patch_size": [16, 16, 16], "backbone#channels": [8, 8, 16, 16]}
    pairs = [f"{key}={json.dumps(value)}" for key, value in small.items() if key not in ("epochs", "psd_interval")]
    command = ["run", "bundles/heart_fd", "--overlay", "patches", "--arms", "none", "late", "--sizes", "2"]
    command += ["--epochs", "1", "--data", f"heart_fd={hearts}", "--output_dir", str(tmp_path), "--set", *pairs]
    for words in (command, ["report", str(tmp_path)]):
        whole = [sys.executable, "-m", "monai_freq.study", *words]
        done = subprocess.run(whole, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=580)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    results, problems = read_results(tmp_path)
    assert not problems
    assert {result.settings["fusion"] for result in results} == {"none", "late"}
    for result in results:
        assert result.finished
        assert len(result.cases) == 2
        assert result.recorded["patch_size"] == PATCH
        assert len(result.recorded["spacing"]) == 3
    assert "patch" in (tmp_path / "report/report.md").read_text()
