"""Which images lend their amplitudes to which, and towards which class a network would follow them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...spectral.scalars import check_choice
from ..cases import Cases

__all__ = ["DonorKind", "Donors", "drawn_donors"]

Codes = NDArray[np.int64]
#: what donors differ in, which is the group, or the label
DonorKind = Literal["group", "label"]


@dataclass(frozen=True)
class Donors:
    """Donors of each case.

    Args:
        kind: what they differ in.
        of: number of each donor's case, ``(cases, donors)``; -1 where a case has none.
        towards: number of the class that the network would follow to, ``(cases, donors)``.

    Example:
        >>> Donors("label", np.array([[1], [0]]), np.array([[1], [0]])).kept
        array([ True,  True])
    """

    kind: DonorKind
    of: Codes
    towards: Codes

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether each case has donors."""
        return np.asarray((self.of >= 0).all(1))


def drawn_donors(
    cases: Cases, targets: Codes, kind: DonorKind | None = None, *, n_donors: int = 2, seed: int = 0
) -> Donors:
    r"""Draw donors for each case: of another patient, and of another group, or another label.

    A donor of another label is of the same group where such ones exist, and the network would follow to its class. A
    donor of another group can be of any label; the network would follow to the class that this group has more of:

    .. math:: \arg\max_c \bigl( P(c \mid g_\text{donor}) - P(c \mid g_\text{case}) \bigr)

    Args:
        cases: the cases.
        targets: number of the class of each case.
        kind: ``"group"`` or ``"label"``; None for the group where groups are known and have other shares of the
            classes, and otherwise the label.
        n_donors: number of donors for each case.
        seed: seed of the draw.

    Raises:
        DataError: groups are asked for and unknown, or no case has a donor.

    Example:
        >>> import torch
        >>> cases = Cases.of_arrays(torch.rand(6, 1, 4, 4), labels="aabbab", groups="xxyyxy")
        >>> donors = drawn_donors(cases, np.array([0, 0, 1, 1, 0, 1]), n_donors=1)
        >>> donors.kind, donors.towards[:, 0].tolist()
        ('group', [1, 1, 0, 0, 1, 0])
    """
    groups = cases.groups
    if kind is None:
        kind = "group" if groups is not None and _uneven(groups, targets) else "label"
    check_choice("donors", kind, ("group", "label"))
    if kind == "group" and groups is None:
        raise DataError("The cases have no group.\nName its column with 'group', or take donors of another label.")
    rng, patients = np.random.default_rng([seed, 2]), np.array(cases.patients)
    named = np.array(groups if groups is not None else [""] * len(cases))
    share = {group: np.bincount(targets[named == group], minlength=targets.max() + 1) for group in set(named.tolist())}
    share = {group: counts / counts.sum() for group, counts in share.items()}
    of, towards = np.full((2, len(cases), n_donors), -1, np.int64)
    for k in range(len(cases)):
        stranger = patients != patients[k]
        fits = stranger & (named != named[k] if kind == "group" else targets != targets[k])
        if kind == "label" and (fits & (named == named[k])).any():
            fits &= named == named[k]
        places = np.flatnonzero(fits)
        if len(places):
            of[k] = rng.choice(places, n_donors, replace=len(places) < n_donors)
            gains = [share[group] - share[named[k]] for group in named[of[k]]]
            towards[k] = np.argmax(gains, 1) if kind == "group" else targets[of[k]]
    donors = Donors(kind, of, towards)
    if not donors.kept.any():
        raise DataError(f"No case has a donor of another {kind} and another patient.\nGive cases of two {kind}s.")
    return donors


def _uneven(groups: Sequence[str], targets: Codes) -> bool:
    """Whether the classes have other shares in some group than in all cases."""
    named = np.array(groups)
    overall = np.bincount(targets) / len(targets)
    shares = (np.bincount(targets[named == each], minlength=len(overall)) for each in set(groups))
    return any(np.abs(counts / counts.sum() - overall).max() > 0.05 for counts in shares)
