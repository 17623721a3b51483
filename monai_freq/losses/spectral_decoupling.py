"""Spectral decoupling: a penalty on the logits, around any loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from ..quoting import written
from ..spectral.precision import check_dense, class_indices
from ..spectral.scalars import check_choice, is_finite_number

__all__ = ["SpectralDecouplingLoss"]

Which = Literal["all", "target"]
Reduction = Literal["sum", "mean"]

_SEVERAL = "take the output that counts, or put monai.losses.DeepSupervisionLoss around this loss"
#: type of what a network can return instead of logits -> what to do
_REMEDIES = {list: _SEVERAL, tuple: _SEVERAL, dict: "take the output that counts, as output['out']"}


class SpectralDecouplingLoss(nn.Module):
    r"""Add an L2 penalty on the logits to a loss, so that one easy feature does not starve the others of gradient.

    .. math:: L = \text{base}(z, y) + \frac{1}{2} \Bigl\langle \sum_{k} \lambda_k (z_k - \gamma_k)^2 \Bigr\rangle

    with z the logits before softmax or sigmoid, the sum over the penalised classes, and the mean over batch and voxels.
    Public codes differ in which logits they penalise and whether they average over classes, so both are arguments.

    It takes the place of weight decay: turn that off, or tune the two together. Watch ``mean_abs_logit``: it grows on
    and on without the penalty, and levels off with it.

    Args:
        base: loss of (logits, target) that returns a number; it applies softmax or sigmoid itself. A target of integers
            is given to it in a type that torch's losses take.
        lam: :math:`\lambda \ge 0`, the weight of the penalty, in units of the loss per squared logit: one for all
            classes, or one each.
        gamma: :math:`\gamma`, the logit that costs nothing: one for all classes, or one each.
        which: logits to penalise, ``"all"`` or that of the ``"target"`` class; of several labels, those of every
            positive one.
        reduction: ``"sum"`` or ``"mean"`` over the classes, that is the logits that are penalised in one sample or
            voxel. It is not the ``reduction`` over the batch of torch's losses: over batch and voxels, the penalty is
            always a mean.
        delay: number of training calls before the penalty starts: those in training mode with gradients enabled, so
            that a validation under ``torch.no_grad`` does not count. Several calls in one step count severally.

    Shape:
        input ``(B, K, *spatial)``: logits.
        target: whatever ``base`` takes. ``which="target"`` reads class indices ``(B, *spatial)`` or
        ``(B, 1, *spatial)``, of which those outside [0, K) have no target class, or one-hot, multi-label or soft labels
        ``(B, K, *spatial)``; soft ones weigh the penalty by their probability.

        Returns what ``base`` does, in float32 or more. The penalty is in float32 for half precision and under autocast.

    Attributes:
        mean_abs_logit: mean of \|z\| of the last call, on the device, detached; NaN before the first.
        calls: training calls so far; part of ``state_dict()``, so a checkpoint that holds the loss resumes its delay.

    Raises:
        TypeError: the base is a class, cannot be called, or returns no number; the logits are no tensor.
        ValueError: an argument outside its range, a number of values other than K, a target of another shape, a base
            that returns several numbers.

    Reference:
        M. Pezeshki et al. (2021), "Gradient Starvation: A Learning Proclivity in Neural Networks", NeurIPS,
        arXiv:2011.09468.
        J. Pohjonen et al. (2021), "Spectral decoupling allows training transferable neural networks in medical
        imaging", DOI 10.48550/arXiv.2103.17171.

    Example:
        >>> loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), lam=0.1)
        >>> logits, target = torch.tensor([[3.0, -1.0]]), torch.tensor([0])
        >>> loss(logits, target) - loss.base(logits, target)
        tensor(0.5000)
        >>> loss.mean_abs_logit
        tensor(2.)
    """

    lam: Tensor
    gamma: Tensor
    calls: Tensor
    mean_abs_logit: Tensor

    def __init__(
        self,
        base: Callable[[Tensor, Tensor], Tensor],
        lam: float | Sequence[float],
        gamma: float | Sequence[float] = 0.0,
        which: Which = "all",
        reduction: Reduction = "sum",
        delay: int = 0,
    ) -> None:
        super().__init__()
        if not callable(base) or isinstance(base, type):
            name = base.__name__ if isinstance(base, type) else written(base)
            raise TypeError(f"'base' must be a loss, made and ready, such as torch.nn.CrossEntropyLoss(), got {name}.")
        check_choice("which", which, get_args(Which))
        check_choice("reduction", reduction, get_args(Reduction))
        if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
            raise ValueError(
                f"'delay' is a number of training calls and must be an integer >= 0, got {written(delay)}."
            )
        lams, gammas = _values("lam", lam, least=0), _values("gamma", gamma)
        if lams.ndim and gammas.ndim and len(lams) != len(gammas):
            raise ValueError(f"'lam' and 'gamma' must have one value a class, got {len(lams)} and {len(gammas)}.")
        self.base = base
        self.which = which
        self.reduction = reduction
        self.delay = delay
        self.register_buffer("lam", lams, persistent=False)
        self.register_buffer("gamma", gammas, persistent=False)
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("mean_abs_logit", torch.tensor(math.nan), persistent=False)

    def extra_repr(self) -> str:
        """Settings, for ``print``."""
        return (
            f"lam={self.lam.tolist()}, gamma={self.gamma.tolist()}, which={self.which!r}, "
            f"reduction={self.reduction!r}, delay={self.delay}"
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Loss of logits ``(B, K, *spatial)``, with the penalty."""
        self._check(input, target)
        target = class_indices(target)
        logits = _plain(input)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        self.mean_abs_logit = logits.detach().abs().mean()
        loss = _number(self.base(input, target))
        penalty = self._penalty(logits, _plain(target))
        if self.delay:
            # a factor, not a branch: reading a counter that lives on the device would wait for it
            penalty = penalty * (self.calls >= self.delay)
        if self.training and torch.is_grad_enabled():
            self.calls += 1
        return loss + penalty

    def _penalty(self, logits: Tensor, target: Tensor) -> Tensor:
        """Half the weighted squares, summed or averaged over the penalised classes, averaged over the rest."""
        if self.lam.device != logits.device:
            self.lam, self.gamma = self.lam.to(logits.device), self.gamma.to(logits.device)  # once
        classes = (-1, *[1] * (logits.ndim - 2))
        squares = (logits - self.gamma.view(classes)).square()
        if self.which == "target":
            weights = _target_weights(logits, target)
            if self.reduction == "mean":
                weights = weights / weights.sum(1, keepdim=True).clamp_min(1)
            squares = squares * weights  # a product and not a choice: NaN in any logit stays seen
        by_class = squares.transpose(0, 1).flatten(1).mean(1)
        total = (self.lam * by_class).sum() / 2
        return total / logits.shape[1] if self.which == "all" and self.reduction == "mean" else total

    def _check(self, logits: Tensor, target: Tensor) -> None:
        if not isinstance(logits, Tensor):
            remedy = _REMEDIES.get(type(logits), "pass torch.as_tensor(...)")
            raise TypeError(f"'input' must be a torch.Tensor of logits, got {type(logits).__name__}: {remedy}.")
        if self.which == "target" and not isinstance(target, Tensor):
            raise TypeError(f"'target' must be a torch.Tensor, got {type(target).__name__}: pass torch.as_tensor(...).")
        check_dense(logits, "input")
        if logits.ndim < 2 or not logits.is_floating_point():
            raise ValueError(
                f"'input' must be real logits of shape (B, K, *spatial), got {tuple(logits.shape)} of {logits.dtype}."
            )
        for name, values in (("lam", self.lam), ("gamma", self.gamma)):
            if values.ndim and len(values) != logits.shape[1]:
                raise ValueError(
                    f"'{name}' must be one value or one a class: {logits.shape[1]} for logits of shape "
                    f"{tuple(logits.shape)}, got {len(values)}."
                )


