"""All flags of one image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import check_image, compute_dtype, full_precision
from ..scalars import is_finite_number
from . import border, cutoff, grey_levels, jpeg, peaks, resampling, roll_off
from .flag import FLAGS, Flag
from .log_power import LogPower

__all__ = ["spectrum_flags"]

#: most factors of resampling that are named, and the range of those that are likely
_LIKELY = (0.3, 4.0)


def spectrum_flags(image: Tensor, spacing: Sequence[float] | None = None) -> dict[str, Flag]:
    """Traces of how an image was made: in its spectrum, its blocks, its border and its grey levels.

    A trace can tell one source of images from another, and with it a label, without any disease. Each flag has a number
    and a threshold. Which numbers images without a trace have is said with each function:
    :func:`~monai_freq.spectral.flags.cutoff.spectral_cutoffs`,
    :func:`~monai_freq.spectral.flags.resampling.resampling_traces`,
    :func:`~monai_freq.spectral.flags.jpeg.block_edges`, :func:`~monai_freq.spectral.flags.jpeg.dct_steps`,
    :func:`~monai_freq.spectral.flags.border.constant_border`,
    :func:`~monai_freq.spectral.flags.grey_levels.grey_levels`,
    :func:`~monai_freq.spectral.flags.peaks.spectral_peaks` and
    :func:`~monai_freq.spectral.flags.roll_off.roll_off`.

    A constant border is left out of the spectra. A trace that explains another hides it: edges of JPEG blocks and of an
    old grid are no grid lines, and resampling and a cutoff are no soft roll-off.

    Args:
        image: image of one channel as it was read. Scaling its values keeps the traces; a change of its grid does not.
        spacing: voxel size along each axis in mm.

    Returns:
        Name -> flag, for each of ``FLAGS``, in their order.

    Shape:
        ``(*spatial)`` in 2D or 3D; axes of less than 16 voxels are not looked at.

    Raises:
        TypeError: the image is no tensor.
        ValueError: the image is complex, empty, not 2D or 3D, or holds NaN or infinity; a spacing is not positive.

    Example:
        >>> noise = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
        >>> flags = spectrum_flags(noise + 0.5 * torch.cos(torch.pi * torch.arange(64)), spacing=(0.5, 0.5))
        >>> [flag.said for flag in flags.values() if flag.found]
        ['a wave along axis 1 at 0.5 cycles per voxel: every other line differs']
        >>> flags["grid_lines"].per_mm
        ((1, 1.0),)
    """
    _check(image, spacing)
    with torch.no_grad(), full_precision(image):
        whole = image.detach().to(compute_dtype(image))
        lines = border.constant_border(whole)
        inner = border.without_border(whole, lines)
        levels, power = grey_levels.grey_levels(whole), LogPower(inner)
        blocks = _jpeg(whole, inner, levels)
        compressed = any(flag.found for flag in blocks)
        waves = peaks.spectral_peaks(power)
        resampled = _resampled(inner, compressed, waves)
        zero_filled = _zero_filled(power, resampled.found)
        others = [_border(whole, lines), *_levels(levels), *_waves(waves, inner.shape, compressed, resampled)]
        others.append(_low_passed(power, zero_filled.found or resampled.found))
    flags = {flag.name: flag for flag in (zero_filled, resampled, *blocks, *others)}
    return {name: flags[name] if spacing is None else flags[name].with_spacing(spacing) for name in FLAGS}


def _check(image: Tensor, spacing: Sequence[float] | None) -> None:
    check_image(image, 2, name="image")
    if image.ndim > 3:
        raise ValueError(f"'image' must be one channel, (*spatial) in 2D or 3D, got shape {tuple(image.shape)}.")
    if image.is_floating_point() and not bool(image.isfinite().all()):
        raise ValueError("'image' must hold finite numbers, got NaN or infinity: replace them first.")
    if spacing is not None and not (len(spacing) == image.ndim and all(is_finite_number(d) and d > 0 for d in spacing)):
        raise ValueError(f"'spacing' must be {image.ndim} positive voxel sizes in mm, got {tuple(spacing)}.")


def _zero_filled(power: LogPower, explained: bool) -> Flag:
    steps = cutoff.spectral_cutoffs(power)
    along = [] if explained else [step for step in steps if step.found and step.axis is not None]
    radial = [] if explained else [step for step in steps if step.found and step.axis is None]
    # the corners of a rectangle and the sides of a circle drop less than what was cut
    if radial and max((step.drop for step in along), default=0) < radial[0].drop:
        along = radial
    value = max((step.drop for step in along or steps), default=None)
    places = tuple((step.axis, step.frequency) for step in along)
    said = f"nothing above {_places(places)}" if along else ""
    return Flag("zero_filled", value, cutoff.CUTOFF_DROP, "dB", said, places)


def _resampled(inner: Tensor, compressed: bool, waves: Sequence[peaks.Peak]) -> Flag:
    traces = resampling.resampling_traces(inner, blocks=compressed)
    found = [trace for trace in traces if trace.found and not _of_waves(trace, inner.shape, waves)]
    places = tuple((trace.axis, trace.frequency) for trace in found)
    value = max((trace.height for trace in traces), default=None)
    said = ""
    if places:
        strongest = max(found, key=lambda trace: trace.height).frequency
        factors = [f for f in resampling.resampling_factors(strongest) if _LIKELY[0] <= f <= _LIKELY[1]]
        names = ", ".join(f"{factor:.3g}" for factor in factors)
        said = f"detail repeats at {_places(places)}: the number of voxels was changed by one of {names}"
    return Flag("resampled", value, resampling.RESAMPLING_HEIGHT, "dB", said, places)


def _of_waves(trace: resampling.Resampling, sizes: Sequence[int], waves: Sequence[peaks.Peak]) -> bool:
    """Whether the detail of a wave repeats so: twice in a period."""
    near = 2 / sizes[trace.axis]
    doubled = [2 * abs(wave.frequency[trace.axis]) for wave in waves if wave.found and wave.frequency[trace.axis]]
    return any(abs(_seen(base) - trace.frequency) < near < abs(base / 2 - trace.frequency) for base in doubled)


def _jpeg(whole: Tensor, inner: Tensor, levels: grey_levels.GreyLevels) -> list[Flag]:
    edges = jpeg.block_edges(whole)
    found = [blocks for blocks in edges if blocks.found]
    scores = sorted(blocks.score for blocks in edges)
    said = f"edges every 8 voxels along axes {_axes([blocks.axis for blocks in found])}" if len(found) >= 2 else ""
    blocky = Flag("jpeg_blocks", scores[-2] if len(scores) > 1 else None, jpeg.BLOCK_SCORE, "standard errors", said)
    number = None
    if levels.step and len(edges) > 1:
        phases = [0] * whole.ndim
        for blocks in found if said else ():
            phases[blocks.axis] = blocks.phase
        number = int((jpeg.dct_steps((whole - levels.lowest) / levels.step, tuple(phases)) > 0).sum())
    rounded = number is not None and number >= jpeg.QUANTISED_COEFFICIENTS
    said = f"{number} of 63 cosine coefficients of 8 x 8 blocks were rounded" if rounded else ""
    return [blocky, Flag("jpeg_quantised", number, jpeg.QUANTISED_COEFFICIENTS, "coefficients", said)]


def _border(whole: Tensor, lines: list[tuple[int, int]]) -> Flag:
    kept = math.prod(size - sum(both) for size, both in zip(whole.shape, lines, strict=True))
    share = 1 - kept / whole.numel()
    counts = ", ".join(f"{both[0]} and {both[1]} along axis {axis}" for axis, both in enumerate(lines) if any(both))
    said = f"constant lines at the border: {counts}" if share >= border.BORDER_SHARE else ""
    return Flag("constant_border", share, border.BORDER_SHARE, "share of voxels", said)


def _levels(levels: grey_levels.GreyLevels) -> list[Flag]:
    counted = f"{levels.levels} grey levels" + (f" in steps of {levels.step:.4g}" if levels.step else "")
    few = Flag(
        "few_grey_levels",
        levels.bits if levels.step else math.log2(levels.levels),
        grey_levels.FEW_BITS,
        "bits",
        counted if levels.few else "",
    )
    said = f"{levels.gaps:.0%} of the grey levels in the middle of the histogram are empty" if levels.has_gaps else ""
    return [few, Flag("grey_level_gaps", levels.gaps, grey_levels.GAP_SHARE, "share of levels", said)]


def _waves(found: list[peaks.Peak], sizes: Sequence[int], compressed: bool, resampled: Flag) -> list[Flag]:
    old_grid = [frequency for _, frequency in resampled.frequencies]
    found = [peak for peak in found if not _explained(peak, sizes, compressed, old_grid)]
    lines = _named("grid_lines", [peak for peak in found if peak.axis is not None])
    return [lines, _named("spectral_spike", [peak for peak in found if peak.axis is None])]


def _explained(peak: peaks.Peak, sizes: Sequence[int], compressed: bool, old_grid: Sequence[float]) -> bool:
    """Whether a peak lies on the multiples of the blocks of JPEG, or of an old grid, along each axis."""
    bases = [1 / 8] * compressed + list(old_grid)
    return any(
        all(_off(abs(frequency), base) < 1.5 / size for frequency, size in zip(peak.frequency, sizes, strict=True))
        for base in bases
    )


def _off(frequency: float, base: float) -> float:
    """Distance to the nearest multiple of a frequency, as it is seen between 0 and 0.5 cycles per voxel."""
    return min(abs(frequency - _seen(number * base)) for number in range(9))


def _seen(frequency: float) -> float:
    """Frequency between 0 and 0.5 cycles per voxel that samples show."""
    return abs((frequency + 0.5) % 1 - 0.5)


def _named(name: str, found: list[peaks.Peak]) -> Flag:
    value = max((peak.height for peak in found), default=0.0)
    waves = [peak for peak in found if peak.found]
    if not waves:
        return Flag(name, value, peaks.PEAK_HEIGHT, "dB")
    frequency = waves[0].frequency
    if waves[0].axis is None:
        radius = math.hypot(*frequency)
        said = f"an oblique wave at {', '.join(f'{part:.3g}' for part in frequency)} cycles per voxel"
        return Flag(name, value, peaks.PEAK_HEIGHT, "dB", said, ((None, radius),))
    places = tuple((peak.axis, abs(peak.frequency[peak.axis])) for peak in waves if peak.axis is not None)
    said = f"a wave {_places(places[:1], along_first=True)}"
    said += ": every other line differs" if places[0][1] == 0.5 else ""
    return Flag(name, value, peaks.PEAK_HEIGHT, "dB", said, places)


def _low_passed(power: LogPower, explained: bool) -> Flag:
    exponent, frequency = roll_off.roll_off(power)
    steep = exponent >= roll_off.STEEP and not explained
    said = f"the power falls with exponent {exponent:.3g} at {frequency:.3g} cycles per voxel" if steep else ""
    places = ((None, frequency),) if frequency else ()
    return Flag("low_passed", exponent if frequency else None, roll_off.STEEP, "exponent", said, places)


def _places(places: Sequence[tuple[int | None, float]], along_first: bool = False) -> str:
    if along_first:
        return " and ".join(f"along axis {axis} at {f:.3g} cycles per voxel" for axis, f in places)
    return " and ".join(
        f"{f:.3g} cycles per voxel" + ("" if axis is None else f" along axis {axis}") for axis, f in places
    )


def _axes(axes: Sequence[int]) -> str:
    return " and ".join(map(str, axes))
