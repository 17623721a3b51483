r"""The field that magnetic susceptibility makes in a scanner, and the susceptibility map found back from the field.

To first order, tissue of susceptibility :math:`\chi` shifts the main field, which points along z, by the fraction

.. math:: \delta = \mathcal F^{-1}\, D\, \mathcal F \chi, \qquad D(k) = \frac13 - \frac{k_z^2}{|k|^2},

the convolution with a dipole's field, less that of the sphere of Lorentz. D vanishes on a double cone about z, at the
magic angle of 54.7 degrees, so a field says nothing about :math:`\chi` there: hence the streaks of real maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["dipole_field", "dipole_kernel", "threshold_division"]

Volume = NDArray[np.float32]


def dipole_kernel(shape: Sequence[int], spacing: Sequence[float] = (1, 1, 1)) -> Volume:
    r"""Transfer function from susceptibility to relative field, :math:`D(k) = 1/3 - k_z^2 / |k|^2`.

    At k = 0, where it has no limit, it is 0, its mean over all directions: fields are relative to their mean.

    Args:
        shape: spatial shape of the volume.
        spacing: voxel edges in mm.

    Shape:
        Output ``(X, Y, Z // 2 + 1)``, the layout of ``rfftn``; values in [-2/3, 1/3].

    Reference:
        Salomir, de Senneville and Moonen, A fast calculation method for magnetic field inhomogeneity due to an
        arbitrary distribution of bulk susceptibility, Concepts in Magnetic Resonance Part B 19B, 26-34 (2003),
        doi:10.1002/cmr.b.10083. Marques and Bowtell, Application of a Fourier-based method for rapid calculation of
        field inhomogeneity due to spatial variation of magnetic susceptibility, Concepts in Magnetic Resonance Part B
        25B, 65-78 (2005), doi:10.1002/cmr.b.20034.

    Example:
        >>> kernel = dipole_kernel((8, 8, 8))
        >>> [round(float(kernel[index]), 4) for index in ((0, 0, 0), (0, 0, 1), (1, 0, 0))]
        [0.0, -0.6667, 0.3333]
    """
    *first, last = zip(shape, spacing, strict=True)
    axes = [np.fft.fftfreq(n, step) for n, step in first] + [np.fft.rfftfreq(last[0], last[1])]
    kx, ky, kz = np.meshgrid(*axes, indexing="ij", sparse=True)
    square = kx**2 + ky**2 + kz**2
    square[0, 0, 0] = np.inf
    kernel = 1 / 3 - kz**2 / square
    kernel[0, 0, 0] = 0
    return np.asarray(kernel, dtype=np.float32)


def dipole_field(susceptibility: Volume, spacing: Sequence[float] = (1, 1, 1), *, padding: int = 0) -> Volume:
    r"""Relative field shift :math:`\delta B / B_0` of a susceptibility distribution, in its unit.

    Args:
        susceptibility: magnetic susceptibility ``(X, Y, Z)``, e.g. in ppb relative to the surroundings.
        spacing: voxel edges in mm.
        padding: voxels of 0 added at the end of each axis, so that the field does not come in again on the other side.

    Shape:
        Output like ``susceptibility``.

    Raises:
        ValueError: ``padding`` is negative.

    Reference:
        Marques and Bowtell (2005), doi:10.1002/cmr.b.20034.

    Example:
        >>> nucleus = np.zeros((32, 32, 32), dtype=np.float32)
        >>> nucleus[12:20, 12:20, 12:20] = 100
        >>> field = dipole_field(nucleus, padding=16)
        >>> bool(field[16, 16, 23] > 10 > -5 > field[23, 16, 16])
        True
    """
    return _filter(susceptibility, spacing, padding, lambda kernel: kernel)


def threshold_division(
    field: Volume, spacing: Sequence[float] = (1, 1, 1), *, threshold: float = 0.15, padding: int = 0
) -> Volume:
    r"""Susceptibility from a relative field by thresholded k-space division (TKD).

    .. math:: \chi = \mathcal F^{-1} D_t^{-1} \mathcal F \delta, \qquad
              D_t = \operatorname{sign}(D) \max(|D|, t)

    Where :math:`|D| \ge t` this is the inverse; elsewhere what is found is :math:`|D|/t` of what there was, so contrast
    shrinks and streaks run at 35 degrees to z. At k = 0 the result is 0: values are relative to their mean.

    Args:
        field: relative field ``(X, Y, Z)``.
        spacing: voxel edges in mm.
        threshold: threshold t, in (0, 1/3]: small keeps contrast, large keeps noise and streaks down.
        padding: voxels of 0 added at the end of each axis.

    Shape:
        Output like ``field``, in its unit.

    Raises:
        ValueError: ``threshold`` is out of range, or ``padding`` is negative.

    Reference:
        Shmueli, de Zwart, van Gelderen, Li, Dodd and Duyn, Magnetic susceptibility mapping of brain tissue in vivo
        using MRI phase data, Magnetic Resonance in Medicine 62, 1510-1522 (2009), doi:10.1002/mrm.22135.

    Example:
        >>> tissue = np.random.default_rng(0).standard_normal((16, 16, 16)).astype(np.float32)
        >>> found = threshold_division(dipole_field(tissue), threshold=0.1)
        >>> bool(np.corrcoef(found.ravel(), tissue.ravel())[0, 1] > 0.9)
        True
    """
    if not 0 < threshold <= 1 / 3:
        raise ValueError(f"'threshold' must be in (0, 1/3], got {threshold}.")
    return _filter(field, spacing, padding, lambda kernel: _divisor(kernel, threshold))


def _divisor(kernel: Volume, threshold: float) -> Volume:
    inverse = np.copysign(1 / np.maximum(np.abs(kernel), np.float32(threshold)), kernel)
    inverse[0, 0, 0] = 0
    return np.asarray(inverse)


def _filter(volume: Volume, spacing: Sequence[float], padding: int, transfer: Callable[[Volume], Volume]) -> Volume:
    from scipy.fft import irfftn, next_fast_len, rfftn

    if padding < 0:
        raise ValueError(f"'padding' must be at least 0 voxels, got {padding}.")
    shape = [next_fast_len(n + padding, real=True) if padding else n for n in volume.shape]
    spectrum = rfftn(np.asarray(volume, dtype=np.float32), shape)
    spectrum *= transfer(dipole_kernel(shape, spacing))
    return np.ascontiguousarray(irfftn(spectrum, shape)[tuple(slice(n) for n in volume.shape)])
