"""Networks in files: weights with a constructor, TorchScript, ONNX, exported programs."""

from __future__ import annotations

import ast
import copy
import functools
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import DataError, UsageError
from ...json_files import parse_json
from ...networks.predictions import Task, tensors_in
from ...networks.pretrained import load_pretrained
from ...quoting import named, reason_of, shown, written

__all__ = [
    "FoundNetwork",
    "Inferred",
    "builder_of",
    "constructed",
    "found_network",
    "open_network",
    "resettable",
    "with_weights",
]


@dataclass(frozen=True)
class FoundNetwork:
    """What a source says of a network.

    Args:
        forward: function from a batch of inputs to the output.
        kind: kind of source, in words.
        network: the network as a module; None if it is none.
        build: function that builds it with random weights; None if unknown.
        preprocess: function from a loaded image to the input; None if unknown.
        classes: names of the classes; empty if unknown.
        task: its task; None if unknown.
        activation: see :class:`monai_freq.audit.model.models.AuditModel`.

    Example:
        >>> FoundNetwork(nn.Identity(), "module").classes
        ()
    """

    forward: Callable[[Tensor], Any]
    kind: str
    network: nn.Module | None = None
    build: Callable[[], nn.Module] | None = field(default=None, repr=False)
    preprocess: Callable[[Any], Tensor] | None = None
    classes: tuple[str, ...] = ()
    task: Task | None = None
    activation: str | None = None


@dataclass(frozen=True)
class Inferred:
    """A network behind an inferer, such as one of sliding windows.

    Args:
        network: the network.
        inferer: function of inputs and network.

    Example:
        >>> from monai.inferers import SimpleInferer
        >>> Inferred(nn.Identity(), SimpleInferer())(torch.ones(1))
        tensor([1.])
    """

    network: nn.Module
    inferer: Callable[..., Any]

    def __call__(self, images: Tensor) -> Any:
        """What the network says of images."""
        return self.inferer(images, self.network)

    def on(self, network: nn.Module) -> Inferred:
        """The same inferer on another network."""
        return Inferred(network, self.inferer)


