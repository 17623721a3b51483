"""What a report says of planted segmentation studies, and above all what it does not say."""

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats
from studies import RISING, Tags, conditions_in, reported, rows_of, run, runs

from monai_freq.documents import as_markdown
from monai_freq.study.report import write_report
from monai_freq.study.report.comparison import VERDICTS, compare
from monai_freq.study.report.conditions import baseline_of
from monai_freq.study.report.long_table import DICE, HD95
from monai_freq.study.report.published import published
from monai_freq.study.report.segmentation import warnings_of
from monai_freq.study.report.segmentation_figures import segmentation_figures
from monai_freq.study.report.segmentation_tables import tables_of
from monai_freq.study.run.results import note_asked_for, result_file, write_result

#: nothing of the kind may be said where nothing is significant
PRAISE = re.compile(r"improve|better|superior|benefit|outperform|\bgains?\b|deteriorat|worse|effective", re.IGNORECASE)


def report(folder, results):
    return reported(write_report, folder, results)


def verdicts(results) -> list[str]:
    return [comparison.verdict for comparison in compare(conditions_in(results))]


def test_a_planted_difference_is_found(tmp_path):
    texts = report(tmp_path, runs(gain=0.06, arms=("none", "early", "late")))
    rows = rows_of(texts["differences.csv"])
    assert [row["verdict"] for row in rows] == ["improvement"] * 4
    assert float(rows[0]["difference"]) == pytest.approx(6, abs=1)
    assert float(rows[0]["interval_low"]) < 6 < float(rows[0]["interval_high"])
    assert float(rows[1]["difference"]) == pytest.approx(-1.2, abs=0.3)
    assert rows[0]["draws_won"] == rows[1]["draws_won"] == "10"
    assert "improvement 4" in texts["report.md"]


def test_a_planted_loss_is_found(tmp_path):
    texts = report(tmp_path, runs(gain=-0.06))
    assert [row["verdict"] for row in rows_of(texts["differences.csv"])] == ["deterioration"] * 2
    assert "improve" not in texts["report.md"]


@pytest.mark.parametrize("gain", [0.0, 0.004])
def test_what_is_not_significant_is_never_praised(tmp_path, gain):
    results = runs(gain=gain, arms=("none", "early", "late"), sizes=(4, 8)) + runs(bundle="hippocampus_fd", gain=gain)
    texts = report(tmp_path, results)
    assert {row["verdict"] for row in rows_of(texts["differences.csv"])} == {"no significant difference"}
    for name in ("report.md", "report.html", "differences.csv"):
        text = texts[name].split("</style>")[-1]
        assert PRAISE.findall(text) == []
        assert "<b>" not in text
        assert "**" not in text


def test_significant_on_cases_alone_is_not_enough():
    """Each training of the arm is a little lucky or not: over cases alone, that looks like an effect."""
    early = [run(arm="early", draw=draw, gain=0.015 + 0.05 * (-1) ** draw) for draw in range(10)]
    results = runs(arms=("none",)) + early
    dice = compare(conditions_in(results))[0]
    assert dice.p_tasks < 0.05
    assert dice.verdict == "no significant difference"


@pytest.mark.parametrize("draws", [1, 2, 5])
def test_few_draws_are_not_concluded_from(tmp_path, draws):
    texts = report(tmp_path, runs(gain=0.2, draws=draws, cases=20))
    assert {row["verdict"] for row in rows_of(texts["differences.csv"])} == {"not concluded"}
    assert f"Too few draws to conclude: {draws} in heart, n = 4, early" in texts["report.md"]
    assert PRAISE.findall(texts["report.md"]) == []


def test_the_warning_of_few_draws_is_right():
    assert 2 / 2**5 > 0.05 > 2 / 2**6
    assert "improvement" in verdicts(runs(gain=0.06, draws=6))


def test_few_cases_are_warned_of(tmp_path):
    text = report(tmp_path, runs(cases=4))["report.md"]
    assert "Few test cases: heart (4)" in text
    for cases in (5, 6):
        conditions = conditions_in(runs(cases=cases))
        assert any("Few test cases" in line for line in warnings_of(conditions, compare(conditions))) == (cases < 6)


def test_one_case_is_not_tested(tmp_path, drawn):
    texts = report(tmp_path, runs(cases=1))
    rows = rows_of(texts["differences.csv"])
    assert {row["verdict"] for row in rows} == {"not tested"}
    assert {row["remark"] for row in rows} == {"one test case"}
    assert rows_of(texts["scores.csv"])[0]["sem_over_cases"] == ""


