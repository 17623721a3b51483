r"""Fourier transform of an image on a polar grid, and its adjoint: an FFT with Kaiser-Bessel gridding.

On the CPU compiled loops do the gridding. Elsewhere, and where a graph is traced, sparse products do the same.

Reference:
    J. A. Fessler, B. P. Sutton (2003), "Nonuniform fast Fourier transforms using min-max interpolation", IEEE
    Transactions on Signal Processing 51. DOI 10.1109/TSP.2002.807005.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .cache import is_traced
from .compiled import arrays
from .kaiser_bessel import grid_length
from .polar_grid import PolarGrid, Tables, tables, taps_around
from .polar_kernels import gather, interpolate, scatter, spread
from .precision import as_computed

__all__ = ["adjoint_polar_spectrum", "polar_spectrum"]


def polar_spectrum(x: Tensor, grid: PolarGrid, factors: Tensor | None = None) -> Tensor:
    r"""Fourier transform of an image at the frequencies of a polar grid, about the centre of the image.

    .. math:: X(m, \theta) = a(m, \theta) \sum_{ij} x_{ij}\, e^{-2 \pi i\, k_m (x_j \cos\theta + y_i \sin\theta)}

    with :math:`x_j, y_i` the distances of a pixel's centre from the image's centre, columns to the right and rows down.
    The error is about 1e-3 of the spectrum nearby. The function is differentiable any number of times.

    Args:
        x: image.
        grid: polar grid of frequencies; its matrices are cached for the last few grids.
        factors: real factor a of each line and frequency, ``(lines, radii)``, or of each frequency, ``(1, radii)``, in
            the type of the computation; by default 1.

    Shape:
        ``(H, W)`` -> ``(lines, mirrors, radii)``, complex.

    Example:
        >>> grid = PolarGrid((8, 8), (1.0, 1.0), n_angles=4, length=16)
        >>> spectrum = polar_spectrum(torch.ones(8, 8), grid)
        >>> spectrum.shape
        torch.Size([1, 4, 9])
        >>> torch.allclose(spectrum[..., 0].real, torch.tensor(64.0), rtol=1e-2)
        True
    """
    result: Tensor = _Transform.apply(as_computed(x), grid, factors, False)  # type: ignore[no-untyped-call]
    return result


def adjoint_polar_spectrum(spectrum: Tensor, grid: PolarGrid, factors: Tensor | None = None) -> Tensor:
    r"""Adjoint of :func:`polar_spectrum` as a map from real images to pairs of real numbers.

    .. math:: x_{ij} = \Re \sum_{m, \theta} a(m, \theta)\, X(m, \theta)\,
              e^{2 \pi i\, k_m (x_j \cos\theta + y_i \sin\theta)}

    Args:
        spectrum: spectrum on the polar grid, complex64 or complex128.
        grid: polar grid of frequencies.
        factors: as in :func:`polar_spectrum`.

    Shape:
        ``(lines, mirrors, radii)`` -> ``(H, W)``, real.

    Example:
        >>> grid = PolarGrid((6, 8), (1.0, 1.0), n_angles=10, length=16)
        >>> x, y, a = torch.rand(6, 8), torch.randn(5, 2, 9, dtype=torch.complex64), torch.rand(5, 9)
        >>> seen, back = polar_spectrum(x, grid, a), adjoint_polar_spectrum(y, grid, a)
        >>> torch.allclose((seen * y.conj()).real.sum(), (x * back).sum(), rtol=1e-4)
        True
    """
    result: Tensor = _Transform.apply(spectrum, grid, factors, True)  # type: ignore[no-untyped-call]
    return result


class _Transform(torch.autograd.Function):
    """The transform or its adjoint; the gradient of each is the other."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: PolarGrid, factors: Tensor | None, adjoint: bool) -> Tensor:
        factors = x.real.new_ones(1, grid.n_radii) if factors is None else factors
        ctx.grid, ctx.factors, ctx.adjoint = grid, factors, adjoint
        if x.device.type == "cpu" and not is_traced():
            return (_spread_by_loops if adjoint else _sampled_by_loops)(x, grid, factors)
        kept = tables(grid, x.real.dtype, x.device)
        return _spread(x * factors[:, None], kept, grid) if adjoint else _sampled(x, kept, grid) * factors[:, None]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        back = _Transform.apply(gradients[0], ctx.grid, ctx.factors, not ctx.adjoint)  # type: ignore[no-untyped-call]
        return back, None, None, None


