"""Accepted images, precision of computation, and types of results.

float64 is computed in float64, everything else in float32, under autocast and with TF32 too. Integers of any width,
signed or not, bool and 8-bit floating point give float32. float32 holds integers up to 2^24 exactly and larger ones to
seven digits: pass float64 if more digits matter. float16 and bfloat16 inputs give outputs of the same type, but float32
under autocast. Complex, quantized and packed types are refused, and so are sparse and nested tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor

__all__ = [
    "as_computed",
    "as_given",
    "check_dense",
    "check_image",
    "check_numbers",
    "class_indices",
    "compute_dtype",
    "full_precision",
    "is_real",
]

_INTEGERS = (torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64)
_EIGHT_BITS = (
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
)
#: types that can be converted to float32; torch computes little with some of them
_REAL = (torch.bool, *_INTEGERS, *_EIGHT_BITS, torch.float16, torch.bfloat16, torch.float32, torch.float64)


def class_indices(target: Tensor) -> Tensor:
    """Class indices in int64, the type for which torch's losses take any shape; other targets unchanged.

    Args:
        target: target of a loss, of any type.

    Example:
        >>> class_indices(torch.tensor([0, 2], dtype=torch.uint8)).dtype, class_indices(torch.rand(2)).dtype
        (torch.int64, torch.float32)
    """
    narrow = isinstance(target, Tensor) and target.dtype in (torch.bool, *_INTEGERS) and target.dtype != torch.int64
    return target.to(torch.int64) if narrow else target


def is_real(dtype: torch.dtype) -> bool:
    """Whether a type holds single real numbers.

    Args:
        dtype: any type of torch.

    Example:
        >>> is_real(torch.uint16), is_real(torch.complex64), is_real(torch.quint8)
        (True, False, False)
    """
    return dtype in _REAL


def check_dense(x: Tensor, name: str = "x") -> None:
    """Refuse a tensor that does not store all of its numbers one after another.

    Args:
        x: tensor of any type.
        name: name of the argument.

    Raises:
        ValueError: x is sparse, nested, or packed by another library.

    Example:
        >>> check_dense(torch.eye(2).to_sparse())
        Traceback (most recent call last):
        ValueError: 'x' must be a dense tensor, got torch.sparse_coo: pass x.to_dense().
    """
    if x.is_nested:
        raise ValueError(f"'{name}' must be a dense tensor, got a nested one: pass its parts one by one.")
    if x.layout != torch.strided:
        raise ValueError(f"'{name}' must be a dense tensor, got {x.layout}: pass {name}.to_dense().")


def check_numbers(x: Tensor, name: str = "x") -> None:
    """Refuse a value that is no dense tensor of real numbers.

    Args:
        x: value of the argument.
        name: name of the argument.

    Raises:
        TypeError: x is no tensor.
        ValueError: x is sparse, nested, complex or quantized.

    Example:
        >>> check_numbers([0.0, 0.5], "frequencies")
        Traceback (most recent call last):
        TypeError: 'frequencies' must be a torch.Tensor, got builtins.list: pass torch.as_tensor(frequencies).
    """
    if not isinstance(x, Tensor):
        kind = f"{type(x).__module__}.{type(x).__qualname__}"
        raise TypeError(f"'{name}' must be a torch.Tensor, got {kind}: pass torch.as_tensor({name}).")
    check_dense(x, name)
    if x.is_complex():
        raise ValueError(f"'{name}' must be real, got {x.dtype}: take its magnitude, or its parts as two channels.")
    if not is_real(x.dtype):
        raise ValueError(f"'{name}' must be of integers or floating point, got {x.dtype}: convert it first.")


def check_image(x: Tensor, spatial_dims: int, *, name: str = "x") -> None:
    """Refuse a value that is no real image with a number of spatial dimensions.

    Args:
        x: image or features, ``(*, *spatial)``.
        spatial_dims: number of trailing spatial dimensions, at least 1.
        name: name of the argument.

    Raises:
        TypeError: x is no tensor.
        ValueError: x is sparse, complex, quantized or empty, or has too few dimensions, or spatial_dims is below 1.

    Example:
        >>> check_image(torch.rand(8), spatial_dims=2)
        Traceback (most recent call last):
        ValueError: 'x' must have at least 2 dimensions (*, *spatial), got shape (8,).
    """
    check_numbers(x, name)
    if spatial_dims < 1:
        raise ValueError(f"'spatial_dims' must be at least 1, got {spatial_dims}.")
    if x.ndim < spatial_dims:
        raise ValueError(
            f"'{name}' must have at least {spatial_dims} dimensions (*, *spatial), got shape {tuple(x.shape)}."
        )
    if 0 in x.shape:
        raise ValueError(f"'{name}' must not be empty, got shape {tuple(x.shape)}.")


def compute_dtype(x: Tensor) -> torch.dtype:
    """Type of the computation: float64 for float64, else float32.

    Args:
        x: image of any real type.

    Example:
        >>> compute_dtype(torch.zeros(3, dtype=torch.float16))
        torch.float32
    """
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def as_computed(x: Tensor, name: str = "x") -> Tensor:
    """Numbers in the type of the computation.

    Args:
        x: tensor of any real type.
        name: name of the argument.

    Raises:
        TypeError: x is no tensor.
        ValueError: x is sparse, complex, quantized or packed.

    Example:
        >>> as_computed(torch.tensor([3, 4], dtype=torch.uint16))
        tensor([3., 4.])
    """
    check_numbers(x, name)
    return x.to(compute_dtype(x))


def as_given(result: Tensor, x: Tensor) -> Tensor:
    """Result in half precision if the input had it, outside autocast; else unchanged.

    Args:
        result: result computed from x, in :func:`compute_dtype`.
        x: input of the computation.

    Example:
        >>> as_given(torch.zeros(3), torch.zeros(3, dtype=torch.float16)).dtype
        torch.float16
    """
    halved = x.dtype in (torch.float16, torch.bfloat16) and not torch.is_autocast_enabled(x.device.type)
    return result.to(x.dtype) if halved else result


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Context without autocast and, on CUDA, without TF32; empty if both are off, so that traced graphs stay clean.

    Args:
        x: input of the computation, which tells the device.

    Example:
        >>> with full_precision(torch.zeros(3)):
        ...     torch.is_autocast_enabled("cpu")
        False
    """
    kind = x.device.type
    precise = torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
    return precise if kind != "cuda" or torch.compiler.is_compiling() else _without_tf32(precise)


@contextmanager
def _without_tf32(precise: AbstractContextManager[object]) -> Iterator[None]:
    """Matrix products with all digits of float32: TF32 would lose digits of the mean of an image.

    The switch belongs to the process: products of other threads are exact during the block, too.
    """
    switch_back = _switch_tf32_off()
    try:
        with precise:
            yield
    finally:
        switch_back()


def _switch_tf32_off() -> Callable[[], None]:
    """Switch TF32 off, and return how to switch it back.

    torch has two switches, and refuses to read the one after the other was used.
    """
    switch: Callable[[str], None] = torch.set_float32_matmul_precision
    try:
        before, exact = torch.get_float32_matmul_precision(), "highest"
    except RuntimeError:
        matmul = torch.backends.cuda.matmul
        before, exact = matmul.fp32_precision, "ieee"
        switch = partial(setattr, matmul, "fp32_precision")
    if before != exact:
        switch(exact)
    return partial(switch, before) if before != exact else lambda: None
