"""The pages that a reader follows, taken apart into what they ask the reader to run."""

import ast
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from monai.bundle import ConfigParser
from running import ROOT

PAGES = [
    page.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "bundles/*/docs/README.md", "tutorials/README.md")
    for page in sorted(ROOT.glob(pattern))
    if "_build" not in page.parts
]


class Block(NamedTuple):
    """A fenced block, and the paragraph before it."""

    page: str
    language: str
    text: str
    before: str

    @property
    def commands(self):
        """Lines of a shell block, the continued ones joined."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]

    @property
    def file(self):
        """Name under which the reader is told to save it."""
        named = re.findall(r"(?:[Ww]rite|[Ss]ave this as)\s+`([^`]+)`", self.before)
        return named[-1] if named else None


def blocks(page, *languages):
    """Blocks of a page, in their order, of these languages or of all."""
    found, paragraph, before, language, lines = [], "", "", None, []
    for line in read(page).splitlines():
        if line.startswith("```") and language is None:
            language, lines = line.removeprefix("```"), []
            before, paragraph = paragraph or before, ""
        elif line.startswith("```"):
            found.append(Block(page, language, "\n".join(lines) + "\n", before))
            language = None
        elif language is not None:
            lines.append(line)
        else:
            before = before if line else paragraph or before
            paragraph = f"{paragraph} {line}" if line else ""
    return [block for block in found if not languages or block.language in languages]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def checkout(folder):
    """What a reader's commands touch: a copy of the bundles, without what runs have left, beside what is only read."""
    left = shutil.ignore_patterns("runs", ".cache", "eval", "models", "__pycache__")
    shutil.copytree(ROOT / "bundles", folder / "bundles", ignore=left)
    for name in ("LICENSE", "Makefile", "docs", "setup.cfg", "tests", "tutorials"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def config_of(words):
    """What ``python -m monai.bundle run`` reads, and the ids that its options set."""
    options = dict(zip(words[::2], words[1::2], strict=True))
    files = options.pop("--config_file")
    parser = ConfigParser()
    parser.read_config(ast.literal_eval(files) if files.startswith("[") else files)
    return parser, [option.removeprefix("--") for option in options]


def settings_of(bundle):
    """Settings of a bundle's training."""
    return json.loads(Path(bundle, "configs/train.json").read_text())


def words_of(command):
    """Words of a command, without the variables set for it."""
    words = shlex.split(command)
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        words.pop(0)
    return words
