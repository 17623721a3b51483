"""Kinds of blocks that a document has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Block", "Code", "Heading", "Notes", "Paragraph", "Picture", "Row", "Strong", "Table", "Verdict"]


class Strong(str):
    """Text of a table that stands out.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> print(as_markdown([Table(["arm", "p"], [["early", Strong(".003")]])], {}), end="")
        | arm | p |
        | :--- | ---: |
        | early | **.003** |
    """

    __slots__ = ()


@dataclass(frozen=True)
class Heading:
    """Title of a section, of level 2, or of a part of it, of level 3; the first one is that of the document.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> as_markdown([Heading("Study")], {})
        '# Study\\n'
    """

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A few sentences.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> as_markdown([Paragraph("Four runs.")], {})
        'Four runs.\\n'
    """

    text: str


@dataclass(frozen=True)
class Notes:
    """A list; a warning is set in a box.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> as_markdown([Notes(["One run failed."])], {})
        '- One run failed.\\n'
    """

    lines: Sequence[str]
    warning: bool = False

    @classmethod
    def of_text(cls, text: str) -> Notes:
        """List of the items of a Markdown list.

        Args:
            text: list in Markdown, each item after a hyphen and a space.

        Example:
            >>> Notes.of_text("- One\\n  run.\\n- Two.").lines
            ['One run.', 'Two.']
        """
        return cls([" ".join(item.split()) for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]])


@dataclass(frozen=True)
class Table:
    """Rows of text; the first ``groups`` columns are shown only where they change, the first ``texts`` are words.

    Example:
        >>> from monai_freq.documents import as_markdown
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
        last = place == len(self.header) - 1 and self.header[place] in ("verdict", "state", "bands", "remark")
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
        >>> from monai_freq.documents import as_markdown
        >>> picture = Picture("dice.png", "Dice against size", "Mean over draws.")
        >>> as_markdown([picture], {"dice.png": "figures/dice.png"})
        '![Dice against size](figures/dice.png)\\n\\nMean over draws.\\n'
    """

    name: str
    description: str
    caption: str


@dataclass(frozen=True)
class Row:
    """Pictures side by side, and one below the other where the page is narrow.

    Args:
        pictures: pictures, each to be read at a width of 8 cm.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> row = Row([Picture("a.png", "A", "Before."), Picture("b.png", "B", "After.")])
        >>> as_markdown([row], {"a.png": "a.png", "b.png": "b.png"})
        '![A](a.png)\\n\\nBefore.\\n\\n![B](b.png)\\n\\nAfter.\\n'
    """

    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Code:
    """Code to copy.

    Args:
        text: the code.
        language: language of the code.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> as_markdown([Code("x = 1")], {})
        '```python\\nx = 1\\n```\\n'
    """

    text: str
    language: str = "python"


@dataclass(frozen=True)
class Verdict:
    """What a document concludes, in a coloured box.

    Args:
        text: conclusion in a few words.
        sentence: the same in one plain sentence.
        tone: whether it is ``"good"``, ``"bad"``, to be ``"watched"`` or ``"open"``.

    Example:
        >>> from monai_freq.documents import as_markdown
        >>> as_markdown([Verdict("no leak found", "The spectrum does not tell the label.", "good")], {})
        '**No leak found.** The spectrum does not tell the label.\\n'
    """

    text: str
    sentence: str
    tone: Literal["good", "bad", "watched", "open"]

    @property
    def title(self) -> str:
        """The conclusion as a sentence without its full stop."""
        return self.text[:1].upper() + self.text[1:]


Block = Heading | Paragraph | Notes | Table | Picture | Row | Code | Verdict