def test_an_arm_without_baseline_is_shown_but_not_tested(tmp_path, drawn):
    texts = report(tmp_path, runs(arms=("early",)))
    assert {row["verdict"] for row in rows_of(texts["differences.csv"])} == {"not tested"}
    assert "no matching run without fusion" in texts["differences.csv"]
    assert rows_of(texts["scores.csv"])[0]["fusion"] == "early"


def test_a_baseline_alone_is_reported(tmp_path):
    text = report(tmp_path, runs(arms=("none",)))["report.md"]
    assert "There is nothing to compare." in text


def test_no_result_yet(tmp_path, drawn):
    texts = report(tmp_path, [])
    assert "No run has finished yet." in texts["report.md"]
    assert rows_of(texts["scores.csv"]) == []
    Tags(texts["report.html"])


def test_no_such_folder(tmp_path):
    with pytest.raises(ValueError, match=r"'folder' must be .* there is no such folder"):
        write_report(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_failed_runs_are_named_and_the_others_paired(tmp_path):
    failed = replace(run(arm="early", draw=3), status="failed", cases=[], error="Traceback\nKilled by signal 9.\n")
    results = [
        result for result in runs(gain=0.06) if (result.settings["fusion"], result.settings["draw"]) != ("early", 3)
    ]
    texts = report(tmp_path, [*results, failed])
    assert "Failed: heart_fd/n4_draw3_early_seed0: Killed by signal 9." in texts["report.md"]
    assert "Absent: heart, n = 4, early: draw 3" in texts["report.md"]
    assert "improvement; paired on 9 of 10 runs" in texts["report.md"]
    common = [result for result in results if result.settings["draw"] != 3]
    row = rows_of(texts["differences.csv"])[0]
    assert float(row["p_cases"]) == pytest.approx(compare(conditions_in(common))[0].p_cases, rel=1e-6)
    assert (row["draws"], row["draws_won"]) == ("9", "9")


def test_only_failed_runs(tmp_path):
    failed = [replace(result, status="failed", cases=[], error=None) for result in runs(draws=2)]
    texts = report(tmp_path, failed)
    assert "No run has finished yet. 4 failed." in texts["report.md"]


def test_unreadable_files_are_named_and_nothing_else_is_lost(tmp_path):
    for result in runs(gain=0.06):
        write_result(tmp_path, result)
    file = tmp_path / "results/heart_fd/n4_draw2_none_seed0.json"
    file.write_text(file.read_text()[:100])
    other = tmp_path / "results/heart_fd/n4_draw4_none_seed0.json"
    other.write_text('{"version": 7}')
    texts = report(tmp_path, [])
    assert "Not read: results/heart_fd/n4_draw2_none_seed0.json" in texts["report.md"]
    assert "Not read: results/heart_fd/n4_draw4_none_seed0.json" in texts["report.md"]
    assert "paired on 8 of 10 runs" in texts["report.md"]


def test_what_was_asked_for_and_not_made_is_named(tmp_path):
    results = runs(arms=("none", "early"), sizes=(4, 8)) + runs(arms=("late",), sizes=(8,))
    note_asked_for(tmp_path, [result.name for result in results])
    assert "Nothing that was asked for." in report(tmp_path, results)["report.md"]
    gone = {("early", 4, 3), ("early", 4, 7), ("late", 8, 0)}
    for result in results:
        if tuple(map(result.settings.get, ("fusion", "train_size", "draw"))) in gone:
            result_file(tmp_path, result.name).unlink()
    text = report(tmp_path, [])["report.md"]
    assert "Not made yet: heart_fd/n4_early_seed0: draws 3, 7" in text
    assert "Not made yet: heart_fd/n8_late_seed0: draw 0" in text
    assert text.count("Not made yet") == 2
    assert "Absent" not in text


def test_absent_cells_are_named(tmp_path):
    results = runs(arms=("none", "early"), sizes=(4, 8)) + runs(arms=("late",), sizes=(8,))
    text = report(tmp_path, results)["report.md"]
    assert "Absent: heart, n = 4: late" in text
    assert "n = 8: " not in text


def test_missing_values_are_left_out_and_counted(tmp_path):
    results = runs(gain=0.06, arms=("none",)) + runs(gain=0.06, arms=("early",), lost=(2, 5))
    texts = report(tmp_path, results)
    assert "paired on 6 of 8 cases" in texts["report.md"]
    assert "Absent: heart, n = 4, early: Dice of 20 of 80 test images" in texts["report.md"]
    assert rows_of(texts["differences.csv"])[0]["cases"] == "6"


@pytest.mark.parametrize(
    "row", [{}, {"case": "a"}, {"case": "a", "dice_left_atrium": None}, {"case": "a", "dice_x": 1}]
)
def test_a_run_without_metrics_is_survived(tmp_path, drawn, row):
    results = [*runs(arms=("none",)), *(replace(one, cases=[row]) for one in runs(arms=("early",)))]
    texts = report(tmp_path, results)
    assert {line["verdict"] for line in rows_of(texts["differences.csv"])} == {"not tested"}
    assert "Absent: heart, n = 4, early: Dice of" in texts["report.md"]


def test_the_table_holds_mean_sem_and_sd(tmp_path):
    results = runs(bundle="hippocampus_fd", draws=3)
    rows = rows_of(report(tmp_path, results)["scores.csv"])
    values = np.array(
        [
            [100 * np.mean([case["dice_anterior"], case["dice_posterior"]]) for case in result.cases]
            for result in results
            if result.settings["fusion"] == "early"
        ]
    )
    row = next(row for row in rows if (row["fusion"], row["class"], row["metric"]) == ("early", "all", "dice"))
    assert float(row["mean"]) == pytest.approx(values.mean())
    assert float(row["sem_over_cases"]) == pytest.approx(stats.sem(values.mean(0)))
    assert float(row["sd_over_draws"]) == pytest.approx(np.std(values.mean(1), ddof=1))
    assert {row["class"] for row in rows} == {"all", "anterior", "posterior"}
    assert {row["unit"] for row in rows} == {"%", "mm", "voxels"}


def test_seeds_are_averaged_within_draws():
    results = [
        run(arm=arm, draw=draw, seed=seed) for arm in ("none", "early") for draw in range(3) for seed in range(2)
    ]
    dice = compare(conditions_in(results))[0]
    means = {
        arm: np.mean(
            [[case["dice_left_atrium"] for case in one.cases] for one in results if one.settings["fusion"] == arm],
            axis=0,
        )
        for arm in ("none", "early")
    }
    assert (dice.test.draws, dice.test.cases) == (3, 8)
    assert dice.p_cases == pytest.approx(stats.ttest_rel(means["early"], means["none"]).pvalue, rel=1e-9)


def test_published_figures_stand_beside_the_own_ones(tmp_path):
    results = runs(sizes=(4, None), draws=2) + runs(bundle="own_task", draws=2)
    texts = report(tmp_path, results)
    rows = [row for row in rows_of(texts["scores.csv"]) if row["metric"] == "dice"]
    found = {(row["bundle"], row["n"], row["fusion"]): row["published"] for row in rows}
    assert found[("heart_fd", "4", "early")] == "84.01"
    assert found[("heart_fd", "all", "none")] == "82.74"
    assert found[("own_task", "4", "early")] == ""
    assert "84.01 ± 1.83" in texts["report.md"]


@pytest.mark.parametrize(
    ("setting", "stands"),
    [
        ({"theta": 0.1}, True),
        ({"convention": "figure2"}, True),
        ({"epochs": 50}, True),
        ({"theta": 0.4}, False),
        ({"convention": "released"}, False),
    ],
)
def test_published_figures_stand_beside_none_of_other_bands(setting, stands, tmp_path):
    texts = report(tmp_path, runs(draws=2, **setting))
    assert {bool(row["published"]) for row in rows_of(texts["scores.csv"]) if row["metric"] == "dice"} == {stands}
    assert ("84.01 ± 1.83" in texts["report.md"]) is stands


def test_every_published_line_is_there():
    counts = {"red_nucleus": 4, "dentate_nucleus": 4, "spleen": 3, "heart": 2, "hippocampus": 4}
    sizes = [4, 7, 8, 12, 13, 16, 17, 25, 42, 51, 83, 166]
    for task, count in counts.items():
        for arm in ("none", "early", "late"):
            assert sum(published(f"{task}_fd", size, arm) is not None for size in sizes) == count
    line = published("dentate_nucleus_fd", 7, "late")
    assert (line.dice, line.dice_sem, line.hd95, line.hd95_sem) == (81.89, 1.48, 2.93, 1.06)


def test_the_correction_is_over_everything_in_the_report():
    results = runs(arms=("none", "early", "late"), sizes=(4, 8)) + runs(bundle="hippocampus_fd")
    comparisons = compare(conditions_in(results))
    assert {one.tests for one in comparisons} == {(2 * 2 + 1) * 2}
    assert {one.tasks for one in comparisons} == {2}
    assert all(one.p_report >= one.p_tasks >= one.p_cases for one in comparisons)


def test_the_papers_five_tasks_count_as_four():
    tasks = [f"{task}_fd" for task in ("red_nucleus", "dentate_nucleus", "spleen", "heart", "hippocampus")]
    results = [replace(one, bundle=task) for task in tasks for one in runs(draws=2)]
    assert {one.tasks for one in compare(conditions_in(results))} == {4}


def test_each_group_of_overrides_meets_its_own_baseline():
    plain = runs(arms=("none",)) + runs(arms=("early",), theta=0.2, convention="released", gain=0.06)
    long = runs(arms=("none",), epochs=9) + runs(arms=("early",), epochs=9, theta=0.2, gain=0.03)
    found = {
        dict(one.condition.settings).get("epochs"): one
        for one in compare(conditions_in(plain + long))
        if one.metric == DICE
    }
    assert found[None].test.difference == pytest.approx(6, abs=1)
    assert found["9"].test.difference == pytest.approx(3, abs=1)
    assert {one.test.draws for one in found.values()} == {10}


def test_a_baseline_with_the_same_theta_goes_first():
    alike = runs(arms=("none",), theta=0.2)
    early = runs(arms=("early",), theta=0.2, gain=0.06)
    other = runs(arms=("none",), theta=0.4, gain=-0.5)
    assert compare(conditions_in(alike + early))[0].test == compare(conditions_in(other + alike + early))[0].test
    assert compare(conditions_in(other + early))[0].test.difference == pytest.approx(6, abs=1)


@pytest.mark.parametrize("late", [False, True])
def test_of_baselines_that_are_as_alike_the_plainest_goes_first(late):
    """A baseline of another theta and one of none have as much in common with an arm: nothing."""
    early = conditions_in(runs(arms=("early",), theta=0.2))
    plain, other = conditions_in(runs(arms=("none",))), conditions_in(runs(arms=("none",), theta=0.4, gain=-0.5))
    more = conditions_in(runs(arms=("none",), theta=0.4, convention="released", gain=-0.5))
    baselines = [*plain, *other, *more] if late else [*more, *other, *plain]
    assert baseline_of(early[0], [*baselines, *early]).runs.equals(plain[0].runs)
    of_theta = [cell for cell in baselines if cell not in plain]
    assert baseline_of(early[0], [*of_theta, *early]).runs.equals(other[0].runs)


def test_baselines_of_other_thetas_fill_in_for_missing_draws():
    alike = [one for one in runs(arms=("none",), theta=0.2) if one.settings["draw"] < 4]
    plain = runs(arms=("none",))
    found = compare(conditions_in(alike + plain + runs(arms=("early",), theta=0.2)))[0]
    assert (found.test.draws, found.remark) == (10, "")


def test_undertrained_arms_are_not_concluded_from(tmp_path):
    texts = report(tmp_path, runs(gain=0.06, dice=RISING))
    assert {row["verdict"] for row in rows_of(texts["differences.csv"])} == {"not concluded"}
    assert "not concluded: undertrained (early, none)" in texts["report.md"]
    assert "Undertrained: 2 of 2 conditions (heart, n = 4, none; heart, n = 4, early)" in texts["report.md"]


def test_short_curves_are_not_judged(tmp_path):
    texts = report(tmp_path, runs(gain=0.06, dice=[0.3, 0.6]))
    assert "not concluded: convergence not judged (early, none)" in texts["report.md"]
    assert "cannot be judged" in texts["report.md"]


def test_the_page_is_well_formed_and_needs_no_other_file(tmp_path, drawn):
    results = runs(sizes=(4, None), arms=("none", "early", "late")) + runs(bundle="hippocampus_fd", theta=0.2)
    page = report(tmp_path, results)["report.html"]
    found = Tags(page)
    assert {"h1", "table", "img", "ul"} <= found.seen
    assert not found.seen & {"script", "iframe", "object", "base"}
    assert found.links
    assert all(link.startswith("data:") for link in found.links)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_text_of_a_log_cannot_break_the_page(tmp_path):
    nasty = "<script>alert('x')</script> & | pipes\n<b>"
    failed = replace(run(), bundle="a<b>&", status="failed", cases=[], error=f"{nasty}|{nasty}")
    page = report(tmp_path, [failed])["report.html"]
    assert "script" not in Tags(page).seen


def test_pictures_are_whole_and_the_same_each_time(tmp_path, drawn):
    results = runs(gain=0.06, sizes=(4, 8), arms=("none", "early", "late"))
    first = report(tmp_path, results)
    svg = first["differences.svg"]
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert (tmp_path / "report/learning_curves.png").read_bytes()[1:4] == b"PNG"
    assert report(tmp_path, []) == first


def test_the_pictures_show_every_arm_and_task():
    results = runs(sizes=(4, 8), arms=("none", "early", "late")) + runs(bundle="hippocampus_fd", theta=0.2)
    conditions = conditions_in(results)
    curves, differences = segmentation_figures(conditions, compare(conditions)).values()
    assert [axes.get_title() for axes in curves.axes] == ["heart", "hippocampus"]
    assert [len(axes.containers) for axes in curves.axes] == [3, 2]
    legends = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in (curves, differences)]
    assert legends[0] == ["none", "early", "late"]
    assert legends[1] == ["early", "late"]
    assert len(differences.axes) == 4


