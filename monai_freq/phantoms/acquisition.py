"""What a scanner and a living patient add to an ideal picture: bias field, texture, noise and deformation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["deform", "magnitude_image", "ramp_noise", "texture"]

Image = NDArray[np.float32]


def texture(rng: np.random.Generator, shape: Sequence[int], width: float) -> Image:
    """Draw smooth Gaussian noise of mean 0 and standard deviation 1.

    Args:
        rng: source of the noise.
        shape: spatial shape.
        width: standard deviation of the smoothing kernel in voxels.

    Example:
        >>> round(float(texture(np.random.default_rng(0), (16, 16, 8), width=1.5).std()), 3)
        1.0
    """
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), width, mode="wrap")
    return np.asarray((smooth - smooth.mean()) / smooth.std())


def magnitude_image(
    rng: np.random.Generator,
    signal: Image,
    *,
    bias: tuple[float, float],
    grain: tuple[float, float] | Sequence[tuple[float, float]],
    noise: tuple[float, float],
) -> Image:
    r"""Magnitude MR image of an ideal signal: :math:`|g\,t\,x + \sigma (n_1 + i n_2)|`.

    g is the smooth, positive gain of receive coils, :math:`\exp` of a random polynomial of degree 2 in the coordinates;
    t is the texture of tissue; the two noises are white.

    Args:
        rng: source of everything drawn.
        signal: signal x, ``(X, Y, Z)``; the output has the same shape.
        bias: range of half the range of :math:`\log g`.
        grain: standard deviation of t, and the ``width`` of its :func:`texture`; several pairs add up.
        noise: range of :math:`\sigma`, in the unit of the signal.

    References:
        Sudre, Cardoso and Ourselin, Longitudinal segmentation of age-related white matter hyperintensities, Medical
        Image Analysis 38, 50-64 (2017), doi:10.1016/j.media.2017.02.007. Gudbjartsson and Patz, The Rician distribution
        of noisy MRI data, Magnetic Resonance in Medicine 34, 910-914 (1995), doi:10.1002/mrm.1910340618.

    Example:
        >>> ranges = {"bias": (0.1, 0.3), "grain": (0.03, 1.2), "noise": (0.02, 0.03)}
        >>> image = magnitude_image(np.random.default_rng(0), np.ones((16, 16, 8), dtype=np.float32), **ranges)
        >>> image.shape, bool(abs(image.mean() - 1) < 0.2)
        ((16, 16, 8), True)
    """
    gain = _bias_field(rng, signal.shape, rng.uniform(*bias))
    pairs = np.reshape(grain, (-1, 2)).tolist()
    tissue = 1 + sum(deviation * texture(rng, signal.shape, width) for deviation, width in pairs)
    return _rician_noise(rng, gain * tissue * signal, sigma=rng.uniform(*noise))


def _bias_field(rng: np.random.Generator, shape: Sequence[int], strength: float, order: int = 2) -> Image:
    coefficients = rng.uniform(-1, 1, (order + 1,) * 3)
    degrees = np.indices(coefficients.shape).sum(0)
    coefficients[(degrees > order) | (degrees == 0)] = 0
    x, y, z = (np.linspace(-1, 1, n) for n in shape)
    field = np.asarray(np.polynomial.polynomial.polygrid3d(x, y, z, coefficients))
    field -= (field.max() + field.min()) / 2
    return np.asarray(np.exp(strength * field / np.abs(field).max()), dtype=np.float32)


def _rician_noise(rng: np.random.Generator, image: Image, sigma: float) -> Image:
    real, imaginary = (sigma * rng.standard_normal(image.shape, dtype=np.float32) for _ in range(2))
    return np.asarray(np.hypot(image + real, imaginary))


def ramp_noise(rng: np.random.Generator, shape: Sequence[int], width: float) -> Image:
    r"""Draw the noise of filtered back-projection, of mean 0 and standard deviation 1; slices are independent.

    The ramp filter leaves a noise power proportional to the frequency in the slice, the kernel bounds it:
    :math:`W(f) \propto |f| e^{-(2\pi\sigma f)^2}`.

    Args:
        rng: source of the noise.
        shape: spatial shape; slices are cut across the last axis.
        width: :math:`\sigma` of the Gaussian reconstruction kernel in voxels.

    Reference:
        Riederer, Pelc and Chesler, The noise power spectrum in computed X-ray tomography, Physics in Medicine and
        Biology 23, 446-454 (1978), doi:10.1088/0031-9155/23/3/008.

    Example:
        >>> noise = ramp_noise(np.random.default_rng(0), (32, 32, 8), width=0.5)
        >>> round(float(noise.std()), 3), bool(abs(noise.mean((0, 1))).max() < 1e-6)
        (1.0, True)
    """
    x, y = np.fft.fftfreq(shape[0])[:, None, None], np.fft.rfftfreq(shape[1])[None, :, None]
    frequency = np.hypot(x, y)
    amplitude = np.sqrt(frequency) * np.exp(-((2 * np.pi * width * frequency) ** 2) / 2)
    spectrum = amplitude * np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32), axes=(0, 1))
    noise = np.fft.irfft2(spectrum, s=shape[:2], axes=(0, 1))
    return np.asarray(noise / noise.std(), dtype=np.float32)


def deform(
    rng: np.random.Generator, layers: Image, affine: NDArray[np.float64], displacement: float, points: int = 9
) -> Image:
    """Warp all layers together by a random cubic B-spline field, with TorchIO; the border stays in place.

    Args:
        rng: source of the control points' displacements; torch's random state neither matters nor changes.
        layers: images to deform, ``(C, X, Y, Z)``.
        affine: voxel-to-mm matrix (4, 4).
        displacement: largest displacement of a control point in mm, along each axis.
        points: number of control points along each axis, at least 7; the outer three layers do not move.

    Shape:
        Output like ``layers``.

    Reference:
        Perez-Garcia, Sparks and Ourselin, TorchIO: a Python library for efficient loading, preprocessing, augmentation
        and patch-based sampling of medical images in deep learning, Computer Methods and Programs in Biomedicine 208,
        106236 (2021), doi:10.1016/j.cmpb.2021.106236.

    Example:
        >>> layers = np.random.default_rng(0).random((2, 16, 16, 12), dtype=np.float32)
        >>> deform(np.random.default_rng(0), layers, np.diag([5.0, 5.0, 5.0, 1.0]), displacement=4.0).shape
        (2, 16, 16, 12)
    """
    import torch
    import torchio

    control = np.zeros((points, points, points, 3))
    # A cubic spline reaches across three points: with fewer of them fixed, the border would sample outside the image.
    control[3:-3, 3:-3, 3:-3] = rng.uniform(-displacement, displacement, (points - 6,) * 3 + (3,))
    warp = torchio.ElasticDeformation(control, (displacement,) * 3, image_interpolation="linear")
    image = torchio.ScalarImage(tensor=torch.from_numpy(layers), affine=affine)  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=[]):  # every TorchIO transform tosses a coin for its probability, even at 1
        warped = warp(image).data
    return np.asarray(warped.numpy(), dtype=np.float32)
