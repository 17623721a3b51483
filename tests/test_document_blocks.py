"""Blocks of documents, as HTML and as Markdown."""

import re

import pytest

from monai_freq.documents import Code, Heading, Notes, Paragraph, Picture, Row, Verdict, as_html, as_markdown

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def test_code_is_shown_as_it_is_written():
    text = "x = [\n    a < b,\n]\n"
    assert as_markdown([Code(text)], {}) == f"```python\n{text}```\n"
    assert "<pre><code>x = [\n    a &lt; b,\n]</code></pre>" in as_html([Code(text)], {})


def test_a_verdict_has_the_colour_of_its_tone():
    block = Verdict("leak found", "The spectrum tells <i>.", "bad")
    page = as_html([Heading("Audit"), block], {})
    shown = re.search(r'<div class="verdict bad"[^>]*><strong>(.*?)</strong><p>(.*?)</p>', page)
    assert shown.groups() == ("Leak found", "The spectrum tells &lt;i&gt;.")
    for tone in ("good", "bad", "watched", "open"):
        assert f".{tone} {{ background: #" in page


def test_pictures_of_a_row_stand_in_one_grid():
    row = Row([Picture("a", "A & B", "First."), Picture("b", "B", "Second.")])
    page = as_html([Heading("Pictures"), row], {"a": SVG, "b": b"\x89PNG"})
    inside = re.search(r'<div class="row">(.*?)</div>', page, flags=re.DOTALL)[1]
    assert re.findall(r'alt="(.*?)" src="data:image/([^;]*)', inside) == [("A &amp; B", "svg+xml"), ("B", "png")]
    with pytest.raises(KeyError):
        as_markdown([row], {"a": "a.png"})


def test_headings_have_their_level():
    blocks = [Heading("Audit"), Heading("What to do"), Heading("Low-pass", level=3), Paragraph("So.")]
    assert re.findall(r"<(h\d)>", as_html(blocks, {})) == ["h1", "h2", "h3"]
    assert re.findall(r"^#+", as_markdown(blocks, {}), flags=re.MULTILINE) == ["#", "##", "###"]


def test_a_list_in_markdown_is_taken_apart():
    assert Notes.of_text("- a - b\n  c\n- d\n").lines == ["a - b c", "d"]
    assert as_markdown([Notes.of_text("- a\n- b")], {}) == "- a\n- b\n"
