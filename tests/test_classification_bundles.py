"""The classification bundles as people run them: trained, evaluated, resumed, transferred, and refused."""

import csv
import json
import re
import shutil

import h5py
import numpy as np
import pytest
import torch
from monai import bundle
from monai.bundle import ConfigParser
from monai.networks.nets import resnet50
from PIL import Image
from running import (
    ROOT,
    TASKS,
    assert_same_weights,
    files_below,
    root_for_other_tools,
    run,
    scalars_and_images,
    succeed,
    tasks_of,
    trained_by_two_processes,
    undisturbed_and_killed,
)
from torch import nn

from monai_freq import phantoms
from monai_freq.handlers import PSDHistory
from monai_freq.handlers.score_report import auc

BUNDLES = tasks_of("classification")
SIZE = {"lodopab_transfer": 48, "kneemri_transfer": 64, "source_pretrain": 32}
PHANTOMS = {
    "lodopab_transfer": ("lodopab", {"train": 24, "validation": 8, "test": 8, "size": 48}),
    "kneemri_transfer": ("kneemri", {"exams": 40, "slices": 16, "size": 64}),
    "source_pretrain": ("imagenet", {"images": 4, "size": 32}),
}
FOLDS = {"train": 24, "val": 8, "test": 8, "folds": 2, "seed": 0}

on_one_bundle = pytest.mark.parametrize("name", ["lodopab_transfer"], indirect=True)
on_transfers = pytest.mark.parametrize("name", tasks_of("transfer"), indirect=True)

# MONAI's warnings about any configuration, and about validation images of one class, in tests of few images
pytestmark = pytest.mark.filterwarnings(
    "ignore:parsing config_file:UserWarning", "ignore:No hash value:UserWarning", "ignore:y values can not be all"
)


