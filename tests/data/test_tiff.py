"""TIFF in its many kinds, written by tifffile, Pillow and SimpleITK: read exactly, or refused for what it is."""

import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from monai_freq.data import DataError, read_image
from monai_freq.data.tiff import read_tiff

RNG = np.random.default_rng(0)
SHAPE = (32, 48)
TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8"]


def values(kind, shape=SHAPE):
    if kind[0] == "f":
        return RNG.normal(0, 100, shape).astype(kind)
    limits = np.iinfo(kind)
    return RNG.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.tif"


def refusal(file):
    with pytest.raises(DataError) as caught:
        read_image(file)
    return str(caught.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", TYPES)
def test_every_number_and_byte_order(file, kind, order):
    grey = values(kind)
    tifffile.imwrite(file, grey, byteorder=order, photometric="minisblack")
    found = read_image(file)
    assert found.dtype == np.dtype(kind)
    np.testing.assert_array_equal(found, grey)
    unsigned = {"u1": 255, "u2": 65535, "u4": 2**32 - 1, "u8": 2**64 - 1}
    assert read_tiff(file).white == unsigned.get(kind)


FORMS = [{"tile": (16, 16)}, {"bigtiff": True}, {"compression": "zlib"}, {"compression": "zlib", "predictor": 2}]
FORMS += [{"compression": "zlib", "tile": (16, 16)}]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4"])
def test_every_form_in_grey(file, kind, form):
    if kind == "f4" and "predictor" in form:
        form = {"compression": "zlib"}
    grey = values(kind)
    tifffile.imwrite(file, grey, photometric="minisblack", **form)
    np.testing.assert_array_equal(read_image(file), grey)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "f4"])
