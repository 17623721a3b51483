"""A document of a few kinds of blocks, as Markdown and as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from ..figures import as_bytes
from ..files import write_files
from .blocks import Block, Code, Heading, Notes, Paragraph, Picture, Row, Strong, Table, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["as_html", "as_markdown", "write_document"]


def as_markdown(blocks: Sequence[Block], pictures: Mapping[str, str]) -> str:
    """Document as Markdown.

    Args:
        blocks: parts of the document.
        pictures: name -> path from the document to it.

    Example:
        >>> print(as_markdown([Heading("Study"), Table(["task", "n"], [["heart", Strong("4")]])], {}))
        # Study
        <BLANKLINE>
        | task | n |
        | :--- | ---: |
        | heart | **4** |
        <BLANKLINE>
    """
    return "\n\n".join(_markdown(block, place == 0, pictures) for place, block in enumerate(blocks)) + "\n"


def as_html(blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> str:
    """Document as one HTML page with its style and its pictures inside.

    Args:
        blocks: parts of the document.
        pictures: name -> SVG file, or PNG file.

    Example:
        >>> page = as_html([Heading("Study"), Paragraph("a < b")], {})
        >>> "<h1>Study</h1>" in page, "<p>a &lt; b</p>" in page
        (True, True)
    """
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    return _template().render(title=title, blocks=blocks, images={name: _data(one) for name, one in pictures.items()})


def write_document(
    folder: str | os.PathLike[str], blocks: Sequence[Block], figures: Mapping[str, Figure], tables: Mapping[str, str]
) -> list[Path]:
    """Write ``report.html``, the same as ``report.md``, tables for computing as CSV, and figures as PNG and SVG.

    Args:
        folder: folder of the document.
        blocks: parts of the document.
        figures: name -> figure; a picture of the document has its name.
        tables: name -> content of the CSV file.

    Returns:
        The files, ``report.html`` first.

    Example:
        >>> import tempfile
        >>> [path.name for path in write_document(tempfile.mkdtemp(), [Heading("Study")], {}, {"scores": "n"})]
        ['report.html', 'report.md', 'scores.csv']
    """
    drawn = {f"{name}.{kind}": as_bytes(figure, kind) for name, figure in figures.items() for kind in ("png", "svg")}
    texts = {
        "report.html": as_html(blocks, {name: drawn[f"{name}.svg"] for name in figures}),
        "report.md": as_markdown(blocks, {name: f"{name}.png" for name in figures}),
        **{f"{name}.csv": table for name, table in tables.items()},
    }
    return write_files(Path(folder), {name: text.encode() for name, text in texts.items()} | drawn)


@cache
def _template() -> jinja2.Template:
    """The page of all reports."""
    page = jinja2.Environment(autoescape=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    page.tests["strong"] = lambda text: isinstance(text, Strong)
    page.tests["block"] = lambda block, kind: type(block).__name__ == kind
    return page.from_string((files(__package__) / "page.html").read_text(encoding="utf-8"))


def _data(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _markdown(block: Block, first: bool, pictures: Mapping[str, str]) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * (1 if first else level)} {text}"
        case Paragraph(text):
            return text
        case Notes(lines):
            return "\n".join(f"- {line}" for line in lines)
        case Picture(name, description, caption):
            return f"![{description}]({pictures[name]})\n\n{caption}"
        case Row(row):
            return "\n\n".join(_markdown(picture, False, pictures) for picture in row)
        case Code(text, language):
            return f"```{language}\n{text.rstrip()}\n```"
        case Verdict(_, sentence, _):
            return f"**{block.title}.** {sentence}"
        case Table(header, _, _, _):
            rule = [":---" if block.is_text(place) else "---:" for place in range(len(header))]
            shown = [header, rule, *(row for row, _ in block.grouped())]
            return "\n".join(f"| {' | '.join(_markdown_cell(cell) for cell in line)} |" for line in shown)


def _markdown_cell(cell: str) -> str:
    text = " ".join(cell.split()).replace("|", "\\|")
    return f"**{text}**" if isinstance(cell, Strong) and text else text