@pytest.fixture(scope="module", params=BUNDLES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def dataset(name, tmp_path_factory):
    """Small data set of the bundle, in its real format."""
    task, settings = PHANTOMS[name]
    return phantoms.write_phantom(task, tmp_path_factory.mktemp(name), **settings, seed=1)


def small(name, **more):
    """Settings of a short run on the small data set."""
    size = 32 if name != "lodopab_transfer" else 48
    settings = {"image_size": [size, size]}
    if name != "source_pretrain":
        settings |= {"folds": FOLDS}
    return settings | more


def as_options(settings):
    return [word for key, value in settings.items() for word in (f"--{key}", str(value))]


def call(name, workflow, dataset, folder, **more):
    """Run a workflow in this process."""
    config = str(ROOT / "bundles" / name / f"configs/{workflow}.json")
    options = {"dataset_dir": str(dataset), "output_dir": str(folder), "threads": 1, "logging_file": False}
    bundle.run(config_file=config, **small(name), **options, **more)


def test_denoising_knows_the_noise_of_the_modality():
    """Scaling leaves the zero of magnitudes where it is; in CT, zero is no magnitude."""
    found = {}
    for task in ("kneemri_transfer", "lodopab_transfer"):
        config = ConfigParser(ConfigParser.load_config_file(ROOT / "bundles" / task / "configs/train.json"))
        found[task] = (config.get_parsed_content("artifacts#nonlocal_means"), config.get_parsed_content("scaling"))
    denoise, scale = found["kneemri_transfer"]
    image = 90 + 300 * torch.rand(1, 24, 24, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(denoise(scale({"image": image})["image"]), denoise(image) / image.max())
    denoise, scale = found["lodopab_transfer"]
    assert abs(float(denoise(image).mean() - image.mean())) < 0.05 * float(image.std())


@pytest.mark.parametrize(("config", "kind"), [("train", "train"), ("evaluate", "infer"), ("inference", "infer")])
def test_properties_that_other_tools_need(name, dataset, config, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    root = root_for_other_tools(name, config, kind, dataset_dir=str(dataset), output_dir=str(tmp_path), **small(name))
    assert root == ROOT / "bundles" / name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("source_pretrain", marks=pytest.mark.slow),
        pytest.param("lodopab_transfer", marks=pytest.mark.slow),
        "kneemri_transfer",
    ],
    indirect=True,
)
def test_train_evaluate_infer(name, dataset, tmp_path):
    copy = tmp_path / "bundles" / name
    shutil.copytree(ROOT / "bundles" / name, copy, ignore=shutil.ignore_patterns(".cache", "runs"))
    before = files_below(tmp_path)
    options = ["--dataset_dir", dataset, *as_options(small(name))]
    succeed("configs/train.json", *options, "--epochs", 2, "--val_interval", 1, "--psd_interval", 1, cwd=copy)
    (result,) = (copy / "runs").iterdir()
    assert {"models/model.pt", "models/last.pt"} <= files_below(result)
    logged = scalars_and_images(result / "tensorboard")
    assert {"train_loss", "val_auc", "val_accuracy", "psd input gradients/centroid"} <= logged
    history = PSDHistory.load(result / "tensorboard/psd.npz")
    assert history.epochs == [0, 1, 2]  # from before the training on
    assert (
        history.kinds == ("images", "gradients") if name == "source_pretrain" else ("images", "gradients", "artifact")
    )

    said = succeed("configs/evaluate.json", cwd=copy)
    rows = list(csv.DictReader((result / "eval/scores.csv").read_text().splitlines()))
    summary = json.loads((result / "eval/summary.json").read_text())
    conditions = {"all"} if name == "source_pretrain" else {"clean", "iid", "ood"}
    assert set(summary) == {row["condition"] for row in rows} == conditions
    columns = [column for column in rows[0] if column.startswith("score_")]
    for condition, measured in summary.items():
        own = [row for row in rows if row["condition"] == condition]
        scores = torch.tensor([[float(row[column]) for column in columns] for row in own])
        labels = torch.tensor([int(row["label"]) for row in own])
        assert measured["auc"] == pytest.approx(auc(scores, labels), abs=1e-6)
        assert f"{condition} " in said

    succeed("configs/inference.json", cwd=copy)
    predicted = list(csv.DictReader((result / "predictions/scores.csv").read_text().splitlines()))
    tested = {row["sample"]: row for row in rows if row["condition"] in ("clean", "all")}
    assert {row["sample"] for row in predicted} == set(tested)
    for row in predicted:
        assert "label" not in row
        for column in columns:
            assert float(row[column]) == pytest.approx(float(tested[row["sample"]][column]), abs=1e-5)

    new = files_below(tmp_path) - before
    assert all(path.startswith(f"bundles/{name}/runs/{result.name}/") for path in new), new


def test_images_of_a_folder_are_scored(tmp_path, monkeypatch):
    name = "lodopab_transfer"
    monkeypatch.chdir(ROOT)
    parser = ConfigParser(ConfigParser.load_config_files([f"bundles/{name}/configs/inference.json"]))
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "model.pt")
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.random((40, 50), dtype=np.float32)).save(images / "one.tif")
    with h5py.File(images / "many.hdf5", "w") as file:
        file["data"] = rng.random((3, 40, 40), dtype=np.float32)
    config = f"bundles/{name}/configs/inference.json"
    options = {"input_dir": str(images), "output_dir": str(tmp_path), "threads": 1, "logging_file": False}
    bundle.run(config_file=config, dataset_dir="no_such_folder", **options)  # which is not looked at
    rows = list(csv.DictReader((tmp_path / "predictions/scores.csv").read_text().splitlines()))
    assert [row["sample"] for row in rows] == ["many.hdf5#0", "many.hdf5#1", "many.hdf5#2", "one.tif"]
    picture = Image.fromarray(rng.integers(0, 255, (40, 50), dtype=np.uint8))
    picture.save(images / "two.png")
    with pytest.raises(SystemExit, match=r"two\.png has pixels from 0 to 254, \(0, 1\) expected"):  # as in training
        bundle.run(config_file=config, **options)
    (images / "two.png").write_bytes((images / "two.png").read_bytes()[:90])
    with pytest.raises(SystemExit, match=r"two\.png cannot be read"):
        bundle.run(config_file=config, **options)


