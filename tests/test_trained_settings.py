"""Evaluation and inference need no option that a training has recorded: all bundles, and a run of each family."""

import csv
import json
import shutil

import pytest
from monai import bundle
from monai.bundle import ConfigParser
from running import ROOT, TASKS, files_below

from monai_freq import phantoms
from monai_freq.bundle.settings import settings_of

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning", "ignore:y values can not be all")

#: values that a setting may have, none of them a bundle's own
OTHER = {"fusion": "late", "convention": "released", "source": "radimagenet", "editing": "whiten"}
OTHER |= {"artifact": "blur", "fraction": 0.125, "theta": 0.3, "dataset_dir": "/data/mine"}


def parser_of(name, workflow, **settings):
    parser = ConfigParser(ConfigParser.load_config_file(ROOT / "bundles" / name / f"configs/{workflow}.json"))
    for key, value in ({"bundle_root": str(ROOT / "bundles" / name)} | settings).items():
        parser[key] = value
    return parser


#: where an evaluation takes those from that name the folder of the run
USED = {"fusion": "network_def#fusion", "source": "samples#source", "fraction": "samples#fraction"}
USED |= {"fold": "samples#fold"}


def taken(parser):
    """Settings of the network and its data, as they are in force, those of an inference with its data set."""
    found = settings_of(parser)
    used = {name: key for name, key in USED.items() if found.get(name) is not None and key in parser}
    assert {name: parser.get_parsed_content(key) for name, key in used.items()} == {name: found[name] for name in used}
    more = {name: parser.get_parsed_content(name) for name in ("dataset_dir", "phantom") if name in parser}
    return found | more


def changed(key, value):
    """Another value of a setting of the same kind."""
    match value:
        case bool() | None:
            return [1, 2]
        case int() | float():
            return value + 2
        case list():
            return [changed(key, entry) for entry in value]
        case dict():
            return {name: changed(name, entry) for name, entry in value.items()}
    return f"other {value}"


@pytest.fixture(scope="module", params=TASKS)
def name(request):
    return request.param


@pytest.fixture
def record(name):
    """What a training with other settings than the bundle's would leave."""
    own = settings_of(parser_of(name, "train", dataset_dir="/none"))
    return {key: OTHER.get(key, changed(key, value)) for key, value in own.items()}


@pytest.mark.parametrize("workflow", ["evaluate", "inference"])
@pytest.mark.parametrize("given", ["output_dir", "checkpoint"])
def test_every_setting_is_the_trainings_where_none_is_given(name, workflow, given, record, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(record))
    place = {"output_dir": str(tmp_path), "checkpoint": str(tmp_path / "models/model.pt")}
    parser = parser_of(name, workflow, **{given: place[given]})
    found = taken(parser)
    assert found == found | {key: record[key] for key in found if key in record}
    assert workflow == "inference" or set(found) == set(record)
    assert parser.get_parsed_content("weights") == place["checkpoint"]
    assert parser.get_parsed_content("output_dir") == place["output_dir"]


@pytest.mark.parametrize("workflow", ["evaluate", "inference"])
def test_a_setting_that_is_given_is_taken(name, workflow, record, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(record))
    keys = [key for key in record if key not in ("num_classes", "phantom")]
    for some in (keys[::2], keys[1::2]):
        given = {key: {"source": "imagenet", "editing": "lowpass"}.get(key, changed(key, record[key])) for key in some}
        parser = parser_of(name, workflow, output_dir=str(tmp_path))
        for key in (key for key in given if key in parser):
            parser[key] = given[key]
        found = taken(parser)
        assert found == found | {key: value for key, value in (record | given).items() if key in found}


@pytest.mark.parametrize("workflow", ["evaluate", "inference"])
def test_an_entry_of_a_setting_can_be_given_alone(name, workflow, record, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(record))
    several = "phantoms" in parser_of(name, workflow)
    option = "phantoms#radimagenet#seed" if several else "phantom#seed"
    parser = parser_of(name, workflow, output_dir=str(tmp_path), **{option: 77})
    found = parser.get_parsed_content("samples#phantom" if several else "phantom")
    assert (found() if callable(found) else found) == {**record["phantom"], "seed": 77}


@pytest.mark.parametrize("workflow", ["evaluate", "inference"])
def test_without_a_record_the_settings_are_the_bundles(name, workflow, tmp_path):
    own = settings_of(parser_of(name, "train", output_dir=str(tmp_path)))
    parser = parser_of(name, workflow, output_dir=str(tmp_path))
    found = taken(parser)
    found |= {one: parser.get_parsed_content(key) for one, key in USED.items() if one in own and key in parser}
    assert found == found | {key: own[key] for key in found if key in own}
    assert set(found) - set(own) <= {"classes"}  # of a source, whose names are in its data
    assert workflow == "inference" or set(own) - set(found) <= {"artifact", "editing"}
    elsewhere = str(tmp_path / "model.pt")
    root = str(tmp_path / "bundle")
    found, trained = (
        parser_of(name, one, bundle_root=root, **more)
        for one, more in ((workflow, {"checkpoint": elsewhere}), ("train", {}))
    )
    assert found.get_parsed_content("weights") == elsewhere
    assert found.get_parsed_content("output_dir") == trained.get_parsed_content("output_dir")


def test_the_folder_has_the_name_of_what_is_given(tmp_path):
    for task, given, folder in (
        ("heart_fd", {"fusion": "late"}, "late"),
        ("lodopab_transfer", {"fraction": 0, "fold": 2}, "photon_noise_0_fold2"),
        ("source_pretrain", {"editing": "whiten"}, "imagenet_whiten"),
    ):
        for workflow in ("train", "evaluate", "inference"):
            parser = parser_of(task, workflow, bundle_root=str(tmp_path), **given)
            assert parser.get_parsed_content("output_dir") == f"{tmp_path}/runs/{folder}"


