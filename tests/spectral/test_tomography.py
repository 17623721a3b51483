"""Line integrals and reconstructions against closed forms, and against scikit-image."""

import math
import pickle

import numpy as np
import pytest
import torch
from skimage.transform import iradon

from monai_freq.spectral.tomography import ParallelBeam

LODOPAB = {"shape": (362, 362), "spacing": (260 / 362, 260 / 362)}


def pixel_centres(beam, parts=1):
    """Positions in mm of the rows and columns, or of the parts of each."""
    offset = (torch.arange(parts, dtype=torch.float64) + 0.5) / parts - 0.5
    return [
        ((torch.arange(size, dtype=torch.float64) - (size - 1) / 2)[:, None] + offset).flatten() * step
        for size, step in zip(beam.shape, beam.spacing, strict=True)
    ]


def ellipse(beam, x, y, a, b, tilt=0.0, parts=8):
    """Share of each pixel that an ellipse of half axes a and b covers."""
    rows, columns = pixel_centres(beam, parts)
    dx, dy = columns - x, rows[:, None] - y
    along, across = dx * math.cos(tilt) + dy * math.sin(tilt), dy * math.cos(tilt) - dx * math.sin(tilt)
    inside = (along / a).square() + (across / b).square() <= 1
    return inside.double().view(beam.shape[0], parts, beam.shape[1], parts).mean((1, 3))


def ellipse_sinogram(beam, x, y, a, b, tilt=0.0):
    """Line integrals of an ellipse, 2 a b sqrt(r^2 - s^2) / r^2, averaged over each bin."""
    theta = beam.angles[:, None]
    r = torch.hypot(a * (theta - tilt).cos(), b * (theta - tilt).sin())
    s = beam.bins - x * theta.cos() - y * theta.sin()

    def primitive(s):
        s = s.clamp(-r, r)
        return (s * (r**2 - s**2).clamp(min=0).sqrt() + r**2 * (s / r).asin()) / 2

    return 2 * a * b / r**2 * (primitive(s + beam.bin_width / 2) - primitive(s - beam.bin_width / 2)) / beam.bin_width


BLOBS = [(0, 0, 30, 1.0), (40, -30, 8, 0.7), (-50, 20, 3, 0.8)]  # x, y, standard deviation in mm, height


def blobs(rows, columns):
    return sum(h * torch.exp(-((columns - x) ** 2 + (rows[:, None] - y) ** 2) / (2 * sd**2)) for x, y, sd, h in BLOBS)


def blobs_sinogram(angles, bins, bin_width):
    def one(x, y, sd, height):
        s = bins - x * angles[:, None].cos() - y * angles[:, None].sin()
        ends = [torch.erf((s + side * bin_width / 2) / (sd * math.sqrt(2))) for side in (1, -1)]
        return height * math.pi * sd**2 / bin_width * (ends[0] - ends[1])

    return sum(one(*blob) for blob in BLOBS)


def relative_rms(result, expected):
    return float((result - expected).norm() / expected.norm())


def psnr(result, expected, where=...):
    return float(10 * torch.log10(expected.max() ** 2 / (result - expected)[where].square().mean()))


PHANTOMS = {
    "disk": (LODOPAB, (0, 0, 100, 100)),
    "off the centre": (LODOPAB, (30, -20, 80, 80)),
    "tilted ellipse": (LODOPAB, (20, 15, 100, 50, 0.4)),
    "small disk": (LODOPAB, (-60, 40, 40, 40)),
    "rectangular image": ({"shape": (300, 400), "spacing": (0.7, 0.7)}, (30, -20, 60, 45, 1.0)),
    "anisotropic pixels": ({"shape": (240, 362), "spacing": (260 / 240, 260 / 362)}, (-20, 10, 90, 60, 0.7)),
    "odd sizes": ({"shape": (301, 363), "spacing": (0.8, 0.7)}, (10, -20, 90, 70, 2.0)),
    "few wide bins": ({**LODOPAB, "n_detectors": 201}, (20, 15, 100, 50, 0.4)),
    "an even number of bins": ({**LODOPAB, "n_detectors": 512, "n_angles": 101}, (20, 15, 100, 50, 0.4)),
    "narrow bins": ({**LODOPAB, "n_detectors": 901, "n_angles": 101}, (20, 15, 100, 50, 0.4)),
}


