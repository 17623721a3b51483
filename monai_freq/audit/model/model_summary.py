"""What an audit of a network found, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from ..cases import Cases
from .experiments import Experiment
from .model_verdicts import NOT_SEEN, ModelVerdict
from .reliance import Reliance
from .sensitivity import Sensitivity

__all__ = ["doubts", "largest_drop", "summary_of"]

#: fall of the AUC with other amplitudes that is not that of a network which does not use them
_LARGE = 0.1
#: largest drop that is little, of metrics that do not go from 0 to 1
_LITTLE = {"hd95": 1.0}
_METRICS = {"auc": "AUC", "accuracy": "accuracy", "dice": "Dice", "hd95": "HD95 (mm)"}


def summary_of(cases: Cases, found: Reliance, noise: Sensitivity) -> list[str]:
    """What reliance and sensitivity found, in sentences, the most important one first.

    Args:
        cases: all cases.
        found: the reliance.
        noise: the sensitivity.
    """
    name, unit = _METRICS[found.metric], found.unit
    part = f"all {len(cases)}" if found.n_cases == len(cases) else f"{found.n_cases} of {len(cases)}"
    if found.reference is None:
        return [f"The {name} is unknown: no case has any of the classes."]
    said = [
        f"The {name} is {_interval(found.reference, found.reference_low, found.reference_high)} on {part} cases"
        f"{'' if found.n_cases == len(cases) else ', drawn by patient in equal shares'}."
    ]
    if found.metric == "auc" and found.reference_high is not None and found.reference_high < 0.5:
        said.append(
            "That is worse than chance: if the classes are in another order than the outputs, give their order, as the "
            "verdict is wrong then."
        )
        return said
    if found.above_chance is False:
        said.append("That may be chance: a network that tells nothing relies on nothing, whatever the drops are.")
        return said
    worse = "lower" if found.higher_is_better else "higher"
    removed = largest_drop(found.experiments, "remove")
    if removed is not None:
        said.append(
            f"Without {_cell(removed, unit)} it is {worse} by {_drop(removed)}, more than without any other band."
        )
    else:
        said.append("No band, removed alone, is known to make it worse: others tell the same, or none is needed.")
    cuts = sorted((each for each in found.experiments if each.kind == "low-pass"), key=lambda each: -each.low_edge)
    little = _LITTLE.get(found.metric, 0.05)
    enough = list(takewhile(lambda each: _is_needless(each, little), cuts))
    if enough:
        least = enough[-1]
        said.append(
            f"All above {least.low_edge:.3g} {unit} can be cut off: it is then {_number(least.value)}, "
            f"{_changed(least, found.higher_is_better)}."
        )
    for kind, what in (("amplitude", "amplitudes"), ("phase", "phases")):
        each = largest_drop(found.experiments, kind)
        if each is not None:
            said.append(f"With another image's {what} in {_cell(each, unit)} it is {worse} by {_drop(each)}.")
    moved = [each for each in noise.experiments if each.moved is not None]
    if moved:
        most = max(moved, key=lambda each: each.moved or 0)
        said.append(
            f"Noise of {noise.strength:.3g} SD moves its answers most in {_cell(most, unit)}: by {_number(most.moved)} "
            f"of the probability ({noise.n_cases} cases)."
        )
    if found.untrained_reference is not None:
        by_chance = (found.untrained_reference, found.untrained_reference_low, found.untrained_reference_high)
        lost = [each.cell for each in found.experiments if (each.untrained_low or 0) > 0]
        loses = f"is known to lose without {' and '.join(lost)}" if lost else "is not known to lose without any band"
        if found.metric == "auc" and (found.untrained_reference_low or 0) <= 0.5:
            loses = "tells nothing"
        said.append(f"The same network with random weights has {_interval(*by_chance)}: it {loses}.")
    return said


def doubts(judged: ModelVerdict, relied: Reliance) -> list[str]:
    """What speaks against a verdict that a leak is not used: other amplitudes make the answers much worse.

    Args:
        judged: the verdict.
        relied: the reliance.
    """
    each = largest_drop(relied.experiments, "amplitude")
    if judged.verdict != NOT_SEEN or each is None or relied.metric != "auc" or (each.drop_low or 0) <= _LARGE:
        return []
    return [
        f"Doubt this verdict: with the amplitudes of an image of another label in {_cell(each, relied.unit)}, the AUC "
        f"falls by {_drop(each)}. The network may use the leak in parts of the spectrum that were not exchanged, or by "
        "less than counts as use."
    ]


def largest_drop(experiments: Sequence[Experiment], kind: str) -> Experiment | None:
    """The experiment that is known to make the metric worse, and does so most; None if there is none.

    Args:
        experiments: the experiments.
        kind: kind of those that count.

    Example:
        >>> one = Experiment("remove", "0 to 0.1", 0.0, 0.1, 0.7, 0.6, 0.8, 0.2, 0.1, 0.3, 0.4, 0.3, 0.5, 60)
        >>> largest_drop([one], "remove").drop, largest_drop([one], "phase")
        (0.2, None)
    """
    known = [each for each in experiments if each.kind == kind and _is_known(each)]
    return max(known, key=lambda each: each.drop or 0, default=None)


def _is_known(each: Experiment) -> bool:
    """Whether the metric is known to be worse."""
    return each.drop_low is not None and each.drop_low > 0


def _is_needless(each: Experiment, little: float) -> bool:
    """Whether the metric is known to be next to as good: the interval of the drop holds 0, and no large drop."""
    return not _is_known(each) and each.drop_high is not None and each.drop_high <= little


def _drop(each: Experiment) -> str:
    return _interval(each.drop, each.drop_low, each.drop_high)


def _changed(each: Experiment, higher_is_better: bool) -> str:
    """How much lower or higher the metric is."""
    if each.drop is None or each.drop_low is None or each.drop_high is None:
        return "by how much is unknown"
    risen = (each.drop < 0) == higher_is_better
    ends = (-each.drop_high, -each.drop_low) if each.drop < 0 else (each.drop_low, each.drop_high)
    return f"{'higher' if risen else 'lower'} by {_interval(abs(each.drop), *ends)}"


def _cell(each: Experiment, unit: str) -> str:
    """Band with its unit, and then its direction."""
    band, comma, direction = each.cell.partition(",")
    return f"{band} {unit}{comma}{direction}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return f"{_number(value)} ({_number(low)} to {_number(high)})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value + 0.0:.2f}"
