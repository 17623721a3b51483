"""Non-local means: the definition, on any grid and in any tiles, and the effects of denoising."""

import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dipy.denoise.nlmeans import nlmeans
from skimage.restoration import denoise_nl_means

from monai_freq.spectral import patch_averages
from monai_freq.spectral.nonlocal_means import nonlocal_means
from monai_freq.spectral.psd import band_shares, radial_psd

MODELS = ["gaussian", "rician"]
CASES = {  # shape, patch radius, search radius
    "image": ((17, 23), 1, 5),
    "wide patch": ((20, 33), 2, 5),
    "radii of each axis": ((9, 40), (1, 2), (4, 2)),
    "patch larger than the image": ((3, 4), 4, 5),
    "one row": ((1, 9), 1, 3),
    "one pixel": ((1, 1), 1, 2),
    "no patch": ((12, 11), 0, 2),
    "along one axis": ((8, 14), 1, (0, 4)),
    "volume": ((9, 10, 11), 1, 3),
    "wide patch in a volume": ((8, 7, 13), 2, (2, 1, 3)),
    "thick slices": ((10, 12, 4), (1, 1, 0), (3, 3, 1)),
    "no window across planes": ((4, 12, 9), 1, (0, 3, 2)),
    "patch larger than the volume": ((3, 2, 4), 3, 2),
    "one plane": ((1, 8, 9), 1, 2),
    "several runs of rows": ((130, 90), 2, 3),
    "several runs of rows in each plane": ((3, 75, 88), (0, 1, 1), (1, 2, 2)),
    "rows longer than a run": ((2, 5600), 1, (1, 2)),
    "large radii": ((9, 14), 3, 8),
}


def line(radius, axes):
    """Offsets within a radius along each axis."""
    each = [radius] * axes if isinstance(radius, int) else radius
    return list(itertools.product(*(range(-r, r + 1) for r in each)))


def by_definition(image, h, taps, window, rician=False, sigma=0.0, norm=None, kernel=lambda d: np.exp(-d)):
    """Voxel by offset by tap, in float64; ``norm`` divides the squares of a patch, by default their number."""
    image = np.asarray(image, dtype=np.float64)
    reach = [max(abs(t[a]) for t in taps) + max(abs(o[a]) for o in window) for a in range(image.ndim)]
    padded = np.pad(image, [(r, r) for r in reach], mode="reflect")

    def moved(*offsets):
        starts = [r + sum(o[a] for o in offsets) for a, r in enumerate(reach)]
        return padded[tuple(slice(s, s + n) for s, n in zip(starts, image.shape, strict=True))]

    total, weights = np.zeros_like(image), np.zeros_like(image)
    for offset in window:
        distance = sum((moved(tap) - moved(offset, tap)) ** 2 for tap in taps) / (norm or len(taps))
        weight = kernel(distance / h**2)
        total += weight * moved(offset) ** (2 if rician else 1)
        weights += weight
    mean = total / weights
    return np.sqrt(np.maximum(mean - 2 * sigma**2, 0)) if rician else mean


def rand(*shape, seed=0, dtype=torch.float32):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("shape", "patch", "search"), CASES.values(), ids=CASES)
def test_the_definition(shape, patch, search, model):
    x = rand(2, 1, *shape, dtype=torch.float64)
    settings = {
        "spatial_dims": len(shape),
        "patch_radius": patch,
        "search_radius": search,
        "noise_model": model,
        "sigma": 0.15,
    }
    taps, window = line(patch, len(shape)), line(search, len(shape))
    expected = [by_definition(v, 0.2, taps, window, model == "rician", 0.15) for v in x.flatten(0, 1)]
    expected = torch.from_numpy(np.stack(expected)).view(x.shape)
    torch.testing.assert_close(nonlocal_means(x, 0.2, **settings), expected, rtol=0, atol=1e-12)
    single = nonlocal_means(x.float(), 0.2, **settings)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_radii_by_default(dims):
    x = rand(*[11] * dims)
    window = {"search_radius": 5 if dims == 2 else 3, "patch_radius": 1, "noise_model": "rician"}
    assert torch.equal(nonlocal_means(x, 0.2, spatial_dims=dims), nonlocal_means(x, 0.2, spatial_dims=dims, **window))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("shape", "patch", "search"), CASES.values(), ids=CASES)