@pytest.mark.parametrize("name", PHANTOMS)
def test_line_integrals_of_ellipses(name):
    settings, phantom = PHANTOMS[name]
    beam = ParallelBeam(**{"n_angles": 180, **settings})
    sinogram = beam.project(ellipse(beam, *phantom).float())
    assert sinogram.shape == (beam.n_angles, beam.n_detectors)
    assert relative_rms(sinogram, ellipse_sinogram(beam, *phantom)) < 3e-3


def test_the_geometry_of_lodopab():
    beam = ParallelBeam(**LODOPAB)
    assert (beam.n_angles, beam.n_detectors) == (1000, 513)
    assert beam.bin_width == pytest.approx(0.71676, abs=1e-5)
    assert beam.angles[0] == pytest.approx(math.pi / 2000)
    assert beam.bins[256] == 0
    assert beam.bins[-1] == pytest.approx(256 * beam.bin_width)


def test_every_projection_holds_the_whole_image():
    beam = ParallelBeam((40, 60), (1.5, 1.0), n_angles=30)
    image = ellipse(beam, 3, -4, 20, 15)
    whole = beam.project(image).sum(1) * beam.bin_width
    torch.testing.assert_close(whole, (image.sum() * 1.5).expand(30), rtol=2e-3, atol=0)


def test_a_point_goes_where_it_belongs():
    beam = ParallelBeam((65, 65), n_angles=8)
    image = torch.zeros(65, 65)
    image[32 + 10, 32 + 20] = 1  # ten rows down, twenty columns to the right
    brightest = beam.bins[beam.project(image).argmax(1)]
    torch.testing.assert_close(brightest, 20 * beam.angles.cos() + 10 * beam.angles.sin(), rtol=0, atol=0.6)


def test_turning_the_image_turns_the_sinogram():
    beam = ParallelBeam((48, 48), n_angles=40)
    image = torch.rand(48, 48, dtype=torch.float64)
    sinogram = beam.project(image)
    turned = beam.project(image.rot90(1))  # counter-clockwise, as rows go down: theta - 90 degrees
    torch.testing.assert_close(turned[:20], sinogram[20:])
    torch.testing.assert_close(turned[20:], sinogram[:20].flip(1))
    torch.testing.assert_close(beam.project(image.mT), torch.cat([sinogram[:20].flip(0), sinogram[20:].flip(0, 1)]))


def test_reconstruction_of_a_smooth_phantom():
    beam = ParallelBeam(**LODOPAB)
    sinogram = blobs_sinogram(beam.angles, beam.bins, beam.bin_width)
    assert psnr(beam.fbp(sinogram.float()), blobs(*pixel_centres(beam))) > 70  # 48 was asked for
    assert relative_rms(beam.project(blobs(*pixel_centres(beam)).float()), sinogram) < 1.5e-3


@pytest.mark.parametrize(("x", "y", "radius"), [(0, 0, 100), (10, -5, 110), (0, 0, 125)])
def test_reconstruction_of_a_disk(x, y, radius):
    beam = ParallelBeam(**LODOPAB)
    disk = ellipse(beam, x, y, radius, radius)
    rows, columns = pixel_centres(beam)
    interior = torch.hypot(columns - x, rows[:, None] - y) < radius - 4
    result = beam.fbp(ellipse_sinogram(beam, x, y, radius, radius).float())
    assert psnr(result, disk, interior) > 48
    assert psnr(result, disk) > 38.5


