"""Whether trainings were long enough to compare what they lead to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .conditions import OF_BANDS, Condition

__all__ = ["CONVERGED", "NOT_JUDGED", "SHARE", "UNDERTRAINED", "Convergence", "convergence"]

Array = NDArray[np.float64]

CONVERGED, UNDERTRAINED, NOT_JUDGED = "converged", "undertrained", "not judged"
#: of the converged Dice that a training must have reached
SHARE = 0.9
#: below it, a network has found next to nothing yet, however level its curve is
_LEAST = 0.1
#: so that the mean of a quarter of the curve is over two validations at least
_VALIDATIONS = 8
#: of a quarter's gain to that of the quarter before, at most: a straight line has 1, and would have no end
_RATIO = 0.75
#: standard errors by which a curve must be below that ratio, so that noise does not seem to slow it down
_ERRORS = 2


class Convergence(NamedTuple):
    """How far the runs of a condition are: what was measured, and what follows from it.

    Args:
        state: judgement, ``"converged"``, ``"undertrained"`` or ``"not judged"``.
        final: validation Dice at the end: the mean of the last quarter of the validations and over runs.
        rise: difference to the mean of the quarter before; NaN with fewer than 8 validations.
        converged: Dice at convergence; NaN where the curves do not tell.
        epochs: number of epochs of the runs; 0 when unknown.
        reference: number of epochs of the longer runs that the judgement rests on; 0 when there are none.

    Example:
        >>> round(Convergence("undertrained", final=0.72, converged=0.9, epochs=20).reached, 2)
        0.8
    """

    state: str
    final: float = math.nan
    rise: float = math.nan
    converged: float = math.nan
    epochs: int = 0
    reference: int = 0

    @property
    def reached(self) -> float:
        """Share of the converged Dice."""
        return self.final / self.converged if self.converged else math.nan


def convergence(condition: Condition, conditions: Sequence[Condition]) -> Convergence:
    r"""Judge from the validation curves whether the runs of a condition reached 90% of their converged Dice.

    With :math:`S_1, \dots, S_4` the means of the four quarters of the validations and :math:`g_i = S_i - S_{i-1}`, the
    gains to come are taken to shrink as the last two did, a geometric series (Aitken's extrapolation):

    .. math:: S_4 + g_4 \frac{r}{1 - r}, \qquad r = g_4 / g_3

    This is the converged Dice where :math:`r` is below 3/4 by two standard errors, from the scatter of the validations
    about a smooth curve, and the end is at most 1; where :math:`g_4 \le 0`, it is :math:`S_4`. Elsewhere there is none:
    a curve that rises on as before does not tell where it ends. Such runs are undertrained if, with :math:`r` at most
    3/4, they would have reached less than 90%. Where there are longer runs, alike but for ``epochs``, the converged
    Dice is theirs. A Dice below 0.1 counts as undertrained, however level; with fewer than 8 validations, nothing can
    be said.

    Args:
        condition: condition to judge.
        conditions: conditions of the study, among them longer runs.

    Reference:
        Aitken 1926, https://doi.org/10.1017/S0370164600022070.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.conditions import conditions_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> conditions = conditions_of(study_of(phantom_study()))
        >>> found = convergence(conditions[0], conditions)
        >>> found.state, round(found.final, 2), round(found.rise, 3), round(found.converged, 2), found.epochs
        ('converged', 0.83, 0.003, 0.83, 12)
    """
    own = _curve(condition)
    if own is None:
        ends = [_quarters(curve)[-1] for curve in condition.runs["curve"] if curve]
        return Convergence(NOT_JUDGED, final=float(np.mean(ends)) if ends else math.nan, epochs=_epochs(condition))
    alike = [curve for other in conditions if _alike(condition, other) and (curve := _curve(other))]
    longest = max(alike, key=lambda curve: curve.epochs, default=own)
    reference = longest if longest.epochs > own.epochs else own
    reached = own.final >= max(_LEAST, SHARE * min(1.0, reference.projected))
    shown = reference.epochs if reference is not own else 0
    return Convergence(
        CONVERGED if reached else UNDERTRAINED, own.final, own.gains[1], reference.converged, own.epochs, shown
    )


class _Curve(NamedTuple):
    """Validation Dice of each quarter of the training with its standard error, and the last epoch."""

    quarters: Array
    error: float
    epochs: int

    @property
    def final(self) -> float:
        return float(self.quarters[-1])

    @property
    def gains(self) -> tuple[float, float]:
        _, earlier, last = np.diff(self.quarters)
        return float(earlier), float(last)

    @property
    def converged(self) -> float:
        """NaN where the gains do not shrink clearly, or would end above 1."""
        earlier, last = self.gains
        # of 0.75 (S3 - S2) - (S4 - S3), whose weights of the quarters are -0.75, 1.75 and -1
        error = self.error * math.sqrt(_RATIO**2 + (1 + _RATIO) ** 2 + 1)
        clear = last <= 0 or _RATIO * earlier - last > _ERRORS * error
        return self.projected if clear and (last <= 0 or self.projected <= 1) else math.nan

    @property
    def projected(self) -> float:
        """What the state goes by: the end if the gains go on to shrink, by a quarter each time at least."""
        earlier, last = self.gains
        if last <= 0:
            return self.final
        ratio = min(last / earlier, _RATIO) if earlier > 0 else _RATIO
        return self.final + last * ratio / (1 - ratio)


def _alike(one: Condition, other: Condition) -> bool:
    """Whether two conditions are the same but for the length of the training."""
    left_out = ("epochs", *OF_BANDS) if one.fusion == "none" else ("epochs",)
    first, second = ((c.bundle, c.size, c.fusion, c.without(left_out)) for c in (one, other))
    return first == second


def _curve(condition: Condition) -> _Curve | None:
    """Mean over the runs that have a curve."""
    curves = [curve for curve in condition.runs["curve"] if len(curve) >= _VALIDATIONS]
    if not curves:
        return None
    quarters = np.mean([_quarters(curve) for curve in curves], axis=0)
    error = math.sqrt(sum(_scatter(curve) / (len(curve) // 4) for curve in curves)) / len(curves)
    return _Curve(quarters, error, _epochs(condition))


def _epochs(condition: Condition) -> int:
    return max(condition.runs["epochs"], default=0)


def _scatter(curve: Sequence[float]) -> float:
    """Variance about a smooth curve, of the last three quarters: second differences have six times that of noise."""
    return float(np.mean(np.diff(curve[len(curve) // 4 :], n=2) ** 2)) / 6


def _quarters(curve: Sequence[float]) -> list[float]:
    """Mean of each quarter; of a quarter without a validation, NaN."""
    ends = [part * len(curve) // 4 for part in range(5)]
    return [float(np.mean(curve[a:b])) if b > a else math.nan for a, b in pairwise(ends)]