def test_operations_give_the_same_as_compiled_loops(shape, patch, search, model, dtype, monkeypatch):
    x = rand(2, *shape, dtype=dtype)
    settings = {"spatial_dims": len(shape), "patch_radius": patch, "search_radius": search, "noise_model": model}
    compiled = nonlocal_means(x, 0.2, **settings)
    monkeypatch.setattr(patch_averages, "_by_tiles", patch_averages._by_operations)
    atol = 1e-6 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(nonlocal_means(x, 0.2, **settings), compiled, rtol=0, atol=atol)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("shape", "patch", "search"), CASES.values(), ids=CASES)
def test_tiles_do_not_matter(shape, patch, search, model, monkeypatch):
    x = rand(3, *shape)
    settings = {"spatial_dims": len(shape), "patch_radius": patch, "search_radius": search, "noise_model": model}
    whole = nonlocal_means(x, 0.2, **settings)
    for voxels in (1, 60, 400) if x.numel() < 3000 else (400, 2000):
        for name in ("_TILE", "_TILE_OF_PLANE"):
            monkeypatch.setattr(patch_averages, name, voxels)
        torch.testing.assert_close(nonlocal_means(x, 0.2, **settings), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 40, 23), (5, 12, 13), (1, 9, 8, 7), (2, 2, 17, 9), (3, 1, 6, 5)])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_change_a_bit(shape, threads, monkeypatch):
    x = rand(*shape)
    settings = {"spatial_dims": len(shape) - 1, "search_radius": 2, "noise_model": "gaussian"}
    monkeypatch.setattr(patch_averages, "_WORK_PER_THREAD", 1)
    for name in ("_TILE", "_TILE_OF_PLANE"):
        monkeypatch.setattr(patch_averages, name, 100)
    alone = nonlocal_means(x, 0.2, **settings)
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            result = nonlocal_means(x, 0.2, **settings)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    assert torch.equal(result, alone)