@pytest.mark.parametrize("phantom", ["blobs", "disk"])
def test_reconstructions_are_as_good_as_those_of_scikit_image(phantom):
    """Each reconstruction has its own geometry: scikit-image's bins are as wide as its pixels, and centred on one."""
    beam = ParallelBeam((256, 256), n_angles=500, spacing=(260 / 256, 260 / 256))
    width = beam.spacing[0]
    theirs = ParallelBeam((256, 256), n_angles=500, spacing=beam.spacing)
    theirs.bin_width = width  # only `bins` and `angles` are used here
    pixels = (torch.arange(256, dtype=torch.float64) - 128) * width
    if phantom == "blobs":
        expected, their_expected = blobs(*pixel_centres(beam)), blobs(-pixels, pixels)
        sinogram, their_sinogram = (blobs_sinogram(b.angles, b.bins, b.bin_width) for b in (beam, theirs))
    else:
        shape = (10, -20, 90, 90)
        expected, sinogram, their_sinogram = (
            ellipse(beam, *shape),
            ellipse_sinogram(beam, *shape),
            ellipse_sinogram(theirs, *shape),
        )
        their_expected = ellipse(beam, shape[0] + width / 2, -shape[1] + width / 2, *shape[2:])  # y up, about pixel 128
    degrees = np.degrees(beam.angles.numpy())
    reference = iradon((their_sinogram / width).T.numpy(), degrees, output_size=256, circle=False)
    assert psnr(beam.fbp(sinogram), expected) >= psnr(torch.from_numpy(reference), their_expected) > 30


@pytest.mark.parametrize("filter", ["ramp", "shepp-logan", "cosine", "hann"])
def test_filters_keep_the_value_of_large_objects(filter):
    beam = ParallelBeam((128, 128), n_angles=200)
    result = beam.fbp(ellipse_sinogram(beam, 0, 0, 40, 40), filter)
    assert float(result[54:74, 54:74].mean()) == pytest.approx(1, abs=3e-3)


#: window on the ramp at a share f of the Nyquist frequency, from the literature
WINDOWS = {
    "ramp": torch.ones_like,
    "shepp-logan": lambda f: torch.sinc(f / 2),
    "cosine": lambda f: torch.cos(math.pi * f / 2),
    "hann": lambda f: (1 + torch.cos(math.pi * f)) / 2,
}


@pytest.mark.parametrize("filter", WINDOWS)
def test_one_bin_is_reconstructed_to_the_impulse_response_of_the_filter(filter):
    """One angle of 90 degrees: pi times the band-limited filter along the columns, a constant along the rows."""
    beam = ParallelBeam((81, 81), n_angles=1, n_detectors=115)
    sinogram = torch.zeros(1, 115, dtype=torch.float64)
    sinogram[0, 57] = 1
    image = beam.fbp(sinogram, filter)
    share = torch.linspace(0, 1, 4001, dtype=torch.float64)
    frequency = share / (2 * beam.bin_width)
    waves = torch.cos(2 * math.pi * pixel_centres(beam)[0][:, None] * frequency)
    response = 2 * torch.trapezoid(frequency * WINDOWS[filter](share) * waves, frequency) * beam.bin_width
    expected = (math.pi * response)[:, None].expand(81, 81)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-2 * float(expected.max()))


GEOMETRIES = [
    ((40, 40), (1.0, 1.0), 20, None),
    ((31, 31), (0.8, 0.8), 17, None),
    ((40, 40), (1.0, 1.0), 18, 33),
    ((20, 31), (1.3, 0.7), 15, None),
    ((20, 31), (1.3, 0.7), 16, 24),
    ((1, 9), (1.0, 2.0), 5, None),
    ((1, 1), (1.0, 1.0), 1, 1),
]


@pytest.mark.parametrize(
    ("shape", "spacing", "n_angles", "n_detectors"), [*GEOMETRIES, ((362, 362), (1, 1), 1000, None)]
)
def test_backprojection_is_the_adjoint(shape, spacing, n_angles, n_detectors):
    beam = ParallelBeam(shape, spacing, n_angles, n_detectors)
    image, sinogram = torch.randn(shape), torch.randn(n_angles, beam.n_detectors)
    projected = beam.project(image)
    forward = (projected.double() * sinogram).sum()
    backward = (image.double() * beam.backproject(sinogram)).sum()
    assert (forward - backward).abs() < 1e-6 * projected.norm() * sinogram.norm()  # 1e-5 was asked for


