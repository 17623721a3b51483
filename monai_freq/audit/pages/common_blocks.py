"""Parts that the pages on data and on networks have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Literal

from ...documents import Block, Code, Heading, Notes, Paragraph, Strong, Table, Verdict
from ...documents.texts import ABSENT, counted, listed, plain
from .cell_figures import number
from .data_figures import name_of

__all__ = ["ending", "interval", "leaks_table", "opening", "p_of", "settings_line", "shares"]

Record = Mapping[str, Any]

_TONES: dict[str, Literal["good", "bad", "watched", "open"]] = {
    "no leak found": "good",
    "leak found": "bad",
    "leak and used": "bad",
    "leak between groups": "watched",
    "leak, not seen to be used": "watched",
    "leak, followed in part": "watched",
    "leak, followed against the label": "watched",
}


def opening(title: str, audit: Record) -> Iterator[Block]:
    """Verdict, what else was found, what is unknown, and what was looked at.

    Args:
        title: title of the page.
        audit: an audit, as in ``audit.json``.

    Example:
        >>> data = {"n_cases": 9, "n_patients": None, "labels": {"a": 9}, "groups": None, "sizes": {"8 x 8": 9}}
        >>> data |= {"spacings": {}, "spatial_dims": 2, "left_out": 0}
        >>> audit = {"verdict": "too few cases", "summary": ["Nine are too few."], "unknown": [], "data": data}
        >>> [type(block).__name__ for block in opening("Audit", audit)]
        ['Heading', 'Verdict', 'Paragraph']
    """
    first, *others = audit["summary"] or [""]
    elsewhere = {
        *(audit.get("confounding") or {}).get("said", ()),
        *(one["said"] for one in audit.get("nuisances", ())),
    }
    others = [sentence for sentence in others if sentence not in elsewhere]
    yield Heading(title)
    yield Verdict(audit["verdict"], first, _TONES.get(audit["verdict"], "open"))
    if others:
        yield Notes(others)
    yield Paragraph(_looked_at(audit["data"]))
    if audit["unknown"]:
        yield Heading("What is unknown")
        yield Notes(audit["unknown"], warning=True)


def _looked_at(data: Record) -> str:
    patients = "of an unknown number of patients" if data["n_patients"] is None else f"of {data['n_patients']} patients"
    parts = [f"{data['n_cases']} images in {data['spatial_dims']}D {patients}."]
    for title, field in (("Labels", "labels"), ("Groups", "groups"), ("Sizes", "sizes")):
        if data[field]:
            parts.append(f"{title}: {listed((f'{name} ({n})' for name, n in data[field].items()), most=6)}.")
    if data["left_out"]:
        parts.append(f"{counted(data['left_out'], 'image')} left out.")
    return " ".join(parts)


def ending(audit: Record) -> Iterator[Block]:
    """What to do, the settings, and how the page can mislead.

    Args:
        audit: an audit, as in ``audit.json``.

    Example:
        >>> audit = {"kind": "data", "remedies": [], "settings": {"seed": 0}}
        >>> audit["bands"] = {"edges": [0, 0.5], "unit": "cycles per voxel"}
        >>> [block.text for block in ending(audit) if isinstance(block, Heading)]
        ['How this can mislead', 'Settings']
    """
    if audit["remedies"]:
        yield Heading("What to do")
        for remedy in audit["remedies"]:
            yield Heading(remedy["title"], level=3)
            yield Paragraph(remedy["why"])
            if remedy["code"]:
                yield Code(remedy["code"])
    yield Heading("How this can mislead")
    text = (files(__package__) / f"how_{audit['kind']}_can_mislead.md").read_text(encoding="utf-8")
    yield Notes.of_text(text)
    yield Heading("Settings")
    yield Paragraph(settings_line(audit))


def settings_line(audit: Record) -> str:
    """Settings of an audit in one line.

    Args:
        audit: an audit, as in ``audit.json``.

    Example:
        >>> settings_line({"settings": {"seed": 0}, "bands": {"edges": [0, 0.25, 0.5], "unit": "cycles per voxel"}})
        '2 bands, 0 to 0.5 cycles per voxel; seed 0'
    """
    bands = audit["bands"]
    edges = bands["edges"]
    given = {name.replace("_", " "): value for name, value in audit["settings"].items() if value is not None}
    others = [f"{name} {_text(value)}" for name, value in given.items() if name not in ("n bands", "unit", "edges")]
    return "; ".join([f"{len(edges) - 1} bands, {edges[0]:.3g} to {edges[-1]:.3g} {bands['unit']}", *others])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_text(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def interval(low: Any, high: Any, decimals: int = 2) -> str:
    """Both ends of an interval, and a dash where it is unknown.

    Args:
        low: lower end, or None.
        high: upper end, or None.
        decimals: number of decimals.

    Example:
        >>> interval(0.5, 0.75), interval(None, None)
        ('0.50 to 0.75', '–')
    """
    return ABSENT if low is None or high is None else f"{low:.{decimals}f} to {high:.{decimals}f}"


def p_of(p: Any) -> str:
    """P-value with three decimals, and a dash where it is unknown.

    Args:
        p: p-value, or None.

    Example:
        >>> p_of(0.0123), p_of(0.0001), p_of(None)
        ('0.012', '<0.001', '–')
    """
    value = number(p)
    return ABSENT if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def shares(parts: Record | None) -> str:
    """Shares by name, in percent.

    Args:
        parts: name -> share, or None.

    Example:
        >>> shares({"ill": 0.125, "well": 0}), shares(None)
        ('ill 12%, well 0%', '–')
    """
    known = {name: share for name, share in (parts or {}).items() if share is not None}
    return listed((f"{name} {100 * share:.0f}%" for name, share in known.items()), most=4).replace("; ", ", ") or ABSENT


def leaks_table(leaks: Sequence[Record]) -> Table:
    """A row for each leak that was looked for.

    Args:
        leaks: leaks, as in ``audit.json``.

    Example:
        >>> leak = {"of": "label", "within": None, "auc": 0.8, "low": 0.7, "high": 0.9, "p": 0.001}
        >>> leak |= {"smallest_auc": 0.6, "n_cases": 80, "n_patients": 80, "found": True}
        >>> leaks_table([leak]).rows
        [['label', '0.80', '0.70 to 0.90', '0.001', '0.60', '80', '80', 'found']]
    """
    rows = [
        [
            name_of(leak),
            plain(number(leak["auc"]), 2),
            interval(leak["low"], leak["high"]),
            p_of(leak["p"]),
            plain(number(leak["smallest_auc"]), 2),
            str(leak["n_cases"]),
            str(leak["n_patients"]),
            Strong("found") if leak["found"] else "not found",
        ]
        for leak in leaks
    ]
    header = ["the spectrum tells", "AUC", "95% interval", "p", "smallest AUC found", "images", "patients", "verdict"]
    return Table(header, rows)
