r"""Frequency bands of images: split into a low and a high part, fuse two parts, low-pass.

An axis of :math:`N` samples has the integer frequencies :math:`|k| \le N/2`. A *block* of them, symmetric about zero,
is the range of a real orthonormal basis :math:`B \in \mathbb{R}^{N \times r}` of cosines and sines.
:math:`P = B B^\top` is the projection on it. A block over two axes is the product of two such projections. A few thin
matrix products therefore take a band out of an image, without a Fourier transform of the image.

All functions take ``(*, *spatial)`` with any number of leading dimensions. ``spatial_dims`` is the number of trailing
spatial dimensions. ``axes`` are the spatial axes that are cut: by default the first two, so that a volume is not cut
along z, as in Fu et al. float64 is computed in float64, everything else in float32, under autocast too. Integers give
float32. float16 and bfloat16 inputs give outputs of the same type, but float32 under autocast.

Reference:
    G. Fu et al. (2024), "The intriguing effect of frequency disentangled learning on medical image segmentation",
    SPIE Medical Imaging. DOI 10.1117/12.2692286.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Literal, NamedTuple, TypedDict, get_args

import torch
from torch import Tensor

from ..quoting import written
from .basis import Block, block_basis, coarse_from_samples, coarse_size, samples_from_coarse
from .precision import as_given, check_image, compute_dtype, full_precision
from .scalars import check_choice, is_count, is_finite_number
from .theta import Theta, check_theta, theta_along

__all__ = [
    "Convention",
    "check_bands",
    "check_cutoff",
    "coarse_low",
    "fuse",
    "low_pass",
    "split",
]

#: which band is called low
Convention = Literal["figure2", "equation1", "released"]

#: relative tolerance that keeps a tone at the cutoff: in floats, 3 * (1 / 10) is more than 0.3
_ROUNDING = 1e-9


class _Kind(TypedDict):
    dtype: torch.dtype
    device: torch.device


class _Cut(NamedTuple):
    """Description of a cut: torch dimensions (negative), theta of each, and the block around DC or around Nyquist."""

    dims: tuple[int, ...]
    theta: Mapping[int, float]
    block: Block


def check_bands(theta: Theta, convention: str = "figure2", axes: Sequence[int] = (0, 1), spatial_dims: int = 3) -> None:
    """Refuse settings that define no band.

    Args:
        theta: width of the block, a fraction of each cut axis' frequencies in (0, 1): one number, or one for each axis.
        convention: definition of the low band, one of ``"figure2"``, ``"equation1"``, ``"released"``.
        axes: spatial axes that are cut, each in [0, ``spatial_dims``).
        spatial_dims: number of spatial dimensions, at least 1.

    Raises:
        ValueError: an argument is outside its range; the message names it.

    Example:
        >>> check_bands(theta=1.5)
        Traceback (most recent call last):
        ValueError: 'theta' must be in (0, 1), got 1.5.
    """
    check_choice("convention", convention, get_args(Convention))
    if not is_count(spatial_dims):
        raise ValueError(f"'spatial_dims' must be at least 1 and whole, got {written(spatial_dims)}.")
    if not _are_axes(axes, spatial_dims):
        raise ValueError(f"'axes' must be different spatial axes in [0, {spatial_dims - 1}], got {written(axes)}.")
    check_theta(theta, axes)


def _are_axes(axes: object, spatial_dims: int) -> bool:
    if not isinstance(axes, Sequence) or not all(isinstance(axis, Integral) for axis in axes):
        return False
    return 0 < len(axes) == len(set(axes)) and set(axes) <= set(range(spatial_dims))


def check_cutoff(cutoff: float) -> None:
    """Refuse a cutoff frequency outside (0, 0.5] cycles per voxel.

    Args:
        cutoff: radial frequency in cycles per voxel.

    Raises:
        ValueError: the cutoff is outside its range.

    Example:
        >>> check_cutoff(0.25)
        >>> check_cutoff(0.75)
        Traceback (most recent call last):
        ValueError: 'cutoff' is in cycles per voxel and must be in (0, 0.5], got 0.75.
    """
    if not (is_finite_number(cutoff) and 0 < cutoff <= 0.5):
        raise ValueError(f"'cutoff' is in cycles per voxel and must be in (0, 0.5], got {written(cutoff)}.")


def split(
    x: Tensor,
    theta: Theta = 0.1,
    *,
    spatial_dims: int,
    axes: Sequence[int] = (0, 1),
    convention: Convention = "figure2",
    out: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Split an image into its low and its high part, which sum to the image.

    .. math:: \text{low} = P_\text{low}\, x, \qquad \text{high} = x - \text{low}.

    ============== ================================== ==================================
    convention     low                                high
    ============== ================================== ==================================
    ``figure2``    the block around DC                the rest: edges
    ``equation1``  all but the block around Nyquist   the block around Nyquist
    ``released``   the block around Nyquist           the rest: nearly the image itself
    ============== ================================== ==================================

    Args:
        x: image or features.
        theta: width of the block, a fraction of each cut axis' frequencies in (0, 1): one number, or one for each axis.
        spatial_dims: number of trailing spatial dimensions.
        axes: spatial axes that are cut.
        convention: definition of the low band, see the table.
        out: two contiguous tensors for the results, of their shape and of the type of the computation; no gradients.

    Shape:
        ``(*, *spatial)`` -> two of ``(*, *spatial)``.

    Raises:
        ValueError: an argument is outside its range, or x is complex or has too few dimensions.

    Reference:
        Fu et al. (2024), DOI 10.1117/12.2692286: Figure 2, Equation 1 and the published trainer, which differ.

    Example:
        >>> image = torch.rand(1, 32, 32)
        >>> low, high = split(image, theta=0.2, spatial_dims=2)
        >>> torch.allclose(low + high, image)
        True
    """
    cut = _cut(x, theta, spatial_dims, axes, convention)
    if out is not None:
        _check_out(out, x)
    with full_precision(x):
        image = x.to(compute_dtype(x))
        inner, outer = (None, None) if out is None else out if convention != "equation1" else (out[1], out[0])
        block = _synthesis(_analysis(image, cut), cut, image.shape, out=inner)
        rest = torch.sub(image, block, out=outer)
    low, high = (rest, block) if convention == "equation1" else (block, rest)
    return as_given(low, x), as_given(high, x)