@pytest.mark.parametrize(("shape", "spacing", "n_angles", "n_detectors"), GEOMETRIES)
def test_all_maps_are_linear(shape, spacing, n_angles, n_detectors):
    beam = ParallelBeam(shape, spacing, n_angles, n_detectors)
    image = torch.randn(2, *shape, dtype=torch.float64)
    sinogram = torch.randn(2, n_angles, beam.n_detectors, dtype=torch.float64)
    for function, x in ((beam.project, image), (beam.backproject, sinogram), (beam.fbp, sinogram)):
        torch.testing.assert_close(function(2 * x[0] - x[1]), 2 * function(x)[0] - function(x)[1])


@pytest.mark.parametrize(("shape", "n_angles", "n_detectors"), [((5, 5), 4, None), ((4, 6), 3, None), ((5, 5), 6, 4)])
def test_gradients(shape, n_angles, n_detectors):
    beam = ParallelBeam(shape, (1.0, 1.0), n_angles, n_detectors)
    image = torch.randn(2, *shape, dtype=torch.float64, requires_grad=True)
    sinogram = torch.randn(2, n_angles, beam.n_detectors, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(beam.project, image, fast_mode=True)
    assert torch.autograd.gradcheck(beam.backproject, sinogram, fast_mode=True)
    assert torch.autograd.gradcheck(beam.fbp, sinogram, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: beam.project(x).square(), image, fast_mode=True)


def test_an_image_does_not_depend_on_its_batch():
    beam = ParallelBeam((30, 40), n_angles=24)
    images = torch.rand(2, 3, 30, 40)
    sinograms = beam.project(images)
    assert sinograms.shape == (2, 3, 24, beam.n_detectors)
    assert torch.equal(sinograms[1, 2], beam.project(images[1, 2]))
    assert torch.equal(beam.fbp(sinograms)[0, 1], beam.fbp(sinograms[0, 1]))
    assert torch.equal(beam.backproject(sinograms)[0, 1], beam.backproject(sinograms[0, 1]))


@pytest.mark.parametrize("settings", [{}, {"n_angles": 18}, {"shape": (40, 50)}, {"n_detectors": 30}, {"n_angles": 15}])
def test_the_order_of_the_rays_does_not_matter_to_the_image(settings):
    beam = ParallelBeam(**{"shape": (40, 40), "n_angles": 20, **settings})
    image = torch.rand(*beam.shape, dtype=torch.float64)
    torch.testing.assert_close(beam.image_of(beam.rays(image)), beam.fbp(beam.project(image)))


def test_the_ends_of_the_detector_do_not_matter_to_noise():
    beam = ParallelBeam((181, 181), n_angles=500)
    noise = torch.randn_like(beam.rays(torch.zeros(181, 181)))
    assert relative_rms(beam.image_of(noise, periodic=True), beam.image_of(noise)) < 5e-4
    disk = ellipse_sinogram(beam, 0, 0, 80, 80)
    sides = beam._mirrored(disk)
    assert relative_rms(beam.image_of(sides, periodic=True), beam.image_of(sides)) > 5e-3  # they matter to objects


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (torch.uint8, torch.float32),
        (torch.int16, torch.float32),
        (torch.float16, torch.float16),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
    ids=str,
)
def test_types(given, returned):
    beam = ParallelBeam((24, 24), n_angles=20)
    image = (torch.rand(24, 24) * 5).to(given)
    sinogram = beam.project(image)
    assert sinogram.dtype == beam.fbp(sinogram).dtype == returned
    expected = beam.project(image.double())
    tolerance = 1e-3 if given == torch.float16 else 1e-6
    torch.testing.assert_close(sinogram.double(), expected, rtol=tolerance, atol=tolerance * float(expected.max()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert beam.project(torch.rand(24, 24).bfloat16()).dtype == torch.float32


def test_scale_is_shared():
    """Only the product of attenuation and length counts: a geometry of another scale needs no tables of its own."""
    from monai_freq.spectral.polar_grid import taps_around

    image = torch.rand(30, 30)
    first = ParallelBeam((30, 30), (0.7, 0.7), n_angles=16)
    sinogram, misses = first.project(image), taps_around.cache_info().misses
    second = ParallelBeam((30, 30), (1.4 + 1e-9, 1.4), n_angles=16)
    torch.testing.assert_close(second.project(image), 2 * sinogram)
    torch.testing.assert_close(second.fbp(2 * sinogram), first.fbp(sinogram))
    assert taps_around.cache_info().misses == misses
    assert taps_around.cache_info().maxsize <= 8


def test_a_pickled_beam_is_small_and_works():
    beam = ParallelBeam((100, 100), n_angles=100)
    image = torch.rand(100, 100)
    before = beam.project(image)
    stored = pickle.dumps(beam)
    assert len(stored) < 1000
    assert torch.equal(pickle.loads(stored).project(image), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (3, 3, 3)}, r"'shape' must be the rows and columns of an image, got \(3, 3, 3\)"),
        ({"shape": (0, 3)}, r"'shape' must be the rows and columns of an image, got \(0, 3\)"),
        ({"spacing": (1.0, 0.0)}, r"'spacing' must be two positive pixel sizes, got \(1.0, 0.0\)"),
        ({"spacing": (1.0,)}, r"'spacing' must be two positive pixel sizes, got \(1.0,\)"),
        ({"n_angles": 0}, "'n_angles' must be a positive integer, got 0"),
        ({"n_angles": 1.5}, "'n_angles' must be a positive integer, got 1.5"),
        ({"n_angles": 90.0}, "'n_angles' must be a positive integer, got 90.0"),
        ({"n_detectors": -1}, "'n_detectors' must be a positive integer, got -1"),
        ({"n_detectors": 13.0}, "'n_detectors' must be a positive integer, got 13.0"),
        ({"n_detectors": True}, "'n_detectors' must be a positive integer, got True"),
        ({"n_detectors": 10**9}, r"of 8 x 8 pixels of 1 x 1 has 1e\+12 rays, more than 1.3e\+08, .*'n_detectors'"),
        ({"n_angles": 10**9}, r"has 1.1e\+10 rays, .* would take hours: check 'spacing', 'n_angles' and"),
        ({"spacing": (5e-324, 1e300)}, "has inf rays"),
    ],
    ids=str,
)
def test_other_geometries_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ParallelBeam(**{"shape": (8, 8), **arguments})


