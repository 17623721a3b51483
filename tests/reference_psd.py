"""The radial power spectrum density, written out: the complex transform of numpy in float64, ring by ring."""

import numpy as np

TINY = 1e-6  # rounding, in widths of a ring


def numpy_psd(image, power=1, norm="backward"):
    """Mean spectrum of each ring or shell of a channel."""
    spectrum = np.abs(np.fft.fftn(np.asarray(image, np.float64), norm=norm)) ** power
    ring, kept = rings_of(spectrum.shape)
    return np.array([spectrum[ring == k].mean() for k in kept])


def numpy_frequencies(shape):
    """Where these rings are, in cycles per voxel."""
    return rings_of(shape)[1] / max(shape)


def rings_of(shape):
    """Which ring each frequency is in, and the rings up to the highest frequency of an axis, which is in the last."""
    axes = np.meshgrid(*(max(shape) * np.fft.fftfreq(n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    highest = max(np.abs(axis).max() for axis in axes) + TINY
    ring = np.floor(radius + 0.5 + TINY)
    ring = np.where(radius <= highest, np.minimum(ring, np.floor(highest)), ring)
    return ring, np.unique(ring[ring <= highest])
