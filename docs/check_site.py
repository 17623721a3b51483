"""Check the built site: links and anchors, public names, search, and that no page loads files of other sites.

Sphinx checks the links between the sources. This script checks the pages that a reader gets.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from inspect import ismodule
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from sphinx.search.en import SearchEnglish
from sphinx.util.inventory import InventoryFile

import monai_freq
from monai_freq import spectral

#: words that a reader may search for
SOUGHT = ("whiten", "shortcut", "theta", "FrequencyFusion", "delta_ood", "resume", "dataset_dir")
#: element -> attribute with the address of a file that a browser loads for the page
LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """Anchors, links and loaded files of one HTML file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchors, links and loaded files of a tag."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if LOADED.get(tag) in given and given.get("rel") not in {"next", "prev", "search", "index"}:
            self.loaded.append(given[LOADED[tag]])


def check_links(site: Path) -> Iterator[str]:
    """Links to missing pages, files and anchors, and files loaded from other sites."""
    pages = {file: Page(file) for file in sorted(site.rglob("*.html"))}
    for file, page in pages.items():
        for link in [*page.links, *page.loaded]:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            anchor = unquote(address.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                yield f"{file.relative_to(site)}: there is no {link}"
        yield from (f"{file.relative_to(site)}: loads {link}" for link in page.loaded if urlsplit(link).netloc)


def check_names(site: Path) -> Iterator[str]:
    """Public names that the reference has neither where they are offered nor where they are defined."""
    described = set()
    for kind, names in InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data.items():
        described |= set(names) if kind.startswith("py:") else set()
    for module in public_modules():
        for name in sorted(module.__all__):
            value = getattr(module, name)
            places = {module.__name__, getattr(value, "__module__", "")}
            if not ismodule(value) and not {f"{place}.{name}" for place in places} & described:
                yield f"the reference lacks {module.__name__}.{name}"


def public_modules() -> Iterator[ModuleType]:
    """Subpackages, and the modules of ``spectral``."""
    for part in pkgutil.iter_modules(monai_freq.__path__):
        if part.ispkg:
            yield importlib.import_module(f"monai_freq.{part.name}")
    for part in pkgutil.iter_modules(spectral.__path__):
        yield importlib.import_module(f"monai_freq.spectral.{part.name}")


def check_search(site: Path) -> Iterator[str]:
    """Words that the search does not find."""
    script = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(script[script.index("{") : script.rindex("}") + 1])
    found = index["terms"].keys() | index["titleterms"].keys()
    stem = SearchEnglish({}).stem
    yield from (f"the search does not find {word}" for word in SOUGHT if stem(word.lower()) not in found)


def main() -> None:
    """Exit with the faults, or print what was checked."""
    site = Path(sys.argv[1])
    wrong = [*check_links(site), *check_names(site), *check_search(site)]
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{site}: links, anchors, names and search of {len(list(site.rglob('*.html')))} pages are in order")


if __name__ == "__main__":
    main()
