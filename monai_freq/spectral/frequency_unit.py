"""The unit of frequencies: those in cycles per mm have a type of their own, all others are in cycles per voxel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..quoting import written
from .scalars import is_finite_number

__all__ = ["PerMillimetre", "require_per_voxel", "theta_of", "unit_of"]

#: functions and methods whose results are the same frequencies, a part of them, or several sets of them
_KEEPING = {"to", "type", "float", "double", "half", "bfloat16", "cpu", "cuda", "clone", "detach", "contiguous"}
_KEEPING |= {"requires_grad_", "pin_memory", "__getitem__", "flatten", "ravel", "reshape", "reshape_as", "view"}
_KEEPING |= {"view_as", "unflatten", "squeeze", "unsqueeze", "expand", "expand_as", "broadcast_to", "atleast_1d"}
_KEEPING |= {"atleast_2d", "atleast_3d", "permute", "transpose", "t", "swapaxes", "swapdims", "movedim", "moveaxis"}
_KEEPING |= {"flip", "fliplr", "flipud", "roll", "rot90", "sort", "msort", "topk", "unique", "unique_consecutive"}
_KEEPING |= {"max", "min", "amax", "amin", "aminmax", "median", "kthvalue", "clamp", "clip", "masked_select"}
_KEEPING |= {"narrow", "narrow_copy", "select", "index_select", "gather", "take", "take_along_dim", "unbind", "chunk"}
_KEEPING |= {"split", "tensor_split", "hsplit", "vsplit", "cat", "concat", "concatenate", "stack", "hstack", "vstack"}
_KEEPING |= {"dstack", "column_stack", "row_stack", "repeat", "tile", "repeat_interleave", "meshgrid", "unfold"}
_KEEPING_ATTRIBUTES = [getattr(Tensor, name).__get__ for name in ("data", "T", "mT", "real")]

#: highest frequency in the corners of a volume; lowest end of any axis, that of an image of three voxels
_HIGHEST_END, _LOWEST_END = math.sqrt(3) / 2, 1 / 3
_ROUNDING = 1e-3  # in steps of the axis


class PerMillimetre(Tensor):
    """Frequencies in cycles per mm.

    The unit survives a change of precision, device, shape or order, and copies, parts and concatenations. Any other
    result is a plain tensor: times a voxel size in mm, for example, frequencies are in cycles per voxel. NumPy arrays
    have no unit.

    Example:
        >>> frequencies = torch.tensor([0.0, 0.1, 0.2]).as_subclass(PerMillimetre)
        >>> frequencies[1:]
        PerMillimetre([0.1000, 0.2000])
        >>> frequencies * 2.0
        tensor([0.0000, 0.2000, 0.4000])
    """

    #: unit, as an axis shows it
    unit = "cycles / mm"

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Result of an operation: of this type if the operation keeps frequencies as they are, else a plain tensor."""
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **(kwargs or {}))
        return _as(cls, result) if func.__name__ in _KEEPING or func in _KEEPING_ATTRIBUTES else result

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Deep copy, which torch leaves to subclasses."""
        copied: Tensor = memo.setdefault(id(self), self.detach().clone())
        return copied

    def __format__(self, format_spec: str) -> str:
        """Format of one frequency as a number, which torch has for plain tensors only."""
        return format(self.as_subclass(Tensor), format_spec)


def _as(kind: type[PerMillimetre], result: Any) -> Any:
    """Frequencies in their type; indices stay as they are."""
    if isinstance(result, (tuple, list)):
        return type(result)([_as(kind, part) for part in result])
    return result.as_subclass(kind) if type(result) is Tensor and result.is_floating_point() else result


torch.serialization.add_safe_globals([PerMillimetre])  # torch.load refuses types that are not listed


def unit_of(frequencies: Any) -> str:
    """Unit of frequencies, as an axis shows it.

    Args:
        frequencies: tensor or array of frequencies.

    Example:
        >>> from monai_freq.spectral.psd import radial_psd
        >>> image = torch.rand(8, 8)
        >>> unit_of(radial_psd(image, spatial_dims=2)[0]), unit_of(radial_psd(image, (2.0, 2.0), spatial_dims=2)[0])
        ('cycles / voxel', 'cycles / mm')
    """
    return str(getattr(frequencies, "unit", "cycles / voxel"))


def require_per_voxel(frequencies: Tensor, name: str = "frequencies") -> None:
    """Refuse frequencies that are no axis in cycles per voxel.

    The axis of an image of n voxels has steps of 1/n, and ends at 1/2 or half a step below; with corners it ends at
    0.87 at most. Frequencies that end elsewhere were computed with a voxel size, and have lost their type.

    Args:
        frequencies: frequencies ``(K,)``.
        name: name of the argument.

    Raises:
        ValueError: the frequencies are in cycles per mm, do not rise from 0, or end where no axis in cycles per voxel
            ends.

    Example:
        >>> require_per_voxel(torch.tensor([0.0, 0.05, 0.1]))
        Traceback (most recent call last):
        ValueError: 'frequencies' must end at 0.5 cycles per voxel, at 0.87 with corners, but end at 0.1: ...
    """
    if unit_of(frequencies) == PerMillimetre.unit:
        raise ValueError(f"'{name}' must be in cycles per voxel, got cycles per mm: compute them without spacing.")
    if frequencies.ndim != 1 or not bool((frequencies >= 0).all() and (frequencies.diff() > 0).all()):
        raise ValueError(f"'{name}' must be rising from 0 in one dimension, got {frequencies.tolist()!s:.80}.")
    positive = frequencies[frequencies > 0]
    eps = torch.finfo(positive.dtype).eps if positive.is_floating_point() else 0.0
    if len(positive) and not _ends_per_voxel(positive.double(), eps):
        raise ValueError(
            f"'{name}' must end at 0.5 cycles per voxel, at 0.87 with corners, but end at {float(positive[-1]):.3g}: "
            "are they in cycles per mm? Compute them without spacing."
        )


def theta_of(cutoff_per_mm: float, spacing_mm: float | Sequence[float]) -> float | tuple[float, ...]:
    r"""Width theta of the band that ends at a cutoff in cycles per mm.

    .. math:: \theta = 2 \cdot \text{cutoff} \cdot \text{spacing}

    theta is the fraction of the Nyquist frequency, :math:`1 / (2 \cdot \text{spacing})`, at which the band ends.

    Args:
        cutoff_per_mm: end of the band in cycles per mm, the same along all axes.
        spacing_mm: size of a voxel along each cut axis in mm, in the order of ``axes``; one number for all.

    Returns:
        A number if it is the same along all axes, else one for each. It has 12 digits: 2 * 0.1 * 0.7 is 0.14.

    Raises:
        ValueError: cutoff or spacing is not positive, or the cutoff is at or beyond the Nyquist frequency of an axis.

    Example:
        >>> theta_of(0.05, spacing_mm=(1.0, 1.0)), theta_of(0.05, spacing_mm=(0.7, 1.4))
        (0.1, (0.07, 0.14))
        >>> theta_of(0.05, spacing_mm=12)
        Traceback (most recent call last):
        ValueError: 'cutoff_per_mm' must be below 0.0417, the Nyquist frequency of a spacing of 12 mm, got 0.05: ...
    """
    sizes = list(spacing_mm) if isinstance(spacing_mm, Iterable) else [spacing_mm]
    sizes = [float(size) if isinstance(size, Tensor) and size.ndim == 0 else size for size in sizes]
    if not (is_finite_number(cutoff_per_mm) and cutoff_per_mm > 0):
        raise ValueError(f"'cutoff_per_mm' must be a positive number of cycles per mm, got {written(cutoff_per_mm)}.")
    if not sizes or not all(is_finite_number(size) and size > 0 for size in sizes):
        raise ValueError(f"'spacing_mm' must be positive voxel sizes in mm, got {written(spacing_mm)}.")
    widths = [float(f"{2 * float(cutoff_per_mm) * float(size):.12g}") for size in sizes]
    if max(widths) >= 1:
        coarsest = max(sizes)
        raise ValueError(
            f"'cutoff_per_mm' must be below {1 / (2 * coarsest):.3g}, the Nyquist frequency of a spacing of "
            f"{coarsest:.6g} mm, got {written(cutoff_per_mm)}: lower it, or do not cut that axis."
        )
    return widths[0] if len(set(widths)) == 1 else tuple(widths)


def _ends_per_voxel(positive: Tensor, eps: float) -> bool:
    """Whether an axis ends where an axis in cycles per voxel can end."""
    last = float(positive[-1])
    step = float(torch.cat([positive[:1], positive.diff()]).min())
    half = (1 / 2 + _ROUNDING) * step + eps
    if 0.5 - half <= last <= 0.5 + half:
        return True
    # images of a few voxels have the lowest corners, and the centre of their last ring may lie beyond the corners
    nearest = math.hypot(max(0.5 - half, 0), _LOWEST_END) - half
    size = round(last / step) / last  # in voxels: a whole number
    return nearest <= last <= _HIGHEST_END + half and abs(size - round(size)) <= max(1e-2, 4 * eps * size)
