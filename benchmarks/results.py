"""What was measured on each kind of machine: a JSON file each, and RESULTS.md, which is rendered from all of them.

``python benchmarks/results.py`` prints all targets for the kind of this machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import machines
from targets import Clocks, Figure, Target, TargetsTable, as_cell, bound_of, reached, table

__all__ = ["Section", "Sections", "read", "record", "render", "section", "summary"]

_FOLDER = Path(__file__).with_name("results")
_PAGE = Path(__file__).with_name("RESULTS.md")
_START = """# Benchmarks

Written by `make bench`: each script of this folder measures one section. Every kind of machine that was seen has a
column in the tables of targets, and its details below them; a run replaces those of its own kind alone. The data are in
`benchmarks/results`, a file for each kind.

The contenders take turns within each round. A time or a ratio is that of the wall clock; in brackets is that of the CPU
time of all threads and child processes, taken since 2026-11-30. A target in **bold** is missed, a dash stands for what
was not measured."""

#: ``measured`` (a line about the run), ``date``, ``commit``, ``targets`` and ``details`` (lines) of one benchmark.
Section = dict[str, Any]
Sections = dict[str, Section]


def main() -> None:
    """Print all targets for the kind of this machine."""
    found, kind = read(), machines.kind()
    print(summary(kind, found.get(kind, {})))


def section(measured: str, commit: str, targets: Iterable[Target], details: Iterable[str]) -> Section:
    """A benchmark's section as it is kept."""
    stamp = {"date": date.today().isoformat(), "commit": commit}
    rows = [_as_data(target) | stamp for target in targets]
    return {"measured": measured, **stamp, "targets": rows, "details": "\n\n".join(details).splitlines()}


def read(folder: Path = _FOLDER) -> dict[str, Sections]:
    """Sections by kind of machine, then by title."""
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return {each["kind"]: each["sections"] for each in files}


def record(kind: str, title: str, new: Section, folder: Path = _FOLDER, page: Path = _PAGE) -> None:
    """Replace a section of one kind of machine, and render the page anew.

    A target that was not measured this time, for want of an earlier build or of a peer, keeps its last figure.
    """
    sections = read(folder).get(kind, {})
    before = {_identity(row): row for row in sections.get(title, {}).get("targets", [])}
    targets = [row if "wall" in row else before.get(_identity(row), row) for row in new["targets"]]
    sections[title] = new | {"targets": targets}
    folder.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "_", kind).strip("_").lower()
    _write(folder / f"{name}.json", json.dumps({"kind": kind, "sections": sections}, indent=1, ensure_ascii=False))
    _write(page, render(read(folder)))


def render(found: Mapping[str, Sections]) -> str:
    """The page of all kinds."""
    parts = [_START]
    for title in dict.fromkeys(title for sections in found.values() for title in sections):
        of_title = {kind: sections[title] for kind, sections in found.items() if title in sections}
        parts += [f"## {title}", *_targets_by_kind(of_title)]
        for kind, one in of_title.items():
            details = "\n".join(re.sub("^###", "####", line) for line in one["details"])
            parts += [f"### {title}: {kind}", one["measured"], details]
    return "\n\n".join(parts)


def summary(kind: str, sections: Sections) -> str:
    """All targets of one kind, and how many are reached."""
    rows = [(title, row) for title, one in sections.items() for row in one["targets"]]
    targets: list[Target] = [
        (f"{title}: {row['target']}", _figure(row), row["bound"], row["at_least"]) for title, row in rows
    ]
    verdicts = [reached(*target[1:]) for target in targets]
    said = f"{verdicts.count(True)} reached, {verdicts.count(False)} missed, {verdicts.count(None)} not measured"
    return f"## All targets on {kind}: {said}\n\n{TargetsTable(targets, kind)}"


def _targets_by_kind(sections: Mapping[str, Section]) -> list[str]:
    """Table of the targets with a column for each kind; order and bounds are those of the newest run."""
    rows: dict[tuple[str, bool], dict[str, Any]] = {}
    for one in sorted(sections.values(), key=lambda each: each["date"], reverse=True):
        for row in one["targets"]:
            rows.setdefault(_identity(row), row)
    measured = [{_identity(row): row for row in one["targets"]} for one in sections.values()]
    days = [one["date"] for one in sections.values()]
    body = [
        [row["target"], bound_of(row["bound"], row["at_least"])]
        + [_cell(own.get(identity, {}), row, day) for own, day in zip(measured, days, strict=True)]
        for identity, row in rows.items()
    ]
    return [table(["target", "bound", *sections], body)] if body else []


def _cell(own: Mapping[str, Any], row: Mapping[str, Any], day: str) -> str:
    """Figure of one kind, with its day if it is older than the rest of its section."""
    if "wall" not in own:
        return "-"
    figure = _figure(own)
    shown = as_cell(figure) + ("" if own["date"] == day else f", {own['date']}")
    return shown if reached(figure, row["bound"], row["at_least"]) else f"**{shown}**"


def _as_data(target: Target) -> dict[str, Any]:
    name, figure, bound, at_least = target
    clocks = {"wall": figure.wall, "cpu": figure.cpu} if isinstance(figure, Clocks) else {"wall": figure}
    measured = {clock: float(value) for clock, value in clocks.items() if value == value}
    return {"target": name, "bound": bound, "at_least": at_least, **measured}


def _figure(row: Mapping[str, Any]) -> Figure:
    wall = float(row.get("wall", "nan"))
    return Clocks(wall, row["cpu"]) if "cpu" in row else wall


def _identity(row: Mapping[str, Any]) -> tuple[str, bool]:
    return row["target"], row["at_least"]


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(text.rstrip() + "\n", encoding="utf-8")
    aside.replace(path)


if __name__ == "__main__":
    main()
