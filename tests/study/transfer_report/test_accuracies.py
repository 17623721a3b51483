"""How well the sources were learned."""

import math

import pytest

from monai_freq.study.transfer_report.accuracies import accuracy_gap, source_accuracy
from monai_freq.study.transfer_report.cells import study_of


def test_accuracy_is_the_mean_over_seeds(pretrained):
    study = study_of([pretrained("imagenet", seed, accuracy) for seed, accuracy in enumerate([0.7, 0.8, 0.9])])
    assert source_accuracy(study, "imagenet") == pytest.approx(0.8)


def test_the_gap_has_no_sign_and_random_has_none(pretrained):
    study = study_of([pretrained("imagenet", accuracy=0.9), pretrained("radimagenet", accuracy=0.8)])
    assert accuracy_gap(study, "radimagenet", "imagenet") == pytest.approx(0.1)
    assert math.isnan(accuracy_gap(study, "imagenet", "random"))


def test_what_was_not_measured_is_left_out(pretrained):
    study = study_of([pretrained("imagenet", 0, 0.9), pretrained("imagenet", 1, math.nan)])
    assert source_accuracy(study, "imagenet") == 0.9
