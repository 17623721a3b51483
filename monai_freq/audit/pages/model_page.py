"""The page on a network: whether it uses what gives the label away, and which frequencies it uses at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...documents import Block, Heading, Paragraph, Picture, Row, Table
from ...documents.texts import ABSENT, listed, plain
from .cell_figures import named_cells, number
from .common_blocks import ending, interval, leaks_table, opening, p_of
from .data_figures import draw_intervals
from .model_figures import (
    SHIFT,
    counterfactual_rows,
    draw_cutoffs,
    draw_drops,
    draw_priority,
    draw_sensitivity,
    draw_where,
    metric_name,
)
from .trial_page import trial_blocks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["model_blocks", "model_figures"]

Record = Mapping[str, Any]


def model_figures(audit: Record) -> dict[str, Figure]:
    """Figures of the page, by the names of their files.

    Args:
        audit: an audit of a network, as in ``audit.json``.

    Example:
        >>> names = ("counterfactual", "reliance", "sensitivity", "priority", "where")
        >>> model_figures(dict.fromkeys(names))
        {}
    """
    figures: dict[str, Figure | None] = {}
    if audit["counterfactual"]:
        rows = counterfactual_rows(audit["counterfactual"])
        figures["counterfactual"] = draw_intervals(rows, SHIFT, chance=0)
    if reliance := audit["reliance"]:
        figures["reliance_bands"] = draw_drops(reliance)
        figures["reliance_cutoffs"] = draw_cutoffs(reliance)
    if audit["sensitivity"]:
        figures["sensitivity"] = draw_sensitivity(audit["sensitivity"])
    if audit["priority"]:
        figures["priority"] = draw_priority(audit["priority"])
    if audit["where"]:
        figures["where"] = draw_where(audit["where"])
    return {name: figure for name, figure in figures.items() if figure is not None}


def model_blocks(audit: Record, figures: Mapping[str, Any]) -> Iterator[Block]:
    """Everything that the page says, in its order.

    Args:
        audit: an audit of a network, as in ``audit.json``.
        figures: figures of the page, by name.
    """
    yield from opening("Which frequencies does the network use?", audit)
    yield Paragraph(_network(audit["model"]))
    if counterfactual := audit["counterfactual"]:
        yield Heading("Is the leak used?")
        caption = (
            "How far the answers move to what the donor stands for, when an image gets its amplitudes and keeps the "
            "phases: in the bands that leak, and in as many that do not. 0: the network does not follow. 1: as far as "
            "it puts its own classes apart. Below 0: away from the donors' class."
        )
        yield Paragraph(_seen(counterfactual, audit["data"]["n_patients"] is not None))
        yield Row([Picture("counterfactual", "Counterfactual and its control", caption)])
        yield _counterfactual_table(counterfactual)
    if audit["leaks"]:
        yield Heading("How well the spectrum alone tells it")
        yield leaks_table(audit["leaks"])
    if audit["reliance"]:
        yield Heading("What the network needs")
        yield Paragraph(_reference(audit["reliance"]))
        yield _row(figures, _RELIANCE)
    pictures = {name: text for name, text in _OTHERS.items() if name in figures}
    if pictures:
        yield Heading("What disturbs it, and what its loss depends on")
        yield _row(figures, pictures)
    if "where" in figures:
        yield Heading("Where in the image a band matters")
        yield Picture("where", "Maps of where each band matters", _WHERE[audit["where"]["kind"]])
    if audit.get("trial"):
        yield from trial_blocks(audit["trial"])
    yield from ending(audit)


_RELIANCE = {
    "reliance_bands": (
        "Fall of the metric by band",
        "What the metric loses without a band, or with that of another image. Lines: 95% intervals.",
    ),
    "reliance_cutoffs": (
        "Metric by cutoff",
        "The metric with nothing but low, or nothing but high, frequencies.",
    ),
}
_WHERE = {
    "change": "How much the answer changes at each place without the band. Percent: share of each band.",
    "attribution": "How much each place has to do with the change of the answer without the band, by integrated "
    "gradients. Percent: share of each band.",
}
_OTHERS = {
    "sensitivity": (
        "Fourier heat map",
        "What noise of the same energy in each part of the spectrum costs. Noise is added to the "
        "image before the network's own preparation of intensities.",
    ),
    "priority": (
        "Learning priority",
        "Power of the gradient of the loss by frequency: mean and 95% interval over patients.",
    ),
}


def _row(figures: Mapping[str, Any], pictures: Mapping[str, tuple[str, str]]) -> Row:
    return Row([Picture(name, *texts) for name, texts in pictures.items() if name in figures])


def _network(model: Record) -> str:
    parameters = "" if model["n_parameters"] is None else f", {model['n_parameters']:,} parameters"
    classes = f" Classes: {listed(map(str, model['classes']))}." if model["classes"] else ""
    return f"The network: {model['source']} ({model['kind']}, {model['task']}{parameters}).{classes}"


def _reference(reliance: Record) -> str:
    name, within = metric_name(reliance), interval(reliance["reference_low"], reliance["reference_high"])
    said = [f"On whole images, its {name} is {plain(number(reliance['reference']), 2)} ({within})."]
    if reliance["above_chance"] is False:
        said.append("That may be chance.")
    elif reliance["used"] is None:
        said.append("No band was seen to be needed.")
    else:
        low, high = reliance["used"]
        said.append(f"It is seen to depend on frequencies from {low:.3g} to {high:.3g} {reliance['unit']}.")
    return " ".join(said)


def _counterfactual_table(found: Record) -> Table:
    parts = {"bands that leak": found["leaking"], "control bands": found["control"]}
    rows = [
        [
            title,
            _with_interval(one, "share", "low", "high", "+.2f"),
            _with_interval(one, "probability", "probability_low", "probability_high", "+.2f"),
            _with_interval(one, "follow", "follow_low", "follow_high", ".0%"),
            str(one["n_decisions"]),
            listed(named_cells(one["cells"]), most=6),
        ]
        for title, one in parts.items()
        if one
    ]
    header = ["amplitudes of others in", "shift to the donors' class", "of the probability", "decisions that follow"]
    return Table([*header, "of", "bands"], rows)


def _with_interval(one: Record, name: str, low: str, high: str, form: str) -> str:
    if one[name] is None:
        return ABSENT
    value, first, last = (format(number(one[part]) + 0.0, form) for part in (name, low, high))
    return f"{value} ({first} to {last})"


def _seen(found: Record, patients_known: bool) -> str:
    of = f" of {found['n_patients']} patients" if patients_known else ""
    p = p_of(min(found["p"], found["p_against"]))
    return (
        f"{found['n_cases']} images{of} got amplitudes of another {found['donors']}. The shift in the bands that leak, "
        f"less that of the control, is {found['difference']:+.2f} "
        f"({interval(found['low'], found['high'])}, p {p if p.startswith('<') else f'= {p}'}): 1 is how far apart the "
        f"network puts its own classes, {found['separation']:.3g} in log-odds. It counts from {found['smallest']:.2f} "
        f"on; {found['smallest_seen']:.2f} would be seen in four of five such data sets."
    )