def constructed(text: str) -> Callable[[], nn.Module]:
    """Function that builds a network, from its constructor in words; nothing else in the text is run.

    Args:
        text: dotted name of a class or function with literal arguments, as
            ``"monai.networks.nets.DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)"``.

    Raises:
        UsageError: the text is no such call, there is no such name, or it refuses the arguments.

    Example:
        >>> constructed("torch.nn.Linear(4, 2)")()
        Linear(in_features=4, out_features=2, bias=True)
        >>> constructed("torch.nn.Linear(4, len('ab'))")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: torch.nn.Linear(4, len('ab')) must be a name with literal arguments.
        As in "monai.networks.nets.DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)".
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            call = ast.Call(call, [], [])
        name = _dotted(call.func)
        given = [ast.literal_eval(part) for part in call.args]
        options = {str(part.arg): ast.literal_eval(part.value) for part in call.keywords if part.arg}
        if len(options) != len(call.keywords):
            raise ValueError("**")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise UsageError(
            f"{shown(text)} must be a name with literal arguments.\n"
            'As in "monai.networks.nets.DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)".'
        ) from error
    return functools.partial(_build, _imported(name), given, options, name)


def open_network(
    path: str | os.PathLike[str], constructor: str | Callable[[], nn.Module] | None = None
) -> FoundNetwork:
    """Network of a file; no pickled code is run.

    Args:
        path: file of weights (``.pt``, ``.pth``), TorchScript, ONNX (``.onnx``), or a program of ``torch.export``
            (``.pt2``). What a zip archive is, its content tells.
        constructor: constructor of the network that weights belong to, see :func:`constructed`, or a function that
            builds it.

    Raises:
        DataError: the file is missing, damaged, or weights of another network.
        UsageError: it holds weights, and there is no constructor; or the package that opens it is missing.

    Example:
        >>> import tempfile
        >>> file = os.path.join(tempfile.mkdtemp(), "model.pt")
        >>> torch.save(nn.Linear(4, 2).state_dict(), file)
        >>> open_network(file, "torch.nn.Linear(4, 2)").kind
        'weights'
    """
    if not os.path.isfile(path):
        raise DataError(f"There is no file {named(path)}.\nName the file of a network.")
    if Path(path).suffix.lower() == ".onnx":
        return FoundNetwork(_onnx(path), "ONNX")
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    inside = {name.partition("/")[2] or name for name in names}
    if Path(path).suffix.lower() == ".pt2" or any("serialized_exported_program" in name for name in names):
        return FoundNetwork(_exported(path), "exported program")
    if "constants.pkl" in inside:
        network = _opened(path, "TorchScript", lambda: torch.jit.load(path, map_location="cpu"))  # type: ignore[no-untyped-call]
        return FoundNetwork(network, "TorchScript", network)
    if constructor is None:
        raise UsageError(
            f"{named(path)} holds weights, not the network they belong to.\n"
            'Say its constructor, as in "monai.networks.nets.DenseNet121(spatial_dims=2, in_channels=1, '
            'out_channels=2)".'
        )
    build = constructed(constructor) if isinstance(constructor, str) else constructor
    network = with_weights(build(), path)
    return FoundNetwork(network, "weights", network, build)


def with_weights(network: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """The network with the weights of a file, all of them, in evaluation mode.

    Args:
        network: the network.
        path: file of the weights.

    Raises:
        DataError: the file cannot be read, or is of another network.

    Example:
        >>> import tempfile
        >>> file = os.path.join(tempfile.mkdtemp(), "model.pt")
        >>> torch.save({"bias": torch.ones(2), "weight": torch.ones(2, 4)}, file)
        >>> with_weights(nn.Linear(4, 2), file).bias.sum().item()
        2.0
    """
    try:
        load_pretrained(network, path)
    except ValueError as error:
        raise DataError(f"{error}\nName the network that these weights are of.") from error
    return network.eval()


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or not parts:
        raise ValueError("no dotted name")
    return ".".join([node.id, *reversed(parts)])


def _imported(name: str) -> Callable[..., Any]:
    module, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(module), last)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"There is no {shown(name)}: {reason_of(error)}.\nName a class that can be imported."
        ) from error
    is_network = isinstance(found, type) and issubclass(found, nn.Module)
    if not is_network and not callable(found):
        raise UsageError(f"{shown(name)} is no class or function.\nName that of a network.")
    if not is_network and not module.startswith(_FUNCTIONS):
        raise UsageError(f"{shown(name)} is no class of a network.\nName a subclass of torch.nn.Module.")
    return found  # type: ignore[no-any-return]


#: where functions that build networks are, such as ``monai.networks.nets.resnet18``
_FUNCTIONS = ("monai.networks.nets", "torchvision.models", "timm.models")


def _build(builder: Callable[..., Any], given: Sequence[Any], options: dict[str, Any], name: str) -> nn.Module:
    try:
        network = builder(*given, **options)
    except Exception as error:  # of any network
        raise UsageError(f"{shown(name)} refuses its arguments: {reason_of(error)}.\nCorrect them.") from error
    if not isinstance(network, nn.Module):
        raise UsageError(f"{shown(name)} makes no network, but a {type(network).__name__}.\nName that of a network.")
    return network.eval()


def _opened(path: str | os.PathLike[str], what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # of zip, torch or protobuf
        raise DataError(f"{named(path)} cannot be opened as {what}: {reason_of(error)}.\nSave it again.") from error


def _exported(path: str | os.PathLike[str]) -> Callable[[Tensor], Any]:
    _refuse_code(path)
    program = _opened(path, "a program of torch.export", lambda: torch.export.load(path))
    module: nn.Module = program.module()
    first = next(node for node in program.graph.nodes if node.name == program.graph_signature.user_inputs[0])
    size = first.meta["val"].shape[0]
    return _OneByOne(module) if isinstance(size, int) else module


def _refuse_code(path: str | os.PathLike[str]) -> None:
    """Refuse an archive with pickles of more than tensors, or compiled code: torch would run them."""

    def refuse(why: str) -> None:
        raise DataError(f"{named(path)} holds {why}, and a graph needs no code.\nExport the network again.")

    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2]: name for name in archive.namelist()}
            pickled = [name for name in names if name.endswith(".pt")]
            for name in names:
                base = name.rpartition("/")[2]
                if "aotinductor" in name or base.startswith(("custom_obj", "opaque_obj")):
                    refuse("compiled code" if "aotinductor" in name else "objects of its own")
                if base.endswith("_config.json"):
                    entries = parse_json(archive.read(names[name]).decode())["config"].values()
                    folder = name.rpartition("/")[0]
                    pickled += [f"{folder}/{entry['path_name']}" for entry in entries if entry.get("use_pickle")]
            for name in pickled:
                content = archive.read(names[name])
                try:
                    torch.load(io.BytesIO(content), weights_only=True) if content else None
                except Exception:
                    refuse("a pickle of more than tensors")
    except DataError:
        raise
    except Exception as error:  # of zip or JSON
        raise DataError(
            f"{named(path)} cannot be opened as a program of torch.export: {reason_of(error)}.\nSave it again."
        ) from error


@dataclass(frozen=True)
class _OneByOne:
    """A graph for one image at a time."""

    network: Callable[[Tensor], Any]

    def __call__(self, images: Tensor) -> Any:
        return torch.cat([tensors_in(self.network(image[None]))[0] for image in images])


def _onnx(path: str | os.PathLike[str]) -> Callable[[Tensor], Any]:
    if find_spec("onnxruntime") is None:
        raise UsageError('ONNX needs packages that are not installed: pip install "monai_freq[onnx]"')
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = _opened(
        path, "ONNX", lambda: onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    )
    taken, *others = session.get_inputs()
    if others:
        raise DataError(f"{named(path)} takes {1 + len(others)} inputs, not one image.\nExport it with one.")
    kind = (
        np.float16 if taken.type == "tensor(float16)" else np.float64 if taken.type == "tensor(double)" else np.float32
    )

    def forward(images: Tensor) -> Any:
        found = session.run(None, {taken.name: images.cpu().numpy().astype(kind)})
        return [torch.from_numpy(one) for one in found]

    return _OneByOne(forward) if taken.shape and taken.shape[0] == 1 else forward


def found_network(source: Any, network: Any, weights: Any, bundle: Any) -> tuple[FoundNetwork, str]:
    """The network of a source of any kind, and the source in words.

    Args:
        source: see :func:`monai_freq.audit.model.models.load_model`, as all others.
        network: what builds it.
        weights: file of its weights.
        bundle: bundle of a run.

    Raises:
        UsageError: the source is of no known kind.

    Example:
        >>> found_network(nn.Linear(4, 2), None, None, None)[1]
        'Linear'
    """
    if isinstance(source, nn.Module):
        build = builder_of(network) if network is not None else resettable(source)
        return FoundNetwork(source, "module", source, build), type(source).__name__
    if isinstance(source, (str, os.PathLike)):
        from .bundle_models import is_bundle, is_run, open_bundle, open_run

        path = os.fspath(source)
        if is_bundle(path):
            return open_bundle(path, weights), os.path.basename(os.path.abspath(path))
        if is_run(path):
            return open_run(path, bundle), os.path.basename(os.path.abspath(path))
        if os.path.isdir(path):
            raise UsageError(
                f"{named(path)} is no bundle with configs/inference.json, and no run with settings.json and "
                "models/model.pt.\nName the folder of a bundle or of a run, or a file."
            )
        return open_network(path, network if isinstance(network, str) else builder_of(network)), os.path.basename(path)
    if not callable(source):
        raise UsageError(f"'source' must be a network, a function, a folder or a file, got {written(source)}.")
    return FoundNetwork(source, "callable", None, builder_of(network)), getattr(source, "__name__", "a function")


def builder_of(network: Any) -> Callable[[], nn.Module] | None:
    """How to build a network with random weights, of the network, its constructor in words, or a function.

    Args:
        network: any of these; None gives None.

    Example:
        >>> builder_of("torch.nn.Linear(4, 2)")()
        Linear(in_features=4, out_features=2, bias=True)
    """
    if isinstance(network, str):
        return constructed(network)
    if isinstance(network, nn.Module):
        return functools.partial(_reset, network)
    return network  # type: ignore[no-any-return]


def resettable(network: nn.Module) -> Callable[[], nn.Module] | None:
    """How to build an untrained one, if no weight stays as it is when the layers draw theirs anew.

    Args:
        network: a network.

    Example:
        >>> resettable(nn.Linear(4, 2)) is None
        False
    """
    own = (part for part in network.modules() if next(part.parameters(recurse=False), None) is not None)
    can = all(callable(getattr(part, "reset_parameters", None)) for part in own)
    scripted = isinstance(network, torch.jit.ScriptModule)
    return functools.partial(_reset, network) if can and not scripted else None


def _reset(network: nn.Module) -> nn.Module:
    """A copy with new random weights, as each layer draws them."""
    other = copy.deepcopy(network)
    for part in other.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
    return other