def test_every_workflow_gives_the_network_the_same_image(name, dataset):
    images = []
    for workflow in ("train", "evaluate", "inference"):
        parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / f"bundles/{name}/configs/{workflow}.json")]))
        parser["samples#_mode_"] = "default"
        for key, value in small(name, dataset_dir=str(dataset), bundle_root=".", output_dir=".").items():
            parser[key] = value
        item = parser.get_parsed_content("samples").test[0] | {"shortcut": False}
        images.append(parser.get_parsed_content("preprocessing")(item)["image"])
    for image in images:
        torch.testing.assert_close(image, images[0], rtol=0, atol=0)
    assert images[0].shape[1:] == tuple(small(name)["image_size"])


@pytest.mark.parametrize("rate", [1.0, 0.0])
def test_the_training_images_are_kept_in_memory(name, dataset, rate, tmp_path):
    """The cache holds what is not random: an artifact is drawn once an item, not once an epoch."""
    parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / f"bundles/{name}/configs/train.json")]))
    settings = {"dataset_dir": str(dataset), "bundle_root": ".", "output_dir": str(tmp_path), "cache_rate": rate}
    for key, value in small(name, **settings).items():
        parser[key] = value
    for part in ("train", "validate"):
        cached = parser.get_parsed_content(f"{part}#dataset")
        assert len(cached._cache) == rate * len(cached.data)
        assert all(item["image"].shape == (1, *small(name)["image_size"]) for item in cached._cache)
    items = cached.data
    again = parser.get_parsed_content("preprocessing")(dict(items[0]))["image"]
    torch.testing.assert_close(cached[0]["image"], again, rtol=0, atol=0)


def test_paper_overlay(name):
    configs = [str(ROOT / f"bundles/{name}/configs/{file}.json") for file in ("train", "paper")]
    plain, paper = (ConfigParser.load_config_files(files) for files in (configs[:1], configs))
    assert list(paper) == list(plain)
    parser = ConfigParser(paper)
    own, reference = parser.get_parsed_content("network_def"), resnet50(spatial_dims=2, conv1_t_stride=2)
    shapes, wanted = ({k: tuple(v.shape) for k, v in n.state_dict().items()} for n in (own, reference))
    assert {k for k in wanted if shapes.get(k) != wanted[k]} <= {"conv1.weight", "fc.weight", "fc.bias"}
    if name != "source_pretrain":
        assert (paper["folds"]["train"], paper["folds"]["val"]) == (375, 125)
        assert "test" not in paper["folds"]


@pytest.mark.slow
@on_one_bundle
def test_a_killed_run_resumes_to_the_same_weights(name, dataset, tmp_path):
    config = ROOT / "bundles" / name / "configs/train.json"
    options = ["--dataset_dir", str(dataset), "--threads", "1", "--epochs", "12", "--val_interval", "1"]
    options += [*as_options(small(name)), "--psd_interval", "2", "--lam", "0.01"]
    whole, killed = undisturbed_and_killed(config, options, tmp_path)
    one, two = (PSDHistory.load(folder / "tensorboard/psd.npz") for folder in (whole, killed))
    assert set(one.epochs) == {0, 2, 4, 6, 8, 10, 12} <= set(two.epochs)
    kept = [two.epochs.index(epoch) for epoch in one.epochs]
    np.testing.assert_array_equal(one.mean["gradients"], np.stack(two.mean["gradients"])[kept])


@pytest.mark.slow
@on_one_bundle
def test_two_processes(name, dataset, tmp_path):
    configs = ROOT / "bundles" / name / "configs"
    options = [*as_options(small(name)), "--dataset_dir", dataset, "--output_dir", tmp_path]
    state = trained_by_two_processes(configs, [*options, "--epochs", 1, "--val_interval", 1], tmp_path)
    assert state["iteration"] == 1  # each process has twelve of the 24 images, which are one batch
    assert len(list((tmp_path / "tensorboard").glob("events*"))) == 1  # one process writes
    succeed(configs / "evaluate.json", *options, cwd=tmp_path)


