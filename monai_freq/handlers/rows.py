"""Tables that evaluations write: gathered from all processes, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite import distributed as idist
from torch import distributed

from ..files import replacing
from ..quoting import written

__all__ = ["column_names", "from_all_processes", "write_rows"]


def column_names(classes: Mapping[str, str] | Mapping[int, str]) -> dict[int, str]:
    """Class number -> what the columns of the class are called after.

    Args:
        classes: number -> name.

    Raises:
        ValueError: two classes have one number, or names that make one column; a name cannot be printed.

    Example:
        >>> column_names({"1": "left atrium"})
        {1: 'left_atrium'}
        >>> column_names({"1": "kidney", "2": "kidney"})
        Traceback (most recent call last):
        ValueError: 'classes' has two of the name 'kidney'.
        Give each class its own number and name.
    """
    columns: dict[int, str] = {}
    for number, name in classes.items():
        if int(number) in columns:
            raise ValueError(f"'classes' has two of the number {number}.\nGive each class its own number and name.")
        column = str(name).strip().replace(" ", "_")
        if not column.isprintable():
            raise ValueError(f"'classes' has a name that cannot be printed, {written(name)}.\nGive it another one.")
        if column in columns.values():
            raise ValueError(
                f"'classes' has two of the name {written(name)}.\nGive each class its own number and name."
            )
        columns[int(number)] = column
    return columns


def from_all_processes(rows: list[dict[str, Any]], identity: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of all processes, each once, in the order of what identifies them; a collective call.

    Args:
        rows: rows of this process.
        identity: columns that tell rows apart: a sampler may give one item to two processes.

    Example:
        >>> from_all_processes([{"case": "b"}, {"case": "a"}, {"case": "b"}], ["case"])
        [{'case': 'a'}, {'case': 'b'}]
    """
    gathered: list[Any] = [rows]
    if idist.get_world_size() > 1:
        gathered = [None] * idist.get_world_size()
        distributed.all_gather_object(gathered, rows)
    unique = {tuple(str(row[name]) for name in identity): row for part in gathered for row in part}
    return [unique[key] for key in sorted(unique)]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], number: str = ".6f") -> None:
    """Rows as CSV; the file is whole at any moment.

    Args:
        path: path of the file.
        rows: rows, at least one; the columns are those of the first.
        number: format of what is no integer.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "cases.csv")
        >>> write_rows(file, [{"case": "la_003", "dice": 0.9}])
        >>> file.read_text().split()
        ['case,dice', 'la_003,0.900000']
    """
    with replacing(path) as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({key: f"{cell:{number}}" if isinstance(cell, float) else cell for key, cell in row.items()})
