r"""Photon counts behind an object: exact Poisson draws, their logarithm, and the resulting noise of a reconstruction.

A draw is the inverse of the Poisson distribution at the probability of a normal deviate. One deviate makes one count,
whatever the other counts are. The inverse is expanded in the deviate. Where the expansion is too near to an integer to
tell the count, the distribution itself decides.

Reference:
    M. B. Giles (2016), "Algorithm 955: approximation of the inverse Poisson cumulative distribution function", ACM
    Transactions on Mathematical Software 42 (the expansion). DOI 10.1145/2699466.
    S. J. Riederer, N. J. Pelc, D. A. Chesler (1978), "The noise power spectrum in computed X-ray tomography", Physics
    in Medicine and Biology 23. DOI 10.1088/0031-9155/23/3/008.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from .cache import cached
from .compiled import arrays
from .photon_kernels import count
from .precision import as_computed
from .ramp_filter import Filter, filter_window
from .scalars import check_choice
from .tomography import ParallelBeam

__all__ = ["Sampler", "image_noise", "log_noise", "noise_power", "noise_variance", "poisson_deviation"]

#: how counts are drawn, exactly or by an expansion for large counts
Sampler = Literal["poisson", "fast"]

#: Lowest expected count for which the finer expansion is used.
_FEW = 8.0
#: Expected count from which counts need not be whole: the coarser expansion is used, in float32 barely another one.
_LIMITS: dict[Sampler, float] = {"poisson": 2.0**22, "fast": 32.0}
#: Number of rays computed together: their intermediate results, 1 MB each, stay within the processor's last cache.
_TOGETHER = 1 << 18
#: Largest normal deviate of PyTorch in float32: sqrt(2 * 24 * log(2)).
_LARGEST_DEVIATE = 5.8


def image_noise(
    mu: Tensor,
    beam: ParallelBeam,
    n_photons: float,
    generator: torch.Generator,
    *,
    filter: Filter = "ramp",
    min_count: float = 0.1,
    sampler: Sampler = "poisson",
) -> tuple[Tensor, Tensor]:
    r"""Photon noise in the filtered back-projection of an image.

    .. math:: \text{FBP}(y) - \text{FBP}(p) = \text{FBP}(y - p), \qquad
              y = -\ln \frac{\max(c, c_\text{min})}{N_0}, \quad c \sim \text{Poisson}(N_0 e^{-p}), \quad
              p = \text{project}(\mu)

    Filtered back-projection is linear, so the noise is exact, and the image keeps its sharpness.

    Args:
        mu: attenuation per unit of the beam's spacing, ``(H, W)``.
        beam: geometry of the scan.
        n_photons: number of photons on each bin without an object, N0.
        generator: source of the draws, on the device of mu.
        filter: window on the ramp of the reconstruction.
        min_count: lower bound of a count before the logarithm.
        sampler: method of drawing counts, see :func:`poisson_deviation`.

    Returns:
        Noise ``(H, W)``, and the lowest expected count ``()``.

    Reference:
        J. Leuschner et al. (2021), "LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction",
        Scientific Data 8. DOI 10.1038/s41597-021-00893-z: the counts, with N0 = 4096 and c_min = 0.1.

    Example:
        >>> beam, mu = ParallelBeam((64, 64), n_angles=90), torch.full((64, 64), 0.02)
        >>> noise, lowest = image_noise(mu, beam, 4096, torch.Generator().manual_seed(0))
        >>> noise.shape, bool(lowest < 1000)
        (torch.Size([64, 64]), True)
    """
    noise, lowest = log_noise(beam.rays(mu), n_photons, generator, min_count, sampler)
    return beam.image_of(noise, filter, periodic=True), lowest


def log_noise(
    line_integrals: Tensor,
    n_photons: float,
    generator: torch.Generator,
    min_count: float = 0.1,
    sampler: Sampler = "poisson",
) -> tuple[Tensor, Tensor]:
    r"""Error of line integrals measured by counting photons.

    .. math:: y - p = -\ln \frac{\max(c, c_\text{min})}{N_0} - p, \qquad c \sim \text{Poisson}(N_0 e^{-p})

    Its variance is about :math:`1/\lambda` and its mean about :math:`1/(2 \lambda)`, with :math:`\lambda = N_0 e^{-p}`.

    Args:
        line_integrals: line integrals p.
        n_photons: number of photons on each bin without an object, N0.
        generator: source of the draws, on the same device.
        min_count: lower bound of a count, positive.
        sampler: method of drawing counts, see :func:`poisson_deviation`.

    Returns:
        Errors in the shape of p, and the lowest expected count ``()``.

    Example:
        >>> noise, lowest = log_noise(torch.ones(100, 100), 1e4, torch.Generator().manual_seed(0))
        >>> bool(abs(noise.std() * (1e4 / torch.e) ** 0.5 - 1) < 0.02), float(lowest)
        (True, 3678.79...)
    """
    line_integrals = as_computed(line_integrals, "line_integrals")
    noise = torch.empty_like(line_integrals, memory_format=torch.contiguous_format)
    lowest = []
    for some, out in zip(_in_parts(line_integrals), _in_parts(noise), strict=True):
        root = torch.mul(some, -0.5).exp_().mul_(math.sqrt(n_photons))  # cheaper than a square root afterwards
        expected = root.square()
        lowest.append(expected.amin())
        if out.device.type == "cpu" and out.dtype == torch.float32:
            normal = _normal(expected, generator)
            left, deviation = _count(expected, root, normal, generator, _LIMITS[sampler], out, logarithm=True)
            out.view(-1)[left] = torch.log1p(deviation / expected.view(-1)[left]).neg_()
        else:
            torch.log1p(_deviation(expected, root, generator, sampler) / expected, out=out).neg_()
        if _may_be_below(min_count, lowest[-1]):
            torch.fmin(out, -math.log(min_count / n_photons) - some, out=out)  # the other is NaN where none is expected
    return noise, torch.stack(lowest).amin()


def poisson_deviation(expected: Tensor, generator: torch.Generator, sampler: Sampler = "poisson") -> Tensor:
    r"""Poisson counts, less their expectation.

    ``"poisson"`` is exact. On the CPU the count is the smallest c with :math:`P(C \le c) \ge \Phi(z)` for a normal
    deviate z. Below an expectation of 8, and on CUDA, :func:`torch.poisson` draws it; on CUDA that rounds a normal
    deviate beyond 4000. ``"fast"`` takes, from an expectation of 32 on,

    .. math:: c = \lambda + \sqrt\lambda\, z + \frac{z^2 - 1}{6} + \frac{z - z^3}{72 \sqrt\lambda}

    This is not a whole number, but has the mean, variance and skewness of the count. Rounded, its total variation
    distance to the distribution is 6e-4 at 32 and less beyond. From an expectation of 4194304 on both samplers take
    this form: float32 does not hold the digits in which they differ.

    Args:
        expected: expected counts :math:`\lambda`, not negative.
        generator: source of the draws, on the same device.
        sampler: method of drawing counts, ``"poisson"`` or ``"fast"``.

    Shape:
        ``(*,)`` -> ``(*,)``.

    Example:
        >>> expected = torch.full((100_000,), 20.0)
        >>> deviation = poisson_deviation(expected, torch.Generator().manual_seed(0))
        >>> bool(deviation.mean().abs() < 0.1), bool((deviation.var() / 20 - 1).abs() < 0.03)
        (True, True)
        >>> bool((expected + deviation).frac().any())
        False
    """
    check_choice("sampler", sampler, get_args(Sampler))
    flat = as_computed(expected, "expected").reshape(1, -1)
    return _deviation(flat, flat.sqrt(), generator, sampler).view(expected.shape)


def noise_power(
    frequency: Tensor, ray_variance: float, bin_width: float, n_angles: int, filter: Filter = "ramp"
) -> Tensor:
    r"""Noise power spectrum of filtered back-projection, for rays of equal variance.

    .. math:: \text{NPS}(f) = \frac{\pi\, \sigma_p^2\, d}{n}\, |f|\, W(f)^2, \qquad |f| \le \frac{1}{2d}

    Args:
        frequency: radial frequency ``|f|`` in cycles per mm.
        ray_variance: variance of each line integral, :math:`\sigma_p^2 = e^p / N_0` for photon noise.
        bin_width: width d of a detector bin in mm.
        n_angles: number of angles over half a turn.
        filter: window on the ramp.

    Shape:
        Shape of frequency; the unit is (unit of the image)² mm².

    Reference:
        S. J. Riederer, N. J. Pelc, D. A. Chesler (1978), "The noise power spectrum in computed X-ray tomography".
        DOI 10.1088/0031-9155/23/3/008.

    Example:
        >>> noise_power(torch.tensor([0.0, 0.25, 0.5, 0.7]), ray_variance=1.0, bin_width=1.0, n_angles=314)
        tensor([0.0000, 0.0025, 0.0050, 0.0000])
    """
    frequency = as_computed(frequency, "frequency")
    relative = frequency.abs() * (2 * bin_width)
    window = filter_window(filter, relative.clamp(max=1)) * (relative <= 1)
    return math.pi * ray_variance * bin_width / n_angles * frequency.abs() * window.square()


def noise_variance(ray_variance: float, bin_width: float, n_angles: int, filter: Filter = "ramp") -> float:
    r"""Variance of a pixel of filtered back-projection, the integral of :func:`noise_power` over the plane.

    .. math:: \frac{\pi^2 \sigma_p^2}{12\, n\, d^2} \quad \text{for the ramp alone}

    Args:
        ray_variance: variance of each line integral.
        bin_width: width d of a detector bin in mm.
        n_angles: number of angles over half a turn.
        filter: window on the ramp.

    Reference:
        A. C. Kak, M. Slaney (1988), "Principles of computerized tomographic imaging", chapter 5.2.

    Example:
        >>> round(noise_variance(1.0, bin_width=1.0, n_angles=1000), 7)
        0.0008225
        >>> noise_variance(1.0, 1.0, 1000, "hann") < noise_variance(1.0, 1.0, 1000)
        True
    """
    relative = torch.linspace(0, 1, 2001, dtype=torch.float64)
    share = 3 * torch.trapezoid((relative * filter_window(filter, relative)).square(), relative)
    return math.pi**2 * ray_variance / (12 * n_angles * bin_width**2) * float(share)


def _deviation(expected: Tensor, root: Tensor, generator: torch.Generator, sampler: Sampler) -> Tensor:
    """Counts less their expectation, in rows; ``root`` is the root of the expectation."""
    normal, limit = _normal(expected, generator), _LIMITS[sampler]
    if expected.device.type == "cpu":
        deviation = torch.empty_like(expected, memory_format=torch.contiguous_format)
        left, of_left = _count(expected, root, normal, generator, limit, deviation, logarithm=False)
        deviation.view(-1)[left] = of_left
        return deviation
    # draws are cheap on a GPU, and reading values back is not
    counted = torch.poisson(expected.clamp(max=limit), generator=generator) - expected
    return torch.where(expected < limit, counted, _expanded(root, normal))


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Normal deviates, which have the digits of float32 in float64 too."""
    return torch.empty_like(like, dtype=torch.float32).normal_(generator=generator).to(like.dtype)


