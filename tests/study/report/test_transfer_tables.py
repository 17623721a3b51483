"""Tables say what was planted, and mark what does not count; the CSV files hold every figure, exactly."""

import math

import pytest
from studies import place_of, pretrained, rows_of, transfer_in, tuned, whole

from monai_freq.study.report.transfer_tables import csv_files, tables_of


def tables(results):
    return tables_of(*transfer_in(results))


def rows(results):
    return {name: rows_of(text) for name, text in csv_files(*transfer_in(results)).items()}


def test_sources_have_their_mean_and_range_over_seeds():
    runs = [pretrained("imagenet", seed, accuracy) for seed, accuracy in enumerate([0.7, 0.8, 0.9])]
    [row] = tables(runs)["sources"][0].rows
    assert row[:4] == ["imagenet", "3", "0.800", "0.700 … 0.900"]
    assert float(row[-1]) == pytest.approx(0.26, abs=0.01)


def test_drops_have_a_table_for_each_setting():
    first, second = tables(whole() + whole(bundle="kneemri_transfer", sources=("imagenet",)))["drops"]
    assert [first.header[0], second.header[0]] == ["kneemri, photon noise", "lodopab, photon noise"]
    assert first.rows == [["imagenet", "0.90", "0.90", "+.20 (.20, .20)", "+.40 (.40, .40)"]]
    assert [row[0] for row in second.rows] == ["imagenet", "radimagenet", "random"]


def test_what_does_not_count_is_marked_and_not_dropped():
    results = whole(sources=("imagenet", "radimagenet")) + whole(sources=("random",), level=0.7)
    found = tables(results)
    [table] = found["drops"]
    *start, _, last = table.rows[-1]
    assert [*start, last] == ["random †", "0.70", "0.70", "+.25 (.25, .25)"]
    assert [row[1] for row in found["aucs"][0].rows][-1] == "random †"
    assert "random †" in [row[1] for row in found["priorities"][0].rows]
    [table] = found["differences"]
    assert [row[0] for row in table.rows] == [
        "imagenet − radimagenet",
        "imagenet − random †",
        "radimagenet − random †",
    ]


def test_differences_between_unequal_sources_are_marked():
    results = [run for run in whole(sources=("imagenet", "radimagenet")) if run.bundle != "source_pretrain"]
    found = tables([*results, pretrained("imagenet"), pretrained("radimagenet", accuracy=0.7)])
    [table] = found["differences"]
    assert table.rows == [["imagenet − radimagenet ‡", "+.15 (.15, .15)", "+.30 (.30, .30)"]]


def test_seeds_that_disagree_are_counted():
    lost = {"imagenet": [0.3, 0.3, 0.05], "radimagenet": [0.1, 0.1, 0.1]}
    results = [
        tuned(source, p, fold, seed, lost=p * of[seed])
        for source, of in lost.items()
        for p in (0.0, 1.0)
        for fold in range(3)
        for seed in range(3)
    ]
    found = tables(results)
    [table] = found["differences"]
    assert table.header == ["lodopab, photon noise", "p = 1", "seeds alike, of 3"]
    assert table.rows[0][0] == "imagenet − radimagenet"
    assert table.rows[0][2] == "2"


def test_fractions_that_a_source_lacks_are_dashes():
    results = [run for run in whole() if place_of(run) != ("random", 1.0)]
    found = tables(results)
    assert found["drops"][0].rows[-1][-1] == "–"
    rows = {row[0]: row for row in found["differences"][0].rows}
    assert rows["imagenet − random"][1] != "–"
    assert rows["imagenet − random"][2] == "–"


def test_without_a_control_the_aucs_are_dashes():
    found = tables(whole(fractions=(1.0,)))
    assert found["drops"][0].rows[0] == ["imagenet †", "–", "–"]


