"""A transfer study from the command line: sources first, what fails, and what a label stands for."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_freq.bundle.shipped_bundles import copy_bundle
from monai_freq.study import transfer
from monai_freq.study.__main__ import main
from monai_freq.study.results import Result, asked_for, read_results, write_result
from monai_freq.study.transfer import run_transfer
from monai_freq.study.transfer_plan import parse_source, plan_pretraining, plan_transfers
from monai_freq.study.transfer_report.cells import study_of

ROOT = Path(__file__).parents[2]
TARGETS = {"lodopab_transfer": str(ROOT / "bundles/lodopab_transfer")}
PRETRAINER = ("source_pretrain", str(ROOT / "bundles/source_pretrain"))


@pytest.fixture
def made(monkeypatch):
    """Names of the runs that are made, in their order; those named here fail."""
    names, failing = [], set()

    def pretend(runs, folder, **where):
        results = []
        for run in runs:
            names.append(run.name)
            status = "failed" if run.name in failing else "finished"
            result = Result(
                bundle=run.bundle,
                status=status,
                arm=run.arm,
                size=run.size,
                draw=run.draw,
                seed=run.seed,
                overrides=run.overrides,
                measures={"conditions": {}} if status == "finished" else {},
            )
            write_result(folder, result)
            results.append(result)
        return results

    monkeypatch.setattr(transfer, "run_study", pretend)
    names_and_failing = names, failing
    return names_and_failing


def study(folder, words=("random", "imagenet", "radimagenet"), checkpoints=None, normalizations=None, **more):
    sources = [parse_source(word, checkpoints, normalizations=normalizations) for word in words]

    def transfers(weights):
        artifacts = {"lodopab_transfer": ["photon_noise"]}
        return plan_transfers(sources, TARGETS, weights, artifacts=artifacts, fractions=[0, 1], folds=1)

    return run_transfer(sources, plan_pretraining(sources, PRETRAINER, **more), transfers, folder)


def test_sources_are_pretrained_before_anything_starts_from_them(made, tmp_path):
    names, _ = made
    asked, waiting, results = study(tmp_path)
    assert asked == len(results) == len(names) == 2 + 3 * 2
    assert waiting == 0
    assert [name.split("/")[0] for name in names[:2]] == ["source_pretrain"] * 2
    assert asked_for(tmp_path) == names


def test_nothing_starts_from_a_source_that_failed(made, tmp_path):
    names, failing = made
    failing.add("source_pretrain/nall_draw0_none_source=imagenet_seed0")
    asked, waiting, results = study(tmp_path)
    assert (asked, waiting) == (8, 2)
    assert sum("source=imagenet" in name for name in names) == 1
    assert sum(result.finished for result in results) == 1 + 2 * 2


def test_runs_that_wait_are_not_said_to_be_finished(made, tmp_path, monkeypatch, capsys):
    _, failing = made
    failing.add("source_pretrain/nall_draw0_none_source=imagenet_seed0")
    monkeypatch.chdir(ROOT)
    words = ["--sources", "random", "imagenet", "--fractions", "0", "1", "--folds", "1"]
    assert main(["transfer", "bundles/lodopab_transfer", *words, "--output_dir", str(tmp_path)]) == 1
    finished = sum(result.finished for result in read_results(tmp_path)[0])
    said = capsys.readouterr().out
    assert f"{finished} of 5 runs are finished, 3 of them attempted now.\n2 wait for" in said
    assert said.count("wait for") == 1


def test_a_transfer_study_without_a_finished_run_is_reported_as_one(made, tmp_path):
    names, failing = made
    study(tmp_path / "finished")
    failing.update(names)
    study(tmp_path / "failed")
    assert main(["report", str(tmp_path / "failed")]) == 0
    page = (tmp_path / "failed/report/report.md").read_text()
    assert page.startswith("# Transfer study\n\nNo run has finished yet. ")
    assert all(f"Failed: {name}" in page for name in names[:2])


def test_weights_that_are_there_are_not_trained(made, tmp_path):
    names, _ = made
    (tmp_path / "weights.pt").touch()
    study(tmp_path / "out", ["random", "imagenet"], {"imagenet": str(tmp_path / "weights.pt")})
    assert not any(name.startswith("source_pretrain") for name in names)
    assert sum("source=imagenet" in name for name in names) == 2


def test_a_bundle_of_any_name_pretrains(made, tmp_path, monkeypatch):
    own = copy_bundle("source_pretrain", tmp_path / "my_pretrain")
    metadata = own / "configs/metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"name": "my_pretrain"}))
    monkeypatch.chdir(ROOT)
    words = ["--sources", "imagenet", "--fractions", "0", "--folds", "1", "--source_bundle", str(own)]
    assert main(["transfer", "bundles/lodopab_transfer", *words, "--output_dir", str(tmp_path / "out")]) == 0
    assert made[0][0] == "my_pretrain/nall_draw0_none_source=imagenet_seed0"
    found = study_of(read_results(tmp_path / "out")[0])
    assert [run.bundle for run in found.pretrainings["imagenet"]] == ["my_pretrain"]
    assert [cell.setting.bundle for cell in found.cells] == ["lodopab_transfer"]


def test_a_label_stands_for_one_source_in_all_of_a_study(made, tmp_path):
    study(tmp_path, ["imagenet"])
    study(tmp_path, ["imagenet", "radimagenet/whiten"])  # more sources may come
    with pytest.raises(SystemExit, match=r"the source 'imagenet' was .* Choose another --output_dir|was .*epochs"):
        study(tmp_path, ["imagenet"], overrides={"epochs": 3})
    with pytest.raises(SystemExit, match=r"weights\.pt"):
        study(tmp_path, ["imagenet"], {"imagenet": "weights.pt"})
    study(tmp_path, ["clinic"], {"clinic": "weights.pt"})
    with pytest.raises(SystemExit, match=r"the source 'clinic' was .*'normalization': 'imagenet'"):
        study(tmp_path, ["clinic"], {"clinic": "weights.pt"}, normalizations={"clinic": "imagenet"})
    (tmp_path / "sources.json").write_text('{"imagenet": {}, "imagenet": {}}')
    with pytest.raises(SystemExit, match=r"sources\.json is not readable: the name .imagenet. occurs twice"):
        study(tmp_path, ["imagenet"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bundles/heart_fd"], "heart_fd is no bundle of a transfer"),
        (["bundles/no_such"], "There is no bundle in"),
        (["bundles/lodopab_transfer", "--sources", "imagenet/blur"], "There is no editing 'blur'"),
        (["bundles/lodopab_transfer", "--fractions", "2"], "must be in [0, 1], got 2.0"),
        (["bundles/lodopab_transfer", "--data", "cifar=/data"], "--data cifar=/data names none of lodopab_transfer"),
        (["bundles/lodopab_transfer", "--checkpoints", "imagenet=no_such.pt"], "There is no no_such.pt"),
        (["bundles/lodopab_transfer", "--checkpoints", "random=README.md"], "--checkpoints random="),
        (
            ["bundles/lodopab_transfer", "--checkpoints", "imagenet=README.md", "imagenet=Makefile"],
            "names imagenet twice",
        ),
        (["bundles/lodopab_transfer", "--normalizations", "imagenet=caffe"], "imagenet=caffe: give each of random, "),
        (["bundles/lodopab_transfer", "--normalizations", "clinic=imagenet"], "clinic=imagenet: give each of random, "),
        (["bundles/lodopab_transfer", "--sources", "imagenet", "imagenet/none"], "2 sources would be called imagenet"),
        (["bundles/lodopab_transfer", "--set", "lam=0", "0"], "2 runs would be called lodopab_transfer/"),
        (["bundles/lodopab_transfer", "--set", "fraction=0.5"], "Use --fractions."),
        (["bundles/lodopab_transfer", "--source_set", "epochs=2", "3"], "with one value of each setting"),
        (["bundles/lodopab_transfer", "--epochs", "2", "--set", "epochs=3"], "'epochs' is set twice"),
    ],
)
def test_errors_are_said_before_anything_starts(made, words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:
        main(["transfer", *words, "--output_dir", str(tmp_path / "out")])
    assert says in str(stop.value)
    assert len(str(stop.value).splitlines()) == 2
    assert made[0] == []


@pytest.mark.parametrize(
    ("bundle", "says"),
    [("heart_fd", "is no bundle of a transfer"), ("kneemri_transfer", "a study takes it from beside its first target")],
)
def test_a_copy_needs_what_pre_trains_beside_it(made, bundle, says, tmp_path):
    copied = shutil.copytree(ROOT / "bundles" / bundle / "configs", tmp_path / bundle / "configs").parent
    with pytest.raises(SystemExit) as stop:
        main(["transfer", str(copied), "--output_dir", str(tmp_path / "out")])
    assert says in str(stop.value)
    assert len(str(stop.value).splitlines()) == 2


SMALL = [
    *("--sources", "random", "imagenet", "--fractions", "0", "1", "--folds", "1"),
    *("--epochs", "2", "--source_epochs", "2"),
    *("--set", "folds#train=24", "folds#val=8", "folds#test=24", "phantom#train=24", "phantom#validation=8"),
    *("phantom#test=24", "phantom#size=48", "image_size=[48,48]"),
    *("--source_set", "phantoms#imagenet#images=4", "phantoms#imagenet#size=32", "image_size=[32,32]"),
]


@pytest.mark.slow
def test_a_small_study_and_its_report(tmp_path):
    command = [sys.executable, "-m", "monai_freq.study"]
    environment = os.environ | {"MONAI_FREQ_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "ignore"}

    def call(*words):
        done = subprocess.run(
            [*command, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    out = tmp_path / "out"
    said = call("transfer", "bundles/lodopab_transfer", *SMALL, "--output_dir", str(out))
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
            source = result.overrides["source"]
            init = result.settings["init"]
            assert (
                init == "random"
                if source == "random"
                else Path(init) == next(out.glob("runs/source_pretrain/*/model.pt"))
            )
    assert {file.stem for file in (out / "examples").iterdir()} == {"lodopab_transfer", "source_pretrain"}
    said = call("transfer", "bundles/lodopab_transfer", *SMALL, "--output_dir", str(out))
    assert "5 of 5 runs are finished, 0 of them attempted now." in said
    call("report", str(out))
    page = (out / "report/report.html").read_text()
    assert "Transfer study" in page
    assert json.loads((out / "sources.json").read_text())["imagenet"]["settings"]["source"] == "imagenet"