@pytest.mark.parametrize("form", [{}, {"tile": (16, 16)}, {"planarconfig": "separate"}], ids=str)
def test_every_form_in_colour(file, kind, form):
    colour = values(kind, (*SHAPE, 3))
    written = colour.transpose(2, 0, 1) if "planarconfig" in form else colour
    tifffile.imwrite(file, written, photometric="rgb", **form)
    np.testing.assert_array_equal(read_image(file, 3), colour)


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("bands", [2, 4])
def test_alpha_hides_and_may_be_multiplied_already(file, kind, bands):
    white = np.iinfo(kind).max
    pixels = np.full((*SHAPE, bands), white // 3, kind)
    pixels[..., -1] = white // 5
    for extra, expected in (("unassalpha", white // 15), ("assocalpha", white // 3)):
        tifffile.imwrite(file, pixels, photometric="rgb" if bands == 4 else "minisblack", extrasamples=[extra])
        assert np.unique(read_image(file)).tolist() == [expected]


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
def test_where_the_lowest_is_white_more_is_brighter_here_too(file, kind):
    grey = values(kind)
    tifffile.imwrite(file, grey, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(file), np.iinfo(kind).max - grey)


def test_floats_have_no_white_to_be_inverted_from(file):
    tifffile.imwrite(file, values("f4"), photometric="miniswhite")
    assert "its lowest number is white" in refusal(file)


@pytest.mark.parametrize("compression", ["raw", "group4", "tiff_lzw", "packbits"])
def test_one_bit(file, compression):
    bits = RNG.integers(0, 2, SHAPE).astype(bool)
    Image.fromarray(bits).save(file, compression=compression)
    np.testing.assert_array_equal(read_image(file), bits * 255)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_what_libtiff_packs(file, kind, compression):
    grey = values(kind)
    Image.fromarray(grey).save(file, compression=compression)
    np.testing.assert_array_equal(read_image(file), grey)


@pytest.mark.parametrize("compressor", ["LZW", "PackBits", "Deflate"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("bands", [3, 4])
def test_packed_colour_keeps_its_depth(file, kind, bands, compressor):
    colour = values(kind, (*SHAPE, bands))
    colour[..., 3:] = np.iinfo(kind).max
    writer = SimpleITK.ImageFileWriter()
    writer.SetFileName(str(file))
    writer.SetCompressor(compressor)
    writer.UseCompressionOn()
    writer.Execute(SimpleITK.GetImageFromArray(colour, isVector=True))
    with tifffile.TiffFile(file) as tiff:
        assert tiff.pages[0].compression != 1
    np.testing.assert_array_equal(read_image(file, 3), colour[..., :3])


def test_what_is_read_nowhere_exactly_is_refused_for_it(file):
    tifffile.imwrite(file, values("u2", (*SHAPE, 3)), photometric="rgb", tile=(16, 16))
    with tifffile.TiffFile(file, mode="r+b") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(5)
    message = refusal(file)
    assert "its 16-bit tiles are packed in a way that is not read there (TIFF's compression 5)" in message
    assert "Copy it again" not in message


@pytest.mark.parametrize(("step", "white"), [(257, 255), (256, 255), (1, 65535)])
def test_palettes_have_sixteen_bits(file, step, white):
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * step
    if step == 1:
        table[0, 0] = 65535
    indices = values("u1")
    indices[0, 0] = 0
    tifffile.imwrite(file, indices, photometric="palette", colormap=table)
    expected = table[:, indices] // (step if white == 255 else 1)
    np.testing.assert_array_equal(read_image(file, 3), np.moveaxis(expected, 0, 2))
    assert read_tiff(file).white == white


def test_jpeg_in_tiff_is_read_as_colour(file):
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    Image.fromarray(np.dstack([smooth] * 3)).save(file, compression="jpeg", quality=95)
    assert np.abs(read_image(file).astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_followed(file, orientation):
    grey = values("u2")
    tifffile.imwrite(file, grey, extratags=[(274, "H", 1, orientation, True)])
    rows_down, columns_across = {
        **{1: (grey, False), 2: (grey[:, ::-1], False), 3: (grey[::-1, ::-1], False), 4: (grey[::-1], False)},
        **{5: (grey, True), 6: (grey[::-1], True), 7: (grey[::-1, ::-1], True), 8: (grey[:, ::-1], True)},
    }[orientation]
    np.testing.assert_array_equal(read_image(file), rows_down.T if columns_across else rows_down)


def test_several_pages_are_refused_and_a_thumbnail_is_none(file):
    grey = values("u2")
    with tifffile.TiffWriter(file) as writer:
        writer.write(grey)
        writer.write(grey[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_image(file), grey)
    tifffile.imwrite(file, np.stack([grey] * 3), photometric="minisblack")
    assert "it has 3 pages, and one is read: export the one that is meant" in refusal(file)


@pytest.mark.parametrize(
    ("pixels", "settings", "reason"),
    [
        (values("f4").astype(np.complex64), {}, "its samples are complex numbers"),
        (values("u1", (*SHAPE, 6)), {"photometric": "minisblack", "planarconfig": "contig"}, "it has 6 bands"),
        (values("u1", (*SHAPE, 4)), {"photometric": "rgb", "extrasamples": ["unspecified"]}, "it has 4 bands"),
        (
            values("u2", (*SHAPE, 4)),
            {"photometric": "separated"},
            "it has 16 bits of a colour type that is read with 8",
        ),
        (values("u1", (*SHAPE, 3)), {"photometric": "cielab"}, "its colours are of TIFF's kind 8"),
        (values("u8", (*SHAPE, 3)), {"photometric": "rgb"}, "it has 64 bits a colour; up to 32 are read"),
    ],
)
def test_other_kinds_are_refused_by_name(file, pixels, settings, reason):
    tifffile.imwrite(file, pixels, **settings)
    message = refusal(file)
    assert reason in message
    assert "Copy it again" not in message


@pytest.mark.parametrize("form", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_a_part_that_is_missing_is_not_filled_with_zeros(file, form, caplog):
    tifffile.imwrite(file, values("u2"), **form)
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    assert "It must be a complete TIFF. Copy it again" in refusal(file)
    assert not caplog.records  # the library's own complaints, with addresses of memory
