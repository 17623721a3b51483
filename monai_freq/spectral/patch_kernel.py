"""Weighted means of one tile of a volume, by loops that are compiled: the arithmetic of non-local means.

A tile with its margins is one flat array, in which an offset of the search window is a single stride, so that every
loop runs along long rows of memory. Each offset is visited for all voxels at once (Darbon et al. 2008), and only one of
each opposite two: a weight counts for both its ends. Loops are many and short, as the compiler makes vectors only of
those for whose few arrays it can tell that they do not overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled

__all__ = ["average_tile"]

Pair = tuple[int, int]
Triple = tuple[int, int, int]

#: Offsets along a row that are visited together: sums are read and written once for all of them.
_GROUP = 4
#: Elements of a run of rows, which a cache of the first level holds.
_RUN = 5400
#: Zeros before and after a tile, into which groups of offsets reach.
_SPARE = 8
# 2^f within 1/2 of 0, to 2e-7 and 9e-16: coefficients from the highest power on, interpolated at Chebyshev's nodes
_SINGLE = tuple(
    np.float32(c)
    for c in (
        0.0013381302536962971,
        0.009666368515384414,
        0.05550381013797239,
        0.24022349038020377,
        0.6931471805599451,
        1,
    )
)
_DOUBLE = (
    2.751634879545732e-10,
    7.070907899601893e-09,
    1.018774624257772e-07,
    1.32154491438996e-06,
    1.525271471274953e-05,
    0.00015403530436618561,
    0.001333355816201602,
    0.009618129107602673,
    0.05550410866477342,
    0.24022650695910153,
    0.6931471805599456,
    1.0,
)
# added to a number, these leave its nearest integer, and the bias of an exponent, in the last digits
_SHIFT_SINGLE, _SHIFT_DOUBLE = np.float32(1.5 * 2**23 + 127), 1.5 * 2**52 + 1023
_MOST_SINGLE, _MOST_DOUBLE = np.float32(126), 1022.0  # beyond these a weight is as good as 0


@compiled()
def _power_single(s: Any) -> Any:
    """Compute 2^-s in float32."""
    s = _MOST_SINGLE if s > _MOST_SINGLE else s
    shifted = np.float32(_SHIFT_SINGLE - s)
    f = (_SHIFT_SINGLE - shifted) - s
    p = _SINGLE[0]
    for c in _SINGLE[1:]:
        p = p * f + c
    return p * np.int32(shifted.view(np.int32) << np.int32(23)).view(np.float32)


@compiled()
def _power_double(s: Any) -> Any:
    """Compute 2^-s in float64."""
    s = _MOST_DOUBLE if s > _MOST_DOUBLE else s
    shifted = np.float64(_SHIFT_DOUBLE - s)
    f = (_SHIFT_DOUBLE - shifted) - s
    p = _DOUBLE[0]
    for c in _DOUBLE[1:]:
        p = p * f + c
    return p * np.int64(shifted.view(np.int64) << np.int64(52)).view(np.float64)


@compiled()
def _power(s: Any, single: bool) -> Any:
    return _power_single(np.float32(s)) if single else _power_double(np.float64(s))


@compiled()
def _square_differences(x: Any, here: int, there: int, out: Any, n: int) -> None:
    p, q, o = x[here : here + n], x[there : there + n], out[:n]
    for i in range(n):
        d = p[i] - q[i]
        o[i] = d * d


@compiled()
def _sum(x: Any, start: int, stride: int, count: int, out: Any, first: int, n: int) -> None:
    """Sum an odd number of terms, each a stride further on; by far the most radii are 0, 1 and 2."""
    half = count // 2
    k = start + half * stride
    c, o = x[k : k + n], out[first : first + n]
    if half == 0:
        for i in range(n):
            o[i] = c[i]
        return
    b, d = x[k - stride : k - stride + n], x[k + stride : k + stride + n]
    if half == 1:
        for i in range(n):
            o[i] = b[i] + c[i] + d[i]
        return
    k = start + (half - 2) * stride
    a, e = x[k : k + n], x[k + 4 * stride : k + 4 * stride + n]
    for i in range(n):
        o[i] = (a[i] + b[i]) + (d[i] + e[i]) + c[i]
    for j in range(half - 2):
        k = start + j * stride
        a, e = x[k : k + n], x[k + (count - 1 - 2 * j) * stride : k + (count - 1 - 2 * j) * stride + n]
        for i in range(n):
            o[i] += a[i] + e[i]


@compiled()
def _weigh(x: Any, start: int, stride: int, count: int, out: Any, first: int, n: int) -> None:
    """Weights from the last sums of squares; as in :func:`_sum`, without a pass of its own for the most radii."""
    single = x.dtype.type(1) + x.dtype.type(2.0**-40) == x.dtype.type(1)  # known when the loops are compiled
    o = out[first : first + n]
    a, b = x[start : start + n], x[start + stride : start + stride + n]
    c = x[start + 2 * stride : start + 2 * stride + n]
    if count == 3:
        for i in range(n):
            o[i] = _power(a[i] + b[i] + c[i], single)
    elif count == 5:
        d, e = x[start + 3 * stride : start + 3 * stride + n], x[start + 4 * stride : start + 4 * stride + n]
        for i in range(n):
            o[i] = _power((a[i] + b[i]) + (d[i] + e[i]) + c[i], single)
    else:
        _sum(x, start, stride, count, out, first, n)
        for i in range(n):
            o[i] = _power(o[i], single)


@compiled()
def _add(
    w: Any, first: int, step: int, values: Any, here: int, there: int, sums: Any, weights: Any, at: int, n: int
) -> None:
    """Add the weighted rises from here to four voxels in a row, the first of them there."""
    p, q, t, c = values[here : here + n], values[there : there + n + 3], sums[at : at + n], weights[at : at + n]
    w0, w1 = w[first : first + n], w[first + step : first + step + n]
    w2, w3 = w[first + 2 * step : first + 2 * step + n], w[first + 3 * step : first + 3 * step + n]
    for i in range(n):
        low, high = (
            w0[i] * (q[i] - p[i]) + w1[i] * (q[i + 1] - p[i]),
            w2[i] * (q[i + 2] - p[i]) + w3[i] * (q[i + 3] - p[i]),
        )
        t[i] += low + high
    for i in range(n):
        c[i] += (w0[i] + w1[i]) + (w2[i] + w3[i])


@compiled()
def average_tile(
    volume: Any,
    mean: Any,
    sources: tuple[Any, Any, Any],
    corner: Pair,
    size: Pair,
    patch: Triple,
    search: Triple,
    scale: float,
    squares: bool,
) -> None:
    r"""Write the weighted means of a tile into those of its volume.

    .. math:: v_p + \frac{\sum_q w(p, q)\, (v_q - v_p)}{\sum_q w(p, q)}, \qquad
        w(p, q) = 2^{-\sum_{b \in B} (s x_{p+b} - s x_{q+b})^2}

    which rounds less than the mean of the values, and leaves a flat region as it is.

    Args:
        volume: array ``(planes, rows, columns)``, float32 or float64.
        mean: array to write to, likewise.
        sources: which plane, row and column of the volume each one of the tile with its margins is.
        corner: first plane and row of the tile.
        size: number of planes and rows of the tile, which has all columns.
        patch: radii of B across planes, rows and columns, in voxels.
        search: radii of the search window, likewise.
        scale: factor s.
        squares: whether :math:`v = x^2`, not :math:`v = x`.

    Reference:
        J. Darbon, A. Cunha, T. F. Chan, S. Osher, G. J. Jensen (2008), "Fast nonlocal filtering applied to electron
        cryomicroscopy", ISBI. DOI 10.1109/ISBI.2008.4541250.

    Example:
        >>> x, mean = np.array([[[0.0, 3.0, 6.0]]]), np.empty((1, 1, 3))
        >>> sources = np.array([0]), np.array([0]), np.array([1, 0, 1, 2, 1])
        >>> average_tile(x, mean, sources, (0, 0), (1, 1), (0, 0, 0), (0, 0, 1), 0.0, False)
        >>> mean.tolist()
        [[[2.0, 3.0, 4.0]]]
    """
    (pz, py, px), (sz, sy, sx) = patch, search
    mz, my, mx = pz + sz, py + sy, px + sx
    (nz, ny), nx = size, volume.shape[2]
    row = (nx + 2 * mx + 7) // 8 * 8  # whole vectors
    plane = (ny + 2 * my) * row
    alike = np.zeros((nz + 2 * mz) * plane + 2 * _SPARE + sx, volume.dtype)
    for z in range(nz + 2 * mz):
        for y in range(ny + 2 * my):
            source, start = volume[sources[0][z], sources[1][y]], _SPARE + z * plane + y * row
            for x in range(nx + 2 * mx):
                alike[start + x] = source[sources[2][x]]
    values = alike * alike if squares else alike.copy()
    for i in range(len(alike)):
        alike[i] *= scale
    sums = np.zeros(nz * ny * row, volume.dtype)
    weights = np.ones_like(sums)

    # runs of rows, one after another if patches lie within planes: then the halo of one is the end of the last
    length = ny + sy if pz else max(1, _RUN // row)
    around, span, taps = 2 * py * row, length * row + _SPARE, 2 * pz + 1
    squared = np.zeros(span + around + 2 * px, volume.dtype)
    lines = np.zeros(_GROUP * (span + around), volume.dtype)
    planes = np.zeros(_GROUP * taps * span if pz else 0, volume.dtype)
    w = np.zeros(_GROUP * span, volume.dtype)  # what is spare stays 0: the reach of a group beyond the window
    for dz in range(sz + 1):
        for dy in range(-sy if dz else 0, sy + 1):
            least = -sx if dz or dy else 1
            begin, end = min(0, -dy), max(ny, ny - dy)
            for dx in range(sx - _GROUP + 1, least - _GROUP, -_GROUP):
                shift, unused = dz * plane + dy * row + dx, max(0, least - dx)
                w[: unused * span] = 0
                for z in range(-dz - pz, nz + pz):
                    for top in range(begin, end, length):
                        bottom = min(top + length, end)
                        n, kept = (bottom - top) * row, around if top > begin else 0
                        first = _SPARE + (z + mz) * plane + (top + sy) * row + kept
                        for m in range(unused, _GROUP):
                            own = 0 if pz else m * (span + around)
                            _sum(lines, own + length * row, 1, 1, lines, own, kept)
                            _square_differences(alike, first, first + shift + m, squared, n + around - kept)
                            _sum(squared, 0, 1, 2 * px + 1, lines, own + kept, n + around - kept)
                            if pz:
                                ring = m * taps * span
                                _sum(lines, own, row, 2 * py + 1, planes, ring + (z + dz + pz) % taps * span, n)
                                _weigh(planes, ring, span, taps, w, m * span, n)
                            else:
                                _weigh(lines, own, row, 2 * py + 1, w, m * span, n)
                        near = z - pz
                        if near < -dz:
                            continue
                        first = _SPARE + (near + mz) * plane + my * row + mx
                        i, j = max(top, 0), min(bottom, ny)
                        if near >= 0 and i < j:
                            here, at = first + i * row, (near * ny + i) * row
                            start = (i - top) * row + sx
                            _add(w, start, span, values, here, here + shift, sums, weights, at, (j - i) * row - 2 * mx)
                        far, i, j = near + dz, max(top + dy, 0), min(bottom + dy, ny)
                        if far < nz and i < j:  # the other ends, in the opposite order
                            here, at = first + dz * plane + i * row, (far * ny + i) * row
                            back = shift + _GROUP - 1
                            start = (_GROUP - 1) * span + (i - dy - top) * row + sx - dx - _GROUP + 1
                            _add(
                                w, start, 1 - span, values, here, here - back, sums, weights, at, (j - i) * row - 2 * mx
                            )
    for z in range(nz):
        for y in range(ny):
            at, start = (z * ny + y) * row, _SPARE + (z + mz) * plane + (y + my) * row + mx
            for x in range(nx):
                mean[corner[0] + z, corner[1] + y, x] = values[start + x] + sums[at + x] / weights[at + x]