def filled(results) -> list[bool]:
    """Whether the marks of the differences are, of Dice and of hd95."""
    figure = segmentation_figures([], compare(conditions_in(results)))["differences"]
    faces = [line.get_markerfacecolor() for axes in figure.axes for line in axes.lines if line.get_marker() == "s"]
    return [face != "white" for face in faces]


def test_filled_marks_are_the_significant_ones():
    assert filled(runs(gain=0.06) + runs(bundle="hippocampus_fd")) == [True, True, False, False]


@pytest.mark.parametrize("doubt", [{"draws": 5}, {"dice": RISING}])
def test_neither_bold_figures_nor_filled_marks_are_without_a_conclusion(doubt):
    results = runs(gain=0.06, **doubt)
    comparisons = compare(conditions_in(results))
    assert all(one.significant for one in comparisons)
    assert not any(filled(results))
    assert "**" not in as_markdown([tables_of(conditions_in(results), comparisons)["scores"]], {})


def test_the_tables_do_not_depend_on_time_or_order(tmp_path):
    results = runs(gain=0.06)
    first = report(tmp_path / "a", results)
    slow = [replace(one, seconds={"train": 1e4}, peak_memory_bytes=None) for one in reversed(results)]
    second = report(tmp_path / "b", slow)
    assert all(first[name] == second[name] for name in ("scores.csv", "differences.csv", "differences.svg"))


