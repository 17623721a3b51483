"""A plain radial power spectrum density: the complex transform of numpy in float64, ring by ring."""

import numpy as np

TINY = 1e-6  # rounding, in widths of a ring


def numpy_psd(image, power=1, norm="backward", spacing=None, corners=False):
    """Mean spectrum of each ring or shell of a channel."""
    spectrum = np.abs(np.fft.fftn(np.asarray(image, np.float64), norm=norm)) ** power
    ring, kept = rings_of(spectrum.shape, spacing or (1,) * spectrum.ndim, corners)
    return np.array([spectrum[ring == k].mean() for k in kept])


def numpy_frequencies(shape, spacing=None, corners=False):
    """Centres of these rings, in cycles per voxel, or per unit of the spacing."""
    spacing = spacing or (1,) * len(shape)
    return rings_of(shape, spacing, corners)[1] / max(np.multiply(shape, spacing))


def rings_of(shape, spacing, corners):
    """Ring of each frequency, and the rings: without corners those up to the highest frequency of an axis."""
    longest = max(np.multiply(shape, spacing))
    axes = [longest * np.fft.fftfreq(n, d) for n, d in zip(shape, spacing, strict=True)]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    ring = np.floor(radius + 0.5 + TINY)
    if corners:
        return ring, np.unique(ring)
    highest = max(np.abs(axis).max() for axis in axes) + TINY  # is in the last ring
    ring = np.where(radius <= highest, np.minimum(ring, np.floor(highest)), ring)
    return ring, np.unique(ring[ring <= highest])
