"""The page on a network: whether it uses what gives the label away, and which frequencies it uses at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..documents import Block, Heading, Paragraph, Picture, Row, Table
from ..documents.texts import listed, plain
from .cell_figures import cell_map, named_cells, number
from .common_blocks import ending, interval, leaks_table, opening, p_of
from .data_figures import draw_intervals
from .model_figures import counterfactual_rows, draw_cutoffs, draw_drops, draw_priority, draw_where

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
        >>> model_figures({"bands": {"unit": "cycles per voxel"}} | dict.fromkeys(names))
        {}
    """
    unit = audit["bands"]["unit"]
    figures: dict[str, Figure | None] = {}
    if counterfactual := audit["counterfactual"]:
        rows = counterfactual_rows(counterfactual)
        figures["counterfactual"] = draw_intervals(rows, counterfactual["measure"], chance=0)
    if reliance := audit["reliance"]:
        figures["reliance_bands"] = draw_drops(reliance, unit)
        figures["reliance_cutoffs"] = draw_cutoffs(reliance, unit)
    if sensitivity := audit["sensitivity"]:
        drops = [number(cell["drop"]) for cell in sensitivity["cells"]]
        names = [cell["name"] for cell in sensitivity["cells"]]
        label = f"fall of {sensitivity['metric']}"
        figures["sensitivity"] = cell_map(names, drops, label, unit, (0, max(0.01, *drops)))
    if audit["priority"]:
        figures["priority"] = draw_priority(audit["priority"])
    if audit["where"] and audit["where"]["maps"]:
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
            "Each image gets the amplitudes of images of another class in some bands, and keeps its phases: in the "
            "bands that leak, and in as many that do not. 0: predictions do not follow."
        )
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
        yield Picture("where", "Maps of where each band matters", audit["where"]["said"])
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
_OTHERS = {
    "sensitivity": (
        "Fourier heat map",
        "What noise of the same energy in each part of the spectrum costs; rings are bands. Noise is added to the "
        "image before the network's own preparation of intensities.",
    ),
    "priority": (
        "Learning priority",
        "Gradient of the loss with respect to the image, by frequency: mean and 95% interval over patients.",
    ),
}


def _row(figures: Mapping[str, Any], pictures: Mapping[str, tuple[str, str]]) -> Row:
    return Row([Picture(name, *texts) for name, texts in pictures.items() if name in figures])


def _network(model: Record) -> str:
    parameters = "" if model["n_parameters"] is None else f", {model['n_parameters']:,} parameters"
    classes = f" Classes: {listed(map(str, model['classes']))}." if model["classes"] else ""
    return f"The network: {model['source']} ({model['kind']}, {model['task']}{parameters}).{classes}"


def _reference(reliance: Record) -> str:
    within = interval(reliance["reference_low"], reliance["reference_high"])
    return f"On whole images, its {reliance['metric']} is {plain(number(reliance['reference']), 2)} ({within})."


def _counterfactual_table(found: Record) -> Table:
    cells = {"bands that leak": found["cells"], "control bands": found["control_cells"]}
    rows = [
        [
            title,
            plain(number(value), 2),
            interval(low, high),
            p_of(found["p"]) if title == "difference" else "",
            listed(named_cells(cells.get(title, ())), most=6),
        ]
        for title, value, low, high in counterfactual_rows(found)
    ]
    return Table(["amplitudes of another class in", found["measure"], "95% interval", "p", "remark"], rows)
