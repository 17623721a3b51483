"""README's table of speed: ranges over the kinds of machine in ``benchmarks/results``.

``python benchmarks/readme.py`` writes it into README.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from results import Sections, read
from targets import as_cell, table

__all__ = ["speed_table"]

_PAGE = Path(__file__).parents[1] / "README.md"
_START = "measured on one CPU thread, a ratio within one run"
_TABLE = rf"\| {_START}.*(?:\n\|.*)+"
_SLICE, _CUBE = "1 x 320 x 320, 5/11", "1 x 96 x 96 x 96, 3/7"


class Row(NamedTuple):
    """A row of README's table: what it says, and the targets of a section whose figures it gives."""

    says: str
    section: str
    targets: Sequence[str]
    shown: Callable[[float], str] = as_cell


_ROWS = (
    Row(
        "a split into bands of 1x320x320x128, 8x160x160x128: times faster than one complex FFT and two inverse ones",
        "Bands",
        [
            f"split {shape}: times faster than complex FFT"
            for shape in ("(1, 1, 320, 320, 128)", "(1, 8, 160, 160, 128)")
        ],
    ),
    Row(
        "a training step of `heart_fd`, early and late, in units of `none`",
        "Bands",
        ["heart_fd training step: early / none", "heart_fd training step: late / none"],
    ),
    Row(
        "`PSDHandler`: share of a 40-epoch run of `heart_fd` that is logged twice",
        "PSDHandler",
        ["`PSDHandler`: share of a `heart_fd` run"],
        "{:.1%}".format,
    ),
    Row(
        "photon noise of a 362x362 slice, 1000 angles: times faster than scikit-image, ODL, ASTRA on the CPU",
        "Photon noise",
        [f"`PhotonNoise`, exact: times faster than {peer}" for peer in ("scikit-image", "ODL", "ASTRA")],
    ),
    Row(
        "non-local means of 320x320, 96x96x96: times faster than scikit-image's fast mode",
        "Non-local means",
        [f"{case}: times faster than scikit-image's fast mode" for case in (_SLICE, _CUBE)],
    ),
    Row(
        "non-local means of 96x96x96: times faster than dipy's classic mode",
        "Non-local means",
        [f"{_CUBE}: times faster than dipy's classic"],
    ),
)


def main() -> None:
    """Write the table into README.md."""
    text = _PAGE.read_text(encoding="utf-8")
    _PAGE.write_text(re.sub(_TABLE, lambda _: speed_table(read()), text), encoding="utf-8")


def speed_table(found: Mapping[str, Sections]) -> str:
    """Markdown table with the lowest and the highest figure of all kinds; a dash where none was measured."""
    rows = [[row.says, ", ".join(_range(found, row, name) for name in row.targets)] for row in _ROWS]
    kinds = [kind for kind, sections in found.items() if any(row.section in sections for row in _ROWS)]
    return table([f"{_START}; ranges over {'; '.join(kinds)}", ""], rows)


def _range(found: Mapping[str, Sections], row: Row, name: str) -> str:
    measured = [
        target["wall"]
        for sections in found.values()
        for target in sections.get(row.section, {}).get("targets", [])
        if target["target"] == name and "wall" in target
    ]
    ends = [min(measured), max(measured)] if measured else []
    return " to ".join(dict.fromkeys(map(row.shown, ends))) or "-"


if __name__ == "__main__":
    main()