def test_an_error_in_a_thread_is_seen(monkeypatch):
    monkeypatch.setattr(patch_averages, "_WORK_PER_THREAD", 1)
    monkeypatch.setattr(patch_averages, "_TILE_OF_PLANE", 100)
    monkeypatch.setattr(patch_averages, "average_tile", lambda *_: 1 / 0)
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            nonlocal_means(rand(32, 32), 0.2, spatial_dims=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


class Denoised(torch.utils.data.Dataset):
    """Images that are denoised where they are asked for."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return nonlocal_means(rand(20, 22, seed=index), 0.2, spatial_dims=2)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_of_a_loader_compute_the_same(method):
    expected = [Denoised()[index] for index in range(4)]
    loader = torch.utils.data.DataLoader(Denoised(), batch_size=None, num_workers=2, multiprocessing_context=method)
    for result, own in zip(loader, expected, strict=True):
        assert torch.equal(result, own)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["{}", "/proc/none"])
def test_a_process_that_finds_no_compiled_code(place, tmp_path):
    x = rand(20, 22)
    torch.save(x, tmp_path / "x.pt")
    code = f"""
import torch
from monai_freq.spectral.nonlocal_means import nonlocal_means
torch.save(nonlocal_means(torch.load({str(tmp_path / "x.pt")!r}), 0.2, spatial_dims=2), {str(tmp_path / "y.pt")!r})
"""
    environment = os.environ | {
        "NUMBA_CACHE_DIR": place.format(tmp_path / "kept"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, timeout=300)
    assert torch.equal(torch.load(tmp_path / "y.pt"), nonlocal_means(x, 0.2, spatial_dims=2))
    assert place != "{}" or list((tmp_path / "kept").rglob("*average_tile*.nbc"))


@pytest.mark.parametrize("shape", [(2, 3, 14, 15), (4, 6, 7, 8)])
def test_images_of_a_batch_do_not_see_each_other(shape):
    x = rand(*shape)
    together = nonlocal_means(x, 0.2, spatial_dims=2)
    for image, result in zip(x.flatten(0, 1), together.flatten(0, 1), strict=True):
        torch.testing.assert_close(nonlocal_means(image, 0.2, spatial_dims=2), result, rtol=0, atol=1e-6)
    volumes = nonlocal_means(x, 0.2, spatial_dims=3)
    for volume, result in zip(x, volumes, strict=True):
        torch.testing.assert_close(nonlocal_means(volume, 0.2, spatial_dims=3), result, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_results_repeat(model):
    x = rand(3, 30, 31)
    first, second = (nonlocal_means(x, 0.2, spatial_dims=2, noise_model=model) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shape", [(18, 25), (8, 9, 11)])
def test_flips_and_transposes_go_along(shape, model):
    x, dims = rand(*shape), len(shape)
    settings = {"spatial_dims": dims, "noise_model": model, "sigma": 0.1}
    result = nonlocal_means(x, 0.2, **settings)
    for axis in range(dims):
        torch.testing.assert_close(nonlocal_means(x.flip(axis), 0.2, **settings), result.flip(axis), rtol=0, atol=1e-6)
    for order in itertools.permutations(range(dims)):
        turned = nonlocal_means(x.permute(order), 0.2, **settings)
        torch.testing.assert_close(turned, result.permute(order), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shift", [-0.3, 1.0, 1000.0])
def test_gaussian_shifts_go_along(shift):
    x = rand(20, 21, dtype=torch.float64)
    settings = {"spatial_dims": 2, "noise_model": "gaussian"}
    torch.testing.assert_close(nonlocal_means(x + shift, 0.2, **settings), nonlocal_means(x, 0.2, **settings) + shift)


def test_gaussian_in_float32_on_a_high_level():
    x = 1000 + 20 * rand(24, 25, dtype=torch.float64)
    settings = {"spatial_dims": 2, "noise_model": "gaussian"}
    exact = nonlocal_means(x, 4.0, **settings)
    rounding = 2 * 1000 * torch.finfo(torch.float32).eps
    torch.testing.assert_close(nonlocal_means(x.float(), 4.0, **settings).double(), exact, rtol=0, atol=rounding)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gain", [1e-30, 3e-4, 255.0, 1e30])
def test_image_strength_and_sigma_scale_together(model, gain):
    x = rand(20, 21)
    result = nonlocal_means(x, 0.2, spatial_dims=2, noise_model=model, sigma=0.15)
    scaled = nonlocal_means(x * gain, 0.2 * gain, spatial_dims=2, noise_model=model, sigma=0.15 * gain)
    torch.testing.assert_close(scaled / gain, result, rtol=0, atol=2e-6)


@pytest.mark.parametrize("h", [0.0, 1e-30, 1e-7])
def test_without_strength_nothing_is_averaged(h):
    x = rand(2, 20, 21)
    assert torch.equal(nonlocal_means(x, h, spatial_dims=2, noise_model="gaussian"), x)
    assert torch.equal(nonlocal_means(x, h, spatial_dims=2, noise_model="rician"), x)
    debiased = (x.double().square() - 2 * 0.3**2).clamp(min=0).sqrt()
    result = nonlocal_means(x, h, spatial_dims=2, noise_model="rician", sigma=0.3)
    torch.testing.assert_close(
        result.double().square(), debiased.square(), rtol=0, atol=2 * torch.finfo(torch.float32).eps
    )


@pytest.mark.parametrize("h", [1e6, 1e200])
def test_with_all_strength_it_is_the_mean_of_the_window(h):
    x = rand(1, 1, 20, 21)
    mean = F.avg_pool2d(F.pad(x, (3, 3, 3, 3), mode="reflect"), 7, stride=1)
    result = nonlocal_means(x, h, spatial_dims=2, search_radius=3, noise_model="gaussian")
    torch.testing.assert_close(result, mean, rtol=0, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3, -7.0, 1000.1, 1e30])
def test_a_constant_stays_one(value):
    x = torch.full((2, 13, 14), value)
    assert torch.equal(nonlocal_means(x, 0.2, spatial_dims=2, noise_model="gaussian"), x)
    if value >= 0:
        torch.testing.assert_close(nonlocal_means(x, 0.2, spatial_dims=2, noise_model="rician"), x, rtol=1e-6, atol=0)


def test_an_empty_background_stays_empty():
    x = F.pad(0.5 + 0.1 * rand(16, 16), (12, 12, 12, 12))
    for model in MODELS:
        assert not nonlocal_means(x, 0.1, spatial_dims=2, noise_model=model)[:5].any()


def test_noise_falls_and_edges_stay():
    square = F.pad(torch.ones(24, 24), (12, 12, 12, 12))
    noisy = square + 0.1 * torch.randn(48, 48, generator=torch.Generator().manual_seed(0))
    result = nonlocal_means(noisy, 0.12, spatial_dims=2, noise_model="gaussian")
    assert (result - square).std() < 0.3 * (noisy - square).std()
    blurred = F.avg_pool2d(noisy[None], 5, stride=1, padding=2, count_include_pad=False)[0]
    at_edges = torch.zeros_like(square, dtype=torch.bool)
    at_edges[11:13, 12:36] = True
    assert (result - square)[at_edges].abs().mean() < 0.2 * (blurred - square)[at_edges].abs().mean()


def test_high_frequencies_fall_away():
    noisy = 1 + 0.1 * torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    before, after = (
        band_shares(*radial_psd(x, spatial_dims=2))["high"]
        for x in (noisy, nonlocal_means(noisy, 0.12, spatial_dims=2, noise_model="gaussian"))
    )
    assert before == pytest.approx(1 / 3, abs=0.03)
    assert after < 0.8 * before


def test_rician_noise_leaves_no_bias():
    generator = torch.Generator().manual_seed(0)
    real, imaginary = 0.1 * torch.randn(2, 64, 64, generator=generator)
    for signal in (0.15, 0.3, 1.0):
        noisy = torch.hypot(signal + real, imaginary)
        bias = nonlocal_means(noisy, 0.3, spatial_dims=2, noise_model="rician", sigma=0.1).mean() - signal
        assert abs(bias) < 0.01
    assert torch.hypot(0.15 + real, imaginary).mean() - 0.15 > 0.03


@pytest.mark.parametrize(("patch", "block"), [(1, 4), (1, 3), (2, 4)])
def test_the_same_as_dipy(patch, block):
    x = 0.3 + rand(12, 13, 11, dtype=torch.float64)
    theirs = nlmeans(x.numpy(), 0.3, patch_radius=patch, block_radius=block, method="classic", num_threads=1)
    # dipy's window is that of whole patches, and its strength is fixed
    ours = nonlocal_means(
        x.float(), 2**0.25 * 0.3, spatial_dims=3, patch_radius=patch, search_radius=block - patch, sigma=0.3
    )
    torch.testing.assert_close(ours.double(), torch.from_numpy(theirs), rtol=0, atol=1e-5)


def schraudolph(distance):
    """The approximate exponential of scikit-image's fast mode (N. Schraudolph 1999), which drops weights below 0.7%."""
    high_word = (2**20 / math.log(2) * -distance).astype(np.int32).astype(np.int64) + 1072693248 - 60801
    return np.where(distance < 5, (high_word << 32).view(np.float64), 0)


@pytest.mark.parametrize(("shape", "size", "search"), [((40, 41), 5, 5), ((32, 30), 3, 4), ((14, 15, 13), 3, 3)])
def test_the_same_as_scikit_image_but_for_its_conventions(shape, size, search):
    """The fast mode leaves out the first tap of each axis, but counts it, and approximates the exponential."""
    x, dims, h = rand(*shape, dtype=torch.float64), len(shape), 0.15
    theirs = denoise_nl_means(x.numpy(), patch_size=size, patch_distance=search, h=h, fast_mode=True)
    taps = list(itertools.product(range(-(size // 2) + 1, size // 2 + 1), repeat=dims))
    window = line(search, dims)
    emulated = by_definition(x, h, taps, window, norm=size**dims, kernel=schraudolph)
    np.testing.assert_allclose(theirs, emulated, rtol=0, atol=1e-12)
    # nothing else differs: with all taps and the exact exponential, the same lines give our result
    whole = by_definition(x, h, line(size // 2, dims), window)
    ours = nonlocal_means(x, h, spatial_dims=dims, patch_radius=size // 2, search_radius=search, noise_model="gaussian")
    np.testing.assert_allclose(ours, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_returns_as_it_came_but_not_under_autocast(dtype):
    x = rand(2, 16, 17).to(dtype)
    expected = nonlocal_means(x.float(), 0.2, spatial_dims=2)
    assert torch.equal(nonlocal_means(x, 0.2, spatial_dims=2), expected.to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(nonlocal_means(x, 0.2, spatial_dims=2), expected)


def test_strided_images_and_the_input_left_alone():
    x = rand(3, 20, 24)
    before = x.clone()
    turned = nonlocal_means(x.transpose(0, 2), 0.2, spatial_dims=2)
    assert torch.equal(x, before)
    torch.testing.assert_close(turned, nonlocal_means(x.transpose(0, 2).contiguous(), 0.2, spatial_dims=2))
    assert turned.shape == (24, 20, 3)


def test_no_gradients():
    x = rand(8, 8).requires_grad_()
    assert not nonlocal_means(x, 0.2, spatial_dims=2).requires_grad
    with torch.inference_mode():
        result = nonlocal_means(rand(8, 8), 0.2, spatial_dims=2)
    assert (result * rand(8, 8).requires_grad_()).sum().requires_grad


def test_torch_compile_does_not_look_into_compiled_loops():
    torch.compiler.reset()
    x = rand(2, 12, 13)
    compiled = torch.compile(lambda x: 2 * nonlocal_means(x, 0.2, spatial_dims=2), backend="eager")
    assert torch.equal(compiled(x), 2 * nonlocal_means(x, 0.2, spatial_dims=2))


GOOD = {"x": torch.ones(2, 8, 8), "h": 0.1, "spatial_dims": 2}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"h": -1.0}, "'h' is in units of the image, finite and at least 0, got -1.0"),
        ({"h": math.nan}, "'h' is in units of the image, finite and at least 0, got nan"),
        ({"h": math.inf}, "'h' .* got inf"),
        ({"h": True}, "'h' .* got True"),
        ({"sigma": -0.5}, "'sigma' is in units of the image, finite and at least 0, got -0.5"),
        ({"sigma": math.nan}, "'sigma' .* got nan"),
        ({"patch_radius": -1}, "'patch_radius' must be an integer of at least 0, or one for each of 2 axes, got -1"),
        ({"patch_radius": 1.5}, "'patch_radius' .* got 1.5"),
        ({"patch_radius": True}, "'patch_radius' .* got True"),
        ({"patch_radius": (1, 1, 1)}, r"'patch_radius' .* for each of 2 axes, got \(1, 1, 1\)"),
        ({"patch_radius": (1, -1)}, r"'patch_radius' .* got \(1, -1\)"),
        ({"search_radius": "5"}, "'search_radius' .* got '5'"),
        ({"search_radius": (5, 5, 3)}, r"'search_radius' .* got \(5, 5, 3\)"),
        ({"noise_model": "poisson"}, "'noise_model' must be one of rician, gaussian, got 'poisson'"),
        ({"spatial_dims": 1}, "'spatial_dims' must be 2 or 3, got 1"),
        ({"spatial_dims": 4, "x": torch.ones(2, 2, 2, 2)}, "'spatial_dims' must be 2 or 3, got 4"),
        ({"x": torch.ones(8)}, r"'x' must have at least 2 dimensions \(\*, \*spatial\), got shape \(8,\)"),
        ({"x": torch.ones(0, 4, 4)}, "'x' must not be empty"),
        ({"x": torch.ones(4, 4).to(torch.complex64)}, "'x' must be real"),
        ({"x": torch.tensor([[-1.5, 2.0]])}, "'x' must be a magnitude for .* 'rician', .* got a minimum of -1.5"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        nonlocal_means(**GOOD | wrong)


@pytest.mark.cuda
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("shape", "patch", "search"), CASES.values(), ids=CASES)
def test_on_a_gpu(shape, patch, search, model):
    x = rand(2, *shape)
    settings = {
        "spatial_dims": len(shape),
        "patch_radius": patch,
        "search_radius": search,
        "noise_model": model,
        "sigma": 0.15,
    }
    result = nonlocal_means(x.cuda(), 0.2, **settings)
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), nonlocal_means(x, 0.2, **settings), rtol=0, atol=2e-6)
