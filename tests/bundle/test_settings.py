"""Settings that cannot work are refused with two lines that say what to write, and nothing is done before."""

import json
import math
from functools import cache
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from monai_freq.bundle import check_config
from monai_freq.bundle.settings import settings_of
from monai_freq.errors import UsageError

BUNDLES = Path(__file__).parents[2] / "bundles"
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")


@cache
def content(bundle: str, workflow: str) -> str:
    return json.dumps(ConfigParser.load_config_file(BUNDLES / bundle / f"configs/{workflow}.json"))


def parser_of(bundle: str, workflow: str, folder: Path, **settings: object) -> ConfigParser:
    parser = ConfigParser(json.loads(content(bundle, workflow)))
    for key, value in ({"bundle_root": str(folder), "device": "cpu"} | settings).items():
        parser[key] = value
    return parser


def refusal(*args: object, **settings: object) -> list[str]:
    with pytest.raises(UsageError) as caught:
        check_config(parser_of(*args, **settings))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    return lines


@pytest.mark.parametrize("workflow", ["train", "evaluate", "inference"])
@pytest.mark.parametrize("bundle", ["heart_fd", "lodopab_transfer", "source_pretrain"])
def test_what_a_bundle_comes_with_passes_and_nothing_is_done(bundle, workflow, tmp_path):
    for changes in (
        {"intensity_window": (0.0, 1.5)},
        {"fusion": "early", "convention": "released", "theta": 0.3, "device": torch.device("cpu")},
        {"theta": [0.1, 0.2]},
    ):
        parser = parser_of(bundle, workflow, tmp_path, **changes)
        before = json.dumps(parser.get(), default=str)
        check_config(parser)
        assert json.dumps(parser.get(), default=str) == before
        assert not parser.ref_resolver.items
    assert list(tmp_path.iterdir()) == []


WRONG = [
    *(("heart_fd", "fusion", value) for value in ("Early", "", None, False, ["early"])),
    *(("heart_fd", "theta", value) for value in (0, 1, -0.1, float("nan"), "0.1", None, True)),
    *(("heart_fd", "theta", value) for value in ([0.1], [0.1, 0.2, 0.3], [0.1, 1.5], [])),
    *(("heart_fd", "convention", value) for value in ("figure 2", None, 2)),
    *(("heart_fd", name, -1) for name in ("val_cases", "test_cases", "train_size", "draw", "seed")),
    *(("heart_fd", "train_size", value) for value in (1.5, "two", True)),
    *(("heart_fd", "epochs", value) for value in (0, 2.5, True, "3", None)),
    *(("heart_fd", "batch_size", value) for value in (0, 1.0)),
    ("heart_fd", "threads", "2"),
    *(("heart_fd", "learning_rate", value) for value in (-1, float("nan"), "0.1", None)),
    *(("heart_fd", "device", value) for value in ("gpu", "cuda:99", 1.5)),
    *(("heart_fd", "intensity_window", value) for value in ([240, -160], [1, 1], [0], [0, 1, 2], "[0,1]", 5)),
    *(("heart_fd", "intensity_window", value) for value in ([0, math.nan], [-math.inf, 0], [False, True], ["0", "1"])),
    ("heart_fd", "image_size", [60, 64, 32]),
    ("lodopab_transfer", "image_size", 48),
    *(("lodopab_transfer", "fraction", value) for value in (-0.1, 1.1, float("nan"), "0.5", None, True)),
    *(("lodopab_transfer", "lam", value) for value in (-1, float("inf"), "x")),
    *(("lodopab_transfer", "fold", value) for value in (-1, 0.5)),
    *(("lodopab_transfer", "artifact", value) for value in ("noise", None, ["blur"])),
    ("lodopab_transfer", "normalization", "imagnet"),
    ("source_pretrain", "source", "cifar"),
    ("source_pretrain", "editing", "sharpen"),
]


@pytest.mark.parametrize(("bundle", "name", "value"), WRONG)
def test_a_setting_that_cannot_work_is_named_with_one_that_can(bundle, name, value, tmp_path):
    first, second = refusal(bundle, "train", tmp_path, **{name: value})
    assert first.startswith(f"'{name}' ")
    assert f"--{name} " in second
    example = second.split(f"--{name} ")[1].split(", or")[0].removesuffix(",")
    kept = (
        example if name in ("device", "fusion", "convention", "artifact", "normalization", "source", "editing") else 0
    )
    check_config(parser_of(bundle, "train", tmp_path, **{name: kept or json.loads(example)}))


def test_the_messages_say_what_is_allowed(tmp_path):
    for bundle, name, value, says in (
        ("lodopab_transfer", "fraction", "x", "'fraction' must be in [0, 1], got 'x'.\nAs in --fraction 0.5"),
        ("lodopab_transfer", "lam", -1, "'lam' must be a number of at least 0, got -1.\nAs in --lam 0.01"),
        ("heart_fd", "draw", "x", "'draw' must be a whole number of at least 0, got 'x'.\nAs in --draw 4"),
        ("heart_fd", "epochs", 0, "'epochs' must be a whole number of at least 1, got 0.\nAs in --epochs 60"),
        ("source_pretrain", "source", "x", "'source' must be one of imagenet, radimagenet, got 'x'.\nAs in --sour"),
    ):
        assert "\n".join(refusal(bundle, "train", tmp_path, **{name: value})).startswith(says)


@pytest.mark.parametrize(
    ("bundle", "given", "wrong"),
    [
        ("heart_fd", {"fusion": "late"}, {"fusion": "middle"}),
        ("lodopab_transfer", {"artifact": "blur", "fraction": 0.1}, {"fraction": 2}),
        ("source_pretrain", {"editing": "whiten"}, {"source": "cifar"}),
    ],
)
def test_what_names_the_folder_may_be_left_out_of_an_evaluation(bundle, given, wrong, tmp_path):
    check_config(parser_of(bundle, "evaluate", tmp_path, **given))
    (name,) = wrong
    assert refusal(bundle, "evaluate", tmp_path, **wrong)[0].startswith(f"'{name}' must be ")


def test_the_settings_are_those_of_the_network_and_the_data(tmp_path):
    network = {"fusion", "theta", "convention", "features", "image_size", "patch_size", "spacing", "classes"}
    found = settings_of(parser_of("spleen_fd", "train", tmp_path))
    data = {"dataset_dir", "phantom", "split_seed", "val_cases", "test_cases", "train_size", "draw"}
    assert set(found) == network | data | {"intensity_window"}
    assert set(settings_of(parser_of("spleen_fd", "inference", tmp_path))) == network - {"fusion"} | {
        "intensity_window"
    }
    found = settings_of(parser_of("source_pretrain", "train", tmp_path, source="radimagenet"))
    data = {"dataset_dir", "phantom", "source", "editing", "cutoff"}
    images = {"crop", "in_channels", "normalization", "num_classes"}
    patched = {"patch_size", "spacing"}
    assert set(found) == network - patched - {"classes"} | images | data  # which are found in the data
    assert found["phantom"]["task"] == "radimagenet"
