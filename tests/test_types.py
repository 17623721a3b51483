"""Functions of images take any type of NumPy and torch, and refuse values that are not real numbers."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import GaussianSmooth
from torch import nn

from monai_freq import transforms
from monai_freq.figures import DrawnCase, show_bands, show_plane, show_regions, three_planes
from monai_freq.figures.canvas import as_drawn, new_figure
from monai_freq.spectral.bands import coarse_low, fuse, low_pass, split
from monai_freq.spectral.learning_priority import input_gradient, learning_priority
from monai_freq.spectral.noise_sigma import estimate_noise_sigma
from monai_freq.spectral.nonlocal_means import nonlocal_means
from monai_freq.spectral.patch_averages import Window, weighted_means
from monai_freq.spectral.photon_statistics import image_noise, log_noise, noise_power, poisson_deviation
from monai_freq.spectral.polar_grid import PolarGrid
from monai_freq.spectral.polar_spectrum import polar_spectrum
from monai_freq.spectral.psd import band_shares, centroid, overlap, radial_psd
from monai_freq.spectral.ramp_filter import filter_window, ramp
from monai_freq.spectral.tomography import ParallelBeam
from monai_freq.spectral.whiten import whiten
from monai_freq.transforms.artifact import artifact_residual
from monai_freq.transforms.image import as_image

SIZE = 12
ONES = torch.randint(0, 2, (1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))  # exact in every type
HALVES = (torch.float16, torch.bfloat16)
REAL = [value for value in vars(torch).values() if isinstance(value, torch.dtype) and value.itemsize]
REAL = list(dict.fromkeys(REAL))
REFUSED = [d for d in REAL if d.is_complex or any(word in str(d) for word in ("qint", "quint", "bits", "float4"))]
PACKED = [getattr(torch, f"{sign}int{bits}") for sign in ("", "u") for bits in range(1, 8)]  # only a name as yet
REFUSED += PACKED
REAL = [d for d in REAL if d not in REFUSED and d != torch.float8_e8m0fnu]  # which has no zero


def scan(**settings):
    return {"extent_mm": 20, "n_angles": 8, "input_range": (0.0, 1000.0, 0.0, 1.0), **settings}


def seeded(transform):
    return transform.set_random_state(3)


#: makers, since random transforms change with each draw; ``artifact_psd`` and ``ApplyShortcutd`` have tests below
TRANSFORMS = {
    "FourierDisentangle": lambda: transforms.FourierDisentangle(0.2),
    "FourierLowPass": lambda: transforms.FourierLowPass(0.2),
    "SpectrumWhiten": transforms.SpectrumWhiten,
    "SpectrumMatch": lambda: transforms.SpectrumMatch([0.5] * 11),
    "RandSpectrumMatch": lambda: seeded(transforms.RandSpectrumMatch([[0.5] * 11], prob=1.0)),
    "RandSpectrumMatch, not drawn": lambda: transforms.RandSpectrumMatch([[0.5] * 11], prob=0.0),
    "NonLocalMeans": lambda: transforms.NonLocalMeans(sigma=0.2),
    "NonLocalMeans, estimated": lambda: transforms.NonLocalMeans(noise_model="gaussian"),
    "RandNonLocalMeans": lambda: seeded(transforms.RandNonLocalMeans(prob=1.0, sigma=0.2)),
    "RandNonLocalMeans, not drawn": lambda: transforms.RandNonLocalMeans(prob=0.0),
    "PhotonNoise": lambda: seeded(transforms.PhotonNoise(1e6, **scan())),
    "RandPhotonNoise": lambda: seeded(transforms.RandPhotonNoise(1.0, (1e6, 1e7), **scan())),
    "RandPhotonNoise, not drawn": lambda: transforms.RandPhotonNoise(0.0, **scan()),
    "FourierDisentangled": lambda: transforms.FourierDisentangled("image", 0.2),
    "FourierLowPassd": lambda: transforms.FourierLowPassd("image", 0.2),
    "SpectrumWhitend": lambda: transforms.SpectrumWhitend("image"),
    "SpectrumMatchd": lambda: transforms.SpectrumMatchd("image", [0.5] * 11),
    "RandSpectrumMatchd": lambda: seeded(transforms.RandSpectrumMatchd("image", [[0.5] * 11], prob=1.0)),
    "NonLocalMeansd": lambda: transforms.NonLocalMeansd("image", sigma=0.2),
    "RandNonLocalMeansd": lambda: seeded(transforms.RandNonLocalMeansd("image", prob=1.0, sigma=0.2)),
    "PhotonNoised": lambda: seeded(transforms.PhotonNoised("image", 1e6, **scan())),
    "RandPhotonNoised": lambda: seeded(transforms.RandPhotonNoised("image", 1.0, (1e6, 1e7), **scan())),
}
every_transform = pytest.mark.parametrize("name", TRANSFORMS)
quantizing = pytest.mark.filterwarnings("ignore:.*quantiz:UserWarning", "ignore:.*quantiz:DeprecationWarning")


def result_of(name, image):
    transform = TRANSFORMS[name]()
    return transform({"image": image})["image"] if name.split(",")[0].endswith("d") else transform(image)


def bare(result):
    return result.as_tensor() if isinstance(result, MetaTensor) else torch.as_tensor(result)


def close(found, expected, dtype):
    """Compare with a result in float32, rounded if the type is a half."""
    tolerance = 2.0 ** {torch.float16: -9, torch.bfloat16: -6}.get(dtype, -18)
    says = f"of {dtype}: {{}}".format
    one, two = bare(found).double(), bare(expected).double()
    torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance, msg=says)


@every_transform
def test_transforms_take_every_type_of_torch(name):
    for dtype in REAL:
        kept = dtype in (*HALVES, torch.float32, torch.float64)
        expected = result_of(name, ONES.to(dtype if dtype == torch.float64 else torch.float32))
        image = ONES.to(dtype)
        for given in (image, MetaTensor(image.clone(), meta={"echo": 2})):
            result = result_of(name, given)
            assert result.dtype == (dtype if kept else torch.float32)
            close(result, expected, dtype)
        assert result.meta["echo"] == 2
        assert torch.equal(image.to(torch.int64), ONES)


def laid_out(array, tmp_path):
    """One array in all memory layouts."""
    reversed_ = np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    transposed = np.ascontiguousarray(array.swapaxes(1, 2)).swapaxes(1, 2)
    spread = np.zeros((1, SIZE, 2 * SIZE), array.dtype)
    spread[..., ::2] = array
    locked = array.copy()
    locked.setflags(write=False)
    record = np.zeros(array.shape, np.dtype([("flag", "u1"), ("value", array.dtype)]))
    record["value"] = array
    mapped = np.memmap(tmp_path / "image", array.dtype, "w+", shape=array.shape)
    mapped[:] = array
    mapped.flush()
    read = np.memmap(tmp_path / "image", array.dtype, "r", shape=array.shape)
    return {
        "contiguous": array,
        "negative strides": reversed_,
        "transposed": transposed,
        "every second": spread[..., ::2],
        "read-only": locked,
        "unaligned": record["value"],
        "mapped": mapped,
        "mapped, read-only": read,
    }


CODES = [f"{order}{code}" for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] for order in "<>"]
CODES = [code for code in [*CODES, "?"] if np.dtype(code).kind in "biuf"]


ARRAYS = list(dict.fromkeys(map(np.dtype, CODES)))
every_array = pytest.mark.parametrize("code", ARRAYS, ids=lambda code: f"{code.str}-{code.char}")


def is_wide(code):
    return code.kind == "f" and code.itemsize >= 8


def returned(code):
    half = code.kind == "f" and code.itemsize == 2
    return torch.float64 if is_wide(code) else torch.float16 if half else torch.float32


@every_array
def test_arrays_may_lie_in_memory_in_any_way(code, tmp_path):
    for layout, array in laid_out(ONES.numpy().astype(code), tmp_path).items():
        tracked, image = as_image(array)
        assert image.dtype == returned(code), layout
        assert torch.equal(image.to(torch.int64), ONES), layout
        if not array.flags.writeable:
            tracked[:] = 0
            assert np.array_equal(array, ONES), layout


@every_transform
def test_transforms_take_every_array_of_numpy(name):
    for code in ARRAYS:
        expected = result_of(name, ONES.to(torch.float64 if is_wide(code) else torch.float32))
        array = ONES.numpy().astype(code)
        result = result_of(name, array)
        assert result.dtype == returned(code)
        close(result, expected, returned(code))
        assert np.array_equal(array, ONES)


@pytest.mark.parametrize("code", [">i2", "f4"])
@every_transform
def test_transforms_leave_arrays_as_they_were(name, code, tmp_path):
    expected = result_of(name, ONES.float())
    for layout, array in laid_out(ONES.numpy().astype(code), tmp_path).items():
        close(result_of(name, array), expected, torch.float32)
        assert np.array_equal(array, ONES), layout


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning")
@quantizing
@every_transform
def test_transforms_refuse_what_is_no_real_number(name):
    for dtype in REFUSED:
        image = torch.empty(1, SIZE, SIZE, dtype=dtype) if "q" not in str(dtype) else quantized(dtype)
        with pytest.raises(ValueError, match="an image must be real and not empty, got torch"):
            result_of(name, image)


def quantized(dtype):
    scales, points = torch.ones(SIZE), torch.zeros(SIZE)
    if dtype in (torch.quint4x2, torch.quint2x4):
        return torch.quantize_per_channel(torch.zeros(SIZE, SIZE), scales, points, 0, torch.quint4x2)[None]
    return torch.quantize_per_tensor(ONES.float(), 1.0, 0, dtype)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (ONES.numpy().astype("c8"), "real and not empty, got torch.complex64"),
        (ONES.numpy().astype(">c16"), "real and not empty, got torch.complex128"),
        (ONES.numpy().astype(np.clongdouble), "real and not empty, got torch.complex128"),
        (ONES.numpy().astype(object), "array of real numbers, got object"),
        (ONES.numpy().astype("U3"), "array of real numbers, got <U3"),
        (ONES.numpy().astype("S3"), r"array of real numbers, got \|S3"),
        (ONES.numpy().astype("M8[D]"), r"array of real numbers, got datetime64\[D\]"),
        (ONES.numpy().astype("m8[s]"), r"array of real numbers, got timedelta64\[s\]"),
        (np.zeros((1, 4, 4), [("r", "u1"), ("g", "u1")]), r"got the fields \('r', 'g'\): take one of them"),
        (np.ma.masked_equal(ONES.numpy(), 0), r"no masked values: fill them first, with .filled\(0\)"),
        (np.array(3.0), r"must have the shape \(C, \*spatial\)"),
        (np.float32(3.0), r"must have the shape \(C, \*spatial\)|must be an array or a tensor, got float32"),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else None,
)
def test_arrays_of_other_things_are_refused_by_name(array, says):
    for name in TRANSFORMS:
        with pytest.raises(ValueError, match=says):
            result_of(name, array)
    with pytest.raises(ValueError, match=rf"{says}|load it first"):
        artifact_residual(GaussianSmooth(1.0), array)


def test_large_integers_are_rounded_as_float32_is():
    image = torch.full((1, SIZE, SIZE), 2**24 + 1)
    assert torch.equal(bare(transforms.RandNonLocalMeans(prob=0.0)(image)), torch.full((1, SIZE, SIZE), 2.0**24))
    for dtype, value in ((torch.uint64, 2**63 + 5), (torch.int64, -(2**62)), (torch.uint32, 2**32 - 1)):
        filled = torch.full((1, SIZE, SIZE), value, dtype=dtype)
        for given in (filled, filled.numpy()):
            found = bare(transforms.FourierLowPass(0.3)(given)).double()
            torch.testing.assert_close(found, torch.full_like(found, float(value)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", REAL, ids=str)
def test_artifacts_take_every_type(dtype):
    blur, image = GaussianSmooth(1.0), ONES.to(dtype)
    expected = artifact_residual(blur, ONES.to(torch.float64 if dtype == torch.float64 else torch.float32))
    for given in (image, MetaTensor(image.clone())):
        found = artifact_residual(blur, given)
        assert found.dtype == expected.dtype
        torch.testing.assert_close(bare(found), bare(expected))
    density = transforms.artifact_psd(blur, [image])[1]
    torch.testing.assert_close(density, transforms.artifact_psd(blur, [ONES.to(expected.dtype)])[1])
    item = {"image": image, "shortcut": True}
    for shortcut in (transforms.ApplyShortcutd("image", blur), transforms.StaticShortcutd("image", blur)):
        if image.is_floating_point():
            assert shortcut(item)["image"].dtype == (dtype if dtype.itemsize > 1 else torch.float32)
        else:
            with pytest.raises(ValueError, match=f"of floating point, got {dtype}: put EnsureTyped"):
                shortcut(item)


@every_array
def test_artifacts_take_every_array(code, tmp_path):
    blur = GaussianSmooth(1.0)
    expected = bare(artifact_residual(blur, ONES.to(torch.float64 if is_wide(code) else torch.float32)))
    for array in laid_out(ONES.numpy().astype(code), tmp_path).values():
        torch.testing.assert_close(bare(artifact_residual(blur, array)), expected)
        if code.kind == "f":
            altered = transforms.ApplyShortcutd("image", blur)({"image": array, "shortcut": True})["image"]
            assert altered.dtype == (np.float64 if is_wide(code) else code.newbyteorder("="))


BEAM = ParallelBeam((SIZE, SIZE), n_angles=6)
BINS, RAYS = BEAM.n_detectors, BEAM.rays(torch.zeros(SIZE, SIZE)).shape
GRID = PolarGrid((SIZE, SIZE), (1.0, 1.0), n_angles=4, length=32)
WINDOW = Window(patch=(0, 0, 0), search=(0, 1, 1), exponent=-1.0, squares=False)
FREQUENCIES = torch.linspace(0, 0.5, SIZE)


def generator():
    return torch.Generator().manual_seed(0)


def of_a_network(function, x):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 5), nn.Tanh(), nn.Linear(5, 2))
    network = network.double() if x.dtype == torch.float64 else network
    return function(network, nn.CrossEntropyLoss(), x[None], torch.tensor([1]))


#: functions of ``(1, SIZE, SIZE)``, and whether a half-precision input gives a half-precision result
FUNCTIONS = {
    "split": (lambda x: torch.cat(split(x, 0.2, spatial_dims=2)), True),
    "coarse_low": (lambda x: coarse_low(x, 0.2, spatial_dims=2), True),
    "fuse": (lambda x: fuse(x, x, 0.2, spatial_dims=2), True),
    "low_pass": (lambda x: low_pass(x, 0.2, spatial_dims=2), True),
    "whiten": (lambda x: whiten(x, spatial_dims=2), True),
    "nonlocal_means": (lambda x: nonlocal_means(x, 0.3, spatial_dims=2), True),
    "weighted_means": (lambda x: weighted_means(x[None], WINDOW), False),
    "estimate_noise_sigma": (lambda x: estimate_noise_sigma(x, spatial_dims=2), False),
    "radial_psd": (lambda x: radial_psd(x, spatial_dims=2)[1], False),
    "centroid": (lambda x: centroid(FREQUENCIES, x), False),
    "band_shares": (lambda x: torch.stack([*band_shares(FREQUENCIES, x).values()]), False),
    "overlap": (lambda x: overlap(x, x), False),
    "input_gradient": (lambda x: of_a_network(input_gradient, x), False),
    "learning_priority": (lambda x: of_a_network(learning_priority, x)[1], False),
    "project": (BEAM.project, True),
    "backproject": (lambda x: BEAM.backproject(x.flatten()[: 6 * BINS].view(6, BINS)), True),
    "fbp": (lambda x: BEAM.fbp(x.flatten()[: 6 * BINS].view(6, BINS)), True),
    "rays": (lambda x: BEAM.rays(x[0]), False),
    "image_of": (lambda x: BEAM.image_of(x.flatten()[:BINS].expand(RAYS)), False),
    "polar_spectrum": (lambda x: torch.view_as_real(polar_spectrum(x[0], GRID)), False),
    "image_noise": (lambda x: image_noise(x[0], BEAM, 1e9, generator())[0], False),
    "log_noise": (lambda x: log_noise(x[0], 1e9, generator())[0], False),
    "poisson_deviation": (lambda x: poisson_deviation(x, generator()), False),
    "noise_power": (lambda x: noise_power(x, 1.0, 0.5, 100), False),
    "filter_window": (lambda x: filter_window("hann", x), False),
    "ramp": (lambda x: ramp(16, "ramp", x), False),
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


@every_function
def test_functions_take_every_type_of_torch(name):
    for dtype in REAL:
        function, kept = FUNCTIONS[name]
        expected = function(ONES.to(torch.float64 if dtype == torch.float64 else torch.float32))
        image = ONES.to(dtype)
        found = function(image)
        computed = torch.float64 if dtype == torch.float64 else torch.float32
        assert found.dtype == (dtype if kept and dtype in HALVES else computed)
        close(found, expected, found.dtype)
        assert torch.equal(image.to(torch.int64), ONES)


@quantizing
@every_function
def test_functions_refuse_what_is_no_real_number(name):
    for dtype in (torch.complex64, torch.quint8):
        if name == "ramp":  # it takes only type and device of its tensor
            return
        image = quantized(dtype) if dtype == torch.quint8 else ONES.to(dtype)
        with pytest.raises(ValueError, match=f"must be (real|of integers or floating point), got {dtype}"):
            FUNCTIONS[name][0](image)


VOLUME = (np.arange(5 * 6 * 4).reshape(5, 6, 4) % 3 == 0).astype("f4")


def drawn(image, mask):
    """All figures of an image, as pixels."""
    case = DrawnCase("case", image, mask, image, image, (1, 1, 1), {1: "one"})
    panel = new_figure(1, 1)
    show_plane(panel.subplots(), image, 2, 1, mask=mask)
    figures = [three_planes(image, {"mask": mask}, classes={1: "one"}), show_regions([case]), show_bands([case]), panel]
    for figure in figures:
        figure.set_dpi(20)
        figure.canvas.draw()
    return [np.asarray(figure.canvas.buffer_rgba()) for figure in figures]


@pytest.fixture(scope="module")
def pictures():
    return drawn(VOLUME, VOLUME.astype("u1"))


@pytest.mark.parametrize("code", ["?", ">i2", "<f2", "g"])
def test_figures_take_every_array(code, pictures):
    found = drawn(VOLUME.astype(code), VOLUME.astype(code))
    assert all(map(np.array_equal, found, pictures))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.uint16], ids=str)
def test_figures_take_tensors(dtype, pictures):
    volume = torch.as_tensor(VOLUME).to(dtype)
    assert all(map(np.array_equal, drawn(volume, volume), pictures))


@every_array
def test_what_is_drawn_has_a_type_that_matplotlib_takes(code):
    found = as_drawn(VOLUME.astype(code))
    assert found.dtype == ("f8" if is_wide(code) else "f4")
    assert np.array_equal(found, VOLUME)


def test_figures_refuse_what_is_no_real_number():
    for values in (VOLUME.astype("c8"), VOLUME.astype(object), torch.as_tensor(VOLUME) + 0j):
        with pytest.raises(ValueError, match=r"'image' must be of real numbers, got (complex64|object)"):
            three_planes(values, {})
