"""From samples to the picture as it is meant to be seen."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from monai_freq.data import DataError, read_image
from monai_freq.data.picture import Picture, flattened

RNG = np.random.default_rng(0)


def test_luma_is_pillows_at_8_bits():
    colour = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(flattened(Picture(colour, 255), 1), np.array(Image.fromarray(colour).convert("L")))


@pytest.mark.parametrize(("kind", "tolerance"), [("u2", 0.5), ("u4", 0.5), ("i2", 0.5), ("f4", 0.01)])
def test_luma_is_that_of_bt_601_at_every_depth(kind, tolerance):
    top = 2000 if kind[0] == "f" else np.iinfo(kind).max
    colour = (RNG.random((40, 50, 3)) * top).astype(kind)
    found = flattened(Picture(colour, None), 1)
    assert found.dtype == np.dtype(kind)
    weights = np.array([0.299, 0.587, 0.114])  # in 65536ths, hence the relative error
    assert np.abs(found - colour.astype(np.float64) @ weights).max() <= tolerance + top * 2e-5
    grey = np.repeat(colour[..., :1], 3, axis=2)
    np.testing.assert_allclose(flattened(Picture(grey, None), 1), grey[..., 0], rtol=1e-6 if kind == "f4" else 0)


def test_transparent_pixels_lie_on_black():
    pixels, alpha = np.full((1, 4, 1), 200, np.uint8), np.array([[0, 51, 128, 255]], np.uint8)
    np.testing.assert_array_equal(flattened(Picture(pixels, 255, alpha), 1), [[0, 40, 100, 200]])
    np.testing.assert_array_equal(flattened(Picture(pixels, 255, alpha, premultiplied=True), 1), pixels[..., 0])
    floats = Picture(pixels.astype(np.float32), None, alpha / np.float32(255))
    np.testing.assert_allclose(flattened(floats, 1), [[0, 40, 200 * 128 / 255, 200]], rtol=1e-6)


@pytest.mark.parametrize("form", ["png", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_data_say(tmp_path, orientation, form):
    image = Image.fromarray(np.kron(RNG.integers(0, 256, (3, 5)), np.ones((8, 8))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"x.{form}", exif=exif)
    with Image.open(tmp_path / f"x.{form}") as written:
        upright = np.array(ImageOps.exif_transpose(written))
    np.testing.assert_array_equal(read_image(tmp_path / f"x.{form}"), upright)
    assert upright.shape == ((24, 40) if orientation < 5 else (40, 24))


@pytest.mark.parametrize(
    ("marker", "precision", "reason"),
    [
        (0xC1, 12, "its samples have 12 bits; JPEG is read with 8"),
        (0xC3, 8, "it is a lossless or hierarchical JPEG"),
        (0xF7, 8, "it is a JPEG-LS, not a JPEG"),
    ],
)
def test_other_jpegs_are_refused_for_what_they_are(tmp_path, marker, precision, reason):
    Image.new("L", (16, 16)).save(tmp_path / "x.jpg")
    content = bytearray((tmp_path / "x.jpg").read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 1], content[frame + 4] = marker, precision
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_image(tmp_path / "x.jpg")
    assert "Copy it again" not in str(caught.value)


def test_a_segment_of_no_length_ends_the_search_for_a_frame(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\0" + bytes(50))
    with pytest.raises(DataError, match="it ends before its frame"):
        read_image(tmp_path / "x.jpg")
