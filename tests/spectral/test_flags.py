"""Traces of how an image was made: planted ones are found and named, and images without one raise no alarm."""

import io
import math
from itertools import product

import numpy as np
import pytest
import scipy
import torch
from PIL import Image

from monai_freq.phantoms.heart import draw_heart_case
from monai_freq.spectral.bands import low_pass
from monai_freq.spectral.flags import FLAGS, spectrum_flags
from monai_freq.spectral.flags.border import constant_border, without_border
from monai_freq.spectral.flags.cutoff import spectral_cutoffs
from monai_freq.spectral.flags.grey_levels import grey_levels
from monai_freq.spectral.flags.jpeg import block_edges, dct_steps
from monai_freq.spectral.flags.log_power import LogPower
from monai_freq.spectral.flags.peaks import spectral_peaks
from monai_freq.spectral.flags.resampling import resampling_factors
from monai_freq.spectral.flags.roll_off import roll_off


def texture(shape, seed=0, slope=1.4, noise=0.05):
    """Part of a texture with an amplitude of 1/f^slope, with white noise."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [2 * size for size in shape]
    grid = torch.meshgrid(*map(torch.fft.fftfreq, sizes), indexing="ij")
    radius = sum(axis.square() for axis in grid).sqrt().clamp(min=1 / max(sizes))
    field = torch.fft.ifftn(torch.fft.fftn(torch.randn(sizes, generator=generator)) * radius**-slope).real
    field = field[tuple(slice(size) for size in shape)]
    return (field - field.mean()) / field.std() + noise * torch.randn(shape, generator=generator)


def eight_bits(x):
    return ((x - x.min()) / (x.max() - x.min()) * 255).round()


def jpeg(x, quality):
    """Image read back from a JPEG file, and the file's own table of steps."""
    file = io.BytesIO()
    Image.fromarray(eight_bits(x).numpy().astype(np.uint8)).save(file, "JPEG", quality=quality)
    picture = Image.open(file)
    return torch.from_numpy(np.array(picture)), torch.tensor(picture.quantization[0]).view(8, 8)


def fourier_enlarged(x, factor):
    """Fourier interpolation along each axis by SciPy."""
    values = x.numpy()
    for axis, size in enumerate(x.shape):
        values = scipy.signal.resample(values, round(size * factor), axis=axis)
    return torch.from_numpy(values)


def enlarged(x, factor, mode):
    name = {"linear": ["", "bilinear", "trilinear"][x.ndim - 1], "cubic": "bicubic"}.get(mode, mode)
    size = [round(size * factor) for size in x.shape]
    return torch.nn.functional.interpolate(x[None, None], size=size, mode=name)[0, 0]


def seen(frequency):
    """Frequency that samples show, from 0 to 0.5."""
    return abs((frequency + 0.5) % 1 - 0.5)


def found(image, spacing=None):
    return {name for name, flag in spectrum_flags(image, spacing).items() if flag.found}


