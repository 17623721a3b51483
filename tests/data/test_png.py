"""PNG at every depth and colour type, against files that are written here byte by byte."""

import zlib

import numpy as np
import pytest
from PIL import Image
from png_files import chunk, write_png

from monai_freq.data import DataError, read_image
from monai_freq.data.png import read_png

RNG = np.random.default_rng(0)
KINDS = [(0, 1, depth) for depth in (1, 2, 4, 8, 16)]
KINDS += [(colour, samples, depth) for colour, samples in ((2, 3), (4, 2), (6, 4)) for depth in (8, 16)]


def samples_of(depth, samples, height=13, width=17):
    return RNG.integers(0, 2**depth, (height, width, samples))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "samples", "depth"), KINDS)
def test_every_depth_and_colour_type_is_read_exactly(tmp_path, colour, samples, depth, interlaced):
    pixels = samples_of(depth, samples)
    write_png(tmp_path / "x.png", pixels, depth, colour, interlaced=interlaced)
    picture = read_png(tmp_path / "x.png")
    scale = 255 // (2**depth - 1) if depth < 8 else 1
    assert picture.white == (65535 if depth == 16 else 255)
    shown = 3 if samples > 2 else 1
    np.testing.assert_array_equal(picture.pixels, pixels[..., :shown] * scale)
    assert (picture.alpha is None) == (samples in (1, 3))
    if samples in (2, 4):
        np.testing.assert_array_equal(picture.alpha, pixels[..., -1])


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("interlaced", [False, True])
def test_palettes(tmp_path, depth, interlaced):
    palette, indices = RNG.integers(0, 256, (2**depth, 3)).astype(np.uint8), samples_of(depth, 1)
    write_png(tmp_path / "x.png", indices, depth, 3, before=chunk(b"PLTE", palette.tobytes()), interlaced=interlaced)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", 3), palette[indices[..., 0]])


def test_twelve_bits_in_sixteen_keep_all_their_levels(tmp_path):
    grey = RNG.integers(0, 4096, (32, 40))
    opaque = np.full_like(grey, 65535)
    files = {0: [grey], 2: [grey] * 3, 4: [grey, opaque], 6: [grey] * 3 + [opaque]}
    for colour, bands in files.items():
        write_png(tmp_path / f"{colour}.png", np.dstack(bands), 16, colour)
        np.testing.assert_array_equal(read_image(tmp_path / f"{colour}.png"), grey)
        np.testing.assert_array_equal(read_image(tmp_path / f"{colour}.png", 3), np.dstack([grey] * 3))


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_grey_that_is_transparent_is_read_as_black(tmp_path, depth):
    pixels = samples_of(depth, 1)
    key = int(pixels[0, 0, 0]) or 1
    write_png(tmp_path / "x.png", pixels, depth, 0, before=chunk(b"tRNS", key.to_bytes(2, "big")))
    scale = 255 // (2**depth - 1) if depth < 8 else 1
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), np.where(pixels == key, 0, pixels)[..., 0] * scale)


@pytest.mark.parametrize("depth", [8, 16])
def test_the_colour_that_is_transparent_is_read_as_black(tmp_path, depth):
    pixels = samples_of(depth, 3)
    pixels[0, 1] = pixels[0, 0] - [[0, 0, 1 if pixels[0, 0, 2] else -1]]  # two of three alike
    write_png(tmp_path / "x.png", pixels, depth, 2, before=chunk(b"tRNS", pixels[0, 0].astype(">u2").tobytes()))
    expected = pixels.copy()
    expected[0, 0] = 0
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", 3), expected)


def test_a_palette_with_transparent_entries(tmp_path):
    palette = np.array([[200, 10, 10], [10, 200, 10]], np.uint8)
    before = chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", bytes([0]))
    write_png(tmp_path / "x.png", np.array([[[0], [1]]]), 1, 3, before=before)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", 3), [[[0, 0, 0], [10, 200, 10]]])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colour", [4, 6])
def test_what_is_hidden_under_transparent_pixels_does_not_show(tmp_path, colour, depth):
    white, samples = 2**depth - 1, 2 if colour == 4 else 4
    pixels = np.full((1, 3, samples), white)
    pixels[0, :, -1] = 0, white // 5, white  # a fifth, exactly
    write_png(tmp_path / "x.png", pixels, depth, colour)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), [[0, white // 5, white]])


def test_depths_that_png_does_not_have_are_damage(tmp_path):
    write_png(tmp_path / "x.png", samples_of(8, 1), 8, 0)
    content = bytearray((tmp_path / "x.png").read_bytes())
    content[24] = 7
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match="its header names 7 bits of the colour type 0, which PNG does not have"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_truncated_and_flipped_bytes_are_damage_at_16_bits(tmp_path, colour, samples):
    write_png(tmp_path / "x.png", samples_of(16, samples, 60, 70), 16, colour)
    whole = (tmp_path / "x.png").read_bytes()
    flipped = bytearray(whole)
    flipped[3000] ^= 255
    for content in (whole[: len(whole) // 2], flipped):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(DataError, match=r"It must be a complete PNG\. Copy it again"):
            read_image(tmp_path / "x.png")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "samples", "depth"), [*KINDS, (3, 1, 4), (3, 1, 8)])
def test_rows_that_are_missing_from_a_sound_stream_are_damage(tmp_path, colour, samples, depth, interlaced):
    pixels = samples_of(depth, samples, 10)
    before = chunk(b"PLTE", bytes(3 * 2**depth)) if colour == 3 else b""
    write_png(tmp_path / "x.png", pixels, depth, colour, before=before, interlaced=interlaced)
    assert read_image(tmp_path / "x.png").shape == (10, 17)
    content = bytearray((tmp_path / "x.png").read_bytes())
    content[20:24] = (16).to_bytes(4, "big")  # rows
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match=r"it holds \d+ bytes of pixels, where its header promises \d+\.\n.*Copy it"):
        read_image(tmp_path / "x.png")


def test_an_animation_is_refused_as_one(tmp_path):
    frames = [Image.fromarray(RNG.integers(0, 255, (5, 6), dtype=np.uint8)) for _ in range(3)]
    frames[0].save(tmp_path / "x.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="it is animated, with 3 frames") as caught:
        read_image(tmp_path / "x.png")
    assert "Copy it again" not in str(caught.value)


def test_a_depth_that_fits_no_memory_is_refused_by_its_size(tmp_path):
    write_png(tmp_path / "x.png", samples_of(16, 4), 16, 6)
    content = bytearray((tmp_path / "x.png").read_bytes())
    content[16:24] = (8000).to_bytes(4, "big") * 2
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match="it has 8000 x 8000 pixels, more than are read at 16 bits"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3), (4, 2)])
def test_a_part_that_promises_more_than_the_file_has_is_damage_before_memory_is_asked_for(tmp_path, colour, samples):
    write_png(tmp_path / "x.png", samples_of(16, samples), 16, colour)
    content = (tmp_path / "x.png").read_bytes()
    end = content.index(b"IEND") - 4
    late = (1 << 31).to_bytes(4, "big") + b"tEXt\0\0\0\0"
    (tmp_path / "x.png").write_bytes(content[:end] + late + content[end:])
    with pytest.raises(DataError, match=r"its part 'tEXt' ends \d+ bytes after the file"):
        read_image(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(content + b"more that is no part of it")
    assert read_image(tmp_path / "x.png", channels=3).ndim == 3
