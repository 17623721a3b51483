"""Two runs on the same test cases: figures as others compute them, and errors that say what to do."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from studies import Tags, rows_of

from monai_freq.errors import UsageError
from monai_freq.handlers.score_report import auc
from monai_freq.study.__main__ import main
from monai_freq.study.report.statistics import bootstrap_interval
from monai_freq.study.report.two_runs import compare_runs
from monai_freq.study.report.two_runs_report import write_comparison

CLASSES = ("anterior", "posterior")


def segmented(folder, dice, classes=CLASSES, place="eval", cases=None):
    """A run whose evaluation found this Dice ``(cases, classes)``."""
    header = ",".join(["case", *(f"dice_{name},hd95_mm_{name}" for name in classes)])
    names = cases or [f"case_{n:02}" for n in range(len(dice))]
    lines = [",".join([name, *(f"{d},{20 * (1 - d)}" for d in row)]) for name, row in zip(names, dice, strict=True)]
    return written(folder, place, "cases.csv", [header, *lines])


def classified(folder, scores, labels, names=("healthy", "injured"), condition="all"):
    """A run whose evaluation found these probabilities ``(samples, classes)``."""
    header = ",".join(["condition", "sample", "label", *(f"score_{name}" for name in names)])
    rows = zip(labels, scores.tolist(), strict=True)
    lines = [f"{condition},s{n},{label},{','.join(map(str, row))}" for n, (label, row) in enumerate(rows)]
    return written(folder, "eval", "scores.csv", [header, *lines])


def written(folder, place, name, lines):
    (folder / place).mkdir(parents=True)
    (folder / place / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def two(tmp_path):
    dice = np.random.default_rng(0).uniform(0.5, 0.8, (12, 2))
    gain = np.random.default_rng(1).normal(0.05, 0.03, (12, 2))
    a = segmented(tmp_path / "none", dice, place="evaluation")  # as earlier versions called it
    return a, segmented(tmp_path / "early", dice + gain), dice, gain


def test_segmentations_are_paired_by_case(two):
    a, b, dice, gain = two
    found = compare_runs(a, b)
    rows = found.differences.set_index(["metric", "class"])
    assert [*rows.index] == [(metric, name) for metric in ("dice", "hd95") for name in ("all", *CLASSES)]
    for place, columns in (("all", [0, 1]), ("anterior", [0]), ("posterior", [1])):
        first, second = (100 * one[:, columns].mean(1) for one in (dice, dice + gain))
        row = rows.loc[("dice", place)]
        assert (row["A"], row["B"], row["difference"]) == pytest.approx(
            (first.mean(), second.mean(), (second - first).mean())
        )
        assert row["p"] == pytest.approx(stats.ttest_rel(second, first).pvalue)
        assert (row["low"], row["high"]) == pytest.approx(bootstrap_interval(second - first))
        assert (row["cases"], row["higher"]) == (12, (second > first).sum())
    assert rows.loc[("hd95", "all"), "difference"] == pytest.approx(-20 * gain.mean())
    back = compare_runs(b, a).differences
    assert back["difference"].to_numpy() == pytest.approx(-found.differences["difference"].to_numpy())


@pytest.mark.parametrize("classes", [2, 3])
def test_classifications_are_paired_by_sample(tmp_path, classes):
    rng = np.random.default_rng(classes)
    labels = rng.integers(classes, size=60)
    logits = [rng.normal(size=(60, classes)) + gain * np.eye(classes)[labels] for gain in (0.5, 2.5)]
    scores = [np.exp(one) / np.exp(one).sum(1, keepdims=True) for one in logits]
    names = [f"c{n}" for n in range(classes)]
    a, b = (classified(tmp_path / name, one, labels, names) for name, one in zip("ab", scores, strict=True))
    rows = compare_runs(a, b).differences.set_index("metric")
    areas = [auc(torch.from_numpy(one), torch.from_numpy(labels)) for one in scores]
    assert [*rows.loc["auc", ["A", "B"]]] == pytest.approx(areas)
    assert rows.loc["auc", "low"] < areas[1] - areas[0] < rows.loc["auc", "high"]
    assert rows.loc["auc", "low"] > 0
    right = [one.argmax(1) == labels for one in scores]
    assert [*rows.loc["accuracy", ["A", "B"]]] == pytest.approx([one.mean() for one in right])
    gained, lost = (right[1] & ~right[0]).sum(), (right[0] & ~right[1]).sum()
    assert rows.loc["accuracy", "p"] == pytest.approx(
        min(1, 2 * stats.binom.cdf(min(gained, lost), gained + lost, 0.5))
    )


def test_the_interval_of_an_auc_difference_is_as_wide_as_samples_vary(tmp_path):
    """Against the differences of AUC over new samples, of which the interval knows one set."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)

    def drawn():
        common = rng.normal(size=120) + labels
        return [1 / (1 + np.exp(-common - 0.7 * rng.normal(size=120))) for _ in range(2)]

    def area(one):
        return stats.mannwhitneyu(one[labels == 1], one[labels == 0]).statistic / 60**2

    a, b = (
        classified(tmp_path / name, np.stack([1 - one, one], 1), labels)
        for name, one in zip("ab", drawn(), strict=True)
    )
    row = compare_runs(a, b).differences.set_index("metric").loc["auc"]
    others = [area(two) - area(one) for one, two in (drawn() for _ in range(500))]
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * np.std(others), rel=0.25)


