"""The fixed verdicts of an audit, and findings in sentences."""

from __future__ import annotations

from .leak import Leak

__all__ = [
    "BETWEEN_GROUPS",
    "DATA_VERDICTS",
    "LEAK",
    "NO_LEAK",
    "TOO_FEW",
    "data_verdict",
    "said_of_cells",
    "said_of_leak",
    "said_of_verdict",
]

NO_LEAK = "no leak found"
LEAK = "leak found"
BETWEEN_GROUPS = "leak between groups"
TOO_FEW = "too few cases"

#: verdict -> what it says
DATA_VERDICTS = {
    NO_LEAK: "The spectrum does not tell the label, as far as these images show.",
    LEAK: "The spectrum tells the label, and no known group explains it.",
    BETWEEN_GROUPS: "The spectrum tells groups, and with them the label; within groups it does not.",
    TOO_FEW: "There are too few patients to tell.",
}

#: smallest AUC that must be within reach for a verdict of no leak
_REACH = 0.9


def data_verdict(overall: Leak | None, within: Leak | None, of_group: Leak | None, *, labelled: bool) -> str:
    """One of ``DATA_VERDICTS``.

    A leak within groups counts as a leak. A leak over all counts as one between groups where it would have been found
    within them, too, and was not, or where it cannot be looked for there, but the spectrum tells the group; as a leak
    otherwise. Without labels, a leak of the group is one between groups. If nothing was found, but
    an AUC of 0.9 would not have been found either, there are too few cases.

    Args:
        overall: leak of the label over all images; None if there are too few patients.
        within: leak of the label within groups; None without groups, or if no group has two labels.
        of_group: leak of the group; None without groups.
        labelled: whether there are labels.

    Example:
        >>> data_verdict(None, None, None, labelled=True)
        'too few cases'
    """
    if not labelled:
        if of_group is not None and of_group.found:
            return BETWEEN_GROUPS
        return NO_LEAK if _enough(of_group) else TOO_FEW
    if within is not None and within.found:
        return LEAK
    if overall is not None and overall.found:
        told = of_group is not None and of_group.found
        return BETWEEN_GROUPS if told or _looked_within(overall, within) else LEAK
    return NO_LEAK if _enough(overall) else TOO_FEW


def said_of_verdict(verdict: str, overall: Leak | None, within: Leak | None, *, grouped: bool) -> str:
    """What a verdict says, and whether it could be asked within groups.

    Args:
        verdict: a key of ``DATA_VERDICTS``.
        overall: leak of the label over all images; None if there are too few patients.
        within: leak of the label within groups; None if it could not be looked for.
        grouped: whether there are groups.

    Example:
        >>> said_of_verdict("leak between groups", None, None, grouped=True)
        'The spectrum tells groups.'
    """
    asked = overall is None or not overall.found or (within is not None and within.found)
    if not grouped or (asked and verdict != BETWEEN_GROUPS):
        return DATA_VERDICTS[verdict]
    if overall is None or not overall.found:  # there are groups alone
        return "The spectrum tells groups."
    if _looked_within(overall, within):
        return DATA_VERDICTS[verdict]
    groups = "groups, and with them the label" if verdict == BETWEEN_GROUPS else "the label"
    first = f"The spectrum tells {groups}"
    return f"{first}; whether it does within groups, these patients cannot tell."


def _looked_within(overall: Leak, within: Leak | None) -> bool:
    """Whether a leak within groups as large as that over all would have been found."""
    return within is not None and within.smallest_auc is not None and within.smallest_auc <= overall.auc


def _enough(leak: Leak | None) -> bool:
    return leak is not None and leak.smallest_auc is not None and leak.smallest_auc <= _REACH


def said_of_leak(leak: Leak) -> str:
    """A leak in a sentence.

    Args:
        leak: the leak.

    Example:
        >>> numbers = (0.57, 0.53, 0.62, 0.004, 0.0, 0.01, 999, 0.57, 0.01)
        >>> leak = Leak("label", None, ("a", "b"), *numbers, True, (), 600, 599)
        >>> said_of_leak(leak)
        'The spectrum tells the label a little: AUC 0.57 (95% interval 0.53 to 0.62; chance is 0.5), p = 0.004.'
    """
    what = f"the {leak.of}" + (" within groups" if leak.within else "")
    numbers = f"AUC {leak.auc:.2f} (95% interval {leak.low:.2f} to {leak.high:.2f}; chance is 0.5)"
    p = f"p = {leak.p:.2g}" if leak.p > 1 / (leak.n_permutations + 1) else f"p <= {leak.p:.2g}"
    if leak.found:
        how = {"weak": " a little", "moderate": "", "strong": " well"}[leak.strength]
        return f"The spectrum tells {what}{how}: {numbers}, {p}."
    if leak.too_small:
        return f"The spectrum of no band differs by 0.1 dB with {what}, which counts as none: {numbers}, {p}."
    reach = "no leak of any size"
    if leak.smallest_auc is not None:
        reach = f"a leak of AUC {leak.smallest_auc:.2f} in four of five such data sets"
    return f"The spectrum was not found to tell {what}: {numbers}, {p}. The test finds {reach}."


def said_of_cells(leak: Leak, most: int = 3) -> str:
    """Which cells carry a leak, in a sentence; empty if no single one does.

    Args:
        leak: the leak.
        most: largest number of cells that are named.

    Example:
        >>> from monai_freq.audit.data.leak import CellLeak
        >>> cells = (CellLeak("0.1 to 0.2", 0, 0.6, 0.7, 0.2), CellLeak("0.2 to 0.5", 1, 0.8, 0.5, 0.001))
        >>> numbers = (0.8, 0.7, 0.9, 0.001, 0.0, 0.01, 999, 0.6, 0.01)
        >>> said_of_cells(Leak("label", None, ("a", "b"), *numbers, True, cells, 80, 80))
        'Most of it lies at 0.2 to 0.5 (alone: AUC 0.80).'
    """
    alone = sorted((cell for cell in leak.cells if cell.p_alone <= leak.alpha), key=lambda cell: -cell.auc_alone)
    if not (leak.found and alone):
        return ""
    listed = "; ".join(f"{cell.name} (alone: AUC {cell.auc_alone:.2f})" for cell in alone[:most])
    others = len(alone) - most
    more = f"; {others} more {'cell tells' if others == 1 else 'cells tell'} it alone" if others > 0 else ""
    return f"Most of it lies at {listed}{more}."
