"""The folder of a run: nothing is lost, and other settings are refused."""

import json

import pytest
from claiming import claimed_elsewhere

from monai_freq.bundle.run_folder import (
    begin_run,
    check_trained,
    completed,
    recorded_settings,
    results_folder,
)
from monai_freq.errors import UsageError


def test_results_of_an_earlier_run_are_moved_and_strangers_are_left(tmp_path):
    for number in (1, 2):
        begin_run(str(tmp_path), resume=False, seed=number)
        (tmp_path / "model.pt").write_text(f"weights {number}")
        (tmp_path / "tensorboard").mkdir()
        (tmp_path / "mine.txt").write_text("not of a run")
    begin_run(str(tmp_path), resume="false", seed=3)
    for number in (1, 2):
        kept = tmp_path / "previous" / str(number)
        assert (kept / "model.pt").read_text() == f"weights {number}"
        assert json.loads((kept / "settings.json").read_text()) == {"seed": number}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "previous", "settings.json"]


@pytest.mark.parametrize("resume", [True, "true", "True"])
def test_resuming_needs_the_same_settings_and_moves_nothing(tmp_path, resume):
    begin_run(str(tmp_path), resume=False, theta=0.1, image_size=[4, 4], classes={"0": "background"})
    (tmp_path / "last.pt").write_text("state")
    begin_run(str(tmp_path), resume=resume, theta=0.1, image_size=(4, 4), classes={"0": "background"})
    assert (tmp_path / "last.pt").read_text() == "state"
    with pytest.raises(UsageError, match=r"was trained with theta=0\.1, not 0\.2\.\nGive the same settings"):
        begin_run(str(tmp_path), resume=resume, theta=0.2)


def test_a_width_for_each_axis_is_recorded_and_compared(tmp_path):
    begin_run(str(tmp_path), resume=False, theta=(0.1, 0.2))
    begin_run(str(tmp_path), resume=True, theta=[0.1, 0.2])
    assert recorded_settings(str(tmp_path / "models/model.pt")) == {"theta": [0.1, 0.2]}
    for other in (0.1, [0.2, 0.1]):
        with pytest.raises(UsageError, match=r"was trained with theta=\[0\.1, 0\.2\], not "):
            begin_run(str(tmp_path), resume=True, theta=other)


def test_resuming_a_run_without_a_record_keeps_its_state(tmp_path):
    (tmp_path / "last.pt").write_text("state")
    begin_run(str(tmp_path), resume=True, theta=0.1)
    assert (tmp_path / "last.pt").read_text() == "state"


