"""The ring and the line of Figure 1 are at one frequency, which a tone of that frequency shows."""

import numpy as np
import pytest
from PIL import Image

from monai_freq.study.transfer_report.spectrum_figure import MARKED, examples_of, spectrum_figure


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
