"""Figures of the benchmarks, the targets that are promised of them, and how both are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Clocks", "Figure", "Target", "TargetsTable", "as_cell", "bound_of", "reached", "table"]


@dataclass(frozen=True, order=True)
class Clocks:
    """Seconds, milliseconds or a ratio by both clocks.

    Args:
        wall: time that passes.
        cpu: time that processors work, in all threads and in the child processes that have ended.
    """

    wall: float
    cpu: float

    def __mul__(self, factor: float) -> Clocks:
        return Clocks(self.wall * factor, self.cpu * factor)

    def __truediv__(self, divisor: float) -> Clocks:
        return Clocks(self.wall / divisor, self.cpu / divisor)


Figure = Clocks | float
#: Name of a target, measurement, bound, and whether it is a lower bound (True) or an upper one (False).
Target = tuple[str, Figure, float, bool]


@dataclass(frozen=True)
class TargetsTable:
    """Targets beside the measurements on one kind of machine."""

    targets: Sequence[Target]
    kind: str

    def __str__(self) -> str:
        rows = [
            [name, bound_of(bound, at_least), figure, _verdict(figure, bound, at_least)]
            for name, figure, bound, at_least in self.targets
        ]
        return table(["target", "bound", self.kind, "reached"], rows)


def reached(figure: Figure, bound: float, at_least: bool) -> bool | None:
    """Whether a measurement reaches its target, by the wall clock; None if there is none."""
    wall = figure.wall if isinstance(figure, Clocks) else figure
    return None if wall != wall else wall >= bound if at_least else wall <= bound


def bound_of(bound: float, at_least: bool) -> str:
    """A bound as it is shown."""
    return f"{'≥' if at_least else '≤'} {bound:g}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(as_cell(cell) for cell in line)} |" for line in lines)


def as_cell(cell: object) -> str:
    """Cell of a table: three significant digits, NaN as a dash, CPU time in brackets after wall time."""
    if isinstance(cell, Clocks):
        return f"{as_cell(cell.wall)} ({as_cell(cell.cpu)})" if cell.wall == cell.wall else "-"
    if not isinstance(cell, float):
        return str(cell)
    if cell != cell:
        return "-"
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"


def _verdict(figure: Figure, bound: float, at_least: bool) -> str:
    words = {None: "not measured", True: "yes", False: "**no**"}
    wall = reached(figure, bound, at_least)
    cpu = reached(figure.cpu, bound, at_least) if isinstance(figure, Clocks) else None
    return words[wall] if cpu in (None, wall) else f"{words[wall]} (CPU time: {words[cpu]})"
