"""What of all that a network returns is a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from torch import Tensor

__all__ = ["Task", "Wanted", "replaced", "shapes_in", "tensors_in"]

Task = Literal["segmentation", "classification"]


class Wanted(NamedTuple):
    """Predictions that a network is to return.

    Args:
        out_channels: number of classes.
        spatial_dims: number of spatial axes of the images, 2 or 3.
        task: kind of task: ``"segmentation"``, of shape ``(B, out_channels, *spatial)``, or ``"classification"``,
            ``(B, out_channels)``.

    Example:
        >>> import torch
        >>> wanted = Wanted(3, spatial_dims=2)
        >>> wanted.is_in([torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)], (8, 8)), wanted.shape
        (True, '(B, 3, *spatial)')
    """

    out_channels: int
    spatial_dims: int
    task: Task = "segmentation"

    @property
    def shape(self) -> str:
        """As it is written in messages."""
        return f"(B, {self.out_channels}{', *spatial' if self.task == 'segmentation' else ''})"

    def is_prediction(self, item: Tensor, spatial: Sequence[int]) -> bool:
        """Whether a tensor is one prediction for images of a size."""
        if self.task == "classification":
            return item.ndim == 2 and item.shape[1] == self.out_channels
        same = item.ndim == self.spatial_dims + 2 and item.shape[1] == self.out_channels
        return same and item.shape[2:] == tuple(spatial)

    def is_stack(self, item: Tensor, spatial: Sequence[int]) -> bool:
        """Whether it is several, as DynUNet's deep supervision returns: ``(B, heads, out_channels, *spatial)``."""
        if self.task == "classification" or item.ndim != self.spatial_dims + 3:
            return False
        return item.shape[2] == self.out_channels and item.shape[3:] == tuple(spatial)

    def is_in(self, output: Any, spatial: Sequence[int]) -> bool:
        """Whether there is one in what a network returned."""
        return any(self.is_prediction(item, spatial) or self.is_stack(item, spatial) for item in tensors_in(output))


def replaced(output: Any, change: Callable[[Tensor], Any]) -> Any:
    """The same lists, tuples and dictionaries, with each tensor in them changed.

    Args:
        output: output of a network.
        change: function from a tensor to what takes its place.

    Example:
        >>> import torch
        >>> replaced({"out": [torch.ones(2), None]}, lambda item: item.shape)
        {'out': [torch.Size([2]), None]}
    """
    if isinstance(output, Tensor):
        return change(output)
    if isinstance(output, Mapping):
        pairs = {name: replaced(part, change) for name, part in output.items()}
        return pairs if type(output) is dict else type(output)(pairs)  # type: ignore[call-arg]
    if isinstance(output, (list, tuple)):
        parts = [replaced(part, change) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    return output


def tensors_in(output: Any) -> list[Tensor]:
    """Tensors of lists, tuples and dictionaries, in their order.

    Args:
        output: output of a network.

    Example:
        >>> import torch
        >>> [len(item) for item in tensors_in([torch.rand(2), (None, torch.rand(3))])]
        [2, 3]
    """
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, (list, tuple)) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def shapes_in(output: Any) -> str:
    """What a network returned, for messages.

    Args:
        output: output of a network.

    Example:
        >>> import torch
        >>> shapes_in([torch.rand(2, 3), None])
        '[(2, 3), NoneType]'
    """
    if isinstance(output, Mapping):
        return f"{{{', '.join(f'{name}: {shapes_in(part)}' for name, part in output.items())}}}"
    if isinstance(output, (list, tuple)):
        return f"[{', '.join(shapes_in(part) for part in output)}]"
    return str(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
