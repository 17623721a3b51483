"""The report of a transfer study: complete, honest and never in the way of a broken study."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from studies import Tags, place_of, pretrained, reported, rows_of, run, transfer_in, tuned, whole

from monai_freq.study.__main__ import main
from monai_freq.study.report import write_transfer_report
from monai_freq.study.report.long_table import study_of
from monai_freq.study.report.transfer import missing_of, transfer_warnings
from monai_freq.study.run.results import Result, note_asked_for, write_result

EVERY = ("imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten")


def written(folder, results):
    for result in results:
        write_result(folder, result)
    return folder


def report(folder, results=()):
    return reported(write_transfer_report, folder, results)


def test_a_whole_study_is_reported_whole(tmp_path, drawn):
    folder = written(tmp_path, whole(sources=EVERY))
    (folder / "examples").mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (32, 32)).astype("u1")
    Image.fromarray(picture).save(folder / "examples/lodopab_transfer.png")
    texts = report(folder)
    names = ["psd_example", "auc", "editing", "learning_priorities", "overlap"]
    assert [name.removesuffix(".svg") for name in texts if name.endswith(".svg")] == names
    for name in names:
        assert ElementTree.fromstring(texts[f"{name}.svg"]).tag.endswith("svg")
        assert (folder / f"report/{name}.png").read_bytes()[1:4] == b"PNG"
        assert f"({name}.png)" in texts["report.md"]
    assert "8 pre-trainings, 45 fine-tunings from 5 sources; 0 runs failed." in texts["report.md"]
    assert "delta_ood counts for 5 of 5 pairs" in texts["report.md"]
    assert "| imagenet | 0.90 | 0.90 | +.20 (.20, .20) | +.40 (.40, .40) |" in texts["report.md"]
    found = {(row["source"], row["fraction"]): float(row["mean"]) for row in rows_of(texts["delta_ood.csv"])}
    assert found["radimagenet whiten", "1.0"] == pytest.approx(0.35)
    assert "Nothing that was asked for." in texts["report.md"]
    page = Tags(texts["report.html"])
    assert page.open == []
    assert {"h1", "table", "img", "ul"} <= page.seen
    assert not page.seen & {"script", "iframe", "object", "base"}
    assert all(link.startswith("data:") for link in page.links)
    assert sum(link.startswith("data:image/svg") for link in page.links) == len(names)
    assert report(folder) == texts  # and the same each time


def test_the_command_says_what_the_report_leaves_out(tmp_path, capsys):
    segmented = {"fusion": "early", "train_size": 4, "draw": 0, "seed": 0}
    folder = written(tmp_path, whole(sources=["random"]))
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().err == ""
    write_result(folder, Result(bundle="heart_fd", status="finished", settings=segmented, cases=[{"case": "la_003"}]))
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().err.startswith(
        "1 segmentations are left out: have each study write to a folder of its own."
    )


def test_no_result_yet(tmp_path, drawn):
    texts = report(tmp_path)
    assert "No run has finished yet." in texts["report.md"]
    assert rows_of(texts["auc.csv"]) == []
    assert Tags(texts["report.html"]).open == []


def test_no_such_folder(tmp_path):
    with pytest.raises(ValueError, match=r"'folder' must be .* there is no such folder"):
        write_transfer_report(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_failed_runs(tmp_path, drawn):
    failed = [replace(tuned(fold=fold), status="failed", measures={}, error="killed") for fold in range(2)]
    texts = report(tmp_path, failed)
    assert "No run has finished yet. 2 failed." in texts["report.md"]
    assert texts["report.md"].count("Failed: lodopab_transfer/") == 2


def test_only_pretrainings(tmp_path, drawn):
    texts = report(tmp_path, [pretrained(source) for source in EVERY if source != "random"])
    assert "4 pre-trainings, 0 fine-tunings" in texts["report.md"]
    assert "## The sources" in texts["report.md"]
    assert "delta_ood" not in texts["report.md"].split("## How to read this")[0]


def test_only_fine_tunings_without_control(tmp_path, drawn):
    results = [
        run
        for run in whole(sources=("imagenet", "imagenet lowpass"), fractions=(0.5,))
        if run.bundle != "source_pretrain"
    ]
    text = report(tmp_path, results)["report.md"]
    assert "No p = 0 control, so no delta_ood" in text
    assert "Without a pre-training in this study" in text


def test_the_name_of_the_bundle_that_pretrains_changes_nothing(tmp_path):
    results = whole()
    as_published = report(tmp_path, results)
    renamed = [replace(one, bundle=one.bundle.replace("source_pretrain", "my_pretrain")) for one in results]
    own = report(tmp_path / "own", renamed)
    assert {name: text.replace("my_pretrain", "source_pretrain") for name, text in own.items()} == as_published


def test_only_edited_sources(tmp_path):
    texts = report(tmp_path, whole(sources=("imagenet lowpass",)))
    assert "auc.svg" not in texts
    assert "editing.svg" in texts
    assert "| imagenet lowpass | 0.90 |" in texts["report.md"]


def test_one_run_alone(tmp_path, drawn):
    text = report(tmp_path, [tuned(fraction=0.0)])["report.md"]
    assert "Fewer than 3 folds" in text


def test_a_study_without_artifacts(tmp_path, drawn):
    texts = report(tmp_path, whole(artifact="none"))
    assert "lodopab, no artifact" in texts["report.md"]
    assert "auc.svg" not in texts


DAMAGED = [
    {},
    {"conditions": {}},
    {"conditions": None, "densities": None, "overlapping_groups": None},
    {"conditions": {"ood": {"auc": None}, "iid": 3}, "densities": {"frequencies": "none"}},
    {"conditions": {"clean": {"auc": math.nan}}, "densities": {"frequencies": [0.0, 0.5], "after": [0.0, 0.0]}},
    {"densities": {"frequencies": [0.1, 0.2], "before": [0.0, 0.0], "after": [1, 1], "artifact": [1, 1]}},
    {"densities": {"frequencies": [0.0, 0.1], "before": [1, None], "after": [math.inf, 1], "artifact": [1]}},
]


@pytest.mark.parametrize("measures", DAMAGED)
def test_damaged_measures_are_survived(tmp_path, measures):
    results = [
        replace(run, measures=measures) if run.settings.get("fold") == 1 else run for run in whole(fractions=(0.0, 1.0))
    ]
    text = report(tmp_path, results)["report.md"]
    assert "Absent: lodopab" in text or "Without measures: " in text


@pytest.mark.parametrize("measures", DAMAGED[1:])
def test_measures_that_are_all_damaged_are_survived(tmp_path, measures, drawn):
    sources = ("imagenet", "imagenet lowpass")
    results = [replace(run, measures=measures) for run in whole(sources, fractions=(0.0, 1.0), folds=1)]
    assert Tags(report(tmp_path, results)["report.html"]).open == []


def test_unreadable_files_are_named(tmp_path):
    folder = written(tmp_path, whole())
    files = sorted((folder / "results/lodopab_transfer").glob("*.json"))
    files[0].write_text(files[0].read_text()[:100])
    files[1].write_text('{"version": 7}')
    (folder / "examples").mkdir()
    (folder / "examples/lodopab_transfer.png").write_bytes(b"none")
    text = report(folder)["report.md"]
    assert f"Not read: results/lodopab_transfer/{files[0].name}" in text
    assert f"Not read: results/lodopab_transfer/{files[1].name}" in text
    assert "Not read: examples/lodopab_transfer.png is no picture" in text


def test_what_was_asked_for_and_not_made_is_named(tmp_path):
    results = whole()
    folder = written(tmp_path, results[:-2])
    note_asked_for(folder, [run.name for run in results])
    text = report(folder)["report.md"]
    assert re.search(r"Not made yet: lodopab_transfer/\S*fraction=1\.0\S*source=random_seed0: draws 1, 2", text)


def test_names_cannot_break_the_page(tmp_path):
    nasty = "<script>alert('x')</script> & | pipes"
    odd = tuned(nasty, 0.0, bundle="own", artifact="<b>&", note=nasty)
    failed = replace(tuned(bundle="own"), status="failed", measures={}, error=nasty)
    page = Tags(report(tmp_path, [*whole(), odd, failed])["report.html"])
    assert page.open == []
    assert "script" not in page.seen


def test_names_with_mathematics_are_drawn_as_they_are(tmp_path, drawn):
    runs = [tuned("a$\\frac b$", p, fold, note="$x_") for p in (0.0, 1.0) for fold in range(2)]
    runs += [tuned("imagenet", 0.0, note="other")]
    assert "a$\\frac b$" in report(tmp_path, runs)["report.md"]


def test_four_settings_are_two_figures_of_learning_priorities(tmp_path):
    results = [run for lam in range(4) for run in whole(sources=("imagenet",), lam=lam)]
    texts = report(tmp_path, results)
    assert {"learning_priorities.svg", "learning_priorities_2.svg"} <= texts.keys()


def test_spread_and_unit_are_explained(tmp_path):
    text = report(tmp_path, whole())["report.md"]
    for words in ("averaged within each fold first", "share one test set", "not corrected for their number"):
        assert words in text


def test_segmenters_beside_it_are_left_alone(tmp_path):
    folder = written(tmp_path, whole())
    before = report(folder)
    segmenter = replace(run(), cases=[{"case": "a", "dice": 0.5}])
    write_result(folder, segmenter)
    after = report(folder)
    assert all(after[name] == before[name] for name in before if name.endswith(".csv"))


def warnings(results):
    study, effects = transfer_in(results)
    return transfer_warnings(study, effects.controls)


def with_auc(run, condition, value):
    conditions = run.measures["conditions"] | {condition: {"auc": value}}
    return replace(run, measures=run.measures | {"conditions": conditions})


def test_a_sound_study_has_no_warning():
    assert warnings(whole()) == []


def test_inconclusive_sources_are_named():
    found = warnings(whole(sources=("imagenet",)) + whole(sources=("random",), level=0.7))
    assert len(found) == 1
    assert found[0].startswith(
        "Inconclusive, as the AUC without the shortcut is below 0.75: lodopab, photon noise: random"
    )


def test_no_control_is_said():
    found = warnings(whole(fractions=(0.5, 1.0)))
    assert len(found) == 1
    assert found[0].startswith("No p = 0 control, so no delta_ood")
    assert "lodopab, photon noise: imagenet, radimagenet, random." in found[0]


@pytest.mark.parametrize(
    ("ood", "warned"),
    [(0.84, True), (0.8499, True), (0.85, False), (0.8501, False), (1.0, False)],
)
def test_too_strong_an_artifact_is_seen_without_the_shortcut(ood, warned):
    results = [
        with_auc(run, "ood", ood) if run.settings.get("fraction") == 0 and run.settings["source"] == "imagenet" else run
        for run in whole()
    ]
    found = [line for line in warnings(results) if "too strong" in line]
    assert bool(found) == warned
    if warned:
        assert f"lodopab, photon noise: imagenet ({ood:.2f}, I.I.D. 0.90)" in found[0]
        assert "radimagenet" not in found[0]


@pytest.mark.parametrize(("accuracy", "warned"), [(0.86, True), (0.8501, True), (0.85, False), (0.75, False)])
def test_unequal_sources_are_said(accuracy, warned):
    tuned = [run for run in whole() if run.bundle != "source_pretrain"]
    levels = {"imagenet": 0.8, "radimagenet": accuracy, "imagenet lowpass": 0.8}
    found = warnings([*tuned, *(pretrained(name, seed, level) for name, level in levels.items() for seed in (0, 1))])
    assert bool(found) == warned
    if warned:
        assert "accuracies differ by more than 0.05 in 2 of 3 pairs" in found[0]
        assert f"radimagenet {accuracy:.3f}" in found[0]


def test_hardly_learned_is_said_of_any_source():
    found = warnings(whole(artifact="none", level=0.55, fractions=(0.0,)))
    assert found == [
        "Hardly learned: without the artifact, the AUC on clean test images is below 0.6 in "
        "lodopab, no artifact: imagenet (0.55), radimagenet (0.55), random (0.55)."
    ]


@pytest.mark.parametrize(("level", "warned"), [(0.599, True), (0.601, False)])
def test_hardly_learned_is_below_three_fifths(level, warned):
    found = warnings(whole(artifact="none", level=level, fractions=(0.0,)))
    assert any("Hardly learned" in line for line in found) == warned


@pytest.mark.parametrize(("level", "conclusive"), [(0.7499, False), (0.7501, True)])
def test_a_control_has_learned_from_three_quarters_on(level, conclusive):
    assert any("Inconclusive" in line for line in warnings(whole(level=level))) != conclusive


def test_overlapping_groups_are_counted():
    found = warnings([*whole(), tuned("imagenet", 0.0, 3, groups=4), tuned("imagenet", 0.0, 4, groups=2)])
    assert found == [
        "4 patients or exams are in two parts of lodopab_transfer: its test results are not of unseen patients."
    ]
    assert warnings([*whole(), tuned("imagenet", 0.0, 3, groups=1)])[0].startswith("1 patient or exam is in two parts")


@pytest.mark.parametrize("folds", [1, 2, 3])
def test_few_folds_are_said(folds):
    found = warnings(whole(folds=folds, seeds=3))
    assert bool(found) == (folds < 3)
    if found:
        assert found[0].endswith(f"says much: {folds} everywhere.")


def test_few_folds_are_placed():
    found = warnings([*whole(), *whole(sources=("imagenet",), bundle="kneemri_transfer", folds=2)])
    assert found[0].endswith("says much: kneemri, photon noise: imagenet (2).")


def test_one_pretraining_is_said():
    tuned = [run for run in whole() if run.bundle != "source_pretrain"]
    found = warnings([*tuned, pretrained("imagenet"), pretrained("radimagenet"), pretrained("radimagenet", 1)])
    assert len(found) == 1
    assert found[0].startswith("One pre-training only: imagenet. ")


def test_what_all_runs_share_and_phantoms_are_said(tmp_path):
    results = whole(epochs=5)
    text = report(tmp_path, [replace(results[0], versions={"torch": "2.8.0"}), *results[1:]])["report.md"]
    assert (
        "\n- All fine-tunings: epochs 5.\n- Generated phantoms, no patients: lodopab_transfer, source_pretrain." in text
    )
    assert "\n- The runs are of 2 different versions: torch 2.13.0; torch 2.8.0.\n" in text
    real = [replace(run, recorded={"dataset_dir": "/data"}) for run in whole()]
    assert "phantom" not in report(tmp_path / "real", real)["report.md"]


def lacking(results, asked=()):
    return missing_of(transfer_in(results)[0], study_of(results, asked=asked))


def test_a_whole_study_lacks_nothing():
    results = whole()
    assert lacking(results) == []
    assert lacking(results, [run.name for run in results]) == []


def test_failed_runs_are_named_with_their_last_line():
    failed = replace(tuned(fold=2), status="failed", measures={}, error="Traceback\nKilled by signal 9.\n")
    results = [*[run for run in whole() if run.name != failed.name], failed]
    found = lacking(results, [run.name for run in results])
    assert found == [f"Failed: {failed.name}: Killed by signal 9."]


def test_runs_that_were_not_made_are_named_by_what_was_asked_for():
    results = whole()
    names = [run.name for run in results]
    kept = [run for run in results if place_of(run) != ("random", 0.5)]
    found = lacking(kept, names)
    assert len(found) == 1
    assert found[0].startswith("Not made yet: lodopab_transfer/nall_none_")
    assert found[0].endswith(": draws 0, 1, 2")


def test_without_a_list_the_other_sources_tell():
    results = whole(seeds=2)
    gone = {("random", 0.5, 1, 0), ("random", 0.5, 2, 1)}
    kept = [run for run in results if (*place_of(run), run.settings.get("fold"), run.settings["seed"]) not in gone]
    kept = [run for run in kept if place_of(run) != ("imagenet", 1.0)]
    assert lacking(kept) == [
        "Absent: lodopab, photon noise, imagenet, p = 1",
        "Absent: lodopab, photon noise, random, p = 0.5: folds 1 (seed 0), 2 (seed 1)",
    ]


def test_missing_values_are_counted():
    results = whole()
    last = results[-1]
    conditions = last.measures["conditions"] | {"ood": {"auc": math.nan}}
    densities = {key: value for key, value in last.measures["densities"].items() if key != "after"}
    measures = last.measures | {"conditions": conditions, "densities": densities}
    assert lacking([*results[:-1], replace(last, measures=measures)]) == [
        "Absent: lodopab, photon noise, random, p = 1: ood AUC of 1 of 3 runs",
        "Absent: lodopab, photon noise, random, p = 1: learning priority after it of 1 of 3 runs",
    ]


def test_without_an_artifact_its_density_is_not_missed():
    assert lacking(whole(artifact="none")) == []


def test_sources_from_elsewhere_are_named():
    results = [run for run in whole() if run.bundle != "source_pretrain"]
    assert lacking(results) == [
        "No pre-training of imagenet, radimagenet is in this study: their accuracy is not known."
    ]


def test_a_long_list_is_cut():
    results = whole(folds=9)
    names = [f"{run.name}_{n}" for run in results for n in range(3)]
    found = lacking(results, names)
    assert len(found) <= 60
