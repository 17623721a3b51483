"""Frequency bands, against physics and a plain Fourier transform in float64."""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from monai_freq.spectral import cache
from monai_freq.spectral.bands import coarse_low, fuse, low_pass, split
from monai_freq.spectral.basis import block_basis, block_frequencies, coarse_size

CONVENTIONS = ("figure2", "equation1", "released")
SIZES = [(32, 32), (31, 33), (24, 40, 6), (25, 17, 7), (1, 16), (2, 3), (16, 1, 5), (5, 7, 4)]
THETAS = (0.05, 0.1, 0.3, 0.5, 0.95)


def low_mask(shape, axes, theta, convention):
    """Bins of an unshifted ``fftn`` in the low band of a convention, from the definitions, frequency by frequency."""
    inside = torch.ones(shape, dtype=torch.bool)
    for axis in axes:
        size = shape[axis]
        k = torch.fft.fftfreq(size, d=1 / size, dtype=torch.float64).round().abs()
        center = k < theta * size / 2 - 1e-9
        nyquist = k > (1 - theta) * size / 2 + 1e-9
        line = center if convention == "figure2" else nyquist
        inside &= line.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return ~inside if convention == "equation1" else inside


def reference_low(x, spatial_dims, axes, theta, convention):
    dims = tuple(range(-spatial_dims, 0))
    mask = low_mask(x.shape[-spatial_dims:], axes, theta, convention)
    low = torch.fft.ifftn(torch.fft.fftn(x.double(), dim=dims) * mask, dim=dims)
    assert low.imag.abs().max() < 1e-12  # blocks are symmetric, so that the imaginary part is zero
    return low.real


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("shape", SIZES)
def test_split_equals_a_masked_fourier_transform(shape, theta, convention):
    x = torch.randn(2, 3, *shape, dtype=torch.float64)
    low, high = split(x, theta, spatial_dims=len(shape), convention=convention)
    expected = reference_low(x, len(shape), (0, 1), theta, convention)
    torch.testing.assert_close(low, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(high, x - expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (2, 1), (0, 1, 2)])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_any_axes(axes, convention):
    x = torch.randn(2, 12, 15, 10, dtype=torch.float64)
    low, _ = split(x, 0.4, spatial_dims=3, axes=axes, convention=convention)
    torch.testing.assert_close(low, reference_low(x, 3, axes, 0.4, convention), atol=1e-12, rtol=0)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(160, 160, 8), (161, 95, 8), (320, 256), (321, 255)])
def test_parts_sum_to_the_image_in_float32(shape, convention):
    x = torch.rand(1, *shape)
    low, high = split(x, spatial_dims=len(shape), convention=convention)
    assert low.dtype == high.dtype == torch.float32
    assert not low.is_complex()
    assert (low + high - x).abs().max() <= 1e-6


def tone(shape, axis, k):
    wave = torch.cos(2 * math.pi * k * torch.arange(shape[axis], dtype=torch.float64) / shape[axis] + 0.3)
    return wave.reshape([-1 if a == axis else 1 for a in range(len(shape))]).expand(shape)