@pytest.mark.parametrize("factor", [1.25, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("shape", [(128, 96), (40, 48, 32)])
def test_the_cutoff_of_zero_filling_is_found_within_a_step(shape, factor):
    small = texture([round(size / factor) for size in shape])
    for image in (fourier_enlarged(small, factor), eight_bits(fourier_enlarged(small, factor))):
        steps = [step for step in spectral_cutoffs(LogPower(image)) if step.axis is not None]
        assert [step.axis for step in steps if step.found] == list(range(len(shape)))
        for step, before, size in zip(steps, small.shape, image.shape, strict=True):
            assert abs(step.frequency * size - before / 2) <= 1
        assert found(image) - {"few_grey_levels"} == {"zero_filled"}


def test_a_cutoff_is_found_in_a_crop_within_two_steps():
    """Lines that were cut off are not periodic: the window spreads the edge."""
    image = fourier_enlarged(texture((100, 80)), 1.6)[3:-4, 5:-2]
    steps = [step for step in spectral_cutoffs(LogPower(image)) if step.axis is not None]
    assert all(step.found for step in steps)
    assert all(abs(step.frequency - 0.5 / 1.6) * size <= 2 for step, size in zip(steps, image.shape, strict=True))


@pytest.mark.parametrize("shape", [(128, 128), (48, 48, 48)])
def test_a_circular_low_pass_has_a_radial_cutoff(shape):
    image = low_pass(texture(shape), 0.25, spatial_dims=len(shape))
    flag = spectrum_flags(image)["zero_filled"]
    assert flag.found
    assert [axis for axis, _ in flag.frequencies] == [None]
    assert abs(flag.frequencies[0][1] - 0.25) * shape[0] < 1.01


@pytest.mark.parametrize(
    ("mode", "factor"),
    # not cubic by 2: both new pixels lie a quarter from an old one, and are alike
    [*product(["linear", "nearest"], [1.25, 1.6, 2.0, 3.0]), *product(["cubic"], [1.25, 1.6, 3.0])],
)
def test_interpolation_leaves_the_period_of_the_old_grid(mode, factor):
    image = enlarged(texture([round(240 / factor)] * 2, slope=1.2), factor, mode)
    flag = spectrum_flags(eight_bits(image))["resampled"]
    assert [axis for axis, _ in flag.frequencies] == [0, 1]
    for _, frequency in flag.frequencies:
        assert min(abs(seen(harmonic / factor) - frequency) for harmonic in (1, 2)) * 240 < 1
    assert not spectrum_flags(image)["zero_filled"].found


def test_a_volume_with_interpolated_slices_names_their_axis():
    """Slices of twice the distance, and one interpolated between each two."""
    slices = texture((48, 48, 25))
    volume = torch.stack([slices, (slices + slices.roll(-1, 2)) / 2], dim=-1).flatten(2)[..., :-1]
    flag = spectrum_flags(volume, spacing=(1, 1, 2.5))["resampled"]
    assert [axis for axis, _ in flag.frequencies] == [2]
    assert flag.frequencies[0][1] == pytest.approx(0.5, abs=0.02)
    assert flag.per_mm[0][1] == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("frequency", [0.2, 2 / 7, 0.5])
def test_factors_are_those_whose_period_is_seen(frequency):
    for factor in resampling_factors(frequency):
        assert seen(1 / factor) == pytest.approx(frequency)


@pytest.mark.parametrize("quality", [75, 90, 95])
def test_the_steps_of_jpeg_are_those_of_its_table(quality):
    image, table = jpeg(texture((128, 160)), quality)
    steps = dct_steps(image.float())
    seen = steps > 0
    assert seen.sum() >= 10
    torch.testing.assert_close(steps[seen], table[seen].float())
    assert "jpeg_quantised" in found(image)


def test_jpeg_is_found_after_a_crop_and_a_change_of_scale():
    """The edges tell where the blocks begin, and the grey levels their step."""
    image, _ = jpeg(texture((128, 160), slope=1.8, noise=0.01), 75)
    cropped = image[3:-2, 5:].float() * 0.37 - 20
    assert {"jpeg_blocks", "jpeg_quantised"} <= found(cropped)
    assert [blocks.phase for blocks in block_edges(cropped)] == [5, 3]
    assert "resampled" not in found(cropped)


def test_drawings_are_no_jpeg():
    """Straight edges, and equal blocks: their coefficients are few numbers, whatever these are."""
    image = torch.zeros(192, 192)
    image[40:160, 60:140], image[80:120, 80:120] = 100, 170
    image += torch.linspace(0, 30, 192).round()
    assert int((dct_steps(image) > 0).sum()) < 4
    assert not {"jpeg_blocks", "jpeg_quantised"} & found(image)


def test_a_border_is_counted_and_left_out():
    image = texture((60, 50))
    padded = torch.nn.functional.pad(image, (4, 7, 0, 12), value=-3.0)
    border = constant_border(padded)
    assert border == [(0, 12), (4, 7)]
    torch.testing.assert_close(without_border(padded, border), image)
    assert found(padded) == {"constant_border"}
    share = spectrum_flags(padded)["constant_border"].value
    assert share == pytest.approx(1 - image.numel() / padded.numel())


def test_a_border_of_another_value_is_another_border():
    image = torch.nn.functional.pad(texture((40, 40)), (0, 0, 3, 0), value=-4.0)
    image = torch.nn.functional.pad(image, (0, 0, 0, 5), value=4.0)
    assert constant_border(image) == [(3, 5), (0, 0)]
    assert constant_border(torch.ones(9, 9)) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("levels", [16, 256, 4096])
def test_the_step_of_grey_levels_survives_a_change_of_scale(levels):
    whole = torch.randint(0, levels, (96, 96), generator=torch.Generator().manual_seed(0))
    whole[0, 0], whole[0, 1] = 0, levels - 1
    result = grey_levels(whole * 0.731 + 12)
    assert result.step == pytest.approx(0.731, rel=1e-4)
    assert result.bits == pytest.approx(math.log2(levels))
    assert result.few == (levels <= 256)


def test_a_stretched_histogram_has_gaps():
    whole = texture((200, 200)).mul(30).add(100).round()
    stretched = (whole * 1.5).round()
    assert grey_levels(whole).gaps == 0
    assert grey_levels(stretched).gaps == pytest.approx(1 / 3, abs=0.02)
    assert "grey_level_gaps" in found(stretched)


@pytest.mark.parametrize("axis", [0, 1])
def test_grid_lines_are_found_where_they_are(axis):
    image = texture((200, 180))
    place = torch.arange(image.shape[axis]).view(-1, 1) if axis == 0 else torch.arange(image.shape[axis])
    wave = 0.1 * torch.cos(2 * torch.pi * 0.31 * place)
    flag = spectrum_flags(image + wave, spacing=(0.5, 0.2))["grid_lines"]
    assert [along for along, _ in flag.frequencies] == [axis]
    assert abs(flag.frequencies[0][1] - 0.31) * image.shape[axis] <= 1
    assert flag.per_mm[0][1] == pytest.approx(flag.frequencies[0][1] / (0.5, 0.2)[axis])
    assert found(image + wave) == {"grid_lines"}


def test_interlacing_and_spikes_are_told_apart():
    image = texture((128, 128))
    lines = image.clone()
    lines[::2] += 0.1
    assert found(lines) == {"grid_lines"}
    assert "every other line differs" in spectrum_flags(lines)["grid_lines"].said
    place = torch.arange(128)
    spike = image + 0.1 * torch.cos(2 * torch.pi * (0.25 * place[:, None] + 0.3125 * place))
    assert found(spike) == {"spectral_spike"}
    peak = spectral_peaks(LogPower(spike))[0]
    assert peak.axis is None
    assert [abs(part) for part in peak.frequency] == [0.25, 0.3125]
    assert peak.amplitude == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("shape", [(128, 128), (40, 40, 40)])
def test_smoothing_steepens_the_roll_off(shape):
    image = texture(shape)
    smooth = torch.from_numpy(scipy.ndimage.gaussian_filter(image.numpy(), 1.2))
    assert found(image) == set()
    assert found(smooth) == {"low_passed"}


def test_the_exponent_is_that_of_the_texture():
    """An amplitude of 1/f^1.5 has a power of 1/f^3."""
    generator = torch.Generator().manual_seed(0)
    grid = torch.meshgrid(*map(torch.fft.fftfreq, (256, 256)), indexing="ij")
    radius = sum(axis.square() for axis in grid).sqrt().clamp(min=1 / 256)
    field = torch.fft.ifftn(torch.fft.fftn(torch.randn(256, 256, generator=generator)) * radius**-1.5).real
    assert roll_off(LogPower(field))[0] == pytest.approx(3, abs=0.5)


def nulls(shapes, number):
    for shape in shapes:
        for seed in range(number):
            random = np.random.default_rng(seed)
            image = texture(shape, seed + 100, random.uniform(1, 2.5), 10 ** random.uniform(-3, -0.5))
            yield image if seed % 2 else (image * 400).round()


def test_images_without_a_trace_raise_no_alarm():
    alarms = [found(image) for image in nulls([(96, 80), (64, 64), (32, 40, 24)], 8)]
    assert alarms == [set()] * 24


@pytest.mark.slow
def test_false_alarms_are_rare():
    """In 120 textures, 10 tests each: not more than 1."""
    shapes = [(256, 256), (128, 96), (64, 64), (35, 50, 36)]
    alarms = [found(image) for image in nulls(shapes, 30)]
    assert sum(map(bool, alarms)) <= 1


def test_phantoms_raise_no_alarm():
    image, *_ = draw_heart_case(np.random.default_rng(0), (48, 48, 32))
    assert found(torch.as_tensor(np.asarray(image, dtype=np.float32))) == set()


def test_flags_follow_the_axes_and_ignore_the_scale():
    image = enlarged(texture((80, 96), slope=1.2), 1.6, "linear")
    image = torch.nn.functional.pad(image, (0, 6))
    flags, turned = spectrum_flags(image), spectrum_flags(image.T)
    scaled = spectrum_flags(-1000 + 50 * image.double())
    for name, flag in flags.items():
        assert turned[name].found == scaled[name].found == flag.found
        assert {(1 - axis, round(f, 6)) for axis, f in turned[name].frequencies if axis is not None} == {
            (axis, round(f, 6)) for axis, f in flag.frequencies if axis is not None
        }


def test_flags_are_the_same_again_and_leave_the_image_alone():
    image = texture((64, 64))
    before = image.clone()
    assert spectrum_flags(image) == spectrum_flags(image)
    torch.testing.assert_close(image, before)
    assert list(spectrum_flags(image)) == list(FLAGS)


@pytest.mark.parametrize("image", [torch.zeros(64, 64), torch.ones(32, 32, 32), torch.rand(5, 5), torch.rand(64, 5)])
def test_constant_and_small_images_have_no_spectrum(image):
    assert found(image) <= {"constant_border", "few_grey_levels"}


def test_flags_are_numbers_for_a_report():
    flag = spectrum_flags(fourier_enlarged(texture((40, 40)), 2), spacing=(0.5, 0.5))["zero_filled"].as_dict()
    assert flag["found"]
    assert flag["cycles_per_mm"] == [2 * frequency for frequency in flag["cycles_per_voxel"]]
    assert flag["axes"] == [0, 1]


@pytest.mark.parametrize(
    ("image", "spacing", "message"),
    [
        (torch.rand(2, 8, 8, 8), None, "one channel"),
        (torch.rand(8), None, "at least 2 dimensions"),
        (torch.tensor([[0.0, math.nan]]), None, "finite"),
        (torch.rand(8, 8), (1.0,), "2 positive voxel sizes"),
        (torch.rand(8, 8), (1.0, -1.0), "2 positive voxel sizes"),
        (torch.rand(8, 8, dtype=torch.complex64), None, "real"),
    ],
)
def test_what_is_no_image_is_refused(image, spacing, message):
    with pytest.raises(ValueError, match=message):
        spectrum_flags(image, spacing)


@pytest.mark.parametrize("size", range(14, 21))
@pytest.mark.parametrize("shape", [(), (24,)])
def test_short_axes_are_looked_at_as_far_as_they_go(size, shape):
    flags = spectrum_flags(texture((size, *shape, 32)))
    assert set(flags) == set(FLAGS)
