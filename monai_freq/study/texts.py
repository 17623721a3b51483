"""Numbers, lists and rows as text, alike in all reports."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

__all__ = ["ABSENT", "as_csv", "counted", "exact", "listed", "plain", "signed"]

#: stands where there is no value
ABSENT = "–"


def plain(value: float, decimals: int = 3) -> str:
    """Number, and a dash for none.

    Args:
        value: to show.
        decimals: after the point.

    Example:
        >>> plain(0.25), plain(math.nan)
        ('0.250', '–')
    """
    return ABSENT if math.isnan(value) else f"{value:.{decimals}f}"


def signed(value: float, decimals: int = 2) -> str:
    """Number with its sign, and a dash for none.

    Args:
        value: to show.
        decimals: after the point.

    Example:
        >>> signed(1.5), signed(-1.5), signed(math.nan)
        ('+1.50', '−1.50', '–')
    """
    return ABSENT if math.isnan(value) else f"{value:+.{decimals}f}".replace("-", "−")


def exact(value: float) -> str:
    """Number for computing, and nothing for none.

    Args:
        value: to write.

    Example:
        >>> exact(1 / 3), exact(math.nan)
        ('0.333333333', '')
    """
    return "" if math.isnan(value) else f"{value:.9g}"


def counted(number: int, noun: str) -> str:
    """Number of things.

    Args:
        number: of them.
        noun: for one of them.

    Example:
        >>> counted(1, "run"), counted(2, "run")
        ('1 run', '2 runs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(texts: Iterable[str], most: int = 8) -> str:
    """The first few, and how many more.

    Args:
        texts: to list.
        most: that are named.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a; b and 1 more'
    """
    found = list(texts)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + rest


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    r"""Lines of a CSV file.

    Args:
        rows: header and lines.

    Example:
        >>> as_csv([["task", "n"], ["heart, left", 4]])
        'task,n\n"heart, left",4\n'
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