@on_one_bundle
@pytest.mark.parametrize("fusion", ["early", "late"])
def test_fusion_and_spectral_decoupling_around_the_classifier(name, dataset, fusion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    call(name, "train", dataset, tmp_path, epochs=1, fusion=fusion, lam=0.01, val_interval=1)
    call(name, "evaluate", dataset, tmp_path, fusion=fusion)
    assert (tmp_path / "eval/summary.json").is_file()
    assert json.loads((tmp_path / "settings.json").read_text())["lam"] == 0.01


@on_one_bundle
def test_a_transfer_starts_from_the_source(name, dataset, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(ROOT)
    sources = phantoms.write_phantom("imagenet", tmp_path, images=4, size=32, seed=1)
    normalization = "radimagenet_pytorch"
    call(
        "source_pretrain",
        "train",
        sources,
        tmp_path / "source",
        epochs=1,
        editing="lowpass",
        normalization=normalization,
    )
    source = tmp_path / "source/models/model.pt"
    assert torch.load(source, weights_only=True)["fc.weight"].shape[0] == 3  # superclasses
    never = {"learning_rate": 0.0, "epochs": 1, "val_interval": 1}
    call(name, "train", dataset, tmp_path / "target", init=str(source), **never)
    start, after = (torch.load(file, weights_only=True) for file in (source, tmp_path / "target/models/model.pt"))
    for key, value in start.items():
        if not key.startswith("fc.") and "running_" not in key and "num_batches" not in key:
            torch.testing.assert_close(after[key], value, rtol=0, atol=0)
    history = PSDHistory.load(tmp_path / "target/tensorboard/psd.npz")
    assert history.epochs == [0, 1]  # the start, and the final weights
    history = PSDHistory.load(tmp_path / "source/tensorboard/psd.npz")
    assert history.epochs == [0, 1]  # which were not validated
    recorded = [json.loads((tmp_path / folder / "settings.json").read_text()) for folder in ("source", "target")]
    assert [settings["normalization"] for settings in recorded] == [normalization, normalization]
    broken, other = tmp_path / "broken.pt", tmp_path / "other.pt"
    torch.save(nn.Linear(3, 2).state_dict(), other)
    torch.save(start | {"bn1.running_var": start["bn1.running_var"] * float("nan")}, broken)
    for init, more, says in (
        ("no_such.pt", {}, "There is no file no_such.pt"),
        (str(other), {}, "other.pt is of another network"),
        (str(broken), {}, "broken.pt has weights that are NaN or infinite: bn1.running_var."),
        (
            str(source),
            {"normalization": "imagenet"},
            "was trained with normalization=radimagenet_pytorch, not imagenet",
        ),
    ):
        with pytest.raises(SystemExit, match=re.escape(says)):
            call(name, "train", dataset, tmp_path / "refused", init=init, **more)
    assert not (tmp_path / "refused").exists()  # nothing was started
    assert "BatchNorm" not in caplog.text
    far = tmp_path / "far.pt"
    statistics = {"bn1.running_mean": torch.full((16,), 1000.0), "bn1.num_batches_tracked": torch.tensor(99)}
    torch.save(start | statistics, far)
    call(name, "train", dataset, tmp_path / "warned", init=str(far), **never)
    assert f"{far}: the statistics of its first BatchNorm do not fit images of normalization=zero_to_one" in caplog.text


@pytest.mark.parametrize("editing", ["whiten", "lowpass"])
@pytest.mark.parametrize("source", ["imagenet", "radimagenet"])
def test_sources_are_edited(source, editing, tmp_path):
    parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / "bundles/source_pretrain/configs/train.json")]))
    sizes = {"images": 4} if source == "imagenet" else {"train": 12, "validation": 6, "test": 6}
    folder = phantoms.write_phantom(source, tmp_path, size=32, seed=1, **sizes)
    changes = {"dataset_dir": str(folder), "image_size": [32, 32], "source": source, "editing": editing, "cutoff": 0.2}
    for key, value in (changes | {"bundle_root": "."}).items():
        parser[key] = value
    image = parser.get_parsed_content("preprocessing")(parser.get_parsed_content("samples").train[0])["image"]
    spectrum = np.abs(np.fft.fft2(np.asarray(image[0], dtype=np.float64)))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    rest = spectrum[(radius > 0)]
    if editing == "whiten":
        assert rest.std() < 1e-4 * rest.mean()
    else:
        assert spectrum[radius > 0.2].max() < 1e-5 * spectrum.max()
    expected = 3 if (source, editing) == ("imagenet", "lowpass") else {"imagenet": 10, "radimagenet": 6}[source]
    assert parser.get_parsed_content("num_classes") == expected


