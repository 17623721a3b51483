"""Figures that version 0.2 had for the same studies, with another implementation of the reports."""

import numpy as np
import pytest
from studies import SOURCES, reported, rows_of, runs, tuned

from monai_freq.study.report import write_report, write_transfer_report

#: bundle, fusion, metric -> difference, SEM, interval, p on cases, p on cases and draws, p of the report
DIFFERENCES = {
    "heart_fd early dice": "1.35835362 .300869975 .668754967 2.03191884 .00196345356 .00196345356 .0117807214",
    "heart_fd early hd95": "-.214810783 .0905199038 -.436784203 -.0116459461 .0450295663 .0876861046 .526116628",
    "heart_fd late dice": "1.66255542 .160964962 1.292385 2.01032363 6.66401396e-6 6.66401396e-6 3.99840838e-5",
    "heart_fd late hd95": "-.308862127 .0689710602 -.472106946 -.15436635 .00206086616 .0258389611 .155033767",
    "hippocampus_fd early dice": "-.830150523 .290031094 -1.53014213 -.171751028 .0287157743 .0287157743 .172294646",
    "hippocampus_fd early hd95": ".168236011 .0701011584 .000791895244 .333894651 .0533018894 .145567847 .87340708",
}
FIGURES = "difference sem_over_cases interval_low interval_high p_cases p_cases_and_draws p_whole_report"
#: bundle, fusion -> mean, SEM and SD of Dice
SCORES = {
    "heart_fd none": "72.0804417 1.1288385 1.93370993",
    "heart_fd early": "73.4387953 1.32673541 2.31417835",
    "heart_fd late": "73.7429971 1.19287149 2.03177268",
    "hippocampus_fd none": "71.2014118 1.54858226 1.48516835",
    "hippocampus_fd early": "70.3712613 1.48686336 1.69679927",
}
#: source -> mean, SD, interval, AUC of the control
DROPS = {
    "imagenet": "0.203519944 0.00553083316 0.194719154 0.212320733 0.907039887",
    "radimagenet": "0.0535199435 0.00553083316 0.0447191537 0.0623207333 0.907039887",
    "random": "0.128519944 0.00553083316 0.119719154 0.137320733 0.907039887",
}


def agree(found, expected, columns):
    for row in found:
        figures = [float(row[column]) for column in columns.split()]
        assert figures == pytest.approx([float(one) for one in expected.pop(row["key"]).split()], rel=1e-8), row["key"]
    assert expected == {}


def test_a_segmentation_study_has_its_figures(tmp_path):
    results = runs(gain=0.02, draws=7, arms=("none", "early", "late"), cases=9)
    results += runs(bundle="hippocampus_fd", gain=-0.01, draws=6, cases=7, theta=0.2)
    texts = reported(write_report, tmp_path, results)
    found = rows_of(texts["differences.csv"])
    agree(
        [row | {"key": f"{row['bundle']} {row['fusion']} {row['metric']}"} for row in found], dict(DIFFERENCES), FIGURES
    )
    verdicts = ["improvement", "no significant difference"] * 2 + ["no significant difference"] * 2
    assert [row["verdict"] for row in found] == verdicts
    found = [row for row in rows_of(texts["scores.csv"]) if (row["class"], row["metric"]) == ("all", "dice")]
    figures = "mean sem_over_cases sd_over_draws"
    agree([row | {"key": f"{row['bundle']} {row['fusion']}"} for row in found], dict(SCORES), figures)


def test_a_transfer_study_has_its_figures(tmp_path):
    luck = np.random.default_rng(0).normal(0, 0.02, (4, 2)).tolist()
    results = [
        tuned(source, p, fold, seed, luck=luck[fold][seed], lost=p * (SOURCES[source][0] + luck[fold][1 - seed]))
        for source in ("imagenet", "radimagenet", "random")
        for p in (0.0, 0.5)
        for fold in range(4)
        for seed in range(2)
    ]
    found = rows_of(reported(write_transfer_report, tmp_path, results)["delta_ood.csv"])
    figures = "mean sd_over_folds interval_low interval_high auc_ood_0"
    agree([row | {"key": row["source"]} for row in found], dict(DROPS), figures)
