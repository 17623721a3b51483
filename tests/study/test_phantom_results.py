"""What is planted in results that nobody has run is what the reports find."""

import pytest
from studies import conditions_in, transfer_in

from monai_freq.study.phantom_results import phantom_study, phantom_transfer
from monai_freq.study.report.comparison import compare
from monai_freq.study.run.results import read_results, write_result


@pytest.mark.parametrize("gain", [0.05, -0.03])
def test_a_planted_gain_is_found(gain):
    found = {one.metric.name: one for one in compare(conditions_in(phantom_study(gain, draws=10)))}
    assert found["dice"].test.difference == pytest.approx(100 * gain)
    assert found["hd95"].test.difference == pytest.approx(-20 * gain)
    assert {one.verdict for one in found.values()} == {"improvement" if gain > 0 else "deterioration"}


def test_no_gain_is_none():
    verdicts = [one.verdict for one in compare(conditions_in(phantom_study(0, draws=10)))]
    assert verdicts == ["no significant difference"] * 2


def test_planted_auc_drops_are_found():
    study, effects = transfer_in(phantom_transfer(folds=1))
    found = {drop.control.source: drop.estimate.mean for drop in effects.drops}
    lost = {"imagenet": 0.25, "radimagenet": 0.0625, "random": 0.125}
    assert found == pytest.approx(lost | {"imagenet lowpass": 0.09375, "radimagenet whiten": 0.1875})
    assert not study.unusable


@pytest.mark.parametrize("results", [phantom_study(), phantom_transfer()], ids=["study", "transfer"])
def test_results_are_files_as_others_are(results, tmp_path):
    for result in results:
        write_result(tmp_path, result)
    read, problems = read_results(tmp_path)
    assert sorted(read, key=lambda one: one.name) == sorted(results, key=lambda one: one.name)
    assert problems == []
