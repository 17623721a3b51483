"""Compiled loops of gridding: from the half spectrum of an image to the lines of a polar grid, and back.

Each point of the DFT lies with its mirror images, real and imaginary parts, in four or eight numbers side by side. They
have one weight, so that a vector instruction adds them. LLVM finds such instructions in long loops only; here they are
asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .compiled import compiled
from .kaiser_bessel import WIDTH

__all__ = ["gather", "interpolate", "scatter", "spread"]

#: Indices without a sign need no check for negative ones.
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_add: Any = None


@cache
def _make_add() -> None:
    """Make ``_add(lanes, target, i, weight, source, j)`` with Numba.

    It is ``target[i : i + lanes] += weight * source[j : j + lanes]``, in one instruction where the processor has it.
    """
    global _add
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
    def add(typing: Any, lanes: Any, target: Any, i: Any, weight: Any, source: Any, j: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(args[3].type, lanes.literal_value)
            align = context.get_abi_sizeof(args[3].type)
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), args[3], ir.Constant(ir.IntType(32), 0))
            same = ir.Constant(ir.VectorType(ir.IntType(32), lanes.literal_value), None)
            weights = builder.shuffle_vector(first, first, same)

            def place(array: int) -> Any:
                data = context.make_array(signature.args[array])(context, builder, args[array]).data
                return builder.bitcast(builder.gep(data, [args[array + 1]]), vector.as_pointer())

            product = builder.fmul(weights, builder.load(place(4), align=align), flags=("contract",))
            total = builder.fadd(builder.load(place(1), align=align), product, flags=("contract",))
            builder.store(total, place(1), align=align)
            return context.get_dummy_value()

        return types.void(lanes, target, types.uint64, source.dtype, source, types.uint64), generate

    _add = add


@compiled(fused=False)  # products of complex numbers are rounded as torch does it, and a seed gives the same counts
def gather(half: Any, places: Any, phases: Any, points: Any) -> None:
    """Points and their mirror images from a half spectrum, about the centre of the image.

    Args:
        half: half spectrum, ``(numbers, 2)``.
        places: place of each point in it, or the complement of the place of its conjugate.
        phases: factor for each point, ``(points, 2)``.
        points: result, ``(points, 2)``.

    Example:
        >>> import torch
        >>> from monai_freq.spectral.compiled import arrays
        >>> half, places = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, ~0], dtype=torch.int32)
        >>> points = torch.empty(2, 2)
        >>> gather(*arrays(half, places, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), points))
        >>> points
        tensor([[ 3.,  4.],
                [ 1., -2.]])
    """
    for i in range(places.size):
        place = places[i]
        mirrored = place < 0
        k = np.uint64(~place if mirrored else place)
        real, imaginary = half[k, 0], half[k, 1]
        if mirrored:
            imaginary = -imaginary
        points[i, 0] = real * phases[i, 0] - imaginary * phases[i, 1]
        points[i, 1] = real * phases[i, 1] + imaginary * phases[i, 0]


@compiled()
def scatter(points: Any, places: Any, phases: Any, half: Any) -> None:
    """Adjoint of :func:`gather`: adds each point to its place in a half spectrum.

    Args:
        points: points and their mirror images, ``(points, 2)``.
        places: as in :func:`gather`.
        phases: factor for each point, ``(points, 2)``.
        half: half spectrum, to which the points are added, ``(numbers, 2)``.

    Example:
        >>> import torch
        >>> from monai_freq.spectral.compiled import arrays
        >>> points, places = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, ~0], dtype=torch.int32)
        >>> half = torch.zeros(1, 2)
        >>> scatter(*arrays(points, places, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), half))
        >>> half
        tensor([[ 4., -2.]])
    """
    for i in range(places.size):
        place = places[i]
        mirrored = place < 0
        k = np.uint64(~place if mirrored else place)
        imaginary = points[i, 0] * phases[i, 1] + points[i, 1] * phases[i, 0]
        half[k, 0] += points[i, 0] * phases[i, 0] - points[i, 1] * phases[i, 1]
        half[k, 1] += -imaginary if mirrored else imaginary


@compiled(prepare=_make_add)
def interpolate(points: Any, starts: Any, weights: Any, factors: Any, lines: Any) -> None:
    """Values on lines, from the points around them.

    Args:
        points: points with their mirror images, as a row of real numbers.
        starts: place in it of the first tap of each of the ``WIDTH`` rows around a frequency.
        weights: weights of all ``WIDTH`` x ``WIDTH`` taps of a frequency.
        factors: factor of each value, ``(lines or 1, radii)``.
        lines: result, ``(lines, mirrors, radii, 2)``.

    Example:
        >>> import torch
        >>> from monai_freq.spectral.compiled import arrays
        >>> starts, weights = torch.zeros(4, dtype=torch.int32), torch.full((16,), 1 / 16)
        >>> lines = torch.empty(1, 2, 1, 2)
        >>> interpolate(*arrays(torch.full((16,), 3.0), starts, weights, torch.ones(1, 1), lines))
        >>> lines.flatten()
        tensor([3., 3., 3., 3.])
    """
    n_lines, mirrors, radii = lines.shape[:3]
    total = np.empty(2 * mirrors, lines.dtype)
    tap = row = _ZERO
    for line in range(n_lines):
        factor = factors[line if len(factors) > 1 else 0]
        for radius in range(radii):
            total[:] = 0
            for _ in range(WIDTH):
                start = np.uint64(starts[row])
                row += _ONE
                for x in range(WIDTH):
                    if mirrors == 4:
                        _add(8, total, _ZERO, weights[tap], points, start + np.uint64(8 * x))
                    else:
                        _add(4, total, _ZERO, weights[tap], points, start + np.uint64(4 * x))
                    tap += _ONE
            for mirror in range(mirrors):
                lines[line, mirror, radius, 0] = total[2 * mirror] * factor[radius]
                lines[line, mirror, radius, 1] = total[2 * mirror + 1] * factor[radius]


@compiled(prepare=_make_add)
def spread(lines: Any, starts: Any, weights: Any, factors: Any, points: Any) -> None:
    """Adjoint of :func:`interpolate`: adds values on lines to the points around them.

    Args:
        lines: values, ``(lines, mirrors, radii, 2)``.
        starts: as in :func:`interpolate`.
        weights: as in :func:`interpolate`.
        factors: as in :func:`interpolate`.
        points: points to which the values are added, as a row of real numbers.

    Example:
        >>> import torch
        >>> from monai_freq.spectral.compiled import arrays
        >>> starts, weights, points = torch.zeros(4, dtype=torch.int32), torch.full((16,), 1 / 16), torch.zeros(16)
        >>> spread(*arrays(torch.ones(1, 2, 1, 2), starts, weights, torch.ones(1, 1), points))
        >>> points.sum()
        tensor(4.)
    """
    n_lines, mirrors, radii = lines.shape[:3]
    value = np.empty(2 * mirrors, lines.dtype)
    tap = row = _ZERO
    for line in range(n_lines):
        factor = factors[line if len(factors) > 1 else 0]
        for radius in range(radii):
            for mirror in range(mirrors):
                value[2 * mirror] = lines[line, mirror, radius, 0] * factor[radius]
                value[2 * mirror + 1] = lines[line, mirror, radius, 1] * factor[radius]
            for _ in range(WIDTH):
                start = np.uint64(starts[row])
                row += _ONE
                for x in range(WIDTH):
                    if mirrors == 4:
                        _add(8, points, start + np.uint64(8 * x), weights[tap], value, _ZERO)
                    else:
                        _add(4, points, start + np.uint64(4 * x), weights[tap], value, _ZERO)
                    tap += _ONE
