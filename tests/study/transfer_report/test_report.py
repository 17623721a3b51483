"""The report as a whole: complete, honest and never in the way of a broken study."""

import csv
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from monai_freq.study.__main__ import main
from monai_freq.study.results import Result, note_asked_for, write_result
from monai_freq.study.transfer_report import write_transfer_report

EVERY = ("imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten")


@pytest.fixture(autouse=True)
def _undrawn(request, monkeypatch):
    """Pictures take most of the time of a report: they are drawn only for tests that ask for ``drawn``."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("monai_freq.study.transfer_report.report.as_bytes", lambda *_: b"<svg/>")


@pytest.fixture
def drawn():
    """Pictures are wanted."""


def texts_of(folder):
    """The report's texts by file name."""
    paths = write_transfer_report(folder)
    assert all(path.parent == folder / "report" and path.stat().st_size for path in paths)
    return {path.name: path.read_text() for path in paths if path.suffix != ".png"}


def rows_of(text):
    return list(csv.DictReader(text.splitlines()))


def test_a_whole_study_is_reported_whole(whole, folder_of, drawn):
    folder = folder_of(whole(sources=EVERY))
    (folder / "examples").mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (32, 32)).astype("u1")
    Image.fromarray(picture).save(folder / "examples/lodopab_transfer.png")
    texts = texts_of(folder)
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
    assert texts_of(folder) == texts  # and the same each time


def test_the_command_says_what_the_report_leaves_out(whole, folder_of, capsys):
    segmented = {"status": "finished", "arm": "early", "size": 4, "draw": 0, "seed": 0, "cases": [{"case": "la_003"}]}
    folder = folder_of(whole(sources=["random"]))
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().err == ""
    write_result(folder, Result(bundle="heart_fd", **segmented))
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().err.startswith(
        "1 segmentations are left out: have each study write to a folder of its own."
    )


def test_no_result_yet(tmp_path, drawn):
    texts = texts_of(tmp_path)
    assert "No run has finished yet." in texts["report.md"]
    assert rows_of(texts["auc.csv"]) == []
    assert Tags(texts["report.html"]).open == []


