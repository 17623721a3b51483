"""The command line of studies: what its options mean, and what is wrong with them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_freq.errors import UsageError
from monai_freq.study import __main__ as command
from monai_freq.study.__main__ import main, parser
from monai_freq.study.run.execute import result_of
from monai_freq.study.run.results import read_results, write_result
from monai_freq.study.words import combinations, parse_settings, parse_value

ROOT = Path(__file__).parents[2]
HEART = ROOT / "bundles/heart_fd"
LODOPAB = "bundles/lodopab_transfer"


@pytest.fixture
def made(monkeypatch):
    """Runs that are asked for, in their order; they finish at once, but for those of the names in the second list."""
    runs, failing = [], []

    def pretend(asked, folder, **_):
        failed = {run.name for run in asked if run.name in failing}
        found = [("failed" if run.name in failed or run.held_up(failed) else "finished", run) for run in asked]
        results = [result_of(run, status=status, recorded={"dataset_dir": None}) for status, run in found]
        for result in results:
            write_result(folder, result)
        runs.extend(asked)
        return results

    monkeypatch.setattr(command, "run_study", pretend)
    monkeypatch.chdir(ROOT)
    return runs, failing


def stopped(*words):
    """What the command says as it stops, in two lines."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert len(str(stop.value).splitlines()) == 2
    return str(stop.value)


