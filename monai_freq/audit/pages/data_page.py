"""The page on data: whether the spectrum gives the label away, where, and what else differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...documents import Block, Heading, Notes, Paragraph, Picture, Row, Strong, Table
from .cell_figures import cell_map, draw_cells, number
from .common_blocks import ending, leaks_table, opening, p_of, shares
from .data_figures import draw_leaks, draw_spectra, name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["QUIET", "data_blocks", "data_figures"]

Record = Mapping[str, Any]

#: what the name of a cell of the quiet parts of images ends with
QUIET = ", in quiet parts"
#: most labels of a table of groups
_COLUMNS = 8


def data_figures(audit: Record) -> dict[str, Figure]:
    """Figures of the page, by the names of their files.

    Args:
        audit: an audit of data, as in ``audit.json``.

    Example:
        >>> bands = {"unit": "cycles per voxel", "edges": [0, 0.5], "cells": ["0 to 0.5"], "directional": False}
        >>> sorted(data_figures({"bands": bands, "leaks": [], "spectra": []}))
        []
    """
    unit = audit["bands"]["unit"]
    figures: dict[str, Figure | None] = {}
    if audit["leaks"]:
        figures["leaks"] = draw_leaks(audit["leaks"])
    for leak in audit["leaks"]:
        name, cells = _name(leak), leak["cells"]
        whole = [cell for cell in cells if QUIET not in cell["name"]]
        quiet = [{**cell, "name": cell["name"].replace(QUIET, "")} for cell in cells if QUIET in cell["name"]]
        limits = (0.5, max([0.75, *(number(cell["auc_alone"]) for cell in cells)]))
        if whole:
            figures[f"cells_{name}"] = draw_cells({**leak, "cells": whole}, unit)
        for part, some in (("map", whole), ("quiet", quiet)):
            names, alone = [cell["name"] for cell in some], [number(cell["auc_alone"]) for cell in some]
            figures[f"{part}_{name}"] = cell_map(names, alone, "AUC of the part alone", unit, limits) if some else None
    if audit["spectra"]:
        figures["spectra"] = draw_spectra(audit["spectra"], unit, relative=False)
        figures["spectra_differences"] = draw_spectra(audit["spectra"], unit, relative=True)
    return {name: figure for name, figure in figures.items() if figure is not None}


def data_blocks(audit: Record, figures: Mapping[str, Any]) -> Iterator[Block]:
    """Everything that the page says, in its order.

    Args:
        audit: an audit of data, as in ``audit.json``.
        figures: figures of the page, by name.

    Example:
        >>> data = {"n_cases": 9, "n_patients": None, "labels": {"a": 9}, "groups": None, "sizes": {"8 x 8": 9}}
        >>> data |= {"spacings": {}, "spatial_dims": 2, "left_out": 0}
        >>> audit = {"verdict": "too few cases", "summary": ["Nine are too few."], "unknown": [], "data": data}
        >>> audit |= {"leaks": [], "spectra": [], "nuisances": [], "remedies": [], "settings": {}, "confounding": None}
        >>> audit |= {"kind": "data", "bands": {"unit": "cycles per voxel", "edges": [0, 0.5]}}
        >>> [block.text for block in data_blocks(audit, {}) if isinstance(block, Heading)][0]
        'Does the spectrum give the label away?'
    """
    yield from opening("Does the spectrum give the label away?", audit)
    if audit["leaks"]:
        yield Heading("How well the spectrum alone tells it")
        if "leaks" in figures:
            caption = (
                "A linear classifier sees nothing of an image but the power of its bands. 0.5 is chance. A leak to the "
                "left of the mark would probably have been missed."
            )
            yield Row([Picture("leaks", "AUC of each leak", caption)])
        yield leaks_table(audit["leaks"])
        yield from _confounding(audit)
    if "spectra" in figures:
        yield Heading("Mean spectra")
        yield Row(
            [
                Picture(
                    "spectra_differences",
                    "Differences of the mean spectra",
                    "Each curve less the mean of all curves: 0.3 is a factor of 2 in power.",
                ),
                Picture(
                    "spectra",
                    "Mean spectra",
                    "Power density of images of mean 0 and SD 1, with 95% intervals by patient.",
                ),
            ]
        )
    for leak in audit["leaks"]:
        yield from _cells(leak, figures)
    yield from _nuisances(audit["nuisances"])
    yield from ending(audit)


def _name(leak: Record) -> str:
    text = f"{leak['of']} within {leak['within']}" if leak["within"] else str(leak["of"])
    return "".join(one if one.isalnum() else "_" for one in text)


def _cells(leak: Record, figures: Mapping[str, Any]) -> Iterator[Block]:
    name = _name(leak)
    if f"cells_{name}" not in figures:
        return
    yield Heading(f"Which frequencies tell the {name_of(leak)}")
    row = [
        Picture(
            f"cells_{name}",
            "AUC of each part of the spectrum",
            "Above: each part of the spectrum alone; filled marks are found, open ones are not. "
            "Below: all others without it; the line is all of them.",
        )
    ]
    if f"map_{name}" in figures:
        caption = (
            "The same by direction; in 2D as in a centred spectrum, with bands as rings. Lines of a detector, padding "
            "and interlacing lie along an axis."
        )
        row.append(Picture(f"map_{name}", "AUC by band and direction", caption))
    if f"quiet_{name}" in figures:
        caption = "The same in the quiet parts of the images, where noise and traces of processing are not covered."
        row.append(Picture(f"quiet_{name}", "AUC by band and direction in quiet parts", caption))
    yield Row(row)


def _confounding(audit: Record) -> Iterator[Block]:
    found = audit["confounding"]
    if not found:
        return
    yield Notes(found["said"])
    counts = found["counts"]
    labels = list(dict.fromkeys(one["label"] for one in counts))
    groups = list(dict.fromkeys(one["group"] for one in counts))
    if len(labels) <= _COLUMNS:
        number_of = {(one["group"], one["label"]): str(one["n_cases"]) for one in counts}
        rows = [[group, *(number_of[group, label] for label in labels)] for group in groups]
        yield Table(["images in", *labels], rows)


def _nuisances(nuisances: list[Record]) -> Iterator[Block]:
    if not nuisances:
        return
    yield Heading("How images were made: what else can tell the label")
    if telling := [one["said"] for one in nuisances if one["tells_label"]]:
        yield Notes(telling, warning=True)
    differing = [one for one in nuisances if one["p"] is not None or one["tells_group"]]
    if differing:
        rows = [
            [
                Strong(one["title"]) if one["tells_label"] else one["title"],
                shares(one["share_by_label"]),
                shares(one["share_by_group"]),
                str(one["n_cases"]),
                p_of(one["p"]),
                p_of(one["p_within"]),
                ", ".join(name for name in ("label", "group") if one[f"tells_{name}"]) or "nothing",
            ]
            for one in differing
        ]
        header = ["trace", "by label", "by group", "images", "p of label", "p within groups", "it tells"]
        yield Table(header, rows, texts=3)
    alike = [one["title"] for one in nuisances if one not in differing]
    if alike:
        yield Paragraph(f"Looked for, and the same in all images: {', '.join(alike)}.")
