"""What Figure 3 shows of which runs."""

from dataclasses import replace

import numpy as np
import pytest

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.priority_figure import (
    pretrained_priorities,
    priority_figure,
    settings_with_priorities,
)

EVERY = ("imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten")


def drawn(results):
    study = study_of(results)
    return priority_figure(study, settings_with_priorities(study))


def test_heat_maps_are_of_originals_then_edited_ones(whole):
    figure = drawn(whole(sources=EVERY))
    names = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes[1:6]]
    assert names == ["imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten"]
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["p = 0", "0.5", "1"]


def test_a_heat_map_is_the_mean_over_runs_without_dc(tuned):
    after = np.random.default_rng(0).random((2, 3, 17))
    results = []
    for place, fraction in enumerate((0.0, 1.0)):
        for fold in range(3):
            run = tuned(fraction=fraction, fold=fold)
            densities = dict(run.measures["densities"]) | {"after": after[place, fold].tolist()}
            results.append(replace(run, measures=run.measures | {"densities": densities}))
    [mesh] = drawn(results).axes[1].collections
    assert np.asarray(mesh.get_array()).reshape(2, 16) == pytest.approx(after.mean(1)[:, 1:])
    assert mesh.get_clim() == (0, 1)


def test_heat_maps_of_other_grids_are_where_their_frequencies_are(tuned):
    """Of as many frequencies, too: 33 pixels have 17, as 32 have."""
    peaks = {0.0: np.arange(17) / 32, 0.5: np.arange(17) / 33, 1.0: np.arange(9) / 16}
    results = []
    for fraction, k in peaks.items():
        run = tuned(fraction=fraction)
        densities = {"frequencies": k.tolist(), "after": np.exp(-((k - 0.25) ** 2) / 0.003).tolist()}
        results.append(replace(run, measures=run.measures | {"densities": densities}))
    [mesh] = drawn(results).axes[1].collections
    values = np.asarray(mesh.get_array()).reshape(3, 16)
    middles = np.arange(1, 17) / 33  # of the finest
    assert [float(middles[row.argmax()]) for row in values] == pytest.approx([0.25] * 3, abs=0.02)


def test_above_are_pretrained_networks_and_the_artifact_in_green(whole):
    top = drawn(whole(sources=EVERY)).axes[0]
    curves = [line for line in top.lines if len(line.get_xdata()) > 2]
    assert curves[0].get_color() == "#009E73"
    assert len(curves) == 1 + 4  # nobody has pre-trained a random one
    peaks = [float(line.get_xdata()[np.argmax(line.get_ydata())]) for line in curves[1:]]
    assert peaks == pytest.approx([0.26, 0.14, 0.12, 0.3], abs=0.02)
    assert all(line.get_ydata().min() == 0 and line.get_ydata().max() == 1 for line in curves)


def test_arrows_point_from_the_original_to_the_edited(whole):
    top = drawn(whole(sources=EVERY)).axes[0]
    arrows = [text for text in top.texts if text.get_text() == ""]
    curves = {line.get_color() + str(line.is_dashed()): line for line in top.lines if len(line.get_xdata()) > 2}
    assert len(arrows) == 2
    for arrow in arrows:
        color = arrow.arrow_patch.get_edgecolor()
        plain, edited = (
            next(line for name, line in curves.items() if name == f"{_hex(color)}{dashed}") for dashed in (False, True)
        )
        assert arrow.xyann[1] == pytest.approx(np.interp(arrow.xy[0], *plain.get_data()))
        assert arrow.xy[1] == pytest.approx(np.interp(arrow.xy[0], *edited.get_data()))
    assert abs(arrows[0].xy[0] - arrows[1].xy[0]) > 0.04


def test_sources_from_elsewhere_are_shown_before_fine_tuning(whole):
    study = study_of([run for run in whole(sources=EVERY) if run.bundle != "source_pretrain"])
    found, elsewhere = pretrained_priorities(study, study.settings[0])
    assert elsewhere == [*found] == ["imagenet", "radimagenet", "imagenet lowpass", "radimagenet whiten"]
    assert len(drawn([run for run in whole() if run.bundle != "source_pretrain"]).axes) == 1 + 3 + 1


def test_what_was_not_run_is_said(whole):
    other = whole(sources=("imagenet", "random"), bundle="kneemri_transfer")
    figure = drawn(whole(sources=("imagenet", "radimagenet")) + other)
    blank = [axes for axes in figure.axes if any(text.get_text() == "no run" for text in axes.texts)]
    assert len(blank) == 2


def test_settings_without_densities_have_no_figure(tuned):
    without = replace(tuned(), measures={"conditions": tuned().measures["conditions"]})
    assert settings_with_priorities(study_of([without, tuned(artifact="none")])) == []


def _hex(color):
    return "#" + "".join(f"{round(255 * part):02X}" for part in color[:3])
