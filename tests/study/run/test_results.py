"""A result file is whole or refused, and what it says is what was written."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from monai_freq.study.run.results import (
    OtherVersion,
    Result,
    asked_for,
    note_asked_for,
    read_result,
    read_results,
    write_result,
)
from monai_freq.study.run.spec import run_name

RESULT = Result(
    bundle="heart_fd",
    status="finished",
    settings={"fusion": "early", "train_size": 8, "draw": 1, "seed": 0, "theta": 0.2, "image_size": [32, 32, 16]},
    classes={"1": "left atrium"},
    recorded={"fusion": "early", "dataset_dir": None},
    versions={"torch": "2.13.0"},
    git_commit="0" * 40,
    seconds={"train": 48.1, "evaluate": 3.2},
    peak_memory_bytes=812345678,
    validation={"epochs": [2, 4], "val_mean_dice": [0.5, 0.75]},
    cases=[{"case": "la_003", "dice_left_atrium": 0.91}],
)

#: what every result of version 1 has, and what tells a segmentation, a pre-training and a fine-tuning from one another
VERSION_1 = {
    **{
        "version": 1,
        "status": "finished",
        "seed": 0,
        "classes": {"1": "left atrium"},
        "settings": {"dataset_dir": None},
    },
    **{"versions": {"monai_freq": "0.1.0"}, "git_commit": None, "seconds": {"train": 2.5}, "peak_memory_bytes": 559},
    **{
        "validation": {"epochs": [2], "val_mean_dice": [0.5]},
        "cases": [],
        "measures": {},
        "configs": "",
        "error": None,
    },
}
SEGMENTATION = {"bundle": "heart_fd", "arm": "early", "size": 2, "draw": 1, "overrides": {"epochs": 2, "theta": 0.2}}
PRETRAINING = {
    **{"bundle": "source_pretrain", "arm": "none", "size": None, "draw": 0},
    "overrides": {"source": "imagenet lowpass", "image_size": [32, 32]},
}
TUNING = {
    **{"bundle": "lodopab_transfer", "arm": "none", "size": None, "draw": 3},
    "overrides": {"source": "imagenet lowpass", "artifact": "photon_noise", "fraction": 0.0},
}


@pytest.mark.parametrize(
    ("entries", "name", "settings"),
    [
        (
            SEGMENTATION,
            "heart_fd/n2_draw1_early_epochs=2_theta=0.2_seed0",
            {"fusion": "early", "train_size": 2, "draw": 1, "seed": 0, "epochs": 2, "theta": 0.2},
        ),
        (
            PRETRAINING,
            "source_pretrain/nall_draw0_none_image_size=32-32_source=imagenet-lowpass_seed0",
            {"fusion": "none", "seed": 0, "source": "imagenet lowpass", "image_size": [32, 32]},
        ),
        (
            TUNING,
            "lodopab_transfer/nall_draw3_none_artifact=photon_noise_fraction=0.0_source=imagenet-lowpass_seed0",
            {
                **{"fusion": "none", "fold": 3, "seed": 0},
                **{"source": "imagenet lowpass", "artifact": "photon_noise", "fraction": 0.0},
            },
        ),
    ],
)
def test_a_result_of_the_earlier_format_is_read_as_one_of_today(tmp_path, entries, name, settings):
    file = tmp_path / f"results/{name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(VERSION_1 | entries))
    result = read_result(file)
    assert (result.name, result.settings, result.recorded) == (name, settings, {"dataset_dir": None})
    assert (result.seconds, result.validation) == ({"train": 2.5}, {"epochs": [2], "val_mean_dice": [0.5]})
    assert write_result(tmp_path, result) == file
    assert read_result(file) == result
    file.write_text(json.dumps({key: value for key, value in (VERSION_1 | entries).items() if key != "measures"}))
    assert read_result(file).measures == {}  # an entry that the first studies lack


def test_a_result_is_read_as_it_was_written(tmp_path):
    file = write_result(tmp_path, RESULT)
    assert file == tmp_path / "results/heart_fd/n8_draw1_early_image_size=32-32-16_theta=0.2_seed0.json"
    assert read_result(file) == RESULT
    assert json.loads(file.read_text())["version"] == 2
    assert read_results(tmp_path) == ([RESULT], [])


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_line_of_text_and_hides_no_other(tmp_path, share):
    whole = write_result(tmp_path, RESULT)
    other = whole.with_name("n4_draw1_early_seed0.json")
    other.write_bytes(whole.read_bytes()[: int(share * (whole.stat().st_size - 2))])
    results, problems = read_results(tmp_path)
    assert results == [RESULT]
    assert len(problems) == 1
    assert f"{other} is truncated or damaged" in problems[0]
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 3}, "has version 3 of the format; versions 1 and 2 are read"),
        ({"cases": None}, "its 'cases' is None"),
        ({"settings": {"fusion": "early"}}, "it has no 'seed'"),
        ({"settings": {"fusion": "early", "seed": 0, "train_size": "8"}}, "its 'train_size' is '8'"),
        ({"settings": {"fusion": "early", "seed": 0, "draw": True}}, "its 'draw' is True"),
        ({"version": 1, "arm": "early"}, "it has no 'overrides'"),
        (VERSION_1 | SEGMENTATION | {"size": "8"}, "its 'train_size' is '8'"),
        ({"status": "running"}, "its 'status' is 'running'"),
    ],
)
def test_other_content_is_refused_with_the_reason(tmp_path, change, says):
    file = write_result(tmp_path, RESULT)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(OtherVersion if change.get("version") == 3 else ValueError, match=says):
        read_result(file)
    assert says in read_results(tmp_path)[1][0]


@pytest.mark.parametrize("content", ["[]", "1", '{"name": "heart"}', "\x00" * 4096, '{"version": 1}'])
def test_what_is_no_result_is_refused(tmp_path, content):
    file = tmp_path / "results/heart_fd/n8.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with pytest.raises(ValueError, match=r"n8\.json is (truncated or damaged|not the result of a run)"):
        read_result(file)


def test_entries_of_later_makers_are_passed_over(tmp_path):
    file = write_result(tmp_path, RESULT)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"host": "gpu1"}))
    assert read_result(file) == RESULT


def test_names_tell_runs_apart_and_are_files_anywhere():
    names = {
        run_name(bundle, {"fusion": arm, "train_size": size, "draw": draw, "seed": seed, "theta": theta})
        for bundle in ("heart_fd", "spleen_fd")
        for size in (4, None)
        for draw in (0, 1)
        for arm in ("none", "early")
        for theta in (0.1, 0.2)
        for seed in (0, 1)
    }
    assert len(names) == 64
    late = {"fusion": "late", "train_size": 4, "draw": 0, "seed": 0}
    awkward = run_name("heart fd", late | {"b": "a/../c\n", "a": {"x": [1, 2]}})
    assert awkward == "heart-fd/n4_draw0_late_a=x-1-2_b=a-..-c_seed0"
    assert run_name("h", late | {"b": 1, "a": 2}) == run_name("h", {"a": 2, "b": 1} | late)
    many = late | {f"key{number}": 0.123456 for number in range(30)}
    long = [run_name("h", many | {"seed": seed}) for seed in (0, 1)]
    assert long[0] != long[1]
    assert max(map(len, long)) < 240


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    code = (
        "import sys; from monai_freq.study.run.results import *\n"
        "cases = [{'case': str(n), 'dice': n / 7} for n in range(2000)]\n"
        "for draw in range(10**9): write_result(sys.argv[1], Result(bundle='b', status='finished', cases=cases,"
        " settings={'fusion': 'late', 'train_size': 1, 'draw': 0, 'seed': 0}, seconds={'train': draw}))"
    )
    kept = []
    for moment in (0.013, 0.029, 0.041):
        writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
        file = tmp_path / "results/b/n1_draw0_late_seed0.json"
        while not file.exists() and writer.poll() is None:
            time.sleep(0.01)
        time.sleep(moment)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        results, problems = read_results(tmp_path)
        assert problems == []
        kept += results
    assert [len(result.cases) for result in kept] == [2000] * 3


def test_a_damaged_list_of_runs_is_read_as_far_as_it_goes(tmp_path):
    assert asked_for(tmp_path) == []
    names = [f"heart_fd/n{size}_draw{draw}_none_seed0" for size in ("4", "all") for draw in range(3)]
    note_asked_for(tmp_path, names[:4])
    note_asked_for(tmp_path, names[2:])
    assert asked_for(tmp_path) == names
    (tmp_path / "runs.txt").write_bytes(names[0].encode() + b"\n\xff\x00\nheart_fd/n4\n\n")
    assert asked_for(tmp_path) == names[:1]
