"""The one call of ``initialize``: it says what it has read, seeds, records, and refuses bundles of earlier versions."""

import json
import logging

import pytest
import torch
from monai import bundle
from monai.bundle import ConfigParser
from running import ROOT

from monai_freq.bundle import begin_training, check_config
from monai_freq.bundle.begin import _counts
from monai_freq.bundle.parsing import copied, readably, running_parser
from monai_freq.errors import DataError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")
SMALL = {
    "image_size": [16, 16, 8],
    "threads": 1,
    "phantom": {"task": "heart", "cases": 4, "size": [16, 16, 16], "seed": 0},
}
SMALL |= {"val_cases": 1, "test_cases": 1}


@pytest.fixture
def parser(tmp_path, monkeypatch):
    monkeypatch.delenv("MONAI_FREQ_CACHE", raising=False)
    found = ConfigParser(ConfigParser.load_config_file(ROOT / "bundles/heart_fd/configs/train.json"))
    for key, value in (SMALL | {"bundle_root": str(tmp_path), "seed": 3, "draw": 2}).items():
        found[key] = value
    return found


def test_a_training_begins(parser, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        parser.get_parsed_content("initialize")
    assert "2 training, 1 validation and 1 test cases." in [record.message for record in caplog.records]
    drawn = torch.rand(3)
    torch.manual_seed(1000 * 3 + 2)
    assert torch.equal(drawn, torch.rand(3))
    record = json.loads((tmp_path / "runs/early/settings.json").read_text())
    assert record["images"] == {"train": 2, "val": 1, "test": 1}
    assert record["backbone"]["_target_"] == "monai.networks.nets.UNet"
    assert (record["seed"], record["batch_size"], record["theta"]) == (3, 2, 0.1)


def test_only_the_first_of_several_processes_logs(parser, caplog, monkeypatch):
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        parser.get_parsed_content("initialize")
    assert caplog.records == []


def test_of_samples_the_log_counts_classes_and_artifacts():
    items = [{"label": 0}, {"label": 1, "shortcut": True}, {"label": 1}]
    assert _counts(items) == "3 samples (1 of class 0, 2 of class 1), 1 with the artifact"
    assert _counts(items[:1]) == "1 samples (1 of class 0)"


def test_outside_of_a_configuration_there_is_nothing_to_begin():
    with pytest.raises(RuntimeError, match="No configuration is running"):
        begin_training()


def test_an_error_of_ours_is_found_in_those_of_monai(parser):
    parser["dataset_dir"] = "/no/such/folder"
    check_config(parser)  # which reads no data
    with pytest.raises(DataError, match="/no/such/folder"), readably():
        parser.get_parsed_content("cases")
    with pytest.raises(RuntimeError, match="of another"), readably():
        raise RuntimeError("of another")


def test_a_copy_is_built_apart():
    shared = object()
    one = ConfigParser({"a": {"_target_": "builtins.list"}, "b": shared, "c": [{"d": 1}]})
    other = copied(one)
    assert other.get_parsed_content("a") is not one.get_parsed_content("a")
    assert other["b"] is shared
    other["c#0#d"] = 2
    assert one["c#0#d"] == 1
    nested = ConfigParser({"imports": ["$from monai_freq.bundle import parsing"], "me": "$parsing.running_parser()"})
    assert nested.get_parsed_content("me") is nested
    with pytest.raises(RuntimeError):
        running_parser()


@pytest.mark.parametrize("line", ["$bundle.silence_known_warnings()", "$bundle.check_settings(fusion='early')"])
def test_a_bundle_of_an_earlier_version_is_to_be_copied_anew(line, tmp_path):
    config = {"imports": ["$from monai_freq import bundle"], "name": "heart_fd", "initialize": [line], "run": []}
    (tmp_path / "train.json").write_text(json.dumps(config))
    with pytest.raises(SystemExit) as caught:
        bundle.run(config_file=str(tmp_path / "train.json"), logging_file=False)
    first, second, _ = str(caught.value).splitlines()
    assert first.startswith("This bundle, heart_fd, is of an earlier version of monai_freq")
    assert "python -m monai_freq copy heart_fd " in second


def test_elsewhere_a_name_of_an_earlier_version_is_not_there():
    import monai_freq.bundle

    with pytest.raises(AttributeError):
        _ = monai_freq.bundle.check_settings


def test_errors_are_errors_below_a_command(parser):
    parser["theta"] = 2
    with pytest.raises(UsageError):
        check_config(parser)
    with pytest.raises(SystemExit, match=r"'theta' must be in \(0, 1\), got 2"):
        parser.get_parsed_content("initialize")
