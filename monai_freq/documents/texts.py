"""Numbers, lists and rows as text, alike in all reports."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

__all__ = ["ABSENT", "as_csv", "counted", "listed", "p_value", "plain", "signed"]

#: stands where there is no value
ABSENT = "–"


def plain(value: float, decimals: int = 3) -> str:
    """Number, and a dash for none.

    Args:
        value: number to show.
        decimals: number of decimals.

    Example:
        >>> plain(0.25), plain(math.nan)
        ('0.250', '–')
    """
    return ABSENT if math.isnan(value) else f"{value:.{decimals}f}"


def signed(value: float, decimals: int = 2) -> str:
    """Number with its sign, and a dash for none.

    Args:
        value: number to show.
        decimals: number of decimals.

    Example:
        >>> signed(1.5), signed(-1.5), signed(math.nan)
        ('+1.50', '−1.50', '–')
    """
    return ABSENT if math.isnan(value) else f"{value:+.{decimals}f}".replace("-", "−")


def p_value(p: float) -> str:
    """P-value with three decimals, and a dash for none.

    Args:
        p: p-value to show.

    Example:
        >>> p_value(0.0004), p_value(0.04), p_value(math.nan)
        ('<0.001', '0.040', '–')
    """
    return "<0.001" if p < 0.001 else plain(p)


def counted(number: int, noun: str) -> str:
    """Number of things.

    Args:
        number: number of things.
        noun: noun for one of them.

    Example:
        >>> counted(1, "run"), counted(2, "run")
        ('1 run', '2 runs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(texts: Iterable[str], most: int = 8) -> str:
    """The first few, and how many more.

    Args:
        texts: texts to list.
        most: highest number of texts that are named.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a; b and 1 more'
    """
    found = list(texts)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + rest


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Lines of a CSV file, with nine digits of each float and nothing for NaN.

    Args:
        header: names of the columns.
        rows: lines of the table.

    Example:
        >>> as_csv(["task", "n", "p"], [["heart, left", 4, 1 / 3], ["spleen", 4, math.nan]])
        'task,n,p\n"heart, left",4,0.333333333\nspleen,4,\n'
    """
    buffer = io.StringIO()
    lines = ([f"{one:.9g}".replace("nan", "") if isinstance(one, float) else one for one in row] for row in rows)
    csv.writer(buffer, lineterminator="\n").writerows([header, *lines])
    return buffer.getvalue()