SEGRESNET = {
    "backbone": {
        "_target_": "monai.networks.nets.SegResNet",
        "in_channels": "@features",
        "out_channels": "$len(@classes)",
        "init_filters": "@filters",
        "blocks_down": [1, 1],
        "blocks_up": [1],
    },
    "filters": 8,
    "intensity": {"_target_": "monai.transforms.NormalizeIntensityd", "keys": "image", "nonzero": True},
}
SEGMENTED = {"fusion": "late", "theta": 0.3, "features": 4, "image_size": [16, 16, 8], "intensity_window": [0, 900]}
SEGMENTED |= {"val_cases": 3, "test_cases": 2, "split_seed": 5, "train_size": 4, "draw": 1}


def test_a_segmentation_is_evaluated_without_an_option(tmp_path, monkeypatch):
    """Of another network, with other settings: as with all of them given again."""
    copy = shutil.copytree(ROOT / "bundles/heart_fd/configs", tmp_path / "heart/configs").parent
    data = phantoms.write_phantom("heart", tmp_path, cases=11, test_cases=2, size=(32, 32, 16), seed=1)
    (tmp_path / "segresnet.json").write_text(json.dumps(SEGRESNET))
    monkeypatch.chdir(tmp_path)

    def call(workflow, *overlays, **options):
        files = [str(copy / f"configs/{workflow}.json"), *overlays]
        bundle.run(config_file=files, bundle_root=str(copy), logging_file=False, threads=1, **options)

    call("train", "segresnet.json", dataset_dir=data.name, epochs=1, val_interval=1, **SEGMENTED)
    run = copy / "runs/late"
    recorded = json.loads((run / "settings.json").read_text())
    assert recorded["images"] == {"train": 4, "val": 3, "test": 2}
    assert recorded["intensity"] == SEGRESNET["intensity"]
    call("evaluate", "segresnet.json", dataset_dir=data.name, **SEGMENTED)
    reference = (run / "eval/cases.csv").read_text()
    assert len(reference.splitlines()) == 1 + 2
    shutil.rmtree(run / "eval")
    monkeypatch.chdir(copy)  # from where the data set has another name
    call("evaluate", fusion="late")  # without the file of overlays
    assert (run / "eval/cases.csv").read_text() == reference
    moved = run.rename(tmp_path / "moved")
    for given in ({"output_dir": str(moved)}, {"checkpoint": str(moved / "models/model.pt")}):
        shutil.rmtree(moved / "eval")
        call("evaluate", **given)
        assert (moved / "eval/cases.csv").read_text() == reference
    for file in (moved / "models").iterdir():  # where earlier versions had it
        file.rename(moved / file.name)
    (moved / "models").rmdir()
    shutil.rmtree(moved / "eval")
    call("evaluate", output_dir=str(moved))
    assert (moved / "eval/cases.csv").read_text() == reference
    call("inference", checkpoint=str(moved / "model.pt"))
    assert len(files_below(moved / "segmentations")) == 2
    assert not (copy / "runs").exists() or not files_below(copy / "runs")
    with pytest.raises(SystemExit, match=r"SegResNet\(init_filters=8\), not 16"):
        call("evaluate", output_dir=str(moved), **{"backbone#init_filters": 16})
    with pytest.raises(SystemExit, match=r"There is no checkpoint .*runs/early/models/model\.pt"):
        call("evaluate")


TUNED = {
    "artifact": "photon_noise",
    "fraction": 0.25,
    "fold": 1,
    "image_size": [32, 32],
    "normalization": "imagenet",
    "fusion": "early",
}
TUNED |= {"folds": {"train": 24, "val": 8, "test": 8, "folds": 2, "seed": 3}, "artifacts#photon_noise#n_photons": 5000}


def test_a_transfer_is_evaluated_without_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    data = phantoms.write_phantom("lodopab", tmp_path, train=24, validation=8, test=8, size=48, seed=1)

    def call(workflow, **options):
        config = f"bundles/lodopab_transfer/configs/{workflow}.json"
        bundle.run(config_file=config, output_dir=str(tmp_path / "run"), logging_file=False, threads=1, **options)
        return (tmp_path / "run/eval/scores.csv").read_text() if workflow == "evaluate" else ""

    network = {"backbone#layers": [1, 1, 1, 2], "backbone#block_inplanes": [8, 8, 16, 16]}
    call("train", dataset_dir=str(data), epochs=1, val_interval=1, **TUNED, **network)
    recorded = json.loads((tmp_path / "run/settings.json").read_text())
    assert recorded["images"] == {"train": 24, "val": 8, "test": 8}
    assert recorded["artifacts"]["photon_noise"]["n_photons"] == 5000
    reference = call("evaluate", dataset_dir=str(data), **TUNED, **network)
    assert {row["condition"] for row in csv.DictReader(reference.splitlines())} == {"clean", "iid", "ood"}
    assert call("evaluate") == reference
    call("inference")
    predicted = csv.DictReader((tmp_path / "run/predictions/scores.csv").read_text().splitlines())
    clean = {row["sample"]: row for row in csv.DictReader(reference.splitlines()) if row["condition"] == "clean"}
    for row in predicted:
        assert float(row["score_benign"]) == pytest.approx(float(clean[row["sample"]]["score_benign"]), abs=1e-5)