def test_the_same_data_set_by_another_path_is_the_same(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    begin_run("run", resume=False, dataset_dir="data", split_seed=0)
    (tmp_path / "run" / "model.pt").touch()
    monkeypatch.chdir(tmp_path / "data")
    for same in (str(tmp_path / "data"), "../data"):
        with pytest.raises(UsageError, match="split_seed=0, not 1"):
            check_trained(str(tmp_path / "run" / "model.pt"), {"dataset_dir": same, "split_seed": 1})
    begin_run(str(tmp_path / "run"), resume=True, dataset_dir=".", split_seed=0)


def test_a_file_of_folds_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin_run("run", resume=False, folds={"train": 4, "file": "folds.json"})
    assert recorded_settings("run/model.pt") == {"folds": {"train": 4, "file": str(tmp_path / "folds.json")}}
    (tmp_path / "run" / "model.pt").touch()
    check_trained("run/model.pt", {"folds": {"train": 4, "file": "folds.json"}})
    with pytest.raises(UsageError, match="was trained with folds="):
        check_trained("run/model.pt", {"folds": {"train": 4, "file": "other.json"}})


def test_a_run_is_not_continued_on_other_data(tmp_path):
    begin_run(str(tmp_path), resume=False, dataset_dir="/data/mine", phantom={"size": 32}, val_cases=2)
    assert json.loads((tmp_path / "settings.json").read_text()) == {"dataset_dir": "/data/mine", "val_cases": 2}
    begin_run(str(tmp_path), resume=True, dataset_dir="/data/mine", phantom={"size": 64}, val_cases=2)
    with pytest.raises(UsageError, match=r"was trained on /data/mine, not on /data/other\.\nGive the same --da"):
        begin_run(str(tmp_path), resume=True, dataset_dir="/data/other", val_cases=2)
    with pytest.raises(UsageError, match="was trained on /data/mine, not on generated phantoms"):
        begin_run(str(tmp_path), resume=True, dataset_dir=None, phantom={"size": 32}, val_cases=2)
    begin_run(str(tmp_path), resume=False, dataset_dir=None, phantom={"size": 32})
    with pytest.raises(UsageError, match="was trained with phantom="):
        begin_run(str(tmp_path), resume=True, dataset_dir=None, phantom={"size": 64})
    with pytest.raises(UsageError, match="was trained on generated phantoms, not on /data/mine"):
        begin_run(str(tmp_path), resume=True, dataset_dir="/data/mine")


def test_a_network_of_real_data_is_not_tested_on_a_phantom_in_silence(tmp_path):
    begin_run(str(tmp_path), resume=False, dataset_dir="/data/mine", val_cases=2)
    (tmp_path / "model.pt").touch()
    with pytest.raises(
        UsageError, match=r"was trained on /data/mine, and no data set is named: .*\nPass --dataset_dir"
    ):
        check_trained(str(tmp_path / "model.pt"), {"dataset_dir": None, "val_cases": 2})
    check_trained(str(tmp_path / "model.pt"), {"dataset_dir": "/data/other", "val_cases": 4})
    check_trained(str(tmp_path / "model.pt"), {"theta": 0.1})


def test_checkpoints_are_compared_with_their_record(tmp_path):
    with pytest.raises(UsageError, match=r"There is no checkpoint .*model.pt.\nTrain first"):
        check_trained(str(tmp_path / "model.pt"), {"theta": 0.1})
    begin_run(str(tmp_path), resume=False, theta=0.1, dataset_dir=None, split_seed=0)
    (tmp_path / "model.pt").touch()
    check_trained(str(tmp_path / "model.pt"), {"theta": 0.1, "dataset_dir": None, "split_seed": 0})
    with pytest.raises(UsageError, match="split_seed=0, not 1"):
        check_trained(str(tmp_path / "model.pt"), {"theta": 0.1, "dataset_dir": None, "split_seed": 1})
    check_trained(
        str(tmp_path / "model.pt"), {"theta": 0.1, "dataset_dir": "/other", "split_seed": 1}
    )  # another data set
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(UsageError, match=r"settings\.json is not readable"):
        check_trained(str(tmp_path / "model.pt"), {"theta": 0.1})


def test_settings_are_read_where_a_training_recorded_them(tmp_path):
    assert recorded_settings(str(tmp_path / "model.pt")) == {}
    begin_run(str(tmp_path), resume=False, theta=0.3, image_size=(4, 4), dataset_dir=None, phantom={"size": 8})
    record = {"theta": 0.3, "image_size": [4, 4], "dataset_dir": None, "phantom": {"size": 8}}
    assert recorded_settings(str(tmp_path / "last.pt")) == record
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(SystemExit, match=r"settings\.json is not readable"):
        recorded_settings(str(tmp_path / "model.pt"))


def test_results_go_beside_the_weights_of_a_run(tmp_path):
    assert results_folder(None, "runs/early") == "runs/early"
    assert results_folder(str(tmp_path / "model.pt"), "runs/early") == "runs/early"
    begin_run(str(tmp_path), resume=False)
    assert results_folder(str(tmp_path / "model.pt"), "runs/early") == str(tmp_path)


def test_a_setting_is_completed_without_a_change_to_the_record():
    record = {"task": "heart", "cases": 20}
    assert completed(record, cases=6, seed=1) == {"task": "heart", "cases": 6, "seed": 1}
    assert record == {"task": "heart", "cases": 20}


#: every setting that decides which cases are in which part, and another value of it
DIVISION = {
    "phantom": ({"size": 8}, {"size": 9}),
    "split_seed": (0, 1),
    "val_cases": (1, 2),
    "test_cases": (1, 2),
    "folds": ({"train": 4}, {"train": 5}),
    "fold": (0, 1),
    "reading": ({"slices": 1}, {"slices": 2}),
    "train_size": (None, 3),
    "draw": (0, 1),
}


@pytest.mark.parametrize("name", DIVISION)
def test_a_division_is_compared_on_the_same_data_and_free_on_others(name, tmp_path):
    before, now = DIVISION[name]
    begin_run(str(tmp_path), resume=False, dataset_dir=None, theta=0.1, **{name: before})
    (tmp_path / "model.pt").touch()
    with pytest.raises(UsageError, match=f"was trained with {name}="):
        check_trained(str(tmp_path / "model.pt"), {"dataset_dir": None, "theta": 0.1, name: now})
    check_trained(str(tmp_path / "model.pt"), {"dataset_dir": None, "theta": 0.1, name: before})
    # another data set is divided anew, whatever the network was trained with
    settings = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps(settings | {"dataset_dir": "/data/mine"}))
    check_trained(str(tmp_path / "model.pt"), {"dataset_dir": "/data/other", "theta": 0.1, name: now})
    check_trained(str(tmp_path / "model.pt"), {"theta": 0.1, name: now})  # of which nothing is known
    with pytest.raises(UsageError, match=r"was trained with theta=0\.1, not 0\.2"):
        check_trained(str(tmp_path / "model.pt"), {"dataset_dir": "/data/other", "theta": 0.2, name: now})