def _number(loss: Tensor) -> Tensor:
    """What a base has returned, if it is one number."""
    if not isinstance(loss, Tensor) and not is_finite_number(loss):
        what = "is it without a return?" if loss is None else "return the part that is minimised."
        raise TypeError(f"'base' must return one number, got {type(loss).__name__}: {what}")
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise ValueError(
            f"'base' must return one number, got {tuple(loss.shape)}: make it with reduction='mean', or take its mean."
        )
    return loss


def _values(name: str, given: float | Sequence[float], least: float = -math.inf) -> Tensor:
    """A number as a 0-dimensional, one a class as a 1-dimensional float32 tensor."""
    try:
        values = torch.as_tensor(given, dtype=torch.float32).detach().clone()
    except (TypeError, ValueError, RuntimeError):  # no numbers
        values = torch.empty(0)
    sound = values.ndim <= 1 and values.numel() and bool((values.isfinite() & (values >= least)).all())
    if not sound:
        bound = f" >= {least:g}" if math.isfinite(least) else ""
        raise ValueError(
            f"'{name}' must be a finite number{bound}, or a sequence of one a class, got {written(given)}."
        )
    return values


def _target_weights(logits: Tensor, target: Tensor) -> Tensor:
    """1 for the logits of the target classes and 0 for the others, ``(B, K, *spatial)``."""
    batch, classes, *spatial = logits.shape
    if target.shape == logits.shape:
        return target.to(logits.dtype)
    if target.shape not in ((batch, *spatial), (batch, 1, *spatial)):
        raise ValueError(
            f"'target' must have the shape {(batch, *spatial)} or {(batch, 1, *spatial)} of class indices, or "
            f"{tuple(logits.shape)} of one label a class, got {tuple(target.shape)}."
        )
    index = torch.arange(classes, device=logits.device).view(-1, *[1] * len(spatial))
    return (target.reshape(batch, 1, *spatial) == index).to(logits.dtype)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
