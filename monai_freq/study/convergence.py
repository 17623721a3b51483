"""Whether trainings were long enough to compare what they lead to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from .cells import OF_BANDS, Cell
from .results import Result

__all__ = ["CONVERGED", "NOT_JUDGED", "SHARE", "UNDERTRAINED", "Convergence", "convergence"]

CONVERGED, UNDERTRAINED, NOT_JUDGED = "converged", "undertrained", "not judged"
#: of the converged Dice that a training must have reached
SHARE = 0.9
#: below it, a network has found next to nothing yet, however level its curve is
_LEAST = 0.1
#: so that the mean of a quarter of the curve is over two validations at least
_VALIDATIONS = 8
#: of a quarter's gain to that of the quarter before, at most: a straight line has 1, and would have no end
_RATIO = 0.75


class Convergence(NamedTuple):
    """How far the runs of a cell are.

    Args:
        state: ``"converged"``, ``"undertrained"`` or ``"not judged"``.
        final: validation Dice at the end, mean over runs.
        converged: what it is judged to converge to.
        epochs: of the runs; 0 when unknown.
        reference: epochs of the longer runs that the judgement rests on; 0 when it rests on the runs themselves.

    Example:
        >>> round(Convergence("undertrained", final=0.81, converged=0.9, epochs=20).reached, 2)
        0.9
    """

    state: str
    final: float = math.nan
    converged: float = math.nan
    epochs: int = 0
    reference: int = 0

    @property
    def reached(self) -> float:
        """Share of the converged Dice."""
        return self.final / self.converged if self.converged else math.nan


class _Curve(NamedTuple):
    """Validation Dice of each quarter of the training, and the last epoch."""

    quarters: tuple[float, ...]
    epochs: int

    @property
    def final(self) -> float:
        return self.quarters[-1]

    @property
    def converged(self) -> float:
        earlier, last = self.quarters[2] - self.quarters[1], self.quarters[3] - self.quarters[2]
        if last <= 0:
            return self.final
        ratio = min(last / earlier, _RATIO) if earlier > 0 else _RATIO
        return min(1.0, self.final + last * ratio / (1 - ratio))


def convergence(cell: Cell, cells: Sequence[Cell]) -> Convergence:
    r"""Judge from the validation curves whether the runs of a cell reached 90% of their converged Dice.

    With :math:`S_1, \dots, S_4` the means of the four quarters of the validations and :math:`g_i = S_i - S_{i-1}`, the
    gains to come are taken to shrink as the last two did, a geometric series (Aitken's extrapolation):

    .. math:: \min\left(1,\ S_4 + g_4 \frac{r}{1 - r}\right), \qquad r = \min(g_4 / g_3,\ 3/4)

    with no gain to come where :math:`g_4 \le 0`, and :math:`r = 3/4` where :math:`g_3 \le 0 < g_4`. The Dice that was
    reached is :math:`S_4`. Where there are longer runs, alike but for ``epochs``, the converged Dice is theirs. A Dice
    below 0.1 counts as undertrained, however level; with fewer than 8 validations, nothing can be said.

    Args:
        cell: whose runs are judged.
        cells: of the study, among them longer runs.

    Reference:
        Aitken 1926, https://doi.org/10.1017/S0370164600022070.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> curve = {"epochs": [*range(1, 21)], "val_mean_dice": [0.04 * epoch for epoch in range(1, 21)]}
        >>> run = Result(bundle="a", status="finished", arm="none", size=4, draw=0, seed=0, validation=curve)
        >>> (cell,) = cells_of([run])
        >>> convergence(cell, [cell]).state
        'undertrained'
    """
    own = _curve(cell)
    if own is None:
        return Convergence(NOT_JUDGED, epochs=max((_last_epoch(run) for run in cell.results), default=0))
    alike = [_curve(other) for other in cells if _alike(cell, other)]
    longest = max((curve for curve in alike if curve), key=lambda curve: curve.epochs, default=own)
    reference = longest if longest.epochs > own.epochs else own
    converged = reference.converged
    reached = own.final >= max(_LEAST, SHARE * converged)
    shown = reference.epochs if reference is not own else 0
    return Convergence(CONVERGED if reached else UNDERTRAINED, own.final, converged, own.epochs, shown)


def _alike(cell: Cell, other: Cell) -> bool:
    """Whether two cells are the same but for the length of the training."""
    same = (cell.bundle, cell.size, cell.arm) == (other.bundle, other.size, other.arm)
    left_out = ("epochs", *OF_BANDS) if cell.arm == "none" else ("epochs",)
    return same and cell.without(left_out) == other.without(left_out)


def _curve(cell: Cell) -> _Curve | None:
    """Mean over the runs that have a curve."""
    curves = [curve for run in cell.results if (curve := _known(run)) is not None]
    if not curves:
        return None
    quarters = tuple(sum(_quarter(dice, part) for dice in curves) / len(curves) for part in range(4))
    return _Curve(quarters, max(_last_epoch(run) for run in cell.results))


def _known(run: Result) -> list[float] | None:
    values = run.validation.get("val_mean_dice")
    if not isinstance(values, list):
        return None
    dice = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
    return dice if len(dice) >= _VALIDATIONS else None


def _quarter(dice: Sequence[float], part: int) -> float:
    length = len(dice)
    chosen = dice[part * length // 4 : (part + 1) * length // 4]
    return sum(chosen) / len(chosen)


def _last_epoch(run: Result) -> int:
    epochs = run.validation.get("epochs")
    return int(epochs[-1]) if isinstance(epochs, list) and epochs and isinstance(epochs[-1], int | float) else 0