def test_a_folder_that_another_process_trains_into_is_refused_untouched(tmp_path):
    (tmp_path / "last.pt").write_text("state")
    with claimed_elsewhere(tmp_path) as got:
        assert got
        for resume in (True, False):
            with pytest.raises(UsageError) as caught:
                begin_run(str(tmp_path), resume=resume, seed=0)
            assert str(caught.value).splitlines() == [
                f"Another process is training into {tmp_path}.",
                "Wait until it has ended, or pass another --output_dir.",
            ]
        assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    begin_run(str(tmp_path), resume=True, seed=0)
    assert (tmp_path / "settings.json").is_file()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/run cannot be written to: Not a directory\.\nPass --output_dir"):
        begin_run(str(tmp_path / "file" / "run"), resume=False, seed=0)


def test_without_weights_the_settings_that_name_the_folder_are_named(tmp_path):
    says = r"There is no checkpoint .*\nTrain first, with the same --artifact, --fold and --output_dir, or"
    with pytest.raises(UsageError, match=says):
        check_trained(str(tmp_path / "models/model.pt"), {}, ["artifact", "fold"])


def test_the_record_of_a_run_is_found_from_its_weights_and_beside_copied_ones(tmp_path):
    begin_run(str(tmp_path / "run"), resume=False, theta=0.3)
    assert recorded_settings(str(tmp_path / "run/models/model.pt")) == {"theta": 0.3}
    assert results_folder(str(tmp_path / "run/models/model.pt"), "runs/early") == str(tmp_path / "run")
    begin_run(str(tmp_path / "run/models"), resume=False, theta=0.4)  # as an earlier version names a folder of its own
    assert recorded_settings(str(tmp_path / "run/models/model.pt")) == {"theta": 0.4}


def test_what_is_given_goes_before_the_record(tmp_path):
    begin_run(str(tmp_path), resume=False, fusion="early", theta=0.3)
    found = recorded_settings(str(tmp_path / "models/model.pt"), fusion="late", source=None)
    assert found == {"fusion": "late", "theta": 0.3}