def test_phantoms_and_mixed_versions_are_said(tmp_path):
    results = runs(draws=2)
    other = [replace(one, versions={"torch": "2.8.0"}) for one in results[:1]]
    text = report(tmp_path, [*other, *results[1:]])["report.md"]
    assert "Generated phantoms, no patients: heart_fd" in text
    assert "2 different versions: torch 2.13.0; torch 2.8.0" in text
    real = [replace(one, recorded={"dataset_dir": "/data/heart"}) for one in results]
    assert "phantom" not in report(tmp_path / "real", real)["report.md"]


def test_every_verdict_is_one_of_the_known_ones():
    assert set(verdicts(runs(gain=0.06) + runs(bundle="own_task", arms=("early",)))) <= set(VERDICTS)
    assert {one.metric for one in compare(conditions_in(runs()))} == {DICE, HD95}


def test_a_setting_with_dollar_signs_is_drawn_as_it_is():
    results = [
        replace(one, settings={**one.settings, "note": "$\\frac " + one.settings["fusion"]}) for one in runs(draws=2)
    ]
    figure = segmentation_figures(conditions_in(results), [])["learning_curves"]
    figure.savefig(io.BytesIO())  # which would take it for a formula
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("\\$\\frac early" in text for text in texts)


def test_settings_that_tell_no_runs_of_a_task_apart_are_named_once(tmp_path):
    results = [
        *runs(bundle="heart_fd", draws=2, steps=9, image_size=[48, 48, 24], theta=0.1),
        *runs(bundle="heart_fd", draws=2, steps=9, image_size=[48, 48, 24], theta=0.2),
        *runs(bundle="hippocampus_fd", draws=2, steps=9, image_size=[64, 64, 48], theta=0.1),
    ]
    text = report(tmp_path, results)["report.md"]
    assert "- All runs: steps=9.\n" in text
    assert "- heart_fd: image_size=[48, 48, 24].\n" in text
    assert "- hippocampus_fd: image_size=[64, 64, 48].\n" in text
    assert text.count("image_size") == 2
    assert "early (theta 0.1)" in text  # tells runs of the heart apart, so that of the hippocampus has it too
    assert "early (theta 0.2)" in text