def test_aucs_have_their_sd_over_folds():
    found = tables(whole(sources=("imagenet",), folds=5, seeds=2))
    row = found["aucs"][0].rows[1]
    assert row[2:5] == ["0.5", "10 (5 × 2)", "0.900 ± 0.000"]
    assert row[6] == "0.705 ± 0.003"  # 0.9 - 0.2 + 0.002 * 2 + 0.0005, SD of 0.002 * (0 … 4)
    assert row[7] == "0.80 / 0.82 / 0.60"


def test_priorities_rise_with_the_fraction_as_planted():
    found = tables(whole(sources=("radimagenet",)))
    [row] = found["priorities"][0].rows
    before, *after = map(float, row[2:6])
    assert before < after[0] < after[1] < after[2]
    assert float(row[6]) < float(row[7])


def test_too_few_points_are_said():
    rows = tables(whole())["agreements"][0].rows
    assert {row[-1] for row in rows} == {"too few to tell"}
    assert {tuple(row[2:5]) for row in rows} == {("–", "3", "–")}


def test_nothing_measured_gives_dashes():
    run = tuned(level=math.nan)
    found = tables([run])
    assert found["aucs"][0].rows[0][4:7] == ["–", "–", "–"]


@pytest.fixture(scope="module")
def found():
    some = whole(sources=("imagenet", "radimagenet"), seeds=2, lam=0)
    return rows(some + whole(sources=("random",), level=0.7, lam=0.1))


def test_every_run_has_a_line_for_each_test_set(found):
    lines = found["runs"]
    assert len(lines) == (2 * 3 * 3 * 2 + 3 * 3) * 3
    row = next(row for row in lines if (row["source"], row["fraction"], row["fold"]) == ("imagenet", "1.0", "2"))
    assert (row["target"], row["artifact"], row["settings"]) == ("lodopab_transfer", "photon_noise", "lam=0")
    assert (row["condition"], float(row["auc"]), float(row["accuracy"])) == ("clean", 0.9, 0.8)


def test_estimates_are_of_every_metric(found):
    lines = found["auc"]
    assert len(lines) == 9 * 3 * 3
    row = next(
        r
        for r in lines
        if (r["source"], r["fraction"], r["condition"], r["metric"]) == ("imagenet", "1.0", "ood", "auc")
    )
    assert float(row["mean"]) == pytest.approx(0.9 - 0.4 + 0.002 + 0.0005)
    assert float(row["sd_over_folds"]) == pytest.approx(0.002)
    assert (row["folds"], row["seeds"]) == ("3", "2")


def test_drops_have_their_verdict(found):
    lines = found["delta_ood"]
    verdicts = {(row["source"], row["verdict"]) for row in lines}
    assert verdicts == {
        ("imagenet", "counts"),
        ("radimagenet", "counts"),
        ("random", "inconclusive: AUC_iid(0) 0.70 < 0.75, AUC_ood(0) 0.70 < 0.75"),
    }
    assert {float(row["mean"]) for row in lines if row["source"] == "imagenet"} == {0.2, 0.4}


def test_a_source_without_control_has_a_line():
    lines = rows(whole(fractions=(0.5,)))["delta_ood"]
    assert next((row["source"], row["mean"], row["folds"]) for row in lines) == ("imagenet", "", "0")
    assert len(lines) == 3


def test_differences_are_given_by_seed(found):
    lines = found["differences"]
    assert [row["by_seed"] for row in lines] == ["0:0.15 1:0.15", "0:0.3 1:0.3"]
    assert {row["inconclusive"] for row in lines} == {""}


def test_priorities_and_agreements_are_there(found):
    lines = found["learning_priorities"]
    assert {(row["when"], row["measure"]) for row in lines} == {
        (when, measure) for when in ("before", "after") for measure in ("centroid", "overlap")
    }
    lines = found["overlap"]
    assert {(row["points"], row["points_with_inconclusive"]) for row in lines} == {("2", "3")}


def test_pretrainings_are_listed_by_seed(found):
    lines = found["sources"]
    assert [(row["source"], row["seed"]) for row in lines] == [
        ("imagenet", "0"),
        ("imagenet", "1"),
        ("radimagenet", "0"),
        ("radimagenet", "1"),
    ]
