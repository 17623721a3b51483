"""What the figures of a transfer study show of which runs."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from studies import transfer_in, tuned, whole, with_densities

from monai_freq.study.report.spectrum_figure import MARKED, examples_of, spectrum_figure
from monai_freq.study.report.transfer_figures import ARTIFACT, transfer_figures, wrapped

EVERY = ("imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten")


def drawn(name, results):
    return transfer_figures(*transfer_in(results))[name]


def curves(axes):
    """Mean and SD of each line with error bars."""
    found = []
    for container in axes.containers:
        middle, _, (bars,) = container.lines
        spans = np.array([np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()])
        found.append((middle, middle.get_ydata(), spans))
    return found


def test_a_column_for_each_setting_and_a_row_for_each_test_set():
    figure = drawn("auc", whole(sources=EVERY) + whole(bundle="kneemri_transfer"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["kneemri, photon noise", "lodopab, photon noise", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["O.O.D. AUC", "", "I.I.D. AUC", ""]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["imagenet", "radimagenet", "random"]


def test_lines_are_at_the_mean_and_bars_at_the_sd_over_folds():
    luck = np.random.default_rng(0).normal(0, 0.05, (4, 3))
    results = [
        tuned(fraction=p, fold=f, seed=s, luck=luck[f, s]) for p in (0.0, 0.5) for f in range(4) for s in range(3)
    ]
    figure = drawn("auc", results)
    [(_, mean, sd)] = curves(figure.axes[0])
    folds = luck.mean(1)
    assert mean == pytest.approx(0.9 - 0.4 * np.array([0, 0.5]) + folds.mean())
    assert sd == pytest.approx([folds.std(ddof=1)] * 2)
    [(_, mean, sd)] = curves(figure.axes[1])
    assert mean == pytest.approx([0.9, 0.925])


def test_hollow_marks_are_the_inconclusive_ones():
    results = whole(sources=("imagenet",)) + whole(sources=("random",), level=0.7)
    for axes in drawn("auc", results).axes:
        faces = [middle.get_markerfacecolor() for middle, _, _ in curves(axes)]
        assert [face == "white" for face in faces] == [False, True]


def test_edited_sources_have_broken_lines_in_the_colour_of_their_original():
    figure = drawn("editing", whole(sources=EVERY))
    [axes] = figure.axes
    lines = [middle for middle, _, _ in curves(axes)]
    assert [line.is_dashed() for line in lines] == [False, False, True, True]
    colors = [line.get_color() for line in lines]
    assert colors[0] == colors[2] != colors[1] == colors[3]
    assert "random" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_an_original_without_edited_ones_is_not_in_the_figure_of_editing():
    figure = drawn("editing", whole(sources=("imagenet", "radimagenet", "imagenet lowpass")))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["imagenet", "imagenet lowpass"]


def test_no_aucs_no_lines():
    figure = drawn("auc", [tuned(level=float("nan"))])
    assert [len(axes.containers) for axes in figure.axes] == [0, 0]


def test_more_settings_than_columns():
    results = [run for lam in range(6) for run in whole(sources=("random",), lam=lam)]
    figure = drawn("auc", results)
    assert len(figure.axes) == 12
    limits = {axes.get_ylim() for axes in figure.axes[:3] + figure.axes[6:9]}
    assert len(limits) == 1


def marks(axes):
    return [line for line in axes.lines if line.get_marker() not in ("", "None")]


def test_a_point_for_each_source_and_setting():
    figure = drawn("overlap", whole() + whole(bundle="kneemri_transfer"))
    assert [len(marks(axes)) for axes in figure.axes] == [6] * 4
    assert [axes.get_title() for axes in figure.axes[:2]] == ["p = 0.5", "p = 1"]
    assert figure.get_supxlabel() == "a: kneemri, photon noise; b: lodopab, photon noise"
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["a"] * 3 + ["b"] * 3


def test_a_point_is_at_its_overlap_and_delta():
    results = whole(sources=("imagenet",))
    [mark] = marks(drawn("overlap", results).axes[1])
    assert mark.get_xdata()[0] == pytest.approx(transfer_in(results[-1:])[0].tunings[0].overlap("before").mean)
    assert mark.get_ydata()[0] == pytest.approx(0.4)


def test_inconclusive_points_are_hollow():
    results = whole(sources=("imagenet",)) + whole(sources=("random",), level=0.7)
    faces = [mark.get_markerfacecolor() for mark in marks(drawn("overlap", results).axes[0])]
    assert [face == "white" for face in faces] == [False, True]


def test_heat_maps_are_of_originals_then_edited_ones():
    figure = drawn("learning_priorities", whole(sources=EVERY))
    names = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes[1:6]]
    assert names == ["imagenet", "radimagenet", "random", "imagenet lowpass", "radimagenet whiten"]
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["p = 0", "0.5", "1"]


def test_a_heat_map_is_the_mean_over_runs_without_dc():
    after = np.random.default_rng(0).random((2, 3, 17))
    results = []
    for place, fraction in enumerate((0.0, 1.0)):
        for fold in range(3):
            run = tuned(fraction=fraction, fold=fold)
            results.append(with_densities(run, after=after[place, fold].tolist()))
    [mesh] = drawn("learning_priorities", results).axes[1].collections
    assert np.asarray(mesh.get_array()).reshape(2, 16) == pytest.approx(after.mean(1)[:, 1:])
    assert mesh.get_clim() == (0, 1)


def test_heat_maps_of_other_grids_are_where_their_frequencies_are():
    """Of as many frequencies, too: 33 pixels have 17, as 32 have."""
    peaks = {0.0: np.arange(17) / 32, 0.5: np.arange(17) / 33, 1.0: np.arange(9) / 16}
    results = []
    for fraction, k in peaks.items():
        run = tuned(fraction=fraction)
        densities = {"frequencies": k.tolist(), "after": np.exp(-((k - 0.25) ** 2) / 0.003).tolist()}
        results.append(replace(run, measures=run.measures | {"densities": densities}))
    [mesh] = drawn("learning_priorities", results).axes[1].collections
    values = np.asarray(mesh.get_array()).reshape(3, 16)
    middles = np.arange(1, 17) / 33  # of the finest
    assert [float(middles[row.argmax()]) for row in values] == pytest.approx([0.25] * 3, abs=0.02)


def test_above_are_pretrained_networks_and_the_artifact_in_green():
    top = drawn("learning_priorities", whole(sources=EVERY)).axes[0]
    curves = [line for line in top.lines if len(line.get_xdata()) > 2]
    assert curves[0].get_color() == "#009E73"
    assert len(curves) == 1 + 4  # nobody has pre-trained a random one
    peaks = [float(line.get_xdata()[np.argmax(line.get_ydata())]) for line in curves[1:]]
    assert peaks == pytest.approx([0.26, 0.14, 0.12, 0.3], abs=0.02)
    assert all(line.get_ydata().min() == 0 and line.get_ydata().max() == 1 for line in curves)


def test_arrows_point_from_the_original_to_the_edited():
    top = drawn("learning_priorities", whole(sources=EVERY)).axes[0]
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


def test_sources_from_elsewhere_are_shown_before_fine_tuning():
    study, _ = transfer_in([run for run in whole(sources=EVERY) if run.bundle != "source_pretrain"])
    found, elsewhere = study.priorities(study.settings[0])
    assert elsewhere == [*found] == ["imagenet", "radimagenet", "imagenet lowpass", "radimagenet whiten"]
    assert (
        len(drawn("learning_priorities", [run for run in whole() if run.bundle != "source_pretrain"]).axes) == 1 + 3 + 1
    )


def test_what_was_not_run_is_said():
    other = whole(sources=("imagenet", "random"), bundle="kneemri_transfer")
    figure = drawn("learning_priorities", whole(sources=("imagenet", "radimagenet")) + other)
    blank = [axes for axes in figure.axes if any(text.get_text() == "no run" for text in axes.texts)]
    assert len(blank) == 2


def test_settings_without_densities_have_no_figure():
    without = replace(tuned(), measures={"conditions": tuned().measures["conditions"]})
    assert transfer_in([without, tuned(artifact="none")])[0].with_priorities == []


def _hex(color):
    return "#" + "".join(f"{round(255 * part):02X}" for part in color[:3])


def lines_of(sources):
    """How each source is drawn in the figure of AUCs or in that of editing."""
    results = whole(sources=sources, fractions=(0.0,), folds=1)
    lines = [line for name in ("auc", "editing") for line in drawn(name, results).legends[0].get_lines()]
    return {line.get_label(): (line.get_color(), line.get_marker(), str(line._dash_pattern)) for line in lines}


def test_no_two_sources_look_alike(monkeypatch):
    monkeypatch.setattr("studies.SOURCES", dict.fromkeys(MANY, (0.2, 0.2)))
    looks = lines_of(MANY)
    assert len(looks) == len(MANY)
    assert len({(color, dashes) for color, _, dashes in looks.values()}) == len(MANY)
    assert len({marker for _, marker, _ in looks.values()}) == len(MANY)
    assert ARTIFACT not in {color for color, _, _ in looks.values()}
    assert lines_of(["imagenet", "imagenet a"])["imagenet"] == looks["imagenet"]


def test_lines_break_after_commas_and_dollars_are_dollars():
    assert wrapped("kneemri, blur between scanners, lam 0", 36) == "kneemri, blur between scanners,\nlam 0"
    assert wrapped("one very long name of a source", 12) == "one very\nlong name of\na source"
    assert wrapped("a$b", 12) == "a\\$b"
    assert wrapped("", 12) == ""


MANY = ["imagenet", "radimagenet", "random", "own", "imagenet a", "imagenet b", "imagenet c", "own a"]


@pytest.mark.parametrize("shape", [(64, 64), (64, 96), (63, 64)])
def test_a_tone_of_the_marked_frequency_lies_on_the_ring(shape):
    along = np.arange(shape[1])
    tone = np.tile(np.cos(2 * np.pi * MARKED * along), (shape[0], 1))
    _, spectrum, density = spectrum_figure({"kneemri_transfer": tone}).subfigs[0].axes
    [ring] = spectrum.patches
    height, width = shape
    row, column = np.unravel_index(spectrum.images[0].get_array().argmax(), shape)
    x, y = (column - ring.center[0]) / (ring.width / 2), (row - ring.center[1]) / (ring.height / 2)
    assert np.hypot(x, y) == pytest.approx(1)
    assert (ring.width / width, ring.height / height) == (2 * MARKED, 2 * MARKED)
    curve, line = density.lines
    assert line.get_xdata()[0] == MARKED
    peak = curve.get_xdata()[curve.get_ydata().argmax()]
    assert peak == pytest.approx(MARKED, abs=0.5 / max(shape))


def test_the_middle_of_the_spectrum_is_dc():
    picture = 5 + np.random.default_rng(0).random((32, 48))
    spectrum = spectrum_figure({"a": picture}).subfigs[0].axes[1]
    assert np.unravel_index(spectrum.images[0].get_array().argmax(), (32, 48)) == (16, 24)
    assert spectrum.patches[0].center == (24, 16)


def test_a_row_for_each_picture():
    figure = spectrum_figure({"a_transfer": np.eye(16), "source_pretrain": np.ones((16, 16))})
    assert [row.axes[0].get_title() for row in figure.subfigs] == ["a", "source pretrain"]


def test_examples_are_read_by_their_names(tmp_path):
    (tmp_path / "examples").mkdir()
    pixels = np.arange(300, dtype="u1").reshape(15, 20)
    Image.fromarray(pixels).save(tmp_path / "examples/kneemri_transfer.png")
    pictures, problems = examples_of(tmp_path)
    assert pictures["kneemri_transfer"].tolist() == pixels.tolist()
    assert problems == []


def test_broken_examples_are_named(tmp_path):
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (folder / "empty.png").write_bytes(b"")
    Image.fromarray(np.zeros((3, 40), "u1")).save(folder / "small.png")
    whole = folder / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64)).astype("u1")).save(whole)
    (folder / "cut.png").write_bytes(whole.read_bytes()[:1000])
    pictures, problems = examples_of(tmp_path)
    assert list(pictures) == ["whole"]
    assert [line.split(" is ")[0] for line in problems] == [
        f"examples/{name}.png" for name in ("broken", "cut", "empty", "small")
    ]
