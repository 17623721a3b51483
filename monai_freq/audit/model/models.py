"""Any trained network as a function from images, as they are loaded, to probabilities."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import DataError
from ...networks.predictions import Task, shapes_in, tensors_in
from ...quoting import shown
from ...spectral.scalars import check_choice
from ..cases import Case
from .network_files import Inferred, found_network
from .preparing import laid_out, plain, stacked
from .threads import in_turn, own_network

__all__ = ["Activation", "AuditModel", "load_model"]

#: what turns a network's output into probabilities; "none" for one that returns them
Activation = str
_ACTIVATIONS = ("softmax", "sigmoid", "none")
_TASKS = ("classification", "segmentation")
#: largest deviation from 1 of a sum of probabilities
_ROUNDING = 1e-3
#: images that tell the activation
_ASKED = 6


@dataclass(frozen=True, eq=False)
class AuditModel:
    r"""A network with all that stands before and behind it.

    Args:
        forward: function from a batch ``(B, C, *spatial)`` of prepared images to the network's output; of several
            tensors the first counts.
        task: ``"classification"`` or ``"segmentation"``.
        classes: names of the classes in the order of the output; empty if unknown.
        network: the network, for gradients; None if it has none.
        preprocess: function from one loaded image ``(C, *spatial)``, with affine and metadata, to the network's input;
            None for none. Its ``inverse(prediction, prepared)``, if it has one, brings a segmentation back to the grid
            of the image; otherwise it is resized.
        activation: ``"softmax"``, ``"sigmoid"`` or ``"none"``; None tells it from the output: it is none where all
            outputs are probabilities that sum to 1, a sigmoid of one channel, otherwise a softmax.
        source: where the network comes from, in words.
        kind: kind of source, such as ``"bundle"``.
        build: function that returns the network with random weights; None if that is unknown.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> model = AuditModel(network, network=network)
        >>> model.predict(torch.rand(3, 1, 8, 8)).shape
        torch.Size([3, 2])
    """

    forward: Callable[[Tensor], Any]
    task: Task = "classification"
    classes: tuple[str, ...] = ()
    network: nn.Module | None = None
    preprocess: Callable[[Any], Tensor] | None = None
    activation: Activation | None = None
    source: str = "a function"
    kind: str = "callable"
    build: Callable[[], nn.Module] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_choice("task", self.task, _TASKS)
        if self.activation is not None:
            check_choice("activation", self.activation, _ACTIVATIONS)

    @property
    def n_parameters(self) -> int | None:
        """Number of parameters; None if the network is no module."""
        return None if self.network is None else sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        place = None if self.network is None else next(iter(self.network.parameters()), None)
        return torch.device("cpu") if place is None else place.device

    @property
    def dtype(self) -> torch.dtype:
        """Numbers that the network computes with."""
        parameters = [] if self.network is None else self.network.parameters()
        return next((one.dtype for one in parameters if one.is_floating_point()), torch.float32)

    def predict(
        self, images: Tensor, spacing: Sequence[float] | None = None, *, like: MetaTensor | None = None
    ) -> Tensor:
        """Probabilities of images as they are loaded, before any normalisation.

        Args:
            images: images of one size.
            spacing: voxel size in mm; that of ``like``, or 1 mm, if None.
            like: image whose affine and metadata all of them have.

        Shape:
            ``(B, C, *spatial)`` -> ``(B, classes)``, or of a segmenter ``(B, classes, *spatial)`` on the grid of the
            images.

        Raises:
            DataError: preprocessing or network refuse the images, or the output is not that of the task.

        Example:
            >>> model = AuditModel(lambda images: images.mean((2, 3)))  # one output: a logit
            >>> model.predict(torch.zeros(1, 1, 8, 8))
            tensor([[0.5000, 0.5000]])
        """
        prepared = self.prepare(images, spacing, like=like)
        found = self.probabilities(stacked(prepared))
        if self.task == "classification":
            return found
        inverse = getattr(self.preprocess, "inverse", None)
        if inverse is not None:
            with in_turn(self.preprocess):
                return torch.stack([plain(inverse(one, image)) for one, image in zip(found, prepared, strict=True)])
        mode = "bilinear" if images.ndim == 4 else "trilinear"
        size = images.shape[2:]
        return found if found.shape[2:] == size else F.interpolate(found, size, mode=mode)

    def prepare(
        self, images: Tensor, spacing: Sequence[float] | None = None, *, like: MetaTensor | None = None
    ) -> list[Tensor]:
        """Inputs of the network of images as they are loaded.

        Args:
            images: images ``(B, C, *spatial)``.
            spacing: see :meth:`predict`.
            like: see :meth:`predict`.

        Raises:
            DataError: the preprocessing refuses an image.

        Example:
            >>> model = AuditModel(nn.Flatten(), preprocess=lambda image: image / 255)
            >>> float(model.prepare(torch.full((1, 1, 4, 4), 255.0))[0].max())
            1.0
        """
        if self.preprocess is None:
            return list(images)
        affine = like.affine if like is not None and spacing is None else _affine(spacing, images.ndim - 2)
        # like's history of transforms must not be inverted with ours
        known = {} if like is None else {key: value for key, value in like.meta.items() if key != "affine"}
        try:
            with in_turn(self.preprocess):
                return [self.preprocess(MetaTensor(image, affine.clone(), meta=dict(known))) for image in images]
        except DataError:
            raise
        except Exception as error:  # of any transform
            raise DataError(
                f"The preprocessing of {shown(self.source)} refuses an image of the shape {tuple(images.shape[1:])}: "
                f"{shown(_root(error), 200)}.\nPass 'preprocess' if it is for other images."
            ) from error

    def probabilities(self, prepared: Tensor) -> Tensor:
        """Probabilities of a batch of prepared images.

        Args:
            prepared: inputs of the network, ``(B, C, *spatial)``.

        Raises:
            DataError: the network refuses them, or its output is not that of the task.

        Example:
            >>> AuditModel(nn.Identity()).probabilities(torch.tensor([[0.25, 0.75]]))
            tensor([[0.2500, 0.7500]])
        """
        return self.activated(self._output(prepared), prepared.ndim).cpu().clone()

    def scores(self, images: Tensor, *, like: MetaTensor | None = None) -> Tensor:
        """What the network returns of images as they are loaded, before the activation.

        Args:
            images: images of one size.
            like: image whose affine and metadata all of them have.

        Shape:
            ``(B, C, *spatial)`` -> ``(B, channels)``, or of a segmenter ``(B, channels, *spatial)``.

        Raises:
            DataError: see :meth:`predict`.

        Example:
            >>> AuditModel(lambda images: images.sum((2, 3))).scores(torch.ones(1, 1, 4, 4))
            tensor([[16.]])
        """
        prepared = stacked(self.prepare(images, like=like))
        output = self._output(prepared)
        self.activated(output, prepared.ndim)  # refuses what are no numbers
        return self._scores(output, prepared.ndim).cpu().clone()

    def _output(self, prepared: Tensor) -> Any:
        """What the network returns, in evaluation mode."""
        network, forward = own_network(self)
        modules = [] if network is None else list(network.modules())
        modes = [part.training for part in modules]
        if network is not None:
            network.eval()
            prepared = laid_out(prepared, self)
        try:
            with torch.inference_mode():
                output = forward(prepared)
        except Exception as error:  # of any network
            raise DataError(
                f"The network of {shown(self.source)} refuses images of the shape {tuple(prepared.shape)}: "
                f"{shown(_root(error), 200)}.\nPass 'preprocess', or --size, --channels, --intensity."
            ) from error
        finally:
            for part, mode in zip(modules, modes, strict=True):
                part.training = mode
        return output

    def activated(self, output: Any, ndim: int) -> Tensor:
        """Probabilities of the classes of what the network returned.

        Args:
            output: output of the network.
            ndim: number of axes of its input.

        Raises:
            DataError: it is not that of the task.

        Example:
            >>> AuditModel(nn.Identity(), activation="sigmoid").activated(torch.zeros(1, 3), 4)
            tensor([[0.5000, 0.5000, 0.5000]])
        """
        scores = self._scores(output, ndim)
        known = self.activation
        if known is None:
            sums = (scores.sum(1) - 1).abs().max() < _ROUNDING and bool((scores >= 0).all())
            known = "sigmoid" if scores.shape[1] == 1 else "none" if sums else "softmax"
        found = scores.sigmoid() if known == "sigmoid" else scores.softmax(1) if known == "softmax" else scores
        if not bool(found.isfinite().all()):
            raise DataError(
                f"The network of {shown(self.source)} returns NaN or infinity.\n"
                "Give it images that are scaled as in its training, or another network."
            )
        return torch.cat([1 - found, found], 1) if found.shape[1] == 1 else found

    def _scores(self, output: Any, ndim: int) -> Tensor:
        """Numbers of each image and class, before the activation."""
        tensors = tensors_in(output)
        wanted = 2 if self.task == "classification" else ndim
        scores = tensors[0].float() if tensors else torch.empty(())
        if self.task == "classification" and scores.ndim == 1:  # one logit for each image
            scores = scores[:, None]
        if scores.ndim != wanted:
            other = "segmentation" if self.task == "classification" else "classification"
            advice = f"Pass task='{other}', or another network." if tensors else "Wrap it so that it returns a tensor."
            raise DataError(
                f"A network for {self.task} returns {wanted} axes, that of {shown(self.source)} returned "
                f"{shapes_in(output)}.\n{advice}"
            )
        return scores

    def settled(self, cases: Sequence[Case]) -> AuditModel:
        """The same with an activation that is told from the answers to some images, and holds for all others.

        Where all outputs are from 0 to 1, they are probabilities.

        Args:
            cases: the images.

        Raises:
            DataError: see :meth:`predict`.

        Example:
            >>> from monai_freq.audit import Cases
            >>> cases = Cases.of_arrays(torch.rand(4, 1, 8, 8))
            >>> AuditModel(lambda images: images.mean((2, 3))).settled(cases).activation
            'none'
            >>> AuditModel(lambda images: 9 - images.sum((2, 3))).settled(cases).activation
            'sigmoid'
        """
        if self.activation is not None:
            return self
        shares, channels = True, 0
        for place in np.unique(np.linspace(0, len(cases) - 1, _ASKED).round().astype(int)):
            placed = cases[int(place)].load_placed()
            scores = self.scores(plain(placed)[None], like=placed)
            shares = shares and bool(((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING)).all())
            channels = scores.shape[1]
        return replace(self, activation="none" if shares else "sigmoid" if channels == 1 else "softmax")

    def untrained(self, seed: int) -> AuditModel | None:
        """The same network with random weights.

        Args:
            seed: seed of the weights.

        Returns:
            The model; None where it is not known how to build the network.

        Example:
            >>> network = nn.Linear(64, 2)
            >>> model = AuditModel(network, network=network, build=lambda: nn.Linear(64, 2))
            >>> torch.equal(model.untrained(0).network.weight, network.weight)
            False
        """
        if self.build is None:
            return None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.build()
        network = network.to(self.device)
        # an inferer, where there is one, is bound to the network by ``on``
        forward = self.forward.on(network) if isinstance(self.forward, Inferred) else network
        return replace(self, forward=forward, network=network, source=f"{self.source}, untrained", build=None)


def _affine(spacing: Sequence[float] | None, dims: int) -> Tensor:
    steps = [1.0] * dims if spacing is None else list(spacing)
    return torch.diag(torch.tensor([*steps, 1.0], dtype=torch.float64))


def _root(error: BaseException) -> str:
    """What an error that libraries have wrapped began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text.rstrip(".")


