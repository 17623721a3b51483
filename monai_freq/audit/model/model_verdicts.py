"""The verdict on a network: whether there is a leak, and whether the network was seen to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ...spectral.band_grid import BandGrid, Unit
from ..cases import Cases
from ..data.leak import Leak
from ..data.verdicts import NO_LEAK, TOO_FEW
from .counterfactual import Counterfactual, cells_to_exchange, counterfactual
from .models import AuditModel

__all__ = [
    "AGAINST",
    "IN_PART",
    "MODEL_VERDICTS",
    "NOT_SEEN",
    "NO_LABEL",
    "USED",
    "ModelVerdict",
    "bands_of",
    "leak_to_try",
    "model_verdict",
    "try_leak",
]

USED = "leak and used"
NOT_SEEN = "leak, not seen to be used"
IN_PART = "leak, followed in part"
AGAINST = "leak, followed against the label"
NO_LABEL = "no label to leak"

#: verdict -> what it says
MODEL_VERDICTS = {
    USED: "The spectrum of the data tells the label, and the network follows it.",
    NOT_SEEN: "The spectrum of the data tells the label; the network was not seen to use it.",
    IN_PART: "The spectrum of the data tells the label, and the network follows it in part.",
    AGAINST: "The spectrum of the data tells the label, and the network takes it for the contrary.",
    NO_LEAK: "The spectrum of the data does not tell the label, as far as these images show.",
    TOO_FEW: "There are too few patients to tell.",
    NO_LABEL: "The images have no labels that could leak: what the network needs is below.",
}

#: smallest AUC of a leak that must be within reach for a verdict of no
_REACH = 0.9
#: share of the images whose probabilities are 0 or 1, from which on these hide what a network does
_HIDDEN = 0.5


@dataclass(frozen=True)
class ModelVerdict:
    """A verdict with its reasons.

    Args:
        verdict: one of ``MODEL_VERDICTS``.
        said: sentences, the most important one first.

    Example:
        >>> ModelVerdict(USED, ("The network follows it.",)).verdict
        'leak and used'
    """

    verdict: str
    said: tuple[str, ...]


def leak_to_try(leaks: Sequence[Leak]) -> Leak | None:
    """The leak of the label that a network is asked about: that within groups if it was found, else that over all.

    Args:
        leaks: leaks of the data, of any target.

    Returns:
        None where no leak of the label was found.

    Example:
        >>> numbers = (0.8, 0.7, 0.9, 0.001, 0.0, 0.01, 999, 0.6, 0.01)
        >>> leaks = [Leak(of, None, ("a", "b"), *numbers, True, (), 200, 180) for of in ("group", "label")]
        >>> leak_to_try(leaks).of
        'label'
    """
    found = [leak for leak in leaks if leak.of == "label" and leak.found]
    return max(found, key=lambda leak: (leak.within is not None, leak.auc), default=None)


def bands_of(described: Mapping[str, Any]) -> BandGrid:
    """The bands that an audit describes.

    Args:
        described: ``bands`` of an audit: unit in words, edges, and whether there are directions.

    Example:
        >>> bands_of({"unit": "cycles per mm", "edges": [0.1, 0.5], "directional": True, "cells": []})
        BandGrid(edges=(0.1, 0.5), unit='mm', directional=True)
    """
    units = {BandGrid((0.0, 1.0), unit).unit_name: unit for unit in get_args(Unit)}
    return BandGrid(tuple(described["edges"]), units[described["unit"]], bool(described["directional"]))


def try_leak(
    model: AuditModel, cases: Cases, leaks: Sequence[Leak], bands: BandGrid, **settings: Any
) -> Counterfactual | None:
    """Ask a network whether it uses the leak of its data, by the counterfactual.

    Donors of a leak within groups are of another label and the same group; otherwise they are of another group where
    groups are known.

    Args:
        model: a classifier.
        cases: cases with labels.
        leaks: leaks of the data.
        bands: the bands that the leaks were looked for in.
        settings: other arguments of :func:`~monai_freq.audit.model.counterfactual.counterfactual`.

    Returns:
        None where there is no leak to try, or the model is a segmenter.

    Example:
        >>> import torch
        >>> cases = Cases.of_arrays(torch.rand(4, 1, 8, 8), labels="abab")
        >>> try_leak(AuditModel(torch.nn.Flatten()), cases, [], BandGrid((0, 0.5))) is None
        True
    """
    leak = leak_to_try(leaks)
    if leak is None or model.task != "classification":
        return None
    leaking, silent = cells_to_exchange(leak)
    donors = {"donors": "label"} if leak.within is not None else {}
    return counterfactual(model, cases, leaking, bands, silent_cells=silent, **{**donors, **settings})


def model_verdict(leaks: Sequence[Leak], found: Counterfactual | None) -> ModelVerdict:
    """The verdict on a network.

    Without a leak of the label there is nothing to use. A test that would not have found an AUC of 0.9, or a
    counterfactual that would not have seen a shift that counts as use, has too few cases. A network that was never
    trained with an artifact can follow it in part, by chance. So does one that uses what is narrower than a cell, such
    as one line of the spectrum: the exchange by cells gives only a part of it. One that moves away from the class of
    the donors reads the leak, but not as these data have it.

    Args:
        leaks: leaks of the data.
        found: the counterfactual of the leak; None if it was not tried.

    Example:
        >>> numbers = (0.51, 0.45, 0.57, 0.4, 0.3, 0.5, 999, 0.62, 0.01)
        >>> leak = Leak("label", None, ("a", "b"), *numbers, False, (), 200, 180)
        >>> model_verdict([leak], None).verdict
        'no leak found'
    """
    leak = leak_to_try(leaks)
    if leak is None:
        return _without_leak([each for each in leaks if each.of == "label"])
    where = " within groups" if leak.within else ""
    there = f"The spectrum tells the label{where} (AUC {leak.auc:.2f}, {leak.low:.2f} to {leak.high:.2f})."
    if found is None:
        return ModelVerdict(NOT_SEEN, ("Whether the network uses the leak was not tried.", there))
    said = (_shift(found), _way(found), there, *_follows(found), *_control(found))
    if found.used:
        return ModelVerdict(USED, (f"The network uses the leak. {said[0]}", *said[1:]))
    if found.against:
        return ModelVerdict(
            AGAINST, (f"The network follows the leak against the label. {said[0]}", _CONTRARY, *said[1:])
        )
    if found.in_part:
        return ModelVerdict(IN_PART, (f"The network follows the leak in part. {said[0]}", _CHANCE, *said[1:]))
    hidden = [_hidden(found)] if found.limited > _HIDDEN else []
    if found.smallest_seen > found.smallest:
        few = f"With {found.n_patients} patients, only a shift of {found.smallest_seen:.2f} would have been seen."
        return ModelVerdict(TOO_FEW, (few, *hidden, *said))
    seen = f"A shift of {found.smallest_seen:.2f} would have been seen in four of five such data sets."
    return ModelVerdict(NOT_SEEN, (f"The network was not seen to use the leak. {said[0]}", *hidden, seen, *said[1:]))


def _without_leak(leaks: Sequence[Leak]) -> ModelVerdict:
    sizes = [leak.smallest_auc for leak in leaks if leak.smallest_auc is not None]
    if not sizes or min(sizes) > _REACH:
        return ModelVerdict(TOO_FEW, ("There are too few patients to find a leak of the label.",))
    smallest = f"A leak of AUC {min(sizes):.2f} would have been found in four of five such data sets."
    return ModelVerdict(NO_LEAK, ("No leak of the label was found, so that there is none to use.", smallest))


_CHANCE = (
    "So do some networks that never saw what leaks, and some that use what is narrower than a cell, since the exchange "
    "gives only a part of it."
)
_CONTRARY = (
    "It reads these amplitudes, but not as these data have them: where they go with the label the other way, it "
    "profits from them. If the classes are in another order than the outputs, this is use."
)


def _shift(found: Counterfactual) -> str:
    beyond = "beyond the control " if found.control is not None else ""
    bound, p = 1 / (found.n_permutations + 1), min(found.p, found.p_against)
    shown = f"p = {p:.2g}" if p > bound else f"p <= {bound:.2g}"
    ends = (found.low, found.high) if found.difference >= 0 else (-found.high, -found.low)
    where = "towards" if found.difference >= 0 else "away from"
    return (
        f"With the amplitudes of another {found.donors} in the leaking cells, its answers move {beyond}{where} the "
        f"donors' class by {abs(found.difference):.2f} of the way ({ends[0]:.2f} to {ends[1]:.2f}; {shown}); from "
        f"{found.smallest:g} towards it on, it counts as use."
    )


def _way(found: Counterfactual) -> str:
    """What the shift is measured by, and what it is in probability."""
    if not found.separation:
        return "The network gives all images the same answer."
    parts = {"in the leaking cells": found.leaking, "in the control": found.control}
    moved = (
        f"{_signed(one.share)} {name} (probability {_signed(one.probability)})" for name, one in parts.items() if one
    )
    return (
        f"The way is how far apart the network itself puts its classes: {found.separation:.3g} in log-odds. Its "
        f"answers move by {' and '.join(moved)}."
    )


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"


def _hidden(found: Counterfactual) -> str:
    return (
        f"Doubt this verdict: the probabilities of {found.limited:.0%} of the images are exactly 0 or 1, which "
        "hides how far they move. Audit the network without its last activation, if you can."
    )


def _follows(found: Counterfactual) -> list[str]:
    moved = found.leaking
    if moved.follow is None or moved.follow_low is None or moved.follow_high is None:
        return []
    return [
        f"{moved.follow:.0%} of {moved.n_decisions} decisions change to the donors' class "
        f"({moved.follow_low:.0%} to {moved.follow_high:.0%})."
    ]


def _control(found: Counterfactual) -> list[str]:
    if found.control is None:
        return ["All cells leak: there is no control of cells that do not."]
    if len(found.control.cells) < len(found.leaking.cells):
        return [f"The control has {len(found.control.cells)} cells, the leak {len(found.leaking.cells)}."]
    return []