def coarse_low(x: Tensor, theta: Theta = 0.1, *, spatial_dims: int, axes: Sequence[int] = (0, 1)) -> Tensor:
    r"""Block around DC on the coarsest grid that holds it; a constant stays the same constant.

    .. math:: D = \bigotimes_\text{axes} \sqrt{r/N}\, B_r B_N^\top, \qquad r = 2h + 1,

    with :math:`B_r` the full Fourier basis of the r coarse nodes, which lie at :math:`t = j N / r`. :func:`fuse`
    upsamples the result by :math:`U = \bigotimes \sqrt{N/r}\, B_N B_r^\top`. U D is the projection on the band, and D U
    is the identity.

    Args:
        x: image or features.
        theta: width of the block in (0, 1): one number, or one for each cut axis.
        spatial_dims: number of trailing spatial dimensions.
        axes: spatial axes that are cut.

    Shape:
        ``(*, *spatial)`` -> the same with :func:`~monai_freq.spectral.basis.coarse_size` nodes along each cut axis.

    Raises:
        ValueError: an argument is outside its range, or x is complex or has too few dimensions.

    Example:
        >>> coarse_low(torch.ones(1, 40, 60, 5), 0.1, spatial_dims=3).shape
        torch.Size([1, 3, 5, 5])
    """
    cut = _cut(x, theta, spatial_dims, axes, "figure2")
    with full_precision(x):
        coarse = x.to(compute_dtype(x))
        for dim in _shrinking(cut, x.shape):
            coarse = _along(coarse_from_samples(x.shape[dim], cut.theta[dim], **_as(coarse)), coarse, dim)
    return as_given(coarse, x)