def test_other_images_are_refused():
    beam = ParallelBeam((8, 8), n_angles=4)
    with pytest.raises(ValueError, match=r"'mu' must have the shape \(\*, 8, 8\), got \(8, 9\)"):
        beam.project(torch.rand(8, 9))
    with pytest.raises(ValueError, match=r"'sinogram' must have the shape \(\*, 4, 13\), got \(4, 12\)"):
        beam.fbp(torch.rand(4, 12))
    with pytest.raises(ValueError, match="must be real"):
        beam.project(torch.rand(8, 8).to(torch.complex64))
    with pytest.raises(ValueError, match="'filter' must be one of ramp, shepp-logan, cosine, hann, got 'Ramp'"):
        beam.fbp(torch.rand(4, 13), "Ramp")


@pytest.mark.cuda
def test_on_cuda_as_on_the_cpu():
    beam = ParallelBeam((64, 64), n_angles=90)
    image = torch.rand(2, 64, 64)
    sinogram = beam.project(image)
    ours = beam.project(image.cuda())
    assert ours.device.type == "cuda"
    torch.testing.assert_close(ours.cpu(), sinogram, rtol=0, atol=1e-5 * float(sinogram.max()))
    torch.testing.assert_close(beam.fbp(ours).cpu(), beam.fbp(sinogram), rtol=0, atol=1e-4)
    torch.testing.assert_close(beam.backproject(ours).cpu(), beam.backproject(sinogram), rtol=1e-4, atol=1e-2)
