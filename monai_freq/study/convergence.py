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
#: standard errors by which a curve must be below that ratio, so that noise does not seem to slow it down
_ERRORS = 2


class Convergence(NamedTuple):
    """How far the runs of a cell are: what was measured, and what follows from it.

    Args:
        state: ``"converged"``, ``"undertrained"`` or ``"not judged"``.
        final: validation Dice at the end, the mean of the last quarter of the validations and over runs.
        rise: that less the mean of the quarter before; NaN with fewer than 8 validations.
        converged: the Dice that it converges to; NaN where the curves do not tell.
        epochs: of the runs; 0 when unknown.
        reference: epochs of the longer runs that the judgement rests on; 0 when it rests on the runs themselves.

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


class _Curve(NamedTuple):
    """Validation Dice of each quarter of the training with its standard error, and the last epoch."""

    quarters: tuple[float, ...]
    error: float
    epochs: int

    @property
    def final(self) -> float:
        return self.quarters[-1]

    @property
    def gains(self) -> tuple[float, float]:
        return self.quarters[2] - self.quarters[1], self.quarters[3] - self.quarters[2]

    @property
    def converged(self) -> float:
        """NaN where the gains do not shrink clearly, or would end above 1."""
        earlier, last = self.gains
        if last <= 0:
            return self.final
        # of 0.75 (S3 - S2) - (S4 - S3), whose weights of the quarters are -0.75, 1.75 and -1
        error = self.error * math.sqrt(_RATIO**2 + (1 + _RATIO) ** 2 + 1)
        if _RATIO * earlier - last <= _ERRORS * error:
            return math.nan
        limit = self.projected
        return limit if limit <= 1 else math.nan

    @property
    def projected(self) -> float:
        """What the state goes by: the end if the gains go on to shrink, by a quarter each time at least."""
        earlier, last = self.gains
        if last <= 0:
            return self.final
        ratio = min(last / earlier, _RATIO) if earlier > 0 else _RATIO
        return self.final + last * ratio / (1 - ratio)


def convergence(cell: Cell, cells: Sequence[Cell]) -> Convergence:
    r"""Judge from the validation curves whether the runs of a cell reached 90% of their converged Dice.

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
        cell: whose runs are judged.
        cells: of the study, among them longer runs.

    Reference:
        Aitken 1926, https://doi.org/10.1017/S0370164600022070.

    Example:
        >>> from monai_freq.study.cells import cells_of
        >>> curve = {"epochs": [*range(1, 21)], "val_mean_dice": [0.04 * epoch for epoch in range(1, 21)]}
        >>> run = Result(bundle="a", status="finished", arm="none", size=4, draw=0, seed=0, validation=curve)
        >>> (cell,) = cells_of([run])
        >>> found = convergence(cell, [cell])
        >>> found.state, round(found.final, 2), round(found.rise, 2), found.converged
        ('undertrained', 0.72, 0.2, nan)
    """
    own = _curve(cell)
    epochs = max((_last_epoch(run) for run in cell.results), default=0)
    if own is None:
        ends = [_quarter(dice, 3) for run in cell.results if (dice := _values(run))]
        return Convergence(NOT_JUDGED, final=sum(ends) / len(ends) if ends else math.nan, epochs=epochs)
    alike = [_curve(other) for other in cells if _alike(cell, other)]
    longest = max((curve for curve in alike if curve), key=lambda curve: curve.epochs, default=own)
    reference = longest if longest.epochs > own.epochs else own
    reached = own.final >= max(_LEAST, SHARE * min(1.0, reference.projected))
    shown = reference.epochs if reference is not own else 0
    state = CONVERGED if reached else UNDERTRAINED
    return Convergence(state, own.final, own.gains[1], reference.converged, own.epochs, shown)


def _alike(cell: Cell, other: Cell) -> bool:
    """Whether two cells are the same but for the length of the training."""
    same = (cell.bundle, cell.size, cell.arm) == (other.bundle, other.size, other.arm)
    left_out = ("epochs", *OF_BANDS) if cell.arm == "none" else ("epochs",)
    return same and cell.without(left_out) == other.without(left_out)


def _curve(cell: Cell) -> _Curve | None:
    """Mean over the runs that have a curve."""
    curves = [dice for run in cell.results if len(dice := _values(run)) >= _VALIDATIONS]
    if not curves:
        return None
    quarters = tuple(sum(_quarter(dice, part) for dice in curves) / len(curves) for part in range(4))
    error = math.sqrt(sum(_scatter(dice) / (len(dice) // 4) for dice in curves)) / len(curves)
    return _Curve(quarters, error, max(_last_epoch(run) for run in cell.results))


def _values(run: Result) -> list[float]:
    values = run.validation.get("val_mean_dice")
    known = values if isinstance(values, list) else []
    return [float(value) for value in known if isinstance(value, int | float) and math.isfinite(value)]


def _scatter(dice: Sequence[float]) -> float:
    """Variance about a smooth curve, of the last three quarters: second differences have six times that of noise."""
    late = dice[len(dice) // 4 :]
    bends = [(before - 2 * here + after) ** 2 for before, here, after in zip(late, late[1:], late[2:], strict=False)]
    return sum(bends) / len(bends) / 6


def _quarter(dice: Sequence[float], part: int) -> float:
    length = len(dice)
    chosen = dice[part * length // 4 : (part + 1) * length // 4]
    return sum(chosen) / len(chosen)


def _last_epoch(run: Result) -> int:
    epochs = run.validation.get("epochs")
    return int(epochs[-1]) if isinstance(epochs, list) and epochs and isinstance(epochs[-1], int | float) else 0