@pytest.mark.parametrize(
    ("source", "editing", "outputs"), [("imagenet", "none", 12), ("radimagenet", "none", 7), ("imagenet", "lowpass", 3)]
)
def test_the_network_has_an_output_for_each_class_of_the_source(source, editing, outputs):
    parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / "bundles/source_pretrain/configs/train.json")]))
    counts = {"imagenet": 12, "radimagenet": 7}
    for key, value in {"class_counts": counts, "source": source, "editing": editing}.items():
        parser[key] = value
    assert parser.get_parsed_content("network_def").fc.out_features == outputs


def test_a_source_with_more_classes_than_the_network_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    sources = phantoms.write_phantom("imagenet", tmp_path, images=4, size=32, seed=1)
    with pytest.raises(SystemExit, match="The data have 10 classes, the network has 4"):
        call("source_pretrain", "train", sources, tmp_path / "out", class_counts={"imagenet": 4})
    assert not (tmp_path / "out").exists()


def test_the_papers_sources_are_in_colours(tmp_path, monkeypatch):
    """With its overlay, but small: three channels in the files, in the items and in the network."""
    monkeypatch.chdir(ROOT)
    sources = phantoms.write_phantom("imagenet", tmp_path, images=4, size=32, seed=1)
    configs = {
        name: [str(ROOT / f"bundles/source_pretrain/configs/{file}.json") for file in (name, "paper")]
        for name in ("train", "evaluate")
    }
    smaller = {"backbone#_target_": "monai.networks.nets.resnet10", "image_size": [32, 32], "batch_size": 8}
    smaller |= {"class_counts": {"imagenet": 10}, "epochs": 1, "workers": 0, "threads": 1, "logging_file": False}
    for files in configs.values():
        bundle.run(config_file=files, dataset_dir=str(sources), output_dir=str(tmp_path / "out"), **smaller)
    assert torch.load(tmp_path / "out/models/model.pt", weights_only=True)["conv1.weight"].shape[1] == 3
    assert (tmp_path / "out/eval/summary.json").is_file()
    parser = ConfigParser(ConfigParser.load_config_files(configs["train"]))
    for key, value in (smaller | {"dataset_dir": str(sources), "bundle_root": "."}).items():
        parser[key] = value
    image = parser.get_parsed_content("preprocessing")(parser.get_parsed_content("samples").train[0])["image"]
    assert image.shape == (3, 32, 32)
    assert not torch.equal(image[0], image[1])


@on_one_bundle
def test_the_weights_do_not_depend_on_the_cache(name, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for rate in (1.0, 0.0):
        call(name, "train", dataset, tmp_path / str(rate), epochs=2, cache_rate=rate)
    assert_same_weights(tmp_path / "1.0", tmp_path / "0.0")


@on_transfers
def test_the_artifact_is_where_the_plan_says(name, dataset, tmp_path):
    parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / f"bundles/{name}/configs/evaluate.json")]))
    for key, value in small(name, dataset_dir=str(dataset), bundle_root=".", fraction=1.0).items():
        parser[key] = value
    samples, preprocessing = parser.get_parsed_content("samples"), parser.get_parsed_content("preprocessing")
    plain = {item["sample"]: preprocessing(item)["image"] for item in samples.test if item["condition"] == "clean"}
    for item in samples.test:
        altered = not torch.equal(preprocessing(item)["image"], plain[item["sample"]])
        wanted = {"clean": False, "iid": item["label"] == 1, "ood": item["label"] == 0}[item["condition"]]
        assert altered == wanted, item


def prepared(dataset, config, artifact, fraction=1.0, **more):
    """Samples and preprocessing of a run of lodopab_transfer."""
    file = ROOT / f"bundles/lodopab_transfer/configs/{config}.json"
    parser = ConfigParser(ConfigParser.load_config_files([str(file)]))
    own = {"dataset_dir": str(dataset), "bundle_root": ".", "artifact": artifact, "fraction": fraction}
    for key, value in small("lodopab_transfer", **own, **more).items():
        parser[key] = value
    return parser.get_parsed_content("samples"), parser.get_parsed_content("preprocessing")