def load_model(
    source: nn.Module | Callable[[Tensor], Any] | str | os.PathLike[str],
    *,
    network: str | nn.Module | Callable[[], nn.Module] | None = None,
    weights: str | os.PathLike[str] | None = None,
    bundle: str | os.PathLike[str] | None = None,
    task: Task | None = None,
    classes: Sequence[str] | None = None,
    preprocess: Callable[[Any], Tensor] | None = None,
    activation: Activation | None = None,
    device: torch.device | str | None = None,
) -> AuditModel:
    """A trained network from wherever it is.

    Weights are read without running any pickled code. The configuration of a bundle, however, is code, and so is
    TorchScript: open those of people whom you trust.

    Args:
        source: a network, a function of a batch ``(B, C, *spatial)``, the folder of a MONAI bundle or of a run, or a
            file of weights, TorchScript, ONNX or of a program of ``torch.export``.
        network: network that a file of weights belongs to: a module, a function that builds it, or its constructor in
            words with literal arguments. Of a module or function it is how to build an untrained one; None for a copy
            of the module whose layers draw new weights, where all of them can.
        weights: file of weights in place of the bundle's own.
        bundle: folder or shipped name of the bundle of a run; None finds it.
        task: ``"classification"`` or ``"segmentation"``; None as the bundle says, otherwise classification.
        classes: names of the classes in the order of the output, as the labels of the cases are called; None as the
            bundle says, otherwise unknown.
        preprocess: function from a loaded image ``(C, *spatial)`` to the network's input; None as the bundle has it,
            otherwise none. See :func:`monai_freq.audit.model.preparing.scaled_to`.
        activation: see :class:`AuditModel`.
        device: where the network computes; None for where it is.

    Raises:
        DataError: a file is missing, damaged, or holds weights of another network.
        UsageError: the source is of no known kind, or something is missing that has to be said.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> model = load_model(network, classes=["normal", "ill"])
        >>> model.kind, model.task, model.n_parameters
        ('module', 'classification', 130)
    """
    found, said = found_network(source, network, weights, bundle)
    if device is not None and found.network is not None:
        found.network.to(device)
    return AuditModel(
        forward=found.forward,
        task=task or found.task or "classification",
        classes=tuple(map(str, classes)) if classes is not None else found.classes,
        network=found.network,
        preprocess=preprocess or found.preprocess,
        activation=activation or found.activation,
        source=said,
        kind=found.kind,
        build=found.build,
    )