def test_no_such_folder(tmp_path):
    with pytest.raises(ValueError, match=r"'folder' must be .* there is no such folder"):
        write_transfer_report(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_failed_runs(tuned, folder_of, drawn):
    failed = [replace(tuned(fold=fold), status="failed", measures={}, error="killed") for fold in range(2)]
    texts = texts_of(folder_of(failed))
    assert "No run has finished yet. 2 failed." in texts["report.md"]
    assert texts["report.md"].count("Failed: lodopab_transfer/") == 2


def test_only_pretrainings(pretrained, folder_of, drawn):
    texts = texts_of(folder_of([pretrained(source) for source in EVERY if source != "random"]))
    assert "4 pre-trainings, 0 fine-tunings" in texts["report.md"]
    assert "## The sources" in texts["report.md"]
    assert "delta_ood" not in texts["report.md"].split("## How to read this")[0]


def test_only_fine_tunings_without_control(whole, folder_of, drawn):
    results = [
        run
        for run in whole(sources=("imagenet", "imagenet lowpass"), fractions=(0.5,))
        if run.bundle != "source_pretrain"
    ]
    text = texts_of(folder_of(results))["report.md"]
    assert "No p = 0 control, so no delta_ood" in text
    assert "Without a pre-training in this study" in text


def test_the_name_of_the_bundle_that_pretrains_changes_nothing(whole, folder_of, tmp_path):
    results = whole()
    as_published = texts_of(folder_of(results))
    for run in results:
        write_result(tmp_path / "own", replace(run, bundle=run.bundle.replace("source_pretrain", "my_pretrain")))
    own = texts_of(tmp_path / "own")
    assert {name: text.replace("my_pretrain", "source_pretrain") for name, text in own.items()} == as_published


def test_only_edited_sources(whole, folder_of):
    texts = texts_of(folder_of(whole(sources=("imagenet lowpass",))))
    assert "auc.svg" not in texts
    assert "editing.svg" in texts
    assert "| imagenet lowpass | 0.90 |" in texts["report.md"]


def test_one_run_alone(tuned, folder_of, drawn):
    text = texts_of(folder_of([tuned(fraction=0.0)]))["report.md"]
    assert "Fewer than 3 folds" in text


def test_a_study_without_artifacts(whole, folder_of, drawn):
    texts = texts_of(folder_of(whole(artifact="none")))
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
def test_damaged_measures_are_survived(whole, folder_of, measures):
    results = [replace(run, measures=measures) if run.draw == 1 else run for run in whole(fractions=(0.0, 1.0))]
    text = texts_of(folder_of(results))["report.md"]
    assert "Absent: lodopab" in text or "Without measures: " in text


@pytest.mark.parametrize("measures", DAMAGED[1:])
def test_measures_that_are_all_damaged_are_survived(whole, folder_of, measures, drawn):
    sources = ("imagenet", "imagenet lowpass")
    results = [replace(run, measures=measures) for run in whole(sources, fractions=(0.0, 1.0), folds=1)]
    assert Tags(texts_of(folder_of(results))["report.html"]).open == []


def test_unreadable_files_are_named(whole, folder_of):
    folder = folder_of(whole())
    files = sorted((folder / "results/lodopab_transfer").glob("*.json"))
    files[0].write_text(files[0].read_text()[:100])
    files[1].write_text('{"version": 7}')
    (folder / "examples").mkdir()
    (folder / "examples/lodopab_transfer.png").write_bytes(b"none")
    text = texts_of(folder)["report.md"]
    assert f"Not read: results/lodopab_transfer/{files[0].name}" in text
    assert f"Not read: results/lodopab_transfer/{files[1].name}" in text
    assert "Not read: examples/lodopab_transfer.png is no picture" in text


def test_what_was_asked_for_and_not_made_is_named(whole, folder_of):
    results = whole()
    folder = folder_of(results[:-2])
    note_asked_for(folder, [run.name for run in results])
    text = texts_of(folder)["report.md"]
    assert re.search(r"Not made yet: lodopab_transfer/\S*fraction=1\.0\S*source=random_seed0: draws 1, 2", text)


def test_names_cannot_break_the_page(whole, folder_of, tuned):
    nasty = "<script>alert('x')</script> & | pipes"
    odd = tuned(nasty, 0.0, bundle="own", artifact="<b>&", note=nasty)
    failed = Result(bundle="own", status="failed", arm="none", size=None, draw=0, seed=0, error=nasty)
    page = Tags(texts_of(folder_of([*whole(), odd, failed]))["report.html"])
    assert page.open == []
    assert "script" not in page.seen


def test_names_with_mathematics_are_drawn_as_they_are(tuned, folder_of, drawn):
    runs = [tuned("a$\\frac b$", p, fold, note="$x_") for p in (0.0, 1.0) for fold in range(2)]
    runs += [tuned("imagenet", 0.0, note="other")]
    assert "a$\\frac b$" in texts_of(folder_of(runs))["report.md"]


def test_four_settings_are_two_figures_of_learning_priorities(whole, folder_of):
    results = [run for lam in range(4) for run in whole(sources=("imagenet",), lam=lam)]
    texts = texts_of(folder_of(results))
    assert {"learning_priorities.svg", "learning_priorities_2.svg"} <= texts.keys()


def test_spread_and_unit_are_explained(whole, folder_of):
    text = texts_of(folder_of(whole()))["report.md"]
    for words in ("averaged within each fold first", "share one test set", "not corrected for their number"):
        assert words in text


def test_segmenters_beside_it_are_left_alone(whole, folder_of, tuned):
    folder = folder_of(whole())
    before = texts_of(folder)
    segmenter = replace(tuned(), bundle="heart_fd", cases=[{"case": "a", "dice": 0.5}], measures={}, overrides={})
    write_result(folder, segmenter)
    after = texts_of(folder)
    assert all(after[name] == before[name] for name in before if name.endswith(".csv"))


class Tags(HTMLParser):
    """Checks that tags nest, and collects what a browser would load or link to."""

    void = {"meta", "link", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.seen = [], [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
