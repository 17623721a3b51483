"""What the lines of Figures 2 and 4 are at."""

import numpy as np
import pytest

from monai_freq.study.transfer_report.auc_figures import baseline_figure, editing_figure
from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.effects import controls_of

EVERY = ("imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten")


def drawn(figure_of, results):
    study = study_of(results)
    return figure_of(study, controls_of(study))


def curves(axes):
    """Mean and SD of each line with error bars."""
    found = []
    for container in axes.containers:
        middle, _, (bars,) = container.lines
        spans = np.array([np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()])
        found.append((middle, middle.get_ydata(), spans))
    return found


def test_a_column_for_each_setting_and_a_row_for_each_test_set(whole):
    figure = drawn(baseline_figure, whole(sources=EVERY) + whole(bundle="kneemri_transfer"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["kneemri, photon noise", "lodopab, photon noise", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["O.O.D. AUC", "", "I.I.D. AUC", ""]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["imagenet", "radimagenet", "random"]


def test_lines_are_at_the_mean_and_bars_at_the_sd_over_folds(tuned):
    luck = np.random.default_rng(0).normal(0, 0.05, (4, 3))
    results = [
        tuned(fraction=p, fold=f, seed=s, luck=luck[f, s]) for p in (0.0, 0.5) for f in range(4) for s in range(3)
    ]
    figure = drawn(baseline_figure, results)
    [(_, mean, sd)] = curves(figure.axes[0])
    folds = luck.mean(1)
    assert mean == pytest.approx(0.9 - 0.4 * np.array([0, 0.5]) + folds.mean())
    assert sd == pytest.approx([folds.std(ddof=1)] * 2)
    [(_, mean, sd)] = curves(figure.axes[1])
    assert mean == pytest.approx([0.9, 0.925])


def test_hollow_marks_are_the_inconclusive_ones(whole):
    results = whole(sources=("imagenet",)) + whole(sources=("random",), level=0.7)
    for axes in drawn(baseline_figure, results).axes:
        faces = [middle.get_markerfacecolor() for middle, _, _ in curves(axes)]
        assert [face == "white" for face in faces] == [False, True]


def test_edited_sources_have_broken_lines_in_the_colour_of_their_original(whole):
    figure = drawn(editing_figure, whole(sources=EVERY))
    [axes] = figure.axes
    lines = [middle for middle, _, _ in curves(axes)]
    assert [line.is_dashed() for line in lines] == [False, False, True, True]
    colors = [line.get_color() for line in lines]
    assert colors[0] == colors[2] != colors[1] == colors[3]
    assert "random" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_an_original_without_edited_ones_is_not_in_the_figure_of_editing(whole):
    figure = drawn(editing_figure, whole(sources=("imagenet", "radimagenet", "imagenet lowpass")))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["imagenet", "imagenet lowpass"]


def test_no_aucs_no_lines(tuned):
    figure = drawn(baseline_figure, [tuned(level=float("nan"))])
    assert [len(axes.containers) for axes in figure.axes] == [0, 0]


def test_more_settings_than_columns(whole):
    results = [run for lam in range(6) for run in whole(sources=("random",), lam=lam)]
    figure = drawn(baseline_figure, results)
    assert len(figure.axes) == 12
    limits = {axes.get_ylim() for axes in figure.axes[:3] + figure.axes[6:9]}
    assert len(limits) == 1