@pytest.mark.parametrize("shape", [(40, 40), (41, 45), (40, 44, 6), (41, 39, 5)])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_tone_in_the_low_band_is_in_low_and_one_outside_in_high(convention, shape):
    theta, half = 0.3, shape[0] // 2
    at_center, at_nyquist = tone(shape, 0, 2), tone(shape, 0, half) * tone(shape, 1, shape[1] // 2)
    between = tone(shape, 0, half // 2)
    in_low = {
        "figure2": [at_center],
        "equation1": [at_center, between],
        "released": [at_nyquist],
    }[convention]
    for wave in (at_center, between, at_nyquist):
        low, high = split(wave, theta, spatial_dims=len(shape), convention=convention)
        kept, gone = (low, high) if any(wave is w for w in in_low) else (high, low)
        torch.testing.assert_close(kept, wave, atol=1e-12, rtol=0)
        assert gone.abs().max() < 1e-12


def test_sizes_of_the_paper():
    """160 voxels, 10%: k = -7..7 around DC; 73..80 around Nyquist, without 72, which the release leaves unpaired."""
    assert block_frequencies(160, 0.1) == range(8)
    assert block_frequencies(160, 0.1, "nyquist") == range(73, 81)
    assert coarse_size(160, 0.1) == 15
    assert block_basis(160, 0.1, "nyquist").shape == (160, 15)


@pytest.mark.parametrize(("size", "theta"), [(20, 0.7), (10, 0.6), (30, 0.1), (100, 0.29), (7, 2 / 7)])
def test_block_edges_are_exact_where_floats_are_not(size, theta):
    half = Fraction(theta).limit_denominator(1000) * size / 2
    assert list(block_frequencies(size, theta)) == [k for k in range(size // 2 + 1) if k < half]
    top = [k for k in range(size // 2 + 1) if k > Fraction(size, 2) - half]
    assert list(block_frequencies(size, theta, "nyquist")) == top


def test_theta_in_single_precision_is_the_same_ratio():
    theta = torch.tensor(0.1).item()
    assert theta * 160 / 2 > 8 + 1e-7
    assert block_frequencies(160, theta) == block_frequencies(160, Fraction(1, 10)) == range(8)
    assert block_frequencies(160, theta, "nyquist") == range(73, 81)


@pytest.mark.parametrize("theta", [1e-7, 5e-324])
def test_the_narrowest_band_is_the_mean(theta):
    x = torch.randn(1, 6, 9, dtype=torch.float64)
    low, high = split(x, theta, spatial_dims=2)
    torch.testing.assert_close(low, x.mean((-2, -1), keepdim=True).expand_as(x))
    torch.testing.assert_close(low + high, x)
    assert [len(block_frequencies(size, theta, "nyquist")) for size in (6, 9)] == [1, 0]  # 9 / 2 is none of 9's


@pytest.mark.parametrize("block", ["center", "nyquist"])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 9, 160, 161])
@pytest.mark.parametrize("theta", THETAS)
def test_bases_are_orthonormal(size, theta, block):
    columns = block_basis(size, theta, block, dtype=torch.float64)
    torch.testing.assert_close(
        columns.T @ columns, torch.eye(columns.shape[1], dtype=torch.float64), atol=1e-13, rtol=0
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(24, 20, 5), (15, 21, 4), (16, 18)])
def test_split_is_a_projection_and_keeps_the_energy(shape, convention):
    x = torch.randn(1, *shape, dtype=torch.float64)
    low, high = split(x, 0.35, spatial_dims=len(shape), convention=convention)
    again, nothing = split(low, 0.35, spatial_dims=len(shape), convention=convention)
    torch.testing.assert_close(again, low)
    assert nothing.abs().max() < 1e-12
    torch.testing.assert_close(low.square().sum() + high.square().sum(), x.square().sum())
    assert low.square().sum() > 0


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(("shape", "theta"), list(itertools.product([(24, 20, 5), (15, 21, 4), (16, 19)], THETAS)))
def test_fusing_an_image_with_itself_gives_the_image(shape, theta, convention):
    x = torch.randn(2, *shape, dtype=torch.float64)
    torch.testing.assert_close(fuse(x, x, theta, spatial_dims=len(shape), convention=convention), x)


@pytest.mark.parametrize(
    ("shape", "theta"), list(itertools.product([(24, 20, 5), (15, 21, 4), (16, 19), (1, 9)], THETAS))
)
def test_fusing_the_coarse_low_of_an_image_with_it_gives_the_image(shape, theta):
    x = torch.randn(2, *shape, dtype=torch.float64)
    coarse = coarse_low(x, theta, spatial_dims=len(shape))
    assert coarse.shape[1:3] == tuple(coarse_size(n, theta) for n in shape[:2])
    torch.testing.assert_close(fuse(coarse, x, theta, spatial_dims=len(shape)), x)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_fuse_takes_each_band_from_its_own_argument(convention):
    a, b = torch.randn(2, 1, 20, 24, 4, dtype=torch.float64)
    fused = fuse(a, b, 0.3, spatial_dims=3, convention=convention)
    low, high = split(fused, 0.3, spatial_dims=3, convention=convention)
    torch.testing.assert_close(low, split(a, 0.3, spatial_dims=3, convention=convention)[0])
    torch.testing.assert_close(high, split(b, 0.3, spatial_dims=3, convention=convention)[1])


def test_coarse_fusion_is_fourier_upsampling():
    """The upsampled field is the trigonometric polynomial through the coarse nodes, here from the nodes' spectrum."""
    theta, shape = 0.4, (30, 24)
    rows, columns = (coarse_size(n, theta) for n in shape)
    coarse = torch.randn(1, rows, columns, dtype=torch.float64)
    up = fuse(coarse, torch.zeros(1, *shape, dtype=torch.float64), theta, spatial_dims=2)
    spectrum = torch.fft.fft2(coarse)
    kx, ky = (torch.fft.fftfreq(n, d=1 / n, dtype=torch.float64) for n in (rows, columns))
    waves = [
        torch.exp(2j * math.pi * torch.outer(torch.arange(n, dtype=torch.float64), k) / n)
        for n, k in zip(shape, (kx, ky), strict=True)
    ]
    padded = torch.einsum("ta,bac,sc->bts", waves[0], spectrum, waves[1]) / (rows * columns)
    torch.testing.assert_close(up, padded.real, atol=1e-12, rtol=0)
    torch.testing.assert_close(coarse_low(up, theta, spatial_dims=2), coarse)


def test_the_coarse_low_of_a_constant_is_the_constant():
    coarse = coarse_low(torch.full((1, 40, 60, 5), 3.7), 0.1, spatial_dims=3)
    torch.testing.assert_close(coarse, torch.full_like(coarse, 3.7))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_gradients_are_those_of_a_symmetric_projection(convention):
    x = torch.randn(1, 6, 7, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: split(t, 0.5, spatial_dims=3, convention=convention), (x,))
    y = torch.randn(1, 6, 7, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: fuse(a, b, 0.5, spatial_dims=3, convention=convention), (x, y))
    weight = torch.randn(1, 6, 7, 2, dtype=torch.float64)
    low, _ = split(x, 0.5, spatial_dims=3, convention=convention)
    (low * weight).sum().backward()
    torch.testing.assert_close(x.grad, split(weight, 0.5, spatial_dims=3, convention=convention)[0])


def test_gradients_of_the_coarse_branch():
    x = torch.randn(1, 8, 7, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: coarse_low(t, 0.6, spatial_dims=3), (x,))
    coarse = torch.randn(1, *(coarse_size(n, 0.6) for n in (8, 7)), 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c, t: fuse(c, t, 0.6, spatial_dims=3), (coarse, x))


def test_leading_dimensions_are_a_batch():
    x = torch.randn(2, 3, 4, 16, 18)
    low, _ = split(x, 0.3, spatial_dims=2)
    torch.testing.assert_close(low[1, 2, 3], split(x[1, 2, 3], 0.3, spatial_dims=2)[0])


def test_strides_do_not_matter():
    x = torch.randn(16, 18, 5, 2).permute(3, 0, 1, 2)
    low, high = split(x, 0.3, spatial_dims=3)
    expected = split(x.contiguous(), 0.3, spatial_dims=3)
    torch.testing.assert_close(low, expected[0])
    torch.testing.assert_close(fuse(low, high, 0.3, spatial_dims=3), fuse(*expected, 0.3, spatial_dims=3))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_out_is_written_in_place(convention):
    x = torch.randn(2, 16, 18, 5)
    parts = torch.full((4, 16, 18, 5), math.nan)
    low, high = split(x, 0.3, spatial_dims=3, convention=convention, out=(parts[:2], parts[2:]))
    assert low.data_ptr() == parts.data_ptr()
    assert high.data_ptr() == parts[2:].data_ptr()
    expected = split(x, 0.3, spatial_dims=3, convention=convention)
    torch.testing.assert_close(parts, torch.cat(expected))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_comes_back_as_it_was(dtype):
    x = torch.rand(1, 64, 64).to(dtype)
    low, high = split(x, spatial_dims=2)
    expected = split(x.float(), spatial_dims=2)
    assert low.dtype == high.dtype == dtype
    assert torch.equal(low, expected[0].to(dtype))
    assert fuse(low, high, spatial_dims=2).dtype == coarse_low(x, spatial_dims=2).dtype == dtype
    assert low_pass(x, 0.2, spatial_dims=2).dtype == dtype


def test_autocast_computes_in_float32():
    x = torch.rand(1, 64, 64)
    expected = split(x, spatial_dims=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, high = split(x, spatial_dims=2)
        from_half = split(x.bfloat16(), spatial_dims=2)[0]
        fused = fuse(low, high, spatial_dims=2)
    assert torch.equal(low, expected[0])
    assert from_half.dtype == torch.float32
    assert (fused - x).abs().max() < 1e-6


def test_the_cache_is_bounded_and_survives_a_trace(monkeypatch):
    monkeypatch.setattr(cache, "_ENTRIES", 5)
    cache._kept.clear()
    for size in range(10, 30):
        split(torch.rand(size, size), 0.3, spatial_dims=2)
        assert len(cache._kept) <= 5

    class Split(torch.nn.Module):
        def forward(self, x):
            return split(x, 0.3, spatial_dims=2)

    cache._kept.clear()
    x = torch.rand(1, 22, 24)
    for strict in (False, True):
        torch.testing.assert_close(torch.export.export(Split(), (x,), strict=strict).module()(x), Split()(x))
    assert all(type(matrix) is torch.Tensor for matrix in cache._kept.values())


@pytest.mark.parametrize("shape", [(32, 32), (31, 33), (12, 15, 14), (1, 8), (9,)])
def test_low_pass_equals_a_masked_fourier_transform_and_is_a_projection(shape):
    x = torch.randn(2, *shape, dtype=torch.float64)
    dims = tuple(range(-len(shape), 0))
    grids = torch.meshgrid(*(torch.fft.fftfreq(n, dtype=torch.float64) for n in shape), indexing="ij")
    radius = sum(g**2 for g in grids).sqrt()
    expected = torch.fft.ifftn(torch.fft.fftn(x, dim=dims) * (radius <= 0.25), dim=dims).real
    once = low_pass(x, 0.25, spatial_dims=len(shape))
    torch.testing.assert_close(once, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(low_pass(once, 0.25, spatial_dims=len(shape)), once)


def parts_and_fusion(theta, convention):
    """A function that uses all bases of a size."""

    def call(x):
        low, high = split(x, theta, spatial_dims=2, convention=convention)
        if convention == "figure2":
            low = coarse_low(low, theta, spatial_dims=2)
        return low, fuse(low.tanh(), high, theta, spatial_dims=2, convention=convention, coarse=convention == "figure2")

    return call


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("theta", [*THETAS, 1 / 3, 0.7])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_traced_graph_holds_for_every_size(convention, theta):
    function = parts_and_fusion(theta, convention)
    traced = torch.jit.trace(function, torch.rand(1, 44, 52, dtype=torch.float64))
    for size in [(1, 2), (3, 4), (5, 20), (21, 40), (41, 7), (60, 99), (100, 61)]:
        x = torch.rand(3, *size, dtype=torch.float64)
        torch.testing.assert_close(traced(x), function(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_an_exported_graph_holds_for_every_size_with_more_than_a_mean(convention):
    class Module(torch.nn.Module):
        def forward(self, x):
            return parts_and_fusion(0.3, convention)(x)

    free = dict.fromkeys(range(3), torch.export.Dim.AUTO)
    module = torch.export.export(Module(), (torch.rand(2, 20, 31),), dynamic_shapes=(free,)).module()
    for size in [(7, 8), (40, 20), (33, 59)]:
        x = torch.rand(3, *size)
        torch.testing.assert_close(module(x), Module()(x), atol=1e-5, rtol=1e-5)


def test_fuse_of_two_precisions_is_computed_in_the_higher():
    a, b = torch.rand(2, 1, 8, 9, dtype=torch.float64)
    torch.testing.assert_close(
        fuse(a, b.float(), 0.3, spatial_dims=2), fuse(a, b.float().double(), 0.3, spatial_dims=2)
    )


@pytest.mark.parametrize(("k", "size"), [(8, 40), (3, 10), (5, 11), (96, 320), (112, 320)])
@pytest.mark.parametrize("depth", [(), (6,)])
def test_low_pass_keeps_a_tone_at_the_cutoff_and_removes_one_above(k, size, depth):
    shape = (4, size, *depth)
    if k + 1 <= size // 2:
        assert low_pass(tone(shape, 1, k + 1), k / size, spatial_dims=len(shape)).abs().max() < 1e-12
    torch.testing.assert_close(low_pass(tone(shape, 1, k), k / size, spatial_dims=len(shape)), tone(shape, 1, k))


def test_low_pass_is_differentiable():
    x = torch.randn(1, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: low_pass(t, 0.3, spatial_dims=2), (x,))


@pytest.mark.parametrize("theta", [0, 1, -0.1, 1.5, math.nan, "0.1", None, True])
def test_theta_out_of_range(theta):
    with pytest.raises(ValueError, match=r"'theta' must be in \(0, 1\), got"):
        split(torch.rand(1, 8, 8), theta, spatial_dims=2)


@pytest.mark.parametrize("cutoff", [0, 0.51, -1, math.nan, "0.1", None])
def test_cutoff_out_of_range(cutoff):
    with pytest.raises(ValueError, match=r"'cutoff' is in cycles per voxel and must be in \(0, 0.5\], got"):
        low_pass(torch.rand(1, 8, 8), cutoff, spatial_dims=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: split(x, spatial_dims=2, convention="fig2"),
            "'convention' must be one of figure2, equation1, released",
        ),
        (lambda x: split(x, spatial_dims=2, axes=(0, 0)), "'axes' must be different spatial axes"),
        (lambda x: split(x, spatial_dims=2, axes=()), "'axes'"),
        (lambda x: split(x, spatial_dims=2, axes=(0, 2)), r"in \[0, 1\], got \(0, 2\)"),
        (lambda x: split(x, spatial_dims=4), r"at least 4 dimensions .* got shape \(1, 8, 8\)"),
        (lambda x: split(x, spatial_dims=0), "'spatial_dims' must be at least 1"),
        (lambda x: split(x + 0j, spatial_dims=2), "'x' must be real, got torch.complex64"),
        (lambda x: split(x[:, :0], spatial_dims=2), "'x' must not be empty"),
        (lambda x: low_pass(x + 0j, 0.2, spatial_dims=2), "'x' must be real"),
        (lambda x: fuse(x[:, :5], x, spatial_dims=2), r"shape \(1, 8, 8\) of 'high' or \(1, 1, 1\), got \(1, 5, 8\)"),
        (lambda x: fuse(x, x, spatial_dims=2, coarse=True), r"shape \(1, 1, 1\), got \(1, 8, 8\)"),
        (
            lambda x: fuse(x[:, :1, :1], x, spatial_dims=2, coarse=False),
            r"shape \(1, 8, 8\) of 'high', got \(1, 1, 1\)",
        ),
        (lambda x: fuse(x, x, spatial_dims=2, convention="released", coarse=True), "'coarse' must be False with conv"),
        (lambda x: fuse(x, x[0, 0], spatial_dims=2), r"'high' must have at least 2 dimensions"),
        (lambda x: fuse(x + 0j, x, spatial_dims=2), "'low' must be real, got torch.complex64"),
        (lambda x: fuse(x.to("meta"), x, spatial_dims=2), "'low' must be on the device of 'high', cpu, got meta"),
        (lambda x: split(x, spatial_dims=2, out=(x.clone(), x[:, 1:].clone())), r"'out' must .* got \(1, 7, 8\)"),
        (lambda x: split(x, spatial_dims=2, out=(x.double(), x.clone())), r"'out' must .*float32 .*got .*float64"),
        (lambda x: split(x, spatial_dims=2, out=(x.clone().mT, x.clone())), "'out' must be two contiguous tensors"),
        (lambda x: split(x, spatial_dims=2.0), "'spatial_dims' must be at least 1 and whole, got 2.0"),
        (lambda x: split(x, spatial_dims=2, axes=(0.0, 1)), r"'axes' must be .* got \(0.0, 1\)"),
        (
            lambda x: fuse(x[:, :1, :1], x, spatial_dims=2, convention="released"),
            r"shape \(1, 8, 8\) of 'high', got \(1, 1, 1\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.rand(1, 8, 8))


@pytest.mark.cuda
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_cuda_equals_the_cpu(convention):
    x = torch.randn(2, 40, 33, 6)
    low, high = split(x, spatial_dims=3, convention=convention)
    on_device = split(x.cuda(), spatial_dims=3, convention=convention)
    torch.testing.assert_close(on_device[0].cpu(), low, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(on_device[1].cpu(), high, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(low_pass(x.cuda(), 0.2, spatial_dims=3).cpu(), low_pass(x, 0.2, spatial_dims=3))
