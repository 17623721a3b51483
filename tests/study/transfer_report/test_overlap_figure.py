"""Points of overlap and delta_ood."""

import pytest

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import controls_of, falls_of
from monai_freq.study.transfer_report.overlap_figure import overlap_figure
from monai_freq.study.transfer_report.priorities import overlap_of


def drawn(results):
    study = study_of(results)
    return overlap_figure(study, falls_of(study, controls_of(study)))


def marks(axes):
    return [line for line in axes.lines if line.get_marker() not in ("", "None")]


def test_a_point_for_each_source_and_setting(whole):
    figure = drawn(whole() + whole(bundle="kneemri_transfer"))
    assert [len(marks(axes)) for axes in figure.axes] == [6] * 4
    assert [axes.get_title() for axes in figure.axes[:2]] == ["p = 0.5", "p = 1"]
    assert figure.get_supxlabel() == "a: kneemri, photon noise; b: lodopab, photon noise"
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["a"] * 3 + ["b"] * 3


def test_a_point_is_at_its_overlap_and_delta(whole):
    results = whole(sources=("imagenet",))
    [mark] = marks(drawn(results).axes[1])
    assert mark.get_xdata()[0] == pytest.approx(overlap_of([results[-1]], "before").mean)
    assert mark.get_ydata()[0] == pytest.approx(0.4)


def test_inconclusive_points_are_hollow(whole):
    results = whole(sources=("imagenet",)) + whole(sources=("random",), level=0.7)
    faces = [mark.get_markerfacecolor() for mark in marks(drawn(results).axes[0])]
    assert [face == "white" for face in faces] == [False, True]
