"""A document of a few kinds of blocks, as Markdown and as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Block", "Heading", "Notes", "Paragraph", "Picture", "Strong", "Table", "as_html", "as_markdown"]


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

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 72rem; background: #fff; color: #1b1f24;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid #d5dae0; }
p, ul { max-width: 48rem; }
p { margin: .6rem 0; }
ul { padding-left: 1.2rem; margin: .6rem 0; }
li { margin: .25rem 0; overflow-wrap: anywhere; }
.warning { background: #fff8e6; border-left: 4px solid #e69f00; padding: .6rem 1rem .6rem 2rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; white-space: nowrap; vertical-align: top; }
th { vertical-align: bottom; border-bottom: 1.5px solid #1b1f24; font-weight: 600; white-space: normal; }
.text { text-align: left; }
td.text:last-child { white-space: normal; min-width: 13rem; }
.start td { border-top: 1px solid #d5dae0; }
thead + tbody tr:first-child td { border-top: 0; }
b { font-weight: 700; }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { color: #50575f; font-size: .9rem; max-width: 48rem; margin-top: .4rem; }
@media (max-width: 40rem) { body { font-size: 15px; padding: 1rem .7rem 2rem; } h1 { font-size: 1.35rem; }
  table { font-size: .78rem; } th, td { padding-right: .55rem; }
  figure { overflow-x: auto; } figure img { max-width: none; width: 40rem; } }
@media print { @page { margin: 12mm; } body { font-size: 10pt; max-width: none; padding: 0; }
  .wide { overflow: visible; } table { font-size: 6.8pt; } th, td { padding-right: 1.2mm; }
  td.text:last-child { min-width: 0; }
  h2 { break-after: avoid; } tr, figure, .warning { break-inside: avoid; } thead { display: table-header-group; }
  .warning { border: 1px solid #e69f00; } figure img { max-height: 245mm; } }
""".strip()


def as_markdown(blocks: Sequence[Block], pictures: Mapping[str, str]) -> str:
    """Document as Markdown.

    Args:
        blocks: of the document.
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
        blocks: of the document.
        pictures: name -> SVG file.

    Example:
        >>> page = as_html([Heading("Study"), Paragraph("a < b")], {})
        >>> "<h1>Study</h1>" in page, "<p>a &lt; b</p>" in page
        (True, True)
    """
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    body = "\n".join(_html(block, place == 0, pictures) for place, block in enumerate(blocks))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<title>{html.escape(title)}</title>\n'
        f'<link rel="icon" href="data:,"/>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    )


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
        case Table(header, rows, groups, texts):
            rule = [":---" if _is_text(place, texts, header) else "---:" for place in range(len(header))]
            shown: list[Sequence[str]] = [header, rule, *(row for row, _ in _grouped(rows, groups))]
            return "\n".join(f"| {' | '.join(_markdown_cell(cell) for cell in line)} |" for line in shown)


def _html(block: Block, first: bool, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Heading(text):
            level = "h1" if first else "h2"
            return f"<{level}>{html.escape(text)}</{level}>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Notes(lines, warning):
            items = "\n".join(f"<li>{html.escape(line)}</li>" for line in lines)
            return f"{_tag('ul', 'warning' if warning else '')}\n{items}\n</ul>"
        case Picture(name, description, caption):
            data = base64.b64encode(pictures[name]).decode()
            image = f'<img alt="{html.escape(description)}" src="data:image/svg+xml;base64,{data}"/>'
            return f"<figure>\n{image}\n<figcaption>{html.escape(caption)}</figcaption>\n</figure>"
        case Table():
            return _html_table(block)


def _html_table(table: Table) -> str:
    head = "".join(_html_cell("th", cell, place, table) for place, cell in enumerate(table.header))
    rows = []
    for row, start in _grouped(table.rows, table.groups):
        cells = "".join(_html_cell("td", cell, place, table) for place, cell in enumerate(row))
        rows.append(f"{_tag('tr', 'start' if start and table.groups else '')}{cells}</tr>")
    body = "\n".join(rows)
    return f'<div class="wide">\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>'


def _html_cell(name: str, cell: str, place: int, table: Table) -> str:
    text = f"<b>{html.escape(cell)}</b>" if isinstance(cell, Strong) else html.escape(cell)
    return f"{_tag(name, 'text' if _is_text(place, table.texts, table.header) else '')}{text}</{name}>"


def _tag(name: str, kind: str) -> str:
    return f'<{name} class="{kind}">' if kind else f"<{name}>"


def _markdown_cell(cell: str) -> str:
    text = " ".join(cell.split()).replace("|", "\\|")
    return f"**{text}**" if isinstance(cell, Strong) and text else text


def _is_text(place: int, texts: int, header: Sequence[str]) -> bool:
    """The first columns, and a last one that is a remark."""
    return place < texts or (place == len(header) - 1 and header[place] in ("verdict", "state"))


def _grouped(rows: Sequence[Sequence[str]], groups: int) -> Iterator[tuple[list[str], bool]]:
    """Rows without what the row above says already, and whether the row starts a group."""
    above: Sequence[str] = ()
    for row in rows:
        same = 0
        while same < groups and list(row[: same + 1]) == list(above[: same + 1]):
            same += 1
        yield [*([""] * same), *row[same:]], same < groups
        above = row