def _count(
    expected: Tensor,
    root: Tensor,
    normal: Tensor,
    generator: torch.Generator,
    limit: float,
    out: Tensor,
    *,
    logarithm: bool,
) -> tuple[Tensor, Tensor]:
    """Counts less their expectation, or errors of their logarithm, into ``out``; rays left, and their deviation."""
    expected, root, normal, out = (x.contiguous().view(-1) for x in (expected, root, normal, out))
    bounds, left = expected.new_tensor([_FEW, limit]), torch.empty(out.numel(), dtype=torch.int32)
    left = left[: count(*arrays(expected, root, normal, bounds), logarithm, *arrays(out, left))]
    if len(left) == 0:
        return left, expected[:0]
    mean = expected[left]
    deviation, few = torch.empty_like(mean), mean < _FEW
    deviation[few] = torch.poisson(mean[few], generator=generator) - mean[few]
    near = mean[~few].double()
    deviation[~few] = (_decided(near, normal[left][~few].double()) - near).to(mean.dtype)
    return left, deviation


def _decided(expected: Tensor, normal: Tensor) -> Tensor:
    """Smallest count whose distribution function reaches that of the normal deviate."""
    probability = torch.special.ndtr(normal)
    whole = (expected + _expanded(expected.sqrt(), normal)).round_().clamp_(min=0)
    while True:
        too_low = torch.special.gammaincc(whole + 1, expected) < probability  # P(C <= whole)
        too_high = torch.special.gammaincc(whole, expected) >= probability
        if torch.equal(too_low, too_high):  # never both
            return whole
        whole = whole + too_low.to(whole) - too_high.to(whole)


def _expanded(root: Tensor, normal: Tensor) -> Tensor:
    """Cornish-Fisher expansion up to the third cumulant."""
    series = torch.add(_constant(1 / 6, root), normal / root, alpha=-1 / 72)
    return (root * normal).addcmul_(torch.addcmul(_constant(-1, root), normal, normal), series)


def _constant(value: float, like: Tensor) -> Tensor:
    return cached(("constant", value, like.dtype, like.device), lambda: like.new_tensor(value))


def _in_parts(rays: Tensor) -> tuple[Tensor, ...]:
    """Rows that fit into a CPU's caches; on a GPU all rows, since its counts are independent within one call only."""
    rows = rays.reshape(-1, rays.shape[-1])
    return torch.split(rows, max(1, _TOGETHER // rays.shape[-1])) if rays.device.type == "cpu" else (rows,)


def _may_be_below(min_count: float, lowest: Tensor) -> bool:
    """Whether any count may be below the bound; always true on a GPU, which would have to wait for the answer."""
    return lowest.device.type != "cpu" or float(lowest) - _LARGEST_DEVIATE * math.sqrt(float(lowest)) <= min_count