@pytest.mark.parametrize("config", ["train", "evaluate"])
@on_one_bundle
def test_the_doses_of_a_pair_differ_by_a_third_in_variance(name, dataset, config):
    """Far from an empty count the variance of a line integral is one over the count: N0 of 1.5e7 and 2e7."""
    samples, noisy = prepared(dataset, config, "dose_pair")
    _, plain = prepared(dataset, config, "none")
    items = [*samples.train, *samples.val][:24]
    noise = {
        mark: torch.cat([noisy(item | {"shortcut": mark})["image"] - plain(dict(item))["image"] for item in items])
        for mark in (True, False)
    }
    assert all(float(one.abs().amax((1, 2)).min()) > 0 for one in noise.values())  # every image is noisy
    low, high = (float(noise[mark].double().std()) for mark in (True, False))
    assert low / high == pytest.approx((4 / 3) ** 0.5, rel=0.02)


@on_one_bundle
def test_which_dose_an_image_of_a_pair_gets(name, dataset):
    samples, noisy = prepared(dataset, "evaluate", "dose_pair", fraction=0.5)
    _, plain = prepared(dataset, "evaluate", "none")
    lower = {}
    for item in samples.test:
        same = [noisy(item | {"shortcut": mark})["image"] for mark in (True, False)]
        found = noisy(dict(item))["image"]
        assert not torch.equal(*same)
        assert not torch.equal(found, plain(dict(item))["image"])
        lower[item["condition"], item["sample"]] = torch.equal(found, same[0])
        assert lower[item["condition"], item["sample"]] != torch.equal(found, same[1])
    of = {condition: {1: [], 0: []} for condition in ("clean", "iid", "ood")}
    for item in samples.test:
        of[item["condition"]][item["label"]].append(lower[item["condition"], item["sample"]])
    assert not any([*of["clean"][0], *of["clean"][1]])
    assert not any(of["iid"][0])
    assert sum(of["iid"][1]) == round(0.5 * len(of["iid"][1]))
    assert all(of["ood"][0])
    assert not any(of["ood"][1])


