"""The last section of each report, from a text beside this module."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from ...documents import Block, Heading, Notes

__all__ = ["how_to_read"]


def how_to_read(report: str, **values: object) -> Iterator[Block]:
    """Last section of a report: what its figures mean.

    Args:
        report: name of the report; its text is in ``how_to_read_<report>.md``.
        values: values for the fields of the text.

    Example:
        >>> heading, notes = how_to_read("transfer", learned=0.75, as_accurate=0.05, points=5)
        >>> heading.text, notes.lines[0][:50]
        ('How to read this', 'p is the fraction of positive training and validat')
    """
    text = (files(__package__) / f"how_to_read_{report}.md").read_text(encoding="utf-8").format(**values)
    yield Heading("How to read this")
    yield Notes.of_text(text)
