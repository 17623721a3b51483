"""Networks as graphs for other programs: of `torch.export`, and ONNX."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from monai.networks.utils import eval_mode
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import Dim, ExportedProgram

from ..files import replacing
from ..quoting import reason_of, written
from ..spectral.theta import theta_along
from .frequency_fusion import FrequencyFusion
from .image_sizes import CannotTell, answer, by, name_of, on_meta
from .misfit import why_refused, why_unfit

__all__ = ["export_onnx", "export_program"]

#: of one file, in bytes: protocol buffers hold 2 GB
_LARGEST = 1_900_000_000


def export_program(network: FrequencyFusion, image_size: Sequence[int], *, dynamic: bool = True) -> ExportedProgram:
    r"""Graph of a network for `torch.export`, for batches and images of any size that its backbone takes.

    The bases of the bands have :math:`2 \lceil \theta N / 2 \rceil - 1` columns for an axis of N voxels: the graph
    computes them from the size of the image that it is given. It is of evaluation mode, and the network stays as it is.

    Args:
        network: the network, on any device.
        image_size: number of voxels along each axis; one that the backbone takes.
        dynamic: whether the graph is for any size, or for one image of this size at a time.

    Returns:
        The program. With ``dynamic`` its ``module()`` refuses sizes of at most :math:`2 / \theta` voxels along a cut
        axis, whose low band is the mean alone; ONNX has no such limit.

    Raises:
        TypeError: the network is no :class:`FrequencyFusion`.
        ValueError: the backbone does not take the size, or ``dynamic`` is asked of one whose graph holds for one alone.

    Example:
        >>> backbone = torch.nn.Conv2d(8, 2, 3, padding=1)
        >>> network = FrequencyFusion(backbone, in_channels=1, out_channels=2, spatial_dims=2)
        >>> program = export_program(network, (32, 32))
        >>> program.module()(torch.rand(3, 1, 45, 67)).shape
        torch.Size([3, 2, 45, 67])
    """
    image_size = _checked(network, image_size)
    if not dynamic:
        return _program(network, (1, *image_size), Dim.STATIC)
    sizes = _other_sizes(network, image_size)
    try:
        program = _program(network, (2, *sizes[0]), Dim.AUTO)
        for size in sizes:
            _ask(program, network, size)
    except Exception as error:  # of the backbone, of torch.export or of the graph's guards
        raise ValueError(
            f"the backbone ({name_of(network.backbone)}) has no graph for any size ({reason_of(error)[:120]}):\n"
            f"pass dynamic=False, for images of {by(image_size)} alone."
        ) from error
    return program


def export_onnx(
    network: FrequencyFusion, path: str | os.PathLike[str], image_size: Sequence[int], *, dynamic: bool = True
) -> Path:
    """Write a network as ONNX, for batches and images of any size that its backbone takes.

    The input is called ``image`` and a single output ``pred``. The packages for it are those of the extra ``onnx``.

    Args:
        network: the network, on any device.
        path: file to write, ending in ``.onnx``.
        image_size: number of voxels along each axis; one that the backbone takes.
        dynamic: whether the graph is for any size, or for one image of this size at a time.

    Returns:
        The file. Weights of 2 GB and more are in a second one beside it.

    Raises:
        ImportError: the packages are missing.
        TypeError: the network is no :class:`FrequencyFusion`.
        ValueError: the backbone does not take the size, or ``dynamic`` is asked of one whose graph holds for one alone.

    Example:
        >>> network = FrequencyFusion(torch.nn.Conv2d(8, 2, 3, padding=1), 1, 2, spatial_dims=2)
        >>> export_onnx(network, "network.onnx", (32, 32, 32))
        Traceback (most recent call last):
        ValueError: 'image_size' must be 2 whole numbers of at least 1, got (32, 32, 32).
    """
    if any(importlib.util.find_spec(package) is None for package in ("onnx", "onnxscript")):
        raise ImportError('ONNX needs packages that are not installed: pip install "monai_freq[onnx]"')
    program = export_program(network, image_size, dynamic=dynamic)
    pred = ["pred"] if len(program.graph_signature.user_outputs) == 1 else None
    with _without_torchvision():
        converted = torch.onnx.export(program, dynamo=True, verbose=False, input_names=["image"], output_names=pred)
    assert converted is not None  # a file alone is returned as None
    held = sum(tensor.nbytes for tensor in program.state_dict.values())
    path = Path(path)
    if held > _LARGEST:
        path.parent.mkdir(parents=True, exist_ok=True)
        converted.save(path, external_data=True)
        return path
    with replacing(path) as aside:
        converted.save(aside, external_data=False)
    return path


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """torch says at each export which operations of torchvision it passes over, where that is not installed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    logger.addFilter(_is_news)
    try:
        yield
    finally:
        logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("torchvision is not installed")


def _checked(network: FrequencyFusion, image_size: Sequence[int]) -> tuple[int, ...]:
    """Voxels along each axis, if the network takes images of them."""
    if not isinstance(network, FrequencyFusion):
        raise TypeError(f"'network' must be a FrequencyFusion, got {type(network).__name__}.")
    sizes = tuple(image_size) if isinstance(image_size, Iterable) else ()
    counts = all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in sizes)
    if not counts or len(sizes) != network.spatial_dims:
        raise ValueError(
            f"'image_size' must be {network.spatial_dims} whole numbers of at least 1, got {written(image_size)}."
        )
    sizes = tuple(map(int, sizes))
    given = (2, network.features, *sizes)
    try:
        output = answer(on_meta(network.backbone), given)
    except CannotTell:
        return sizes
    except Exception as error:
        raise ValueError(why_refused(network.backbone, given, network._wanted, error) or reason_of(error)) from error
    if not network._wanted.is_in(output, sizes):
        raise ValueError(why_unfit(network.backbone, given, network._wanted, output))
    return sizes


def _program(network: FrequencyFusion, batch: Sequence[int], dim: Any) -> ExportedProgram:
    """Graph made from images of a shape ``(B, *spatial)``, whose sizes are all as they are or all free."""
    images = _images(network, *batch)
    free = {axis: dim for axis in range(images.ndim) if axis != 1}
    with eval_mode(network), torch.no_grad():
        return torch.export.export(network, (images,), dynamic_shapes=(free,))


def _images(network: FrequencyFusion, count: int, *size: int) -> Tensor:
    weight = next(network.parameters())
    channels = network.in_channels * (2 if network.presplit else 1)
    return weight.new_zeros(count, channels, *size)


def _other_sizes(network: FrequencyFusion, image_size: Sequence[int]) -> list[list[int]]:
    """Multiples of a size to make a graph from, and to try it on: different along each axis, the low band above DC.

    A graph takes for granted what is so of the sizes that it is made from: that two are equal, or that one is 1.
    """
    least = min(image_size[axis] * theta / 2 for axis, theta in theta_along(network.theta, network.axes).items())
    first = max(2, math.floor(1 / least) + 1)
    steps = range(len(image_size))
    return [
        [n * (first + step) for n, step in zip(image_size, order, strict=True)] for order in (steps, reversed(steps))
    ]


def _ask(program: ExportedProgram, network: FrequencyFusion, size: Sequence[int]) -> None:
    """Run a graph on one image of a size without computing anything."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        program.module()(_images(network, 1, *size))
