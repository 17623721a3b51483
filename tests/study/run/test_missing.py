"""Which runs are missing, and that nothing of another bundle, data set or source is taken for one that is there."""

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from monai_freq.errors import UsageError
from monai_freq.study.run import missing as remaining
from monai_freq.study.run.execute import result_of
from monai_freq.study.run.missing import is_transfer, missing, note_sources, trains_the_same
from monai_freq.study.run.plan import parse_source, plan, plan_pretraining, plan_transfers
from monai_freq.study.run.results import result_file, write_result

HEART = Path(__file__).parents[3] / "bundles/heart_fd"
#: fingerprint of ``train.json`` and ``evaluate.json`` of the first version of heart_fd
EARLIER = "70c468060e30a4a86687e66772c2e7f9c7e30eb46ab4f822201ab0868e819af4"
TARGETS = {"lodopab_transfer": "bundles/lodopab_transfer"}
PRETRAINER = ("source_pretrain", "bundles/source_pretrain")


def finished(run, **changes):
    return result_of(run, **{"status": "finished", "recorded": {"dataset_dir": None}} | changes)


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
    write_result(tmp_path, finished(run, configs=run.fingerprint("train", "evaluate")))
    assert list(missing([run], tmp_path)) == []
    for workflow in ("train", "evaluate"):
        file = bundle / f"configs/{workflow}.json"
        before = file.read_text()
        file.write_text(before.replace('"num_res_units": 0', '"num_res_units": 2'))
        with pytest.raises(UsageError, match=r"was made with other files than those in .*\nRestore them, or choose"):
            list(missing([run], tmp_path))
        file.write_text(before)
    assert list(missing([run], tmp_path)) == []


def test_the_files_of_the_shipped_bundles_are_known_to_train_what_they_did():
    """Else a study of the earlier files is refused: where only the form has changed, run the script."""
    script = HEART.parent / "_source/fingerprints.py"
    spec = importlib.util.spec_from_file_location("fingerprints", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known = json.loads(module.TABLE.read_text())
    unknown = [group for group, fingerprint in module.fingerprints() if fingerprint not in known[group]]
    assert unknown == [], f"run python {script}, if they train the same networks as before"


def test_files_of_other_form_that_train_the_same_are_taken(monkeypatch):
    monkeypatch.setattr(remaining, "_groups", lambda: [["a", "b", "c"], ["d", "e"]])
    assert trains_the_same("a", "c")
    assert trains_the_same("e", "d")
    assert not trains_the_same("a", "d")
    assert not trains_the_same("a", "")


def test_a_study_of_an_earlier_version_goes_on(tmp_path):
    """As it was written before a run's settings were one mapping, with the first files of a shipped bundle."""
    (run,) = plan({"heart_fd": str(HEART)}, sizes=[2], arms=["none"], settings=[{"epochs": 2}])
    made = {
        **{"version": 1, "bundle": "heart_fd", "status": "finished", "arm": "none", "size": 2, "draw": 0, "seed": 0},
        **{"overrides": {"epochs": 2}, "classes": {"1": "left atrium"}, "settings": {"dataset_dir": None}},
        **{"versions": {}, "git_commit": None, "seconds": {}, "peak_memory_bytes": None, "validation": {}, "cases": []},
        **{"measures": {}, "error": None, "configs": EARLIER},
    }
    file = result_file(tmp_path, "heart_fd/n2_draw0_none_epochs=2_seed0")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(made))
    assert list(missing([run], tmp_path)) == []
    file.write_text(json.dumps(made | {"configs": "0" * 64}))
    with pytest.raises(UsageError, match="was made with other files"):
        list(missing([run], tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 3}, "has version 3 of the format"),
        ({"recorded": {"dataset_dir": "/data/heart"}}, "was made with the data set /data/heart, not None"),
        ({"settings": {"fusion": "late", "seed": 0, "theta": 0.1}}, "was made with the settings"),
    ],
)
def test_results_of_something_else_are_neither_overwritten_nor_taken(tmp_path, change, says):
    runs = plan({"heart_fd": str(HEART)}, arms=["none", "late"])
    file = write_result(tmp_path, finished(runs[1]))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    before = file.read_bytes()
    with pytest.raises(UsageError, match=f"{says}.*\nChoose another --output_dir"):
        list(missing(runs, tmp_path))
    assert file.read_bytes() == before


def transfer(words, checkpoints=None, normalizations=None, **settings):
    sources = [parse_source(word, checkpoints, normalizations=normalizations) for word in words]
    pretraining = plan_pretraining(sources, PRETRAINER, settings=settings)
    artifacts = {"lodopab_transfer": ["photon_noise"]}
    return [*pretraining, *plan_transfers(sources, pretraining, TARGETS, artifacts=artifacts, folds=1)]


def test_a_label_stands_for_one_source_in_all_of_a_study(tmp_path):
    note_sources(plan({"heart_fd": str(HEART)}), tmp_path)
    assert not is_transfer(tmp_path)
    note_sources(transfer(["imagenet", "random"]), tmp_path)
    assert is_transfer(tmp_path)
    note_sources(transfer(["imagenet", "radimagenet/whiten"]), tmp_path)  # more sources may come
    note_sources(transfer(["clinic"], {"clinic": "weights.pt"}), tmp_path)
    plain = {"checkpoint": None, "dataset_dir": None}
    assert json.loads((tmp_path / "sources.json").read_text()) == {
        "imagenet": plain
        | {"settings": {"source": "imagenet", "editing": "none"}, "overrides": {"source": "imagenet"}},
        "random": plain | {"settings": {}, "overrides": {}},
        "radimagenet whiten": plain
        | {
            "settings": {"source": "radimagenet", "editing": "whiten"},
            "overrides": {"source": "radimagenet whiten"},
        },
        "clinic": {"settings": {}, "checkpoint": "weights.pt", "dataset_dir": None, "overrides": {}},
    }
    moved = [replace(run, dataset_dir="/data") for run in transfer(["imagenet"]) if run.after is None]
    for runs, says in (
        (transfer(["imagenet"], epochs=3), r"the source 'imagenet' was .*epochs.*\nChoose another --output_dir"),
        (transfer(["imagenet"], {"imagenet": "weights.pt"}), r"weights\.pt"),
        (transfer(["clinic"], {"clinic": "weights.pt"}, {"clinic": "imagenet"}), "'normalization': 'imagenet'"),
        (moved, "the source 'imagenet' was .*'dataset_dir': '/data'"),
    ):
        with pytest.raises(UsageError, match=says):
            note_sources(runs, tmp_path)
    (tmp_path / "sources.json").write_text('{"imagenet": {}, "imagenet": {}}')
    with pytest.raises(UsageError, match=r"sources\.json is not readable: the name .imagenet. occurs twice"):
        note_sources(transfer(["imagenet"]), tmp_path)