def fuse(
    low: Tensor,
    high: Tensor,
    theta: Theta = 0.1,
    *,
    spatial_dims: int,
    axes: Sequence[int] = (0, 1),
    convention: Convention = "figure2",
    coarse: bool | None = None,
) -> Tensor:
    r"""Replace the low band of ``high`` by that of ``low``.

    .. math:: \text{fuse}(l, h) = P_\text{low}\, l + (I - P_\text{low})\, h = h + P_\text{low} (l - h).

    Args:
        low: features that give the low band; for ``figure2`` they may lie on the grid of :func:`coarse_low`.
        high: features that give all other frequencies.
        theta: width of the block in (0, 1): one number, or one for each cut axis.
        spatial_dims: number of trailing spatial dimensions.
        axes: spatial axes that are cut.
        convention: definition of the low band, see :func:`split`.
        coarse: whether ``low`` lies on the coarse grid. None: the shapes tell; a graph for images of any size needs
            True or False.

    Shape:
        ``(*, *spatial)`` or ``(*, *coarse)``, and ``(*, *spatial)`` -> ``(*, *spatial)``.

    Raises:
        ValueError: the shapes do not fit, or an argument is outside its range.

    Reference:
        Fu et al. (2024), DOI 10.1117/12.2692286, Section 2.2.

    Example:
        >>> x = torch.rand(2, 4, 32, 32)
        >>> torch.allclose(fuse(x, x, spatial_dims=2), x, atol=1e-6)
        True
    """
    cut = _cut(high, theta, spatial_dims, axes, convention, name="high")
    check_image(low, spatial_dims, name="low")
    on_grid = _lies_on_grid(low, high, cut, convention, coarse)
    with full_precision(high):
        dtype = torch.promote_types(compute_dtype(low), compute_dtype(high))
        inner, outer = low.to(dtype), high.to(dtype)
        if convention == "equation1":  # whose block belongs to the high band
            inner, outer = outer, inner
        block = _coarse_analysis(inner, cut, high.shape) if on_grid else _analysis(inner, cut)
        fused = _synthesis(block - _analysis(outer, cut), cut, high.shape, plus=outer)
    return as_given(fused, high)


def low_pass(x: Tensor, cutoff: float, *, spatial_dims: int) -> Tensor:
    r"""Keep the frequencies up to a radius: an ideal, isotropic low-pass.

    .. math:: \mathcal{F}^{-1}\bigl( \mathcal{F}(x) \cdot [\,|f| \le \text{cutoff}\,] \bigr)

    Args:
        x: image.
        cutoff: radius in cycles per voxel, in (0, 0.5]. Frequencies on it are kept; 0.5 still removes the corners of
            the spectrum.
        spatial_dims: number of trailing spatial dimensions, all of them filtered.

    Shape:
        ``(*, *spatial)`` -> ``(*, *spatial)``.

    Raises:
        ValueError: cutoff is outside its range, or x is complex or has too few dimensions.

    Reference:
        Y. Lu et al. (2025), DOI 10.1117/12.3047670: low-pass editing of the source data.

    Example:
        >>> low_pass(torch.ones(1, 8, 8), cutoff=0.1, spatial_dims=2).mean()
        tensor(1.)
    """
    check_cutoff(cutoff)
    check_image(x, spatial_dims)
    dims = tuple(range(-spatial_dims, 0))
    image = x.to(compute_dtype(x)).contiguous()  # torch 2.8 cannot transform expanded tensors
    spectrum = torch.fft.rfftn(image, dim=dims)
    kept = _squared_radius(image.shape[-spatial_dims:], image.device) <= cutoff**2 * (1 + _ROUNDING)
    return as_given(torch.fft.irfftn(spectrum * kept, s=image.shape[-spatial_dims:], dim=dims), x)


def _analysis(x: Tensor, cut: _Cut) -> Tensor:
    """Coefficients of the block along each cut dimension."""
    for dim in _shrinking(cut, x.shape):
        x = _along(block_basis(x.shape[dim], cut.theta[dim], cut.block, **_as(x)).T, x, dim)
    return x


def _coarse_analysis(coarse: Tensor, cut: _Cut, shape: torch.Size) -> Tensor:
    """Coefficients of features on the coarse grid, in the basis of the full grid."""
    for dim in cut.dims:
        coarse = _along(samples_from_coarse(shape[dim], cut.theta[dim], **_as(coarse)), coarse, dim)
    return coarse


