"""The CSV files hold every figure, exactly."""

import pytest

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import controls_of, differences_of, falls_of
from monai_freq.study.transfer_report.priorities import agreements_of
from monai_freq.study.transfer_report.rows import (
    agreement_rows,
    auc_rows,
    difference_rows,
    fall_rows,
    priority_rows,
    run_rows,
    source_rows,
)


def as_dicts(lines):
    header, *rows = lines
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def found(whole):
    results = whole(sources=("imagenet", "radimagenet"), seeds=2, lam=0) + whole(
        sources=("random",), level=0.7, lam=0.1
    )
    study = study_of(results)
    controls = controls_of(study)
    return study, controls, falls_of(study, controls)


def test_every_run_has_a_line_for_each_test_set(found):
    rows = as_dicts(run_rows(found[0]))
    assert len(rows) == (2 * 3 * 3 * 2 + 3 * 3) * 3
    row = next(row for row in rows if (row["source"], row["fraction"], row["fold"]) == ("imagenet", 1.0, 2))
    assert (row["target"], row["artifact"], row["settings"]) == ("lodopab_transfer", "photon_noise", "lam=0")
    assert (row["condition"], float(row["auc"]), float(row["accuracy"])) == ("clean", 0.9, 0.8)


def test_estimates_are_of_every_metric(found):
    rows = as_dicts(auc_rows(found[0]))
    assert len(rows) == 9 * 3 * 3
    row = next(
        r for r in rows if (r["source"], r["fraction"], r["condition"], r["metric"]) == ("imagenet", 1.0, "ood", "auc")
    )
    assert float(row["mean"]) == pytest.approx(0.9 - 0.4 + 0.002 + 0.0005)
    assert float(row["sd_over_folds"]) == pytest.approx(0.002)
    assert (row["folds"], row["seeds"]) == (3, 2)


def test_falls_have_their_verdict(found):
    rows = as_dicts(fall_rows(*found[1:]))
    verdicts = {(row["source"], row["verdict"]) for row in rows}
    assert verdicts == {
        ("imagenet", "counts"),
        ("radimagenet", "counts"),
        ("random", "inconclusive: AUC_iid(0) 0.70 < 0.75, AUC_ood(0) 0.70 < 0.75"),
    }
    assert {float(row["mean"]) for row in rows if row["source"] == "imagenet"} == {0.2, 0.4}


def test_a_source_without_control_has_a_line(whole):
    study = study_of(whole(fractions=(0.5,)))
    controls = controls_of(study)
    rows = as_dicts(fall_rows(controls, falls_of(study, controls)))
    assert next((row["source"], row["mean"], row["folds"]) for row in rows) == ("imagenet", "", 0)
    assert len(rows) == 3


def test_differences_are_given_by_seed(found):
    rows = as_dicts(difference_rows(differences_of(found[2])))
    assert [row["by_seed"] for row in rows] == ["0:0.15 1:0.15", "0:0.3 1:0.3"]
    assert {row["inconclusive"] for row in rows} == {""}


def test_priorities_and_agreements_are_there(found):
    study, _, falls = found
    rows = as_dicts(priority_rows(study))
    assert {(row["when"], row["measure"]) for row in rows} == {
        (when, measure) for when in ("before", "after") for measure in ("centroid", "overlap")
    }
    rows = as_dicts(agreement_rows(agreements_of(study, falls)))
    assert {(row["points"], row["points_with_inconclusive"]) for row in rows} == {(2, 3)}


def test_pretrainings_are_listed_by_seed(found):
    rows = as_dicts(source_rows(found[0]))
    assert [(row["source"], row["seed"]) for row in rows] == [
        ("imagenet", 0),
        ("imagenet", 1),
        ("radimagenet", 0),
        ("radimagenet", 1),
    ]
