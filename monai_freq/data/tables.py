"""CSV files read by the names in their header, so that a faulty cell is named with its file and line."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from ..errors import DataError
from ..quoting import named, shown
from .refusals import refusing

__all__ = ["Row", "plain_name", "read_rows"]

LONGEST = 500  # characters of a name or a path


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        file: the table.
        line: number of the line, counted from 1 with the header.
        cells: column name -> text, blanks at both ends removed.

    Example:
        >>> Row(Path("metadata.csv"), 2, {"aclDiagnosis": "3"}).integer("aclDiagnosis", 0, 2)
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: 'aclDiagnosis' in line 2 of metadata.csv must be an integer in [0, 2], got '3'.
        Correct the table.
    """

    file: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Fetch a text that is not empty, and no longer than a path."""
        if not self.cells[column]:
            raise self.fault(column, "must not be empty")
        if len(self.cells[column]) > LONGEST:  # messages and folds repeat it
            raise self.fault(column, f"must have at most {LONGEST} characters")
        return self.cells[column]

    def integer(self, column: str, low: int, high: int | None = None) -> int:
        """Fetch an integer from ``low`` to ``high`` (or more than ``low``)."""
        text = self.cells[column]
        # int() would take "1_0" and digits of any script.
        value = int(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20 else low - 1
        if value < low or (high is not None and value > high):
            raise self.fault(
                column, f"must be an integer in [{low}, {high}]" if high is not None else f"must be >= {low}"
            )
        return value

    def number(self, column: str, low: float, high: float) -> float:
        """Fetch a number from ``low`` to ``high``."""
        try:
            value = float(self.cells[column])
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise self.fault(column, f"must be a number in [{low:g}, {high:g}]")
        return value

    def path(self, column: str, root: Path) -> str:
        """Fetch a path relative to ``root``, made absolute; it must stay inside."""
        entry = self.text(column).replace("\\", "/")
        # Lexical on purpose: files may be symbolic links that the user has placed, but the table must not climb out.
        path = os.path.normpath(root / entry)
        if "\0" in entry or not Path(path).is_relative_to(root) or Path(path) == root:
            raise self.fault(column, f"must be a path that stays inside {root}")
        return path

    def fault(self, column: str, wanted: str, remedy: str = "Correct the table.") -> DataError:
        """Make the error that says what a cell must be and what it is."""
        got = repr(self.cells[column])
        got = got if len(got) <= 60 else f"{got[:57]}..."
        return DataError(f"{column!r} in line {self.line} of {named(self.file)} {wanted}, got {got}.\n{remedy}")


def plain_name(name: str) -> str:
    """What names that people write by hand are told apart by: no blanks or byte order mark around them, and no case.

    Args:
        name: name of a column, or a key.

    Example:
        >>> plain_name("\\ufeff aclDiagnosis ")
        'acldiagnosis'
    """
    return _bare(name).casefold()


def _bare(name: str) -> str:
    return re.sub(r"^[\s\ufeff]+|[\s\ufeff]+$", "", name)


def read_rows(file: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    r"""Read a CSV file in UTF-8 line by line; columns may stand in any order, among others.

    Args:
        file: the table. Its first line holds the names of the columns.
        columns: columns that it must have, once each. Of others, those that occur once are read as well. By default
            all that there are, once each; only then, names may differ in case alone.

    Raises:
        DataError: the file is missing, no text, or lacks a column or has one twice; a line has fewer or more cells than
            the header.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "metadata.csv")
        >>> _ = file.write_text("examId,aclDiagnosis\n329637,0\n390116,2\n")
        >>> [row.integer("aclDiagnosis", 0, 2) for row in read_rows(file, ["examId", "aclDiagnosis"])]
        [0, 2]
    """
    wanted = f"It must have the columns {', '.join(columns)}." if columns else "Correct the path, or copy it again."
    if not file.is_file():
        raise DataError(f"The table {named(file)} is missing.\n{wanted}")
    refused = refusing(file, "Export it again as CSV in UTF-8.", OSError, UnicodeDecodeError, csv.Error)
    with refused, file.open(encoding="utf-8-sig", newline="") as stream:
        yield from _rows(file, csv.reader(stream, skipinitialspace=True, strict=True), columns, wanted)


def _rows(file: Path, lines: Iterator[list[str]], columns: Sequence[str] | None, wanted: str) -> Iterator[Row]:
    header = [_bare(name) for name in next(lines, [])]
    same: Callable[[str], str] = str if columns is None else plain_name
    columns = header if columns is None else columns
    missing = [name for name in columns if name not in header]
    if missing:
        found = ", ".join(shown(name) for name in header[:12]) if any(header) else "none"
        raise DataError(f"The table {named(file)} has no column {missing[0]!r} (found: {found[:200]}).\n{wanted}")
    alike = [same(name) for name in header]
    for name in columns:
        if (count := alike.count(same(name))) > 1:
            raise DataError(
                f"The table {named(file)} has {count} columns {name!r}.\nDelete or rename what is not meant."
            )
    once = [alike.count(name) == 1 for name in alike]  # of other columns that occur twice, none can be asked for
    for cells in lines:
        if len(cells) == len(header):
            kept = compress(zip(header, map(str.strip, cells), strict=True), once)
            yield Row(file, lines.line_num, dict(kept))  # type: ignore[attr-defined]
        elif any(cells):
            number = lines.line_num  # type: ignore[attr-defined]
            raise DataError(
                f"Line {number} of {named(file)} has {len(cells)} cells, its header {len(header)}.\n"
                "Correct or copy it again."
            )
