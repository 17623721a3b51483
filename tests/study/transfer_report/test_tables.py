"""Tables for reading say what was planted, and mark what does not count."""

import math

import pytest

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import controls_of, differences_of, falls_of
from monai_freq.study.transfer_report.priorities import agreements_of
from monai_freq.study.transfer_report.tables import (
    agreement_table,
    auc_table,
    difference_tables,
    fall_tables,
    priority_table,
    source_table,
)


def found(results):
    study = study_of(results)
    controls = controls_of(study)
    return study, controls, falls_of(study, controls)


def test_sources_have_their_mean_and_range_over_seeds(pretrained):
    runs = [pretrained("imagenet", seed, accuracy) for seed, accuracy in enumerate([0.7, 0.8, 0.9])]
    [row] = source_table(study_of(runs)).rows
    assert row[:4] == ["imagenet", "3", "0.800", "0.700 … 0.900"]
    assert float(row[-1]) == pytest.approx(0.26, abs=0.01)


def test_falls_have_a_table_for_each_setting(whole):
    _, controls, falls = found(whole() + whole(bundle="kneemri_transfer", sources=("imagenet",)))
    first, second = fall_tables(controls, falls)
    assert [first.header[0], second.header[0]] == ["kneemri, photon noise", "lodopab, photon noise"]
    assert first.rows == [["imagenet", "0.90", "0.90", "+.20 (.20, .20)", "+.40 (.40, .40)"]]
    assert [row[0] for row in second.rows] == ["imagenet", "radimagenet", "random"]


def test_what_does_not_count_is_marked_and_not_dropped(whole):
    results = whole(sources=("imagenet", "radimagenet")) + whole(sources=("random",), level=0.7)
    study, controls, falls = found(results)
    [table] = fall_tables(controls, falls)
    *start, _, last = table.rows[-1]
    assert [*start, last] == ["random †", "0.70", "0.70", "+.25 (.25, .25)"]
    assert [row[1] for row in auc_table(study, controls).rows][-1] == "random †"
    assert "random †" in [row[1] for row in priority_table(study, controls).rows]
    [table] = difference_tables(study, differences_of(falls))
    assert [row[0] for row in table.rows] == [
        "imagenet − radimagenet",
        "imagenet − random †",
        "radimagenet − random †",
    ]


def test_differences_between_unequal_sources_are_marked(whole, pretrained):
    results = [run for run in whole(sources=("imagenet", "radimagenet")) if run.bundle != "source_pretrain"]
    study, _, falls = found([*results, pretrained("imagenet"), pretrained("radimagenet", accuracy=0.7)])
    [table] = difference_tables(study, differences_of(falls))
    assert table.rows == [["imagenet − radimagenet ‡", "+.15 (.15, .15)", "+.30 (.30, .30)"]]


def test_seeds_that_disagree_are_counted(tuned):
    lost = {"imagenet": [0.3, 0.3, 0.05], "radimagenet": [0.1, 0.1, 0.1]}
    results = [
        tuned(source, p, fold, seed, lost=p * of[seed])
        for source, of in lost.items()
        for p in (0.0, 1.0)
        for fold in range(3)
        for seed in range(3)
    ]
    study, _, falls = found(results)
    [table] = difference_tables(study, differences_of(falls))
    assert table.header == ["lodopab, photon noise", "p = 1", "seeds alike, of 3"]
    assert table.rows[0][0] == "imagenet − radimagenet"
    assert table.rows[0][2] == "2"


def test_fractions_that_a_source_lacks_are_dashes(whole):
    results = [run for run in whole() if (run.overrides["source"], run.overrides.get("fraction")) != ("random", 1.0)]
    study, controls, falls = found(results)
    assert fall_tables(controls, falls)[0].rows[-1][-1] == "–"
    rows = {row[0]: row for row in difference_tables(study, differences_of(falls))[0].rows}
    assert rows["imagenet − random"][1] != "–"
    assert rows["imagenet − random"][2] == "–"


def test_without_a_control_the_aucs_are_dashes(whole):
    _, controls, falls = found(whole(fractions=(1.0,)))
    assert fall_tables(controls, falls)[0].rows[0] == ["imagenet †", "–", "–"]


def test_aucs_have_their_sd_over_folds(whole):
    study, controls, _ = found(whole(sources=("imagenet",), folds=5, seeds=2))
    row = auc_table(study, controls).rows[1]
    assert row[2:5] == ["0.5", "10 (5 × 2)", "0.900 ± 0.000"]
    assert row[6] == "0.705 ± 0.003"  # 0.9 - 0.2 + 0.002 * 2 + 0.0005, SD of 0.002 * (0 … 4)
    assert row[7] == "0.80 / 0.82 / 0.60"


def test_priorities_rise_with_the_fraction_as_planted(whole):
    study, controls, _ = found(whole(sources=("radimagenet",)))
    [row] = priority_table(study, controls).rows
    before, *after = map(float, row[2:6])
    assert before < after[0] < after[1] < after[2]
    assert float(row[6]) < float(row[7])


def test_too_few_points_are_said(whole):
    study, _, falls = found(whole())
    rows = agreement_table(agreements_of(study, falls)).rows
    assert {row[-1] for row in rows} == {"too few to tell"}
    assert {tuple(row[2:5]) for row in rows} == {("–", "3", "–")}


def test_nothing_measured_gives_dashes(tuned):
    run = tuned(level=math.nan)
    study, controls, _ = found([run])
    assert auc_table(study, controls).rows[0][4:7] == ["–", "–", "–"]
