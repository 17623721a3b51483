"""The unit of frequencies: those in cycles per mm are of a type of their own, all others are in cycles per voxel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["PerMillimetre", "require_per_voxel", "unit_of"]

#: methods whose results are the same frequencies, or some of them
_KEEPING = {"to", "type", "float", "double", "half", "bfloat16", "cpu", "cuda"}
_KEEPING |= {"clone", "detach", "contiguous", "__getitem__", "flatten", "reshape", "view", "flip"}

#: of the shortest axis that has a frequency, three voxels, and of the corners of a volume
_LOWEST_END, _HIGHEST_END = 1 / 3, math.sqrt(3) / 2


class PerMillimetre(Tensor):
    """Frequencies in cycles per mm.

    Another precision or device, a copy and a part of them are in cycles per mm, too. What else is computed from them is
    a plain tensor: times a voxel size in mm, they are cycles per voxel.

    Example:
        >>> frequencies = torch.tensor([0.0, 0.1, 0.2]).as_subclass(PerMillimetre)
        >>> frequencies[1:]
        PerMillimetre([0.1000, 0.2000])
        >>> frequencies * 2.0
        tensor([0.0000, 0.2000, 0.4000])
    """

    #: as it is written on an axis
    unit = "cycles / mm"

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Result of an operation, which is a plain tensor but for those that keep the frequencies as they are."""
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **(kwargs or {}))
        own = func.__name__ in _KEEPING and type(result) is Tensor and result.is_floating_point()
        return result.as_subclass(cls) if own else result

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Copy, which torch leaves to subclasses."""
        copied: Tensor = memo.setdefault(id(self), self.detach().clone())
        return copied

    def __format__(self, format_spec: str) -> str:
        """As the number that one frequency is, which torch gives plain tensors only."""
        return format(self.as_subclass(Tensor), format_spec)


torch.serialization.add_safe_globals([PerMillimetre])  # torch.load takes no other types


def unit_of(frequencies: Any) -> str:
    """Unit of frequencies, as it is written on an axis.

    Args:
        frequencies: in a tensor or an array.

    Example:
        >>> from monai_freq.spectral.psd import radial_psd
        >>> image = torch.rand(8, 8)
        >>> unit_of(radial_psd(image, spatial_dims=2)[0]), unit_of(radial_psd(image, (2.0, 2.0), spatial_dims=2)[0])
        ('cycles / voxel', 'cycles / mm')
    """
    return str(getattr(frequencies, "unit", "cycles / voxel"))


def require_per_voxel(frequencies: Tensor, name: str = "frequencies") -> None:
    """Refuse frequencies that are no axis in cycles per voxel.

    An image of any size has frequencies up to 1/2, or nearly so, and in its corners up to .87: those that end elsewhere
    were computed with a voxel size, and have lost the type that would say so.

    Args:
        frequencies: ``(K,)``.
        name: of the argument.

    Raises:
        ValueError: they are in cycles per mm, or not rising from 0 to where cycles per voxel end.

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
    if not len(positive):
        return
    first, last = float(positive[0]), float(positive[-1])
    # the last ring of a coarse spectrum has its centre up to half a ring beyond the corner
    if not (1 - 1e-6) * _LOWEST_END <= last <= (1 + 1e-6) * (_HIGHEST_END + first / 2):
        raise ValueError(
            f"'{name}' must end at 0.5 cycles per voxel, at 0.87 with corners, but end at {last:.3g}: "
            "are they in cycles per mm? Compute them without spacing."
        )
