"""Tables of an audit for computing, as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...documents.texts import as_csv

__all__ = ["csv_tables"]

Record = Mapping[str, Any]


def csv_tables(audit: Record) -> dict[str, str]:
    r"""Content of the CSV file of each table, by its name. Lists and names in a cell are joined.

    Args:
        audit: an audit, as in ``audit.json``.

    Example:
        >>> experiments = [{"kind": "remove", "cell": "0 to 0.5", "drop": 0.25, "by_class": {"ill": 0.5, "well": 0.75}}]
        >>> csv_tables({"kind": "model", "reliance": {"metric": "AUC", "experiments": experiments}})
        {'reliance': 'metric,kind,cell,drop,by_class\nAUC,remove,0 to 0.5,0.25,ill=0.5 well=0.75\n'}
    """
    tables = {name: list(rows) for name, rows in _tables(audit)}
    return {name: _csv(rows) for name, rows in tables.items() if rows}


def _tables(audit: Record) -> Iterator[tuple[str, Iterator[Record] | list[Record]]]:
    leaks = audit.get("leaks") or []
    yield "leaks", [{name: value for name, value in leak.items() if name != "cells"} for leak in leaks]
    yield "cells", [{"of": leak["of"], "within": leak["within"], **cell} for leak in leaks for cell in leak["cells"]]
    yield "spectra", _points(audit.get("spectra") or [])
    yield "nuisances", audit.get("nuisances") or []
    reliance, sensitivity = audit.get("reliance") or {}, audit.get("sensitivity") or {}
    yield "reliance", [{"metric": reliance["metric"], **one} for one in reliance.get("experiments", [])]
    yield "sensitivity", [{"metric": sensitivity["metric"], **one} for one in sensitivity.get("experiments", [])]
    yield "priority", _points([audit["priority"]] if audit.get("priority") else [])
    found = audit.get("counterfactual") or {}
    parts = [(part, found[part]) for part in ("leaking", "control") if found.get(part)]
    yield "counterfactual", [{"bands": part, "donors": found["donors"], **one} for part, one in parts]


def _points(curves: Sequence[Record]) -> Iterator[Record]:
    """A row for each frequency of each curve."""
    for curve in curves:
        along = {name for name, value in curve.items() if isinstance(value, list)}
        for place in range(len(curve["frequencies"])):
            yield {name: value[place] if name in along else value for name, value in curve.items()}


def _csv(rows: Sequence[Record]) -> str:
    header = list(dict.fromkeys(name for row in rows for name in row))
    return as_csv(header, ([_cell(row.get(name)) for name in header] for row in rows))


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping) and "name" in value:
        return f"{value['name']}={_cell(value.get('value'))}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_cell(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(str(_cell(one)) for one in value)
    return "" if value is None else value