def test_without_pandas_the_extra_is_named(tmp_path):
    code = """
import sys
sys.modules["pandas"] = None
from monai_freq.study.__main__ import main
for words in (["report", "."], ["compare", ".", "."]):
    try:
        main(words)
    except SystemExit as stop:
        print(stop)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == 2 * ['A study needs pandas: pip install "monai_freq[study]"']


def test_a_run_has_the_settings_of_its_command(made, tmp_path, capsys):
    words = ["--sizes", "4", "all", "--arms", "late", "--steps", "9", "--overlay", "paper", "--data", "heart_fd=/"]
    assert main(["run", str(HEART), *words, "--set", "theta=0.2", "--output_dir", str(tmp_path)]) == 0
    assert main(["run", "--output_dir", str(tmp_path), *words, "--set", "theta=0.2", "--draws", "1", str(HEART)]) == 0
    runs, _ = made
    own = {"fusion": "late", "draw": 0, "seed": 0, "theta": 0.2, "steps": 9, "overlay": "paper"}
    assert [run.settings for run in runs] == 2 * [own | {"train_size": size} for size in (4, None)]
    assert {(run.bundle, run.folder, run.dataset_dir) for run in runs} == {("heart_fd", str(HEART), "/")}
    assert "2 of 2 runs are finished, 2 of them attempted now." in capsys.readouterr().out


def test_settings_take_several_values_each():
    settings = parse_settings(["theta=0.1", "0.2", "backbone#num_res_units=0", "convention=figure2", "released"])
    assert settings == {"theta": [0.1, 0.2], "backbone#num_res_units": [0], "convention": ["figure2", "released"]}
    assert len(combinations(settings)) == 4
    assert combinations({}) == [{}]
    assert parse_settings(["file=/data/a=b.json"]) == {"file": ["/data/a=b.json"]}
    assert parse_value("(1, 2)") == [1, 2]
    assert parse_value('{"a": 1}') == {"a": 1}
    for text in ('{"a": 1, "a": 2}', "{'a': 1, 'a': 2}"):
        with pytest.raises(UsageError, match="has the name 'a' twice"):
            parse_settings([f"phantom={text}"])


def test_what_cannot_be_planned_is_said_in_two_lines(made, tmp_path):
    for words, says in (
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
    ):
        assert says in stopped("run", HEART, "--output_dir", tmp_path / "out", *words)
    assert "There is no bundle in" in stopped("run", tmp_path, "--output_dir", tmp_path / "out")
    assert made[0] == []
    assert not (tmp_path / "out").exists()


def test_what_the_parser_refuses(capsys):
    for words, says in (
        (["--sizes", "0"], "'0' is not a whole number of at least 1"),
        (["--sizes", "four"], "'four' is not a whole number"),
        (["--draws", "0"], "'0' is not"),
        (["--arms", "middle"], "invalid choice: 'middle'"),
        (["--cpus", "0"], "not a number above 0"),
        (["--gpus", "-1"], "not a number of at least 0"),
        (["--gpus", "nan"], "not a number of at least 0"),
        (["--epochs", "3", "--steps", "3"], "not allowed with"),
        (["--epoch-s", "3"], "unrecognized arguments"),
    ):
        with pytest.raises(SystemExit, match="2"):
            parser().parse_args(["run", str(HEART), "--output_dir", "out", *words])
        assert says in capsys.readouterr().err


def test_a_report_of_nothing(tmp_path):
    assert "There is no folder" in stopped("report", tmp_path / "out")
    assert "holds no study.\nGive the --output_dir of one" in stopped("report", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_transfer_pretrains_each_source_and_starts_from_it(made, tmp_path):
    words = ["--sources", "random", "imagenet", "clinic", "--fractions", "1", "--folds", "1", "--epochs", "3"]
    (tmp_path / "weights.pt").touch()
    words += ["--checkpoints", f"clinic={tmp_path / 'weights.pt'}", "--source_epochs", "2", "--overlay", "paper"]
    assert main(["transfer", LODOPAB, *words, "--output_dir", str(tmp_path / "out")]) == 0
    pretraining, *tunings = made[0]
    own = {"fusion": "none", "seed": 0, "overlay": "paper"}
    assert pretraining.settings == own | {"source": "imagenet", "epochs": 2}
    places = [(fraction, source) for fraction in (0.0, 1.0) for source in ("random", "imagenet", "clinic")]
    assert [run.settings for run in tunings] == [
        own | {"fold": 0, "source": source, "artifact": "photon_noise", "fraction": fraction, "epochs": 3}
        for fraction, source in places
    ]
    assert [run.after for run in tunings] == [pretraining if source == "imagenet" else None for _, source in places]
    assert tunings[2].given == {"init": str((tmp_path / "weights.pt").resolve())}


def test_runs_that_were_not_started_are_not_said_to_be_finished(made, tmp_path, capsys):
    made[1].append("source_pretrain/nall_draw0_none_source=imagenet_seed0")
    words = ["--sources", "random", "imagenet", "--fractions", "0", "1", "--folds", "1"]
    assert main(["transfer", LODOPAB, *words, "--output_dir", str(tmp_path)]) == 1
    assert sum(result.finished for result in read_results(tmp_path)[0]) == 2
    said, complained = capsys.readouterr()
    assert "2 of 5 runs are finished, 3 of them attempted now.\n2 wait for a pre-training that failed." in said
    assert f"Failed: {made[1][0]}\n" in complained


def test_a_bundle_of_any_name_pretrains(made, tmp_path):
    own = tmp_path / "my_pretrain"
    shutil.copytree(ROOT / "bundles/source_pretrain/configs", own / "configs")
    metadata = own / "configs/metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"name": "my_pretrain"}))
    words = ["--sources", "imagenet", "--fractions", "0", "--folds", "1", "--source_bundle", str(own)]
    assert main(["transfer", LODOPAB, *words, "--output_dir", str(tmp_path / "out")]) == 0
    assert made[0][0].name == "my_pretrain/nall_draw0_none_source=imagenet_seed0"


def test_errors_of_a_transfer_are_said_before_anything_starts(made, tmp_path):
    twice = ["--checkpoints", "imagenet=README.md", "imagenet=Makefile"]
    for words, says in (
        (["bundles/heart_fd"], "heart_fd is no bundle of a transfer"),
        (["bundles/no_such"], "There is no bundle in"),
        ([LODOPAB, "--sources", "imagenet/blur"], "There is no editing 'blur'"),
        ([LODOPAB, "--fractions", "2"], "must be in [0, 1], got 2.0"),
        ([LODOPAB, "--data", "cifar=/data"], "--data cifar=/data names none of lodopab_transfer"),
        ([LODOPAB, "--checkpoints", "imagenet=no_such.pt"], "There is no no_such.pt"),
        ([LODOPAB, "--checkpoints", "random=README.md"], "--checkpoints random="),
        ([LODOPAB, *twice], "names imagenet twice"),
        ([LODOPAB, "--normalizations", "imagenet=caffe"], "imagenet=caffe: give each of random, "),
        ([LODOPAB, "--normalizations", "clinic=imagenet"], "clinic=imagenet: give each of random, "),
        ([LODOPAB, "--sources", "imagenet", "imagenet/none"], "2 sources would be called imagenet"),
        ([LODOPAB, "--set", "lam=0", "0"], "2 runs would be called lodopab_transfer/"),
        ([LODOPAB, "--set", "fraction=0.5"], "Use --fractions."),
        ([LODOPAB, "--source_set", "epochs=2", "3"], "with one value of each setting"),
        ([LODOPAB, "--epochs", "2", "--set", "epochs=3"], "'epochs' is set twice"),
    ):
        assert says in stopped("transfer", *words, "--output_dir", tmp_path / "out")
    copied = shutil.copytree(ROOT / "bundles/kneemri_transfer/configs", tmp_path / "knee/configs").parent
    said = stopped("transfer", copied, "--output_dir", tmp_path / "out")
    assert "a study takes it from beside its first target" in said
    assert made[0] == []


SMALL = [
    *("--sources", "random", "imagenet", "--fractions", "0", "1", "--folds", "1"),
    *("--epochs", "2", "--source_epochs", "2"),
    *("--set", "folds#train=24", "folds#val=8", "folds#test=24", "phantom#train=24", "phantom#validation=8"),
    *("phantom#test=24", "phantom#size=48", "image_size=[48,48]"),
    *("--source_set", "phantoms#imagenet#images=4", "phantoms#imagenet#size=32", "image_size=[32,32]"),
]


@pytest.mark.slow
def test_a_small_transfer_study_and_its_report(tmp_path):
    environment = os.environ | {"MONAI_FREQ_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "ignore"}

    def call(*words):
        whole = [sys.executable, "-m", "monai_freq.study", *words]
        done = subprocess.run(whole, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    out = tmp_path / "out"
    said = call("transfer", LODOPAB, *SMALL, "--output_dir", str(out))
    assert "5 of 5 runs are finished, 5 of them attempted now." in said
    results, problems = read_results(out)
    assert not problems
    for result in results:
        assert result.validation["epochs"] == [0, 2]
        densities = result.measures["densities"]
        assert len(densities["before"]) == len(densities["frequencies"])
        if result.bundle == "lodopab_transfer":
            assert set(result.measures["conditions"]) == {"clean", "iid", "ood"}
            assert result.measures["overlapping_groups"] == 0
            (weights,) = out.glob("runs/source_pretrain/*/**/model.pt")
            init = {"random": "random", "imagenet": str(weights)}[result.settings["source"]]
            assert result.recorded["init"] == init
    assert {file.stem for file in (out / "examples").iterdir()} == {"lodopab_transfer", "source_pretrain"}
    said = call("transfer", LODOPAB, *SMALL, "--output_dir", str(out))
    assert "5 of 5 runs are finished, 0 of them attempted now." in said
    call("report", str(out))
    assert "Transfer study" in (out / "report/report.html").read_text()
    assert json.loads((out / "sources.json").read_text())["imagenet"]["settings"]["source"] == "imagenet"