@on_one_bundle
def test_a_pair_of_doses_is_trained_and_evaluated(name, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = {"artifact": "dose_pair", "fraction": 1.0}
    own = {"otherwise#dose_pair#n_photons": 3e7}
    call(name, "train", dataset, tmp_path, epochs=1, val_interval=1, **given, **own)
    recorded = json.loads((tmp_path / "settings.json").read_text())
    assert recorded["artifacts"]["dose_pair"]["n_photons"] == 1.5e7
    assert recorded["otherwise"]["dose_pair"]["n_photons"] == 3e7
    call(name, "evaluate", dataset, tmp_path)  # with the doses of the training
    assert set(json.loads((tmp_path / "eval/summary.json").read_text())) == {"clean", "iid", "ood"}
    with pytest.raises(SystemExit, match=r"made with PhotonNoise\(n_photons=30000000\.0\), not 20000000\.0"):
        call(name, "evaluate", dataset, tmp_path, **{"otherwise#dose_pair#n_photons": 2e7})
    history = PSDHistory.load(tmp_path / "tensorboard/psd.npz")
    assert "artifact" in history.kinds


@on_one_bundle
def test_the_same_seed_gives_the_same_scores(name, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = []
    for folder, seed in (("one", 3), ("two", 3), ("other", 4)):
        torch.rand(seed + len(results))  # what was drawn before must not matter
        call(name, "train", dataset, tmp_path / folder, epochs=2, seed=seed)
        call(name, "evaluate", dataset, tmp_path / folder)
        results.append((tmp_path / folder / "eval/scores.csv").read_text())
    assert results[0] == results[1]
    assert results[0] != results[2]


def lose_table(folder):
    (folder / "labels.csv").unlink()


def lose_column(folder):
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("malignancy", "severity", 1))


def cut_slices(folder):
    path = next(folder.glob("ground_truth_train_*.hdf5"))
    path.write_bytes(path.read_bytes()[:-3000])


def exceed_labels(folder):
    table = folder / "labels.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:-1], lines[-1].rpartition(",")[0] + ",9"]) + "\n")


def share_patient(folder):
    table = folder / "labels.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[-1][2] = lines[1][2]
    table.write_text("\n".join(map(",".join, lines)) + "\n")


@on_one_bundle
@pytest.mark.parametrize(
    ("damage", "options", "says"),
    [
        (lose_table, {}, ["labels.csv", "missing"]),
        (lose_column, {}, ["labels.csv", "malignancy"]),
        (cut_slices, {}, ["ground_truth_train_000.hdf5"]),
        (exceed_labels, {}, ["malignancy", "9"]),
        (share_patient, {}, ["patient"]),
        (None, {"fold": 2}, ["'fold' must be in [0, 1], got 2"]),
        (
            None,
            {"artifact": "noise"},
            ["'artifact' must be one of none, photon_noise, nonlocal_means, blur, dose_pair, got 'noise'"],
        ),
        (None, {"folds": FOLDS | {"train": 900}}, ["fewer than 900 for training"]),
        (None, {"folds": FOLDS | {"tran": 9}}, ["'folds' has no setting 'tran'"]),
        (None, {"backbone#num_classes": 3}, ["'backbone' (ResNet)", "it returns (3,) instead of (2,)"]),
        (None, {"fusion": "early", "backbone#n_input_channels": 1}, ["'backbone' (ResNet)", "shape (8, "]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_errors_are_a_few_lines_that_name_the_culprit(name, dataset, tmp_path, monkeypatch, damage, options, says):
    monkeypatch.chdir(ROOT)
    copy = shutil.copytree(dataset, tmp_path / "data")
    if damage is not None:
        damage(copy)
    config = str(ROOT / "bundles" / name / "configs/train.json")
    folders = {"dataset_dir": str(copy), "output_dir": str(tmp_path / "out")}
    with pytest.raises(SystemExit) as stop:
        bundle.run(config_file=config, logging_file=False, threads=1, **small(name) | folders | options)
    message = str(stop.value)
    assert 1 <= len(message.splitlines()) <= 3, message
    for part in says:
        assert part in message
    assert not (tmp_path / "out").exists()  # nothing was started


def test_a_mistyped_option_ends_without_a_trace(tmp_path):
    config = ROOT / "bundles/source_pretrain/configs/train.json"
    done = run(config, "--edting", "whiten", "--output_dir", tmp_path / "out", cwd=ROOT)
    assert done.returncode != 0
    assert "Did you mean '--editing'?" in done.stderr
    assert "Traceback" not in done.stderr


@on_one_bundle
def test_other_settings_than_those_of_the_training_are_refused(name, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    own = {"mean": 0.2, "sd": 1.0}
    call(name, "train", dataset, tmp_path, epochs=1, fraction=0.25, normalization=own)
    refused = f"normalization={own}, not imagenet"
    for workflow, other, says in (
        ("evaluate", {"fraction": 0.5}, "fraction=0.25, not 0.5"),
        ("evaluate", {"normalization": "imagenet"}, refused),
        ("evaluate", {"fold": 1}, "fold=0, not 1"),
        ("evaluate", {"artifacts#photon_noise#n_photons": 9}, "PhotonNoise(n_photons=16384), not 9"),
        ("inference", {"normalization": "imagenet"}, refused),
        ("train", {"resume": "true", "fraction": 0.25}, "normalization={'mean': 0.2, 'sd': 1.0}, not zero_to_one"),
        ("train", {"resume": "true", "fraction": 0.25, "normalization": own, "lam": 0.5}, "lam=0.0, not 0.5"),
        ("train", {"normalization": "radimagenet"}, "'normalization' must be one of zero_to_one, imagenet, "),
    ):
        with pytest.raises(SystemExit, match=re.escape(says)):
            call(name, workflow, dataset, tmp_path, **other)
    call(name, "evaluate", dataset, tmp_path, fraction=0.25)
    call(name, "inference", dataset, tmp_path)
    assert (tmp_path / "eval/summary.json").is_file()


@pytest.mark.parametrize("config", ["evaluate", "inference"])
def test_without_a_checkpoint(name, dataset, config, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match=r"There is no checkpoint .*models/model\.pt"):
        call(name, config, dataset, tmp_path)


def test_tasks_of_this_family():
    assert set(BUNDLES) == set(SIZE)
    assert all(TASKS[name]["family"][0] == "classification" for name in BUNDLES)