def _synthesis(
    coefficients: Tensor, cut: _Cut, shape: torch.Size, *, plus: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Image of ``shape`` from the coefficients of the block, added to ``plus``; the longest dimension comes last."""
    x = coefficients
    *first, last = reversed(_shrinking(cut, shape))
    for dim in first:
        x = _along(block_basis(shape[dim], cut.theta[dim], cut.block, **_as(x)), x, dim)
    basis = block_basis(shape[last], cut.theta[last], cut.block, **_as(x))
    return _along(basis, x, last, plus=plus, out=out)


def _shrinking(cut: _Cut, shape: torch.Size) -> tuple[int, ...]:
    """Cut dimensions in the order of reduction: the longest first keeps the intermediate results small.

    A compiled graph may serve images of any size; their dimensions have no known order.
    """
    if torch.compiler.is_compiling():
        return cut.dims
    return tuple(sorted(cut.dims, key=lambda dim: (-shape[dim], dim)))


def _as(x: Tensor) -> _Kind:
    return {"dtype": x.dtype, "device": x.device}


def _along(matrix: Tensor, x: Tensor, dim: int, *, plus: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """``matrix @ x (+ plus)`` along one (negative) dimension, as one batched product without a transposed copy."""
    shape = list(x.shape)
    shape[dim] = matrix.shape[0]
    batch = math.prod(x.shape[:dim])
    if dim == -1:
        flat = [batch, matrix.shape[0]]
        factors = x.reshape(batch, x.shape[dim]), matrix.T
    else:
        columns = math.prod(x.shape[dim + 1 :])
        flat = [batch, matrix.shape[0], columns]
        factors = matrix.expand(batch, *matrix.shape), x.reshape(batch, x.shape[dim], columns)
    target = None if out is None else out.view(flat)
    if plus is None:
        return (torch.mm if dim == -1 else torch.bmm)(*factors, out=target).view(shape)
    return (torch.addmm if dim == -1 else torch.baddbmm)(plus.reshape(flat), *factors, out=target).view(shape)


def _cut(x: Tensor, theta: Theta, spatial_dims: int, axes: Sequence[int], convention: str, *, name: str = "x") -> _Cut:
    check_bands(theta, convention, axes, spatial_dims)
    check_image(x, spatial_dims, name=name)
    block: Block = "center" if convention == "figure2" else "nyquist"
    dims = tuple(axis - spatial_dims for axis in axes)
    return _Cut(dims, theta_along(theta, dims), block)


def _check_out(out: tuple[Tensor, Tensor], x: Tensor) -> None:
    wanted = (x.shape, compute_dtype(x), x.device)
    for part in out:
        if (part.shape, part.dtype, part.device) != wanted or not part.is_contiguous():
            raise ValueError(
                f"'out' must be two contiguous tensors of shape {tuple(x.shape)} and {wanted[1]} on {x.device}, "
                f"got {tuple(part.shape)} and {part.dtype} on {part.device}."
            )


def _lies_on_grid(low: Tensor, high: Tensor, cut: _Cut, convention: str, coarse: bool | None) -> bool:
    """Whether ``low`` is on the coarse grid; it must be either there or at full size."""
    if low.device != high.device:
        raise ValueError(f"'low' must be on the device of 'high', {high.device}, got {low.device}.")
    if coarse and convention != "figure2":
        raise ValueError(f"'coarse' must be False with convention={written(convention)}, which has no coarse grid.")
    if coarse is not None and torch.compiler.is_compiling():
        return coarse
    grid = _coarse_shape(high.shape, cut) if convention == "figure2" else high.shape
    allowed = {None: [high.shape, grid], True: [grid], False: [high.shape]}[coarse]
    if not any(low.shape == shape for shape in allowed):
        full = "" if coarse else f"{tuple(high.shape)} of 'high'"
        small = "" if grid == high.shape or coarse is False else f"{tuple(grid)}"
        listed = " or ".join(text for text in (full, small) if text)
        raise ValueError(f"'low' must have the shape {listed}, got {tuple(low.shape)}.")
    return low.shape != high.shape if coarse is None else coarse


def _coarse_shape(shape: torch.Size, cut: _Cut) -> torch.Size:
    sizes = list(shape)
    for dim in cut.dims:
        sizes[dim] = coarse_size(shape[dim], cut.theta[dim])
    return torch.Size(sizes)


def _squared_radius(shape: Sequence[int], device: torch.device) -> Tensor:
    """Squared radial frequency of each bin of an ``rfftn``, float64."""
    axes = [torch.fft.fftfreq(n, dtype=torch.float64, device=device) for n in shape[:-1]]
    axes.append(torch.fft.rfftfreq(shape[-1], dtype=torch.float64, device=device))
    grids = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([grid.square() for grid in grids]).sum(0)
