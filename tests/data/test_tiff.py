"""TIFF in its many kinds, written by tifffile, Pillow and SimpleITK: read exactly, or refused for what it is."""

import numpy as np
import PIL
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


@pytest.mark.parametrize("kind", TYPES)
def test_every_number_and_byte_order(file, kind):
    grey = values(kind)
    unsigned = {"u1": 255, "u2": 65535, "u4": 2**32 - 1, "u8": 2**64 - 1}
    for order in "<>":
        tifffile.imwrite(file, grey, byteorder=order, photometric="minisblack")
        found = read_image(file)
        assert found.dtype == np.dtype(kind)
        np.testing.assert_array_equal(found, grey)
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
    write_by_itk(file, colour, compressor)
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


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4"])
def test_a_compression_that_nothing_decodes_is_the_reason(file, kind):
    tifffile.imwrite(file, values(kind), photometric="minisblack")
    for compression in (6, 34661, 34712, 34887, 50001, 65000):
        with tifffile.TiffFile(file, mode="r+b") as tiff:
            tiff.pages[0].tags["Compression"].overwrite(compression)
        message = refusal(file)
        assert f"are packed in a way that is not read there (TIFF's compression {compression}): save it" in message
        assert "Copy it again" not in message


@pytest.mark.parametrize("compression", ["lzma", "zstd"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_other_compressions_that_libtiff_unpacks(file, kind, compression):
    grey = values(kind)
    try:
        Image.fromarray(grey).save(file, compression=compression)
    except OSError:  # a libtiff that was built without it
        tifffile.imwrite(file, grey, photometric="minisblack")
        with tifffile.TiffFile(file, mode="r+b") as tiff:
            tiff.pages[0].tags["Compression"].overwrite({"lzma": 34925, "zstd": 50000}[compression])
        assert "packed in a way that is not read there" in refusal(file)
    else:
        np.testing.assert_array_equal(read_image(file), grey)
        with tifffile.TiffFile(file, mode="r+b") as tiff:
            for name in ("ImageLength", "RowsPerStrip"):
                tiff.pages[0].tags[name].overwrite(SHAPE[0] + 8)
        assert "It must be a complete TIFF. Copy it again" in refusal(file)


def test_a_predictor_that_nothing_undoes_is_the_reason(file):
    tifffile.imwrite(file, values("i2"), photometric="minisblack", compression="zlib", tile=(16, 16), predictor=2)
    with tifffile.TiffFile(file, mode="r+b") as tiff:
        tiff.pages[0].tags["Predictor"].overwrite(34894)
    assert "(TIFF's predictor 34894)" in refusal(file)


@pytest.mark.parametrize(("kind", "depths"), [("u1", (3, 5, 6, 7)), ("u2", (9, 10, 11, 13, 14, 15)), ("u4", (24,))])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_a_depth_that_nothing_reads_is_the_reason(file, kind, depths, photometric):
    for bits in depths:
        tifffile.imwrite(file, values(kind), photometric=photometric)
        with tifffile.TiffFile(file, mode="r+b") as tiff:
            tiff.pages[0].tags["BitsPerSample"].overwrite(bits)
        message = refusal(file)
        assert f"it has {bits} bits a sample; 1, 2, 4, 8, " in message
        assert "and 64 are read in a TIFF of its kind" in message
        assert "Copy it again" not in message


@pytest.mark.parametrize(("order", "photometric"), [("<", "minisblack"), ("<", "miniswhite"), (">", "minisblack")])
def test_twelve_bits_are_read_in_one_kind_of_grey(file, order, photometric):
    grey = RNG.integers(0, 4096, SHAPE)
    pairs = np.stack([grey[:, ::2] >> 4, (grey[:, ::2] & 15) << 4 | grey[:, 1::2] >> 8, grey[:, 1::2] & 255], axis=2)
    tifffile.imwrite(file, pairs.reshape(SHAPE[0], -1).astype(np.uint8), byteorder=order, photometric=photometric)
    with tifffile.TiffFile(file, mode="r+b") as tiff:
        tiff.pages[0].tags["BitsPerSample"].overwrite(12)
        tiff.pages[0].tags["ImageWidth"].overwrite(SHAPE[1])
    if (order, photometric) == ("<", "minisblack"):
        np.testing.assert_array_equal(read_image(file), grey)
        assert read_tiff(file).white == 4095
    else:
        assert "it has 12 bits a sample; 1, 2, 4, 8, 16, 32 and 64 are read in a TIFF of its kind" in refusal(file)


@pytest.mark.parametrize("kind", ["i1", "i2", "i4"])
def test_alpha_of_signed_numbers_has_no_value_for_opaque(file, kind):
    pixels = np.full((*SHAPE, 2), 100, kind)
    pixels[..., 1] = np.iinfo(kind).max
    pixels[0, 0, 1] = 0
    tifffile.imwrite(file, pixels, photometric="minisblack", extrasamples=["unassalpha"])
    assert "its alpha is of signed numbers, which have none for opaque" in refusal(file)


@pytest.mark.parametrize("bands", [2, 4])
def test_alpha_of_floats_goes_from_0_to_1(file, bands):
    pixels = np.full((*SHAPE, bands), 200, np.float32)
    pixels[..., -1] = 1
    pixels[0, :2, -1] = 0, 0.25
    photometric = "rgb" if bands == 4 else "minisblack"
    tifffile.imwrite(file, pixels, photometric=photometric, extrasamples=["unassalpha"])
    assert read_image(file)[0, :3].tolist() == pytest.approx([0, 50, 200])
    pixels[1, 1, -1] = 255
    tifffile.imwrite(file, pixels, photometric=photometric, extrasamples=["unassalpha"])
    assert "its alpha is not within 0 and 1, which is opaque in floats" in refusal(file)


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


def upright(pixels, orientation):
    rows_down, columns_across = {
        **{1: (pixels, False), 2: (pixels[:, ::-1], False), 3: (pixels[::-1, ::-1], False), 4: (pixels[::-1], False)},
        **{5: (pixels, True), 6: (pixels[::-1], True), 7: (pixels[::-1, ::-1], True), 8: (pixels[:, ::-1], True)},
    }[orientation]
    return rows_down.swapaxes(0, 1) if columns_across else rows_down


def test_the_orientation_tag_is_followed(file):
    grey = values("u2")
    for orientation in range(1, 9):
        tifffile.imwrite(file, grey, extratags=[(274, "H", 1, orientation, True)])
        np.testing.assert_array_equal(read_image(file), upright(grey, orientation))


PILLOWS = [(mode, "tiff_lzw") for mode in ("L", "LA", "RGB", "RGBA", "P", "1", "I;16", "F", "CMYK", "YCbCr")]
PILLOWS += [(mode, "jpeg") for mode in ("L", "RGB", "CMYK", "YCbCr")]
PILLOWS += [("1", "group4"), ("CMYK", "raw"), ("YCbCr", "raw")]


@pytest.mark.parametrize(("mode", "compression"), PILLOWS)
def test_the_orientation_tag_is_followed_once_where_pillow_decodes(file, mode, compression):
    image = Image.fromarray(values("u2")) if mode == "I;16" else Image.fromarray(values("u1")).convert(mode)
    if mode == "YCbCr" and compression != "jpeg" and int(PIL.__version__.partition(".")[0]) < 12:
        pytest.skip("older Pillows write this kind with a part of its colours")
    image.save(file, compression=compression)
    stored = read_image(file, 3)
    for orientation in range(1, 9):
        image.save(file, compression=compression, tiffinfo={274: orientation})
        np.testing.assert_array_equal(read_image(file, 3), upright(stored, orientation))


def write_by_itk(file, pixels, compressor="LZW"):
    writer = SimpleITK.ImageFileWriter()
    writer.SetFileName(str(file))
    writer.SetCompressor(compressor)
    writer.UseCompressionOn()
    writer.Execute(SimpleITK.GetImageFromArray(pixels, isVector=pixels.ndim > 2))


@pytest.mark.parametrize(("kind", "bands"), [("u2", 3), ("u2", 4), ("i2", 1), ("u4", 1), ("i4", 1)])
def test_the_orientation_tag_is_followed_once_where_simpleitk_decodes(file, kind, bands):
    pixels = values(kind, (*SHAPE, bands) if bands > 1 else SHAPE)
    pixels[..., 3:] = np.iinfo(kind).max if bands == 4 else pixels[..., 3:]
    colour = pixels[..., :3] if bands > 1 else np.dstack([pixels] * 3)
    for orientation in range(1, 9):
        write_by_itk(file, pixels)
        with tifffile.TiffFile(file, mode="r+b") as tiff:
            tiff.pages[0].tags["Orientation"].overwrite(orientation)
        np.testing.assert_array_equal(read_image(file, 3), upright(colour, orientation))


def test_several_pages_are_refused_and_a_thumbnail_is_none(file):
    grey = values("u2")
    with tifffile.TiffWriter(file) as writer:
        writer.write(grey)
        writer.write(grey[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_image(file), grey)
    tifffile.imwrite(file, np.stack([grey] * 3), photometric="minisblack")
    assert "it has 3 pages, and one is read: export the one that is meant" in refusal(file)


@pytest.mark.parametrize("kind", [1, 4], ids=["thumbnail", "mask"])
def test_a_mask_before_the_picture_is_not_read_in_its_place(file, kind):
    mask, picture = (Image.fromarray(values("u1")) for _ in range(2))
    tags = {254: kind, 274: 1}
    for compression in ("raw", "tiff_lzw"):
        mask.save(file, save_all=True, append_images=[picture], compression=compression, tiffinfo=tags)
        with tifffile.TiffFile(file, mode="r+b") as tiff:
            for page, subfile in zip(tiff.pages, (kind, 0), strict=True):
                page.tags["NewSubfileType"].overwrite(subfile)
        if compression == "raw":
            np.testing.assert_array_equal(read_image(file), np.array(picture))
        else:
            assert "a thumbnail or a mask comes before its pixels: export the picture alone" in refusal(file)


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
