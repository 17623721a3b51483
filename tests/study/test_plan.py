"""Which runs there are, how they are called, and which are missing."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from monai_freq.networks.frequency_fusion import Fusion
from monai_freq.study.__main__ import _planned, main, parser
from monai_freq.study.cells import ARMS
from monai_freq.study.plan import Run, combinations, fitted, missing, parse_settings, parse_value, plan
from monai_freq.study.results import Result, result_file, write_result

HEART = Path(__file__).parents[2] / "bundles/heart_fd"
LOOKED = {"cases": 12, "batch_size": 2, "classes": {"1": "left atrium"}}


def planned(*words):
    return _planned(parser().parse_args(["run", str(HEART), "--output_dir", "out", *words]))


def finished(run, **changes):
    names = ("bundle", "arm", "size", "draw", "seed", "overrides")
    own = {name: getattr(run, name) for name in names} | {"status": "finished", "settings": {"dataset_dir": None}}
    return Result(**(own | changes))


def test_the_runs_are_the_product_of_what_is_asked_for():
    words = ["--sizes", "4", "8", "all", "--draws", "3", "--seeds", "0", "1", "--set", "theta=0.05", "0.2", "epochs=5"]
    runs = planned(*words, "convention=figure2")
    assert len(runs) == len({run.name for run in runs}) == 3 * 3 * 3 * 2 * 2
    assert {run.size for run in runs} == {4, 8, None}
    assert {run.draw for run in runs} == {0, 1, 2}
    assert {run.seed for run in runs} == {0, 1}
    assert {run.arm for run in runs} == {"none", "early", "late"}
    assert {run.overrides["theta"] for run in runs} == {0.05, 0.2}
    assert all(run.overrides["convention"] == "figure2" and run.overrides["epochs"] == 5 for run in runs)
    assert {run.folder for run in runs} == {str(HEART)}


def test_the_arms_are_the_fusions_that_there_are():
    assert set(ARMS) == set(get_args(Fusion))
    assert {run.arm for run in plan({"heart_fd": str(HEART)})} == set(ARMS)


def test_a_study_that_is_stopped_early_has_whole_draws():
    runs = planned("--sizes", "4", "8", "--draws", "3")
    assert [run.draw for run in runs] == sorted(run.draw for run in runs)


def test_options_before_and_after_the_bundles_mean_the_same():
    words = ["--output_dir", "out", "--sizes", "4", "--arms", "late", str(HEART)]
    after = parser().parse_args(["run", str(HEART), *words[:-1]])
    before = parser().parse_args(["run", *words[:2], str(HEART), *words[2:-1]])
    assert _planned(before) == _planned(after)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "theta"], "'theta' is no setting"),
        (["--set", "fusion=late"], "Use --arms"),
        (["--set", "train_size=3"], "Use --sizes"),
        (["--set", "dataset_dir=/data"], "Use --data"),
        (["--set", "output_dir=here"], "'output_dir' cannot be set"),
        (["--epochs", "5", "--set", "epochs=6"], "'epochs' is set twice"),
        (["--steps", "5", "--set", "epochs=6"], "Give either --steps or epochs."),
        (["--set", "theta=0.1", "0.1"], "would be called"),
        (["--data", "spleen_fd=/"], "names none of heart_fd"),
        (["--data", "heart_fd=/no/such"], "There is no /no/such"),
    ],
)
def test_what_cannot_be_planned_is_said_in_two_lines(words, says):
    with pytest.raises(SystemExit) as stop:
        planned(*words)
    assert says in str(stop.value)
    assert len(str(stop.value).splitlines()) == 2


def test_a_bundle_given_twice():
    with pytest.raises(SystemExit, match="both called heart_fd"):
        main(["run", str(HEART), f"{HEART}/", "--output_dir", "out"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sizes", "0"], "'0' is not a whole number of at least 1"),
        (["--sizes", "four"], "'four' is not a whole number"),
        (["--draws", "0"], "'0' is not"),
        (["--arms", "middle"], "invalid choice: 'middle'"),
        (["--cpus", "0"], "not a number above 0"),
        (["--gpus", "-1"], "not a number of at least 0"),
        (["--gpus", "nan"], "not a number of at least 0"),
        (["--epochs", "3", "--steps", "3"], "not allowed with"),
        (["--epoch-s", "3"], "unrecognized arguments"),
    ],
)
def test_what_the_parser_refuses(words, says, capsys):
    with pytest.raises(SystemExit, match="2"):
        planned(*words)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["no/such/bundle", "."])
def test_a_bundle_that_does_not_exist(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hint = r"There is no bundle in .*\nA bundle is a folder; python -m monai_freq copy heart_fd makes one"
    with pytest.raises(SystemExit, match=hint):
        main(["run", folder, "--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_report_of_nothing(tmp_path):
    with pytest.raises(SystemExit, match="There is no folder"):
        main(["report", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"holds no study.\nGive the --output_dir of one"):
        main(["report", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_settings_take_several_values_each():
    settings = parse_settings(["theta=0.1", "0.2", "backbone#num_res_units=0", "convention=figure2", "released"])
    assert settings == {"theta": [0.1, 0.2], "backbone#num_res_units": [0], "convention": ["figure2", "released"]}
    assert len(combinations(settings)) == 4
    assert combinations({}) == [{}]
    assert parse_settings(["file=/data/a=b.json"]) == {"file": ["/data/a=b.json"]}
    assert parse_value("(1, 2)") == [1, 2]
    assert parse_value('{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, None])
@pytest.mark.parametrize("steps", [1, 7, 100])
def test_steps_are_the_same_for_all_sizes(size, steps):
    run = Run(bundle="heart_fd", folder="", arm="none", size=size, overrides={"steps": steps, "overlay": "paper"})
    changes = fitted(run, LOOKED).changes
    batches = math.ceil((size or 12) / 2)
    assert steps <= changes["epochs"] * batches < steps + batches
    assert set(changes) == {"epochs", "val_interval"}
    kept = fitted(Run(bundle="b", folder="", arm="none", overrides={"steps": 9, "val_interval": 3}), LOOKED)
    assert kept.changes["val_interval"] == 3


def test_a_size_beyond_the_data_is_refused():
    run = Run(bundle="heart_fd", folder="", arm="none", size=13)
    with pytest.raises(SystemExit, match=r"heart_fd has 12 training cases, not 13\.\nAsk for smaller --sizes"):
        fitted(run, LOOKED)
    assert fitted(Run(bundle="heart_fd", folder="", arm="none", size=12), LOOKED).classes == LOOKED["classes"]


def test_only_what_is_missing_or_failed_is_run(tmp_path):
    runs = plan({"heart_fd": str(HEART)}, sizes=[4, None], draws=2, arms=["none"])
    write_result(tmp_path, finished(runs[1]))
    write_result(tmp_path, finished(runs[2], status="failed", error="killed"))
    assert list(missing(runs, tmp_path)) == [runs[0], runs[2], runs[3]]
    for run in runs:
        write_result(tmp_path, finished(run))
    assert list(missing(runs, tmp_path)) == []


def test_a_truncated_result_is_kept_aside_and_its_run_made_again(tmp_path, capsys):
    runs = plan({"heart_fd": str(HEART)}, arms=["none", "late"])
    for run in runs:
        write_result(tmp_path, finished(run))
    broken = result_file(tmp_path, runs[0].name)
    half = broken.read_bytes()[:100]
    broken.write_bytes(half)
    assert list(missing(runs, tmp_path)) == [runs[0]]
    assert f"{broken} is truncated or damaged" in capsys.readouterr().out
    assert (broken.parent / "previous/1" / broken.name).read_bytes() == half


def test_results_of_a_bundle_that_was_edited_since_are_not_taken(tmp_path):
    bundle = shutil.copytree(HEART, tmp_path / "heart_fd")
    (run,) = plan({"heart_fd": str(bundle)}, arms=["late"])
    write_result(tmp_path, replace(finished(run), configs=run.fingerprint("train", "evaluate")))
    assert list(missing([run], tmp_path)) == []
    for workflow in ("train", "evaluate"):
        file = bundle / f"configs/{workflow}.json"
        before = file.read_text()
        file.write_text(before.replace('"num_res_units": 0', '"num_res_units": 2'))
        with pytest.raises(SystemExit, match=r"was made with other files than those in .*\nRestore them, or choose"):
            list(missing([run], tmp_path))
        file.write_text(before)
    assert list(missing([run], tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "has version 2 of the format"),
        ({"settings": {"dataset_dir": "/data/heart"}}, "was made with the data set /data/heart, not None"),
        ({"overrides": {"theta": 0.1}}, "was made with the settings"),
    ],
)
def test_results_of_something_else_are_neither_overwritten_nor_taken(tmp_path, change, says):
    runs = plan({"heart_fd": str(HEART)}, arms=["none", "late"])
    file = write_result(tmp_path, finished(runs[1]))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    before = file.read_bytes()
    with pytest.raises(SystemExit, match=f"{says}.*\nChoose another --output_dir"):
        list(missing(runs, tmp_path))
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "{'a': 1, 'a': 2}"])
def test_a_value_with_a_name_twice_is_refused(text):
    with pytest.raises(SystemExit, match="has the name 'a' twice"):
        parse_settings([f"phantom={text}"])
