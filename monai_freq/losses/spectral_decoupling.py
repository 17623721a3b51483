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
By = Literal["logit", "label"]

_SEVERAL = "take the output that counts, or put monai.losses.DeepSupervisionLoss around this loss"
#: ``by`` -> what each of several values belongs to
_VALUE_OF = {"logit": "class", "label": "label"}
#: type of what a network can return instead of logits -> what to do
_REMEDIES = {list: _SEVERAL, tuple: _SEVERAL, dict: "take the output that counts, as output['out']"}


class SpectralDecouplingLoss(nn.Module):
    r"""Add an L2 penalty on the logits to a loss, so that one easy feature does not starve the others of gradient.

    .. math:: L = s \, \Bigl[ \text{base}(z, y)
        + \frac{1}{2} \Bigl\langle \sum_{k} \lambda_k (z_k - \gamma_k)^2 \Bigr\rangle \Bigr]

    with z the logits before softmax or sigmoid, the sum over the penalised classes, the mean over batch and voxels, and
    s the ``scale``. During the ``delay``, L is the base alone. With ``by="label"``, the penalty is

    .. math:: \frac{1}{2} \sum_c \lambda_c \Bigl\langle \sum_{k} (z_k - \gamma_c)^2 \Bigr\rangle_{y = c}

    where c is the label of a sample or voxel, and each label has a mean of its own. Public codes differ in all of this,
    so all are arguments; each published variant is one call (docs/explanation/spectral_decoupling.md).

    It takes the place of weight decay: turn that off, or tune the two together. Watch ``mean_abs_logit``: it grows on
    and on without the penalty, and levels off with it.

    Args:
        base: loss of (logits, target) that returns a number; it applies softmax or sigmoid itself. A target of integers
            is given to it in a type that torch's losses take.
        lam: :math:`\lambda \ge 0`, the weight of the penalty, in units of the loss per squared logit: one for all
            classes, or one each. A code that writes the penalty without 1/2 has half of this number.
        gamma: :math:`\gamma`, the logit that costs nothing: one for all classes, or one each.
        which: logits to penalise, ``"all"`` or that of the ``"target"`` class; of several labels, those of every
            positive one.
        reduction: ``"sum"`` or ``"mean"`` over the classes, that is the logits that are penalised in one sample or
            voxel. It is not the ``reduction`` over the batch of torch's losses: over batch and voxels, the penalty is
            always a mean.
        delay: number of training calls before the penalty starts: those in training mode with gradients enabled, so
            that a validation under ``torch.no_grad`` does not count. Several calls in one step count severally.
        scale: factor of the whole loss, base and penalty, from the end of the delay on. It changes the steps of an
            optimiser, not the minimum. Adam divides it out again, over some thousand steps.
        by: what a value of ``lam`` and ``gamma`` belongs to: to a ``"logit"``, the k-th to the k-th; or to a
            ``"label"``, the c-th to all logits of the samples or voxels with label c, averaged over these alone. A
            label that no sample has adds nothing. One logit has the two labels 0 and 1.

    Shape:
        input ``(B, K, *spatial)``: logits.
        target: whatever ``base`` takes. ``which="target"`` and ``by="label"`` read class indices ``(B, *spatial)`` or
        ``(B, 1, *spatial)``, of which those outside [0, K) have no target class and no label, or one-hot, multi-label
        or soft labels ``(B, K, *spatial)``; soft ones weigh the penalty by their probability.

        Returns what ``base`` does, in float32 or more. The penalty is in float32 for half precision and under autocast.

    Attributes:
        mean_abs_logit: mean of \|z\| of the last call, on the device, detached; NaN before the first.
        calls: training calls so far; part of ``state_dict()``, so a checkpoint that holds the loss resumes its delay,
            and with it the scale.

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

        Each label has a mean of its own, however rare it is:

        >>> loss = SpectralDecouplingLoss(nn.BCEWithLogitsLoss(), lam=0.2, gamma=[0.0, 2.0], by="label")
        >>> logits, target = torch.tensor([[1.0], [1.0], [1.0], [4.0]]), torch.tensor([[0.0], [0.0], [0.0], [1.0]])
        >>> loss(logits, target) - loss.base(logits, target)
        tensor(0.5000)
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
        scale: float = 1.0,
        by: By = "logit",
    ) -> None:
        super().__init__()
        if not callable(base) or isinstance(base, type):
            name = base.__name__ if isinstance(base, type) else written(base)
            raise TypeError(f"'base' must be a loss, made and ready, such as torch.nn.CrossEntropyLoss(), got {name}.")
        check_choice("which", which, get_args(Which))
        check_choice("reduction", reduction, get_args(Reduction))
        check_choice("by", by, get_args(By))
        if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
            raise ValueError(
                f"'delay' is a number of training calls and must be an integer >= 0, got {written(delay)}."
            )
        if not is_finite_number(scale) or scale <= 0:
            raise ValueError(f"'scale' is a factor of the loss and must be a finite number > 0, got {written(scale)}.")
        lams, gammas = _values("lam", lam, least=0), _values("gamma", gamma)
        if lams.ndim and gammas.ndim and len(lams) != len(gammas):
            raise ValueError(
                f"'lam' and 'gamma' must have one value a {_VALUE_OF[by]}, got {len(lams)} and {len(gammas)}."
            )
        self.base = base
        self.which = which
        self.reduction = reduction
        self.delay = delay
        self.scale = float(scale)
        self.by = by
        self.register_buffer("lam", lams, persistent=False)
        self.register_buffer("gamma", gammas, persistent=False)
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("mean_abs_logit", torch.tensor(math.nan), persistent=False)

    def extra_repr(self) -> str:
        """Settings, for ``print``."""
        return (
            f"lam={self.lam.tolist()}, gamma={self.gamma.tolist()}, which={self.which!r}, "
            f"reduction={self.reduction!r}, delay={self.delay}, scale={self.scale:g}, by={self.by!r}"
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
        # factors, not branches: reading a counter that lives on the device would wait for it
        started = self.calls >= self.delay if self.delay else None
        if started is not None:
            penalty = penalty * started
        if self.training and torch.is_grad_enabled():
            self.calls += 1
        total = loss + penalty
        if self.scale == 1:
            return total
        if started is None:
            return total * self.scale
        return torch.where(started.to(total.device), total * self.scale, total)

    def _penalty(self, logits: Tensor, target: Tensor) -> Tensor:
        """Half the weighted squares, summed or averaged over the penalised classes, averaged over the rest."""
        if self.lam.device != logits.device:
            self.lam, self.gamma = self.lam.to(logits.device), self.gamma.to(logits.device)  # once
        if self.by == "label":
            return self._penalty_by_label(logits, target)
        classes = (-1, *[1] * (logits.ndim - 2))
        squares = (logits - self.gamma.view(classes)).square()
        if self.which == "target":
            squares = squares * self._target_shares(logits, target)
        by_class = squares.transpose(0, 1).flatten(1).mean(1)
        total = (self.lam * by_class).sum() / 2
        return total / logits.shape[1] if self.which == "all" and self.reduction == "mean" else total

    def _penalty_by_label(self, logits: Tensor, target: Tensor) -> Tensor:
        """The same, with a target logit and a mean for each label."""
        of_label = _label_weights(target, (logits.shape[0], _labels(logits), *logits.shape[2:]), logits)
        gammas = self.gamma.expand(of_label.shape[1]).view(1, -1, *[1] * (logits.ndim - 1))
        squares = (logits[:, None] - gammas).square()  # (B, labels, K, *spatial)
        if self.which == "target":
            squares = squares * self._target_shares(logits, target)[:, None]
        summed = squares.mean(2) if self.which == "all" and self.reduction == "mean" else squares.sum(2)
        counts = of_label.transpose(0, 1).flatten(1).sum(1)
        sums = (summed * of_label).transpose(0, 1).flatten(1).sum(1)
        return (self.lam * sums / counts.where(counts > 0, 1)).sum() / 2

    def _target_shares(self, logits: Tensor, target: Tensor) -> Tensor:
        """Weights that leave the target logits, ``(B, K, *spatial)``; a product lets NaN in any logit be seen."""
        weights = _label_weights(target, logits.shape, logits)
        return weights / weights.sum(1, keepdim=True).clamp_min(1) if self.reduction == "mean" else weights

    def _check(self, logits: Tensor, target: Tensor) -> None:
        if not isinstance(logits, Tensor):
            remedy = _REMEDIES.get(type(logits), "pass torch.as_tensor(...)")
            raise TypeError(f"'input' must be a torch.Tensor of logits, got {type(logits).__name__}: {remedy}.")
        if (self.which == "target" or self.by == "label") and not isinstance(target, Tensor):
            raise TypeError(f"'target' must be a torch.Tensor, got {type(target).__name__}: pass torch.as_tensor(...).")
        check_dense(logits, "input")
        if logits.ndim < 2 or not logits.is_floating_point():
            raise ValueError(
                f"'input' must be real logits of shape (B, K, *spatial), got {tuple(logits.shape)} of {logits.dtype}."
            )
        wanted = _labels(logits) if self.by == "label" else logits.shape[1]
        for name, values in (("lam", self.lam), ("gamma", self.gamma)):
            if values.ndim and len(values) != wanted:
                raise ValueError(
                    f"'{name}' must be one value or one a {_VALUE_OF[self.by]}: {wanted} for logits of shape "
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


def _labels(logits: Tensor) -> int:
    """How many labels a sample can have: one a logit, and two for a single logit."""
    return max(logits.shape[1], 2)


def _label_weights(target: Tensor, shape: Sequence[int], logits: Tensor) -> Tensor:
    """1 for the labels of a target and 0 for the others, ``(B, labels, *spatial)``."""
    batch, labels, *spatial = shape
    if target.shape == logits.shape and logits.shape[1] == labels:
        return target.to(logits.dtype)
    if target.shape not in ((batch, *spatial), (batch, 1, *spatial)):
        raise ValueError(
            f"'target' must have the shape {(batch, *spatial)} or {(batch, 1, *spatial)} of class indices, or "
            f"{tuple(logits.shape)} of one label a class, got {tuple(target.shape)}."
        )
    index = torch.arange(labels, device=logits.device).view(-1, *[1] * len(spatial))
    return (target.reshape(batch, 1, *spatial) == index).to(logits.dtype)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
