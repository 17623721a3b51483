"""The Fourier transform on a polar grid, against the sum that defines it."""

import math

import pytest
import torch

import monai_freq.spectral.polar_spectrum
from monai_freq.spectral.polar_grid import PolarGrid
from monai_freq.spectral.polar_spectrum import adjoint_polar_spectrum, polar_spectrum

GRIDS = [
    PolarGrid((32, 32), (1.0, 1.0), 20, 90),
    PolarGrid((31, 31), (1.0, 1.0), 16, 90),
    PolarGrid((32, 32), (1.0, 1.0), 18, 90),  # a line at 45 degrees is its own mirror image
    PolarGrid((32, 32), (1.0, 1.0), 15, 90),  # so is one at 90
    PolarGrid((24, 37), (1.3, 0.7), 21, 90),
    PolarGrid((20, 20), (0.9, 1.1), 8, 64),
    PolarGrid((32, 32), (0.4, 0.4), 20, 90),
    PolarGrid((12, 12), (2.3, 2.3), 8, 64),  # beyond the image's own highest frequency
    PolarGrid((1, 5), (1.0, 1.0), 3, 16),
    PolarGrid((1, 1), (1.0, 1.0), 1, 8),
]


def by_definition(x, grid):
    """Sum over the pixels."""
    (height, width), (dy, dx) = grid.shape, grid.steps
    k = torch.arange(grid.n_radii, dtype=torch.float64) / grid.length
    theta = grid.angles[..., None]
    x_mm, y_mm = ((torch.arange(n) - (n - 1) / 2) * step for n, step in ((width, dx), (height, dy)))
    along_x = torch.exp(-2j * math.pi * (k * theta.cos())[..., None] * x_mm)
    along_y = torch.exp(-2j * math.pi * (k * theta.sin())[..., None] * y_mm)
    return torch.einsum("amky,yx,amkx->amk", along_y, x.to(torch.complex128), along_x)


def random_spectrum(grid, dtype=torch.complex128):
    return torch.randn(*grid.angles.shape, grid.n_radii, dtype=dtype)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_it_is_the_sum_over_the_pixels(grid):
    x = torch.randn(grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = by_definition(x, grid)
    assert (polar_spectrum(x, grid) - expected).abs().max() < 3e-3 * expected.abs().max()


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_all_angles_are_there(grid):
    seen = grid.angles.remainder(math.pi).flatten() * (grid.n_angles / math.pi) - 0.5
    torch.testing.assert_close(seen, seen.round(), rtol=0, atol=1e-9)
    assert sorted(set(seen.round().int().tolist())) == list(range(grid.n_angles))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_adjoint_is_adjoint(grid, dtype):
    x, y = torch.randn(grid.shape, dtype=dtype), random_spectrum(grid, dtype.to_complex())
    seen, back = polar_spectrum(x, grid), adjoint_polar_spectrum(y, grid)
    assert seen.dtype == y.dtype
    assert back.dtype == dtype
    difference = (seen * y.conj()).real.double().sum() - (x * back).double().sum()
    assert difference.abs() < (1e-6 if dtype == torch.float32 else 1e-14) * seen.norm() * y.norm()


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("lines", [1, None])
def test_factors_weight_the_frequencies(grid, lines):
    x, y = torch.randn(grid.shape, dtype=torch.float64), random_spectrum(grid)
    factors = torch.randn(lines or len(grid.angles), grid.n_radii, dtype=torch.float64)
    torch.testing.assert_close(polar_spectrum(x, grid, factors), polar_spectrum(x, grid) * factors[:, None])
    back = adjoint_polar_spectrum(y, grid, factors)
    torch.testing.assert_close(back, adjoint_polar_spectrum(y * factors[:, None], grid))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loops_and_sparse_products_agree(grid, dtype, monkeypatch):
    x, y = torch.randn(grid.shape, dtype=dtype), random_spectrum(grid, dtype.to_complex())
    factors = torch.randn(len(grid.angles), grid.n_radii, dtype=dtype)
    by_loops = polar_spectrum(x, grid, factors), adjoint_polar_spectrum(y, grid, factors)
    monkeypatch.setattr(monai_freq.spectral.polar_spectrum, "is_traced", lambda: True)
    by_products = polar_spectrum(x, grid, factors), adjoint_polar_spectrum(y, grid, factors)
    for ours, theirs in zip(by_loops, by_products, strict=True):
        assert ours.dtype == theirs.dtype
        assert (ours - theirs).abs().max() <= (1e-6 if dtype == torch.float32 else 1e-14) * theirs.abs().max()


@pytest.mark.parametrize("grid", [PolarGrid((6, 6), (1.0, 1.0), 4, 16), PolarGrid((5, 7), (1.2, 0.8), 3, 16)], ids=str)
def test_gradients(grid):
    x = torch.randn(grid.shape, dtype=torch.float64, requires_grad=True)
    y = random_spectrum(grid).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: polar_spectrum(x, grid), x)
    assert torch.autograd.gradcheck(lambda y: adjoint_polar_spectrum(y, grid), y)
    assert torch.autograd.gradgradcheck(lambda x: polar_spectrum(x, grid).abs().square(), x, fast_mode=True)


def test_gradients_only_on_request():
    grid = PolarGrid((6, 6), (1.0, 1.0), 4, 16)
    assert not polar_spectrum(torch.randn(6, 6), grid).requires_grad
    with torch.inference_mode():
        polar_spectrum(torch.randn(6, 6), grid._replace(n_angles=6))
    x = torch.randn(6, 6, requires_grad=True)  # tables computed in inference mode are fit for training
    polar_spectrum(x, grid._replace(n_angles=6)).abs().sum().backward()
    assert x.grad.isfinite().all()


def test_the_number_of_threads_does_not_matter():
    grid = PolarGrid((200, 200), (1.0, 1.0), 400, 300)
    x = torch.rand(200, 200)

    def both():
        spectrum = polar_spectrum(x, grid)
        return spectrum, adjoint_polar_spectrum(spectrum, grid)

    alone = both()
    threads = torch.get_num_threads()
    for several in (2, 3):
        torch.set_num_threads(several)
        try:
            together = both()
        finally:
            torch.set_num_threads(threads)
        assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.cuda
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_on_cuda_as_on_the_cpu(grid):
    x, y = torch.randn(grid.shape), random_spectrum(grid, torch.complex64)
    seen, back = polar_spectrum(x.cuda(), grid), adjoint_polar_spectrum(y.cuda(), grid)
    assert seen.device.type == back.device.type == "cuda"
    expected = polar_spectrum(x, grid), adjoint_polar_spectrum(y, grid)
    for ours, theirs in zip((seen, back), expected, strict=True):
        assert (ours.cpu() - theirs).abs().max() < 1e-5 * theirs.abs().max()