def test_equal_runs_do_not_differ(tmp_path):
    scores, labels = np.random.default_rng(0).dirichlet([1, 1], 30), np.arange(30) % 2
    a, b = (classified(tmp_path / name, scores, labels) for name in "ab")
    row = compare_runs(a, b).differences.set_index("metric").loc["accuracy"]
    assert (row["difference"], row["p"]) == (0, 1)
    dice = np.random.default_rng(0).random((9, 2))
    text = {
        path.name: path for path in write_comparison(*(segmented(tmp_path / n, dice) for n in "cd"), tmp_path / "o")
    }
    assert "show no difference that can be told from chance" in text["report.md"].read_text()


def test_the_report_says_what_is_found_and_what_is_not(two, tmp_path, drawn):
    a, b, *_ = two
    for folder, fusion in ((a, "none"), (b, "early")):
        (folder / "settings.json").write_text(f'{{"fusion": "{fusion}", "theta": 0.1, "dataset_dir": null}}')
        (folder / ("evaluation" if folder == a else "eval") / "pictures").mkdir()
        for case in range(12):
            place = "evaluation" if folder == a else "eval"
            Image.new("RGB", (60, 40)).save(folder / place / "pictures" / f"case_{case:02}.png")
    files = {path.name: path for path in write_comparison(a, b, tmp_path / "out")}
    assert {"report.html", "report.md", "differences.csv", "cases.csv", "cases.png", "pictures.png"} <= files.keys()
    text = files["report.md"].read_text()
    assert text.startswith("# none and early\n\nB minus A on 12 test cases: Dice +")
    assert "On these cases, the two networks differ in Dice, 95% Hausdorff distance." in text
    assert "One training each" in text
    assert "- fusion: none in A, early in B\n" in text
    assert "theta:" not in text
    assert "other data" not in text
    assert "Few test cases" not in text
    assert len(rows_of(files["cases.csv"].read_text())) == 12 * 2 * 2
    found = Tags(files["report.html"].read_text())
    assert all(link.startswith("data:") for link in found.links)
    assert sum(link.startswith("data:image") for link in found.links) == 2


def test_the_report_warns_of_few_cases_and_of_other_data(tmp_path):
    for name, folder in (("a", None), ("b", "/data/heart")):
        segmented(tmp_path / name, np.random.default_rng(0).random((4, 2)))
        (tmp_path / name / "settings.json").write_text(f'{{"dataset_dir": {"null" if folder is None else 1}}}')
    text = write_comparison(tmp_path / "a", tmp_path / "b", tmp_path / "out")[1].read_text()
    assert "Few test cases: 4." in text
    assert "The trainings have recorded other data (dataset_dir)" in text
    assert "Not both folders hold pictures" in text


