"""A document of a few kinds of blocks, as Markdown and as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from ...figures import as_bytes
from ...files import write_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Block",
    "Heading",
    "Notes",
    "Paragraph",
    "Picture",
    "Strong",
    "Table",
    "as_html",
    "as_markdown",
    "how_to_read",
    "write_document",
]


class Strong(str):
    """Text of a table that stands out.

    Example:
        >>> print(as_markdown([Table(["arm", "p"], [["early", Strong(".003")]])], {}), end="")
        | arm | p |
        | :--- | ---: |
        | early | **.003** |
    """

    __slots__ = ()


@dataclass(frozen=True)
class Heading:
    """Title of a section; the first one is that of the document.

    Example:
        >>> as_markdown([Heading("Study")], {})
        '# Study\\n'
    """

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A few sentences.

    Example:
        >>> as_markdown([Paragraph("Four runs.")], {})
        'Four runs.\\n'
    """

    text: str


@dataclass(frozen=True)
class Notes:
    """A list; a warning is set in a box.

    Example:
        >>> as_markdown([Notes(["One run failed."])], {})
        '- One run failed.\\n'
    """

    lines: Sequence[str]
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text; the first ``groups`` columns are shown only where they change, the first ``texts`` are words.

    Example:
        >>> rows = [["heart", "none", "88"], ["heart", "early", "90"]]
        >>> print(as_markdown([Table(["task", "arm", "Dice"], rows, groups=1, texts=2)], {}), end="")
        | task | arm | Dice |
        | :--- | :--- | ---: |
        | heart | none | 88 |
        |  | early | 90 |
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: int = 0
    texts: int = 1

    def is_text(self, place: int) -> bool:
        """Whether a column is of words: the first ones, and a last one that is a remark."""
        last = place == len(self.header) - 1 and self.header[place] in ("verdict", "state")
        return place < self.texts or last

    def grouped(self) -> Iterator[tuple[list[str], bool]]:
        """Rows without what the row above says already, and whether the row starts a group."""
        above: list[str] = []
        for row in map(list, self.rows):
            same = 0
            while same < self.groups and row[: same + 1] == above[: same + 1]:
                same += 1
            yield [*([""] * same), *row[same:]], same < self.groups
            above = row


@dataclass(frozen=True)
class Picture:
    """A picture beside the document, by its name, with its description and its caption.

    Example:
        >>> picture = Picture("dice.png", "Dice against size", "Mean over draws.")
        >>> as_markdown([picture], {"dice.png": "figures/dice.png"})
        '![Dice against size](figures/dice.png)\\n\\nMean over draws.\\n'
    """

    name: str
    description: str
    caption: str


Block = Heading | Paragraph | Notes | Table | Picture


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
    yield Notes([" ".join(note.split()) for note in re.split(r"^- ", text, flags=re.MULTILINE)[1:]])


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
        case Heading(text):
            return f"{'#' if first else '##'} {text}"
        case Paragraph(text):
            return text
        case Notes(lines):
            return "\n".join(f"- {line}" for line in lines)
        case Picture(name, description, caption):
            return f"![{description}]({pictures[name]})\n\n{caption}"
        case Table(header, _, _, _):
            rule = [":---" if block.is_text(place) else "---:" for place in range(len(header))]
            shown = [header, rule, *(row for row, _ in block.grouped())]
            return "\n".join(f"| {' | '.join(_markdown_cell(cell) for cell in line)} |" for line in shown)


def _markdown_cell(cell: str) -> str:
    text = " ".join(cell.split()).replace("|", "\\|")
    return f"**{text}**" if isinstance(cell, Strong) and text else text