def _sampled_by_loops(x: Tensor, grid: PolarGrid, factors: Tensor) -> Tensor:
    kept = taps_around(grid, x.dtype)
    half = _half_spectrum(x, kept.deapodise, grid)
    points = x.new_empty(len(kept.places), 2)
    gather(*arrays(torch.view_as_real(half.reshape(-1)), kept.places, kept.centre, points))
    lines = x.new_empty(len(kept.starts) // grid.n_radii, grid.mirrors, grid.n_radii, 2)
    interpolate(*arrays(points.view(-1), kept.starts.view(-1), kept.weights.view(-1), factors, lines))
    return torch.view_as_complex(lines)


def _spread_by_loops(spectrum: Tensor, grid: PolarGrid, factors: Tensor) -> Tensor:
    kept = taps_around(grid, spectrum.real.dtype)
    rows, columns = map(grid_length, grid.shape)
    lines = torch.view_as_real(spectrum.resolve_conj().contiguous())
    points = lines.new_zeros(len(kept.places), 2)
    spread(*arrays(lines, kept.starts.view(-1), kept.weights.view(-1), factors, points.view(-1)))
    half = lines.new_zeros((columns // 2 + 1) * rows, 2)
    scatter(*arrays(points, kept.places, kept.decentre, half))
    return _image(torch.view_as_complex(half).view(-1, rows), kept.deapodise, grid)


def _sampled(x: Tensor, kept: Tables, grid: PolarGrid) -> Tensor:
    half = _half_spectrum(x, kept.deapodise, grid)
    points = half.reshape(-1).index_select(0, kept.places).view(-1, grid.mirrors)
    torch.view_as_real(points)[: len(kept.sign), :, 1].mul_(kept.sign)
    lines = kept.interpolate.times(_as_real(points.mul_(kept.centre)))
    # radii last, where the next FFT needs them
    return torch.view_as_complex(lines.view(-1, grid.n_radii, grid.mirrors, 2)).mT.contiguous()


def _spread(spectrum: Tensor, kept: Tables, grid: PolarGrid) -> Tensor:
    lines = spectrum.mT.contiguous().flatten(0, 1)
    points = torch.view_as_complex(kept.grid.times(_as_real(lines)).view(-1, grid.mirrors, 2)).mul_(kept.decentre)
    torch.view_as_real(points)[: len(kept.sign), :, 1].mul_(kept.sign)
    half = points.view(-1).index_select(0, kept.source)
    half.index_add_(0, kept.crowded, torch.view_as_complex(kept.others.times(_as_real(points.view(-1, 1)))))
    return _image(half.view(-1, grid_length(grid.shape[0])), kept.deapodise, grid)


def _half_spectrum(x: Tensor, deapodise: Tensor, grid: PolarGrid) -> Tensor:
    """Columns of the DFT of an image in contiguous rows."""
    rows, columns = map(grid_length, grid.shape)
    half: Tensor = torch.fft.fft(torch.fft.rfft(x * deapodise, n=columns).mT, n=rows)
    return half


def _image(half: Tensor, deapodise: Tensor, grid: PolarGrid) -> Tensor:
    """Adjoint of :func:`_half_spectrum`, but for the weights of the columns."""
    height, width = grid.shape
    lines = torch.fft.ifft(half, norm="forward")[:, :height].mT
    image: Tensor = torch.fft.irfft(lines, n=grid_length(width), norm="forward")[:, :width] * deapodise
    return image


def _as_real(numbers: Tensor) -> Tensor:
    """Rows of complex numbers as rows of twice as many real ones."""
    return torch.view_as_real(numbers).flatten(1)