def test_long_names_of_runs_are_in_no_title(tmp_path, drawn):
    names = [f"n4_draw0_{fusion}_epochs=8_image_size=32-32-16_seed0" for fusion in ("none", "early")]
    dice = np.random.default_rng(0).random((9, 2))
    _, text, *_ = write_comparison(*(segmented(tmp_path / name, dice) for name in names), tmp_path / "out")
    assert text.read_text().startswith("# Two runs on the same test cases\n")
    assert all(f": {tmp_path / name}\n" in text.read_text() for name in names)
    assert "image_size" not in (tmp_path / "out/cases.svg").read_text()


def test_what_cannot_be_compared_is_refused(tmp_path, two):
    a, _, dice, _ = two
    labels = np.arange(8) % 2
    scores = np.full((8, 2), 0.5)
    (tmp_path / "trained").mkdir()
    damaged = written(tmp_path / "damaged", "eval", "cases.csv", ["case,dice_a", "x,much"])
    empty = written(tmp_path / "empty", "eval", "cases.csv", ["case,dice_anterior"])
    beyond = classified(tmp_path / "beyond", scores, labels + 1)
    broken = segmented(tmp_path / "broken", dice)
    (broken / "settings.json").write_text("{")
    knee, other = (classified(tmp_path / name, scores, one) for name, one in (("k", labels), ("l", 1 - labels)))
    more = segmented(tmp_path / "more", np.vstack([dice, dice[:1]]))
    hearts = segmented(tmp_path / "hearts", dice, classes=("atrium", "ventricle"))
    for pair, message in (
        ((tmp_path / "nowhere", a), "There is no folder .*nowhere.\nGive the folder of a run"),
        ((a, tmp_path / "trained"), "trained has not been evaluated: eval has neither .*\nRun evaluate.json .*trained"),
        ((a, a), "none is given twice.\n"),
        ((a, knee), "k holds a classification, the other run a segmentation"),
        ((a, more), "have other test cases: .*none lacks case_12.\nEvaluate both with the same data"),
        ((a, hearts), "have other classes: .*none lacks atrium dice.\n"),
        ((knee, other), "have other labels: "),
        ((a, damaged), "cases.csv is no table of test cases"),
        ((a, empty), "empty has no metric of any test case"),
        ((knee, beyond), r"'label' in line 3 .* must be an integer in \[0, 1\], got '2'"),
        ((a, broken), "settings.json cannot be read"),
    ):
        with pytest.raises(UsageError, match=message):
            compare_runs(*pair)
    double = written(
        tmp_path / "double", "eval", "scores.csv", ["condition,sample,label,score_a,score_b", *["all,s,0,0.5,0.5"] * 2]
    )
    with pytest.raises(UsageError, match="has a sample twice"):
        compare_runs(knee, double)


def test_of_many_classes_the_predicted_one_is_compared(tmp_path):
    for name, predicted in (("a", (3, 4, 5)), ("b", (3, 9, 5))):
        header = "condition,sample,label,predicted,score_predicted,score_label"
        lines = [f"all,s{n},{n + 3},{one},0.4,{0.4 if one == n + 3 else 0.1}" for n, one in enumerate(predicted)]
        written(tmp_path / name, "eval", "scores.csv", [header, *lines])
    [row] = compare_runs(tmp_path / "a", tmp_path / "b").differences.to_dict("records")
    assert (row["metric"], row["A"], row["B"]) == ("accuracy", 1, pytest.approx(2 / 3))


def test_the_command_writes_the_report_and_ends_readably(two, tmp_path, capsys):
    a, b, *_ = two
    assert main(["compare", str(a), str(b), "--output_dir", str(tmp_path / "out")]) == 0
    assert f"wrote {tmp_path / 'out' / 'report.html'}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="There is no folder nowhere"):
        main(["compare", "nowhere", str(b)])
