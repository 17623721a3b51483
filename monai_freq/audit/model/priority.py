"""Learning priority over cases: the frequencies that a network's loss depends on."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.predictions import tensors_in
from ...quoting import written
from ...spectral.learning_priority import learning_priority
from ...spectral.scalars import is_count
from ..cases import Case, Cases
from .kept_rows import case_rows
from .metrics import most_likely, resampled, targets_of
from .models import AuditModel
from .preparing import laid_out, plain
from .threads import own_network

__all__ = ["Priority", "priority"]


@dataclass(frozen=True)
class Priority:
    """Learning priority of a network.

    Args:
        frequencies: frequencies in cycles per voxel of the network's input.
        mean: mean over cases of the density at each of them; each case's goes from 0 to 1.
        low: lower end of its 95% interval, over patients.
        high: upper end.
        n_cases: number of cases.
        n_patients: number of patients.
        scale: voxels of the network's input along an axis for each voxel of the image, on average: a frequency of the
            input, times this, is one of the image in cycles per voxel, where the preprocessing resizes alone.
        target: what the loss compares the answer with: ``"label"`` or ``"own answer"``.

    Example:
        >>> Priority((0.0, 0.5), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0), 4, 4, 1.0, "label").mean[1]
        1.0
    """

    frequencies: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n_cases: int
    n_patients: int
    scale: float
    target: str


def priority(
    model: AuditModel,
    cases: Cases,
    *,
    n_frequencies: int = 65,
    n_resamples: int = 1000,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Priority | None:
    """Mean learning priority of a network over cases: power of the gradient of its loss by frequency.

    The loss is the cross entropy with the label; of a segmenter it is Dice and cross entropy with the network's own
    answer, as the reference lies on another grid than the network's input.

    Args:
        model: the network, a module that gives gradients.
        cases: cases with labels, or of a segmenter any.
        n_frequencies: number of frequencies from 0 to 0.5 cycles per voxel that all cases are brought to.
        n_resamples: number of resamples of the bootstrap over patients.
        seed: seed of the bootstrap.
        output_dir: folder to keep what is finished; None for none.
        progress: whether to show a bar.

    Returns:
        The priority; None of networks that are no modules, or that give no gradient.

    Raises:
        ValueError: an argument is out of range.
        DataError: the network refuses the images, or labels are missing.

    Reference:
        Y. Lu et al. (2025), DOI 10.1117/12.3047670.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> cases = Cases.of_arrays(torch.rand(4, 1, 8, 8), labels=[0, 1, 0, 1])
        >>> priority(AuditModel(network, network=network), cases, progress=False).n_cases
        4
    """
    if not is_count(n_frequencies) or n_frequencies < 2:
        raise ValueError(f"'n_frequencies' must be a whole number of at least 2, got {written(n_frequencies)}.")
    network = model.network
    if network is None or isinstance(network, torch.jit.ScriptModule):
        return None
    grid = np.linspace(0, 0.5, n_frequencies)
    loss = _Loss(model)
    targets: NDArray[np.int64] | None = None
    if model.task == "classification":
        image = cases[0].load_placed()
        n_classes = model.predict(plain(image)[None], like=image).shape[1]
        targets, _ = targets_of(cases.labels, model.classes, n_classes)

    def compute(k: int, case: Case) -> NDArray[np.float64]:
        placed = case.load_placed()
        prepared = laid_out(plain(model.prepare(plain(placed)[None], like=placed)[0])[None].clone(), model)
        target = torch.tensor([0 if targets is None else int(targets[k])], device=model.device)
        frequencies, density = learning_priority(_Forward(model), loss, prepared, target)
        scale = np.prod(prepared.shape[2:]) / np.prod(placed.shape[1:])
        found = np.interp(grid, frequencies.cpu().numpy(), density[0].cpu().numpy())
        return np.array([*found, scale ** (1 / (placed.ndim - 1))])

    settings = {"n": n_frequencies, "source": model.source, "kind": model.kind}
    try:
        rows = case_rows(cases, compute, "learning priority", settings, output_dir, model=model, progress=progress)
    except RuntimeError as error:
        if "does not require grad" in str(error):
            return None
        raise
    weights = resampled(cases.patients, n_resamples, seed)
    means = weights @ rows[:, :-1] / weights.sum(1, keepdims=True)
    low, high = np.percentile(means[1:], [2.5, 97.5], axis=0)
    return Priority(
        frequencies=tuple(map(float, grid)),
        mean=tuple(map(float, means[0])),
        low=tuple(map(float, low)),
        high=tuple(map(float, high)),
        n_cases=len(cases),
        n_patients=len(set(cases.patients)),
        scale=float(rows[:, -1].mean()),
        target="own answer" if targets is None else "label",
    )


class _Forward(nn.Module):
    """All that turns inputs into the network's output, as one module."""

    def __init__(self, model: AuditModel) -> None:
        super().__init__()
        self.network, self._forward = own_network(model)

    def forward(self, inputs: Tensor) -> Tensor:
        return tensors_in(self._forward(inputs))[0]


class _Loss:
    """Of one case; probabilities instead of logits where the network returns them."""

    def __init__(self, model: AuditModel) -> None:
        self._model = model

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        ndim = output.ndim if self._model.task == "segmentation" else 4
        found = self._model.activated(output, ndim).clamp(1e-7, 1)
        if self._model.task == "classification":
            return F.nll_loss(found.log(), target)
        own = F.one_hot(most_likely(found.detach(), 1), found.shape[1]).movedim(-1, 1).float()
        overlap = (found * own).flatten(2).sum(2) / (found + own).flatten(2).sum(2).clamp_min(1e-6)
        return 1 - 2 * overlap.mean() - (found.log() * own).sum(1).mean()
