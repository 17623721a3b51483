"""Documents for readers: blocks, one HTML page with its pictures inside, and Markdown."""

from .blocks import Block, Code, Heading, Notes, Paragraph, Picture, Row, Strong, Table, Verdict
from .document import as_html, as_markdown, write_document

__all__ = [
    "Block",
    "Code",
    "Heading",
    "Notes",
    "Paragraph",
    "Picture",
    "Row",
    "Strong",
    "Table",
    "Verdict",
    "as_html",
    "as_markdown",
    "write_document",
]
