"""Roll-off of a spectrum: how steeply the power falls at high frequencies."""

from __future__ import annotations

from .log_power import LogPower, long_axes

__all__ = ["STEEP", "roll_off"]

#: exponent from which a roll-off is reported
STEEP = 7.0

#: lowest frequency of the middle of a range, and half its width as a factor
_LOWEST, _WIDTH = 0.15, 1.25


def roll_off(power: LogPower) -> tuple[float, float]:
    r"""Largest local exponent of the power, and where it is.

    .. math:: \beta(f) = -\frac{d \log P}{d \log f}

    by least squares over :math:`f / 1.25` to :math:`1.25 f`, for f from 0.15 to 0.4 cycles per voxel.

    An amplitude of :math:`1/f^2` has an exponent of 4, white noise of 0. Smoothing by a Gaussian with an SD of one
    voxel gives 12 or more; rounding to 8 bits fills the spectrum, and most such images have 7 or more. Textures have up
    to 6.8, and radiographs up to 6.5.

    Args:
        power: spectrum of the image.

    Returns:
        Exponent, and its frequency in cycles per voxel; 0 and 0 if the image is too small.

    Example:
        >>> import torch
        >>> noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> smooth = torch.nn.functional.conv2d(noise, torch.ones(1, 1, 3, 3) / 9, padding=1)
        >>> roll_off(LogPower(noise[0, 0]))[0] < 3, roll_off(LogPower(smooth[0, 0]))[0] > 7
        (True, True)
    """
    if len(long_axes(power.image.shape)) < 2:
        return 0.0, 0.0
    rings, level, counts = (part.double() for part in power.radial)
    middle = rings[(rings >= _LOWEST) & (rings * _WIDTH <= 0.5)]
    inside = (rings >= middle[:, None] / _WIDTH) & (rings <= middle[:, None] * _WIDTH) & (counts > 0)
    middle, inside = middle[inside.sum(1) >= 4], inside[inside.sum(1) >= 4].double()
    if not len(middle):
        return 0.0, 0.0
    octave = rings.clamp(min=rings[1]).log() - (inside @ rings.clamp(min=rings[1]).log() / inside.sum(1))[:, None]
    slope = (octave * inside * level).sum(1) / (octave.square() * inside).sum(1)
    best = int(slope.argmin())
    return max(0.0, -float(slope[best])), float(middle[best])
